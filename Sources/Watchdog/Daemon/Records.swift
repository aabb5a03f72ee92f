import CLinux
import Files
import Glibc
import WatchdogAPI
import WatchdogCore
import Wire

/// What watchdogd keeps over its own death, owned by the thread `store`: one file a service (its budget, its back-off,
/// an operator's hold), one an incident, one a bundle of evidence. Plain JSON files: at 3 a.m. `cat` reads them, and a
/// damaged one costs itself alone.
///
/// A file is replaced whole: written beside, fsynced, renamed, the folder fsynced (FACTS §3).
struct Records {
    /// The folder of the daemon, as `/var/lib/mainstay/watchdogd`.
    private let folder: String
    private var incidentsKept: Int
    private var bundlesKept: Int
    /// The newest last.
    private var index: [Entry] = []
    /// What one reply holds at most, well within a frame of 1 MiB; the rest comes on the next page.
    private static let pageBytes = 512 << 10

    /// What is held in memory of an incident: enough to find it.
    struct Entry: Hashable, Sendable {
        var openedAtMs: Int64
        var id: String
        var service: String
        var aliases: [String]
    }

    /// Why a file could not be kept: the step, and errno.
    struct Failure: Error, CustomStringConvertible {
        var step: String
        var code: Int32
        var description: String { "\(step): \(String(cString: strerror(code)))" }
    }

    /// Reads the index anew from the files that are there.
    init(folder: String, incidentsKept: Int, bundlesKept: Int) throws {
        self.folder = folder
        self.incidentsKept = incidentsKept
        self.bundlesKept = bundlesKept
        for name in ["services", "incidents", "evidence"] {
            let path = "\(folder)/\(name)"
            guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw Failure(step: "mkdir \(path)", code: errno) }
        }
        for file in Contents.ofFolder("\(folder)/incidents") ?? [] where file.hasSuffix(".json") {
            guard let record: IncidentRecord = Self.read("\(folder)/incidents/\(file)") else { continue }
            index.append(Self.entry(of: record))
        }
        index.sort { ($0.openedAtMs, $0.id) < ($1.openedAtMs, $1.id) }
    }

    /// How many are kept from the next writing on.
    mutating func keepAtMost(incidents: Int, bundles: Int) {
        incidentsKept = incidents
        bundlesKept = bundles
    }

    // MARK: Services

    /// What was kept of a service, and the incident that was open then.
    func memory(of service: String) -> (GuardMemory?, IncidentRecord?) {
        let memory: GuardMemory? = Self.read("\(folder)/services/\(Self.fileName(service))")
        return (memory, memory?.openIncident.flatMap { incident($0) })
    }

    func keep(_ memory: GuardMemory, of service: String) throws {
        try replace("services", Self.fileName(service), with: JSONWriter.bytes(of: memory))
    }

    // MARK: Incidents

    mutating func keep(_ record: IncidentRecord) throws {
        try replace("incidents", Self.fileName(record.id), with: JSONWriter.bytes(of: record))
        index.removeAll { $0.id == record.id }
        let entry = Self.entry(of: record)
        let place = index.lastIndex { ($0.openedAtMs, $0.id) < (entry.openedAtMs, entry.id) }.map { $0 + 1 } ?? 0
        index.insert(entry, at: place)
        while index.count > incidentsKept {
            unlink("\(folder)/incidents/\(Self.fileName(index.removeFirst().id))")
        }
    }

    /// The record with that id or alias.
    func incident(_ id: String) -> IncidentRecord? {
        guard let entry = index.last(where: { $0.id == id || $0.aliases.contains(id) }) else { return nil }
        return Self.read("\(folder)/incidents/\(Self.fileName(entry.id))")
    }

    /// The newest first, from the one after `cursor` on, at most `limit` and as many as fit into a page; nil where the cursor
    /// is of no record.
    func incidents(of service: String?, limit: Int, after cursor: String?) -> IncidentsReply? {
        var entries = index.reversed().filter { service == nil || $0.service == service }[...]
        if let cursor {
            guard let place = entries.firstIndex(where: { $0.id == cursor }) else { return nil }
            entries = entries[(place + 1)...]
        }
        var reply = IncidentsReply(incidents: [])
        var bytes = 0
        var last: Entry?
        for entry in entries.prefix(limit) {
            if let record: IncidentRecord = Self.read("\(folder)/incidents/\(Self.fileName(entry.id))") {
                bytes += JSONWriter.bytes(of: record).count
                // A page holds one at least, however large: the next call would meet it again.
                guard bytes <= Self.pageBytes || reply.incidents.isEmpty else { break }
                reply.incidents.append(record)
            }
            last = entry
        }
        if last != entries.last { reply.next = last?.id }
        return reply
    }

    // MARK: Evidence

    /// Where the bundle of an incident will be.
    static func evidencePath(of incident: String, in folder: String) -> String {
        "\(folder)/evidence/\(fileName(incident))"
    }

    /// Keeps a bundle, and of all bundles the newest.
    func keepEvidence(_ bytes: [UInt8], of incident: String) throws {
        try replace("evidence", Self.fileName(incident), with: bytes)
        var bundles = (Contents.ofFolder("\(folder)/evidence") ?? []).compactMap {
            name -> (seconds: Int, nanoseconds: Int, name: String)? in
            var status = stat()
            guard stat("\(folder)/evidence/\(name)", &status) == 0 else { return nil }
            return (status.st_mtim.tv_sec, status.st_mtim.tv_nsec, name)
        }
        bundles.sort { $0 > $1 }
        for bundle in bundles.dropFirst(bundlesKept) { unlink("\(folder)/evidence/\(bundle.name)") }
    }

    // MARK: Files

    private static func entry(of record: IncidentRecord) -> Entry {
        Entry(openedAtMs: record.openedAtMs, id: record.id, service: record.service, aliases: record.aliases)
    }

    private static func read<Value: WireObject>(_ path: String) -> Value? {
        guard let bytes = Contents.ofFile(path, limit: 8 << 20), let json = try? JSONReader.read(bytes) else {
            return nil
        }
        return try? Value(wire: json)
    }

    /// A name that no service or incident can lead out of the folder with.
    private static func fileName(_ name: String) -> String {
        String(name.map { $0.isASCII && ($0.isLetter || $0.isNumber || "-_.@".contains($0)) ? $0 : "_" }) + ".json"
    }

    private func replace(_ subfolder: String, _ name: String, with bytes: [UInt8]) throws {
        let path = "\(folder)/\(subfolder)/\(name)"
        // A name of its own kind, so that one left behind by a crash is neither read nor piles up.
        let temporary = "\(folder)/\(subfolder)/.\(name).new"
        let file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw Failure(step: "open \(temporary)", code: errno) }
        do {
            defer { close(file) }
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
                guard count > 0 else { throw Failure(step: "write \(temporary)", code: errno) }
                rest = rest.dropFirst(count)
            }
            guard fsync(file) == 0 else { throw Failure(step: "fsync \(temporary)", code: errno) }
        } catch {
            unlink(temporary)
            throw error
        }
        guard rename(temporary, path) == 0 else { throw Failure(step: "rename \(path)", code: errno) }
        let directory = open("\(folder)/\(subfolder)", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { throw Failure(step: "open \(folder)/\(subfolder)", code: errno) }
        defer { close(directory) }
        guard fsync(directory) == 0 else { throw Failure(step: "fsync \(folder)/\(subfolder)", code: errno) }
    }
}
