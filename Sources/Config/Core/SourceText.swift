/// A file's bytes as a reader sees them once it has dealt with carriage returns, and the way back to the file's own
/// offsets. Where nothing was dropped the bytes are shared and the way back is free.
struct SourceText {
    let bytes: [UInt8]
    /// For each byte dropped the offset, in `bytes`, of what followed it; ascending.
    private let dropped: [Int]

    init(_ file: [UInt8], _ rule: Dialect.CarriageReturns) {
        guard rule != .kept, file.contains(Byte.carriageReturn) else {
            bytes = file
            dropped = []
            return
        }
        var kept: [UInt8] = []
        kept.reserveCapacity(file.count)
        var dropped: [Int] = []
        for (offset, byte) in file.enumerated() {
            guard byte == Byte.carriageReturn else {
                kept.append(byte)
                continue
            }
            let beforeNewline = offset + 1 < file.count && file[offset + 1] == Byte.newline
            switch rule {
            case .kept: kept.append(byte)
            case .erased: dropped.append(kept.count)
            case .foldedBeforeNewline, .turnedIntoNewlines:
                if beforeNewline {
                    dropped.append(kept.count)
                } else {
                    kept.append(rule == .turnedIntoNewlines ? Byte.newline : byte)
                }
            }
        }
        bytes = kept
        self.dropped = dropped
    }

    /// The same stretch in the file. It begins after what was dropped before its first byte and ends right after its
    /// last, so a value never takes its line's `\r` with it.
    func inFile(_ range: Range<Int>) -> Range<Int> {
        let upper = range.upperBound == 0 ? 0 : inFile(range.upperBound - 1) + 1
        return range.isEmpty ? upper..<upper : inFile(range.lowerBound)..<upper
    }

    /// The file's offset of the byte at `offset`.
    private func inFile(_ offset: Int) -> Int {
        var low = 0
        var high = dropped.count
        while low < high {
            let middle = (low + high) / 2
            if dropped[middle] <= offset { low = middle + 1 } else { high = middle }
        }
        return offset + low
    }
}
