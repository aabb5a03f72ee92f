import ConfigAPI
import ConfigEtcdAPI
import Glibc
import HealthAPI
import MetricsAPI
import WatchdogAPI
import Wire

/// What the four daemons say of themselves, asked at the same time.
struct Overview: Sendable {
    typealias Answer<Own: WireObject> = Result<StatusReply<Own>, RPCError>

    var configd: Answer<ConfigStatus>
    var metricsd: Answer<MetricsStatus>
    var healthd: Answer<HealthdStatus>
    var watchdogd: Answer<WatchdogStatus>
    /// Which keys have their value for a time, without the values; none where configd does not say.
    var leases: [ConfigLease] = []
    /// Of configd-etcd; nil where none was started on this host.
    var follower: Answer<EtcdStatus>?

    /// Asks all at once, so that several silent ones cost no more than one.
    static func gathered(_ common: AskOptions) async -> Overview {
        async let configd = ConfigView.gathered(common)
        async let metricsd: Answer<MetricsStatus> = status(of: .metricsd, common)
        async let healthd: Answer<HealthdStatus> = status(of: .healthd, common)
        async let watchdogd: Answer<WatchdogStatus> = status(of: .watchdogd, common)
        async let follower = follower(common)
        return Overview(
            configd: await configd.status, metricsd: await metricsd, healthd: await healthd,
            watchdogd: await watchdogd, leases: await configd.leases, follower: await follower)
    }

    /// Its socket is there from its first start on: where there is none nobody is asked, and none is missed.
    private static func follower(_ common: AskOptions) async -> Answer<EtcdStatus>? {
        guard access("\(common.sockets)/\(DaemonName.configdEtcd.rawValue).sock", F_OK) == 0 else { return nil }
        return await status(of: .configdEtcd, common)
    }

    /// The locks that are held.
    var locks: [ConfigLock] { (try? configd.get())?.own.locks ?? [] }

    private static func status<Own: WireObject>(of daemon: DaemonName, _ common: AskOptions) async -> Answer<Own> {
        await Conversation.answer(of: daemon, common, to: Common.Status<Own>.self, NoFields())
    }

    /// Each daemon's head, or why there is none.
    var heads: [(daemon: DaemonName, head: Result<StatusHead, RPCError>)] {
        [
            (.configd, configd.map(\.head)), (.metricsd, metricsd.map(\.head)), (.healthd, healthd.map(\.head)),
            (.watchdogd, watchdogd.map(\.head)),
        ]
    }

    /// Why daemons are missing from the answer.
    var failuresByDaemon: [(DaemonName, RPCError)] {
        heads.compactMap { daemon, head in
            if case .failure(let error) = head { (daemon, error) } else { nil }
        }
    }

    var failures: [RPCError] { failuresByDaemon.map(\.1) }

    /// The worst that is true. Whatever is shown as bad counts: a script must not need to read colours.
    var outcome: Outcome {
        if failures.contains(where: \.isSilence) { return .silent }
        if !failures.isEmpty { return .refused }
        return isInTrouble || services.contains(where: \.isInTrouble) ? .bad : .good
    }

    /// Something is wrong with a daemon itself, or an alert stands that somebody must see to.
    private var isInTrouble: Bool {
        let heads = heads.compactMap { try? $0.head.get() }
        let urgentAlerts = (try? healthd.get())?.own.urgentAlerts ?? 0
        return heads.contains { $0.condition == .stuck || $0.settings.refused != nil }
            || (try? metricsd.get())?.own.store == .failing || urgentAlerts > 0
    }

    /// Every service that any daemon knows, by name.
    var services: [ServiceLine] {
        let guarded = (try? watchdogd.get())?.own.services ?? []
        let checked = (try? healthd.get())?.own.services ?? []
        let files = (try? configd.get())?.own.files ?? []
        let pending = (try? configd.get())?.own.pending ?? []
        let names = Set(guarded.map(\.service) + checked.map(\.service) + files.map(\.service))
        return names.sorted().map { name in
            ServiceLine(
                name: name, health: checked.first { $0.service == name },
                guarding: guarded.first { $0.service == name },
                files: files.filter { $0.service == name }, pending: pending.first { $0.service == name })
        }
    }

    var json: JSON {
        var daemons = [
            Self.json(.configd, configd), Self.json(.metricsd, metricsd), Self.json(.healthd, healthd),
            Self.json(.watchdogd, watchdogd),
        ]
        if let follower { daemons.append(Self.json(.configdEtcd, follower)) }
        return .object([
            "daemons": .array(daemons), "services": .array(services.map(\.json)),
            "locks": .array(locks.map(\.json)), "leases": .array(leases.map(\.json)),
        ])
    }

    private static func json(_ daemon: DaemonName, _ answer: Result<some WireObject, RPCError>) -> JSON {
        switch answer {
        case .success(let reply):
            .object(["daemon": .string(daemon.rawValue), "answers": true, "status": reply.json])
        case .failure(let error):
            .object([
                "daemon": .string(daemon.rawValue), "answers": .bool(!error.isSilence), "error": error.json,
            ])
        }
    }
}

/// One service as the daemons together see it; nil where the daemon that would say is silent or does not know it.
struct ServiceLine {
    var name: String
    var health: HealthAPI.ServiceSummary?
    var guarding: WatchdogAPI.ServiceSummary?
    var files: [ConfigFileStatus]
    /// A change on trial, or one that went back and that the service does not follow yet.
    var pending: ConfigPending?

    /// Something is wrong now, as far as anybody says so. *Unknown* alone is no trouble of the service.
    var isInTrouble: Bool {
        health?.status == .unhealthy || guarding?.isInTrouble ?? false
            || files.contains { $0.condition == .missing || $0.condition == .troubled }
    }

    var json: JSON {
        var object: JSONObject = ["service": .string(name)]
        object["health"] = health?.json
        object["guard"] = guarding?.json
        object["files"] = .array(files.map(\.json))
        object["pending"] = pending?.json
        return .object(object)
    }
}
