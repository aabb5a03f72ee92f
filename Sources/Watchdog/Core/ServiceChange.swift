package import ConfigAPI
package import Time

/// A change of the service's configuration that configd has on trial, or has taken back: as the guard needs it.
package struct ServiceChange: Hashable, Sendable {
    /// Where configd has it.
    package enum Phase: Hashable, Sendable {
        /// In force on trial since then; its window may be open.
        case onTrial(since: Instant)
        /// Decided against; its files are being written.
        case goingBack
        /// What was before it is in force again since then; the change was from `appliedAt` on.
        case takenBack(since: Instant, appliedAt: Instant?)
    }

    /// A change and the way that it goes: what a guard remembers that it did for.
    struct Key: Hashable, Sendable {
        var id: Int64
        var isBack: Bool
    }

    /// As configd names it.
    package var id: Int64
    package var phase: Phase
    package var activation: ConfigActivation
    /// Whether configd waits for the service to be brought to its files.
    package var wantsActivation: Bool

    package init(id: Int64, phase: Phase, activation: ConfigActivation, wantsActivation: Bool) {
        self.id = id
        self.phase = phase
        self.activation = activation
        self.wantsActivation = wantsActivation
    }

    /// As configd's `pending` shows it; nil where it asks nothing of a guard any more.
    package init?(_ pending: ConfigPending) {
        let phase: Phase
        switch pending.phase {
        case .applied, .activated:
            guard let applied = pending.appliedUs else { return nil }
            phase = .onTrial(since: Self.instant(applied))
        case .goingBack: phase = .goingBack
        case .takenBack:
            guard let back = pending.takenBackUs else { return nil }
            phase = .takenBack(since: Self.instant(back), appliedAt: pending.appliedUs.map(Self.instant))
        case .confirmed: return nil
        }
        self.init(
            id: pending.id, phase: phase, activation: pending.activation, wantsActivation: pending.wantsActivation)
    }

    private static func instant(_ microseconds: Int64) -> Instant {
        Instant(nanoseconds: microseconds.multipliedReportingOverflow(by: 1000).partialValue)
    }

    var key: Key {
        switch phase {
        case .onTrial, .goingBack: Key(id: id, isBack: false)
        case .takenBack: Key(id: id, isBack: true)
        }
    }
}
