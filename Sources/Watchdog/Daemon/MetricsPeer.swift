import MetricsAPI
import Runtime
import Time

/// metricsd as watchdogd sees it: how many requests a service says that it served. Asked only while a probe of it is
/// overdue, since its growth is then the proof that the service is busy and not hung; nothing waits for the answer.
@Loop final class MetricsPeer {
    private let peer: Peer
    private static let deadline: Duration = .seconds(1)

    init(_ peer: Peer) {
        self.peer = peer
    }

    func start() { peer.start() }

    /// The service's own counter `name`, summed over its labels; `answered` is not called where nobody knows.
    func served(_ name: String, by service: String, nowMs: Int64, answered: @escaping @Loop (Int64) -> Void) {
        let params = QueryRange.Params(
            selector: "\(name){service=\"\(service)\"}", fromMs: nowMs, toMs: nowMs, stepMs: 1000)
        peer.call(QueryRange.self, params, deadline: Self.deadline) { result in
            guard case .success(let reply) = result, !reply.series.isEmpty else { return }
            let total = reply.series.reduce(0.0) { sum, series in sum + (series.points.last?.value.value ?? 0) }
            if total.isFinite, let whole = Int64(exactly: total.rounded()) { answered(whole) }
        }
    }
}
