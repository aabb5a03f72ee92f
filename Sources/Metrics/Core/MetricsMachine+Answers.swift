package import MetricsAPI
import Time

/// What the machine tells of itself; nothing here changes it.
extension MetricsMachine {
    /// Whether queries may see values that a kill would lose: only while the disk refuses.
    package var showsUncommitted: Bool { failingSince != nil }

    /// Why the disk refuses; nil while it works.
    package var storeProblem: String? { failingReason }

    /// The names of a level's collectors, sorted.
    package func collectors(of level: Level) -> [String] {
        collectors.filter { $0.value.schedule.plan.level == level }.keys.sorted()
    }

    /// Whether this collector's round is under way (and not past its deadline).
    package func isCollecting(_ name: String) -> Bool {
        guard case .collecting = collectors[name]?.schedule.state else { return false }
        return true
    }

    /// Why a collector's last round gave nothing; nil where it gave values or none was made.
    package func failure(of name: String) -> String? {
        guard let reason = collectors[name]?.schedule.reason, !reason.isEmpty else { return nil }
        return reason
    }

    /// Whether a collector's last round that came to an end gave values.
    package func answered(_ name: String) -> Bool {
        collectors[name]?.schedule.lastGood != nil && failure(of: name) == nil
    }

    /// What a collector measured last, and when.
    func latest(_ name: String) -> [(labels: Labels, atMs: Int64, value: Double)] {
        guard let group = collectors[name]?.group, let round = head.current(group: group) else { return [] }
        return round.values.compactMap { value in
            head.index[value.series].map { ($0, round.timeMs, value.value) }
        }
    }

    /// The same as messages show it.
    package func current(_ name: String) -> [CurrentSample] {
        latest(name).map { labels, atMs, value in
            CurrentSample(name: labels.metric, labels: labels.map, atMs: atMs, value: value)
        }
    }

    /// All collectors as `levels` and `status` show them.
    package var collectorStates: [CollectorState] {
        collectors.values.map { collector in
            let schedule = collector.schedule
            return CollectorState(
                name: schedule.plan.name, level: schedule.plan.level, condition: schedule.condition,
                intervalMs: schedule.plan.interval.milliseconds, series: head.seriesCount(of: collector.group),
                lastMs: schedule.lastGood?.wall.milliseconds,
                durationMs: schedule.lastDuration.map { Double($0.nanoseconds / 1000) / 1000 },
                reason: schedule.reason.isEmpty ? nil : schedule.reason)
        }.sorted { ($0.level.rawValue, $0.name) < ($1.level.rawValue, $1.name) }
    }

    /// metricsd's own part of `status`.
    package var status: MetricsStatus {
        MetricsStatus(
            series: head.index.count, liveSeries: head.liveSeries, store: failingSince == nil ? .working : .failing,
            storeReason: failingReason, committedToMs: head.committedToMs, uncommittedRounds: head.uncommittedRounds,
            headBytes: head.sizeBytes, damagedRecords: damagedRecords, collectors: collectorStates)
    }
}

extension CollectorSchedule {
    /// The schedule's state as messages show it.
    package var condition: CollectorState.Condition {
        switch state {
        case .stuck: .stuck
        case .idle, .waiting, .collecting:
            if downSince != nil {
                .down
            } else if failures > 0 {
                .retrying
            } else {
                lastGood == nil ? .starting : .up
            }
        }
    }
}
