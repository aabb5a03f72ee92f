import HealthAPI
import HealthCore
import MetricsAPI
import Runtime
import Time
import Wire

/// Asks metricsd what a service uses: a few queries at once, one answer. What metricsd does not say in time is unknown.
@Loop final class UsageQuery {
    private let service: String
    private let done: @Loop (ResourceMetrics) -> Void
    private var open = 0
    private var series: [SeriesPoints] = []
    private var failure: RPCError?
    /// A peer that is silent costs at most this.
    private static let deadline = Duration.seconds(1)

    init(_ service: String, done: @escaping @Loop (ResourceMetrics) -> Void) {
        self.service = service
        self.done = done
    }

    func ask(_ metricsd: Peer, now: Moment) {
        let selectors = ResourceUsage.selectors(for: service)
        open = selectors.count
        for selector in selectors {
            let params = QueryRange.Params(
                selector: selector, fromMs: now.wall.milliseconds - ResourceUsage.spanMs,
                toMs: now.wall.milliseconds, stepMs: ResourceUsage.spanMs)
            metricsd.call(QueryRange.self, params, deadline: Self.deadline) { [self] result in answered(result) }
        }
    }

    private func answered(_ result: Result<QueryRange.Reply, RPCError>) {
        open -= 1
        switch result {
        case .success(let reply): series += reply.series
        case .failure(let error): failure = error
        }
        guard open == 0 else { return }
        if series.isEmpty, let failure {
            done(ResourceUsage.nothing(of: service, because: failure.message))
        } else {
            done(ResourceUsage.metrics(of: service, series: series))
        }
    }
}
