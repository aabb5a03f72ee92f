internal import Time

/// All units that process 1 has in memory, counted, and the few of them that somebody asked for or that failed.
package struct UnitListing: Hashable, Sendable {
    /// One unit of the few.
    package struct Unit: Hashable, Sendable {
        /// `gateway.service`.
        package var name: String
        /// `active`, `failed`, …, as in `UnitState`.
        package var activeState: String
        /// A service's `Type=`: `simple`, `notify`, …; empty for other units.
        package var type: String

        package init(name: String, activeState: String, type: String = "") {
            self.name = name
            self.activeState = activeState
            self.type = type
        }
    }

    /// How many units are in each state, whatever their kind.
    package var counts: [String: Int] = [:]
    /// Sorted by name. Only what is loaded.
    package var units: [Unit] = []
    /// `initializing`, `starting`, `running`, `degraded`, `maintenance`, `stopping`.
    package var systemState = ""

    package init() {}
}

/// Asks process 1 which units there are, by D-Bus and without ever waiting for it.
///
/// The first reading connects, by the first route that leads to process 1. The connection stays and is subscribed to nothing, so
/// that nothing comes of itself; it is given up when a call fails, and the next reading makes another.
package actor UnitLister {
    package typealias Answer = @Sendable (Result<UnitListing, ProcessOneFailure>) -> Void

    private static let connectDeadline = Duration.seconds(1)
    /// Of a host on which everything fails, this many units are named.
    private static let mostUnits = 200
    private static let service = "org.freedesktop.systemd1"
    private static let manager = "/org/freedesktop/systemd1"

    /// The reading under way.
    private struct Reading {
        var asked: Set<String>
        var kinds: [String]
        var answered: Answer
        /// The route to try next.
        var route = 0
        /// Calls that have not been answered.
        var calls = 0
        var listing = UnitListing()
        var isListed = false
        /// A route led somewhere, and nothing answered there.
        var metSilence = false
    }

    private nonisolated let thread: EventThread
    private nonisolated let routes: [ProcessOne.Route]
    private var connection: BusConnection?
    private var isReady = false
    private var reading: Reading?

    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        thread.asUnownedSerialExecutor()
    }

    package init(on thread: EventThread, routes: [ProcessOne.Route]) {
        self.thread = thread
        self.routes = routes
    }

    /// Reads once; the answer comes on `thread`, within a second a route and twice `ProcessOne.callDeadline`.
    /// - Parameters:
    ///   - asked: the units to be named, whatever their state.
    ///   - kinds: of what ends in one of these, what failed is named too: `.service`.
    package nonisolated func read(_ asked: Set<String>, failed kinds: [String], _ answered: @escaping Answer) {
        thread.post { self.assumeIsolated { $0.begin(Reading(asked: asked, kinds: kinds, answered: answered)) } }
    }

    /// Ends the connection; a reading under way fails.
    package nonisolated func close() {
        thread.post { self.assumeIsolated { $0.end(.failure(.disconnected)) } }
    }

    // MARK: The connection

    private func begin(_ new: Reading) {
        guard reading == nil else { return new.answered(.failure(.timedOut)) }
        reading = new
        if isReady { ask() } else { connect() }
    }

    private func connect() {
        guard let reading, reading.route < routes.count else {
            return end(.failure(reading?.metSilence == true ? .timedOut : .notConnected))
        }
        let route = routes[reading.route]
        self.reading?.route += 1
        let made = BusConnection(
            address: route.address, isBroker: route.isBroker, thread: thread,
            ready: {
                self.isReady = true
                self.ask()
            }, signal: { _, _, _ in }, ended: { _ in self.lost() })
        guard let made else { return connect() }
        connection = made
        thread.after(Self.connectDeadline) { [weak made] in
            guard let made, self.connection === made, !self.isReady else { return }
            made.close()
            self.reading?.metSilence = true
            self.lost()
        }
    }

    private func lost() {
        connection = nil
        guard !isReady else { return end(.failure(.disconnected)) }
        if reading != nil { connect() }
    }

    /// Answers the reading, if one is under way. What failed costs the connection: the next reading begins anew.
    private func end(_ result: Result<UnitListing, ProcessOneFailure>) {
        let answered = reading?.answered
        reading = nil
        if case .failure = result {
            let old = connection
            connection = nil
            isReady = false
            old?.close()
        }
        answered?(result)
    }

    // MARK: The reading

    private func ask() {
        call(Self.manager, "org.freedesktop.systemd1.Manager", "ListUnits", []) { self.take($0) }
        get(Self.manager, "org.freedesktop.systemd1.Manager", "SystemState") { self.reading?.listing.systemState = $0 }
    }

    /// Calls; whatever the answer, when it is the last one that is awaited the reading goes on.
    private func call(
        _ path: String, _ interface: String, _ member: String, _ arguments: [BusArgument],
        _ taken: @escaping (BusReader) -> Void
    ) {
        reading?.calls += 1
        connection?.call(
            destination: Self.service, path: path, interface: interface, member: member, arguments: arguments,
            deadline: ProcessOne.callDeadline
        ) { result in
            guard self.reading != nil else { return }
            switch result {
            case .success(let reader): taken(reader)
            // A unit may be gone since it was listed; without the list there is nothing.
            case .failure(let failure): if self.reading?.isListed != true { return self.end(.failure(failure)) }
            }
            self.reading?.calls -= 1
            if self.reading?.calls == 0 { self.goOn() }
        }
    }

    private func get(_ path: String, _ interface: String, _ property: String, _ taken: @escaping (String) -> Void) {
        let arguments: [BusArgument] = [.string(interface), .string(property)]
        call(path, "org.freedesktop.DBus.Properties", "Get", arguments) { reader in
            if let value = reader.inside(.variant, "s", { reader.string() }) { taken(value ?? "") }
        }
    }

    /// `ListUnits`: name, description, load, active and sub state, the unit it follows, path, and its job (3).
    private func take(_ reader: BusReader) {
        _ = reader.inside(.array, "(ssssssouso)") {
            while reader.inside(.structure, "ssssssouso", { takeUnit(reader) }) != nil {}
        }
        reading?.listing.units.sort { $0.name < $1.name }
    }

    private func takeUnit(_ reader: BusReader) {
        guard let name = reader.string(), reader.string() != nil, let loadState = reader.string(),
            let state = reader.string(), let reading
        else { return }
        self.reading?.listing.counts[state, default: 0] += 1
        guard loadState == "loaded", reading.listing.units.count < Self.mostUnits else { return }
        let hasFailed = state == "failed" && reading.kinds.contains { name.hasSuffix($0) }
        guard hasFailed || reading.asked.contains(name) else { return }
        self.reading?.listing.units.append(UnitListing.Unit(name: name, activeState: state))
    }

    /// After the list the kinds of its services, then the end.
    private func goOn() {
        guard let reading else { return }
        guard !reading.isListed else { return end(.success(reading.listing)) }
        self.reading?.isListed = true
        for (index, unit) in reading.listing.units.enumerated() where unit.name.hasSuffix(".service") {
            get(ProcessOne.path(of: unit.name), "org.freedesktop.systemd1.Service", "Type") {
                self.reading?.listing.units[index].type = $0
            }
        }
        if self.reading?.calls == 0 { goOn() }
    }
}
