/// The identity of one timer that a machine asked for. A machine compares it when the timer fires: an id that it no longer
/// waits for does nothing, so a late tick can never act for an earlier state.
package struct TimerID: Hashable, Sendable {
    package var value: UInt64

    package init(_ value: UInt64) {
        self.value = value
    }
}

/// Hands out timer ids, each once in a machine's life.
package struct TimerIDs: Hashable, Sendable {
    private var last: UInt64 = 0

    package init() {}

    package mutating func next() -> TimerID {
        last += 1
        return TimerID(last)
    }
}
