/// A frame: four bytes of length, most significant first, then that many bytes of JSON.
package enum Frame {
    /// The length field's size.
    package static let headerBytes = 4
    /// The longest body that is sent or taken: 1 MiB. It bounds what one connection can make a daemon hold.
    package static let longestBodyBytes = 1 << 20

    /// The frame around a body; nil where the body is longer than the limit.
    package static func around(_ body: [UInt8]) -> [UInt8]? {
        guard body.count <= longestBodyBytes else { return nil }
        var frame: [UInt8] = []
        frame.reserveCapacity(headerBytes + body.count)
        for shift in [24, 16, 8, 0] { frame.append(UInt8(truncatingIfNeeded: body.count >> shift)) }
        frame.append(contentsOf: body)
        return frame
    }
}

/// Cuts a stream of bytes into frames. It holds at most one frame and what arrived with it; a length over the limit is an
/// error before a single byte of the body is kept.
package struct FrameReader: Sendable {
    private var bytes: [UInt8] = []
    private var start = 0

    package init() {}

    /// How many bytes wait for the rest of their frame.
    package var pendingBytes: Int { bytes.count - start }

    /// Takes what arrived.
    package mutating func append(_ arrived: some Sequence<UInt8>) {
        if start == bytes.count {
            bytes.removeAll(keepingCapacity: bytes.capacity <= 65536)
            start = 0
        } else if start >= 65536 {
            // Moved only after a good deal was consumed: a byte-wise peer must not make each append cost a copy.
            bytes.removeSubrange(..<start)
            start = 0
        }
        bytes.append(contentsOf: arrived)
    }

    /// The next whole frame's body; nil while it has not arrived. After an error the stream has no meaning any more.
    package mutating func next() throws(WireError) -> [UInt8]? {
        guard pendingBytes >= Frame.headerBytes else { return nil }
        var length = 0
        for byte in bytes[start..<start + Frame.headerBytes] { length = length << 8 | Int(byte) }
        guard length <= Frame.longestBodyBytes else {
            throw WireError(
                place: "frame length",
                problem: "expected at most \(Frame.longestBodyBytes) bytes, found \(length)")
        }
        guard length > 0 else { throw WireError(place: "frame length", problem: "expected a body, found 0 bytes") }
        let bodyStart = start + Frame.headerBytes
        guard bytes.count - bodyStart >= length else { return nil }
        start = bodyStart + length
        return Array(bytes[bodyStart..<start])
    }
}
