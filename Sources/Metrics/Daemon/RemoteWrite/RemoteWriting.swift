import MetricsAPI
import MetricsCore
import NIOHTTP1
import Runtime
import Settings
import Time
import Wire

/// Hands on what is measured to the receivers of the settings, each for itself: one that hangs holds up nobody.
@Loop final class RemoteWriting {
    weak var metricsd: Metricsd?
    private let context: DaemonContext
    private let notices: Notices
    private var receivers: [RemoteReceiver] = []
    /// Threads are kept when their receiver goes, and taken for another.
    private var threads: [Worker<RemoteThread>] = []

    init(_ context: DaemonContext, _ notices: Notices) {
        self.context = context
        self.notices = notices
    }

    /// Takes the receivers from the settings. One whose settings are as they were goes on.
    func watch(_ settings: [RemoteWriteSettings]) {
        let gone = receivers.filter { !settings.contains($0.settings) }
        for receiver in gone { receiver.stop() }
        receivers.removeAll { receiver in gone.contains { $0 === receiver } }
        for one in settings where !receivers.contains(where: { $0.settings == one }) {
            let receiver = RemoteReceiver(one, thread(), notices)
            receiver.content = { [weak self] progress in self?.metricsd?.committed(after: progress) }
            receivers.append(receiver)
            receiver.start()
        }
        addFigures()
    }

    private func thread() -> Worker<RemoteThread> {
        if let free = threads.first(where: { thread in !receivers.contains { $0.thread === thread } }) { return free }
        let folder = StoreFolder(path: context.places.state)
        let thread = context.worker(name: "remote\(threads.count + 1)") { RemoteThread(folder) }
        threads.append(thread)
        return thread
    }

    func stop() {
        for receiver in receivers { receiver.stop() }
        receivers = []
    }

    /// As `status` shows them.
    var states: [RemoteState] { receivers.map(\.state) }

    private func addFigures() {
        let figures = context.figures
        figures.remove(whereNamed: "mainstay_metrics_remote_")
        for receiver in receivers {
            let labels = ["url": "\(receiver.settings.url)"]
            func add(_ name: String, _ kind: MetricDescription.Kind, _ read: @escaping @Loop (RemoteReceiver) -> Double)
            {
                figures.add("mainstay_metrics_remote_\(name)", labels: labels, kind) { [weak receiver] in
                    receiver.map(read) ?? 0
                }
            }
            add("samples_total", .counter) { Double($0.writer.samples) }
            add("refused_samples_total", .counter) { Double($0.writer.refusedSamples) }
            add("failed_attempts_total", .counter) { Double($0.writer.failedAttempts) }
            add("highest_timestamp_seconds", .gauge) { Double($0.writer.toMs ?? 0) / 1000 }
            add("up", .gauge) { $0.writer.condition == .failing || $0.writer.condition == .retrying ? 0 : 1 }
        }
    }
}

/// One receiver: carries out what its `RemoteWriter` decides.
@Loop private final class RemoteReceiver {
    let settings: RemoteWriteSettings
    let thread: Worker<RemoteThread>
    /// What is on disk, of the head what is not handed on; nil where that is not known yet.
    var content: @Loop (RemoteProgress?) -> RemoteFeed.Content? = { _ in nil }
    private(set) var writer: RemoteWriter
    private let notices: Notices
    private var timers: [TimerID: LoopTimer] = [:]
    private var bodies: [[UInt8]] = []
    /// What the receiver said of a request of this batch that it called wrong.
    private var refusal: RemoteWriter.Outcome?
    private var progress: RemoteProgress?
    private var isStopped = false

    /// Bytes of an answer that are read: a reason, not a page.
    private static let mostBytes = 64 << 10

    init(_ settings: RemoteWriteSettings, _ thread: Worker<RemoteThread>, _ notices: Notices) {
        self.settings = settings
        self.thread = thread
        self.notices = notices
        var limits = RemoteWriter.Settings()
        limits.interval = settings.interval
        writer = RemoteWriter(settings: limits)
    }

    func start() { handle { writer, now in writer.started(now: now) } }

    func stop() {
        isStopped = true
        handle { writer, _ in writer.stopped() }
        bodies = []
        let isDone = writer.isDone
        thread.submit { thread in try thread.leave(isDone: isDone) }
    }

    var state: RemoteState {
        RemoteState(
            url: "\(settings.url)", condition: writer.condition, toMs: writer.toMs, samples: Int64(writer.samples),
            refusedSamples: Int64(writer.refusedSamples), reason: writer.reason)
    }

    private func handle(_ event: (inout RemoteWriter, Moment) -> [RemoteWriter.Action]) {
        for action in event(&writer, HostClock.now()) { perform(action) }
    }

    private func perform(_ action: RemoteWriter.Action) {
        switch action {
        case .setTimer(let id, let instant):
            timers[id] = Loop.after(instant - HostClock.now().instant) { [weak self] in
                self?.timers[id] = nil
                self?.handle { writer, now in writer.timerFired(id, now: now) }
            }
        case .cancelTimer(let id): timers.removeValue(forKey: id)?.cancel()
        case .make(let isDone): make(isDone: isDone)
        case .send: send()
        case .report(let report): notices.write(report, of: "\(settings.url)")
        }
    }

    // MARK: Making

    private func make(isDone: Bool) {
        guard let content = content(progress) else {
            return Loop.post { [weak self] in self?.handle { writer, now in writer.made(nil, now: now) } }
        }
        let settings = settings
        ask { thread in
            try thread.make(settings, content, isDone: isDone)
        } then: { [weak self] result in
            self?.made(result)
        }
    }

    private func made(_ result: Result<RemoteThread.Made, any Error>) {
        switch result {
        case .success(let made):
            progress = made.progress
            bodies = made.batch?.bodies ?? []
            refusal = nil
            handle { writer, now in writer.made(made.batch?.summary, now: now) }
        case .failure(let error):
            handle { writer, now in writer.notMade(reason: "\(error)", now: now) }
        }
    }

    /// The job's own answer counts, however late: what it wrote it wrote.
    private func ask<Value: Sendable>(
        _ job: @escaping @Sendable (inout RemoteThread) throws -> Value,
        then: @escaping @Loop @Sendable (Result<Value, any Error>) -> Void
    ) {
        thread.submit(deadline: .seconds(30)) { thread in
            let result = Result { try job(&thread) }
            Loop.post { then(result) }
        } then: { result in
            if case .failure(let error) = result, !Metricsd.isLate(error) { then(.failure(error)) }
        }
    }

    // MARK: Sending

    private func send() {
        guard !bodies.isEmpty else { return answer(.arrived) }
        let settings = settings
        ask { _ in
            try RemoteThread.target(settings)
        } then: { [weak self] result in
            switch result {
            case .success(let target): self?.send(to: target)
            case .failure(let error): self?.answer(.failed("\(error)"))
            }
        }
    }

    private func send(to target: RemoteThread.Target) {
        guard !isStopped, let body = bodies.first else { return }
        var headers: HTTPHeaders = [
            "Host": "\(settings.url.address)", "Content-Encoding": "snappy", "Content-Type": "application/x-protobuf",
            "X-Prometheus-Remote-Write-Version": "0.1.0", "Content-Length": "\(body.count)",
        ]
        if let authorization = target.authorization { headers.add(name: "Authorization", value: authorization) }
        let head = HTTPRequestHead(version: .http1_1, method: .POST, uri: settings.url.target, headers: headers)
        let request = HTTPExchange.Request(head: head, body: body, timeout: settings.timeout, mostBytes: Self.mostBytes)
        HTTPExchange.run(request, to: target.address) { [weak self] result in self?.answered(result, target) }
    }

    /// Of a batch with several requests the next is sent when one has arrived; what comes again begins with the one that failed.
    private func answered(_ result: Result<HTTPExchange.Answer, any Error>, _ target: RemoteThread.Target) {
        guard !isStopped else { return }
        let outcome = Self.outcome(result)
        guard case .failed = outcome else {
            if outcome != .arrived { refusal = outcome }
            if !bodies.isEmpty { bodies.removeFirst() }
            return bodies.isEmpty ? answer(refusal ?? outcome) : send(to: target)
        }
        answer(outcome)
    }

    private func answer(_ outcome: RemoteWriter.Outcome) {
        Loop.post { [weak self] in self?.handle { writer, now in writer.sent(outcome, now: now) } }
    }

    private static func outcome(_ result: Result<HTTPExchange.Answer, any Error>) -> RemoteWriter.Outcome {
        switch result {
        case .failure(HTTPExchange.Failure.unreachable(let why)):
            return .failed("\(HTTPExchange.Failure.unreachable(why))")
        case .failure(let error): return .failed("\(error)", isUncertain: true)
        case .success(let answer):
            let code = Int(answer.head.status.code)
            let line = String(decoding: answer.body.prefix { $0 != 0x0a }.prefix(200), as: UTF8.self)
            let reason = line.isEmpty ? "answered \(code)" : "answered \(code): \(line)"
            switch code {
            case 200..<300: return .arrived
            // These are about the request itself; 401 and 404, say, are about settings, and end when those are put right.
            case 400, 413, 422: return .refused(reason)
            default:
                let wait = answer.head.headers.first(name: "Retry-After").flatMap { Int64($0) }
                // Of what stands between, a 502 or 504 says nothing about what is behind it.
                return .failed(reason, retryAfter: wait.map { .seconds(max(0, $0)) }, isUncertain: code >= 500)
            }
        }
    }
}
