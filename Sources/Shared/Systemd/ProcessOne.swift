internal import CSystemd
internal import Glibc
internal import Time

/// Process 1's unit control and what it says of units, by D-Bus and without ever waiting for it.
///
/// It talks over process 1's private socket, which needs no dbus-daemon (a stopped one hangs bus calls past any
/// timeout), and over the system bus only where that fails. It connects again by itself, tells so by `disconnected` and
/// `connected`, and reads every followed unit anew after a connect: no change is lost, several may be told as one.
package actor ProcessOne {
    /// A way to process 1.
    package struct Route: Hashable, Sendable {
        /// A D-Bus address, as `unix:path=/run/systemd/private`.
        package var address: String
        /// Whether a message broker answers there, which wants a greeting and a match rule.
        package var isBroker: Bool

        package init(address: String, isBroker: Bool) {
            self.address = address
            self.isBroker = isBroker
        }

        /// For uid 0 only.
        package static let directly = Route(address: "unix:path=/run/systemd/private", isBroker: false)
        /// Over dbus-daemon, for any user; it hangs when dbus-daemon does.
        package static let systemBus = Route(address: "unix:path=/run/dbus/system_bus_socket", isBroker: true)
    }

    /// Every call's deadline (DESIGN §4).
    package static let callDeadline = Duration.seconds(2)
    /// How long a connect may take before the next route is tried.
    private static let connectDeadline = Duration.seconds(1)
    private static let longestPause = Duration.seconds(5)
    /// How long after a reading that was not answered in time a unit is read again.
    private static let readAgainAfter = Duration.seconds(1)
    private static let unitInterface = "org.freedesktop.systemd1.Unit"
    private static let serviceInterface = "org.freedesktop.systemd1.Service"
    private static let managerInterface = "org.freedesktop.systemd1.Manager"
    private static let managerPath = "/org/freedesktop/systemd1"
    /// The units whose start means that the host's run ends (bootup(7)).
    private static let lastUnits: Set<String> = [
        "shutdown.target", "reboot.target", "poweroff.target", "halt.target", "kexec.target", "exit.target",
        "soft-reboot.target", "factory-reset.target",
    ]

    private nonisolated let thread: EventThread
    private nonisolated let routes: [Route]
    private let told: @Sendable (ProcessOneEvent) -> Void
    private var connection: BusConnection?
    private var isReady = false
    private var attempts = 0
    private var followed: [String: UnitState] = [:]
    /// The units whose state was read whole on this connection: what signals say of others is a part, and is not told.
    private var whole: Set<String> = []
    private var nameByPath: [String: String] = [:]
    /// Jobs that calls of ours queued and that have not ended.
    private var jobs: Set<UInt32> = []

    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        thread.asUnownedSerialExecutor()
    }

    /// Starts to connect; `told` is called on `thread`, in order, and must not block.
    package init(
        on thread: EventThread, routes: [Route] = [.directly, .systemBus],
        told: @escaping @Sendable (ProcessOneEvent) -> Void
    ) {
        self.thread = thread
        self.routes = routes
        self.told = told
        thread.post { self.assumeIsolated { $0.connect() } }
    }

    // MARK: From any thread

    /// Follows `unit` from now on: its state comes at once, and again at each change.
    package nonisolated func follow(_ unit: String) {
        thread.post { self.assumeIsolated { $0.startFollowing(unit) } }
    }

    /// Stops telling of `unit`.
    package nonisolated func unfollow(_ unit: String) {
        thread.post {
            self.assumeIsolated {
                $0.followed[unit] = nil
                $0.whole.remove(unit)
                $0.nameByPath[Self.path(of: unit)] = nil
            }
        }
    }

    /// Reads the unit now and follows it from now on. The answer comes within twice `callDeadline`.
    package nonisolated func read(
        _ unit: String, _ answered: @escaping @Sendable (Result<UnitState, ProcessOneFailure>) -> Void
    ) {
        thread.post {
            self.assumeIsolated { one in
                if one.followed[unit] == nil {
                    one.startFollowing(unit)
                }
                one.readState(unit, answered)
            }
        }
    }

    /// When the unit's process last sent `WATCHDOG=1`, in microseconds of CLOCK_MONOTONIC. systemd notes it only of
    /// units with `WatchdogSec=`, and counts their start as one (seen on 252); otherwise 0. No signal tells of it.
    package nonisolated func lastKeepalive(
        of unit: String, _ answered: @escaping @Sendable (Result<UInt64, ProcessOneFailure>) -> Void
    ) {
        let arguments: [BusArgument] = [.string(Self.serviceInterface), .string("WatchdogTimestampMonotonic")]
        thread.post {
            self.assumeIsolated { one in
                one.call(
                    "org.freedesktop.systemd1", Self.path(of: unit), "org.freedesktop.DBus.Properties", "Get", arguments
                ) { result in
                    answered(result.map { reader in reader.inside(.variant, "t") { reader.uint64() ?? 0 } ?? 0 })
                }
            }
        }
    }

    /// What a queued job is known by.
    package typealias JobAnswer = @Sendable (Result<UInt32, ProcessOneFailure>) -> Void

    /// Queues the unit's start; the answer is the job's id, and `jobRemoved` tells how it ended.
    package nonisolated func start(_ unit: String, _ answered: @escaping JobAnswer) {
        queue("StartUnit", [.string(unit), .string("replace")], answered)
    }

    /// Queues the unit's stop. It cancels a restart that systemd has pending.
    package nonisolated func stop(_ unit: String, _ answered: @escaping JobAnswer) {
        queue("StopUnit", [.string(unit), .string("replace")], answered)
    }

    /// Queues a stop and a start in one job. It waits for the old process as long as its `TimeoutStopSec=`.
    package nonisolated func restart(_ unit: String, _ answered: @escaping JobAnswer) {
        queue("RestartUnit", [.string(unit), .string("replace")], answered)
    }

    /// Queues the unit's reload: its `ExecReload=`. A unit without one fails the call.
    package nonisolated func reload(_ unit: String, _ answered: @escaping JobAnswer) {
        queue("ReloadUnit", [.string(unit), .string("replace")], answered)
    }

    /// A program for a unit of its own, which goes when the program has ended.
    package struct Program: Hashable, Sendable {
        /// The program's absolute path, then its arguments.
        package var arguments: [String]
        /// The user that it runs as.
        package var user: String
        /// After this long it is ended.
        package var timeout: Duration

        package init(arguments: [String], user: String, timeout: Duration) {
            self.arguments = arguments
            self.user = user
            self.timeout = timeout
        }
    }

    /// Runs a program as the transient unit `unit` (`NAME.service`): process 1 starts it, as its user and with none of
    /// the caller's powers or sandbox. Its job is `done` when it exits with 0, and `failed` otherwise.
    package nonisolated func run(_ program: Program, as unit: String, _ answered: @escaping JobAnswer) {
        let command = BusArgument.structure(
            "sasb",
            [
                .string(program.arguments.first ?? ""), .array(of: "s", program.arguments.map { .string($0) }),
                .bool(false),
            ])
        let microseconds = UInt64(clamping: program.timeout.nanoseconds / 1000)
        let properties: [BusArgument] = [
            .property("Description", "s", .string("A hook of Mainstay's settings")),
            .property("Type", "s", .string("oneshot")),
            .property("User", "s", .string(program.user)),
            .property("ExecStart", "a(sasb)", .array(of: "(sasb)", [command])),
            .property("TimeoutStartUSec", "t", .uint64(microseconds)),
            .property("CollectMode", "s", .string("inactive-or-failed")),
        ]
        let arguments: [BusArgument] = [
            .string(unit), .string("fail"), .array(of: "(sv)", properties), .array(of: "(sa(sv))", []),
        ]
        queue("StartTransientUnit", arguments, answered)
    }

    /// Whom `kill` sends its signal to.
    package enum Target: String, Sendable {
        case main, control, all
    }

    /// Sends `signal` to the unit's processes. It goes through process 1, which knows them all by their cgroup.
    package nonisolated func kill(
        _ unit: String, _ target: Target, signal: Int32,
        _ answered: @escaping @Sendable (Result<Void, ProcessOneFailure>) -> Void
    ) {
        let arguments: [BusArgument] = [.string(unit), .string(target.rawValue), .int32(signal)]
        thread.post {
            self.assumeIsolated { one in
                one.callManager("KillUnit", arguments) { answered($0.map { _ in }) }
            }
        }
    }

    /// Clears a unit's failed state and its start counter.
    package nonisolated func resetFailed(
        _ unit: String, _ answered: @escaping @Sendable (Result<Void, ProcessOneFailure>) -> Void
    ) {
        thread.post {
            self.assumeIsolated { one in
                one.callManager("ResetFailedUnit", [.string(unit)]) { answered($0.map { _ in }) }
            }
        }
    }

    /// Ends the connection for good; calls in flight fail.
    package nonisolated func close() {
        thread.post {
            self.assumeIsolated {
                $0.attempts = -1
                $0.connection?.close()
                $0.connection = nil
            }
        }
    }

    // MARK: The connection

    private func connect() {
        guard connection == nil, attempts >= 0 else { return }
        let route = routes[attempts % routes.count]
        attempts += 1
        isReady = false
        let made = BusConnection(
            address: route.address, isBroker: route.isBroker, thread: thread,
            ready: { self.connected(by: route) },
            signal: { self.signalled($0, path: $1, member: $2) },
            ended: { self.lost($0) })
        guard let made else {
            lost("\(route.address): \(String(cString: strerror(errno)))")
            return
        }
        connection = made
        thread.after(Self.connectDeadline) { [weak made] in
            guard let made, self.connection === made, !self.isReady else { return }
            made.close()
            self.lost("\(route.address): no answer to the greeting")
        }
    }

    private func lost(_ reason: String) {
        connection = nil
        isReady = false
        jobs = []
        whole = []
        guard attempts >= 0 else { return }
        told(.disconnected(reason: reason))
        // All routes at once, then a pause that doubles: 100 ms to 5 s.
        let rounds = attempts / routes.count
        let pause: Duration =
            attempts % routes.count != 0 ? .zero : min(.milliseconds(50 << min(rounds, 7)), Self.longestPause)
        thread.after(pause) { self.connect() }
    }

    private func connected(by route: Route) {
        isReady = true
        attempts = 0
        told(.connected(route))
        if route.isBroker {
            let rule = "type='signal',sender='org.freedesktop.systemd1'"
            call(
                "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "AddMatch", [.string(rule)]
            ) { _ in }
        }
        // Without it process 1 sends no signals over a bus, JobRemoved among them (seen on 252).
        callManager("Subscribe", []) { _ in }
        readSystemState()
        for unit in followed.keys.sorted() {
            load(unit)
        }
    }

    private func call(
        _ destination: String, _ path: String, _ interface: String, _ member: String, _ arguments: [BusArgument],
        _ answered: @escaping (Result<BusReader, ProcessOneFailure>) -> Void
    ) {
        guard let connection, isReady else {
            answered(.failure(.notConnected))
            return
        }
        connection.call(
            destination: destination, path: path, interface: interface, member: member,
            arguments: arguments, deadline: Self.callDeadline, answered)
    }

    private func callManager(
        _ member: String, _ arguments: [BusArgument],
        _ answered: @escaping (Result<BusReader, ProcessOneFailure>) -> Void
    ) {
        call(
            "org.freedesktop.systemd1", Self.managerPath, Self.managerInterface, member, arguments, answered)
    }

    private nonisolated func queue(
        _ member: String, _ arguments: [BusArgument], _ answered: @escaping JobAnswer
    ) {
        thread.post {
            self.assumeIsolated { one in
                one.callManager(member, arguments) { result in
                    let job = result.map { Self.jobID($0.string(.path) ?? "") }
                    if case .success(let id) = job { one.jobs.insert(id) }
                    answered(job)
                }
            }
        }
    }

    // MARK: Units

    private func startFollowing(_ unit: String) {
        followed[unit] = UnitState(name: unit)
        nameByPath[Self.path(of: unit)] = unit
        if isReady {
            load(unit)
        }
    }

    /// Has process 1 load the unit, should it have none of that name in memory, and tells its state.
    private func load(_ unit: String) {
        callManager("LoadUnit", [.string(unit)]) { _ in self.readAndTell(unit) }
    }

    /// Tells the unit's state, however long process 1 takes to show it: nothing else may happen to the unit for weeks, so nobody
    /// would ask again.
    private func readAndTell(_ unit: String) {
        readState(unit) { result in
            switch result {
            case .success(let state): self.told(.unitChanged(state))
            case .failure(.timedOut): self.thread.after(Self.readAgainAfter) { self.readAndTell(unit) }
            // All units are read at the next connect; or this one is not followed any more.
            case .failure: break
            }
        }
    }

    /// Two calls, sent together: systemd answers them in order, so the second's answer ends the reading.
    private func readState(_ unit: String, _ answered: @escaping (Result<UnitState, ProcessOneFailure>) -> Void) {
        let path = Self.path(of: unit)
        getAll(path, Self.unitInterface) { result in
            if case .success(let reader) = result { self.apply(reader, to: unit) }
        }
        getAll(path, Self.serviceInterface) { result in
            switch result {
            case .success(let reader):
                self.apply(reader, to: unit)
                if self.followed[unit] != nil { self.whole.insert(unit) }
                answered(self.followed[unit].map { .success($0) } ?? .failure(.notFollowed))
            case .failure(let failure):
                answered(.failure(failure))
            }
        }
    }

    private func getAll(
        _ path: String, _ interface: String, _ answered: @escaping (Result<BusReader, ProcessOneFailure>) -> Void
    ) {
        call(
            "org.freedesktop.systemd1", path, "org.freedesktop.DBus.Properties", "GetAll", [.string(interface)],
            answered)
    }

    /// A job's kind is a property of the job alone.
    private func readKind(ofJob job: UInt32, of unit: String) {
        call(
            "org.freedesktop.systemd1", "\(Self.managerPath)/job/\(job)", "org.freedesktop.DBus.Properties", "Get",
            [.string("org.freedesktop.systemd1.Job"), .string("JobType")]
        ) { result in
            guard case .success(let reader) = result, let kind = reader.inside(.variant, "s", { reader.string() }),
                var state = self.followed[unit], state.job == job
            else { return }
            state.jobKind = kind ?? ""
            self.followed[unit] = state
            self.tell(unit)
        }
    }

    private func tell(_ unit: String) {
        guard whole.contains(unit), let state = followed[unit] else { return }
        told(.unitChanged(state))
    }

    /// Takes over the properties of an `a{sv}` that a supervisor needs; true where one of them differs now.
    @discardableResult
    private func apply(_ reader: BusReader, to unit: String) -> Bool {
        guard var state = followed[unit] else { return false }
        reader.properties { name in
            switch name {
            case "LoadState": state.loadState = reader.string() ?? ""
            case "ActiveState": state.activeState = reader.string() ?? ""
            case "SubState": state.subState = reader.string() ?? ""
            case "Restart": state.restart = reader.string() ?? ""
            case "Result": state.result = reader.string() ?? ""
            case "ExecMainStartTimestampMonotonic": state.mainStartedUsec = reader.uint64() ?? 0
            case "MainPID": state.mainPid = reader.uint32().map { Int32(clamping: $0) } ?? 0
            case "ExecMainCode": state.exitCode = reader.int32() ?? 0
            case "ExecMainStatus": state.exitStatus = reader.int32() ?? 0
            case "NRestarts": state.restarts = reader.uint32() ?? 0
            case "InvocationID": state.invocation = reader.bytesAsHex() ?? ""
            case "Job": state.job = reader.inside(.structure, "uo") { reader.uint32() ?? 0 } ?? 0
            case "ControlGroup": state.controlGroup = reader.string() ?? ""
            default: break  // Some 300 others.
            }
        }
        let before = followed[unit]
        guard state != before else { return false }
        if state.job != before?.job {
            state.jobKind = ""
            if state.job != 0 {
                readKind(ofJob: state.job, of: unit)
            }
        }
        followed[unit] = state
        return true
    }

    private func signalled(_ reader: BusReader, path: String, member: String) {
        switch member {
        case "PropertiesChanged":
            guard let unit = nameByPath[path] else { return }
            _ = reader.string()
            if apply(reader, to: unit) { tell(unit) }
        case "JobRemoved", "JobNew":
            guard let id = reader.uint32(), reader.string(.path) != nil, let unit = reader.string() else { return }
            if Self.lastUnits.contains(unit) {
                readSystemState()
            }
            if member == "JobRemoved", var state = followed[unit], state.job == id {
                // The unit's own signal of it comes later: until then no other change may show a job that has ended.
                state.job = 0
                state.jobKind = ""
                followed[unit] = state
            }
            guard member == "JobRemoved" else { return }
            if jobs.remove(id) != nil || followed[unit] != nil {
                told(.jobRemoved(id: id, unit: unit, result: reader.string() ?? ""))
            }
            // The last change that systemd signals of the unit still shows the job (seen on 252): ask once more.
            if followed[unit] != nil { readAndTell(unit) }
        case "UnitNew":
            // A unit that was dropped from memory is back: what we knew of it is of another life.
            guard let unit = reader.string(), followed[unit] != nil else { return }
            load(unit)
        case "StartupFinished":
            readSystemState()
        default:
            break  // UnitRemoved, UnitFilesChanged, Reloading: nothing follows from them.
        }
    }

    private func readSystemState() {
        call(
            "org.freedesktop.systemd1", Self.managerPath, "org.freedesktop.DBus.Properties", "Get",
            [.string(Self.managerInterface), .string("SystemState")]
        ) { result in
            guard case .success(let reader) = result,
                let state = reader.inside(.variant, "s", { reader.string() })
            else { return }
            self.told(.systemState(state ?? ""))
        }
    }

    /// The object path of a unit: each byte that is not a letter or a digit (or a leading digit) as `_` and two digits.
    static func path(of unit: String) -> String {
        var encoded: UnsafeMutablePointer<CChar>?
        guard sd_bus_path_encode("/org/freedesktop/systemd1/unit", unit, &encoded) >= 0, let encoded else { return "" }
        defer { free(encoded) }
        return String(cString: encoded)
    }

    /// `/org/freedesktop/systemd1/job/17` as 17; 0 where it is no such path.
    private static func jobID(_ path: String) -> UInt32 {
        path.split(separator: "/").last.flatMap { UInt32($0) } ?? 0
    }
}
