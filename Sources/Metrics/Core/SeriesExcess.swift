package import MetricsAPI

extension SeriesBounds {
    /// What is too large about a series' name; nil where nothing is. Only sizes are looked at, and no label beyond the
    /// bounds: what is refused costs nothing.
    package static func excess(
        metric: String, labels: some Swift.Collection<(key: String, value: String)>
    ) -> String? {
        guard labels.count <= mostLabels else { return "\(labels.count) labels; \(mostLabels) are the most" }
        guard metric.utf8.count <= longestNameBytes else { return "a name of \(metric.utf8.count) bytes" }
        var bytes = metric.utf8.count + 2
        for (name, value) in labels {
            guard name.utf8.count <= longestNameBytes else { return "a label name of \(name.utf8.count) bytes" }
            guard value.utf8.count <= longestValueBytes else { return "a label value of \(value.utf8.count) bytes" }
            bytes += name.utf8.count + Labels.escaped(value).utf8.count + 4
        }
        return bytes > longestBytes ? "\(bytes) bytes of name and labels" : nil
    }

    /// The same of labels that were read already.
    package static func excess(of labels: Labels) -> String? {
        excess(metric: labels.metric, labels: labels.pairs.map { (key: $0.name, value: $0.value) })
    }
}
