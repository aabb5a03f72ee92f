package import HealthAPI

/// How many rounds it takes to believe a change.
package struct Thresholds: Hashable, Sendable {
    /// Rounds running that must be better before the verdict is.
    package var success: Int
    /// Rounds of the last `window` that must be worse before the verdict is.
    package var failure: Int
    /// At least `failure`; equal to it, failures must follow each other.
    package var window: Int

    /// Precondition: all at least 1. A smaller window than `failure` is taken as `failure`.
    package init(success: Int = 1, failure: Int = 3, window: Int? = nil) {
        precondition(success > 0 && failure > 0, "a threshold counts rounds, so it is at least 1")
        self.success = success
        self.failure = failure
        self.window = max(failure, window ?? failure)
    }
}

/// Turns the verdicts of rounds into the one that is believed.
///
/// A round that is *unknown* is not counted at all: it neither raises nor clears. Only where the verdict would be *ok* and
/// `failure` unknown rounds followed each other does the verdict become *unknown* itself, because nobody has seen it ok.
/// The verdict worsens to the worst level that `failure` of the last `window` known rounds reached. It betters when `success`
/// rounds running were better *and* the rule above would no longer hold, so a window cannot raise again what was just cleared.
package struct Settling: Hashable, Sendable {
    private let thresholds: Thresholds
    /// What is believed now.
    package private(set) var verdict = Verdict.unknown
    /// Known verdicts, the newest last; as many as the thresholds look back.
    private var known: [Verdict] = []
    /// Unknown rounds since the last known one.
    private var unknownRounds = 0

    package init(thresholds: Thresholds) {
        self.thresholds = thresholds
    }

    /// Counts one round.
    package mutating func roundEnded(_ verdict: Verdict) {
        switch verdict {
        case .unknown:
            unknownRounds += 1
            // What was seen before a time of blindness says nothing about what is seen after it.
            guard unknownRounds >= thresholds.failure else { return }
            known.removeAll()
            if self.verdict == .ok { self.verdict = .unknown }
        case .ok, .warning, .critical:
            unknownRounds = 0
            known.append(verdict)
            let lookBack = max(thresholds.window, thresholds.success)
            if known.count > lookBack { known.removeFirst(known.count - lookBack) }
            settle()
        }
    }

    private mutating func settle() {
        let recent = known.suffix(thresholds.window)
        let reached = [Verdict.critical, .warning].first { limit in
            recent.count(where: { $0.severity >= limit.severity }) >= thresholds.failure
        }
        if let reached, reached.severity > verdict.severity {
            verdict = reached
            return
        }
        let last = known.suffix(thresholds.success)
        guard last.count == thresholds.success, let worst = last.max(by: { $0.severity < $1.severity }) else { return }
        if verdict == .unknown {
            if worst == .ok { verdict = .ok }
        } else if worst.severity < verdict.severity, (reached ?? .ok).severity < verdict.severity {
            verdict = worst
        }
    }
}

extension Verdict {
    /// Higher is worse; *unknown* is below all, so anything seen can raise it.
    package var severity: Int {
        switch self {
        case .unknown: -1
        case .ok: 0
        case .warning: 1
        case .critical: 2
        }
    }
}
