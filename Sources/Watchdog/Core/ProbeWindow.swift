import Time
import WatchdogAPI

/// The liveness probes of one service: the one under way, the late one that is kept open, and the last verdicts.
///
/// A probe that timed out stays open (30 s), since a late answer is what tells *saturated* from a hang: with 40 clients
/// the answer came after 2.35 s, with 100 after 6.0 s, and from a hang never (FACTS §4). One kept open is enough, and a
/// service that has too much to do should not be given more.
struct ProbeWindow: Hashable, Sendable {
    /// A probe that was sent and has not ended.
    struct Open: Hashable, Sendable {
        let id: ProbeID
        let sent: Moment
    }

    /// What a probe's end meant.
    enum End: Hashable, Sendable {
        case good
        case wrong
        /// A probe that had timed out was answered, well or not.
        case late
        /// Nobody waits for it any more, or nothing can be said.
        case void
    }

    /// How many verdicts are kept: *failing* is 3 of the last 5, since rules that count in a row miss flapping.
    var keeps: Int
    private(set) var current: Open?
    private(set) var late: Open?
    /// The last verdicts, oldest first.
    private(set) var notes: [ProbeNote] = []
    /// Good answers in a row.
    private(set) var goodInRow = 0
    /// When the first of them came.
    private(set) var firstGood: Moment?
    /// The last late answer: when it came, and after how long.
    private(set) var lastLateAnswer: Stamp?
    private var lastID: UInt64 = 0

    init(keeps: Int) {
        self.keeps = keeps
    }

    /// A late answer.
    struct Stamp: Hashable, Sendable {
        let at: Instant
        let after: Duration
    }

    /// The oldest probe that is still open: what a hang has not answered.
    var oldest: Open? { late ?? current }

    var unanswered: Int { notes.count { $0.verdict == .unanswered || $0.verdict == .late } }
    var wrong: Int { notes.count { $0.verdict == .wrong || $0.verdict == .refused } }

    /// A new probe; only where none is under way.
    mutating func send(at now: Moment) -> ProbeID {
        lastID += 1
        let id = ProbeID(lastID)
        current = Open(id: id, sent: now)
        return id
    }

    /// The probe under way has waited for its whole timeout. It becomes the one kept open, unless there is one already:
    /// then its id is returned, to be abandoned.
    mutating func currentTimedOut() -> ProbeID? {
        guard let probe = current else { return nil }
        current = nil
        note(probe, .unanswered, took: nil, detail: nil)
        guard late == nil else { return probe.id }
        late = probe
        return nil
    }

    /// A probe ended.
    mutating func finished(_ id: ProbeID, _ result: ProbeResult, timeout: Duration, at now: Moment) -> End {
        if let probe = late, probe.id == id {
            late = nil
            return lateEnd(of: probe, result, at: now)
        }
        guard let probe = current, probe.id == id else { return .void }
        current = nil
        let took = now.instant - probe.sent.instant
        switch result {
        case .notSent: return .void  // No verdict: it is not the service's doing.
        case .good, .wrong, .refused:
            if took > timeout {
                note(probe, .unanswered, took: nil, detail: nil)
                return lateEnd(of: probe, result, at: now)
            }
        }
        switch result {
        case .good(let detail):
            note(probe, .good, took: took, detail: detail)
            goodInRow += 1
            if goodInRow == 1 { firstGood = now }
            return .good
        case .wrong(let detail):
            note(probe, .wrong, took: took, detail: detail)
            return .wrong
        case .refused:
            note(probe, .refused, took: took, detail: "connection refused")
            return .wrong
        case .notSent:
            return .void
        }
    }

    private mutating func lateEnd(of probe: Open, _ result: ProbeResult, at now: Moment) -> End {
        let took = now.instant - probe.sent.instant
        switch result {
        case .notSent, .refused:
            return .void
        case .good, .wrong:
            lastLateAnswer = Stamp(at: now.instant, after: took)
            if let place = notes.firstIndex(where: { $0.atMs == probe.sent.wall.milliseconds }) {
                notes[place].verdict = .late
                notes[place].tookMs = took.milliseconds
            }
            return .late
        }
    }

    private mutating func note(_ probe: Open, _ verdict: ProbeVerdict, took: Duration?, detail: String?) {
        notes.append(
            ProbeNote(
                atMs: probe.sent.wall.milliseconds, verdict: verdict, tookMs: took?.milliseconds, detail: detail))
        if notes.count > keeps { notes.removeFirst(notes.count - keeps) }
        if verdict != .good {
            goodInRow = 0
            firstGood = nil
        }
    }

    /// Everything under way says nothing any more (watchdogd was held up, or the process is another): the ids to abandon.
    mutating func void() -> [ProbeID] {
        let open = [late, current].compactMap { $0?.id }
        late = nil
        current = nil
        return open
    }

    /// The probe under way alone is given up; a late one stays open for its answer.
    mutating func pause() -> ProbeID? {
        defer { current = nil }
        return current?.id
    }

    /// The late probe has waited for all its patience: its id, to be abandoned.
    mutating func giveUpLate() -> ProbeID? {
        defer { late = nil }
        return late?.id
    }

    /// Old verdicts are of another time (a new process, a dependency that came back).
    mutating func forgetVerdicts() {
        notes = []
        goodInRow = 0
        firstGood = nil
        lastLateAnswer = nil
    }
}
