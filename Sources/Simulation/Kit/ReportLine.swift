import Time

extension Simulation.Report {
    /// The report as one line for people and scripts, `key=value` pairs, and one more for each invariant that was broken.
    package var text: String {
        let availability = Double(Int(availability * 1_000_000)) / 10_000
        let line =
            "seed=\(seed) digest=\(digest) faults=\(faults) incidents=\(incidents) restarts=\(restarts) "
            + "pages=\(pages) availability=\(availability)% worstRecoveryMs=\(worstRecovery.milliseconds) "
            + "steps=\(steps) violations=\(violations.count)"
        return ([line] + violations.map { "  broken: \($0)" }).joined(separator: "\n")
    }
}

extension Simulation {
    /// One whole run for the command line: its report as text; `trace` hears what people would hear.
    package static func play(seed: UInt64, hours: Int, trace: @escaping (String) -> Void) -> String {
        let simulation = Simulation(seed: seed)
        simulation.onLine = trace
        return simulation.run(hours: hours).text
    }
}
