internal import CLinux
internal import Glibc
internal import Synchronization
package import Time

/// A named thread that waits on descriptors, timers and a mailbox with one epoll. NIO has no public way to watch a
/// foreign descriptor, so what libsystemd and the kernel signal by one (sd-bus, pidfds) lives here: in a daemon the
/// thread is called `bus`.
///
/// It is a serial executor: an actor that names it as its own runs here only, and the compiler keeps its state off
/// every other thread. Nothing that runs here may block; a body that does delays all the others.
package final class EventThread: SerialExecutor, @unchecked Sendable {
    // Unchecked, because everything below the mailbox is touched by the thread alone; each entry point checks that.
    private let name: String
    private let epoll: Int32
    private let wake: Int32
    private let mailbox = Mutex(Mailbox())
    private var sources: [UInt64: Source] = [:]
    private var lastSource: UInt64 = 0
    /// Sorted by deadline, latest first, so that the next one is popped off the end.
    private var timers: [Timer] = []
    private var timerIDs = TimerIDs()
    private var stopped = false

    private struct Mailbox {
        var letters: [Letter] = []
        var thread: pthread_t?
        /// When it last woke; nil while it waits for something to do.
        var busySince: Instant?
        /// The thread has ended and its descriptors are closed.
        var isOver = false
    }

    private enum Letter {
        case job(UnownedJob)
        case work(@Sendable () -> Void)
    }

    private struct Source {
        var descriptor: Int32
        var ready: (UInt32) -> Void
    }

    private struct Timer {
        var id: TimerID
        var deadline: Instant
        var fire: () -> Void
    }

    /// What a descriptor is watched for; the values are epoll's.
    package struct Interest: OptionSet, Sendable {
        package var rawValue: UInt32
        package init(rawValue: UInt32) { self.rawValue = rawValue }
        /// There is something to read, or the other end is gone.
        package static let readable = Interest(rawValue: EPOLLIN.rawValue)
        /// There is room to write.
        package static let writable = Interest(rawValue: EPOLLOUT.rawValue)
        /// What a file of /proc tells of has changed (`mountinfo`: proc_pid_mountinfo(5)).
        package static let changed = Interest(rawValue: EPOLLPRI.rawValue)
    }

    /// One watched descriptor, until `unwatch`.
    package struct SourceID: Hashable, Sendable {
        fileprivate var value: UInt64
    }

    /// Starts the thread. `name` is cut to 15 bytes by the kernel. Nil only where the host is out of descriptors or
    /// threads.
    package init?(name: String) {
        self.name = name
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        wake = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        guard epoll >= 0, wake >= 0 else { return nil }
        var event = epoll_event()
        event.events = Interest.readable.rawValue
        event.data.u64 = 0
        guard epoll_ctl(epoll, EPOLL_CTL_ADD, wake, &event) == 0 else { return nil }
        var thread = pthread_t()
        let context = Unmanaged.passRetained(self)
        let result = pthread_create(&thread, nil, { Unmanaged<EventThread>.run($0) }, context.toOpaque())
        guard result == 0 else {
            context.release()
            return nil
        }
        mailbox.withLock { $0.thread = thread }
        pthread_detach(thread)
    }

    // MARK: From any thread

    /// Runs `work` on the thread, after everything posted before.
    package func post(_ work: @escaping @Sendable () -> Void) {
        deliver(.work(work))
    }

    package func enqueue(_ job: consuming ExecutorJob) {
        deliver(.job(UnownedJob(job)))
    }

    package func checkIsolated() {
        precondition(isCurrent, "only the thread `\(name)` may do this")
    }

    package func isIsolatingCurrentContext() -> Bool? {
        isCurrent
    }

    /// How busy the thread is: what waits in its mailbox, and since when it has not come back to wait.
    package var load: (waiting: Int, busySince: Instant?) {
        mailbox.withLock { ($0.letters.count, $0.busySince) }
    }

    /// Ends the thread after what is in the mailbox now. What is posted later never runs.
    package func stop() {
        post { self.stopped = true }
    }

    /// Whether the thread has ended.
    package var isOver: Bool { mailbox.withLock { $0.isOver } }

    private var isCurrent: Bool {
        mailbox.withLock { $0.thread }.map { pthread_equal($0, pthread_self()) != 0 } ?? false
    }

    private func deliver(_ letter: Letter) {
        mailbox.withLock { mailbox in
            // Nobody reads any more, and the descriptor's number may be somebody else's by now.
            guard !mailbox.isOver else { return }
            mailbox.letters.append(letter)
            // The counter can only overflow after 2^64 - 2 writes without a read, so the write neither fails nor waits.
            if mailbox.letters.count == 1 { eventfd_write(wake, 1) }
        }
    }

    // MARK: On the thread

    /// Calls `ready` with epoll's event bits whenever `descriptor` is as `interest` says (or in error, or hung up).
    /// The caller keeps owning the descriptor and closes it after `unwatch`. Nil where the kernel refuses to watch it.
    package func watch(_ descriptor: Int32, for interest: Interest, _ ready: @escaping (UInt32) -> Void) -> SourceID? {
        checkIsolated()
        lastSource += 1
        var event = epoll_event()
        event.events = interest.rawValue
        event.data.u64 = lastSource
        guard epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0 else { return nil }
        sources[lastSource] = Source(descriptor: descriptor, ready: ready)
        return SourceID(value: lastSource)
    }

    /// Watches the same descriptor for something else from now on.
    package func change(_ id: SourceID, to interest: Interest) {
        checkIsolated()
        guard let source = sources[id.value] else { return }
        var event = epoll_event()
        event.events = interest.rawValue
        event.data.u64 = id.value
        _ = epoll_ctl(epoll, EPOLL_CTL_MOD, source.descriptor, &event)
    }

    /// Stops watching; events of it that wait in this turn already are dropped.
    package func unwatch(_ id: SourceID) {
        checkIsolated()
        guard let source = sources.removeValue(forKey: id.value) else { return }
        _ = epoll_ctl(epoll, EPOLL_CTL_DEL, source.descriptor, nil)
    }

    /// Calls `fire` once, at `deadline` or up to a millisecond later.
    @discardableResult
    package func at(_ deadline: Instant, _ fire: @escaping () -> Void) -> TimerID {
        checkIsolated()
        let timer = Timer(id: timerIDs.next(), deadline: deadline, fire: fire)
        let index = timers.firstIndex { $0.deadline <= deadline } ?? timers.endIndex
        timers.insert(timer, at: index)
        return timer.id
    }

    /// Calls `fire` once, `delay` from now.
    @discardableResult
    package func after(_ delay: Duration, _ fire: @escaping () -> Void) -> TimerID {
        at(Self.now + delay, fire)
    }

    /// Forgets a timer; one that fired already is no error.
    package func cancel(_ id: TimerID) {
        checkIsolated()
        timers.removeAll { $0.id == id }
    }

    /// CLOCK_MONOTONIC now.
    package static var now: Instant {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return Instant(nanoseconds: Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec))
    }

    fileprivate func run() {
        mainstay_name_thread(name)
        var events = [epoll_event](repeating: epoll_event(), count: 64)
        while !stopped {
            mailbox.withLock { $0.busySince = nil }
            let count = epoll_wait(epoll, &events, Int32(events.count), millisecondsToNextTimer())
            let woken = Self.now
            mailbox.withLock { $0.busySince = woken }
            for event in events.prefix(Int(max(count, 0))) {
                let id = event.data.u64
                if id == 0 {
                    var ignored: eventfd_t = 0
                    eventfd_read(wake, &ignored)
                } else {
                    sources[id]?.ready(event.events)
                }
            }
            fireDueTimers()
            readMailbox()
        }
        mailbox.withLock { mailbox in
            mailbox.isOver = true
            mailbox.letters = []
            close(epoll)
            close(wake)
        }
    }

    private func readMailbox() {
        let letters = mailbox.withLock { mailbox in
            defer { mailbox.letters = [] }
            return mailbox.letters
        }
        for letter in letters {
            switch letter {
            case .job(let job): job.runSynchronously(on: asUnownedSerialExecutor())
            case .work(let work): work()
            }
        }
    }

    private func fireDueTimers() {
        // Only those due now, and at most as many as there are: a timer that sets itself again in the past must not
        // keep the descriptors waiting. Each is taken off before it fires, so it may cancel or add others.
        let now = Self.now
        for _ in 0..<timers.count {
            guard let next = timers.last, next.deadline <= now else { return }
            timers.removeLast()
            next.fire()
        }
    }

    private func millisecondsToNextTimer() -> Int32 {
        guard let next = timers.last else { return -1 }
        let nanoseconds = (next.deadline - Self.now).nanoseconds
        guard nanoseconds > 0 else { return 0 }
        return Int32(clamping: (nanoseconds + 999_999) / 1_000_000)
    }
}

extension Unmanaged where Instance == EventThread {
    fileprivate static func run(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
        guard let context else { return nil }
        Unmanaged<EventThread>.fromOpaque(context).takeRetainedValue().run()
        return nil
    }
}
