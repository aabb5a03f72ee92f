/// An `.env` file cut into pieces without losing a byte: what the editor works on and what tools show.
///
/// The pieces follow one reader's grammar, and what that reader does not understand is kept as it stands, so
/// `EnvDocument(bytes, …).rendered == bytes` for any bytes whatever.
package struct EnvDocument: Hashable, Sendable {
    /// A stretch of the file.
    package enum Piece: Hashable, Sendable {
        /// Comments, blank lines, line ends, and whatever the reader makes nothing of.
        case gap([UInt8])
        /// An assignment: everything before its value, the value as it stands (quotes included), everything after it
        /// up to the line's end.
        case assignment(key: String, head: [UInt8], raw: [UInt8], tail: [UInt8])
    }

    package var pieces: [Piece]

    /// Cuts `bytes` by `dialect`'s grammar.
    package init(_ bytes: [UInt8], as dialect: Dialect) {
        self.init(bytes, reading: DialectReader.read(bytes, as: dialect))
    }

    init(_ bytes: [UInt8], reading: Reading) {
        pieces = []
        var done = 0
        for binding in reading.bindings {
            let statement = binding.statement
            if done < statement.lowerBound { pieces.append(.gap(Array(bytes[done..<statement.lowerBound]))) }
            pieces.append(
                .assignment(
                    key: binding.key, head: Array(bytes[statement.lowerBound..<binding.raw.lowerBound]),
                    raw: Array(bytes[binding.raw]), tail: Array(bytes[binding.raw.upperBound..<statement.upperBound])))
            done = statement.upperBound
        }
        if done < bytes.count { pieces.append(.gap(Array(bytes[done...]))) }
    }

    /// The file.
    package var rendered: [UInt8] {
        pieces.flatMap { piece in
            switch piece {
            case .gap(let bytes): bytes
            case .assignment(_, let head, let raw, let tail): head + raw + tail
            }
        }
    }
}
