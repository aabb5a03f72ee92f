import Foundation
import MetricsAPI
import MetricsCore
import Store
import Testing
import Time

@testable import MetricsDaemon

/// A head that seals every ten rounds, with its store on a real disk.
private final class StoredHead {
    let folder: String
    var file: StoreFile
    var head: Head
    private(set) var group: Int
    private static let series = [Labels("a"), Labels("b", [Label("x", "1")])]

    init() throws {
        folder = "/tmp/mainstay-store-\(UUID().uuidString.prefix(8))"
        file = StoreFile(folder: folder)
        (head, group) = Self.empty()
        _ = head.define(group: group, series: Self.series)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    private static func empty() -> (Head, Int) {
        var limits = Head.Limits()
        limits.blockTicks = 10
        var head = Head(limits: limits)
        let group = head.group("system")
        return (head, group)
    }

    func run(rounds: ClosedRange<Int>) throws {
        for round in rounds {
            head.append(group: group, time: Int64(round) * 1000, values: [Double(round), Double(round) / 8])
            guard round % 3 == 0, let batch = head.takeBatch() else { continue }
            try file.store().commit(batch)
            head.committed(batch)
        }
    }

    /// What the next life begins with.
    func restored() throws -> Head {
        let content = try file.content(now: WallTime(milliseconds: 0))
        var (head, _) = Self.empty()
        head.restore(series: content.series, lastBlock: content.lastBlock)
        #expect(head.restore(records: content.records) == 0)
        return head
    }

    func answer(_ head: Head, selector: String = "a", limit: Int? = nil, cursor: String? = nil) throws
        -> BlockReader.Answer
    {
        let reader = try BlockReader(path: StoreFile.path(in: folder))
        let plan = try RangePlan(
            QueryRange.Params(
                selector: selector, fromMs: cursor == nil ? 0 : nil, toMs: cursor == nil ? 1_000_000 : nil,
                limit: limit,
                cursor: cursor), now: 1_000_000, patterns: QueryPatterns.compile)
        let wanted = plan.series(in: head.index).compactMap { id in
            head.index[id].map {
                BlockReader.Wanted(id: id, labels: $0.labels, head: head.chunks(of: id, includingUncommitted: false))
            }
        }
        return try reader.read(plan, wanted)
    }

    func times(_ head: Head) throws -> [Int] {
        try answer(head).page.series.first?.points.map { Int($0.timeMs / 1000) } ?? []
    }
}

@Suite("metricsd's store on a disk")
struct MetricsStoreTests {
    @Test("Blocks, log and head give every committed value once, in this life and in the next")
    func everyValueOnce() throws {
        let stored = try StoredHead()
        try stored.run(rounds: 1...96)
        #expect(try stored.times(stored.head) == Array(1...96))
        let again = try stored.restored()
        #expect(try stored.times(again) == Array(1...96))
        #expect(try stored.file.store().blocks().count == 9)
        try stored.run(rounds: 97...98)
        #expect(try stored.times(stored.head) == Array(1...96), "what is not committed is not shown")
        let both = try stored.answer(again, selector: "{__name__!=\"\"}").page.series
        #expect(both.map(\.name) == ["a", "b"])
        #expect(both[1].points.map(\.value.value) == (1...96).map { Double($0) / 8 })
    }

    @Test("Pages go on where the one before ended, over blocks and head")
    func pages() throws {
        let stored = try StoredHead()
        try stored.run(rounds: 1...60)
        var found: [Point] = []
        var cursor: String?
        repeat {
            let page = try stored.answer(stored.head, limit: 7, cursor: cursor).page
            found += page.series.first?.points ?? []
            cursor = page.next
        } while cursor != nil
        #expect(found.map { Int($0.timeMs / 1000) } == Array(1...60))
    }

    @Test("A damaged chunk is left out and counted; everything else is read")
    func damagedChunk() throws {
        let stored = try StoredHead()
        try stored.run(rounds: 1...60)
        let number = try #require(stored.file.store().blocks().map(\.number).min())
        let series = try #require(stored.head.index.number(of: Labels("a")))
        let other = try Store(path: StoreFile.path(in: stored.folder))
        try other.execute(
            "UPDATE chunk SET samples = substr(samples, 1, 8) || x'ff' || substr(samples, 10) WHERE id = \(number << 32 | Int64(series.value))"
        )
        let answer = try stored.answer(stored.head)
        #expect(answer.damaged == 1)
        #expect(answer.page.series.first?.points.map { Int($0.timeMs / 1000) } == Array(11...60))
        #expect(try stored.answer(stored.head, selector: "b").damaged == 0)
    }

    @Test("Dropped blocks are gone, the rest stays, and their space is used again")
    func drops() throws {
        let stored = try StoredHead()
        try stored.run(rounds: 1...60)
        let oldest = try stored.file.store().blocks().map(\.number).sorted().prefix(3)
        try stored.file.store().drop(blocks: Array(oldest), series: [])
        #expect(try stored.times(stored.head) == Array(31...60))
        #expect(try stored.times(try stored.restored()) == Array(31...60))
    }

    @Test("A commit that fails leaves nothing behind, and the next one holds all of it")
    func failedCommit() throws {
        let stored = try StoredHead()
        try stored.run(rounds: 1...24)
        let other = try Store(path: StoreFile.path(in: stored.folder))
        try other.execute("CREATE TRIGGER refuse BEFORE INSERT ON log BEGIN SELECT raise(ABORT, 'disk full'); END")
        stored.head.append(group: stored.group, time: 25_000, values: [25, 0])
        let taken = stored.head.takeBatch()
        let batch = try #require(taken)
        #expect(throws: StoreError.self) { try stored.file.store().commit(batch) }
        stored.head.failedToCommit(batch)
        #expect(try stored.times(try stored.restored()) == Array(1...24))
        try other.execute("DROP TRIGGER refuse")
        try stored.run(rounds: 26...27)
        #expect(try stored.times(try stored.restored()) == Array(1...27))
    }

    @Test("A database with a damaged page is set aside with what it holds, and a new one takes everything")
    func damagedPage() throws {
        let stored = try StoredHead()
        try stored.run(rounds: 1...25)
        let path = StoreFile.path(in: stored.folder)
        let page = try Store(path: path).integer("SELECT rootpage FROM sqlite_schema WHERE name = 'log'")
        try stored.file.store().checkpoint()
        stored.file = StoreFile(folder: stored.folder)
        let file = try #require(FileHandle(forUpdatingAtPath: path))
        try file.seek(toOffset: UInt64(page - 1) * 4096)
        try file.write(contentsOf: [UInt8](repeating: 0xff, count: 64))
        try file.close()
        let content = try stored.file.content(now: WallTime(milliseconds: 7))
        #expect(content.setAside == "\(path).damaged-7")
        #expect(content.series.isEmpty && content.records.isEmpty)
        #expect(FileManager.default.fileExists(atPath: "\(path).damaged-7"))
        let taken = stored.head.takeBatch()
        let batch = try #require(taken)
        try stored.file.store().commit(batch)
        #expect(try stored.file.content(now: WallTime(milliseconds: 8)).records.count == 1)
    }
}
