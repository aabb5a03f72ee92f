import Glibc
import HealthAPI
import HealthCore
import Subprocess
import Time

/// Runs a program as a user without any power: `setpriv` drops every capability, and no set-user-id bit can bring one back. It
/// gets a session of its own, so that all that it starts can be killed with it, and an environment of its own, so that nothing of
/// the daemon's (its credentials folder, its notify socket) reaches it.
struct Launcher: Sendable {
    private let account: Account
    private let isRoot: Bool

    /// Nil where this process, running as `ownUID`, may not become `account`.
    init?(_ account: Account, ownUID: UInt32) {
        guard ownUID == 0 || ownUID == account.uid else { return nil }
        self.account = account
        isRoot = ownUID == 0
    }

    /// What came of a run.
    struct End: Hashable, Sendable {
        enum How: Hashable, Sendable {
            case exited(Int)
            case killed(signal: Int)
            case notRun(String)
        }

        var how: How
        /// The beginning of what it wrote to standard output and standard error, at most the limit.
        var output: [UInt8] = []
    }

    /// Runs to the end. A cancelled task kills the whole process group; the call still returns only when the program is gone.
    func run(_ arguments: [String], outputLimit: Int) async -> End {
        var options = PlatformOptions()
        options.createSession = true
        options.teardownSequence = [
            .send(signal: .kill, toProcessGroup: true, allowedDurationToNextStep: .seconds(1))
        ]
        do {
            let result = try await Subprocess.run(
                .name("setpriv"), arguments: .init(privileges + ["--"] + arguments),
                environment: .custom(environment), platformOptions: options, input: .none, output: .sequence,
                error: .combinedWithOutput
            ) { execution in
                var kept: [UInt8] = []
                // Read to the end, whatever it prints: a program that nobody reads blocks, and would be called hung.
                for try await buffer in execution.standardOutput where kept.count < outputLimit {
                    buffer.withUnsafeBytes { kept += $0.prefix(outputLimit - kept.count) }
                }
                return kept
            }
            // What it left behind in its session ends with it. The group's id is not given anew while a member lives.
            kill(-result.processIdentifier.value, SIGKILL)
            switch result.terminationStatus {
            case .exited(let code): return End(how: .exited(Int(code)), output: result.closureResult)
            case .signaled(let signal): return End(how: .killed(signal: Int(signal)), output: result.closureResult)
            }
        } catch {
            return End(how: .notRun("\(error)"))
        }
    }

    private var privileges: [String] {
        let always = ["--no-new-privs", "--inh-caps=-all", "--ambient-caps=-all"]
        guard isRoot else { return always }
        return ["--reuid=\(account.uid)", "--regid=\(account.gid)", "--init-groups", "--bounding-set=-all"] + always
    }

    private var environment: [Environment.Key: String] {
        [
            "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin", "LANG": "C.UTF-8",
            "HOME": account.home, "USER": account.name, "LOGNAME": account.name,
        ]
    }
}

extension Launcher.End {
    /// The verdict by the exit status (see `CommandProbe`), with the first line of the output as the message.
    func outcome(latency: Duration) -> ProbeOutcome {
        let line = String(decoding: output.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        let said = line.isEmpty ? "no output" : line.cut(toBytes: CheckMachine.messageLimit)
        switch how {
        case .exited(0): return ProbeOutcome(.ok, said, latency: latency)
        case .exited(1): return ProbeOutcome(.warning, said, latency: latency)
        case .exited(2): return ProbeOutcome(.critical, said, latency: latency)
        case .exited(3): return ProbeOutcome(.unknown, said, latency: latency)
        case .exited(let code) where code == 126 || code == 127:
            return ProbeOutcome(.unknown, "it could not be run: \(said)")
        case .exited(let code): return ProbeOutcome(.critical, "exit status \(code): \(said)", latency: latency)
        case .killed(let signal):
            return ProbeOutcome(.critical, "killed by signal \(signal): \(said)", latency: latency)
        case .notRun(let why): return ProbeOutcome(.unknown, "it could not be run: \(why)")
        }
    }
}
