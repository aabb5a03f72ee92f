import MetricsCore
import Patterns

/// RE2 for the regular expressions of queries.
enum QueryPatterns {
    /// Dashboards write long alternatives of instances.
    private static let longestBytes = 16_384
    private static let mostMemoryBytes: Int64 = 4 << 20

    static let compile: PatternCompiler = { text throws(PatternProblem) in
        guard !hasByteClass(text) else { throw PatternProblem(reason: "invalid escape sequence: `\\C`") }
        do throws(Pattern.Problem) {
            let pattern = try Pattern(text, longestBytes: longestBytes, mostMemoryBytes: mostMemoryBytes)
            return CompiledPattern(
                text, matches: { pattern.matches($0) }, groups: { pattern.groups($0) },
                groupNumbers: pattern.groupNumbers)
        } catch {
            throw PatternProblem(reason: error.reason)
        }
    }

    /// `\C`, one byte of a character: RE2's own, which Go's engine and so Prometheus refuses.
    private static func hasByteClass(_ text: String) -> Bool {
        var isEscaped = false
        for byte in text.utf8 {
            if isEscaped, byte == 0x43 { return true }
            isEscaped = byte == 0x5c && !isEscaped
        }
        return false
    }
}
