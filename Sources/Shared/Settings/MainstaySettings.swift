/// What `/etc/mainstay/mainstay.yaml` says: everything that is of no single service. Every key has a default, so the file
/// may be empty or missing. Times and sizes are in the units of their types; defaults are those of the design's table of
/// time budgets unless a comment says otherwise.
package struct MainstaySettings: Hashable, Sendable {
    /// Where each daemon binds `<daemon>.sock`.
    package var socketDirectory = "/run/mainstay"
    /// Where each daemon keeps its own folder, named after it.
    package var stateDirectory = "/var/lib/mainstay"
    /// Where the OpenRPC documents are that `rpc.discover` answers with: `<daemon>.openrpc.json`.
    package var protocolDirectory = "/usr/share/mainstay/Protocols"
    package var access = AccessSettings()
    package var connections = ConnectionSettings()
    package var configd = ConfigdSettings()
    package var metricsd = MetricsdSettings()
    package var healthd = HealthdSettings()
    package var watchdogd = WatchdogdSettings()
    package var etcd = EtcdSettings()

    package init() {}
}

/// Who may call what. Names are looked up once, at start and at reload: a look-up may block, a request may not.
package struct AccessSettings: Hashable, Sendable {
    /// The group whose members may read.
    package var readGroup = "mainstay"
    /// The group whose members may act, as root may. On watchdogd that equals root.
    package var actGroup = "mainstay-admin"

    package init() {}
}

/// What one daemon's socket bears.
package struct ConnectionSettings: Hashable, Sendable {
    /// Open connections in all.
    package var maximum = 1024
    /// Open connections of one uid.
    package var maximumPerUser = 64

    package init() {}
}

/// configd alone.
package struct ConfigdSettings: Hashable, Sendable {
    /// The user that configd runs as: the others know it as a peer by its uid.
    package var user = "mainstay-configd"
    /// Versions kept for each service beside the last good one, which is never dropped.
    package var versionsKept = 500

    package init() {}
}

/// metricsd alone.
package struct MetricsdSettings: Hashable, Sendable {
    package var user = "mainstay-metricsd"
    /// How often system, process and peers are sampled.
    package var interval: Duration = .seconds(1)
    /// How often PSS and USS are read: 19 ms for a process of 2 GiB.
    package var detailInterval: Duration = .seconds(60)
    /// What a power cut may cost at most: samples are made durable this often.
    package var flushInterval: Duration = .seconds(2)
    package var retention = RetentionSettings()
    /// Series that the store takes in all; what is beyond is counted and refused.
    package var maximumSeries = 20_000
    /// The databases and caches of this host that belong to no guarded service.
    package var infrastructure = InfrastructureSettings()
    /// Who is given what is measured.
    package var remoteWrite: [RemoteWriteSettings] = []

    package init() {}
}

/// How long samples stay, whichever is reached first (Prometheus: `retention.time`, `retention.size`, and its 15 days).
package struct RetentionSettings: Hashable, Sendable {
    package var time: Duration = .seconds(15 * 86_400)
    package var size: Int64 = 1 << 30

    package init() {}
}

/// healthd alone.
package struct HealthdSettings: Hashable, Sendable {
    package var user = "mainstay-healthd"
    /// Command checks that run at the same time on this host.
    package var concurrentCommands = 8
    /// What is kept of a command's output, whatever it prints.
    package var commandOutput: Int64 = 64 << 10

    package init() {}
}

/// watchdogd alone.
package struct WatchdogdSettings: Hashable, Sendable {
    /// The user that watchdogd runs as: restarting a unit needs uid 0.
    package var user = "root"
    package var evidence = EvidenceSettings()
    package var starvedHost = StarvedHostSettings()
    /// Incidents kept on disk, the newest first.
    package var incidentsKept = 1000

    package init() {}
}

/// What is gathered before a kill: bounded, since a heap dump once froze a service for 106 s.
package struct EvidenceSettings: Hashable, Sendable {
    package var timeout: Duration = .milliseconds(500)
    /// Bytes of one bundle.
    package var size: Int64 = 64 << 20
    /// Bundles kept on disk, the newest first.
    package var kept = 20

    package init() {}
}

/// When the host is too busy for a verdict on a service: nothing is killed, deadlines double, for `hold` at most.
package struct StarvedHostSettings: Hashable, Sendable {
    /// PSI cpu "some" avg10, in per cent of the time.
    package var cpuPressure = 60.0
    /// How late the daemon's own tick may come.
    package var tickDelay: Duration = .milliseconds(500)
    /// After this long the host counts as not starved, whatever it says. With the 30 s in which a livelock is decided, 5 s
    /// for a second thought, evidence and a start, the default keeps a recovery within the 60 s that are promised.
    package var hold: Duration = .seconds(20)

    package init() {}
}
