import Runtime
import Synchronization
import Testing

@Suite struct WorkerTests {
    @Test("a job that another thread's has begun gives its result, however late it is asked for")
    func begun() throws {
        let worker = Worker<Void>(name: "beside") {}
        let first = try #require(worker.begin { 7 })
        let second = try #require(worker.begin { "ok" })
        #expect(second.result() == "ok")
        #expect(first.result() == 7)
        #expect(first.result() == 7)
    }

    @Test("jobs that nobody waits for are run in their order, and refused where too many wait")
    func unawaited() throws {
        let worker = Worker<Void>(name: "few", limit: 3) {}
        let hold = Mutex(())
        let order = Mutex<[Int]>([])
        let (held, taken) = hold.withLock { _ in
            // Held up by the lock, it is running or still waits.
            (
                worker.begin { hold.withLock { _ in } },
                (1...5).map { number in worker.submit { _ in order.withLock { $0.append(number) } } }
            )
        }
        #expect(taken[0] && taken[1])
        #expect(!taken[4])
        try #require(held).result()
        // Those before it are done when one that finds room is.
        var last = worker.begin {}
        while last == nil { last = worker.begin {} }
        last?.result()
        #expect(order.withLock { $0 } == taken.indices.filter { taken[$0] }.map { $0 + 1 })
    }

    @Test("a job that throws costs the next one nothing")
    func thrown() throws {
        struct Failure: Error {}
        let worker = Worker<Void>(name: "failing") {}
        worker.submit { _ in throw Failure() }
        #expect(try #require(worker.begin { 7 }).result() == 7)
    }
}
