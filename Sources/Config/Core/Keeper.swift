package import Time

/// What configd knows of all its files, and when it looks at them: the machine on the loop. The files themselves and
/// their versions are the store thread's; what that thread finds and does comes back here as events.
///
/// A file is *unknown* until the first look, then *whole*, *missing* or *troubled*, and each look or change says which.
/// What is announced is decided here from version numbers alone, so a version whose answer came too late for its caller
/// is still announced, once, by the next look.
///
/// Each file is looked at once a minute, whatever else happens. It is looked at sooner where it was *noticed* that
/// somebody wrote in its folder, where a look found it half-written, and each second where nothing is watched (it is
/// *blind* then). However often a file is noticed, looks at it are a quarter of a second apart.
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

    /// Why changes of a file are not noticed.
    package enum Blindness: Hashable, Sendable {
        /// It or its folder cannot be opened; the look at it tells why.
        case unreachable
        /// The user's limit of watches is reached (fs.inotify.max_user_watches).
        case noWatchLeft
        /// The user's limit of inotify descriptors, or the process's of descriptors, is reached.
        case noDescriptorLeft
        /// Other hosts may write there, and nothing here tells of it. In words: `nfs`.
        case sharedFileSystem(String)
        /// In words.
        case failed(String)
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
        /// Tell the journal that files are looked at each second, for want of better; `FileID` is the first of them.
        case reportBlind(FileID, Blindness)
        /// Tell the journal that no file is blind for that reason any more; `FileID` was the last.
        case reportSighted(FileID, Blindness)
        /// Call `timerFired` at that time. It takes the place of the timer before.
        case startTimer(TimerID, at: Instant)
    }

    /// How long a file is left alone between looks.
    package static let lookInterval: Duration = .seconds(60)
    /// The same where nothing is watched.
    package static let pollInterval: Duration = .seconds(1)
    /// From a notice to the look: whoever writes a file writes more than once, and is mostly through by then.
    package static let noticeDelay: Duration = .milliseconds(30)
    /// Between two looks at a file that is noticed again and again.
    package static let noticeGap: Duration = .milliseconds(250)

    private struct File: Hashable {
        var condition = Condition.unknown
        var isLooking = false
        var lookedAt: Instant?
        /// When it is to be looked at, where that is sooner than the interval says.
        var soon: Instant?
        var blindness: Blindness?
        /// The newest version that was announced or, at the first look, found.
        var announced: Int64?
    }

    private struct Timer: Hashable {
        var id: TimerID
        var at: Instant
    }

    private var files: [FileID: File] = [:]
    private var timerIDs = TimerIDs()
    /// The one timer that is waited for.
    private var timer: Timer?
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

    /// The timer of that id is over.
    package mutating func timerFired(_ id: TimerID, now: Instant) -> [Action] {
        handled += 1
        guard id == timer?.id else { return [] }
        timer = nil
        return dueLooks(now)
    }

    /// Somebody has written these files, or in their folders.
    package mutating func noticed(_ ids: [FileID], now: Instant) -> [Action] {
        handled += 1
        for id in ids {
            guard let file = files[id] else { continue }
            let earliest = max(now + Self.noticeDelay, file.lookedAt.map { $0 + Self.noticeGap } ?? now)
            files[id]?.soon = min(file.soon ?? earliest, earliest)
        }
        return dueLooks(now)
    }

    /// Changes of the file are not noticed any more.
    package mutating func blinded(_ id: FileID, _ why: Blindness, now: Instant) -> [Action] {
        handled += 1
        guard let file = files[id], file.blindness != why else { return [] }
        let isNews = why != .unreachable && !files.values.contains { $0.blindness == why }
        let mended = sight(id)
        files[id]?.blindness = why
        return mended + (isNews ? [.reportBlind(id, why)] : []) + dueLooks(now)
    }

    /// Changes of the file are noticed from now on.
    package mutating func sighted(_ id: FileID) -> [Action] {
        handled += 1
        return sight(id)
    }

    /// A look has ended: `versions` are those after `announced(of:)`, or, at the first look, those that the look itself
    /// made or concluded; the oldest first.
    package mutating func looked(_ id: FileID, _ condition: Condition, versions: [Version], now: Instant) -> [Action] {
        handled += 1
        guard let file = files[id] else { return [] }
        files[id]?.isLooking = false
        // It was noticed once more meanwhile.
        if let soon = file.soon { files[id]?.soon = max(soon, now + Self.noticeGap) }
        return ended(id, condition, versions, now)
    }

    /// A change, or a refused one, has ended; it looked at the file first, so this tells the same.
    package mutating func changed(_ id: FileID, _ condition: Condition, versions: [Version], now: Instant) -> [Action] {
        handled += 1
        guard files[id] != nil else { return [] }
        return ended(id, condition, versions, now)
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

    /// How many files are looked at each second, for want of a watch.
    package var blindCount: Int { files.values.count { $0.blindness != nil } }

    // MARK: When to look

    private mutating func dueLooks(_ now: Instant) -> [Action] {
        let due = files.filter { !$1.isLooking && Self.nextLook($1, now) <= now }
        for id in due.keys {
            files[id]?.isLooking = true
            files[id]?.soon = nil
        }
        let ordered = due.keys.sorted { ($0.service, $0.path) < ($1.service, $1.path) }
        return ordered.map { .look($0) } + timerForTheNext()
    }

    private static func nextLook(_ file: File, _ now: Instant) -> Instant {
        guard let lookedAt = file.lookedAt else { return now }
        let regular = lookedAt + (file.blindness == nil ? lookInterval : pollInterval)
        return min(file.soon ?? regular, regular)
    }

    /// What is due within the interval has a timer; the rest has the tick.
    private mutating func timerForTheNext() -> [Action] {
        let times = files.values.compactMap { file -> Instant? in
            guard !file.isLooking else { return nil }
            let poll = file.blindness == nil ? nil : file.lookedAt.map { $0 + Self.pollInterval }
            return [file.soon, poll].compactMap { $0 }.min()
        }
        guard let next = times.min(), timer.map({ next < $0.at }) ?? true else { return [] }
        let id = timerIDs.next()
        timer = Timer(id: id, at: next)
        return [.startTimer(id, at: next)]
    }

    private mutating func sight(_ id: FileID) -> [Action] {
        guard let why = files[id]?.blindness else { return [] }
        files[id]?.blindness = nil
        let isLast = !files.values.contains { $0.blindness == why }
        return isLast && why != .unreachable ? [.reportSighted(id, why)] : []
    }

    // MARK: What was found

    private mutating func ended(
        _ id: FileID, _ condition: Condition, _ versions: [Version], _ now: Instant
    ) -> [Action] {
        files[id]?.lookedAt = now
        // It is what it was until whoever writes it is through: no news, but a look in a moment.
        if case .troubled(let failure) = condition, case .beingWritten(let again) = failure.cause {
            let time = now + max(again, .milliseconds(10))
            let soon = files[id]?.soon ?? time
            files[id]?.soon = min(soon, time)
            return timerForTheNext()
        }
        return settle(id, condition, versions) + timerForTheNext()
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
