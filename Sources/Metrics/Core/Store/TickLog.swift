/// The write-ahead log of one group: what each round measured, in the order in which it was measured, until the block that holds
/// it is written. One record goes into each commit.
///
/// A record is: version (1 byte), flags (bit 0: it starts afresh), group name, block number, then items: a *table* (which series
/// the next rounds hold), a *round* (time, a bitmap of the series whose value changed, the changed values as the non-zero middle
/// bytes of old XOR new), a *stale round* (nothing could be measured), or an *end* (series that the next round ends). Most series do not change each second, so a round of
/// 500 series takes some 500 bytes. A record that does not start afresh builds on the one before; each `recordsPerStart`th
/// starts afresh, which bounds what one damaged record can take with it.
package struct TickLog: Hashable, Sendable {
    fileprivate static let version: UInt8 = 1
    fileprivate static let tableItem: UInt8 = 1
    fileprivate static let roundItem: UInt8 = 2
    fileprivate static let staleItem: UInt8 = 3
    fileprivate static let endItem: UInt8 = 4
    /// At one commit in two seconds: a fresh start a minute.
    package static let recordsPerStart = 30

    private let group: String
    private var block: Int64
    private var series: [SeriesID] = []
    private var last: [UInt64] = []
    private var lastTime: Int64 = 0
    private var writer = ByteWriter()
    private var recordsSinceStart = 0
    private var mustStart = true

    package init(group: String, block: Int64) {
        self.group = group
        self.block = block
    }

    package var isEmpty: Bool { writer.bytes.isEmpty }

    /// From now on rounds belong to another block. What was not taken yet is dropped: the block that was closed is written whole.
    package mutating func open(block: Int64) {
        self.block = block
        restart()
    }

    /// The next record starts afresh, and what was not taken yet is dropped.
    package mutating func restart() {
        writer.bytes.removeAll(keepingCapacity: true)
        mustStart = true
    }

    /// From now on a round holds these series, in this order.
    package mutating func define(_ series: [SeriesID]) {
        self.series = series
        last = [UInt64](repeating: 0, count: series.count)
        if isEmpty {
            mustStart = true
        } else {
            writeTable()
        }
    }

    /// Appends a round: one value for each series of the table, found in `values` at `positions`.
    package mutating func append(time: Int64, values: [Double], positions: [Int]) {
        begin()
        writer.write(Self.roundItem)
        writeTime(time)
        let bitmap = writer.bytes.count
        for _ in 0..<(series.count + 7) / 8 { writer.bytes.append(0) }
        for index in series.indices {
            let pattern = values[positions[index]].bitPattern
            let changed = pattern ^ last[index]
            guard changed != 0 else { continue }
            writer.bytes[bitmap + index >> 3] |= 1 << UInt8(index & 7)
            writeChange(changed)
            last[index] = pattern
        }
    }

    /// Appends a round in which nothing could be measured.
    package mutating func appendStale(time: Int64) {
        begin()
        writer.write(Self.staleItem)
        writeTime(time)
    }

    /// The next round, stale or not, ends these series, which its table does not hold.
    package mutating func end(_ series: [SeriesID]) {
        begin()
        writer.write(Self.endItem)
        write(series)
    }

    /// The record for the next commit, with its checksum; nil if nothing was appended.
    package mutating func take() -> [UInt8]? {
        guard !isEmpty else { return nil }
        defer { writer.bytes.removeAll(keepingCapacity: true) }
        recordsSinceStart += 1
        if recordsSinceStart >= Self.recordsPerStart { mustStart = true }
        return Checksum.sealed(writer.bytes)
    }

    private mutating func begin() {
        guard isEmpty else { return }
        writer.write(Self.version)
        writer.write(mustStart ? 1 : 0)
        writer.write(text: group)
        writer.write(varint: UInt64(block))
        guard mustStart else { return }
        mustStart = false
        recordsSinceStart = 0
        lastTime = 0
        for index in last.indices { last[index] = 0 }
        writeTable()
    }

    private mutating func writeTable() {
        writer.write(Self.tableItem)
        write(series)
    }

    private mutating func write(_ series: [SeriesID]) {
        writer.write(varint: UInt64(series.count))
        var previous: Int64 = 0
        for id in series {
            writer.write(signed: Int64(id.value) - previous)
            previous = Int64(id.value)
        }
    }

    private mutating func writeTime(_ time: Int64) {
        writer.write(signed: time &- lastTime)
        lastTime = time
    }

    /// One byte: how many zero bytes lead (high half) and how many bytes follow, less one (low half); then those bytes.
    private mutating func writeChange(_ changed: UInt64) {
        let leading = changed.leadingZeroBitCount / 8
        let trailing = changed.trailingZeroBitCount / 8
        let length = 8 - leading - trailing
        writer.write(UInt8(leading << 4 | (length - 1)))
        var rest = changed >> UInt64(trailing * 8)
        for _ in 0..<length {
            writer.write(UInt8(truncatingIfNeeded: rest))
            rest >>= 8
        }
    }
}

/// What a record of the log says, item by item.
package enum TickLogItem: Hashable, Sendable {
    case table([SeriesID])
    case round(time: Int64, values: [Double])
    case stale(time: Int64)
    case end([SeriesID])
}

/// A record of the log, read.
package struct TickLogRecord: Hashable, Sendable {
    package var group: String
    package var block: Int64
    package var items: [TickLogItem]
}

/// Reads the records of all groups in the order in which they were written. A damaged one is skipped, and so are those of its
/// group up to the next that starts afresh.
package struct TickLogReader: Sendable {
    private struct State {
        var block: Int64
        var series: [SeriesID] = []
        var last: [UInt64] = []
        var lastTime: Int64 = 0
    }

    private var states: [String: State] = [:]
    /// How many records could not be read.
    package private(set) var damagedRecords = 0
    private static let mostSeries = 10_000_000

    package init() {}

    /// The content of `record`, nil where it is damaged or builds on a damaged one. An empty one stands for some that are lost.
    package mutating func read(_ record: [UInt8]) -> TickLogRecord? {
        guard Checksum.holds(record) else {
            // Which group it was of is not known, so no record may build on what came before it.
            states.removeAll()
            return damaged()
        }
        var reader = ByteReader(record, from: 4)
        guard reader.byte() == TickLog.version, let flags = reader.byte(), let group = reader.text(limit: 4096),
            let block = reader.varint(), block <= UInt64(Int64.max)
        else { return damaged() }
        let number = Int64(block)
        if flags & 1 == 1 { states[group] = State(block: number) }
        guard var state = states[group], state.block == number else { return damaged() }
        var items: [TickLogItem] = []
        while !reader.isAtEnd {
            guard let item = Self.item(&reader, &state) else {
                states[group] = nil
                return damaged()
            }
            items.append(item)
        }
        states[group] = state
        return TickLogRecord(group: group, block: number, items: items)
    }

    private mutating func damaged() -> TickLogRecord? {
        damagedRecords += 1
        return nil
    }

    private static func item(_ reader: inout ByteReader, _ state: inout State) -> TickLogItem? {
        switch reader.byte() {
        case TickLog.tableItem:
            guard let series = table(&reader) else { return nil }
            state.series = series
            state.last = [UInt64](repeating: 0, count: series.count)
            return .table(series)
        case TickLog.roundItem:
            guard let time = time(&reader, &state), round(&reader, &state) else { return nil }
            return .round(time: time, values: state.last.map { Double(bitPattern: $0) })
        case TickLog.staleItem:
            guard let time = time(&reader, &state) else { return nil }
            return .stale(time: time)
        case TickLog.endItem: return table(&reader).map { .end($0) }
        default: return nil
        }
    }

    private static func table(_ reader: inout ByteReader) -> [SeriesID]? {
        guard let count = reader.count(limit: mostSeries) else { return nil }
        var series: [SeriesID] = []
        var previous: Int64 = 0
        for _ in 0..<count {
            guard let change = reader.signed(), let id = UInt32(exactly: previous &+ change) else { return nil }
            previous = Int64(id)
            series.append(SeriesID(id))
        }
        return series
    }

    private static func time(_ reader: inout ByteReader, _ state: inout State) -> Int64? {
        guard let change = reader.signed() else { return nil }
        state.lastTime = state.lastTime &+ change
        return state.lastTime
    }

    private static func round(_ reader: inout ByteReader, _ state: inout State) -> Bool {
        var bitmap: [UInt8] = []
        for _ in 0..<(state.series.count + 7) / 8 {
            guard let byte = reader.byte() else { return false }
            bitmap.append(byte)
        }
        for index in state.last.indices where bitmap[index >> 3] & 1 << UInt8(index & 7) != 0 {
            guard let head = reader.byte() else { return false }
            let leading = Int(head >> 4)
            let length = Int(head & 0x0f) + 1
            guard leading + length <= 8 else { return false }
            var changed: UInt64 = 0
            for offset in 0..<length {
                guard let byte = reader.byte() else { return false }
                changed |= UInt64(byte) << UInt64(offset * 8)
            }
            state.last[index] ^= changed << UInt64((8 - leading - length) * 8)
        }
        return true
    }
}
