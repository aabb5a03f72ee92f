import MetricsAPI
import MetricsCore
import Testing
import Time
import Wire

@Suite("Handing on to a receiver")
struct RemoteWriterTests {
    private var writer = RemoteWriter()
    private static let batch = RemoteWriter.Batch(samples: 100, toMs: 5000, isMore: false)

    private func timer(_ actions: [RemoteWriter.Action]) throws -> (id: TimerID, due: Instant) {
        for case .setTimer(let id, let due) in actions { return (id, due) }
        return try #require(nil, "no timer in \(actions)")
    }

    /// From its start to a batch that is under way.
    private mutating func send(_ batch: RemoteWriter.Batch, at now: Moment) throws {
        let (id, _) = try timer(writer.started(now: now))
        #expect(writer.timerFired(id, now: now) == [.make(isDone: false)])
        #expect(writer.made(batch, now: now) == [.send])
    }

    @Test("A batch an interval; what has arrived is told to the next one's making")
    mutating func steady() throws {
        let (first, due) = try timer(writer.started(now: at(0)))
        #expect(due == at(5000).instant)
        #expect(writer.condition == .starting)
        #expect(writer.timerFired(first, now: at(5000)) == [.make(isDone: false)])
        #expect(writer.made(Self.batch, now: at(5010)) == [.send])
        let (next, then) = try timer(writer.sent(.arrived, now: at(5020)))
        #expect(then == at(10_020).instant)
        #expect(writer.samples == 100)
        #expect(writer.toMs == 5000)
        #expect(writer.condition == .working)
        #expect(writer.timerFired(next, now: at(10_020)) == [.make(isDone: true)])
        let (idle, _) = try timer(writer.made(nil, now: at(10_030)))
        #expect(writer.timerFired(idle, now: at(15_030)) == [.make(isDone: false)], "it was told once")
    }

    @Test("While there is more the next batch is made at once")
    mutating func backlog() throws {
        try send(RemoteWriter.Batch(samples: 10, toMs: 1, isMore: true), at: at(0))
        #expect(writer.sent(.arrived, now: at(1)) == [.make(isDone: true)])
    }

    @Test("A batch that fails is sent again after 1, 2, 4, 8, 16, 30 and 30 s; the fifth failure is told, and its end")
    mutating func retries() throws {
        try send(Self.batch, at: at(0))
        var (now, waits, told) = (at(0), [Int64](), [RemoteWriter.Report]())
        for _ in 1...7 {
            let actions = writer.sent(.failed("refused"), now: now)
            for case .report(let report) in actions { told.append(report) }
            let (id, due) = try timer(actions)
            waits.append((due - now.instant).milliseconds)
            now = at((due - .zero).milliseconds)
            #expect(writer.timerFired(id, now: now) == [.send])
        }
        #expect(waits == [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000])
        #expect(told == [.failing(reason: "refused")])
        #expect(writer.condition == .failing)
        #expect(writer.reason == "refused")
        let actions = writer.sent(.arrived, now: now)
        #expect(actions.contains(.report(.working(failedFor: .seconds(91)))))
        #expect(writer.condition == .working)
        #expect(writer.reason == nil)
        #expect(writer.failedAttempts == 7)
    }

    @Test("A receiver that says when to come again is believed, for a minute at most")
    mutating func retryAfter() throws {
        try send(Self.batch, at: at(0))
        let (id, due) = try timer(writer.sent(.failed("429", retryAfter: .seconds(20)), now: at(0)))
        #expect(due == at(20_000).instant)
        _ = writer.timerFired(id, now: at(20_000))
        #expect(
            try timer(writer.sent(.failed("429", retryAfter: .seconds(86_400)), now: at(20_000))).due
                == at(80_000).instant)
    }

    @Test("A refused batch is given up and counted; of a run of them the first is told")
    mutating func refusals() throws {
        try send(Self.batch, at: at(0))
        let actions = writer.sent(.refused("out of order"), now: at(1))
        #expect(actions.contains(.report(.refused(samples: 100, reason: "out of order"))))
        #expect(writer.refusedSamples == 100)
        #expect(writer.samples == 0)
        #expect(writer.timerFired(try timer(actions).id, now: at(2)) == [.make(isDone: true)])
        _ = writer.made(Self.batch, now: at(3))
        let second = writer.sent(.refused("out of order"), now: at(4))
        #expect(!second.contains { if case .report = $0 { true } else { false } })
        #expect(writer.refusedSamples == 200)
    }

    @Test("A batch that may have arrived in an earlier life has arrived where it is refused")
    mutating func repeated() throws {
        try send(RemoteWriter.Batch(samples: 100, toMs: 5000, isMore: false, isRepeat: true), at: at(0))
        let actions = writer.sent(.refused("out of order"), now: at(1))
        #expect(!actions.contains { if case .report = $0 { true } else { false } })
        #expect(writer.refusedSamples == 0)
        #expect(writer.timerFired(try timer(actions).id, now: at(2)) == [.make(isDone: true)])
    }

    @Test("Sent without an answer and then refused: it had arrived. Never connected and then refused: it had not")
    mutating func uncertain() throws {
        for isUncertain in [true, false] {
            writer = RemoteWriter()
            try send(Self.batch, at: at(0))
            let (id, _) = try timer(writer.sent(.failed("no answer", isUncertain: isUncertain), now: at(1)))
            #expect(writer.timerFired(id, now: at(1001)) == [.send])
            _ = writer.sent(.refused("out of order"), now: at(1002))
            #expect(writer.refusedSamples == (isUncertain ? 0 : 100))
        }
    }

    @Test("What arrives after the end, or for an earlier state, does nothing")
    mutating func late() throws {
        try send(Self.batch, at: at(0))
        #expect(writer.made(Self.batch, now: at(1)) == [])
        #expect(writer.timerFired(TimerID(1), now: at(1)) == [])
        let (id, _) = try timer(writer.sent(.failed("x"), now: at(1)))
        #expect(writer.stopped() == [.cancelTimer(id)])
        #expect(writer.timerFired(id, now: at(2)) == [])
        #expect(writer.sent(.arrived, now: at(2)) == [])
    }

    @Test("Who ends while a batch is made takes that one for arrived least of all")
    mutating func endedWhileMaking() throws {
        try send(Self.batch, at: at(0))
        let (next, _) = try timer(writer.sent(.arrived, now: at(1)))
        #expect(writer.isDone)
        #expect(writer.timerFired(next, now: at(2)) == [.make(isDone: true)])
        #expect(writer.stopped() == [])
        #expect(!writer.isDone)
    }

    @Test("A record that cannot be written is tried again, and what has arrived stays told")
    mutating func notMade() throws {
        try send(Self.batch, at: at(0))
        let (next, _) = try timer(writer.sent(.arrived, now: at(1)))
        #expect(writer.timerFired(next, now: at(2)) == [.make(isDone: true)])
        let (again, due) = try timer(writer.notMade(reason: "the disk is full", now: at(3)))
        #expect(due == at(1003).instant)
        #expect(writer.reason == "the disk is full")
        #expect(writer.timerFired(again, now: at(1003)) == [.make(isDone: true)])
    }
}

@Suite("What is handed on next")
struct RemotePlanTests {
    private let fast = UnsentBlock(number: 3, times: [1000, 2000, 3000, 4000], series: 10)
    private let slow = UnsentBlock(number: 1, times: [1500, 4500], series: 5)

    @Test("The oldest rounds of all blocks, as many as fit")
    func oldest() {
        let (through, isMore) = RemotePlan.next([fast, slow], after: RemoteProgress(), samples: 25)
        #expect(through == [3: 2000, 1: 1500])
        #expect(isMore)
    }

    @Test("One round is more than fits: it goes alone")
    func large() {
        let (through, isMore) = RemotePlan.next([fast], after: RemoteProgress(), samples: 3)
        #expect(through == [3: 1000])
        #expect(isMore)
    }

    @Test("What was handed on is left out, block by block: a slow collector's round may be older than others' last")
    func progress() {
        var progress = RemoteProgress()
        progress.advance([3: 3000])
        let (through, isMore) = RemotePlan.next([fast, slow], after: progress, samples: 1000)
        #expect(through == [3: 4000, 1: 4500])
        #expect(!isMore)
        progress.advance(through)
        #expect(RemotePlan.next([fast, slow], after: progress, samples: 1000).through.isEmpty)
    }

    @Test("Blocks below the first are whole; one that is not named has nothing")
    func bounds() throws {
        var progress = RemoteProgress(firstBlock: 2, lastMs: [4: 100])
        #expect(!progress.isUnsent(block: 1, timeMs: 5))
        #expect(progress.isUnsent(block: 3, timeMs: 5))
        #expect(!progress.isUnsent(block: 4, timeMs: 100))
        #expect(progress.isUnsent(block: 4, timeMs: 101))
        #expect(progress.throughMs(block: 1) == Int64.max)
        #expect(progress.throughMs(block: 3) == Int64.min)
        let read = try RemoteProgress(wire: JSONReader.read(JSONWriter.bytes(of: progress)))
        #expect(read == progress)
        progress.forget(below: 5)
        #expect(progress == RemoteProgress(firstBlock: 5))
    }
}

@Suite("A remote-write request")
struct WriteRequestTests {
    @Test("Labels by name, the metric's name among them; each sample a double and a varint")
    func bytes() {
        var request = WriteRequest(external: [Label("B", "1"), Label("x", "not this one"), Label("empty", "")])
        request.add(Labels("m", [Label("x", "y")]), SampleRun(times: [300], values: [1]))
        let expected: [UInt8] =
            [0x0A, 45]
            + [0x0A, 6, 0x0A, 1, 0x42, 0x12, 1, 0x31]
            + [0x0A, 13, 0x0A, 8] + Array("__name__".utf8) + [0x12, 1, 0x6D]
            + [0x0A, 6, 0x0A, 1, 0x78, 0x12, 1, 0x79]
            + [0x12, 12, 0x09, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F, 0x10, 0xAC, 0x02]
        #expect(request.bytes == expected)
        #expect(request.samples == 1)
    }

    @Test("A marker that ends a series is Prometheus's, bit by bit")
    func stale() {
        var request = WriteRequest()
        request.add(Labels("m"), SampleRun(times: [1], values: [Staleness.value]))
        #expect(request.bytes.suffix(11) == [0x09, 0x02, 0, 0, 0, 0, 0, 0xF0, 0x7F, 0x10, 1])
    }
}
