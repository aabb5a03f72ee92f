internal import CSystemd
internal import Glibc
internal import Time

/// Process 1's unit control and what it says of units, by D-Bus and without ever waiting for it.
///
/// It talks over process 1's private socket, which needs no dbus-daemon (a stopped one hangs bus calls past any timeout),
/// and over the system bus only where that fails. It connects again by itself, tells so by `disconnected` and `connected`,
/// and reads every followed unit anew after a connect: no change is lost, several may be told as one.
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
    private var nameByPath: [String: String] = [:]

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
                $0.nameByPath[Self.path(of: unit)] = nil
            }
        }
    }

    /// What a queued job is known by.
    package typealias JobAnswer = @Sendable (Result<UInt32, ProcessOneFailure>) -> Void

    /// Queues the unit's start; the answer is the job's id, and `jobRemoved` tells how it ended.
    package nonisolated func start(_ unit: String, _ answered: @escaping JobAnswer) {
        queue("StartUnit", unit, answered)
    }

    /// Queues the unit's stop. It cancels a restart that systemd has pending.
    package nonisolated func stop(_ unit: String, _ answered: @escaping JobAnswer) {
        queue("StopUnit", unit, answered)
    }

    /// Queues a stop and a start in one job. It waits for the old process as long as its `TimeoutStopSec=`.
    package nonisolated func restart(_ unit: String, _ answered: @escaping JobAnswer) {
        queue("RestartUnit", unit, answered)
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
        let arguments: [Argument] = [.string(unit), .string(target.rawValue), .int32(signal)]
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

    private enum Argument: Sendable {
        case string(String)
        case int32(Int32)

        var busArgument: BusArgument {
            switch self {
            case .string(let value): .string(value)
            case .int32(let value): .int32(value)
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
        _ destination: String, _ path: String, _ interface: String, _ member: String, _ arguments: [Argument],
        _ answered: @escaping (Result<BusReader, ProcessOneFailure>) -> Void
    ) {
        guard let connection, isReady else {
            answered(.failure(.notConnected))
            return
        }
        connection.call(
            destination: destination, path: path, interface: interface, member: member,
            arguments: arguments.map(\.busArgument), deadline: Self.callDeadline, answered)
    }

    private func callManager(
        _ member: String, _ arguments: [Argument],
        _ answered: @escaping (Result<BusReader, ProcessOneFailure>) -> Void
    ) {
        call(
            "org.freedesktop.systemd1", Self.managerPath, Self.managerInterface, member, arguments, answered)
    }

    private nonisolated func queue(_ member: String, _ unit: String, _ answered: @escaping JobAnswer) {
        thread.post {
            self.assumeIsolated { one in
                one.callManager(member, [.string(unit), .string("replace")]) { result in
                    answered(result.map { Self.jobID($0.string(.path) ?? "") })
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

    /// Has process 1 load the unit, should it have none of that name in memory, and reads its state.
    private func load(_ unit: String) {
        callManager("LoadUnit", [.string(unit)]) { _ in self.read(unit) }
    }

    private func read(_ unit: String) {
        let path = Self.path(of: unit)
        for interface in [Self.unitInterface, Self.serviceInterface] {
            call(
                "org.freedesktop.systemd1", path, "org.freedesktop.DBus.Properties", "GetAll", [.string(interface)]
            ) { result in
                guard case .success(let reader) = result, self.followed[unit] != nil else { return }
                self.apply(reader, to: unit)
                if interface == Self.serviceInterface, let state = self.followed[unit] {
                    self.told(.unitChanged(state))
                }
            }
        }
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
            case "Result": state.result = reader.string() ?? ""
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
        guard state != followed[unit] else { return false }
        followed[unit] = state
        return true
    }

    private func signalled(_ reader: BusReader, path: String, member: String) {
        switch member {
        case "PropertiesChanged":
            guard let unit = nameByPath[path] else { return }
            _ = reader.string()
            if apply(reader, to: unit), let state = followed[unit] {
                told(.unitChanged(state))
            }
        case "JobRemoved", "JobNew":
            guard let id = reader.uint32(), reader.string(.path) != nil, let unit = reader.string() else { return }
            if Self.lastUnits.contains(unit) {
                readSystemState()
            }
            guard followed[unit] != nil || Self.lastUnits.contains(unit) else { return }
            if member == "JobNew" {
                told(.jobAdded(id: id, unit: unit))
            } else {
                told(.jobRemoved(id: id, unit: unit, result: reader.string() ?? ""))
            }
        case "UnitNew":
            // A unit that was dropped from memory is back: what we knew of it is of another life.
            guard let unit = reader.string(), followed[unit] != nil else { return }
            read(unit)
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
    private static func path(of unit: String) -> String {
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
