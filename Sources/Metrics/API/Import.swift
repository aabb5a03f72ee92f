package import Wire

/// `import`: takes in samples that were measured elsewhere or before, from a text with time stamps. All of one call is on disk when
/// it is answered, or nothing of it was taken. Of two values of a series with one time the one that came later counts.
package enum ImportSamples: RPCMethod {
    package static let name = "import"
    package static let access = Access.act

    package struct Params: WireObject {
        /// Lines of `name{label="value"} VALUE TIME`, at most what a frame holds; more comes in several calls. Comments and
        /// exemplars are passed over. `stale` in place of a value ends the series there.
        package var text: String
        package var format: TextFormat

        package init(text: String, format: TextFormat = .openMetrics) {
            self.text = text
            self.format = format
        }

        package init(from fields: inout Fields) throws(WireError) {
            text = try fields.value("text")
            format = try fields.value("format", or: .openMetrics)
        }

        package func write(to object: inout ObjectWriter) {
            object.member("text", text)
            object.member("format", format)
        }
    }

    package struct Reply: WireObject {
        /// Samples that were taken.
        package var samples: Int
        /// Series that they are of.
        package var series: Int

        package init(samples: Int, series: Int) {
            self.samples = samples
            self.series = series
        }

        package init(from fields: inout Fields) throws(WireError) {
            samples = try fields.value("samples")
            series = try fields.value("series")
        }

        package func write(to object: inout ObjectWriter) {
            object.member("samples", samples)
            object.member("series", series)
        }
    }
}

/// How a text of samples writes its times.
package enum TextFormat: String, WireValue, CaseIterable {
    /// In seconds, with fractions (OpenMetrics 1.0).
    case openMetrics = "openmetrics"
    /// In whole milliseconds (Prometheus's text format 0.0.4).
    case prometheus
}
