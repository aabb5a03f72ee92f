import Time
import WatchdogAPI

/// Whether the main thread works: what its own counters say between two moments, and what they are worth.
///
/// **The sum** (P probe interval, T probe timeout, W = P/2, between 0.5 and 2 s). A fault just after a good answer waits
/// up to P for the next probe; that probe times out after T: the first window. The second is W long, sampled each W/2
/// and not at the next probe. So a wedge is decided within P + T + W of the fault: 2.5 s at P = 1 s, T = 1 s (2.0 s on
/// the average), 4.0 s at P = 2 s. Evidence takes up to 0.5 s, KILL and the order to start some 0.03 s: at most 3.0 s
/// at P = 1 s and 4.5 s at P = 2 s above the service's own start. Where a collector's pause is possible the first window
/// counts twice: P + 2T + W, 4.0 s at most at P = 1 s (3.1 s on the average), 5.5 s at P = 2 s. A stopped process is
/// seen at the next probe's sample and looked at again after 0.2 s: P + 0.2 s + evidence, 1.7 s at most at P = 1 s.
///
/// **The traps** (FACTS §4). The counters are the main thread's own: a busy worker hides a spinning main thread in the
/// process's. io_uring, recv and send do not move them, and in some programs the main thread never serves: so a counter
/// that was not seen to move *while good answers came* proves nothing, and then only the 30 s without a late answer
/// decide. A long pause of a garbage collector shows a silent thread on a busy CPU; but the collector's threads are busy
/// beside it, or it waits for them (voluntary switches): then more silence is asked for. A thread that is runnable and
/// gets no CPU is not judged at all.
struct ProgressWindow: Hashable, Sendable {
    /// What is known of the counters' worth: nil until seen.
    struct Worth: Hashable, Sendable {
        var readCallsSpeak: Bool?
        var switchesSpeak: Bool?

        /// Whether the main thread is known to serve.
        var mainThreadServes: Bool? {
            if readCallsSpeak == true || switchesSpeak == true { return true }
            if readCallsSpeak == false && switchesSpeak == false { return false }
            return nil
        }
    }

    /// Switches of a thread that only waits out a lock or a long timer.
    static let quietSwitchesPerSecond = 5.0
    /// CPU of the other threads, as a share of one CPU, at which they may be a collector's.
    static let busyOthersShare = 0.2
    /// Good windows without a movement before a counter is held to be mute.
    static let muteAfter = 3

    private(set) var worth = Worth()
    private(set) var latest: ProgressSample?
    /// The sample at which the read and write calls were last seen to have moved: silence is counted from here.
    private var calls: ProgressSample?
    /// The same for the voluntary switches.
    private var switches: ProgressSample?
    /// Samples since the last good answers, for learning: two back, so that a whole probe lies between.
    private var history: [ProgressSample] = []
    /// The first sample since a probe timed out.
    private var trouble: ProgressSample?
    private var wantsTrouble = false
    private var muteCalls = 0
    private var muteSwitches = 0

    init() {}

    init(worth: Worth) {
        self.worth = worth
    }

    /// A new sample. One of another process, or older than the last, changes nothing.
    mutating func sampled(_ sample: ProgressSample) {
        if wantsTrouble || trouble.map({ $0.process != sample.process }) ?? false {
            trouble = sample
            wantsTrouble = false
        }
        guard let last = latest, last.process == sample.process else {
            calls = sample
            switches = sample
            history = [sample]
            latest = sample
            return
        }
        guard sample.taken > last.taken else { return }
        if Self.moved(sample.calls, since: last.calls) != false { calls = sample }
        let allowed = 2 + Self.quietSwitchesPerSecond * (sample.taken - last.taken).inSeconds
        if let now = sample.voluntarySwitches, let before = last.voluntarySwitches {
            if Double(now - before) > allowed { switches = sample }
        } else {
            switches = sample
        }
        latest = sample
    }

    /// A probe was answered well and in time, after the latest sample was ordered: what moved over the last two probes
    /// is what a serving main thread moves.
    mutating func served() {
        guard let latest else { return }
        if history.last != latest { history.append(latest) }
        guard history.count >= 3 else { return }
        let first = history[history.count - 3]
        history.removeFirst(history.count - 2)
        let callsMoved = Self.moved(latest.calls, since: first.calls)
        let switchesMoved = Self.moved(latest.voluntarySwitches, since: first.voluntarySwitches)
        Self.learn(callsMoved, count: &muteCalls, into: &worth.readCallsSpeak)
        Self.learn(switchesMoved, count: &muteSwitches, into: &worth.switchesSpeak)
    }

    private static func learn(_ moved: Bool?, count: inout Int, into speaks: inout Bool?) {
        guard let moved else { return }
        if moved {
            count = 0
            speaks = true
        } else {
            count += 1
            if count >= muteAfter { speaks = false }
        }
    }

    /// Nil where it is not known.
    private static func moved(_ now: Int64?, since before: Int64?) -> Bool? {
        guard let now, let before else { return nil }
        return now != before
    }

    /// What was counted before says nothing any more (watchdogd was held up): silence is counted from the next sample.
    mutating func forget() {
        latest = nil
        calls = nil
        switches = nil
        history = []
        trouble = nil
        wantsTrouble = true
    }

    /// A wedge with its figures, or nil: not silent for long enough, or nothing that proves anything.
    /// - Parameters:
    ///   - since: when the oldest unanswered probe was sent; idleness before it is no silence.
    ///   - timeout: T, the first window.
    ///   - rest: the windows after it: W each.
    func wedge(since: Instant, timeout: Duration, rest: Duration) -> (IncidentClass, ClassNumbers)? {
        guard let latest, latest.tracerPid == 0 else { return nil }
        let anchor: ProgressSample
        if worth.readCallsSpeak == true, let calls {
            anchor = calls
        } else if worth.switchesSpeak == true, let switches {
            anchor = switches
        } else {
            return nil
        }
        let silent = latest.taken - max(anchor.taken, since)
        guard silent >= timeout + rest else { return nil }
        let span = Span(from: anchor, to: latest)
        guard let kind = kind(of: span, state: latest.state) else { return nil }
        if kind == .spinning && worth.readCallsSpeak != true { return nil }
        if span.mayBeCollector && silent < timeout * 2 + rest { return nil }
        var numbers = span.numbers
        numbers.silentMs = silent.milliseconds
        return (kind, numbers)
    }

    private func kind(of span: Span, state: Character) -> IncidentClass? {
        switch state {
        case "S", "D", "I":
            // Asleep, and asleep all the time.
            guard span.cpuShare <= 0.1, span.isQuiet else { return nil }
            return .blocked
        case "R":
            // Without CPU it is the host's fault. Mostly in the kernel: calls that no counter shows.
            guard span.cpuShare >= 0.1, span.kernelShare <= 0.5 else { return nil }
            return .spinning
        default:
            return nil
        }
    }

    /// A probe timed out: what is counted from the next sample on describes the trouble, for the record and for the
    /// decision after 30 s.
    mutating func troubleBegan() {
        trouble = nil
        wantsTrouble = true
    }

    /// The figures since the trouble began.
    var troubleNumbers: ClassNumbers {
        guard let latest, let trouble, trouble.process == latest.process else { return ClassNumbers() }
        return Span(from: trouble, to: latest).numbers
    }

    /// What a thread that has answered nobody for 30 s is doing. Nothing is known of a main thread that never served.
    var classAfterPatience: IncidentClass {
        guard let latest, let trouble, trouble.process == latest.process, trouble != latest else { return .unknown }
        let span = Span(from: trouble, to: latest)
        if (span.calls ?? 0) > 0 || span.cpuShare > 0.1 || !span.isQuiet { return .livelocked }
        return worth.mainThreadServes == false ? .unknown : .blocked
    }
}

extension ProgressSample {
    /// Read and write calls together; nil where either is not known.
    fileprivate var calls: Int64? {
        guard let readCalls, let writeCalls else { return nil }
        return readCalls + writeCalls
    }
}

/// What lies between two samples of one process.
private struct Span {
    let from: ProgressSample
    let to: ProgressSample

    var seconds: Double { max((to.taken - from.taken).inSeconds, 0.001) }
    var calls: Int64? { to.calls.flatMap { now in from.calls.map { now - $0 } } }
    var cpuMs: Int64 { to.userCpuMs + to.kernelCpuMs - from.userCpuMs - from.kernelCpuMs }
    var cpuShare: Double { Double(cpuMs) / 1000 / seconds }
    var kernelShare: Double { cpuMs == 0 ? 0 : Double(to.kernelCpuMs - from.kernelCpuMs) / Double(cpuMs) }
    var othersCpuMs: Int64 { max(0, to.processCpuMs - from.processCpuMs - cpuMs) }

    var isQuiet: Bool {
        guard let now = to.voluntarySwitches, let before = from.voluntarySwitches else { return true }
        return Double(now - before) <= 2 + ProgressWindow.quietSwitchesPerSecond * seconds
    }

    var mayBeCollector: Bool {
        !isQuiet || Double(othersCpuMs) / 1000 / seconds >= ProgressWindow.busyOthersShare
    }

    var numbers: ClassNumbers {
        var numbers = ClassNumbers()
        numbers.windowMs = (to.taken - from.taken).milliseconds
        numbers.processState = String(to.state)
        numbers.readCalls = to.readCalls.flatMap { now in from.readCalls.map { now - $0 } }
        numbers.writeCalls = to.writeCalls.flatMap { now in from.writeCalls.map { now - $0 } }
        numbers.userCpuMs = to.userCpuMs - from.userCpuMs
        numbers.kernelCpuMs = to.kernelCpuMs - from.kernelCpuMs
        numbers.othersCpuMs = othersCpuMs
        numbers.voluntarySwitches = to.voluntarySwitches.flatMap { now in from.voluntarySwitches.map { now - $0 } }
        numbers.acceptQueue = to.acceptQueue
        return numbers
    }
}
