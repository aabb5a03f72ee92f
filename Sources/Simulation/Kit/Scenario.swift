import Time

/// A named story as text: what it proves, what goes wrong and when, and what people would hear of it. The part below the line
/// `---` is recorded; a change in it is committed only when it is understood.
///
///     # A spinning main thread is killed and started again, once.
///     at 60s hang gateway spinning
///     run 120s
///     ---
///     0:01:02.004 gateway: incidentOpened spinning
package struct Scenario {
    /// Why a scenario cannot be read.
    package struct Problem: Error, CustomStringConvertible {
        package var description: String
    }

    private var faults: [(at: Duration, fault: Fault)] = []
    private var length: Duration = .seconds(60)
    /// The part that is written by hand, with its last newline.
    package private(set) var script = ""
    /// The part that was recorded, one line each.
    package private(set) var recorded: [String] = []

    package init(_ text: String) throws(Problem) {
        var isRecorded = false
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) {
            if isRecorded {
                if !line.isEmpty { recorded.append(line) }
            } else if line == "---" {
                isRecorded = true
            } else {
                script += line + "\n"
                try read(line)
            }
        }
    }

    private mutating func read(_ line: String) throws(Problem) {
        let words = line.split(separator: " ").map(String.init)
        guard let first = words.first, !first.hasPrefix("#") else { return }
        switch (first, words.count) {
        case ("run", 2): length = try Self.duration(words[1])
        case ("at", 3...):
            faults.append((try Self.duration(words[1]), try Self.fault(Array(words[2...]))))
        default: throw Problem(description: "expected `at TIME FAULT` or `run TIME`, found: \(line)")
        }
    }

    private static func duration(_ text: String) throws(Problem) -> Duration {
        let number = text.prefix { $0.isNumber || $0 == "." }
        guard let value = Double(number) else { throw Problem(description: "expected a time, found \(text)") }
        switch text.dropFirst(number.count) {
        case "ms": return .milliseconds(Int64(value))
        case "s": return .milliseconds(Int64(value * 1000))
        case "min": return .milliseconds(Int64(value * 60_000))
        default: throw Problem(description: "expected a time in ms, s or min, found \(text)")
        }
    }

    private static func fault(_ words: [String]) throws(Problem) -> Fault {
        let unknown = Problem(description: "unknown fault: \(words.joined(separator: " "))")
        switch words[0] {
        case "watchdogKilled": return .watchdogKilled
        case "watchdogStopped": return .watchdogStopped
        case "healthKilled": return .healthKilled
        case "healthStopped": return .healthStopped
        case "configStopped": return .configStopped
        case "metricsKilled": return .metricsKilled
        case "metricsStopped": return .metricsStopped
        default: break
        }
        guard words.count >= 2 else { throw unknown }
        switch words[0] {
        case "starvedHost": return .starvedHost(lasts: try duration(words[1]))
        case "fullDisk": return .fullDisk(lasts: try duration(words[1]))
        case "databaseDown": return .databaseDown(lasts: try duration(words[1]))
        case "clockStep": return .clockStep(ms: try duration(words[1]).milliseconds)
        case "restart": return .operatorRestart(service: words[1])
        case "reset": return .operatorReset(service: words[1])
        case "change":
            guard let kind = Fault.ChangeKind(rawValue: words[1]) else { throw unknown }
            return .change(kind)
        default: break
        }
        guard words.count >= 3 else { throw unknown }
        let service = words[1]
        if words.count == 4, words[0] == "collector", let ailment = Fault.CollectorAilment(rawValue: words[2]) {
            return .collectorAils("collector-\(words[1])", ailment, lasts: try duration(words[3]))
        }
        switch words[0] {
        case "hang":
            guard let kind = Fault.HangKind(rawValue: words[2]) else { throw unknown }
            return .hang(service: service, kind: kind)
        case "configKilled":
            guard let step = Fault.CommitStep(rawValue: service), ["kill", "powerCut"].contains(words[2]) else {
                throw unknown
            }
            return .configKilled(step: step, isPowerCut: words[2] == "powerCut")
        case "exit": return .exit(service: service, zombieFor: try duration(words[2]))
        case "saturation": return .saturation(service: service, lasts: try duration(words[2]))
        case "collection": return .collection(service: service, lasts: try duration(words[2]))
        case "crashLoop": return .crashLoop(service: service, lasts: try duration(words[2]))
        case "stop": return .operatorStop(service: service, lasts: try duration(words[2]))
        case "hold": return .operatorHold(service: service, lasts: try duration(words[2]))
        default: throw unknown
        }
    }

    /// Plays the story and gives what was heard; a broken invariant is a line of it.
    package func play() -> [String] {
        var heard: [String] = []
        let simulation = Simulation(seed: 1)
        simulation.onLine = { heard.append($0) }
        simulation.begin()
        for (at, fault) in faults { simulation.timeline.after(at) { simulation.inject(fault) } }
        simulation.timeline.run(until: simulation.timeline.now + length)
        return heard + simulation.finish().violations.map { "broken: \($0)" }
    }
}
