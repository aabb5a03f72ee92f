import Files
import MetricsCore

/// A segment as readers know it: its file, and where its blocks lie. A value: who reads keeps what was there when it began.
struct Segment: Sendable {
    let number: Int64
    var blocks: [BlockEntry] = []
    var sizeBytes = 0

    var fromMs: Int64 { blocks.map(\.fromMs).min() ?? Int64.max }
    var toMs: Int64 { blocks.map(\.toMs).max() ?? Int64.min }

    /// What the machine decides over.
    var stored: StoredSegment { StoredSegment(number: number, toMs: toMs, sizeBytes: Int64(sizeBytes)) }
}

/// The segment that takes blocks.
struct OpenSegment {
    private let file: DataFile
    private let folder: StoreFolder
    private(set) var segment: Segment
    /// Series that it names.
    private(set) var named: [SeriesID: Labels] = [:]
    private var reserved = 0

    /// Makes a segment with room for `size` bytes.
    init(_ number: Int64, in folder: StoreFolder, reserving size: Int) throws(FileFailure) {
        self.folder = folder
        segment = Segment(number: number)
        // A power cut may have left one that no name was certain of.
        try Names.remove(folder.segment(number))
        file = try DataFile(folder.segment(number), for: .make)
        do throws(FileFailure) {
            try reserve(size)
            try Names.sync(folder: folder.path)
        } catch {
            try? Names.remove(folder.segment(number))
            throw error
        }
    }

    /// Goes on with one that was read.
    init(_ segment: Segment, _ series: [NewSeries], in folder: StoreFolder) throws(FileFailure) {
        self.folder = folder
        self.segment = segment
        named = Dictionary(series.map { ($0.id, $0.labels) }) { first, _ in first }
        file = try DataFile(folder.segment(segment.number), for: .write)
        try file.truncate(to: segment.sizeBytes)
        // Its last block may be of a life that was killed before it synced it.
        try file.sync()
    }

    /// Room that needs no more of the disk.
    var reservedBytes: Int { max(0, reserved - segment.sizeBytes) }

    mutating func reserve(_ size: Int) throws(FileFailure) {
        guard reserved < size else { return }
        try file.reserve(size, growing: false)
        reserved = size
    }

    /// Appends blocks; they are on disk when this returns, and none of them is there where it fails.
    mutating func append(_ blocks: [SealedBlock]) throws(FileFailure) {
        var position = segment.sizeBytes
        var (entries, fresh) = ([BlockEntry](), [SeriesID: Labels]())
        do throws(FileFailure) {
            for block in blocks {
                let laid = BlockLayout.bytes(of: block) { named[$0] != nil || fresh[$0] != nil }
                try file.write(laid.bytes, at: position)
                var entry = laid.entry
                entry.body += UInt32(position)
                entries.append(entry)
                for series in laid.named { fresh[series.id] = series.labels }
                position += laid.bytes.count
            }
            try file.sync()
        } catch {
            try? file.truncate(to: segment.sizeBytes)
            reserved = 0
            throw error
        }
        segment.blocks += entries
        segment.sizeBytes = position
        named.merge(fresh) { first, _ in first }
    }

    /// Takes no more blocks: gives back what is reserved, and writes the summary. Both can be done without.
    func finish() {
        try? file.truncate(to: segment.sizeBytes)
        let series = named.map { NewSeries(id: $0.key, labels: $0.value) }.sorted { $0.id < $1.id }
        try? SummaryFile.write(segment, series, in: folder)
    }
}

/// The summary of a segment on disk.
enum SummaryFile {
    static func write(_ segment: Segment, _ series: [NewSeries], in folder: StoreFolder) throws(FileFailure) {
        let path = folder.summary(segment.number)
        try Names.remove(path)
        let file = try DataFile(path, for: .make)
        try file.write(SegmentSummary.bytes(segment.blocks, series, segmentSize: segment.sizeBytes), at: 0)
    }

    /// Nil where it is missing or damaged.
    static func read(_ number: Int64, segmentSize: Int, in folder: StoreFolder) -> (
        blocks: [BlockEntry], series: [NewSeries]
    )? {
        guard let file = try? DataFile(folder.summary(number), for: .read), let size = try? file.size(),
            let bytes = try? file.read(size, at: 0)
        else { return nil }
        return SegmentSummary.read(bytes, segmentSize: segmentSize)
    }
}
