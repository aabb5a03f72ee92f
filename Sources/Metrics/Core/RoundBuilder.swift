/// Builds a collector's rounds so that a round like the one before costs no string: each value comes with a 64-bit key of what
/// names it, and labels are made only where the keys differ from those of the round before.
package struct RoundBuilder: Sendable {
    private var keys: [UInt64] = []
    /// Nil where the series was refused.
    private var labels: [Labels?] = []
    private var values: [Double] = []
    private var isChanged = true
    private var refused = 0

    package init() {}

    /// How many values this round has so far.
    package var count: Int { values.count }

    /// Adds a value. Two values with one key must have the same labels, in every round. Where there are none the value is
    /// refused: it is counted and left out of each round.
    @inline(__always)
    package mutating func add(_ value: Double, key: UInt64, labels make: () -> Labels?) {
        let place = values.count
        values.append(value)
        if place < keys.count {
            if keys[place] == key { return }
            keys[place] = key
            labels[place] = make()
        } else {
            keys.append(key)
            labels.append(make())
        }
        isChanged = true
    }

    /// Ends the round. The table comes where the round differs from the one before, or where it is asked for.
    package mutating func finish(withTable: Bool) -> Collection {
        if values.count < keys.count {
            keys.removeSubrange(values.count...)
            labels.removeSubrange(values.count...)
            isChanged = true
        }
        if isChanged { refused = labels.count(where: { $0 == nil }) }
        if refused > 0 { values = zip(values, labels).filter { $0.1 != nil }.map(\.0) }
        let table = isChanged || withTable ? labels.compactMap { $0 } : nil
        let collection = Collection(table: table, values: values, refused: refused)
        isChanged = false
        values = []
        values.reserveCapacity(keys.count)
        return collection
    }
}

/// Keys of series: FNV-1a over whatever names them (Fowler, Noll, Vo; 64 bits).
package struct SeriesKey: Hashable, Sendable {
    package private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

    package init() {}

    /// A key that begins with a text of the program: its address stands for it.
    @inline(__always)
    package init(_ text: StaticString) {
        value = (value ^ UInt64(UInt(bitPattern: text.utf8Start))) &* 0x9E37_79B9_7F4A_7C15
    }

    /// The key with more bytes of the name.
    @inline(__always)
    package func adding(_ bytes: UnsafeRawBufferPointer) -> SeriesKey {
        var key = self
        for byte in bytes { key.value = (key.value ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        return key
    }

    /// The key with a number of the name.
    @inline(__always)
    package func adding(_ number: UInt64) -> SeriesKey {
        var key = self
        key.value = (key.value ^ number) &* 0x9E37_79B9_7F4A_7C15
        return key
    }
}
