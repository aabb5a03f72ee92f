package import Time

/// What configd knows of all its files, and when it looks at them: the machine on the loop. The files themselves and
/// their versions are the store thread's; what that thread finds and does comes back here as events.
///
/// A file is *unknown* until the first look, then *whole*, *missing* or *troubled*, and each look or change says which.
/// What is announced is decided here from version numbers alone, so a version whose answer came too late for its caller
/// is still announced, once, by the next look.
package struct Keeper: Hashable, Sendable {
    /// A file by the place that settings give it.
    package struct FileID: Hashable, Sendable {
        package var service: String
        package var path: String

        package init(service: String, path: String) {
            self.service = service
            self.path = path
        }
    }

    /// What the last look or change found.
    package enum Condition: Hashable, Sendable {
        case unknown
        case whole(Version)
        case missing(Version?)
        case troubled(StepFailure)
    }

    /// What the daemon is to do.
    package enum Action: Hashable, Sendable {
        /// Have the store thread look at the file and put right what it finds.
        case look(FileID)
        /// Tell subscribers and the journal of a version.
        case announce(FileID, Version)
        /// Tell the journal that a file is missing or in trouble.
        case reportTrouble(FileID, Condition)
        /// Tell the journal that it is whole again.
        case reportMended(FileID)
    }

    /// How long a file is left alone between looks.
    package static let lookInterval: Duration = .seconds(60)

    private struct File: Hashable {
        var condition = Condition.unknown
        var isLooking = false
        var lookedAt: Instant?
        /// The newest version that was announced or, at the first look, found.
        var announced: Int64?
    }

    private var files: [FileID: File] = [:]
    /// Events handled in this machine's life: what the keepalive watches.
    package private(set) var handled: UInt64 = 0

    package init() {}

    /// The settings name these files now.
    package mutating func configured(_ ids: [FileID], now: Instant) -> [Action] {
        handled += 1
        let wanted = Set(ids)
        for id in files.keys where !wanted.contains(id) { files[id] = nil }
        for id in ids where files[id] == nil { files[id] = File() }
        return dueLooks(now)
    }

    /// The daemon's own tick: looks that are due begin.
    package mutating func ticked(now: Instant) -> [Action] {
        handled += 1
        return dueLooks(now)
    }

    /// A look has ended: `versions` are those after `announced(of:)`, or, at the first look, those that the look itself
    /// made or concluded; the oldest first.
    package mutating func looked(_ id: FileID, _ condition: Condition, versions: [Version], now: Instant) -> [Action] {
        handled += 1
        guard var file = files[id] else { return [] }
        file.isLooking = false
        file.lookedAt = now
        files[id] = file
        return settle(id, condition, versions)
    }

    /// A change, or a refused one, has ended; it looked at the file first, so this tells the same.
    package mutating func changed(_ id: FileID, _ condition: Condition, versions: [Version], now: Instant) -> [Action] {
        handled += 1
        guard files[id] != nil else { return [] }
        files[id]?.lookedAt = now
        return settle(id, condition, versions)
    }

    /// The store thread did not answer in time or took no more work; the next tick tries again after the interval.
    package mutating func lookFailed(_ id: FileID, now: Instant) {
        handled += 1
        files[id]?.isLooking = false
        files[id]?.lookedAt = now
    }

    /// As the file was last seen; nil where the settings name no such file.
    package func condition(of id: FileID) -> Condition? { files[id]?.condition }

    /// The newest version announced; nil before the first look. Versions after it belong into the next event.
    package func announced(of id: FileID) -> Int64? { files[id]?.announced }

    private mutating func dueLooks(_ now: Instant) -> [Action] {
        let due = files.filter { _, file in
            !file.isLooking && file.lookedAt.map { now - $0 >= Self.lookInterval } ?? true
        }
        for id in due.keys { files[id]?.isLooking = true }
        let ordered = due.keys.sorted { ($0.service, $0.path) < ($1.service, $1.path) }
        return ordered.map { .look($0) }
    }

    private mutating func settle(_ id: FileID, _ condition: Condition, _ versions: [Version]) -> [Action] {
        guard let file = files[id] else { return [] }
        var actions: [Action] = []
        let announced = file.announced
        for version in versions where version.number > (announced ?? 0) { actions.append(.announce(id, version)) }
        if let newest = versions.last?.number ?? Self.version(of: condition)?.number {
            files[id]?.announced = max(newest, announced ?? 0)
        } else if announced == nil {
            files[id]?.announced = 0
        }
        files[id]?.condition = condition
        switch (file.condition, condition) {
        case (_, .unknown): break
        case (.whole, .whole), (.unknown, .whole): break
        case (.missing, .whole), (.troubled, .whole): actions.append(.reportMended(id))
        case (let old, .missing):
            if case .missing = old { break }
            actions.append(.reportTrouble(id, condition))
        case (let old, .troubled):
            if old != condition { actions.append(.reportTrouble(id, condition)) }
        }
        return actions
    }

    private static func version(of condition: Condition) -> Version? {
        switch condition {
        case .unknown, .troubled: nil
        case .whole(let version): version
        case .missing(let version): version
        }
    }
}
