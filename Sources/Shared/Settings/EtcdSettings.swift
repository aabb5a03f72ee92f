internal import Time

/// What `configd-etcd` follows, where it runs: the part `etcd` of `mainstay.yaml`.
package struct EtcdSettings: Hashable, Sendable {
    /// The members of one cluster, asked in turn. Empty: nothing is followed. Their hosts are addresses or `localhost`: etcd over
    /// TLS is reached through a tunnel on this host.
    package var endpoints: [HTTPEndpoint] = []
    /// Under it lie `SERVICE/env/KEY` and `SERVICE/files/NAME/env/KEY`. It ends in a slash.
    package var prefix = "/mainstay/"
    /// Under it the outcome is written back, as `SERVICE/HOST`. It ends in a slash, and does not lie under `prefix`.
    package var statusPrefix = "/mainstay-status/"
    /// What this host is called there. Nil: its own name.
    package var host: String?
    /// Whom etcd knows this host as. Nil: etcd asks nobody who they are.
    package var user: String?
    /// Holds that user's password; an end of line after it is no part of it.
    package var passwordFile: String?
    /// The services that are followed, each once.
    package var services: [EtcdServiceSettings] = []

    package init() {}
}

/// One service that follows etcd.
package struct EtcdServiceSettings: Hashable, Sendable {
    /// As its settings file is called.
    package var name: String
    /// How long a change is on trial. Nil: it is in force at once.
    package var confirm: Duration?

    package init(name: String, confirm: Duration? = nil) {
        self.name = name
        self.confirm = confirm
    }
}

extension EtcdSettings {
    mutating func read(from section: inout Section) {
        section.read("endpoints", .list(of: .etcdEndpoint, 0...16), into: &endpoints)
        section.read("prefix", .etcdPrefix, into: &prefix)
        section.read("statusPrefix", .etcdPrefix, into: &statusPrefix)
        section.read("host", .name, into: &host)
        section.read("user", .text, into: &user)
        section.read("passwordFile", .path, into: &passwordFile)
        var read: [EtcdServiceSettings] = []
        section.list("services", atMost: 256) { item in
            var service = EtcdServiceSettings(name: "")
            item.require("name", .name, into: &service.name)
            item.read("confirm", .duration(.seconds(1) ... .seconds(86_400)), into: &service.confirm)
            read.append(service)
        }
        services = read
        refuseContradictions(&section)
    }

    private func refuseContradictions(_ section: inout Section) {
        if prefix.hasPrefix(statusPrefix) || statusPrefix.hasPrefix(prefix) {
            section.refuse(
                "statusPrefix",
                "expected a prefix apart from prefix (\(prefix)), found \(statusPrefix): configd-etcd would "
                    + "follow what it writes")
        }
        if (user == nil) != (passwordFile == nil) {
            section.refuse(
                user == nil ? "passwordFile" : "user", "expected user and passwordFile together, found one alone")
        }
        for (given, missing) in [("services", "endpoints"), ("endpoints", "services")]
        where section.contains(given) && !section.contains(missing) {
            section.refuse(given, "expected \(missing) with it, found none")
        }
        if Set(services.map(\.name)).count < services.count {
            section.refuse("services", "expected each service once, found one twice")
        }
    }
}

extension Shape where Value == HTTPEndpoint {
    /// A member of an etcd cluster: where it listens, without a path.
    static var etcdEndpoint: Shape<HTTPEndpoint> {
        numericHTTP.only(
            "a URL with an address or localhost in it, such as http://127.0.0.1:2379, without TLS or a path"
        ) {
            $0.target == "/"
        }
    }
}

extension Shape where Value == String {
    /// The beginning of keys, up to a slash.
    static var etcdPrefix: Shape<String> {
        text.only("the beginning of keys, with a slash at its end, such as /mainstay/") {
            $0.hasSuffix("/") && $0.utf8.count <= 512
        }
    }
}
