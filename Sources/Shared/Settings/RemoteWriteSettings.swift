internal import Time

/// One receiver of Prometheus's remote write 1.0: `metricsd.remoteWrite` of `mainstay.yaml`.
package struct RemoteWriteSettings: Hashable, Sendable {
    /// A name in it is looked up for each batch.
    package var url: HTTPEndpoint
    /// HTTP's Basic authentication, together with `passwordFile`. Nil: none.
    package var user: String?
    /// Holds the password, up to the first line's end.
    package var passwordFile: String?
    /// Holds a token, sent as `Authorization: Bearer`, up to the first line's end. Nil: none.
    package var tokenFile: String?
    /// What each series gets that has no such label (Prometheus: `external_labels`), by label name: `host`, say.
    package var labels: [String: String] = [:]
    /// How often what was measured is handed on.
    package var interval: Duration = .seconds(5)
    /// Of one request (Prometheus: `remote_timeout`, 30 s).
    package var timeout: Duration = .seconds(30)

    package init(url: HTTPEndpoint) {
        self.url = url
    }
}

extension RemoteWriteSettings {
    /// Each has a thread of its own, of the 64 that metricsd may have.
    static let most = 4
    static let mostLabels = 16

    static func read(from section: inout Section) -> RemoteWriteSettings? {
        var url: HTTPEndpoint?
        section.require("url", Shape<HTTPEndpoint>.receiver.mapped(Optional.some), into: &url)
        var settings = RemoteWriteSettings(url: url ?? HTTPEndpoint(host: "", port: 0, target: ""))
        section.read("user", .text, into: &settings.user)
        section.read("passwordFile", .path, into: &settings.passwordFile)
        section.read("tokenFile", .path, into: &settings.tokenFile)
        settings.labels = section.texts("labels", atMost: mostLabels)
        section.read("interval", .duration(.seconds(1) ... .seconds(3600)), into: &settings.interval)
        section.read("timeout", .duration(.milliseconds(100) ... .seconds(300)), into: &settings.timeout)
        for name in settings.labels.keys.sorted() where !isLabelName(name) {
            section.refuse("labels", "expected names of letters, digits and _, no digit first, found \(name)")
        }
        if (settings.user == nil) != (settings.passwordFile == nil) {
            section.refuse(
                settings.user == nil ? "passwordFile" : "user",
                "expected user and passwordFile together, found one alone")
        }
        if settings.user != nil, settings.tokenFile != nil {
            section.refuse("tokenFile", "expected a token or a user with a password, found both")
        }
        return url == nil ? nil : settings
    }

    /// Names that begin with two underscores are Prometheus's own.
    private static func isLabelName(_ text: String) -> Bool {
        guard let first = text.utf8.first, !(0x30...0x39).contains(first), !text.hasPrefix("__") else { return false }
        return text.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte) || byte == 0x5f
        }
    }
}

extension Shape where Value == HTTPEndpoint {
    fileprivate static var receiver: Shape<HTTPEndpoint> {
        Shape<HTTPEndpoint>(expected: "a URL such as http://prometheus:9090/api/v1/write, without TLS") { node in
            node.text.flatMap { HTTPEndpoint($0) }
        }
    }
}
