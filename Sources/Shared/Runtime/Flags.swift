import Glibc
import Settings

/// A daemon's command line: nine words, read by hand, since a library for it would cost each daemon a MiB for good.
struct Flags {
    var settings = "/etc/mainstay"
    var sockets: String?
    var state: String?
    var documents: String?
    var isCheck = false
    var isDryRun = false
    var isForeground = false

    private enum Option: String {
        case settings = "--settings"
        case sockets = "--sockets"
        case state = "--state"
        case documents = "--documents"
        case check = "--check"
        case dryRun = "--dry-run"
        case foreground = "--foreground"
        case version = "--version"
        case help = "--help"

        var takesValue: Bool {
            switch self {
            case .settings, .sockets, .state, .documents: true
            case .check, .dryRun, .foreground, .version, .help: false
            }
        }
    }

    private static func usage(_ daemon: String) -> String {
        """
        usage: \(daemon) [--settings DIR] [--sockets DIR] [--state DIR] [--documents DIR]
                        [--check | --dry-run] [--foreground] [--version] [--help]
          --settings DIR   settings to read (/etc/mainstay)
          --sockets DIR    where \(daemon).sock and its peers' sockets are (/run/mainstay)
          --state DIR      where \(daemon) keeps what must outlive it ($STATE_DIRECTORY, or /var/lib/mainstay/\(daemon))
          --documents DIR  where \(daemon).openrpc.json is (/usr/share/mainstay/Protocols)
          --check          read the settings, say what is wrong with them, and end: 0 good, 78 refused
          --dry-run        decide and log, but act on nothing outside
          --foreground     log to standard error whatever it is

        """
    }

    /// Reads `--name value` and `--name=value`, or ends the process: 64 for what cannot be used, 0 for help and version.
    static func parse(_ arguments: [String], daemon: String) -> Flags {
        var flags = Flags()
        var rest = arguments.dropFirst()
        while let word = rest.popFirst() {
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard let option = Option(rawValue: parts[0]) else { refuse("unknown option \(word)", daemon) }
            if option.takesValue {
                guard let value = parts.count == 2 ? parts[1] : rest.popFirst() else {
                    refuse("\(word) takes a value", daemon)
                }
                flags.take(option, value, daemon: daemon)
            } else {
                guard parts.count == 1 else { refuse("\(parts[0]) takes no value", daemon) }
                flags.take(option, "", daemon: daemon)
            }
        }
        return flags
    }

    private mutating func take(_ option: Option, _ value: String, daemon: String) {
        switch option {
        case .settings: settings = value
        case .sockets: sockets = value
        case .state: state = value
        case .documents: documents = value
        case .check: isCheck = true
        case .dryRun: isDryRun = true
        case .foreground: isForeground = true
        case .version:
            print("\(daemon) \(Suite.version)")
            exit(0)
        case .help:
            print(Self.usage(daemon), terminator: "")
            exit(0)
        }
    }

    private static func refuse(_ why: String, _ daemon: String) -> Never {
        StandardError.write("\(daemon): \(why)\n\(usage(daemon))")
        exit(64)
    }

    /// The places that flags, environment and settings name, in that order.
    func places(_ settings: MainstaySettings, daemon: String) -> DaemonContext.Places {
        let ownState = getenv("STATE_DIRECTORY").map { String(cString: $0) }
        return DaemonContext.Places(
            settings: self.settings, sockets: sockets ?? settings.socketDirectory,
            state: state ?? ownState ?? "\(settings.stateDirectory)/\(daemon)",
            documents: documents ?? settings.protocolDirectory)
    }
}
