import ConfigAPI
import ConfigCore
import Glibc
import Runtime
import Wire

/// Asks `mainstay-validate` whether a content may be written. Blocks: on the thread `validate` alone.
struct ValidatorClient: Sendable {
    /// `mainstay.validate.socket`'s.
    let path: String

    /// Why the content may not be written; nil where its validator accepts it. Whatever is not a clear yes is a refusal.
    func refusal(of candidate: Custody.Candidate, limit: Duration) -> RPCError? {
        guard let content = candidate.content else { return nil }
        let file = candidate.kept.id.path
        let own = candidate.kept.validatorLimit ?? .zero
        let request = ValidatorRequest(
            service: candidate.kept.id.service, file: file, version: candidate.base + 1,
            contentBytes: Int64(content.count))
        let verdict: ValidatorVerdict
        do throws(Unanswered) { verdict = try ask(request, content, limit: own + limit) } catch {
            return ConfigErrors.validatorUnavailable(file, why: error.why)
        }
        if let problem = verdict.problem { return ConfigErrors.validatorUnavailable(file, why: problem) }
        guard verdict.status != 0 || verdict.timedOut else { return nil }
        let format = candidate.kept.format
        let secrets = format.secretValues(in: content) + format.secretValues(in: candidate.before)
        let output = String(decoding: Secrets.redacted(verdict.output.content, secrets), as: UTF8.self)
        let why =
            if verdict.timedOut { "did not end within \(own) and was killed" } else if let signal = verdict.signal {
                "was killed by signal \(signal)"
            } else { "ended with \(verdict.status ?? -1)" }
        return ConfigErrors.validatorRefused(file, why: why, output: output)
    }

    private struct Unanswered: Error {
        var why: String
    }

    private func ask(
        _ request: ValidatorRequest, _ content: [UInt8], limit: Duration
    ) throws(Unanswered) -> ValidatorVerdict {
        let connection: CInt
        let seconds = Int(limit.components.seconds) + 1
        do throws(SocketError) { connection = try ListeningSocket.connection(to: path, patienceS: seconds) } catch {
            throw Unanswered(why: "\(error.path): \(error.problem)")
        }
        defer { close(connection) }
        guard let header = Frame.around(JSONWriter.bytes(of: request)) else { throw Unanswered(why: "no request") }
        try send(header, to: connection)
        try send(content, to: connection)
        let length = try receive(Frame.headerBytes, from: connection).reduce(0) { $0 << 8 | Int($1) }
        guard (1...Frame.longestBodyBytes).contains(length) else { throw Unanswered(why: "no answer that can be read") }
        let body = try receive(length, from: connection)
        guard let json = try? JSONReader.read(body), let verdict = try? ValidatorVerdict(wire: json) else {
            throw Unanswered(why: "no answer that can be read")
        }
        return verdict
    }

    private func send(_ bytes: [UInt8], to connection: CInt) throws(Unanswered) {
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(
                    connection, $0.baseAddress?.advanced(by: done), bytes.count - done, CInt(MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw failure("write to \(path)") }
            done += count
        }
    }

    private func receive(_ count: Int, from connection: CInt) throws(Unanswered) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let more = bytes.withUnsafeMutableBytes {
                recv(connection, $0.baseAddress?.advanced(by: filled), count - filled, 0)
            }
            if more < 0, errno == EINTR { continue }
            guard more > 0 else {
                throw more == 0 ? Unanswered(why: "\(path) was closed") : failure("read from \(path)")
            }
            filled += more
        }
        return bytes
    }

    private func failure(_ step: String) -> Unanswered {
        Unanswered(why: "\(step): \(strerror(errno).map { String(cString: $0) } ?? "error \(errno)")")
    }
}
