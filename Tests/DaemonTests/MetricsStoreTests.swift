import Files
import Foundation
import MetricsAPI
import MetricsCore
import Testing

@testable import MetricsDaemon

/// A head that seals every ten rounds, with its store on a real disk.
private final class StoredHead {
    let folder: String
    let limits: SampleStore.Limits
    var store: SampleStore
    var head: Head
    private(set) var group: Int
    private static let series = [Labels("a"), Labels("b", [Label("x", "1")])]

    /// - Parameter segmentBytes: a segment takes no more blocks when it is half as large.
    init(segmentBytes: Int = 1 << 20) throws {
        folder = "/tmp/mainstay-store-\(UUID().uuidString.prefix(8))"
        var limits = SampleStore.Limits(Retention())
        limits.segmentBytes = segmentBytes
        self.limits = limits
        var content = StoredContent()
        store = try SampleStore(StoreFolder(path: folder), limits, &content)
        #expect(content.series.isEmpty && content.records.isEmpty && content.lastBlock == 0)
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
            try store.commit(batch)
            head.committed(batch)
        }
    }

    /// What the next life begins with, and goes on from.
    func restart(damaged: Int = 0) throws {
        var content = StoredContent()
        store = try SampleStore(StoreFolder(path: folder), limits, &content)
        (head, group) = Self.empty()
        #expect(head.restore(content) == damaged)
    }

    func answer(selector: String = "a", limit: Int? = nil, cursor: String? = nil) throws -> BlockReader.Answer {
        let plan = try RangePlan(
            QueryRange.Params(
                selector: selector, fromMs: cursor == nil ? 0 : nil, toMs: cursor == nil ? 1_000_000 : nil,
                limit: limit, cursor: cursor), now: 1_000_000, patterns: QueryPatterns.compile)
        let wanted = plan.series(in: head.index).compactMap { id in
            head.index[id].map {
                BlockReader.Wanted(id: id, labels: $0, head: head.chunks(of: id, includingUncommitted: false))
            }
        }
        return try BlockReader(StoreFolder(path: folder), store.state.segments).read(plan, wanted)
    }

    func times(_ selector: String = "a") throws -> [Int] {
        try answer(selector: selector).page.series.first?.points.map { Int($0.timeMs / 1000) } ?? []
    }

    func files(_ ending: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(ending) }.sorted()
    }

    /// Changes bytes of a file.
    func change(_ name: String, _ body: (inout [UInt8]) -> Void) throws {
        let url = URL(fileURLWithPath: "\(folder)/\(name)")
        var bytes = [UInt8](try Data(contentsOf: url))
        body(&bytes)
        try Data(bytes).write(to: url)
    }
}

@Suite("metricsd's store on a disk")
struct MetricsStoreTests {
    @Test("Blocks, log and head give every committed value once, in this life and in the next")
    func everyValueOnce() throws {
        let stored = try StoredHead()
        try stored.run(rounds: 1...96)
        #expect(try stored.times() == Array(1...96))
        #expect(stored.store.state.segments.flatMap(\.blocks).count == 9)
        try stored.run(rounds: 97...98)
        #expect(try stored.times() == Array(1...96), "what is not committed is not shown")
        try stored.restart()
        #expect(try stored.times() == Array(1...96))
        let both = try stored.answer(selector: "{__name__!=\"\"}").page.series
        #expect(both.map(\.name) == ["a", "b"])
        #expect(both[1].points.map(\.value.value) == (1...96).map { Double($0) / 8 })
    }

    @Test("It goes on in the next life, as often as one likes, and logs go when their blocks are complete")
    func lives() throws {
        let stored = try StoredHead(segmentBytes: 2000)
        for life in 0..<12 {
            if life > 0 { try stored.restart() }
            _ = stored.head.define(group: stored.group, series: [Labels("a"), Labels("b", [Label("x", "1")])])
            try stored.run(rounds: (life * 21 + 1)...(life * 21 + 21))
            #expect(try stored.times() == Array(1...(life * 21 + 21)))
            #expect(try stored.files(".log").filter { $0 != "spare.log" }.count <= 3)
        }
        #expect(try stored.files(".blocks").count > 3)
        #expect(try stored.files(".summary").count == stored.files(".blocks").count - 1)
    }

    @Test("Pages go on where the one before ended, over blocks and head")
    func pages() throws {
        let stored = try StoredHead()
        try stored.run(rounds: 1...60)
        var found: [Point] = []
        var cursor: String?
        repeat {
            let page = try stored.answer(limit: 7, cursor: cursor).page
            found += page.series.first?.points ?? []
            cursor = page.next
        } while cursor != nil
        #expect(found.map { Int($0.timeMs / 1000) } == Array(1...60))
    }

    @Test("A damaged chunk is left out and counted; everything else is read")
    func damagedChunk() throws {
        let stored = try StoredHead()
        try stored.run(rounds: 1...60)
        try stored.change("00000001.blocks") { bytes in
            var scanner = FrameScanner(bytes)
            while let (frame, _) = scanner.next() {
                guard frame.kind == .chunk else { continue }
                bytes[frame.end - 1] ^= 1
                return
            }
        }
        for _ in 1...2 {
            let answer = try stored.answer()
            #expect(answer.damaged == 1)
            #expect(answer.page.series.first?.points.map { Int($0.timeMs / 1000) } == Array(11...60))
            #expect(try stored.answer(selector: "b").damaged == 0)
            try stored.restart(damaged: 1)
        }
    }

    @Test("A name that is damaged in one place is read in another")
    func damagedName() throws {
        let stored = try StoredHead()
        try stored.run(rounds: 1...60)
        try stored.change("00000001.blocks") { bytes in
            var scanner = FrameScanner(bytes)
            while let (frame, _) = scanner.next() {
                if frame.kind == .series { bytes[frame.end - 1] ^= 1 }
            }
        }
        try stored.restart(damaged: 2)
        #expect(try stored.times() == Array(1...60), "the log names it")
        #expect(try stored.times("b") == Array(1...60))
    }

    @Test("Of two that would use one folder the second is refused, until the first is gone")
    func lock() throws {
        let path = "/tmp/mainstay-lock-\(UUID().uuidString.prefix(8))"
        defer { try? FileManager.default.removeItem(atPath: path) }
        var first: FileLock? = try FileLock(path)
        #expect(throws: FileFailure("lock", path, code: EWOULDBLOCK)) { try FileLock(path) }
        #expect(first != nil)
        first = nil
        _ = try FileLock(path)
    }

    @Test("A damaged record of the log costs its group up to the next that starts afresh, and nothing is invented")
    func damagedLog() throws {
        let stored = try StoredHead()
        try stored.run(rounds: 1...9)
        try stored.change("00000001.log") { bytes in
            var scanner = FrameScanner(bytes)
            while let (frame, _) = scanner.next() {
                guard frame.kind == .ticks else { continue }
                bytes[frame.offset + 20] ^= 1
                return
            }
        }
        try stored.restart(damaged: 3)
        #expect(try stored.times() == [])
        _ = stored.head.define(group: stored.group, series: [Labels("a"), Labels("b", [Label("x", "1")])])
        try stored.run(rounds: 10...12)
        #expect(try stored.times() == [10, 11, 12])
    }

    @Test("A summary is a help and no more: without it, or with a damaged one, all is found")
    func summaries() throws {
        let stored = try StoredHead(segmentBytes: 2000)
        try stored.run(rounds: 1...240)
        let names = try stored.files(".summary")
        #expect(names.count > 3)
        try FileManager.default.removeItem(atPath: "\(stored.folder)/\(names[0])")
        try stored.change(names[1]) { $0[40] ^= 1 }
        try stored.change(names[2]) { $0.removeLast(5) }
        try stored.restart()
        #expect(try stored.times() == Array(1...240))
        #expect(try stored.files(".summary") == names, "they are made anew")
    }

    @Test("Dropped segments are gone with their files, and series that nothing is left of are named")
    func drops() throws {
        let stored = try StoredHead(segmentBytes: 2000)
        _ = stored.head.define(group: stored.group, series: [Labels("a"), Labels("old")])
        try stored.run(rounds: 1...30)
        _ = stored.head.define(group: stored.group, series: [Labels("a"), Labels("b")])
        try stored.run(rounds: 31...240)
        let old = try #require(stored.head.index.number(of: Labels("old")))
        let segments = stored.store.state.segments
        let first = try #require(segments.first)
        let gone = first.blocks.count * 10
        let dropped = try stored.store.dropOldest()
        #expect(dropped.contains(old) == (gone >= 40), "its last is a stale marker in the fourth block")
        #expect(try stored.times() == Array((gone + 1)...240))
        let orphans = try stored.store.drop(segments.prefix(4).map(\.number))
        #expect(gone >= 40 || orphans.contains(old))
        // And ten rounds in the log.
        let left = segments.dropFirst(4).reduce(1) { $0 + $1.blocks.count } * 10
        #expect(try stored.times() == Array((240 - left + 1)...240))
        #expect(try stored.files(".blocks").count == segments.count - 4)
        try stored.restart()
        #expect(try stored.times() == Array((240 - left + 1)...240))
        #expect(try stored.store.drop(stored.store.state.segments.map(\.number)).isEmpty == false)
        #expect(try stored.times() == Array(231...240), "even the one that took blocks went, and the log stays")
    }

    @Test("A segment that is shorter than it was is told of, and what is left of it is read")
    func cutSegment() throws {
        let stored = try StoredHead()
        try stored.run(rounds: 1...60)
        try stored.change("00000001.blocks") { $0.removeLast($0.count / 2) }
        try stored.restart(damaged: 1)
        #expect(try stored.times().count > 45, "the log still has most of what is lost")
        for name in try stored.files(".log") { try FileManager.default.removeItem(atPath: "\(stored.folder)/\(name)") }
        try stored.restart()
        let left = try stored.times()
        #expect(left == Array(1...left.count))
        #expect(left.count >= 20 && left.count < 40)
    }

    @Test("What was being written when the power went is not there, and what comes after it is")
    func tornLog() throws {
        let stored = try StoredHead()
        try stored.run(rounds: 1...8)
        let whole = try Data(contentsOf: URL(fileURLWithPath: "\(stored.folder)/00000001.log"))
        try stored.run(rounds: 9...9)
        let name = "00000001.log"
        for keeps in stride(from: 0, to: 60, by: 7) {
            try stored.change(name) { bytes in
                var scanner = FrameScanner([UInt8](whole))
                var end = 0
                while let (frame, _) = scanner.next() { end = frame.end }
                for index in (end + keeps)..<bytes.count { bytes[index] = 0 }
            }
            let again = try StoredHead()
            for file in try stored.files(".log") where file != "spare.log" {
                try FileManager.default.copyItem(
                    atPath: "\(stored.folder)/\(file)", toPath: "\(again.folder)/\(file)")
            }
            try again.restart()
            #expect(try again.times() == Array(1...6))
            _ = again.head.define(group: again.group, series: [Labels("a"), Labels("b", [Label("x", "1")])])
            try again.run(rounds: 7...33)
            try again.restart()
            #expect(try again.times() == Array(1...33))
        }
    }

    @Test("A backup is the store as it was, and takes the place of the one before")
    func backup() throws {
        let stored = try StoredHead(segmentBytes: 2000)
        try stored.run(rounds: 1...150)
        _ = try stored.store.backup()
        try stored.run(rounds: 151...201)
        let reply = try stored.store.backup()
        #expect(reply.files > 5)
        try stored.run(rounds: 202...300)
        _ = try stored.store.drop(stored.store.state.segments.prefix(3).map(\.number))
        let copy = try StoredHead()
        for name in try FileManager.default.contentsOfDirectory(atPath: copy.folder) {
            try FileManager.default.removeItem(atPath: "\(copy.folder)/\(name)")
        }
        for name in try FileManager.default.contentsOfDirectory(atPath: reply.path) {
            try FileManager.default.copyItem(atPath: "\(reply.path)/\(name)", toPath: "\(copy.folder)/\(name)")
        }
        try copy.restart()
        #expect(try copy.times() == Array(1...201))
        try stored.restart()
        #expect(try stored.times().last == 300)
    }

    @Test("A check goes through every file, counts what is damaged, and takes what is being written for no damage")
    func check() throws {
        let stored = try StoredHead(segmentBytes: 2000)
        try stored.run(rounds: 1...150)
        func check() throws -> [VerifiedFile] {
            var found: [VerifiedFile] = []
            var cursor: String?
            repeat {
                let page = try StoreCheck.page(StoreFolder(path: stored.folder), after: cursor)
                found += page.files
                cursor = page.next
            } while cursor != nil
            return found
        }
        let good = try check()
        #expect(good.map(\.name) == (try stored.files("")).filter { $0 != "spare.log" })
        #expect(good.allSatisfy { $0.damaged == 0 && $0.frames > 0 })
        try stored.change("00000001.blocks") { $0[100] ^= 1 }
        try stored.change("00000001.summary") { $0.removeLast() }
        try stored.change("00000001.log") { bytes in
            var end = bytes.count
            while bytes[end - 1] == 0 { end -= 1 }
            bytes[end - 1] ^= 1
        }
        #expect(try check().filter { $0.damaged > 0 }.map(\.name) == ["00000001.blocks", "00000001.summary"])
    }

    @Test("Of a batch that comes again nothing is written twice")
    func batchAgain() throws {
        let stored = try StoredHead()
        try stored.run(rounds: 1...9)
        for round in 10...12 {
            stored.head.append(group: stored.group, time: Int64(round) * 1000, values: [Double(round), 0])
        }
        let taken = stored.head.takeBatch()
        let batch = try #require(taken)
        #expect(batch.sealed.count == 1)
        // It was written, and nobody was told: the log's part refused, or the answer came too late.
        var part = batch
        (part.series, part.records) = ([], [])
        try stored.store.commit(part)
        stored.head.failedToCommit(batch)
        try stored.run(rounds: 13...15)
        #expect(stored.store.state.segments.flatMap(\.blocks).map(\.number) == batch.sealed.map(\.number))
        #expect(try stored.times() == Array(1...15))
        try stored.restart()
        #expect(try stored.times() == Array(1...15))
    }
}
