import Deadlines
import MetricsCore
import Redis
import Runtime
import Settings
import Time

/// Reads a Redis server: one `INFO all` a round, over a connection that is kept from round to round and given up after any
/// failure.
struct RedisReader: ServerReading {
    private enum ReadError: Error, CustomStringConvertible {
        case noInfo

        var description: String { "answered INFO with what is none" }
    }

    private let settings: RedisSettings
    private let labels: [Label]
    private var connection: RedisConnection?
    private var round = RoundBuilder()

    init(_ settings: RedisSettings, labels: [Label]) {
        self.settings = settings
        self.labels = labels
    }

    mutating func measure(withTable: Bool) throws -> Collection {
        let deadline = Deadline(after: settings.timeout)
        let connection = try connection ?? connect(before: deadline)
        self.connection = nil
        guard case .text(let answer) = try connection.ask(["INFO", "all"], before: deadline) else {
            throw ReadError.noInfo
        }
        let seconds = Double(HostClock.now().wall.milliseconds) / 1000
        RedisLines.add(answer, own: labels, wallSeconds: seconds, to: &round)
        guard round.count > 0 else {
            _ = round.finish(withTable: false)
            throw ReadError.noInfo
        }
        self.connection = connection
        return round.finish(withTable: withTable)
    }

    private func connect(before deadline: Deadline) throws -> RedisConnection {
        let place: RedisConnection.Place =
            switch settings.place {
            case .tcp(let endpoint): .tcp(address: endpoint.numericHost, port: endpoint.port)
            case .unix(let path): .unix(path: path)
            }
        let connection = try RedisConnection(to: place, before: deadline)
        guard let file = settings.passwordFile else { return connection }
        let password = try PasswordFile.read(file)
        try connection.authenticate(user: settings.user, password: password, before: deadline)
        return connection
    }
}
