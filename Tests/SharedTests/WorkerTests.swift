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
        let worker = Worker<[Int]>(name: "few", limit: 3) { [] }
        let gate = Worker<Void>(name: "gate") {}
        let hold = Mutex(())
        let order = Mutex<[Int]>([])
        let entered = try #require(gate.begin { true })
        #expect(entered.result())
        let taken = hold.withLock { _ in
            // The first one is held up by the lock; it may be running or waiting.
            worker.submit { _ in hold.withLock { _ in } }
            return (1...5).map { number in
                worker.submit { seen in
                    seen.append(number)
                    order.withLock { $0 = seen }
                }
            }
        }
        #expect(taken[0] && taken[1])
        #expect(!taken[4])
        let last = Mutex(false)
        while !worker.submit({ _ in last.withLock { $0 = true } }) {}
        while !last.withLock({ $0 }) {}
        #expect(order.withLock { $0 } == taken.indices.filter { taken[$0] }.map { $0 + 1 })
    }

    @Test("a job that throws costs the next one nothing")
    func thrown() throws {
        struct Failure: Error {}
        let worker = Worker<Int>(name: "failing") { 1 }
        let seen = Mutex(0)
        worker.submit { state in
            state = 2
            throw Failure()
        }
        worker.submit { state in seen.withLock { $0 = state } }
        while seen.withLock({ $0 }) == 0 {}
        #expect(seen.withLock { $0 } == 2)
    }
}
