import CLinux
import NIOPosix
import Synchronization
package import Time
package import Wire

/// Why a job on a `Worker` gave no result.
package enum WorkerError: Error, Hashable, Sendable {
    /// The job passed its deadline. It still runs; its late result is dropped.
    case deadlineExceeded(thread: String)
    /// Too many jobs wait.
    case full(thread: String)
}

/// A named thread for what may block: files, SQLite, /proc of a sick process, the journal. It owns a `State` that no other
/// thread touches, takes jobs in order, and answers on the loop. A job that passes its deadline is answered with
/// `deadlineExceeded` and shows as *stuck* in `status`; the loop never waits.
package final class Worker<State>: Sendable {
    /// As `ps -L` and `status` name it (15 bytes at most).
    package let name: String
    private let limit: Int
    private let pool: NIOThreadPool
    private let box: StateBox
    private let books = Mutex(Books())

    private struct Books {
        var waiting = 0
        var runningSince: Instant?
        var runningDeadline: Duration = .zero
    }

    /// The state, made by the first job on the thread itself and never seen by another thread: hence the unchecked
    /// promise.
    private final class StateBox: @unchecked Sendable {
        private let make: @Sendable () throws -> State
        private var state: State?

        init(make: @escaping @Sendable () throws -> State) { self.make = make }

        func use<Value>(_ body: (inout State) throws -> Value) throws -> Value {
            var current = try state ?? make()
            state = nil
            defer { state = current }
            return try body(&current)
        }
    }

    /// `limit` is how many jobs may wait; `make` runs on the thread, before the first job, and again after it threw.
    package init(name: String, limit: Int = 1024, make: @escaping @Sendable () throws -> State) {
        self.name = name
        self.limit = limit
        box = StateBox(make: make)
        pool = NIOThreadPool(numberOfThreads: 1)
        pool.start()
        pool.submit { _ in mainstay_name_thread(name) }
    }

    /// Runs `job` on the thread and `then` on the loop: once, with the result or a `WorkerError`. `afterwards` runs on the thread
    /// when the result is on its way, before the next job: what nobody has to wait for.
    package func submit<Value: Sendable>(
        deadline: Duration,
        _ job: @escaping @Sendable (inout State) throws -> Value,
        afterwards: (@Sendable (inout State) -> Void)? = nil,
        then: @escaping @Loop @Sendable (Result<Value, any Error>) -> Void
    ) {
        let name = name
        guard enqueue() else {
            Loop.post { then(.failure(WorkerError.full(thread: name))) }
            return
        }
        let answer = Answer(then)
        let timer = Loop.after(deadline) { answer.give(.failure(WorkerError.deadlineExceeded(thread: name))) }
        run(deadline: deadline) { [box] in
            let result = Result { try box.use(job) }
            Loop.post {
                timer.cancel()
                answer.give(result)
            }
            if let afterwards { try? box.use(afterwards) }
        }
    }

    /// Runs `job` on the thread; nobody waits for it, so that the loop hears nothing of it. A job of more than
    /// ten seconds shows as *stuck*.
    /// - Returns: false where too many wait: it is not run then.
    @discardableResult
    package func submit(_ job: @escaping @Sendable (inout State) throws -> Void) -> Bool {
        guard enqueue() else { return false }
        run(deadline: .seconds(10)) { [box] in try? box.use(job) }
        return true
    }

    /// Whether one more job may wait; it counts then.
    private func enqueue() -> Bool {
        books.withLock { books in
            guard books.waiting < limit else { return false }
            books.waiting += 1
            return true
        }
    }

    /// Has the thread run what `enqueue` counted, and keeps the books of it.
    private func run(deadline: Duration, _ body: @escaping @Sendable () -> Void) {
        pool.submit { [self] _ in
            books.withLock { books in
                books.waiting -= 1
                books.runningSince = HostClock.now().instant
                books.runningDeadline = deadline
            }
            body()
            books.withLock { $0.runningSince = nil }
        }
    }

    /// As `status` shows the thread.
    package func condition(now: Instant) -> ThreadState {
        books.withLock { books in
            let busy = books.runningSince.map { now - $0 } ?? .zero
            return ThreadState(
                name: name, stuck: books.runningSince != nil && busy > books.runningDeadline, waiting: books.waiting,
                busyMs: busy.milliseconds)
        }
    }

    /// Gives a result once; the later one of the job's and its deadline's is dropped.
    private final class Answer<Value: Sendable>: Sendable {
        private let then: @Loop @Sendable (Result<Value, any Error>) -> Void
        private let given = Mutex(false)

        init(_ then: @escaping @Loop @Sendable (Result<Value, any Error>) -> Void) { self.then = then }

        @Loop func give(_ result: Result<Value, any Error>) {
            let first = given.withLock { given in
                defer { given = true }
                return !given
            }
            if first { then(result) }
        }
    }
}
