/// A call that may not stand in the sources, or only in some places, and what to write instead.
struct Ban {
    var pattern: String
    var instead: String
    /// Folders or files where it may stand.
    var allowedIn: [String] = []

    static let inSources: [Ban] = blocking + libraries + names + processes + output

    /// What stops a thread: on the loop or on Swift's pool it stops the keepalive with it.
    private static let blocking: [Ban] = [
        // The last words of a process that ends, on a thread of its own.
        Ban(pattern: "usleep(", instead: timer, allowedIn: ["Sources/Shared/Runtime/Log.swift"]),
        Ban(pattern: "sleep(", instead: timer),
        Ban(pattern: "nanosleep(", instead: timer),
        Ban(pattern: "Task.sleep", instead: timer),
        Ban(pattern: "DispatchSemaphore", instead: worker),
        Ban(pattern: "DispatchQueue", instead: worker),
        Ban(pattern: "DispatchGroup", instead: worker),
        Ban(pattern: "sem_wait(", instead: worker),
        Ban(pattern: "pthread_join(", instead: worker),
        Ban(pattern: "pthread_cond_wait(", instead: worker),
        Ban(pattern: ".wait()", instead: "a callback or an action: nothing waits for a future"),
    ]

    /// C libraries, each behind one room.
    private static let libraries: [Ban] = [
        Ban(pattern: "sqlite3_", instead: "Store, on a Worker", allowedIn: ["Sources/Shared/Store"]),
        Ban(pattern: "mainstay_pattern_", instead: "Pattern", allowedIn: ["Sources/Shared/Patterns"]),
        Ban(pattern: "yaml_", instead: "Settings", allowedIn: ["Sources/Shared/Settings"]),
        Ban(pattern: "sd_bus_call(", instead: "sd_bus_call_async: a stopped dbus-daemon hangs a call past any timeout"),
        Ban(pattern: "sd_bus_call_method(", instead: "sd_bus_call_async, for the same reason"),
        Ban(pattern: "sd_bus_", instead: "Systemd's ProcessOne", allowedIn: ["Sources/Shared/Systemd"]),
        Ban(pattern: "Regex", instead: "Patterns (RE2) or a hand-written reader: Swift's Regex took 28 s on (a+)+b"),
        Ban(pattern: "NSRegularExpression", instead: "Patterns"),
    ]

    /// Look-ups of names, which may ask a network and block.
    private static let names: [Ban] = [
        Ban(
            pattern: "getaddrinfo(", instead: "an address, or the bounded pool of the Daemon room",
            allowedIn: ["Sources/Health/Daemon"]),
        Ban(pattern: "gethostbyname(", instead: "an address"),
        Ban(pattern: "getpwnam(", instead: "Principals, at start", allowedIn: lookUps),
        Ban(pattern: "getgrnam(", instead: "Principals, at start", allowedIn: ["Sources/Shared/Runtime/Caller.swift"]),
        Ban(pattern: "getpwuid(", instead: "the uid", allowedIn: lookUps),
    ]

    /// At start, on threads of healthd's that may block, and in a program that does nothing else meanwhile.
    private static let lookUps = [
        "Sources/Shared/Runtime/Caller.swift", "Sources/Health/Daemon/Names.swift", "Sources/Config/Validator",
    ]

    private static let processes: [Ban] = [
        Ban(pattern: "system(", instead: child),
        Ban(pattern: "popen(", instead: child),
        Ban(pattern: "fork(", instead: child),
        Ban(pattern: "vfork(", instead: child),
    ]

    private static let output: [Ban] = [
        Ban(
            pattern: "print(", instead: "an event or Log",
            allowedIn: [
                "Sources/CLI", "Sources/Simulation/Main", "Sources/Simulation/Kit/ReportLine.swift",
                "Sources/Shared/Runtime/Flags.swift",
                "Sources/Shared/Runtime/StartUp.swift",
            ])
    ]

    private static let timer = "a timer of the loop, or an action with a TimerID"
    private static let worker = "a Worker with a deadline"
    private static let child = "Subprocess in the Daemon room, as the user that the settings name"

    /// What would make a decision depend on anything but its event, `now` and its own state.
    static let inCores: [Ban] = [
        Ban(pattern: "ContinuousClock", instead: "`now: Moment`, a parameter"),
        Ban(pattern: "SuspendingClock", instead: "`now: Moment`, a parameter"),
        Ban(pattern: "clock_gettime(", instead: "`now: Moment`, a parameter"),
        Ban(pattern: "Date(", instead: "`now: Moment`, a parameter"),
        Ban(pattern: "SystemRandomNumberGenerator", instead: "a generator, a parameter"),
        Ban(pattern: "randomElement()", instead: "randomElement(using:)"),
        Ban(pattern: "shuffled()", instead: "shuffled(using:)"),
        Ban(pattern: "Task", instead: "an action"),
        Ban(pattern: "await", instead: "an action, and an event with its outcome"),
        Ban(pattern: "async", instead: "an action, and an event with its outcome"),
        Ban(pattern: "actor", instead: "a struct"),
        Ban(pattern: "class", instead: "a struct"),
    ]

    func violations(in source: SwiftSource) -> [Violation] {
        guard !allowedIn.contains(where: { source.path == $0 || source.isIn($0) }) else { return [] }
        return source.codeLines.enumerated().compactMap { index, line in
            guard line.holds(pattern) else { return nil }
            return Violation(path: source.path, line: index + 1, message: "\(pattern): write \(instead)")
        }
    }
}

extension Rule {
    static let bannedCalls = Rule(name: "nothing blocks, and each C library has its room") { source in
        source.isIn("Sources") ? Ban.inSources.flatMap { $0.violations(in: source) } : []
    }

    static let coresArePure = Rule(name: "a core sees no clock, no randomness, no thread") { source in
        guard source.isIn("Sources"), source.path.split(separator: "/").dropFirst(2).first == "Core" else { return [] }
        let unseeded = source.codeLines.enumerated().compactMap { index, line -> Violation? in
            guard line.holds("random(in:"), !line.holds("using:") else { return nil }
            return Violation(path: source.path, line: index + 1, message: "random(in:): write random(in:using:)")
        }
        return Ban.inCores.flatMap { $0.violations(in: source) } + unseeded
    }

    /// A switch over states must name them all: with `default` a new state is forgotten in silence.
    static let coresListTheirStates = Rule(name: "a core's switches over its states have no default") { source in
        guard source.isIn("Sources"), source.path.split(separator: "/").dropFirst(2).first == "Core" else { return [] }
        var violations: [Violation] = []
        // One entry an open brace: whether it is a switch's over a state, and whether a case of it begins with a dot.
        var braces: [(isSwitch: Bool, hasCase: Bool, defaultLine: Int?)] = []
        for (index, line) in source.codeLines.enumerated() {
            let trimmed = line.trimmed
            if let top = braces.indices.last, braces[top].isSwitch {
                if trimmed.hasPrefix("case .") || trimmed.hasPrefix("case (.") { braces[top].hasCase = true }
                if trimmed.hasPrefix("default:") { braces[top].defaultLine = index + 1 }
            }
            for byte in line.utf8 {
                if byte == UInt8(ascii: "{") {
                    braces.append((isSwitchOverState(line), false, nil))
                } else if byte == UInt8(ascii: "}"), let closed = braces.popLast(), closed.hasCase,
                    let line = closed.defaultLine
                {
                    let message =
                        "default in a switch over states: name each, so that a new one is a compiler error here"
                    violations.append(Violation(path: source.path, line: line, message: message))
                }
            }
        }
        return violations
    }

    /// By its subject's name: `switch state`, `switch (self.state, event)`, `switch self`, a phase, a condition. Whether it is an enum of
    /// ours only the compiler knows; switches over events and foreign values may have a default.
    private static func isSwitchOverState(_ line: Substring) -> Bool {
        guard line.holds("switch"), let subject = line.split(separator: "switch ").last?.lowercased() else {
            return false
        }
        return subject.trimmed == "self {" || ["state", "phase", "condition"].contains { subject.contains($0) }
    }
}

extension String {
    fileprivate var trimmed: Substring { self[...].trimmed }
}
