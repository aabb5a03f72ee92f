import MetricsAPI
import MetricsCore

/// What the figures of all servers have in common.
enum ServerFigures {
    /// Adds one figure with its labels and the server's own. One whose labels are too large is refused, and the others go on.
    static func add(
        _ value: Double, _ metric: StaticString, _ labels: [Label], own: [Label], to round: inout RoundBuilder
    ) {
        var key = SeriesKey(metric)
        for label in labels {
            var text = label.value
            key = text.withUTF8 { key.adding(UnsafeRawBufferPointer($0)) }.adding(0)
        }
        round.add(value, key: key.value) { made("\(metric)", labels + own) }
    }

    /// As above, of a metric whose name the server has a part in.
    static func add(
        _ value: Double, named metric: String, _ labels: [Label], own: [Label], to round: inout RoundBuilder
    ) {
        var key = SeriesKey()
        for text in [metric] + labels.map(\.value) {
            var text = text
            key = text.withUTF8 { key.adding(UnsafeRawBufferPointer($0)) }.adding(0)
        }
        round.add(value, key: key.value) { made(metric, labels + own) }
    }

    private static func made(_ metric: String, _ labels: [Label]) -> Labels? {
        let made = Labels(metric, labels)
        return SeriesBounds.excess(of: made) == nil ? made : nil
    }
}
