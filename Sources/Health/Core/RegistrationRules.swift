package import HealthAPI
package import Wire

/// What a check that comes over the socket must hold to; the settings' own reader holds files to the same.
package enum RegistrationRules {
    /// In milliseconds: a shorter interval is a load test, a longer one no check.
    package static let interval: ClosedRange<Int64> = 100...86_400_000
    /// In milliseconds; as long as a slow program may take.
    package static let timeout: ClosedRange<Int64> = 10...600_000
    /// Further attempts: more would make a round longer than its interval.
    package static let retries = 0...10
    /// Rounds that a verdict may have to be seen in.
    package static let threshold = 1...20

    /// Throws `invalidCheck` for the first member that does not hold.
    package static func check(_ asked: HealthCheckConfig) throws(RPCError) {
        guard isName(asked.name) else {
            throw HealthErrors.invalidCheck(
                member: "name", expected: "up to 64 letters, digits, '-', '_' and '.', a letter or digit first",
                found: asked.name.cut(toBytes: 80))
        }
        try hold("interval", asked.interval, interval)
        try hold("timeout", asked.timeout, timeout)
        if asked.type != .custom, asked.timeout > asked.interval {
            throw HealthErrors.invalidCheck(
                member: "timeout", expected: "at most the interval, \(asked.interval)", found: "\(asked.timeout)")
        }
        try hold("retries", asked.retries, retries)
        try hold("successThreshold", asked.successThreshold, threshold)
        try hold("failureThreshold", asked.failureThreshold, threshold)
        switch asked.type {
        case .http, .tcp:
            try needs("endpoint", asked.endpoint, without: ["command": asked.command, "user": asked.user])
        case .command:
            try needs("command", asked.command, without: ["endpoint": asked.endpoint])
            // Never silently as healthd itself: whoever registers must say whose powers the program has.
            try needs("user", asked.user, without: [:])
        case .custom:
            try needs(
                nil, nil, without: ["endpoint": asked.endpoint, "command": asked.command, "user": asked.user])
        }
    }

    private static func hold<Value: Comparable>(
        _ member: String, _ value: Value, _ range: ClosedRange<Value>
    ) throws(RPCError) {
        guard range.contains(value) else {
            throw HealthErrors.invalidCheck(
                member: member, expected: "\(range.lowerBound) to \(range.upperBound)", found: "\(value)")
        }
    }

    private static func needs(
        _ member: String?, _ value: String?, without others: [String: String?]
    ) throws(RPCError) {
        if let member, (value ?? "").isEmpty {
            throw HealthErrors.invalidCheck(member: member, expected: "a value for this type", found: "nothing")
        }
        if let stranger = others.filter({ $0.value != nil }).keys.sorted().first {
            throw HealthErrors.invalidCheck(member: stranger, expected: "nothing for this type", found: "a value")
        }
    }

    private static func isName(_ text: String) -> Bool {
        guard let first = text.first, text.utf8.count <= 64, first.isASCII, first.isLetter || first.isNumber else {
            return false
        }
        return text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_.".contains($0)) }
    }
}
