import Glibc
import HealthAPI
import HealthCore
import NIOCore
import NIOPosix
import Runtime
import Time

/// What HTTP and TCP attempts share: one connection, one outcome.
@Loop class ConnectionRun: RunningProbe {
    private let startedAt = HostClock.now().instant
    private let done: @Loop @Sendable (ProbeOutcome) -> Void
    private(set) var channel: (any Channel)?
    private var attempt: ConnectAttempt?
    private var isOver = false
    /// What of an answer is kept, whatever the other side sends.
    nonisolated static let answerLimit = 64 << 10

    init(done: @escaping @Loop @Sendable (ProbeOutcome) -> Void) {
        self.done = done
    }

    /// Looks up the host and connects; the channel's handlers are added by `configure`. Without one the connection is to
    /// carry nothing.
    func connect(
        _ host: String, _ port: Int, names: Names, timeout: Duration,
        configure: (@Loop @Sendable (any Channel) throws -> Void)?
    ) {
        // The look-up gives up before the attempt does, so that a stuck name server is not held against the service.
        names.address(of: host, port: port, within: timeout * 0.9) { [weak self] result in
            guard let self, !isOver else { return }
            switch result {
            case .success(let address):
                if configure == nil, ConnectAttempt.suits(address) { return attempt(address) }
                connect(address, timeout: timeout, configure: configure ?? { _ in })
            case .failure(let error): finish(Self.outcome(ofLookUp: host, error))
            }
        }
    }

    private func attempt(_ address: SocketAddress) {
        attempt = ConnectAttempt(to: address) { [weak self] code in
            guard let self else { return }
            if code == 0 { connected() } else { finish(Self.outcome(ofErrno: code)) }
        }
    }

    private func connect(
        _ address: SocketAddress, timeout: Duration, configure: @escaping @Loop @Sendable (any Channel) throws -> Void
    ) {
        ClientBootstrap(group: Loop.shared.eventLoop)
            // The machine's deadline comes first; this only makes sure that no connection outlives it by much.
            .connectTimeout(.nanoseconds((timeout + .seconds(1)).nanoseconds))
            .channelInitializer { channel in
                Loop.assume {
                    self.channel = channel
                    return channel.eventLoop.makeCompletedFuture { try configure(channel) }
                }
            }
            .connect(to: address)
            .whenComplete { result in
                Loop.assume {
                    switch result {
                    case .success(let channel): if self.isOver { channel.close(promise: nil) } else { self.connected() }
                    case .failure(let error): self.failed(error)
                    }
                }
            }
    }

    /// The connection stands.
    func connected() {}

    /// The connection broke, or never stood.
    func failed(_ error: any Error) {
        finish(Self.outcome(of: error))
    }

    /// Since the attempt began.
    var elapsed: Duration { HostClock.now().instant - startedAt }

    /// Ends the attempt; whatever comes after is of no interest.
    func finish(_ outcome: ProbeOutcome) {
        guard !isOver else { return }
        var outcome = outcome
        if outcome.verdict != .unknown { outcome.latency = elapsed }
        let done = done
        end()
        Loop.post { done(outcome) }
    }

    func abandon() { end() }

    private func end() {
        isOver = true
        channel?.close(promise: nil)
        channel = nil
        attempt?.close()
        attempt = nil
    }

    // MARK: What an error means

    private static func outcome(ofLookUp host: String, _ error: any Error) -> ProbeOutcome {
        switch error {
        case is WorkerError: ProbeOutcome(.unknown, "the name server did not answer for \(host)")
        default: ProbeOutcome(.critical, "\(host) has no address")
        }
    }

    private static func outcome(of error: any Error) -> ProbeOutcome {
        guard let error = error as? IOError else { return ProbeOutcome(.critical, "\(error)") }
        return outcome(ofErrno: error.errnoCode)
    }

    /// A want of our own is no verdict on the other side.
    private static func outcome(ofErrno code: Int32) -> ProbeOutcome {
        let text = strerror(code).map { String(cString: $0) } ?? "error \(code)"
        switch code {
        case EMFILE, ENFILE, ENOMEM, ENOBUFS, EADDRNOTAVAIL, EPERM, EACCES, EAFNOSUPPORT:
            return ProbeOutcome(.unknown, "healthd could not connect: \(text.lowercased())")
        default:
            return ProbeOutcome(.critical, text.lowercased())
        }
    }
}
