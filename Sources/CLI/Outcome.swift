import Wire

/// How a command ended: its exit code. The numbers are a contract with scripts and never change.
enum Outcome: Int32, CaseIterable {
    /// The answer is there, and it is good.
    case good = 0
    /// The answer is there, and it is bad: a service or a daemon is in trouble, settings are wrong, nothing was found.
    case bad = 1
    /// A daemon refused the call; standard error has its reason and remedy.
    case refused = 2
    /// A daemon that was needed did not answer; standard error names it.
    case silent = 3
    /// The command line cannot be understood (EX_USAGE of sysexits.h, which the argument parser uses).
    case misused = 64

    /// The outcome of a call that failed.
    init(_ error: RPCError) {
        self = error.isSilence ? .silent : .refused
    }

    /// What it says, in the words of Protocols/README.md.
    var meaning: String {
        switch self {
        case .good: "the answer is good"
        case .bad: "the answer is bad: a service or a daemon in trouble, wrong settings, nothing found"
        case .refused: "a daemon refused; standard error says why and what to do"
        case .silent: "a daemon that was needed did not answer; standard error names it"
        case .misused: "the command line cannot be understood"
        }
    }

    /// The codes for `mainstay help`.
    static var table: String {
        allCases.map { "  \($0.rawValue)\($0.rawValue < 10 ? " " : "")  \($0.meaning)" }.joined(separator: "\n")
    }
}
