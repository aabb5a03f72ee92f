/// A request of Prometheus's remote write 1.0 (prometheus.io, "Prometheus Remote-Write Specification"): series with their labels and
/// samples, in protobuf's wire format (protobuf.dev, "Encoding"). Three messages of two fields each, written and never read, so
/// they are written here: swift-protobuf would bring Foundation, which metricsd has no other use for.
package struct WriteRequest: Hashable, Sendable {
    /// Tags: a field's number and its wire type, 0 for a varint, 1 for eight bytes, 2 for what has a length before it.
    private enum Tag {
        static let timeseries: UInt8 = 1 << 3 | 2
        static let labels: UInt8 = 1 << 3 | 2
        static let samples: UInt8 = 2 << 3 | 2
        static let name: UInt8 = 1 << 3 | 2
        static let value: UInt8 = 2 << 3 | 2
        static let number: UInt8 = 1 << 3 | 1
        static let timestamp: UInt8 = 2 << 3 | 0
    }

    package private(set) var bytes: [UInt8] = []
    package private(set) var samples = 0
    private let external: [Label]

    /// - Parameter external: labels that every series gets that has no label of that name, as Prometheus's `external_labels`.
    package init(external: [Label] = []) {
        self.external = external
    }

    /// Adds a series. Stale markers go along as they are: they are Prometheus's own.
    package mutating func add(_ labels: Labels, _ run: SampleRun) {
        var series = ByteWriter()
        for label in all(labels) {
            Self.append(Tag.labels, Self.message(of: label), to: &series)
        }
        for (time, value) in zip(run.times, run.values) {
            Self.append(Tag.samples, Self.message(time, value), to: &series)
        }
        var whole = ByteWriter()
        Self.append(Tag.timeseries, series.bytes, to: &whole)
        bytes += whole.bytes
        samples += run.count
    }

    /// The name among the labels, all sorted by name, as the specification wants them.
    private func all(_ labels: Labels) -> [Label] {
        let known = Set(labels.pairs.map(\.name))
        let added = external.filter { !known.contains($0.name) && !$0.value.isEmpty }
        return (labels.pairs + added + [Label("__name__", labels.metric)]).sorted()
    }

    private static func message(of label: Label) -> [UInt8] {
        var writer = ByteWriter()
        writer.write(Tag.name)
        writer.write(text: label.name)
        writer.write(Tag.value)
        writer.write(text: label.value)
        return writer.bytes
    }

    private static func message(_ time: Int64, _ value: Double) -> [UInt8] {
        var writer = ByteWriter()
        writer.write(Tag.number)
        for shift in stride(from: UInt64(0), to: 64, by: 8) {
            writer.write(UInt8(truncatingIfNeeded: value.bitPattern >> shift))
        }
        writer.write(Tag.timestamp)
        writer.write(varint: UInt64(bitPattern: time))
        return writer.bytes
    }

    private static func append(_ tag: UInt8, _ message: [UInt8], to writer: inout ByteWriter) {
        writer.write(tag)
        writer.write(varint: UInt64(message.count))
        writer.bytes += message
    }
}
