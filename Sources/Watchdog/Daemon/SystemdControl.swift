import Glibc
package import Runtime
package import Settings
package import Systemd
package import Time
package import WatchdogCore

/// Process 1 as the watchdog's unit control. `ProcessOne` lives on the thread `bus`; here its answers come to the loop,
/// and jobs are followed from the call to their end.
@Loop package final class SystemdControl: UnitControl {
    private let thread: EventThread
    private let routes: [ProcessOne.Route]
    private var one: ProcessOne?
    private var told: @Loop (UnitControlEvent) -> Void = { _ in }
    private var route: ProcessOne.Route?
    /// Jobs that calls of ours queued, until process 1 says that they ended.
    private var jobs: [UInt32: @Loop (CallResult) -> Void] = [:]
    /// Numbers the hooks' units.
    private var hooksRun = 0
    /// Units whose state was asked for before there was a connection, with the deadline of that.
    private var awaited: [String: LoopTimer] = [:]

    /// `thread` is the daemon's `bus`.
    package init(thread: EventThread, routes: [ProcessOne.Route] = [.directly, .systemBus]) {
        self.thread = thread
        self.routes = routes
    }

    /// The address over which process 1 answers.
    package var connection: String? { route?.address }

    /// Connects, and goes on connecting for as long as the daemon lives.
    package func begin(told: @escaping @Loop (UnitControlEvent) -> Void) {
        self.told = told
        one = ProcessOne(on: thread, routes: routes) { [weak self] event in
            // Still on `bus`: the start time that makes a pid unmistakable is read before the pid can be used again.
            let main = Self.mainProcess(of: event)
            Loop.post { self?.heard(event, main: main) }
        }
    }

    /// Reads the unit, or waits for a connection first; either within 2 s.
    package func read(_ unit: String) {
        guard awaited[unit] == nil else { return }
        awaited[unit] = Loop.after(ProcessOne.callDeadline) { [weak self] in
            self?.unreadable(unit, "process 1 did not answer in time")
        }
        guard route != nil else {
            // Followed at once, and read as soon as there is a connection.
            one?.follow(unit)
            return
        }
        one?.read(unit) { [weak self] result in
            let main = Self.mainProcess(of: (try? result.get()).map { .unitChanged($0) })
            Loop.post {
                switch result {
                case .success(let state): self?.seen(state, main: main)
                case .failure(let failure): self?.unreadable(unit, failure.message)
                }
            }
        }
    }

    /// Also gives up a reading that is under way.
    package func forget(_ unit: String) {
        awaited.removeValue(forKey: unit)?.cancel()
        one?.unfollow(unit)
    }

    /// KillUnit with `all`; done when process 1 has sent the signals.
    package func kill(_ unit: String, signal: Int32, done: @escaping @Loop (CallResult) -> Void) {
        guard let one else { return done(.failed(ProcessOneFailure.notConnected.name)) }
        one.kill(unit, .all, signal: signal) { result in
            Loop.post {
                switch result {
                case .success: done(.done)
                case .failure(let failure): done(Self.callResult(failure))
                }
            }
        }
    }

    /// RestartUnit, replacing a job that waits.
    package func restart(_ unit: String, done: @escaping @Loop (CallResult) -> Void) {
        guard let one else { return done(.failed(ProcessOneFailure.notConnected.name)) }
        one.restart(unit, follow(done))
    }

    /// StopUnit, replacing a job that waits.
    package func stop(_ unit: String, done: @escaping @Loop (CallResult) -> Void) {
        guard let one else { return done(.failed(ProcessOneFailure.notConnected.name)) }
        one.stop(unit, follow(done))
    }

    /// ReloadUnit, replacing a job that waits.
    package func reload(_ unit: String, done: @escaping @Loop (CallResult) -> Void) {
        guard let one else { return done(.failed(ProcessOneFailure.notConnected.name)) }
        one.reload(unit, follow(done))
    }

    /// From the unit's `WatchdogTimestampMonotonic`.
    package func lastHeartbeat(of unit: String, answered: @escaping @Loop (Instant?) -> Void) {
        guard let one else { return answered(nil) }
        one.lastKeepalive(of: unit) { result in
            let usec = (try? result.get()) ?? 0
            let instant = usec == 0 ? nil : Instant(nanoseconds: Int64(clamping: usec) &* 1000)
            Loop.post { answered(instant) }
        }
    }

    /// As a transient unit: process 1 gives it its user, and none of our capabilities or sandbox.
    package func run(
        _ program: CommandSettings, for service: String, time: Duration, done: @escaping @Loop (CallResult) -> Void
    ) {
        guard let one else { return done(.failed(ProcessOneFailure.notConnected.name)) }
        hooksRun += 1
        // Not `mainstay-…`: the daemons' own drop-in holds for every unit of that name, and would start it again and
        // again.
        let unit = "hook-of-\(service)-\(getpid())-\(hooksRun).service"
        one.run(
            ProcessOne.Program(arguments: program.arguments, user: program.user, timeout: time), as: unit, follow(done))
    }

    /// What to do with the answer to a call that queues a job.
    private func follow(_ done: @escaping @Loop (CallResult) -> Void) -> ProcessOne.JobAnswer {
        { [weak self] result in
            Loop.post {
                switch result {
                case .success(let job): self?.jobs[job] = done
                case .failure(let failure): done(Self.callResult(failure))
                }
            }
        }
    }

    private func heard(_ event: ProcessOneEvent, main: ProcessIdentity?) {
        switch event {
        case .connected(let route):
            self.route = route
            told(.connected(route.address))
        case .disconnected(let reason):
            route = nil
            // Whether they ended is not known; the units' states will tell after the next connect.
            let lost = jobs.values
            jobs = [:]
            for done in lost { done(.timedOut) }
            told(.disconnected(reason: reason))
        case .unitChanged(let state):
            seen(state, main: main)
        case .jobRemoved(let id, let unit, let result):
            if let done = jobs.removeValue(forKey: id) {
                done(result == "done" ? .done : .failed(result))
            } else {
                told(.foreignJobEnded(unit: unit))
            }
        case .systemState(let state):
            told(.managerSeen(stopping: state == "stopping"))
        }
    }

    private func seen(_ state: UnitState, main: ProcessIdentity?) {
        awaited.removeValue(forKey: state.name)?.cancel()
        told(
            .unitSeen(
                unit: state.name, Self.view(of: state, main: main, isOurs: jobs[state.job] != nil),
                controlGroup: state.controlGroup))
    }

    private func unreadable(_ unit: String, _ reason: String) {
        guard let timer = awaited.removeValue(forKey: unit) else { return }
        timer.cancel()
        told(.unitUnreadable(unit: unit, reason: reason))
    }

    private nonisolated static func mainProcess(of event: ProcessOneEvent?) -> ProcessIdentity? {
        guard case .unitChanged(let state) = event, state.mainPid > 0,
            let ticks = ProcessStart.ticks(of: state.mainPid)
        else { return nil }
        return ProcessIdentity(pid: state.mainPid, startTicks: ticks)
    }

    nonisolated static func callResult(_ failure: ProcessOneFailure) -> CallResult {
        // What process 1 did not say itself is no answer: it was silent, is not connected, or ended the connection, as a
        // daemon-reexec does. The same order may succeed in a moment, and may have been done.
        failure.isOurs ? .timedOut : .failed(failure.name)
    }

    /// systemd's words as the core's.
    nonisolated static func view(of state: UnitState, main: ProcessIdentity?, isOurs: Bool) -> UnitView {
        let isThere = state.loadState != "not-found"
        return UnitView(
            active: isThere ? UnitView.Active(rawValue: state.activeState) ?? .maintenance : .missing,
            sub: state.subState, main: main,
            mainStartedAt: state.mainStartedUsec == 0
                ? nil : Instant(nanoseconds: Int64(clamping: state.mainStartedUsec) &* 1000),
            job: state.job == 0 ? nil : UnitView.Job(kind: state.jobKind, ours: isOurs),
            restart: state.restart.isEmpty ? nil : state.restart,
            result: state.result.isEmpty ? "success" : state.result,
            exitCode: state.exitCode == CLD_EXITED ? state.exitStatus : nil,
            exitSignal: state.exitCode == CLD_KILLED || state.exitCode == CLD_DUMPED ? state.exitStatus : nil,
            invocation: state.invocation.isEmpty ? nil : state.invocation)
    }
}
