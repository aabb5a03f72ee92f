import MetricsCore
import Runtime
import Time

/// The servers that services and the host need, each read on a thread of its own: one that hangs holds up nobody.
@Loop final class Servers {
    /// A thread, and whom it is for. Threads are kept when their target goes, and taken for another.
    private struct Seat {
        var worker: Worker<ServerReader>
        var target: ServerTarget?
        /// Jobs that have not come back. A server that hangs past its deadline keeps its seat.
        var jobs = 0
    }

    /// How much later than a reader's own deadline its collector's is, so that the reason is the reader's.
    static let grace: Duration = .milliseconds(300)

    private let context: DaemonContext
    private var seats: [Seat] = []
    private var targets: [ServerTarget] = []
    private var round = RoundBuilder()

    init(_ context: DaemonContext) {
        self.context = context
    }

    /// Takes the targets from the settings. What is no longer among them loses its connection.
    func watch(_ targets: [ServerTarget]) {
        self.targets = targets
        for (index, seat) in seats.enumerated() {
            guard let target = seat.target, !targets.contains(target) else { continue }
            seats[index].target = nil
            seat.worker.submit { $0.leave() }
        }
    }

    /// Reads once and tells on the loop, however late.
    func measure(
        _ target: ServerTarget, withTable: Bool, then: @escaping @Loop @Sendable (Result<Collection, any Error>) -> Void
    ) {
        let index = seat(of: target)
        seats[index].jobs += 1
        seats[index].worker.submit(deadline: target.timeout + Self.grace) { [weak self] reader in
            let result = Result { try reader.measure(target, withTable: withTable) }
            Loop.post {
                self?.seats[index].jobs -= 1
                then(result)
            }
        } then: { [weak self] result in
            guard case .failure(let error) = result, !Metricsd.isLate(error) else { return }
            self?.seats[index].jobs -= 1
            then(.failure(error))
        }
    }

    /// The target's own thread, or one that has nothing to do, or a new one: never more than there are targets and servers that hang.
    private func seat(of target: ServerTarget) -> Int {
        if let own = seats.firstIndex(where: { $0.target == target }) { return own }
        if let free = seats.firstIndex(where: { $0.target == nil && $0.jobs == 0 }) {
            seats[free].target = target
            return free
        }
        let worker = context.worker(name: "server\(seats.count + 1)") { ServerReader() }
        seats.append(Seat(worker: worker, target: target))
        return seats.count - 1
    }

    /// Whether each server answers, as the exporters tell it: what stays when their other series end.
    /// - Parameter isUp: by a collector's name.
    func health(withTable: Bool, isUp: (String) -> Bool) -> Collection {
        for target in targets {
            ServerFigures.add(isUp(target.collector) ? 1 : 0, target.upMetric, target.labels, own: [], to: &round)
        }
        return round.finish(withTable: withTable)
    }
}
