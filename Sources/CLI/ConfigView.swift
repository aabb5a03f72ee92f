import ConfigAPI
import Wire

/// What configd says of itself, and of keys that have their value for a time.
struct ConfigView: Sendable {
    var status: Overview.Answer<ConfigStatus>
    /// Without values, since an overview is read over shoulders: `config leases` shows them to those who may see them.
    var leases: [ConfigLease] = []

    /// Asks on one connection, and for leases only where there are some.
    static func gathered(_ common: AskOptions) async -> ConfigView {
        let conversation = await Conversation(with: .configd, common)
        do throws(RPCError) {
            let status = try await conversation.ask(Common.Status<ConfigStatus>.self, NoFields())
            guard status.own.leasedKeys > 0, let reply = try? await conversation.ask(Config.Leases.self, .init()) else {
                return ConfigView(status: .success(status))
            }
            let leases = reply.leases.map { lease in
                var shown = lease
                (shown.value, shown.before) = (nil, nil)
                return shown
            }
            return ConfigView(status: .success(status), leases: leases)
        } catch { return ConfigView(status: .failure(error)) }
    }
}
