import ArgumentParser

/// The daemons of the suite, in the order of the arrows between them.
enum DaemonName: String, CaseIterable, Sendable, ExpressibleByArgument {
    case configd
    case metricsd
    case healthd
    case watchdogd
}
