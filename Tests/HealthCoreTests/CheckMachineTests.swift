import HealthAPI
import HealthCore
import Testing
import Time

@Suite("A check runs on its grid, with a deadline and retries") struct CheckMachineTests {
    private func world(_ check: CheckConfig, answers: [String: HealthWorld.Answer] = [:]) -> HealthWorld {
        var world = HealthWorld(HealthConfig(services: [ServiceConfig(name: "web", checks: [check])]))
        world.answers = answers
        return world
    }

    private func result(_ world: HealthWorld, _ name: String) throws -> CheckResult {
        try #require(try world.machine.health(of: nil, now: world.now).checks[name])
    }

    @Test("Rounds start one interval apart, however long the probes take")
    func grid() {
        var world = world(.tcp("http"), answers: ["http": .after(.milliseconds(400), .ok, "")])
        world.pass(.seconds(2))
        world.forget()
        world.pass(.seconds(100))
        #expect(world.probesStarted.count == 100)
        let gaps = zip(world.probesStarted, world.probesStarted.dropFirst()).map { $1.at - $0.at }
        #expect(gaps.allSatisfy { $0 == .seconds(1) })
    }

    @Test("Rounds of many checks fall into four wake-ups a second, and none into one alone")
    func slots() {
        let checks = (0..<40).map { number in
            CheckConfig(name: "c\(number)", probe: .tcp(TCPProbe(host: "127.0.0.1", port: 1)), interval: .seconds(1))
        }
        var world = HealthWorld(HealthConfig(services: [ServiceConfig(name: "web", checks: checks)]))
        world.pass(.seconds(5))
        world.forget()
        world.pass(.seconds(10))
        let places = world.probesStarted.map { ($0.at - .zero).milliseconds % 1000 }
        #expect(places.count == 400)
        #expect(Set(places) == [0, 250, 500, 750])
    }

    @Test("All checks look within two seconds of the start, and then spread over their interval")
    func firstRound() {
        let checks = (0..<100).map { number in
            CheckConfig(name: "c\(number)", probe: .tcp(TCPProbe(host: "127.0.0.1", port: 1)), interval: .seconds(60))
        }
        var world = HealthWorld(HealthConfig(services: [ServiceConfig(name: "web", checks: checks)]))
        world.pass(.seconds(2))
        #expect(Set(world.probesStarted.map(\.check)).count == 100)
        world.pass(.seconds(120))
        world.forget()
        world.pass(.seconds(60))
        let seconds = world.probesStarted.map { ($0.at - .zero).milliseconds / 1000 % 60 }
        #expect(seconds.count == 100)
        #expect(Set(seconds).count > 30)
    }

    @Test("A probe without an answer is given up at its deadline, and its late answer changes nothing")
    func deadline() throws {
        var world = world(.tcp("http"), answers: ["http": .after(.milliseconds(900), .ok, "too late")])
        world.pass(.seconds(4))
        #expect(world.abandoned >= 3)
        let result = try result(world, "http")
        #expect(result.status == .critical)
        #expect(result.message == "no answer within 500 ms")
        #expect(result.latencyMs == nil)
    }

    @Test("A deadline that fires late accuses healthd, not the service")
    func ownLateness() throws {
        let start = HealthWorld.start
        var ids = HealthIDs()
        var random = SeededRandom(seed: 1)
        var check = CheckMachine(.tcp("http"), now: start)
        let begun = check.begin(now: start, ids: &ids, random: &random)
        guard case .startTimer(let first, _) = try #require(begun.first) else { throw Unexpected() }
        let probing = check.timerFired(first, now: start, ids: &ids)
        guard case .startTimer(let deadline, _) = try #require(probing.last) else { throw Unexpected() }
        let late = start.advanced(by: .milliseconds(500 + 501))
        let actions = check.timerFired(deadline, now: late, ids: &ids)
        #expect(check.result.last == .unknown)
        #expect(check.message == "healthd itself was 501 ms late")
        guard case .abandonProbe = try #require(actions.first) else { throw Unexpected() }
    }

    @Test("Stale timers and attempts do nothing in any state")
    func stale() throws {
        let start = HealthWorld.start
        var ids = HealthIDs()
        var random = SeededRandom(seed: 1)
        var check = CheckMachine(.tcp("http", retries: 1), now: start)
        let good = ProbeOutcome(.ok, "")
        let strangerTimer = TimerID(999)
        let strangerRun = RunID(999)
        func nothingHappens() {
            let before = check
            #expect(check.timerFired(strangerTimer, now: start, ids: &ids).isEmpty)
            #expect(check.probeEnded(strangerRun, good, now: start, ids: &ids).isEmpty)
            #expect(check.reportReceived(good, now: start, ids: &ids).isEmpty)
            #expect(check == before)
        }
        nothingHappens()
        guard case .startTimer(let first, _) = try #require(check.begin(now: start, ids: &ids, random: &random).first)
        else { throw Unexpected() }
        nothingHappens()
        let probing = check.timerFired(first, now: start, ids: &ids)
        guard case .startProbe(let run) = try #require(probing.first) else { throw Unexpected() }
        nothingHappens()
        #expect(check.timerFired(first, now: start, ids: &ids).isEmpty)
        let bad = ProbeOutcome(.critical, "refused")
        let pausing = check.probeEnded(run, bad, now: start, ids: &ids)
        #expect(pausing.count == 2)
        nothingHappens()
        #expect(check.probeEnded(run, bad, now: start, ids: &ids).isEmpty)
        #expect(check.retire().count == 1)
        nothingHappens()
        #expect(check.retire().isEmpty)
    }

    @Test("Retries belong to one round: only its last attempt counts")
    func retries() throws {
        var world = world(.tcp("http", retries: 2, thresholds: Thresholds(failure: 1)), answers: ["http": .refused])
        world.pass(.seconds(1))
        let result = try result(world, "http")
        #expect(result.rounds == 1)
        #expect(result.status == .critical)
        #expect(world.probesStarted.count == 3)
        let gaps = zip(world.probesStarted, world.probesStarted.dropFirst()).map { $1.at - $0.at }
        #expect(gaps.allSatisfy { $0 == .milliseconds(201) })
    }

    @Test("A retry that succeeds makes the round good")
    func retrySucceeds() throws {
        var world = world(.tcp("http", retries: 1, thresholds: Thresholds(failure: 1)), answers: ["http": .refused])
        while world.probesStarted.isEmpty { world.pass(.milliseconds(1)) }
        world.pass(.milliseconds(100))
        world.answers = [:]
        world.pass(.milliseconds(400))
        #expect(try result(world, "http").status == .ok)
    }

    @Test("A round that outlasts its interval swallows the rounds that were due meanwhile")
    func longRound() {
        var check = CheckConfig.tcp("http", retries: 5)
        check.interval = .milliseconds(700)
        var world = world(check, answers: ["http": .never])
        world.pass(.seconds(60))
        // One round is 6 attempts of 500 ms and 5 pauses of 200 ms: 4 s, so the next place is 4.2 s after the last.
        let starts = stride(from: 0, to: world.probesStarted.count, by: 6).map { world.probesStarted[$0].at }
        let gaps = zip(starts.dropFirst(), starts.dropFirst(2)).map { $1 - $0 }
        #expect(gaps.count > 8)
        #expect(gaps.allSatisfy { $0 == .milliseconds(4200) })
    }

    @Test("A custom check is ok while reports come, and critical once they stop for its interval")
    func reports() throws {
        let check = CheckConfig(
            name: "backup", probe: .report, interval: .seconds(10), thresholds: Thresholds(failure: 1))
        var world = world(check)
        let id = CheckID(service: "web", name: "backup")
        #expect(try result(world, "backup").status == .unknown)
        for _ in 0..<5 {
            try world.act { machine, now in try machine.checkReported(id, ProbeOutcome(.ok, "done"), now: now) }
            world.pass(.seconds(9))
            #expect(try result(world, "backup").status == .ok)
        }
        world.pass(.seconds(2))
        #expect(try result(world, "backup").status == .critical)
        #expect(try result(world, "backup").message == "no report within 10000 ms")
    }

    @Test("Long messages are cut between scalars")
    func longMessages() {
        let text = String(repeating: "€", count: 1000)
        let cut = text.cut(toBytes: 512)
        #expect(cut.utf8.count <= 512 && cut.utf8.count > 506)
        #expect(cut.hasSuffix("€…"))
        #expect("short".cut(toBytes: 512) == "short")
    }
}

/// A trace went another way than the test needs.
struct Unexpected: Error {}
