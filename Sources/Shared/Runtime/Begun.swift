import NIOConcurrencyHelpers
import Synchronization

/// A job under way on one `Worker`'s thread for another's, which goes on meanwhile and then waits for its result.
package final class Begun<Value: Sendable>: Sendable {
    private let isOver = ConditionLock(value: false)
    private let value = Mutex<Value?>(nil)

    func end(_ result: Value) {
        isOver.lock()
        value.withLock { $0 = result }
        isOver.unlock(withValue: true)
    }

    /// The job's result. Blocks until it is there: for a `Worker`'s own thread, never for the loop.
    package func result() -> Value {
        isOver.lock(whenValue: true)
        defer { isOver.unlock() }
        guard let result = value.withLock({ $0 }) else { preconditionFailure("a job ended without a result") }
        return result
    }
}

extension Worker where State == Void {
    /// Runs `job` on the thread while the caller, on a thread that may block as well, goes on. Nil where too many wait: it is
    /// not run then.
    package func begin<Value: Sendable>(_ job: @escaping @Sendable () -> Value) -> Begun<Value>? {
        let begun = Begun<Value>()
        return submit { _ in begun.end(job()) } ? begun : nil
    }
}
