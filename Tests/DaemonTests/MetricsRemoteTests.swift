import Foundation
import MetricsAPI
import MetricsCore
import Testing

@testable import MetricsDaemon

/// A head of two collectors, its store on a real disk, and what a receiver has been given of it.
private final class HandedOn {
    let folder: String
    private var limits = SampleStore.Limits(Retention())
    private var store: SampleStore
    private var head: Head
    private var feed: RemoteFeed
    /// Times in seconds, by series, in the order in which they came.
    private(set) var received: [String: [Int64]] = [:]
    private(set) var measured: [String: [Int64]] = [:]
    private(set) var last: RemoteFeed.Batch?

    init() throws {
        folder = "/tmp/mainstay-remote-\(UUID().uuidString.prefix(8))"
        var content = StoredContent()
        store = try SampleStore(StoreFolder(path: folder), limits, &content)
        head = Self.emptyHead()
        feed = RemoteFeed("http://a/", external: [], in: StoreFolder(path: folder))
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    private static func emptyHead() -> Head {
        var limits = Head.Limits()
        limits.blockTicks = 10
        return Head(limits: limits)
    }

    /// A round a second of one collector, each third of another, committed every four seconds.
    func run(_ seconds: ClosedRange<Int64>) throws {
        let (fast, slow) = (head.group("fast"), head.group("slow"))
        if head.width(of: fast) == nil {
            _ = head.define(
                group: fast, series: [Labels("fast", [Label("x", "1")]), Labels("fast", [Label("x", "2")])])
            _ = head.define(group: slow, series: [Labels("slow")])
        }
        for second in seconds {
            head.append(group: fast, time: second * 1000, values: [Double(second), 0])
            if second % 3 == 0 { head.append(group: slow, time: second * 1000 - 1500, values: [1]) }
            measured["fast{x=\"1\"}", default: []].append(second * 1000)
            measured["fast{x=\"2\"}", default: []].append(second * 1000)
            if second % 3 == 0 { measured["slow", default: []].append(second * 1000 - 1500) }
            if second % 4 == 0 { try commit() }
        }
    }

    func commit() throws {
        guard let batch = head.takeBatch() else { return }
        try store.commit(batch)
        head.committed(batch)
    }

    func takeIn(_ series: [ImportedSeries]) throws {
        head.takeIn(series)
        try commit()
    }

    /// A KILL: what was committed is there again, and the thread begins anew.
    func restart() throws {
        var content = StoredContent()
        store = try SampleStore(StoreFolder(path: folder), limits, &content)
        head = Self.emptyHead()
        #expect(head.restore(content) == 0)
        feed = RemoteFeed("http://a/", external: [], in: StoreFolder(path: folder))
    }

    /// The store begins anew; what is told of the receiver stays.
    func forgetStore() throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: folder) where !name.hasSuffix(".remote") {
            try FileManager.default.removeItem(atPath: "\(folder)/\(name)")
        }
        try restart()
    }

    /// Makes a batch, and takes it for arrived at the next call if `isArrived`.
    func next(isDone: Bool) throws -> RemoteFeed.Batch? {
        let content = RemoteFeed.Content(
            index: head.index, head: head.committedBlocks(after: nil), segments: store.state.segments)
        last = try feed.next(content, isDone: isDone)
        return last
    }

    /// A receiver that has what is in a batch.
    func receive(_ batch: RemoteFeed.Batch) throws {
        for body in batch.bodies {
            for (series, times) in try Received.read(body) { received[series, default: []] += times }
        }
    }

    /// Until nothing is left.
    func receiveAll(isDone: Bool) throws {
        var isDone = isDone
        while let batch = try next(isDone: isDone) {
            try receive(batch)
            isDone = true
        }
    }
}

/// Reads what a receiver gets, by nothing of ours.
private enum Received {
    private static let script = """
        import json, sys
        data = sys.stdin.buffer.read()
        def varint(at):
            value = shift = 0
            while True:
                byte = data_now[at]; at += 1
                value |= (byte & 127) << shift; shift += 7
                if byte < 128: return value, at
        def fields(message):
            global data_now
            at = 0
            while at < len(message):
                data_now = message
                key, at = varint(at)
                if key & 7 == 0: value, at = varint(at)
                elif key & 7 == 1: value, at = message[at:at + 8], at + 8
                else:
                    size, at = varint(at)
                    value, at = message[at:at + size], at + size
                yield key >> 3, value
        def plain(packed):
            # snappy's format: literals and copies behind the length
            global data_now
            data_now = packed
            size, at = varint(0)
            out = bytearray()
            while at < len(packed):
                tag = packed[at]; at += 1
                if tag & 3 == 0:
                    count = tag >> 2
                    if count >= 60:
                        more = count - 59
                        count = int.from_bytes(packed[at:at + more], 'little'); at += more
                    out += packed[at:at + count + 1]; at += count + 1
                    continue
                if tag & 3 == 1:
                    count, offset = (tag >> 2 & 7) + 4, (tag >> 5) << 8 | packed[at]; at += 1
                else:
                    wide = 2 if tag & 3 == 2 else 4
                    count, offset = (tag >> 2) + 1, int.from_bytes(packed[at:at + wide], 'little'); at += wide
                for _ in range(count): out.append(out[-offset])
            assert len(out) == size
            return bytes(out)
        found = {}
        for _, series in fields(plain(data)):
            labels, times = {}, []
            for number, value in list(fields(series)):
                if number == 1:
                    pair = dict(fields(value)); labels[pair[1].decode()] = pair[2].decode()
                else:
                    times.append(dict(fields(value))[2])
            name = labels.pop('__name__')
            inner = ','.join(f'{key}="{value}"' for key, value in labels.items())
            found[name + (f'{{{inner}}}' if inner else '')] = times
        print(json.dumps(found))
        """

    static func read(_ body: [UInt8]) throws -> [String: [Int64]] {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", "-c", Self.script]
        let (input, output) = (Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        input.fileHandleForWriting.write(Data(body))
        try input.fileHandleForWriting.close()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return try #require(try JSONSerialization.jsonObject(with: data) as? [String: [Int64]])
    }
}

@Suite("What a receiver of remote write is given")
struct MetricsRemoteTests {
    @Test("All rounds that are on disk, each once and in order, from the head and from the store")
    func all() throws {
        let host = try HandedOn()
        #expect(try host.next(isDone: false) == nil, "there is nothing yet")
        try host.run(1...7)
        try host.receiveAll(isDone: false)
        #expect(host.received["fast{x=\"1\"}"] == [1000, 2000, 3000, 4000], "what is not committed is not handed on")
        try host.run(8...100)
        try host.receiveAll(isDone: true)
        #expect(host.received == host.measured)
    }

    @Test("A new receiver is given what is measured from now on, whatever the store holds")
    func new() throws {
        let host = try HandedOn()
        try host.run(1...44)
        #expect(try host.next(isDone: false) == nil)
        try host.run(45...48)
        try host.receiveAll(isDone: false)
        #expect(host.received["fast{x=\"1\"}"] == [45_000, 46_000, 47_000, 48_000])
        #expect(host.received["slow"] == [43_500, 46_500])
    }

    @Test("After a KILL the batch that was under way comes again, the same, and then what follows it")
    func killed() throws {
        let host = try HandedOn()
        _ = try host.next(isDone: false)
        try host.run(1...40)
        let first = try #require(try host.next(isDone: false))
        #expect(!first.summary.isRepeat)
        try host.run(41...60)
        try host.restart()
        let again = try #require(try host.next(isDone: false))
        #expect(again.bodies == first.bodies)
        #expect(again.summary.isRepeat)
        try host.receive(again)
        try host.receiveAll(isDone: true)
        try host.run(61...64)
        try host.restart()
        // What had arrived was known to have, as the next batch was made after it.
        try host.receiveAll(isDone: false)
        #expect(host.received == host.measured)
    }

    @Test("What was measured elsewhere and imported is not handed on")
    func imported() throws {
        let host = try HandedOn()
        _ = try host.next(isDone: false)
        try host.run(1...4)
        try host.takeIn([ImportedSeries(labels: Labels("old"), run: SampleRun(times: [10, 20], values: [1, 2]))])
        try host.run(5...24)
        try host.restart()
        try host.receiveAll(isDone: false)
        #expect(host.received == host.measured)
    }

    @Test("A store that was put back gives numbers anew: what a record says of later ones is not believed")
    func putBack() throws {
        let host = try HandedOn()
        _ = try host.next(isDone: false)
        try host.run(1...200)
        try host.receiveAll(isDone: false)
        try host.forgetStore()
        try host.run(1001...1004)
        #expect(try host.next(isDone: false) == nil, "it begins anew")
        try host.run(1005...1008)
        let batch = try #require(try host.next(isDone: false))
        #expect(batch.summary.toMs == 1_008_000)
    }
}
