import Files
import Glibc
import MetricsCore
import Runtime
import Systemd

/// systemd's units by state, under node_exporter's names. Each state of a unit is a series, and a host has hundreds of units: so
/// only guarded ones and those that failed have theirs, which is what rules ask for, and of all there are the sums.
@Loop final class UnitReader {
    /// node_exporter's default: of a device, a mount, a scope, a slice or a target there is no state.
    private static let kinds = [".path", ".service", ".socket", ".swap", ".timer"]
    /// Where nothing answers the figures are absent; that is no failure: not every host has systemd, or a D-Bus daemon.
    private static let booted = "/run/systemd/system"

    private let routes: [ProcessOne.Route]
    private var thread: EventThread?
    private var lister: UnitLister?
    private var round = RoundBuilder()

    /// Only root may use process 1's own socket.
    init(routes: [ProcessOne.Route] = geteuid() == 0 ? [.directly, .systemBus] : [.systemBus]) {
        self.routes = routes
    }

    /// Reads once and tells on the loop.
    func measure(
        _ units: [WatchedUnit], withTable: Bool, then: @escaping @Loop @Sendable (Result<Collection, any Error>) -> Void
    ) {
        guard let lister = lister ?? connect() else { return then(.success(round.finish(withTable: withTable))) }
        lister.read(Set(units.map(\.unit)), failed: Self.kinds) { [weak self] result in
            Loop.post { self?.take(result, withTable: withTable, then) }
        }
    }

    func stop() {
        lister?.close()
        thread?.stop()
        lister = nil
        thread = nil
    }

    private func connect() -> UnitLister? {
        guard access(Self.booted, F_OK) == 0, let thread = EventThread(name: "bus") else { return nil }
        let lister = UnitLister(on: thread, routes: routes)
        self.thread = thread
        self.lister = lister
        return lister
    }

    private func take(
        _ result: Result<UnitListing, ProcessOneFailure>, withTable: Bool,
        _ then: (Result<Collection, any Error>) -> Void
    ) {
        switch result {
        case .success(let listing): UnitLines.add(listing, to: &round)
        case .failure(.notConnected): break
        case .failure(let failure): return then(.failure(failure))
        }
        then(.success(round.finish(withTable: withTable)))
    }
}

/// What a listing of units comes to.
enum UnitLines {
    /// The states that node_exporter knows. `reloading` and `maintenance` are counted where there are such.
    private static let states = ["active", "activating", "deactivating", "failed", "inactive"]

    static func add(_ listing: UnitListing, to round: inout RoundBuilder) {
        for state in Set(states).union(listing.counts.keys).sorted() {
            round.add("node_systemd_units", Double(listing.counts[state] ?? 0), "state", state)
        }
        if !listing.systemState.isEmpty {
            round.add("node_systemd_system_running", listing.systemState == "running" ? 1 : 0)
        }
        for unit in listing.units {
            for state in states {
                var text = "\(unit.name) \(state) \(unit.type)"
                let key = text.withUTF8 { SeriesKey("node_systemd_unit_state").adding(UnsafeRawBufferPointer($0)) }
                round.add(unit.activeState == state ? 1 : 0, key: key.value) {
                    Labels(
                        "node_systemd_unit_state",
                        [Label("name", unit.name), Label("state", state), Label("type", unit.type)])
                }
            }
        }
    }
}
