import MetricsAPI
import MetricsCore
import Runtime
import Time
import Wire

/// What metricsd tells people: journal entries with the ids of systemd/mainstay.catalog, and events for subscribers.
@Loop final class Notices {
    private static let collectorFailed = MessageID("31e7367ef22e4f869261d6b47b51c31a")
    private static let collectorRecovered = MessageID("0334c23e07604f9ba04946439269f556")
    private static let storeFailed = MessageID("19c12d1c24fd4da7a1a6cea0909794e7")
    private static let storeRecovered = MessageID("aa8592f7caed44dfac3d29a99617ea97")
    private static let seriesRefused = MessageID("7ac537a0d7d94374963da79d85b46312")
    private static let seriesRepeated = MessageID("31f16f2fedb049ec8785348ec2720ee8")

    private static let remoteFailed = MessageID("40182266993246ad95b99dd95b7ee6ac")
    private static let remoteRecovered = MessageID("88bdec9ade1340d999e6ad53c2159ac5")
    private static let remoteRefused = MessageID("e37ae35a7c8441f18ec42af3d3067020")

    private let context: DaemonContext

    init(_ context: DaemonContext) {
        self.context = context
    }

    func write(_ report: MetricsMachine.Report) {
        switch report {
        case .collectorDown(let name, _, let reason, let attempts):
            log(
                .warning, "cannot measure \(name): \(reason) (\(attempts) attempts)", Self.collectorFailed,
                ["MAINSTAY_COLLECTOR": name, "MAINSTAY_REASON": reason])
        case .collectorUp(let name, _, let downFor):
            log(
                .notice, "measures \(name) again after \(downFor.milliseconds) ms", Self.collectorRecovered,
                ["MAINSTAY_COLLECTOR": name])
        case .storeFailing(let reason):
            log(
                .error, "cannot use the store and goes on in memory: \(reason)", Self.storeFailed,
                ["MAINSTAY_REASON": reason])
        case .storeWorking(let failedFor):
            log(.notice, "uses the store again after \(failedFor.milliseconds) ms", Self.storeRecovered, [:])
        case .seriesRefused(let collector, let count, let example):
            log(
                .warning, "\(count) series of \(collector) were refused, among them \(example)", Self.seriesRefused,
                ["MAINSTAY_COLLECTOR": collector])
        case .seriesRepeated(let collector, let count, let example):
            log(
                .warning, "\(collector) names \(count) series twice, among them \(example)", Self.seriesRepeated,
                ["MAINSTAY_COLLECTOR": collector])
        }
    }

    func publish(_ report: MetricsMachine.Report) {
        switch report {
        case .collectorDown(let name, let level, let reason, let attempts):
            context.publish(
                MetricsEvents.collectorFailed,
                CollectorFailed(collector: name, level: level, reason: reason, attempts: attempts))
        case .collectorUp(let name, let level, let downFor):
            context.publish(
                MetricsEvents.collectorRecovered,
                CollectorRecovered(collector: name, level: level, downMs: downFor.milliseconds))
        case .storeFailing(let reason):
            context.publish(MetricsEvents.storeFailed, StoreFailed(reason: reason))
        case .storeWorking(let failedFor):
            context.publish(MetricsEvents.storeRecovered, StoreRecovered(downMs: failedFor.milliseconds))
        case .seriesRefused(let collector, let count, let example):
            context.publish(
                MetricsEvents.seriesRefused, SeriesRefused(collector: collector, count: count, example: example))
        case .seriesRepeated(let collector, let count, let example):
            context.publish(
                MetricsEvents.seriesRepeated, SeriesRefused(collector: collector, count: count, example: example))
        }
    }

    /// What a receiver of remote write has to be told of.
    func write(_ report: RemoteWriter.Report, of url: String) {
        switch report {
        case .failing(let reason):
            log(
                .warning, "cannot hand on to \(url), and keeps what is measured: \(reason)", Self.remoteFailed,
                ["MAINSTAY_URL": url, "MAINSTAY_REASON": reason])
            context.publish(MetricsEvents.remoteFailed, RemoteFailed(url: url, reason: reason))
        case .working(let failedFor):
            log(
                .notice, "hands on to \(url) again after \(failedFor.milliseconds) ms", Self.remoteRecovered,
                ["MAINSTAY_URL": url])
            context.publish(
                MetricsEvents.remoteRecovered, RemoteRecovered(url: url, downMs: failedFor.milliseconds))
        case .refused(let samples, let reason):
            log(
                .warning, "\(url) refuses \(samples) samples, and they are given up: \(reason)", Self.remoteRefused,
                ["MAINSTAY_URL": url, "MAINSTAY_REASON": reason])
            context.publish(
                MetricsEvents.remoteRefused, RemoteRefused(url: url, samples: samples, reason: reason))
        }
    }

    /// Records that the start could not read.
    func recordsLeftOut(_ count: Int) {
        log(.error, "\(count) records of the store are damaged and were left out", Self.storeFailed, [:])
    }

    private func log(_ priority: LogEntry.Priority, _ message: String, _ id: MessageID, _ fields: [String: String]) {
        var fields = fields
        fields["MAINSTAY_DAEMON"] = context.name
        context.log.write(priority, message, id: id, fields: fields)
    }
}
