/// The rooms of the house and whom each may import: the table of the design, in Swift. Package.swift holds the same walls for
/// the compiler; this holds them against a Package.swift that was loosened.
struct Room {
    var folder: String
    var mayImport: Set<String>

    /// Concerns, and whom each listens to: the one-way arrows.
    static let concerns: [(name: String, listensTo: [String])] = [
        ("Config", []), ("Metrics", ["Config"]), ("Health", ["Config", "Metrics"]),
        ("Watchdog", ["Config", "Metrics", "Health"]), ("ConfigEtcd", ["Config"]),
    ]
    /// Rooms of `Shared` that not every daemon needs, each with a C library that would cost the others memory.
    private static let extra: [String: Set<String>] = [
        "Config": ["Store"], "ConfigEtcd": ["Store"], "Health": ["Store"],
        "Metrics": ["Compression", "Deadlines", "Postgres", "Redis"],
    ]

    private static let nio: Set<String> = ["NIOCore", "NIOPosix", "NIOConcurrencyHelpers", "NIOHTTP1", "NIOWebSocket"]
    private static let collections: Set<String> = ["DequeModule", "HeapModule", "OrderedCollections"]
    private static let system: Set<String> = ["Glibc", "Synchronization"]

    static let all: [Room] = shared + concerns.flatMap(rooms) + tops

    private static let shared: [Room] = [
        Room(folder: "Sources/Shared/Time", mayImport: []),
        Room(folder: "Sources/Shared/Wire", mayImport: []),
        Room(folder: "Sources/Shared/Files", mayImport: system.union(["CLinux"])),
        Room(folder: "Sources/Shared/Systemd", mayImport: system.union(["CSystemd", "CLinux", "Files", "Time"])),
        Room(folder: "Sources/Shared/Store", mayImport: system.union(["CSQLite"])),
        Room(folder: "Sources/Shared/Compression", mayImport: system.union(["CSnappy"])),
        Room(folder: "Sources/Shared/Deadlines", mayImport: system.union(["Time"])),
        Room(folder: "Sources/Shared/Redis", mayImport: system.union(["CHiredis", "Deadlines"])),
        Room(folder: "Sources/Shared/Postgres", mayImport: system.union(["CPostgres", "Deadlines"])),
        Room(folder: "Sources/Shared/Patterns", mayImport: ["CRE2"]),
        Room(folder: "Sources/Shared/Settings", mayImport: system.union(["CYAML", "Patterns", "Time"])),
        Room(
            folder: "Sources/Shared/Runtime",
            mayImport: system.union(nio).union(collections)
                .union(["Wire", "Time", "Files", "Settings", "Systemd", "CLinux"])),
    ]

    private static func rooms(_ name: String, listensTo: [String]) -> [Room] {
        let heard = Set(listensTo.map { "\($0)API" })
        let core = Set(["\(name)API", "Time", "Wire", "RealModule"]).union(heard).union(collections)
        let daemon = core.union(system).union(nio)
            .union([
                "\(name)Core", "Files", "Runtime", "Patterns", "Settings", "Systemd", "CLinux", "Subprocess",
            ])
            .union(extra[name, default: []])
        return [
            Room(folder: "Sources/\(name)/API", mayImport: ["Wire"]),
            Room(folder: "Sources/\(name)/Core", mayImport: core),
            Room(folder: "Sources/\(name)/Daemon", mayImport: daemon),
            Room(folder: "Sources/\(name)/Main", mayImport: ["\(name)Daemon"]),
        ]
    }

    private static let apis = Set(concerns.map { "\($0.name)API" })
    private static let cores = Set(concerns.map { "\($0.name)Core" })

    private static let tops: [Room] = [
        Room(folder: "Sources/Config/Validator", mayImport: system.union(["ConfigAPI", "Wire", "Settings", "CLinux"])),
        Room(folder: "Sources/Config/ValidatorMain", mayImport: ["ConfigValidator"]),
        Room(
            folder: "Sources/CLI",
            mayImport: apis.union(system).union(nio)
                .union(["Wire", "Time", "Runtime", "Settings", "ArgumentParser"])),
        Room(
            folder: "Sources/Simulation/Kit",
            mayImport: cores.union(apis).union(collections).union(["Time", "Wire", "RealModule"])),
        Room(folder: "Sources/Simulation/Main", mayImport: ["SimulationKit", "Time", "Glibc"]),
    ]

    static func of(_ source: SwiftSource) -> Room? {
        all.first { source.isIn($0.folder) }
    }
}

/// One `import` line.
struct Import {
    var line: Int
    var module: String
    var isTestable: Bool

    /// `package import struct Wire.JSON` imports Wire.
    static func all(in source: SwiftSource) -> [Import] {
        source.codeLines.enumerated().compactMap { index, line in
            var words = line.split(separator: " ")
            let isTestable = words.contains("@testable")
            words.removeAll {
                $0.hasPrefix("@") || ["package", "internal", "private", "fileprivate", "public"].contains($0)
            }
            guard words.first == "import" else { return nil }
            let kinds: Set<Substring> = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias"]
            guard let target = words.dropFirst().first(where: { !kinds.contains($0) }) else { return nil }
            let module = target.prefix { $0 != "." && $0 != ";" }
            return Import(line: index + 1, module: String(module), isTestable: isTestable)
        }
    }
}

extension Rule {
    /// Every file of Sources lies in a room.
    static let walls = Rule(name: "every source lies in a room") { source in
        guard source.isIn("Sources"), Room.of(source) == nil else { return [] }
        return [
            Violation(path: source.path, line: 0, message: "no such room: see Tests/ProjectTests/Rules/Walls.swift")
        ]
    }

    /// Every import is one that the room may look into.
    static let imports = Rule(name: "rooms import only what they may") { source in
        guard let room = Room.of(source) else { return [] }
        return Import.all(in: source).compactMap { found in
            if found.isTestable {
                return Violation(path: source.path, line: found.line, message: "@testable import in a source")
            }
            guard !room.mayImport.contains(found.module) else { return nil }
            let reason =
                found.module.hasPrefix("Foundation")
                ? "Foundation costs each daemon 3 MiB and more; use the standard library or Glibc"
                : "\(room.folder) may import \(room.mayImport.sorted().joined(separator: ", "))"
            return Violation(path: source.path, line: found.line, message: "import of \(found.module): \(reason)")
        }
    }
}
