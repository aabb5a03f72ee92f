// swift-tools-version: 6.2
import PackageDescription

// One helper line a concern (DESIGN: "one folder a concern"). The import walls are the dependency lists below, kept by
// `--explicit-target-dependency-import-check error` in every script and by Tests/ProjectTests.

let house: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

let nio: [Target.Dependency] = [
    .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOPosix", package: "swift-nio"),
]
let http: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let collections: [Target.Dependency] = [
    .product(name: "DequeModule", package: "swift-collections"),
    .product(name: "OrderedCollections", package: "swift-collections"),
]
let heap: Target.Dependency = .product(name: "HeapModule", package: "swift-collections")
let real: Target.Dependency = .product(name: "RealModule", package: "swift-numerics")
let subprocess: Target.Dependency = .product(name: "Subprocess", package: "swift-subprocess")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")

/// A room of `Sources/Shared`; `below` names the rooms it may look into.
func shared(_ name: String, below: [Target.Dependency] = [], libraries: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: below + libraries, path: "Sources/Shared/\(name)", swiftSettings: house)
}

/// A C library of the system, or a header of ours where Swift cannot call the C (macros, varargs).
func system(_ name: String, package: String, apt: String) -> Target {
    .systemLibrary(
        name: name, path: "Sources/Shared/\(name)", pkgConfig: package, providers: [.apt([apt])])
}

/// The four rooms of one concern and the tests of its core: messages (API), decisions (Core), effects (Daemon), start (Main).
func concern(
    _ name: String, daemon: String, listensTo: [String] = [], libraries: [Target.Dependency] = [],
    traces: [String] = []
) -> [Target] {
    let heard: [Target.Dependency] = listensTo.map { .target(name: "\($0)API") }
    let api: Target.Dependency = .target(name: "\(name)API")
    let core: Target.Dependency = .target(name: "\(name)Core")
    return [
        .target(
            name: "\(name)API", dependencies: ["Wire"], path: "Sources/\(name)/API", swiftSettings: house),
        .target(
            name: "\(name)Core", dependencies: [api, "Time", "Wire"] + heard + collections + [real],
            path: "Sources/\(name)/Core", swiftSettings: house),
        .target(
            name: "\(name)Daemon",
            dependencies: [
                core, api, "Time", "Wire", "Files", "Runtime", "Patterns", "Settings", "Systemd", "CLinux",
            ]
                + heard + nio + collections + libraries,
            path: "Sources/\(name)/Daemon", swiftSettings: house),
        .executableTarget(
            name: daemon, dependencies: [.target(name: "\(name)Daemon")], path: "Sources/\(name)/Main",
            swiftSettings: house),
        .testTarget(
            name: "\(name)CoreTests", dependencies: [core, api, "Time", "Wire"] + heard + collections,
            path: "Tests/\(name)CoreTests", exclude: traces, swiftSettings: house),
    ]
}

let foundations: [Target] = [
    shared("Time"),
    shared("Wire"),
    shared("Files", below: ["CLinux"]),
    .target(name: "CLinux", path: "Sources/Shared/CLinux"),
    .target(name: "CPostgres", path: "Sources/Shared/CPostgres"),
    .target(
        name: "CRE2", path: "Sources/Shared/CRE2", linkerSettings: [.linkedLibrary("re2"), .linkedLibrary("stdc++")]),
    system("CSystemd", package: "libsystemd", apt: "libsystemd-dev"),
    system("CSQLite", package: "sqlite3", apt: "libsqlite3-dev"),
    system("CYAML", package: "yaml-0.1", apt: "libyaml-dev"),
    system("CHiredis", package: "hiredis", apt: "libhiredis-dev"),
    system("CSnappy", package: "snappy", apt: "libsnappy-dev"),
    shared("Systemd", below: ["CSystemd", "CLinux", "Files", "Time"]),
    shared("Store", below: ["CSQLite"]),
    shared("Compression", below: ["CSnappy"]),
    shared("Deadlines", below: ["Time"]),
    shared("Redis", below: ["CHiredis", "Deadlines"]),
    shared("Postgres", below: ["CPostgres", "Deadlines"]),
    shared("Patterns", below: ["CRE2"]),
    shared("Settings", below: ["CYAML", "Patterns", "Time"]),
    shared("Runtime", below: ["Wire", "Time", "Files", "Settings", "Systemd", "CLinux"], libraries: nio + collections),
]

let concerns: [Target] =
    concern("Config", daemon: "configd", libraries: ["Store"])
    + concern(
        "Metrics", daemon: "metricsd", listensTo: ["Config"],
        libraries: [http, "Compression", "Deadlines", "Postgres", "Redis"])
    + concern("Health", daemon: "healthd", listensTo: ["Config", "Metrics"], libraries: [http, subprocess, "Store"])
    + concern(
        "Watchdog", daemon: "watchdogd", listensTo: ["Config", "Metrics", "Health"], libraries: [http],
        traces: ["Traces"])
    + concern("ConfigEtcd", daemon: "configd-etcd", listensTo: ["Config"], libraries: [http, "Store"])

/// What configd has run as somebody else: its own program, without a loop.
let validator: [Target] = [
    .target(
        name: "ConfigValidator", dependencies: ["ConfigAPI", "Wire", "Settings", "CLinux"],
        path: "Sources/Config/Validator", swiftSettings: house),
    .executableTarget(
        name: "mainstay-validate", dependencies: ["ConfigValidator"], path: "Sources/Config/ValidatorMain",
        swiftSettings: house),
]

let apis: [Target.Dependency] = ["ConfigAPI", "MetricsAPI", "HealthAPI", "WatchdogAPI", "ConfigEtcdAPI"]
let cores: [Target.Dependency] = ["ConfigCore", "MetricsCore", "HealthCore", "WatchdogCore"]
let daemons: [Target.Dependency] = [
    "ConfigDaemon", "MetricsDaemon", "HealthDaemon", "WatchdogDaemon", "ConfigEtcdDaemon",
]

let tops: [Target] = [
    .executableTarget(
        name: "mainstay", dependencies: apis + ["Wire", "Time", "Runtime", "Settings", arguments] + nio,
        path: "Sources/CLI", swiftSettings: house),
    .target(
        name: "SimulationKit", dependencies: cores + apis + ["Time", "Wire"] + collections + [heap, real],
        path: "Sources/Simulation/Kit", swiftSettings: house),
    .executableTarget(
        name: "simulate", dependencies: ["SimulationKit", "Time"], path: "Sources/Simulation/Main",
        swiftSettings: house),
]

let tests: [Target] = [
    .testTarget(name: "WireTests", dependencies: ["Wire", "Time"], path: "Tests/WireTests", swiftSettings: house),
    .testTarget(
        name: "SharedTests",
        dependencies: [
            "Compression", "Deadlines", "Files", "Patterns", "Postgres", "Redis", "Settings", "Store", "Systemd",
            "Runtime", "Time",
            "Wire",
            "CLinux",
        ] + nio,
        path: "Tests/SharedTests", swiftSettings: house),
    .testTarget(
        name: "ProtocolTests", dependencies: apis + ["Wire"], path: "Tests/ProtocolTests", swiftSettings: house),
    .testTarget(
        name: "DaemonTests",
        dependencies: apis + daemons
            + [
                "mainstay", "mainstay-validate", "Files", "Wire", "Time", "Runtime", "Settings", "Store", "Systemd",
                "CLinux",
                http,
            ] + nio,
        path: "Tests/DaemonTests", swiftSettings: house),
    .testTarget(
        name: "CLITests", dependencies: ["mainstay", "ConfigAPI", "ConfigEtcdAPI", "MetricsAPI", "Wire"],
        path: "Tests/CLITests",
        swiftSettings: house),
    .testTarget(
        name: "SimulationTests", dependencies: ["SimulationKit", "Time"], path: "Tests/SimulationTests",
        exclude: ["Scenarios"], swiftSettings: house),
    .testTarget(name: "ProjectTests", dependencies: [], path: "Tests/ProjectTests", swiftSettings: house),
]

let package = Package(
    name: "mainstay",
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
        .package(url: "https://github.com/apple/swift-collections", exact: "1.6.0"),
        .package(url: "https://github.com/apple/swift-numerics", exact: "1.1.1"),
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", exact: "1.0.2", traits: []),
    ],
    targets: foundations + concerns + validator + tops + tests
)
