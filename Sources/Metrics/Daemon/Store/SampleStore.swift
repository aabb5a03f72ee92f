import Files
import MetricsAPI
import MetricsCore

/// What the disk holds: complete blocks in segments, and the log of what is not in one yet. It lives on the thread `store`.
///
/// Frames carry their own checksums (MetricsCore's `Frame`), so damage costs what it touches; the oldest segment goes as a
/// whole, so what retention drops gives its room back at once; log and segment have room reserved ahead, so a disk that another
/// program fills takes nothing for a while.
struct SampleStore {
    /// How large and how long segments grow.
    struct Limits: Hashable, Sendable {
        /// Reserved for a segment. Half filled it takes no more, so half is always left for a full disk.
        var segmentBytes: Int
        /// The time that one segment spans.
        var segmentMs: Int64

        /// A sixty-fourth of what may be kept, and a sixteenth of how long: what is dropped at once.
        init(_ retention: Retention) {
            segmentBytes = Int(min(max(retention.sizeBytes / 64, 1 << 20), 16 << 20))
            segmentMs = max(retention.ageMs / 16, 3_600_000)
        }
    }

    /// What the loop, and through it the readers, know of the store after each change.
    struct State: Sendable {
        var segments: [Segment] = []
        /// Room that needs no more of the disk.
        var reservedBytes = 0
        /// The disk refuses room ahead.
        var isFull = false

        var sizeBytes: Int { segments.reduce(0) { $0 + $1.sizeBytes } }
    }

    var limits: Limits
    private let folder: StoreFolder
    private var closed: [Segment] = []
    private var open: OpenSegment?
    private var log: LogFiles
    private var lastSegment: Int64 = 0
    private var isFull = false

    /// Opens the store of a folder, and reads what a start needs.
    init(_ folder: StoreFolder, _ limits: Limits, _ content: inout StoredContent) throws(FileFailure) {
        self.folder = folder
        self.limits = limits
        try folder.make()
        var logged = LogFiles.Content()
        log = try LogFiles(folder, &logged)
        let told = Set(logged.records.map(\.block)).subtracting(logged.completed.flatMap(\.blocks))
        var names: [SeriesID: Labels] = [:]
        let numbers = try folder.numbers(ending: ".blocks")
        for number in numbers {
            let isLast = number == numbers.last
            let found = try Self.read(number, isLast: isLast, told, in: folder)
            for one in found.series { names[one.id] = one.labels }
            content.damaged += found.damaged
            lastSegment = number
            if isLast {
                open = try OpenSegment(found.segment, found.series, in: folder)
            } else {
                closed.append(found.segment)
            }
        }
        // Names, too, before what is in the files lets go of a log.
        try Names.sync(folder: folder.path)
        let unnamed = Set(logged.series.map(\.id)).filter { names[$0] == nil }.sorted()
        for one in logged.series { names[one.id] = one.labels }
        // A segment may have chunks of a series whose name is damaged there.
        let blocks = segments.flatMap(\.blocks)
        content.onlyLogged = unnamed.filter { id in !blocks.contains { $0.firstSeries <= id && id <= $0.lastSeries } }
        content.series = names.map { NewSeries(id: $0.key, labels: $0.value) }.sorted { $0.id < $1.id }
        // What a segment lost again, the log may still have; of a segment that was dropped it must not come back.
        let dropped = logged.completed.filter { !numbers.contains($0.segment) }
        let complete = Set(segments.flatMap { $0.blocks.map(\.number) } + dropped.flatMap(\.blocks))
        content.damaged += cutShort(logged.completed)
        log.completed(complete)
        content.records = logged.records.filter { !complete.contains($0.block) }.map(\.bytes)
        let given = logged.records.map(\.block) + logged.completed.flatMap(\.blocks)
        content.lastBlock = max(complete.max() ?? 0, given.max() ?? 0)
    }

    /// Segments that are shorter than they were on disk.
    private func cutShort(_ completed: [CompletedFrame]) -> Int {
        let sizes = Dictionary(completed.map { ($0.segment, $0.segmentSize) }, uniquingKeysWith: max)
        return segments.filter { Int64($0.sizeBytes) < sizes[$0.number] ?? 0 }.count
    }

    private static func read(
        _ number: Int64, isLast: Bool, _ told: Set<Int64>, in folder: StoreFolder
    ) throws(FileFailure) -> (segment: Segment, series: [NewSeries], damaged: Int) {
        let file = try DataFile(folder.segment(number), for: .read)
        let size = try file.size()
        if !isLast, let summary = SummaryFile.read(number, segmentSize: size, in: folder) {
            return (Segment(number: number, blocks: summary.blocks, sizeBytes: size), summary.series, 0)
        }
        var content = SegmentContent(try file.read(size, at: 0))
        // Whether a block that has no end was being written, or its end is damaged, the log knows: it calls it complete afterwards.
        if isLast, !content.isLastComplete, let last = content.blocks.last, told.contains(last.number) {
            content.dropLast()
        }
        let segment = Segment(number: number, blocks: content.blocks, sizeBytes: isLast ? content.end : size)
        if !isLast { try? SummaryFile.write(segment, content.series, in: folder) }
        return (segment, content.series, content.damaged)
    }

    private var segments: [Segment] { closed + (open.map { [$0.segment] } ?? []) }

    var state: State {
        State(
            segments: segments, reservedBytes: log.reservedBytes + (open?.reservedBytes ?? 0), isFull: isFull)
    }

    // MARK: Commits

    /// Writes a batch; it is on disk when this returns. Blocks come first: what the log told of them is let go of only then.
    mutating func commit(_ batch: Batch) throws(FileFailure) {
        if !batch.sealed.isEmpty {
            // Of a batch that comes again the blocks may be here already.
            let present = Set(open?.segment.blocks.map(\.number) ?? [])
            try append(batch.sealed.filter { !present.contains($0.number) && !$0.chunks.isEmpty })
        }
        try log.append(batch.series, batch.records, completed: completed(batch.sealed))
        log.completed(batch.sealed.map(\.number))
        reserveAhead()
    }

    private func completed(_ blocks: [SealedBlock]) -> CompletedFrame? {
        guard let open, !blocks.isEmpty else { return nil }
        return CompletedFrame(
            segment: open.segment.number, segmentSize: Int64(open.segment.sizeBytes), blocks: blocks.map(\.number))
    }

    private mutating func append(_ blocks: [SealedBlock]) throws(FileFailure) {
        guard !blocks.isEmpty else { return }
        if open == nil || isTimeForNext { try beginNext() }
        try open?.append(blocks)
    }

    private var isTimeForNext: Bool {
        guard let segment = open?.segment, !segment.blocks.isEmpty else { return false }
        return segment.sizeBytes >= limits.segmentBytes / 2 || segment.toMs - segment.fromMs >= limits.segmentMs
    }

    /// Where the disk has no room for a whole new one, the old one goes on with what is reserved for it.
    private mutating func beginNext() throws(FileFailure) {
        let next: OpenSegment
        do throws(FileFailure) {
            next = try OpenSegment(lastSegment + 1, in: folder, reserving: limits.segmentBytes)
        } catch {
            guard open == nil else {
                isFull = isFull || error.isFull
                return
            }
            throw error
        }
        lastSegment += 1
        if let open {
            open.finish()
            closed.append(open.segment)
        }
        open = next
    }

    /// Makes certain of the room for what comes next. A refusal is told, and asked again at the next commit.
    private mutating func reserveAhead() {
        do throws(FileFailure) {
            try log.makeSpare()
            try open?.reserve(limits.segmentBytes)
            isFull = false
        } catch {
            isFull = error.isFull
        }
    }

    // MARK: Room

    /// Drops segments.
    /// - Returns: the series that nothing else in the store holds a block of.
    mutating func drop(_ numbers: [Int64]) throws(FileFailure) -> [SeriesID] {
        if let number = open?.segment.number, numbers.contains(number) { try beginNext() }
        let gone = closed.filter { numbers.contains($0.number) }
        var orphans: [SeriesID: Labels] = [:]
        for segment in gone {
            for one in series(of: segment) { orphans[one.id] = one.labels }
        }
        closed.removeAll { numbers.contains($0.number) }
        for segment in closed where !orphans.isEmpty {
            for one in series(of: segment) { orphans[one.id] = nil }
        }
        if let open { orphans = orphans.filter { open.named[$0.key] == nil } }
        let ordered = orphans.map { NewSeries(id: $0.key, labels: $0.value) }.sorted { $0.id < $1.id }
        // The log may tell of series that only these segments name. On a full disk there is room for it afterwards only.
        let isNamed = (try? log.append(ordered, [], completed: nil)) != nil
        for segment in gone {
            try Names.remove(folder.segment(segment.number))
            try Names.remove(folder.summary(segment.number))
        }
        if !isNamed { try log.append(ordered, [], completed: nil) }
        return ordered.map(\.id)
    }

    /// Drops the oldest segment but the one that takes blocks.
    mutating func dropOldest() throws(FileFailure) -> [SeriesID] {
        guard let oldest = closed.min(by: { ($0.toMs, $0.number) < ($1.toMs, $1.number) }) else { return [] }
        return try drop([oldest.number])
    }

    // MARK: Backups

    /// Makes a copy of what is there. What takes no more bytes gets a second name; of the rest the bytes that count are copied.
    func backup() throws(FileFailure) -> BackupStore.Reply {
        let copy = StoreFolder(path: folder.unfinishedBackup)
        try Names.removeFolder(copy.path)
        try copy.make()
        for segment in closed {
            try Names.link(folder.segment(segment.number), as: copy.segment(segment.number))
            // A copy without it can be started from, too.
            try? Names.link(folder.summary(segment.number), as: copy.summary(segment.number))
        }
        if let segment = open?.segment {
            try Self.copy(folder.segment(segment.number), as: copy.segment(segment.number), size: segment.sizeBytes)
        }
        for (number, size) in log.files {
            if let size {
                try Self.copy(folder.log(number), as: copy.log(number), size: size)
            } else {
                try Names.link(folder.log(number), as: copy.log(number))
            }
        }
        try Names.sync(folder: copy.path)
        let names = try copy.names()
        var size = 0
        for name in names { size += try DataFile("\(copy.path)/\(name)", for: .read).size() }
        try Names.removeFolder(folder.backup)
        try Names.move(copy.path, to: folder.backup)
        try Names.sync(folder: folder.path)
        return BackupStore.Reply(path: folder.backup, files: names.count, sizeBytes: Int64(size))
    }

    private static func copy(_ path: String, as other: String, size: Int) throws(FileFailure) {
        let source = try DataFile(path, for: .read)
        let target = try DataFile(other, for: .make)
        try target.write(try source.read(size, at: 0), at: 0)
        try target.sync()
    }

    private func series(of segment: Segment) -> [NewSeries] {
        SummaryFile.read(segment.number, segmentSize: segment.sizeBytes, in: folder)?.series ?? []
    }
}
