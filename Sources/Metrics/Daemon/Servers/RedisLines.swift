import MetricsCore

/// The figures in Redis's answer to `INFO all`, under redis_exporter's names. A line that cannot be read is left out, and the rest
/// goes on.
struct RedisLines {
    /// Commands, kinds of error, databases and replicas, each, that get series: their number is the clients' to choose.
    static let mostOfAKind = 256

    private let own: [Label]
    private var counts: [String: Int] = [:]
    /// What names the server, by field.
    private var texts: [String: String] = [:]

    /// - Parameter own: the labels that each series gets.
    init(own: [Label]) {
        self.own = own
    }

    /// Adds an answer's figures. Where nothing of it is `INFO`'s it adds nothing.
    /// - Parameter wallSeconds: when it was given, seconds since 1970.
    static func add(_ answer: [UInt8], own: [Label], wallSeconds: Double, to round: inout RoundBuilder) {
        var lines = RedisLines(own: own)
        for line in answer.split(whereSeparator: { $0 == 0x0a || $0 == 0x0d }) {
            guard line.first != UInt8(ascii: "#"), let colon = line.firstIndex(of: UInt8(ascii: ":")),
                let field = String(validating: line[..<colon], as: UTF8.self),
                let value = String(validating: line[(colon + 1)...], as: UTF8.self)
            else { continue }
            lines.add(field, value, wallSeconds: wallSeconds, to: &round)
        }
        lines.addTexts(to: &round)
    }

    private mutating func add(
        _ field: String, _ value: String, wallSeconds: Double, to round: inout RoundBuilder
    ) {
        if let metric = RedisFields.metric(of: field) {
            guard let number = Self.number(value, of: field) else { return }
            add(number, metric, to: &round)
            if field == "process_id" { texts[field] = value }
            if field == "maxmemory" { add(number, "redis_config_maxmemory", to: &round) }
            if field == "uptime_in_seconds" {
                add(wallSeconds.rounded(.down) - number, "redis_start_time_seconds", to: &round)
            }
        } else if field == "latest_fork_usec" {
            if let number = Self.number(value, of: field) { add(number / 1e6, "redis_latest_fork_seconds", to: &round) }
        } else if field.hasPrefix("cmdstat_") {
            addCommand(String(field.dropFirst("cmdstat_".utf8.count)), Self.pairs(value), to: &round)
        } else if field.hasPrefix("errorstat_") {
            guard let count = Self.number(Self.pairs(value)["count"]) else { return }
            let kind = Label("err", String(field.dropFirst("errorstat_".utf8.count)))
            add(count, "redis_errors_total", [kind], kind: "err", to: &round)
        } else if field.hasPrefix("db"), field.dropFirst(2).allSatisfy(\.isNumber), field.utf8.count > 2 {
            addDatabase(field, Self.pairs(value), to: &round)
        } else if field.hasPrefix("slave"), field.dropFirst(5).first?.isNumber == true {
            addReplica(Self.pairs(value), to: &round)
        } else {
            addOfReplica(field, value, to: &round)
        }
    }

    // MARK: What has labels

    private mutating func addCommand(_ name: String, _ pairs: [String: String], to round: inout RoundBuilder) {
        guard let calls = Self.number(pairs["calls"]), let micros = Self.number(pairs["usec"]) else { return }
        let command = [Label("cmd", name)]
        guard takesOne("cmd") else { return }
        add(calls, "redis_commands_total", command, to: &round)
        add(micros / 1e6, "redis_commands_duration_seconds_total", command, to: &round)
        if let failed = Self.number(pairs["failed_calls"]) {
            add(failed, "redis_commands_failed_calls_total", command, to: &round)
        }
        if let rejected = Self.number(pairs["rejected_calls"]) {
            add(rejected, "redis_commands_rejected_calls_total", command, to: &round)
        }
    }

    private mutating func addDatabase(_ name: String, _ pairs: [String: String], to round: inout RoundBuilder) {
        guard let keys = Self.number(pairs["keys"]), let expiring = Self.number(pairs["expires"]), takesOne("db")
        else { return }
        let database = [Label("db", name)]
        add(keys, "redis_db_keys", database, to: &round)
        add(expiring, "redis_db_keys_expiring", database, to: &round)
        if let millis = Self.number(pairs["avg_ttl"]) {
            add(millis / 1e3, "redis_db_avg_ttl_seconds", database, to: &round)
        }
    }

    private mutating func addReplica(_ pairs: [String: String], to round: inout RoundBuilder) {
        guard let offset = Self.number(pairs["offset"]), let address = pairs["ip"], takesOne("slave") else { return }
        let replica = [
            Label("slave_ip", address), Label("slave_port", pairs["port"] ?? ""),
            Label("slave_state", pairs["state"] ?? ""),
        ]
        add(offset, "redis_connected_slave_offset_bytes", replica, to: &round)
        if let lag = Self.number(pairs["lag"]) { add(lag, "redis_connected_slave_lag_seconds", replica, to: &round) }
    }

    /// What a replica tells of its master, and the texts.
    private mutating func addOfReplica(_ field: String, _ value: String, to round: inout RoundBuilder) {
        let master = [
            Label("master_host", texts["master_host"] ?? ""), Label("master_port", texts["master_port"] ?? ""),
        ]
        switch field {
        case "master_link_status": add(value == "up" ? 1 : 0, "redis_master_link_up", master, to: &round)
        case "master_last_io_seconds_ago":
            if let number = Self.number(value) { add(number, "redis_master_last_io_seconds_ago", master, to: &round) }
        case "master_sync_in_progress":
            if let number = Self.number(value) { add(number, "redis_master_sync_in_progress", master, to: &round) }
        case "slave_repl_offset":
            if let number = Self.number(value) { add(number, "redis_slave_repl_offset", master, to: &round) }
        case "role", "redis_version", "redis_build_id", "redis_mode", "os", "maxmemory_policy", "tcp_port", "run_id",
            "master_host", "master_port", "slave_read_only":
            texts[field] = value
        default: break
        }
    }

    private func addTexts(to round: inout RoundBuilder) {
        guard texts["redis_version"] != nil else { return }
        let names = [
            "role", "redis_version", "redis_build_id", "redis_mode", "os", "maxmemory_policy", "tcp_port", "run_id",
            "process_id",
        ]
        add(1, "redis_instance_info", names.map { Label($0, texts[$0] ?? "") }, to: &round)
        guard texts["role"] == "slave" else { return }
        let ofReplica = [
            Label("master_host", texts["master_host"] ?? ""), Label("master_port", texts["master_port"] ?? ""),
            Label("read_only", texts["slave_read_only"] ?? ""),
        ]
        add(1, "redis_slave_info", ofReplica, to: &round)
    }

    // MARK: One figure

    private mutating func takesOne(_ kind: String) -> Bool {
        counts[kind, default: 0] += 1
        return counts[kind, default: 0] <= Self.mostOfAKind
    }

    private mutating func add(
        _ value: Double, _ metric: StaticString, _ labels: [Label], kind: String, to round: inout RoundBuilder
    ) {
        if takesOne(kind) { add(value, metric, labels, to: &round) }
    }

    private func add(_ value: Double, _ metric: StaticString, _ labels: [Label] = [], to round: inout RoundBuilder) {
        ServerFigures.add(value, metric, labels, own: own, to: &round)
    }

    /// `calls=2,usec=10` by name.
    private static func pairs(_ value: String) -> [String: String] {
        var pairs: [String: String] = [:]
        for part in value.split(separator: ",") {
            let sides = part.split(separator: "=", maxSplits: 1)
            if sides.count == 2 { pairs[String(sides[0])] = String(sides[1]) }
        }
        return pairs
    }

    private static func number(_ text: String?) -> Double? {
        guard let text, let number = Double(text), number.isFinite else { return nil }
        return number
    }

    /// A status is 1 where it is `ok`.
    private static func number(_ text: String, of field: String) -> Double? {
        field.hasSuffix("_status") ? (text == "ok" ? 1 : 0) : number(text)
    }
}
