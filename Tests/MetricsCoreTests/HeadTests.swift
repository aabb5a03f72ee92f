import MetricsCore
import Testing
import Time

/// The values of a series as a query sees them, stale markers as nil.
func visible(_ head: Head, _ labels: Labels, uncommitted: Bool = false) -> [Int64: Double?] {
    guard let id = head.index.number(of: labels) else { return [:] }
    var cursor = SampleCursor(head.chunks(of: id, includingUncommitted: uncommitted))
    var result: [Int64: Double?] = [:]
    while let sample = cursor.next() { result[sample.timeMs] = .some(sample.isStale ? nil : sample.value) }
    return result
}

@Suite("The head and its log")
struct HeadTests {
    private let first = Labels("a")
    private let second = Labels("b", [Label("x", "1")])

    private func head(blockTicks: Int = 600) -> Head {
        var limits = Head.Limits()
        limits.blockTicks = blockTicks
        return Head(limits: limits)
    }

    @Test("A value is shown once its batch is on disk, not before")
    func shownWhenCommitted() throws {
        var head = head()
        let group = head.group("system")
        _ = head.define(group: group, series: [first, second])
        head.append(group: group, time: 1000, values: [1, 2])
        #expect(visible(head, first).isEmpty)
        #expect(visible(head, first, uncommitted: true) == [1000: 1])
        let taken = head.takeBatch()
        let batch = try #require(taken)
        head.append(group: group, time: 2000, values: [3, 4])
        #expect(visible(head, first).isEmpty)
        head.committed(batch)
        #expect(visible(head, first) == [1000: 1])
        #expect(head.committedToMs == 1000)
        #expect(head.uncommittedRounds == 1)
    }

    @Test("A series that leaves the table ends with a stale marker and may come back")
    func leavingSeriesEnds() {
        var head = head()
        let group = head.group("process")
        _ = head.define(group: group, series: [first, second])
        head.append(group: group, time: 1000, values: [1, 10])
        _ = head.define(group: group, series: [first])
        head.append(group: group, time: 2000, values: [2])
        head.append(group: group, time: 3000, values: [3])
        _ = head.define(group: group, series: [second, first])
        head.append(group: group, time: 4000, values: [40, 4])
        #expect(visible(head, first, uncommitted: true) == [1000: 1, 2000: 2, 3000: 3, 4000: 4])
        #expect(visible(head, second, uncommitted: true) == [1000: 10, 2000: nil, 3000: nil, 4000: 40])
    }

    @Test("A full block is sealed and the next one goes on; a clock set back begins a new one")
    func blocksSeal() throws {
        var head = head(blockTicks: 3)
        let group = head.group("system")
        _ = head.define(group: group, series: [first])
        for tick in 1...4 { head.append(group: group, time: Int64(tick) * 1000, values: [Double(tick)]) }
        head.append(group: group, time: 1500, values: [9])
        let taken = head.takeBatch()
        let batch = try #require(taken)
        #expect(batch.sealed.map(\.times) == [[1000, 2000, 3000], [4000]])
        #expect(batch.records.count == 1, "rounds of sealed blocks need no log")
        head.committed(batch)
        #expect(visible(head, first) == [1500: 9])
        #expect(batch.sealed.map(\.names) == [[first], [first]])
    }

    @Test("The log is replayed to the same head, whatever happened", arguments: 0..<30 as Range<UInt64>)
    func replayIsExact(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var head = head(blockTicks: 50)
        var disk = FakeDisk()
        let names = (0..<12).map { Labels("metric_\($0)") }
        let groups = [head.group("one"), head.group("two")]
        var tables: [[Labels]] = [[], []]
        for tick in 1...200 {
            for (place, group) in groups.enumerated() {
                if tables[place].isEmpty || random.next() % 20 == 0 {
                    // Each group has its own series, some of which come and go.
                    tables[place] = names.enumerated().filter { $0.offset % 2 == place && random.next() % 4 > 0 }
                        .map(\.element)
                    _ = head.define(group: group, series: tables[place])
                }
                if random.next() % 15 == 0 {
                    head.appendStale(group: group, time: Int64(tick) * 1000)
                } else {
                    let values = tables[place].map { _ in Double(random.next() % 50) / 4 }
                    head.append(group: group, time: Int64(tick) * 1000, values: values)
                }
            }
            if random.next() % 3 == 0, let batch = head.takeBatch() {
                if random.next() % 5 == 0 {
                    head.failedToCommit(batch)
                } else {
                    disk.write(batch)
                    head.committed(batch)
                }
            }
        }
        let restored = disk.restored()
        #expect(restored.damaged == 0)
        for name in names {
            var all = visible(head, name)
            for (time, value) in disk.sealedValues(of: head.index.number(of: name)) { all[time] = value }
            var again = visible(restored.head, name)
            for (time, value) in disk.sealedValues(of: restored.head.index.number(of: name)) { again[time] = value }
            let times = Set(all.keys).union(again.keys).sorted()
            // A time that is missing and a stale marker both mean: not measured.
            let different = times.filter { (all[$0] ?? nil) != (again[$0] ?? nil) }
            #expect(different.isEmpty, "\(name): \(different.map { (all[$0], again[$0]) })")
        }
    }

    @Test("A damaged log record takes its group's next ones with it, up to a fresh start, and nothing else")
    func damageIsBounded() throws {
        var head = head()
        var disk = FakeDisk()
        let group = head.group("system")
        _ = head.define(group: group, series: [first])
        for tick in 1...80 {
            head.append(group: group, time: Int64(tick) * 1000, values: [Double(tick)])
            let taken = head.takeBatch()
            let batch = try #require(taken)
            disk.write(batch)
            head.committed(batch)
        }
        disk.records[40].bytes[9] ^= 4
        let restored = disk.restored()
        let times = visible(restored.head, first).keys.sorted()
        #expect(restored.damaged == 20, "the record 40 and those up to the fresh start at 60")
        #expect(times == (Array(1...40) + Array(61...80)).map { Int64($0) * 1000 })
    }

    @Test("While the disk refuses, nothing is lost and memory is bounded")
    func refusingDisk() throws {
        var limits = Head.Limits()
        limits.blockTicks = 10
        limits.retryBytes = 500
        limits.waitingBytes = 20_000
        var head = Head(limits: limits)
        let group = head.group("system")
        _ = head.define(group: group, series: [first])
        for tick in 1...100 {
            head.append(group: group, time: Int64(tick) * 1000, values: [Double(tick)])
            if let batch = head.takeBatch() { head.failedToCommit(batch) }
        }
        #expect(visible(head, first, uncommitted: true).count == 100)
        var disk = FakeDisk()
        let taken = head.takeBatch()
        let batch = try #require(taken)
        disk.write(batch)
        head.committed(batch)
        let restored = disk.restored()
        var all = visible(restored.head, first)
        for (time, value) in disk.sealedValues(of: restored.head.index.number(of: first)) { all[time] = value }
        #expect(all.count == 100)
        for tick in 101...4000 {
            head.append(group: group, time: Int64(tick) * 1000, values: [Double(tick)])
            if let batch = head.takeBatch() { head.failedToCommit(batch) }
        }
        #expect(head.droppedBlocks > 0)
        #expect(head.sizeBytes < 30_000)
    }

    /// What the head and the disk hold of a series.
    private func everything(_ head: Head, _ disk: FakeDisk, _ labels: Labels) -> [Int64: Double?] {
        var all = visible(head, labels)
        for (time, value) in disk.sealedValues(of: head.index.number(of: labels)) { all[time] = value }
        return all
    }

    @Test("What was measured before the store could be read goes on behind what the store holds")
    func restoredBeneath() throws {
        var disk = FakeDisk()
        var early = head(blockTicks: 10)
        let group = early.group("system")
        _ = early.define(group: group, series: [first, second])
        for tick in 1...25 {
            early.append(group: group, time: Int64(tick) * 1000, values: [Double(tick), -Double(tick)])
            guard tick % 5 == 0, let batch = early.takeBatch() else { continue }
            disk.write(batch)
            early.committed(batch)
        }
        let third = Labels("c")
        var later = head(blockTicks: 10)
        _ = later.define(group: later.group("other"), series: [Labels("d")])
        let again = later.group("system")
        _ = later.define(group: again, series: [third, second])
        for tick in 31...48 {
            later.append(group: again, time: Int64(tick) * 1000, values: [Double(tick), -Double(tick)])
            if tick == 40, let batch = later.takeBatch() { later.failedToCommit(batch) }
        }
        let damaged = later.restoreBeneath(disk.content)
        #expect(damaged == 0)
        #expect(visible(later, third).isEmpty, "nothing of it is on disk yet")
        later.append(group: again, time: 49_000, values: [49, -49])
        let taken = later.takeBatch()
        let batch = try #require(taken)
        disk.write(batch)
        later.committed(batch)
        for head in [later, disk.restored().head] {
            let ended = everything(head, disk, first)
            #expect(ended.filter { $0.value != nil }.keys.sorted() == (1...25).map { Int64($0) * 1000 })
            #expect(ended[49_000] == .some(nil), "it was not measured any more")
            let kept = everything(head, disk, second)
            #expect(kept.keys.sorted() == (Array(1...25) + Array(31...49)).map { Int64($0) * 1000 })
            #expect(kept.allSatisfy { $0.value == -Double($0.key / 1000) })
            let new = everything(head, disk, third)
            #expect(new.keys.sorted() == (31...49).map { Int64($0) * 1000 })
            #expect(new.allSatisfy { $0.value == Double($0.key / 1000) })
        }
        let numbers = disk.blocks.map(\.number) + disk.records.map(\.block)
        #expect(Set(disk.blocks.map(\.number)).count == disk.blocks.count, "\(numbers)")
        #expect(Set(disk.series.map(\.id)).count == 4, "each series was numbered once")
    }

    @Test("Series past the limit are refused and the others go on")
    func limitOfSeries() {
        var limits = Head.Limits()
        limits.series = 1
        var head = Head(limits: limits)
        let group = head.group("system")
        #expect(head.define(group: group, series: [first, second]).overLimit == [second])
        head.append(group: group, time: 1000, values: [1, 2])
        #expect(visible(head, first, uncommitted: true) == [1000: 1])
        #expect(head.refusedValues == 1)
        #expect(head.current(group: group)?.values.map(\.value) == [1])
    }

    @Test("A series that stands in a table twice is no matter of the limit, and its first value counts")
    func repeatedSeries() {
        var head = head()
        let group = head.group("system")
        let refused = head.define(group: group, series: [first, second, first])
        #expect(refused.overLimit.isEmpty)
        #expect(refused.repeated == [first])
        head.append(group: group, time: 1000, values: [1, 2, 3])
        #expect(visible(head, first, uncommitted: true) == [1000: 1])
        #expect(visible(head, second, uncommitted: true) == [1000: 2])
    }

    @Test("Of what the store dropped, series that no collector measures are forgotten, and the others are named anew")
    func forgetting() throws {
        var head = head(blockTicks: 2)
        let group = head.group("system")
        _ = head.define(group: group, series: [first, second])
        for tick in 1...2 { head.append(group: group, time: Int64(tick) * 1000, values: [1, 2]) }
        _ = head.define(group: group, series: [first])
        for tick in 3...6 { head.append(group: group, time: Int64(tick) * 1000, values: [1]) }
        let (kept, gone) = (
            try #require(head.index.number(of: first)), try #require(head.index.number(of: second))
        )
        head.storeForgot([gone])
        #expect(head.index.number(of: second) != nil, "its stale marker waits to be written")
        let taken = head.takeBatch()
        head.committed(try #require(taken))
        head.storeForgot([kept, gone])
        #expect(head.index.number(of: second) == nil)
        #expect(head.index.number(of: first) == kept)
        let next = head.takeBatch()
        #expect(try #require(next).series == [NewSeries(id: kept, labels: first)])
    }
}

/// What a disk holds: batches as the daemon's store writes them.
struct FakeDisk {
    var series: [NewSeries] = []
    var records: [Batch.Record] = []
    var blocks: [SealedBlock] = []

    mutating func write(_ batch: Batch) {
        series += batch.series
        records += batch.records
        let sealed = Set(batch.sealed.map(\.number))
        records.removeAll { sealed.contains($0.block) }
        blocks += batch.sealed
    }

    func restored() -> (head: Head, damaged: Int) {
        var head = Head()
        let damaged = head.restore(content)
        return (head, damaged)
    }

    var content: StoredContent {
        var content = StoredContent()
        content.series = series
        content.lastBlock = lastBlock
        content.records = records.map(\.bytes)
        return content
    }

    /// The highest block number that it holds.
    var lastBlock: Int64 { (blocks.map(\.number) + records.map(\.block)).max() ?? 0 }

    func views(of id: SeriesID) -> [ChunkView] {
        blocks.flatMap { block in
            block.chunks.filter { $0.series == id }
                .map { ChunkView(block: block.number, times: block.times, chunk: $0) }
        }
    }

    func sealedValues(of id: SeriesID?) -> [Int64: Double?] {
        guard let id else { return [:] }
        var cursor = SampleCursor(views(of: id))
        var result: [Int64: Double?] = [:]
        while let sample = cursor.next() { result[sample.timeMs] = .some(sample.isStale ? nil : sample.value) }
        return result
    }
}
