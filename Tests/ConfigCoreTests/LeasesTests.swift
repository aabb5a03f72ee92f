import ConfigAPI
import ConfigCore
import Testing
import Time

/// When leased values go back, step by step with a clock of our own.
@Suite struct LeasesTests {
    private let id = Keeper.FileID(service: "gateway", path: "/etc/gateway/.env")

    private func at(_ seconds: Double) -> Instant { .zero + .milliseconds(Int64(seconds * 1000)) }

    private func claim(_ key: String, until seconds: Double, grantedAt: Int64 = 1) -> Leases.Claim {
        Leases.Claim(
            key: key, grantedAt: WallTime(milliseconds: grantedAt), endsAt: at(seconds), version: 2, authorUID: 0,
            reason: "test")
    }

    private func timer(_ actions: [Leases.Action]) -> (TimerID, Instant)? {
        for case .setTimer(let id, let time) in actions { return (id, time) }
        return nil
    }

    @Test("What is due together goes back together, at its time and not before")
    func dueTogether() throws {
        var leases = Leases()
        let (a, b, c) = (claim("A", until: 10), claim("B", until: 10), claim("C", until: 20))
        let begun = leases.seen(id, [a, b, c], now: at(0))
        let first = try #require(timer(begun))
        #expect(begun == [.setTimer(first.0, at: at(10))], "what the first look finds is no news")
        let due = leases.timerFired(first.0, now: at(10))
        #expect(due.first == .takeBack(id, [a, b]))
        #expect(leases.timerFired(first.0, now: at(10)) == [], "an id is good once")
        #expect(!leases.seen(id, [c], now: at(10)).contains(.takeBack(id, [c])))
        let rest = leases.takeBackEnded(id, failed: false, now: at(10))
        #expect(timer(rest)?.1 == at(20))
        #expect(leases.count == 1)
    }

    @Test("A new lease and a longer one are told, once")
    func announced() {
        var leases = Leases()
        _ = leases.seen(id, [], now: at(0))
        let (short, long) = (claim("A", until: 10), claim("A", until: 60, grantedAt: 2))
        #expect(leases.seen(id, [short], now: at(1)).contains(.announce(id, short)))
        #expect(leases.seen(id, [short], now: at(2)) == [])
        let longer = leases.seen(id, [long], now: at(3))
        #expect(longer.contains(.announce(id, long)))
        #expect(timer(longer)?.1 == at(60))
    }

    @Test("A timer of a lease that was made longer takes nothing back")
    func staleTimer() throws {
        var leases = Leases()
        let old = try #require(timer(leases.seen(id, [claim("A", until: 10)], now: at(0))))
        _ = leases.seen(id, [claim("A", until: 60, grantedAt: 2)], now: at(3))
        #expect(leases.timerFired(old.0, now: at(10)) == [])
    }

    @Test("A take-back that fails is tried again after 1, 2, 4 … 60 s, without end, and told once")
    func backoff() throws {
        var leases = Leases()
        let due = claim("A", until: 10)
        _ = leases.seen(id, [due], now: at(0))
        var now = at(10)
        var actions = leases.seen(id, [due], now: now)
        var wake = timer(actions)
        var waits: [Int64] = []
        var told = 0
        for _ in 0..<9 {
            #expect(actions.contains(.takeBack(id, [due])))
            let failedAt = now
            actions = leases.takeBackEnded(id, failed: true, now: now)
            if leases.hasBegunToFail(id) { told += 1 }
            wake = timer(actions) ?? wake
            // The note of each minute may wake it in between.
            for _ in 0..<4 where !actions.contains(.takeBack(id, [due])) {
                let (timer, time) = try #require(wake)
                now = time
                actions = leases.timerFired(timer, now: now)
                wake = self.timer(actions) ?? wake
            }
            waits.append((now - failedAt).milliseconds / 1000)
        }
        #expect(waits == [1, 2, 4, 8, 16, 32, 60, 60, 60])
        #expect(told == 1)
    }

    @Test("What is left of a lease is noted each minute, as long as there is one")
    func noted() throws {
        var leases = Leases()
        let first = try #require(timer(leases.seen(id, [claim("A", until: 600)], now: at(0))))
        #expect(first.1 == at(60))
        let noted = leases.timerFired(first.0, now: at(60))
        #expect(noted.contains(.note))
        #expect(timer(noted)?.1 == at(120))
        #expect(leases.seen(id, [], now: at(61)) == [])
        #expect(leases.count == 0)
    }

    @Test("A file that the settings do not name any more is let be")
    func unnamed() {
        var leases = Leases()
        _ = leases.seen(id, [claim("A", until: 10)], now: at(0))
        #expect(leases.configured([], now: at(20)) == [])
        #expect(leases.count == 0)
    }

    // MARK: The clock

    private func moment(_ seconds: Int64, wall: Int64) -> Moment {
        Moment(instant: .zero + .seconds(seconds), wall: WallTime(milliseconds: wall * 1000))
    }

    @Test("In one boot a stepped wall clock changes nothing")
    func sameBoot() {
        let term = Term(left: .seconds(600), notedAt: moment(1000, wall: 50_000), boot: "a")
        #expect(term.left(now: moment(1100, wall: 0), boot: "a") == .seconds(500))
        #expect(term.left(now: moment(1100, wall: 99_000), boot: "a") == .seconds(500))
        #expect(term.left(now: moment(2000, wall: 50_000), boot: "a") == .zero)
        #expect(term.end(now: moment(1100, wall: 0), boot: "a") == .zero + .seconds(1600))
    }

    @Test("After a reboot the wall clock counts, and set back it adds nothing")
    func otherBoot() {
        let term = Term(left: .seconds(600), notedAt: moment(1000, wall: 50_000), boot: "a")
        #expect(term.left(now: moment(5, wall: 50_100), boot: "b") == .seconds(500))
        #expect(term.left(now: moment(5, wall: 51_000), boot: "b") == .zero)
        #expect(term.left(now: moment(5, wall: 10), boot: "b") == .seconds(600), "never more than was left at the note")
        #expect(
            term.left(now: moment(5, wall: 50_100), boot: "a") == .seconds(500),
            "a clock that ran back is another boot's")
    }

    @Test("A host whose wall clock begins anew at every boot comes to the end all the same")
    func clockWithoutBattery() {
        var term = Term(left: .seconds(600), notedAt: moment(0, wall: 0), boot: "0")
        var boots = 0
        while term.left > .zero, boots < 100 {
            boots += 1
            // Up for three minutes, with a note each minute, then a power cut half a minute after the last.
            for minute in 0...3 {
                term = term.noted(now: moment(Int64(minute) * 60, wall: Int64(minute) * 60), boot: "\(boots)")
            }
        }
        #expect(boots == 4)
    }

    // MARK: What a key says to all

    private let env = FileFormat.env(EnvEditor(readers: ["node-dotenv", "systemd"].compactMap(Dialect.named)))

    @Test("A key is clear where all readers read the same, and unclear where they do not")
    func standings() {
        let file = Array("PORT=3000\nURL=http://x # y\n".utf8)
        let found = env.standings(of: ["PORT", "URL", "NONE"], in: file)
        #expect(found["PORT"] == .value(Array("3000".utf8)))
        #expect(found["NONE"] == .value(nil))
        guard case .unclear(let why)? = found["URL"] else {
            Issue.record("URL is read differently, and is \(String(describing: found["URL"]))")
            return
        }
        #expect(why.contains("systemd"))
    }

    @Test("A JSON value is told by its text, and a key that stands twice is unclear")
    func jsonStandings() {
        let file = Array(#"{"a": {"b": [1, 2.50]}, "c": 1, "c": 2}"#.utf8)
        let json = FileFormat.json(.usual)
        let found = json.standings(of: ["/a/b/1", "/c", "/d"], in: file)
        #expect(found["/a/b/1"] == .value(Array("2.50".utf8)))
        #expect(found["/d"] == .value(nil))
        #expect(found["/c"] == .unclear("stands in its object twice"))
    }
}
