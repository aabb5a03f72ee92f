import MetricsCore

/// How the readers of the kernel's files name what they find.
extension RoundBuilder {
    /// A figure without labels.
    mutating func add(_ metric: StaticString, _ value: Double) {
        add(value, key: SeriesKey(metric).value) { Labels(metric.description) }
    }

    /// A figure with one label whose value stands in the kernel's text.
    mutating func add(
        _ metric: StaticString, _ value: Double, _ label: StaticString, _ text: UnsafeRawBufferPointer
    ) {
        add(value, key: SeriesKey(metric).adding(text).value) {
            Labels(metric.description, [Label(label.description, text.text)])
        }
    }

    /// A figure with one label, whose value is a string.
    mutating func add(_ metric: StaticString, _ value: Double, _ label: StaticString, _ text: String) {
        var text = text
        let key = text.withUTF8 { SeriesKey(metric).adding(UnsafeRawBufferPointer($0)) }
        add(value, key: key.value) { Labels(metric.description, [Label(label.description, text)]) }
    }
}
