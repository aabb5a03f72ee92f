import HealthAPI
import HealthCore
import NIOCore
import Runtime
import Settings
import Time

/// An attempt that is under way.
@Loop protocol RunningProbe: AnyObject {
    /// Nobody waits for it any more: lets go of all that it holds, and says nothing.
    func abandon()
}

/// Carries out probes. Each attempt ends at most once, with an outcome, never inside of `start`; an abandoned one never does.
@Loop final class Probes {
    private let names: Names
    private let commands: Commands
    private let isDryRun: Bool
    private var running: [RunID: any RunningProbe] = [:]
    /// Called with what an attempt saw.
    var ended: @Loop (RunID, ProbeOutcome) -> Void = { _, _ in }

    init(_ context: DaemonContext, limits: HealthdSettings) {
        names = Names(context)
        commands = Commands(names: names, limits: limits)
        isDryRun = context.isDryRun
    }

    /// Commands that run or wait now, for `metrics`.
    var openCommands: Int { commands.open }

    func limitsChanged(to limits: HealthdSettings) { commands.limits = limits }

    func start(_ run: RunID, _ check: CheckID, _ probe: Probe, timeout: Duration) {
        let done: @Loop @Sendable (ProbeOutcome) -> Void = { [weak self] outcome in self?.finish(run, outcome) }
        switch probe {
        case .http(let http):
            running[run] = HTTPRun(http, names: names, timeout: timeout, done: done)
        case .tcp(let tcp):
            running[run] = TCPRun(tcp, names: names, timeout: timeout, done: done)
        case .command(let command):
            guard !isDryRun else {
                running[run] = NothingRuns()
                Loop.post { done(ProbeOutcome(.unknown, "commands are not run in a dry run")) }
                return
            }
            running[run] = commands.start(command, of: check, timeout: timeout, done: done)
        case .report:
            break
        }
    }

    func abandon(_ run: RunID) {
        running.removeValue(forKey: run)?.abandon()
    }

    /// Lets go of everything.
    func stop() {
        for probe in running.values { probe.abandon() }
        running = [:]
    }

    private func finish(_ run: RunID, _ outcome: ProbeOutcome) {
        // Let go of in the meantime: its end was already on its way.
        guard running.removeValue(forKey: run) != nil else { return }
        ended(run, outcome)
    }
}

/// What stands for an attempt that is not made.
@Loop private final class NothingRuns: RunningProbe {
    func abandon() {}
}
