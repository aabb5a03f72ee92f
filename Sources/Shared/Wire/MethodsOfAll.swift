/// The methods that every daemon answers.
package enum Common {
    /// `rpc.discover`: the daemon's OpenRPC document, as it is installed.
    package enum Discover: RPCMethod {
        package static let name = "rpc.discover"
        package static let access = Access.open
        package typealias Params = NoFields
        package typealias Reply = JSONObject
    }

    /// `metrics`: the daemon's own figures. The series table comes only when its generation is not the one that the
    /// caller already holds; otherwise the values alone, by index.
    package enum Metrics: RPCMethod {
        package static let name = "metrics"
        package static let access = Access.read

        package struct Params: WireObject {
            /// The generation of the table that the caller holds; 0 for none.
            package var generation: Int64

            package init(generation: Int64) { self.generation = generation }

            package init(from fields: inout Fields) throws(WireError) {
                generation = try fields.value("generation", or: 0)
            }

            package func write(to object: inout ObjectWriter) { object.member("generation", generation) }
        }

        package struct Reply: WireObject {
            package var generation: Int64
            /// Milliseconds since 1970 at which the values were read.
            package var atMs: Int64
            /// The table; nil where the caller's is current.
            package var series: [MetricDescription]?
            /// One value a series, in the table's order, as text: `NaN` and `+Inf` included.
            package var values: [String]

            package init(generation: Int64, atMs: Int64, series: [MetricDescription]?, values: [String]) {
                self.generation = generation
                self.atMs = atMs
                self.series = series
                self.values = values
            }

            package init(from fields: inout Fields) throws(WireError) {
                generation = try fields.value("generation")
                atMs = try fields.value("atMs")
                series = try fields.optional("series")
                values = try fields.value("values")
            }

            package func write(to object: inout ObjectWriter) {
                object.member("generation", generation)
                object.member("atMs", atMs)
                object.member("series", series)
                object.member("values", values)
            }
        }
    }

    /// `subscribe`: from now on the connection also carries the daemon's events.
    package enum Subscribe: RPCMethod {
        package static let name = "subscribe"
        package static let access = Access.read

        package struct Params: WireObject {
            /// Only these events; all where nil. A name that the daemon does not have is refused as `unknownEvent`.
            package var events: [String]?

            package init(events: [String]? = nil) { self.events = events }

            package init(from fields: inout Fields) throws(WireError) { events = try fields.optional("events") }

            package func write(to object: inout ObjectWriter) { object.member("events", events) }
        }

        package struct Reply: WireObject {
            /// The number that the daemon's next event will have.
            package var next: Int64

            package init(next: Int64) { self.next = next }

            package init(from fields: inout Fields) throws(WireError) { next = try fields.value("next") }

            package func write(to object: inout ObjectWriter) { object.member("next", next) }
        }
    }

    /// `status` of a daemon whose own part is `Own`.
    package enum Status<Own: WireObject>: RPCMethod {
        package static var name: String { "status" }
        package static var access: Access { .read }
        package typealias Params = NoFields
        package typealias Reply = StatusReply<Own>
    }
}

/// One series of a daemon's own figures.
package struct MetricDescription: WireObject {
    /// Prometheus's kinds, as far as daemons' own figures need them.
    package enum Kind: String, WireValue, CaseIterable {
        case counter
        case gauge
    }

    /// By Prometheus's naming rules: `mainstay_loop_lag_seconds`.
    package var name: String
    package var labels: [String: String]
    package var kind: Kind

    package init(name: String, labels: [String: String] = [:], kind: Kind) {
        self.name = name
        self.labels = labels
        self.kind = kind
    }

    package init(from fields: inout Fields) throws(WireError) {
        name = try fields.value("name")
        labels = try fields.value("labels", or: [:])
        kind = try fields.value("kind")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("name", name)
        if !labels.isEmpty { object.member("labels", labels) }
        object.member("kind", kind)
    }
}
