internal import Time

/// Servers whose own figures metricsd reads: `infrastructure` of a service that needs them or, in `mainstay.yaml`, of the host.
package struct InfrastructureSettings: Hashable, Sendable {
    package var postgres: [PostgresSettings] = []
    package var redis: [RedisSettings] = []

    package init() {}

    /// How many servers there are.
    package var count: Int { postgres.count + redis.count }
}

/// Where a server listens. No name has to be looked up for it: a look-up could block.
package enum ServerPlace: Hashable, Sendable, CustomStringConvertible {
    /// An address or `localhost`, which is read as 127.0.0.1.
    case tcp(TCPEndpoint)
    /// A Unix stream socket.
    case unix(path: String)

    package var description: String {
        switch self {
        case .tcp(let endpoint): endpoint.description
        case .unix(let path): path
        }
    }
}

/// One Redis server.
package struct RedisSettings: Hashable, Sendable {
    package var place: ServerPlace
    /// Nil: Redis's `default`.
    package var user: String?
    /// Holds the password, up to the first line's end. Nil: the server asks for none.
    package var passwordFile: String?
    package var interval: Duration = .seconds(15)
    /// Of one round: connection, password and answer.
    package var timeout: Duration = .seconds(2)

    package init(place: ServerPlace) {
        self.place = place
    }
}

/// One PostgreSQL server, all of its databases.
package struct PostgresSettings: Hashable, Sendable {
    /// A Unix socket is called `.s.PGSQL.PORT`.
    package var place: ServerPlace
    package var user: String
    /// Holds the password, up to the first line's end. Nil: the server believes without.
    package var passwordFile: String?
    /// Which is connected to; the figures are of all.
    package var database = "postgres"
    package var interval: Duration = .seconds(15)
    /// How often the databases' sizes are read: for each the server walks through its files.
    package var sizeInterval: Duration = .seconds(60)
    /// Of one round: connection, password and all answers.
    package var timeout: Duration = .seconds(3)

    package init(place: ServerPlace, user: String) {
        self.place = place
        self.user = user
    }

    /// The port in the name of a server's socket; nil where it is called otherwise.
    package static func port(ofSocket path: String) -> Int? {
        guard let name = path.split(separator: "/").last, name.hasPrefix(".s.PGSQL.") else { return nil }
        return Int(name.dropFirst(".s.PGSQL.".count)).flatMap { (1...65535).contains($0) ? $0 : nil }
    }

    /// The folder that a server's socket lies in.
    package static func folder(ofSocket path: String) -> String {
        String(path[..<(path.lastIndex(of: "/") ?? path.endIndex)])
    }
}

extension InfrastructureSettings {
    /// Servers in one list, and in all settings together: each has a thread of its own, of the 64 that metricsd may have.
    static let mostInList = 16
    static let mostInAll = 32

    mutating func read(from section: inout Section) {
        section.list("postgres", atMost: Self.mostInList) { item in
            if let server = PostgresSettings.read(from: &item) { postgres.append(server) }
        }
        section.list("redis", atMost: Self.mostInList) { item in
            if let server = RedisSettings.read(from: &item) { redis.append(server) }
        }
        section.refuseTwice(postgres.map(\.place), key: "postgres")
        section.refuseTwice(redis.map(\.place), key: "redis")
    }
}

extension RedisSettings {
    fileprivate static func read(from section: inout Section) -> RedisSettings? {
        let place = ServerPlace.read(from: &section)
        var settings = RedisSettings(place: .unix(path: ""))
        section.read("user", .text, into: &settings.user)
        section.read("passwordFile", .path, into: &settings.passwordFile)
        section.readRhythm(interval: &settings.interval, timeout: &settings.timeout)
        if settings.user != nil, settings.passwordFile == nil {
            section.refuse("user", "expected passwordFile with it, found none")
        }
        guard let place else { return nil }
        settings.place = place
        return settings
    }
}

extension PostgresSettings {
    fileprivate static func read(from section: inout Section) -> PostgresSettings? {
        let place = ServerPlace.read(from: &section)
        var settings = PostgresSettings(place: .unix(path: ""), user: "")
        section.require("user", .text, into: &settings.user)
        section.read("passwordFile", .path, into: &settings.passwordFile)
        section.read("database", .text, into: &settings.database)
        section.readRhythm(interval: &settings.interval, timeout: &settings.timeout)
        section.read("sizeInterval", .duration(.seconds(1) ... .seconds(86_400)), into: &settings.sizeInterval)
        if case .unix(let path)? = place, port(ofSocket: path) == nil {
            section.refuse("socket", "expected a path that ends with .s.PGSQL. and the port, found \(path)")
        }
        guard let place else { return nil }
        settings.place = place
        return settings
    }
}

extension ServerPlace {
    fileprivate static func read(from section: inout Section) -> ServerPlace? {
        var place: ServerPlace?
        switch section.choice(["address", "socket"], required: true) {
        case "address": section.read("address", Shape<TCPEndpoint>.numericTCP.mapped(ServerPlace.tcp), into: &place)
        case "socket": section.read("socket", Shape<String>.path.mapped(ServerPlace.unix(path:)), into: &place)
        default: break
        }
        return place
    }
}

extension Section {
    fileprivate mutating func refuseTwice(_ places: [ServerPlace], key: String) {
        var seen: Set<ServerPlace> = []
        for place in places where !seen.insert(place).inserted {
            refuse(key, "expected each server once, found \(place) twice")
        }
    }

    /// How often a server is read, and how long that may take.
    fileprivate mutating func readRhythm(interval: inout Duration, timeout: inout Duration) {
        read("interval", .duration(.seconds(1) ... .seconds(3600)), into: &interval)
        read("timeout", .duration(.milliseconds(10) ... .seconds(60)), into: &timeout)
        if timeout > interval {
            refuse(
                "timeout",
                "expected at most interval (\(Quantity.text(interval))), found \(Quantity.text(timeout))")
        }
    }
}
