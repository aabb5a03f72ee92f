import Time

extension Simulation.Report {
    /// The report as one line for people and scripts: `key=value` pairs.
    package var line: String {
        let availability = Double(Int(availability * 1_000_000)) / 10_000
        return "seed=\(seed) digest=\(digest) faults=\(faults) incidents=\(incidents) restarts=\(restarts) "
            + "pages=\(pages) availability=\(availability)% worstRecoveryMs=\(worstRecovery.milliseconds) "
            + "steps=\(steps) violations=\(violations.count)"
    }
}
