/// What a frame of the store's files holds.
package enum FrameKind: UInt8, Sendable {
    /// A series' number and labels.
    case series = 1
    /// A record of the log: what one group measured since the record before.
    case ticks = 2
    /// A block begins.
    case block = 3
    /// Some of a block's times.
    case times = 4
    /// The values of one series in one block.
    case chunk = 5
    /// Where some of a block's chunks lie.
    case index = 6
    /// A block is complete.
    case end = 7
    /// In a summary: where a block lies in its segment.
    case entry = 8
    /// In a summary: it is complete.
    case whole = 9
    /// In a log: blocks that are complete and on disk.
    case completed = 10
}

/// The store's files are frames, one after the other: a header of 16 bytes, then the payload.
///
/// The header is a marker, the kind, the version (2 bytes), the payload's length, the payload's CRC-32C and the CRC-32C of these
/// 12 bytes; integers are little-endian. As the header has a sum of its own, a damaged payload is skipped by its length; where the
/// header is damaged, reading goes on at the next whole header. So damage costs the frames that it touches and no other.
package struct Frame: Hashable, Sendable {
    /// Bytes before the payload.
    package static let headerLength = 16
    fileprivate static let marker: UInt8 = 0xA7
    fileprivate static let version: UInt8 = 1

    package var kind: FrameKind
    /// Where its header begins.
    package var offset: Int
    /// How long its payload is.
    package var length: Int
    fileprivate var sum: UInt32

    /// Where the next frame begins.
    package var end: Int { offset + Self.headerLength + length }

    /// The frame whose header stands at `offset`; nil where none does.
    package init?(in bytes: [UInt8], at offset: Int) {
        guard offset >= 0, offset + Self.headerLength <= bytes.count, bytes[offset] == Self.marker,
            bytes[offset + 2] == Self.version, bytes[offset + 3] == 0,
            let kind = FrameKind(rawValue: bytes[offset + 1]),
            Checksum.of(bytes, in: offset..<offset + 12) == Self.word(bytes, offset + 12)
        else { return nil }
        self.kind = kind
        self.offset = offset
        length = Int(Self.word(bytes, offset + 4))
        sum = Self.word(bytes, offset + 8)
    }

    /// Its payload in the bytes in which its header was found; nil where it is damaged or cut.
    package func payload(in bytes: [UInt8]) -> [UInt8]? {
        let start = offset + Self.headerLength
        guard end <= bytes.count, Checksum.of(bytes, in: start..<end) == sum else { return nil }
        return Array(bytes[start..<end])
    }

    /// Appends a frame to `bytes`.
    package static func append(_ kind: FrameKind, _ payload: [UInt8], to bytes: inout [UInt8]) {
        let start = bytes.count
        bytes.append(marker)
        bytes.append(kind.rawValue)
        bytes.append(version)
        bytes.append(0)
        append(UInt32(payload.count), to: &bytes)
        append(Checksum.of(payload), to: &bytes)
        append(Checksum.of(bytes, in: start..<start + 12), to: &bytes)
        bytes.append(contentsOf: payload)
    }

    private static func append(_ value: UInt32, to bytes: inout [UInt8]) {
        for shift in [0, 8, 16, 24] as [UInt32] { bytes.append(UInt8(truncatingIfNeeded: value >> shift)) }
    }

    private static func word(_ bytes: [UInt8], _ at: Int) -> UInt32 {
        UInt32(bytes[at]) | UInt32(bytes[at + 1]) << 8 | UInt32(bytes[at + 2]) << 16 | UInt32(bytes[at + 3]) << 24
    }
}

/// Walks over the frames of a file, past damage and the zeros of room that was reserved.
package struct FrameScanner: Sendable {
    private let bytes: [UInt8]
    private var position = 0
    /// Only zeros come from here on: room that was reserved.
    private let zerosFrom: Int
    private var passed = 0
    /// Damaged frames and stretches that something whole came after.
    package private(set) var damaged = 0

    package init(_ bytes: [UInt8]) {
        self.bytes = bytes
        zerosFrom = Self.zeros(atEndOf: bytes)
    }

    /// By whole words: a log's room is megabytes.
    private static func zeros(atEndOf bytes: [UInt8]) -> Int {
        bytes.withUnsafeBytes { buffer in
            var end = buffer.count
            while end >= 8, buffer.loadUnaligned(fromByteOffset: end - 8, as: UInt64.self) == 0 { end -= 8 }
            while end > 0, buffer[end - 1] == 0 { end -= 1 }
            return end
        }
    }

    /// Damaged frames and stretches after the last whole frame: in a log that a power cut ended, what was being written.
    package var damagedAtEnd: Int { passed }

    /// The next whole frame and its payload; nil at the end.
    package mutating func next() -> (frame: Frame, payload: [UInt8])? {
        while position < zerosFrom {
            guard let frame = Frame(in: bytes, at: position) else {
                passed += 1
                position = nextHeader(after: position) ?? bytes.count
                continue
            }
            guard let payload = frame.payload(in: bytes) else {
                // A length beyond the end is that of a frame which was cut: nothing after it can be its payload.
                passed += 1
                position = frame.end <= bytes.count ? frame.end : frame.offset + Frame.headerLength
                continue
            }
            position = frame.end
            damaged += passed
            passed = 0
            return (frame, payload)
        }
        return nil
    }

    private func nextHeader(after start: Int) -> Int? {
        var at = start + 1
        while at < zerosFrom {
            if bytes[at] == Frame.marker, Frame(in: bytes, at: at) != nil { return at }
            at += 1
        }
        return nil
    }
}

/// A series' name as a frame holds it.
package enum SeriesFrame {
    /// No labels are longer: `SeriesBounds` keeps them far below it.
    private static let longest = 1 << 20

    /// The frame's payload.
    package static func payload(_ id: SeriesID, _ labels: Labels) -> [UInt8] {
        var writer = ByteWriter()
        writer.write(varint: UInt64(id.value))
        writer.write(text: labels.description)
        return writer.bytes
    }

    /// Nil where it cannot be read.
    package static func read(_ payload: [UInt8]) -> (id: SeriesID, labels: Labels)? {
        var reader = ByteReader(payload)
        guard let id = reader.varint().flatMap({ UInt32(exactly: $0) }), let text = reader.text(limit: longest),
            let labels = Array(text.utf8).withUnsafeBytes({ Exposition.labels($0) })
        else { return nil }
        return (SeriesID(id), labels)
    }
}

/// A record of the log as a frame holds it: the block that its rounds belong to, then the record of `TickLog`.
package enum TicksFrame {
    /// The frame's payload.
    package static func payload(_ record: Batch.Record) -> [UInt8] {
        var writer = ByteWriter()
        writer.write(varint: UInt64(record.block))
        return writer.bytes + record.bytes
    }

    /// Nil where it cannot be read.
    package static func read(_ payload: [UInt8]) -> Batch.Record? {
        var reader = ByteReader(payload)
        guard let block = reader.varint().flatMap({ Int64(exactly: $0) }) else { return nil }
        return Batch.Record(block: block, bytes: Array(payload[reader.position...]))
    }
}

/// Blocks that are complete and on disk, as the log says it: what it told of them before counts no more, also after their segment
/// was dropped.
package struct CompletedFrame: Hashable, Sendable {
    package var segment: Int64
    /// How long the segment is with them: a shorter one was cut.
    package var segmentSize: Int64
    package var blocks: [Int64]

    package init(segment: Int64, segmentSize: Int64, blocks: [Int64]) {
        self.segment = segment
        self.segmentSize = segmentSize
        self.blocks = blocks
    }

    /// The frame's payload.
    package var payload: [UInt8] {
        var writer = ByteWriter()
        for part in [segment, segmentSize, Int64(blocks.count)] + blocks { writer.write(varint: UInt64(part)) }
        return writer.bytes
    }

    /// Nil where it cannot be read.
    package init?(_ payload: [UInt8]) {
        var reader = ByteReader(payload)
        var parts: [Int64] = []
        while !reader.isAtEnd {
            guard let part = reader.varint().flatMap({ Int64(exactly: $0) }) else { return nil }
            parts.append(part)
        }
        guard parts.count >= 3, parts[2] == Int64(parts.count - 3) else { return nil }
        self.init(segment: parts[0], segmentSize: parts[1], blocks: Array(parts[3...]))
    }
}
