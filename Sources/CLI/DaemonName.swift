import ArgumentParser

/// The daemons that can be asked, in the order of the arrows between them.
enum DaemonName: String, CaseIterable, Sendable, ExpressibleByArgument {
    case configd
    case metricsd
    case healthd
    case watchdogd
    /// Optional: it runs where etcd is followed.
    case configdEtcd = "configd-etcd"

    /// Those of every host.
    static let suite: [DaemonName] = [.configd, .metricsd, .healthd, .watchdogd]
}
