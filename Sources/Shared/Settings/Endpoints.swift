internal import Glibc

/// Where an HTTP request goes: `http://HOST[:PORT][/PATH][?QUERY]`, without TLS, user or fragment.
package struct HTTPEndpoint: Hashable, Sendable, CustomStringConvertible {
    /// A name or an address; IPv6 addresses without their brackets.
    package var host: String
    package var port: Int
    /// The path with its query, never empty.
    package var target: String

    package init(host: String, port: Int, target: String) {
        self.host = host
        self.port = port
        self.target = target
    }

    /// Nil for anything that is not such a URL.
    package init?(_ text: String) {
        guard text.hasPrefix("http://") else { return nil }
        let rest = text.dropFirst("http://".count)
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        var target = String(rest.dropFirst(authority.count))
        if !target.hasPrefix("/") { target = "/" + target }
        guard target.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "#") }) else { return nil }
        guard let place = TCPEndpoint(String(authority), defaultPort: 80) else { return nil }
        self.init(host: place.host, port: place.port, target: target)
    }

    package var address: TCPEndpoint {
        TCPEndpoint(host: host, port: port)
    }

    package var description: String {
        "http://\(address)\(target)"
    }
}

/// Where a page of figures is read: `http://HOST[:PORT][/PATH]`, or `http://unix:SOCKET[:/PATH]`, as nginx writes the socket of
/// something that speaks HTTP. A path left out is `/metrics` at a socket.
package enum ScrapePlace: Hashable, Sendable, CustomStringConvertible {
    case tcp(HTTPEndpoint)
    case unix(socket: String, target: String)

    /// sun_path has 108 bytes, the last of them zero (unix(7)).
    private static let longestSocket = 107

    /// Nil for anything that is neither.
    package init?(_ text: String) {
        let prefix = "http://unix:"
        guard text.hasPrefix(prefix) else {
            guard let endpoint = HTTPEndpoint(text) else { return nil }
            self = .tcp(endpoint)
            return
        }
        let rest = text.dropFirst(prefix.count)
        let socket = String(rest.prefix { $0 != ":" })
        let target = rest.count == socket.count ? "/metrics" : String(rest.dropFirst(socket.count + 1))
        guard socket.hasPrefix("/"), socket.utf8.count <= Self.longestSocket, target.hasPrefix("/"),
            target.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "#") })
        else { return nil }
        self = .unix(socket: socket, target: target)
    }

    /// True where no name look-up is needed.
    package var isNumeric: Bool {
        switch self {
        case .tcp(let endpoint): endpoint.address.isNumeric
        case .unix: true
        }
    }

    /// The path with its query.
    package var target: String {
        switch self {
        case .tcp(let endpoint): endpoint.target
        case .unix(_, let target): target
        }
    }

    /// What it is called in the label `instance`.
    package var instance: String {
        switch self {
        case .tcp(let endpoint): "\(endpoint.address)"
        case .unix(let socket, _): socket
        }
    }

    package var description: String {
        switch self {
        case .tcp(let endpoint): endpoint.description
        case .unix(let socket, let target): "http://unix:\(socket):\(target)"
        }
    }
}

/// Where a TCP connection goes: `HOST:PORT`, with IPv6 addresses in brackets.
package struct TCPEndpoint: Hashable, Sendable, CustomStringConvertible {
    /// A name or an address; IPv6 addresses without their brackets.
    package var host: String
    package var port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// Nil for anything that is not `HOST:PORT`; `defaultPort` stands in for a port left out.
    package init?(_ text: String, defaultPort: Int? = nil) {
        var host = Substring(text)
        var portText: Substring?
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { return nil }
            host = text[text.index(after: text.startIndex)..<end]
            let rest = text[text.index(after: end)...]
            guard rest.isEmpty || rest.hasPrefix(":") else { return nil }
            portText = rest.isEmpty ? nil : rest.dropFirst()
            guard Self.isIPv6(String(host)) else { return nil }
        } else if let colon = text.firstIndex(of: ":") {
            host = text[..<colon]
            portText = text[text.index(after: colon)...]
        }
        let allowed = { (character: Character) in
            character.isASCII && (character.isLetter || character.isNumber || ".-_:".contains(character))
        }
        guard !host.isEmpty, host.utf8.count <= 253, host.allSatisfy(allowed) else { return nil }
        guard let port = portText.map({ Int($0) }) ?? defaultPort, (1...65535).contains(port) else { return nil }
        self.init(host: String(host), port: port)
    }

    /// True where no name look-up is needed: an IPv4 or IPv6 address, or `localhost`, which is read as 127.0.0.1.
    package var isNumeric: Bool {
        host == "localhost" || Self.isIPv6(host) || Self.isIPv4(host)
    }

    /// The host without a name in it, where `isNumeric`: what needs no look-up.
    package var numericHost: String {
        host == "localhost" ? "127.0.0.1" : host
    }

    package var description: String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    private static func isIPv4(_ text: String) -> Bool {
        var address = in_addr()
        return inet_pton(AF_INET, text, &address) == 1
    }

    private static func isIPv6(_ text: String) -> Bool {
        var address = in6_addr()
        return inet_pton(AF_INET6, text, &address) == 1
    }
}
