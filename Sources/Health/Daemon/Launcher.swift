import Glibc
import HealthAPI
import HealthCore
import Subprocess
import Time

/// Runs a program as a user without any power: `setpriv` drops every capability, and no set-user-id bit can bring one back. It
/// gets a session of its own, so that all that it starts can be killed with it, and an environment of its own, so that nothing of
/// the daemon's (its credentials folder, its notify socket) reaches it. It yields the CPU to whoever wants it.
struct Launcher: Sendable {
    /// By how much a program is nicer than the thread that starts it: at 10 from the unit's -5, at 15 where libdispatch, to whose
    /// threads nice 0 is the default, was free to set that.
    private static let niceSteps = 15

    private let account: Account
    private let isRoot: Bool

    /// Nil where this process, running as `ownUID`, may not become `account`.
    init?(_ account: Account, ownUID: UInt32) {
        guard ownUID == 0 || ownUID == account.uid else { return nil }
        self.account = account
        isRoot = ownUID == 0
    }

    /// What came of a run.
    enum End: Hashable, Sendable {
        case exited(Int)
        case killed(signal: Int)
        case notRun(String)
    }

    /// Runs to the end, with standard output and standard error on `output`, which stays open. A cancelled task kills the whole
    /// process group; the call still returns only when the program is gone.
    func run(_ arguments: [String], output: CInt) async -> End {
        var options = PlatformOptions()
        options.createSession = true
        options.teardownSequence = [
            .send(signal: .kill, toProcessGroup: true, allowedDurationToNextStep: .seconds(1))
        ]
        guard let target = Self.target(output, FileDescriptorOutput.fileDescriptor(_:closeAfterSpawningProcess:)) else {
            return .notRun("\(output) is no descriptor")
        }
        let words = ["-n", "\(Self.niceSteps)", "setpriv"] + privileges + ["--"] + arguments
        do {
            let result = try await Subprocess.run(
                .name("nice"), arguments: .init(words), environment: .custom(environment), platformOptions: options,
                input: .none, output: target, error: target)
            // What it left behind in its session ends with it. The group's id is not given anew while a member lives.
            kill(-result.processIdentifier.value, SIGKILL)
            switch result.terminationStatus {
            case .exited(let code): return .exited(Int(code))
            case .signaled(let signal): return .killed(signal: Int(signal))
            }
        } catch {
            return .notRun("\(error)")
        }
    }

    /// The library's output for a descriptor, which it leaves open: with `.combinedWithOutput` it would make a copy of it and leave
    /// that open too. Its type of descriptors belongs to a package that is not among ours, so it is made
    /// by what it conforms to.
    private static func target<Descriptor: RawRepresentable>(
        _ descriptor: CInt, _ make: (Descriptor, Bool) -> FileDescriptorOutput
    ) -> FileDescriptorOutput? where Descriptor.RawValue == CInt {
        Descriptor(rawValue: descriptor).map { make($0, false) }
    }

    private var privileges: [String] {
        // Without root's uid and with no file's capabilities honoured, only ambient ones could pass into the program.
        let always = ["--no-new-privs", "--ambient-caps=-all"]
        guard isRoot else { return always }
        return [
            "--reuid=\(account.uid)", "--regid=\(account.gid)", "--init-groups", "--bounding-set=-all",
            "--inh-caps=-all",
        ] + always
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
    func outcome(_ output: [UInt8], latency: Duration) -> ProbeOutcome {
        let line = String(decoding: output.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        let said = line.isEmpty ? "no output" : line.cut(toBytes: CheckMachine.messageLimit)
        switch self {
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
