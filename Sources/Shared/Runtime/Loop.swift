import Time
package import NIOCore
import NIOPosix

/// The one event loop of a daemon, as a global actor: everything marked `@Loop` runs on its thread, and the compiler keeps
/// it there. Nothing on it may block (ARCHITECTURE, "Threads"); what can block runs on a `Worker`.
@globalActor package actor Loop {
    package static let shared = Loop()

    /// The same loop as NIO sees it, for channels and timers.
    package nonisolated let eventLoop: any EventLoop
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)

    private init() {
        eventLoop = group.next()
    }

    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        eventLoop.executor.asUnownedSerialExecutor()
    }

    /// Runs `body` at once, for callers that NIO has already put on the loop's thread (channel handlers, future
    /// callbacks). Traps anywhere else: that would be our own error, never a peer's.
    package nonisolated static func assume<Value: Sendable>(_ body: @Loop () throws -> Value) rethrows -> Value {
        shared.eventLoop.preconditionInEventLoop()
        // The check above is what makes this cast right; the standard library does the same for the main actor.
        return try withoutActuallyEscaping(body) { try unsafeBitCast($0, to: (() throws -> Value).self)() }
    }

    /// Runs `body` on the loop as soon as it is free; from any thread.
    package nonisolated static func post(_ body: @escaping @Loop @Sendable () -> Void) {
        shared.eventLoop.execute { assume(body) }
    }

    /// Runs `body` once after `delay`.
    @discardableResult
    package nonisolated static func after(_ delay: Duration, _ body: @escaping @Loop @Sendable () -> Void) -> LoopTimer
    {
        LoopTimer(
            scheduled: shared.eventLoop.scheduleTask(in: .nanoseconds(max(0, delay.nanoseconds))) { assume(body) })
    }

    /// Runs `body` every `interval`, first after one interval. A late run is not made up for.
    @discardableResult
    package nonisolated static func every(_ interval: Duration, _ body: @escaping @Loop @Sendable () -> Void)
        -> LoopRepeat
    {
        let nanoseconds = TimeAmount.nanoseconds(interval.nanoseconds)
        return LoopRepeat(
            task: shared.eventLoop.scheduleRepeatedTask(initialDelay: nanoseconds, delay: nanoseconds) { _ in
                assume(body)
            })
    }
}

/// A timer that can be called off.
package struct LoopTimer: Sendable {
    fileprivate let scheduled: Scheduled<Void>

    /// Without effect once it has fired.
    package func cancel() { scheduled.cancel() }
}

/// A repeating timer that can be called off.
package struct LoopRepeat: Sendable {
    fileprivate let task: RepeatedTask

    /// It fires no more; without effect the second time.
    package func cancel() { task.cancel() }
}
