import DequeModule
import Glibc
import HealthAPI
import HealthCore
import Runtime
import Settings
import Time

/// Runs the programs of command checks, so many at once and no more; the others wait in order.
@Loop final class Commands {
    var limits: HealthdSettings
    private let names: Names
    private var running: Set<CheckID> = []
    private var waiting: Deque<CommandRun> = []

    init(names: Names, limits: HealthdSettings) {
        self.names = names
        self.limits = limits
    }

    /// Those that run, and those that wait.
    var open: Int { running.count + waiting.count }

    /// Starts a run, or lets it wait for its turn.
    func start(
        _ probe: CommandProbe, of check: CheckID, timeout: Duration,
        done: @escaping @Loop @Sendable (ProbeOutcome) -> Void
    ) -> any RunningProbe {
        let run = CommandRun(probe, of: check, timeout: timeout, commands: self, done: done)
        if running.contains(check) {
            // Killed, and not gone: it waits in the kernel, for a disk or a network file system that does not answer.
            run.finish(ProbeOutcome(.unknown, "its last run was killed and has not ended"))
        } else if running.count < limits.concurrentCommands {
            begin(run)
        } else {
            waiting.append(run)
            // A run that starts with less than half of its time left would be judged by what it could not do.
            Loop.after(timeout / 2) { [weak self] in self?.waitedTooLong(run) }
        }
        return run
    }

    fileprivate func ended(_ run: CommandRun) {
        running.remove(run.check)
        while running.count < limits.concurrentCommands, let next = waiting.popFirst() {
            guard !next.isOver else { continue }
            begin(next)
        }
    }

    fileprivate func abandonWaiting(_ run: CommandRun) {
        waiting.removeAll { $0 === run }
    }

    private func waitedTooLong(_ run: CommandRun) {
        guard waiting.contains(where: { $0 === run }) else { return }
        abandonWaiting(run)
        run.finish(ProbeOutcome(.unknown, "\(limits.concurrentCommands) other commands were running all the time"))
    }

    private func begin(_ run: CommandRun) {
        running.insert(run.check)
        run.begin(names: names, outputLimit: Int(limits.commandOutput))
    }
}

/// One run of a program, from its turn to its end.
@Loop final class CommandRun: RunningProbe {
    let check: CheckID
    private(set) var isOver = false
    private let probe: CommandProbe
    private let timeout: Duration
    private let startedAt = HostClock.now().instant
    /// Strong: a run ends after its program is gone, which may be after healthd itself has stopped.
    private let commands: Commands
    private let done: @Loop @Sendable (ProbeOutcome) -> Void
    private var task: Task<Void, Never>?

    init(
        _ probe: CommandProbe, of check: CheckID, timeout: Duration, commands: Commands,
        done: @escaping @Loop @Sendable (ProbeOutcome) -> Void
    ) {
        self.probe = probe
        self.check = check
        self.timeout = timeout
        self.commands = commands
        self.done = done
    }

    /// Ends the attempt with a verdict.
    func finish(_ outcome: ProbeOutcome) {
        guard !isOver else { return }
        isOver = true
        let done = done
        Loop.post { done(outcome) }
    }

    /// Kills the program's process group where it runs; it counts as running until it is gone.
    func abandon() {
        isOver = true
        commands.abandonWaiting(self)
        task?.cancel()
    }

    /// Its turn has come: looks up the user, then launches.
    func begin(names: Names, outputLimit: Int) {
        let launch: @Loop @Sendable (Result<Account?, any Error>) -> Void = { [self] result in
            switch result {
            case .failure: giveUp("the look-up of the user did not end")
            case .success(nil): giveUp("there is no user \(probe.user)")
            case .success(let account?):
                guard let launcher = Launcher(account, ownUID: geteuid()) else {
                    giveUp("healthd, which runs as uid \(geteuid()), may not become \(account.name)")
                    return
                }
                self.launch(launcher, outputLimit: outputLimit)
            }
        }
        // Before the attempt is given up, so that a stuck name service is not held against the program.
        names.account(probe.user, within: timeout * 0.9, then: launch)
    }

    private func giveUp(_ why: String) {
        commands.ended(self)
        finish(ProbeOutcome(.unknown, why))
    }

    private func launch(_ launcher: Launcher, outputLimit: Int) {
        guard !isOver else { return commands.ended(self) }
        guard let output = OutputPipe(limit: outputLimit) else { return giveUp("no descriptor is left for its output") }
        let (arguments, target) = (probe.arguments, output.writeEnd)
        // Not on the loop: the library may do there what takes time.
        task = Task.detached { [self] in
            let end = await launcher.run(arguments, output: target)
            await ended(end, output)
        }
    }

    private func ended(_ end: Launcher.End, _ output: OutputPipe) {
        let latency = HostClock.now().instant - startedAt
        commands.ended(self)
        output.ended { [self] bytes in finish(end.outcome(bytes, latency: latency)) }
    }
}
