import Files
import MetricsCore

/// The write-ahead log: what is not in a complete block yet. Files of a fixed size, reserved ahead; one goes when all blocks that it
/// tells of are complete and on disk.
struct LogFiles {
    /// A log's size: two hours of 500 series each second.
    static let size = 4 << 20

    private struct Earlier {
        var number: Int64
        /// Blocks that it tells of and that are not on disk as blocks.
        var blocks: Set<Int64>
    }

    private let folder: StoreFolder
    private var current: DataFile?
    private var number: Int64
    private var position = 0
    private var blocks: Set<Int64> = []
    private var earlier: [Earlier]
    private var hasSpare = false

    /// What the logs of an earlier life held.
    struct Content {
        var series: [NewSeries] = []
        /// One without bytes stands for some that are damaged.
        var records: [Batch.Record] = []
        var completed: [CompletedFrame] = []
    }

    /// Reads what an earlier life left; its files stay until their blocks are complete, and a new one takes what comes.
    init(_ folder: StoreFolder, _ content: inout Content) throws(FileFailure) {
        self.folder = folder
        earlier = []
        number = 0
        let numbers = try folder.numbers(ending: ".log")
        for number in numbers {
            let file = try DataFile(folder.log(number), for: .write)
            let before = content.records.count
            let end = Self.read(try file.read(file.size(), at: 0), isLast: number == numbers.last, &content)
            // What was being written when a power cut came, or is reserved, is not needed any more. What a killed life wrote
            // and did not sync is in memory alone, and counts from now on: not before it is on disk.
            try file.truncate(to: end)
            try file.sync()
            let blocks = content.records[before...].filter { !$0.bytes.isEmpty }.map(\.block)
            earlier.append(Earlier(number: number, blocks: Set(blocks)))
            self.number = number
        }
        // One that a power cut left may be shorter than it should be.
        try Names.remove(folder.spareLog)
    }

    /// At the end of the last log damage is what a power cut left of a commit; anywhere else later records build on what is lost.
    /// - Returns: where the last whole frame ends.
    private static func read(_ bytes: [UInt8], isLast: Bool, _ content: inout Content) -> Int {
        let lost = Batch.Record(block: 0, bytes: [])
        var scanner = FrameScanner(bytes)
        var (damaged, end) = (0, 0)
        while let (frame, payload) = scanner.next() {
            if scanner.damaged > damaged { content.records.append(lost) }
            damaged = scanner.damaged
            end = frame.end
            switch frame.kind {
            case .series:
                guard let (id, labels) = SeriesFrame.read(payload) else { break }
                content.series.append(NewSeries(id: id, labels: labels))
            case .ticks:
                guard let record = TicksFrame.read(payload) else { break }
                content.records.append(record)
            case .completed:
                guard let completed = CompletedFrame(payload) else { break }
                content.completed.append(completed)
            case .block, .times, .chunk, .index, .end, .entry, .whole: break
            }
        }
        if !isLast, scanner.damagedAtEnd > 0 { content.records.append(lost) }
        return end
    }

    /// The files and how many of their bytes count.
    var files: [(number: Int64, size: Int?)] {
        earlier.map { ($0.number, nil) } + (current == nil ? [] : [(number, position)])
    }

    /// Room that needs no more of the disk.
    var reservedBytes: Int { max(0, Self.size - position) + (hasSpare ? Self.size : 0) }

    /// Appends what a commit brings; it is on disk when this returns.
    mutating func append(
        _ series: [NewSeries], _ records: [Batch.Record], completed: CompletedFrame?
    ) throws(FileFailure) {
        guard !series.isEmpty || !records.isEmpty || completed != nil else { return }
        var bytes: [UInt8] = []
        for one in series { Frame.append(.series, SeriesFrame.payload(one.id, one.labels), to: &bytes) }
        for record in records { Frame.append(.ticks, TicksFrame.payload(record), to: &bytes) }
        if let completed { Frame.append(.completed, completed.payload, to: &bytes) }
        let file = try file(for: bytes.count)
        do throws(FileFailure) {
            try file.write(bytes, at: position)
            try file.sync()
        } catch {
            // What is there of it must not come back behind what is written in its place.
            try? file.truncate(to: position)
            throw error
        }
        position += bytes.count
        for record in records { blocks.insert(record.block) }
    }

    /// The file that takes so many bytes: the current one unless it is full and the next one can be had.
    private mutating func file(for count: Int) throws(FileFailure) -> DataFile {
        if let current, position + count <= Self.size { return current }
        do throws(FileFailure) {
            if !hasSpare { try makeSpare() }
            let next = folder.log(number + 1)
            try Names.move(folder.spareLog, to: next)
            hasSpare = false
            let file = try DataFile(next, for: .write)
            try Names.sync(folder: folder.path)
            if current != nil { earlier.append(Earlier(number: number, blocks: blocks)) }
            number += 1
            (current, position, blocks) = (file, 0, [])
            return file
        } catch {
            guard let current else { throw error }
            return current
        }
    }

    /// Makes the next log's room certain, where it is not.
    mutating func makeSpare() throws(FileFailure) {
        guard !hasSpare else { return }
        try Names.remove(folder.spareLog)
        let file = try DataFile(folder.spareLog, for: .make)
        do throws(FileFailure) {
            try file.reserve(Self.size, growing: true)
            try file.sync()
        } catch {
            try? Names.remove(folder.spareLog)
            throw error
        }
        hasSpare = true
    }

    /// These blocks are complete and on disk: the oldest logs go that tell of no other. One that is left says what is complete of
    /// an older one, so they go in their order.
    mutating func completed(_ numbers: some Sequence<Int64>) {
        for number in numbers {
            blocks.remove(number)
            for index in earlier.indices { earlier[index].blocks.remove(number) }
        }
        while let oldest = earlier.first, oldest.blocks.isEmpty {
            // One that cannot be removed is harmless: the next start passes over what is complete.
            try? Names.remove(folder.log(oldest.number))
            earlier.removeFirst()
        }
    }
}
