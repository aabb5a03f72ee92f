import ConfigEtcdCore
import Files
import Runtime
import Settings
import Wire

/// etcd's members as an HTTP client sees them: calls with a deadline, streams of lines, and a token where etcd asks for one.
@Loop final class EtcdClient {
    private let endpoints: [HTTPEndpoint]
    private let user: String?
    private let passwordFile: String?
    /// Reads the password: a file may lie on a disk that does not answer.
    private let files: Worker<Void>
    private var token: String?
    private nonisolated static let longestPassword = 4096

    init(_ settings: EtcdSettings, files: Worker<Void>) {
        endpoints = settings.endpoints
        user = settings.user
        passwordFile = settings.passwordFile
        self.files = files
    }

    /// The members' names, for people.
    var names: [String] { endpoints.map { "\($0.address)" } }

    /// A stream that can be ended.
    @Loop final class Stream {
        fileprivate var exchange: EtcdExchange?
        fileprivate var isOver = false

        func cancel() {
            isOver = true
            exchange?.cancel()
        }
    }

    /// Posts `body`; `done` runs once, at the latest at the deadline, or twice it where a token had run out.
    func call(
        _ path: String, _ body: JSONObject, at endpoint: Int, deadline: Duration,
        done: @escaping @Loop (Result<JSON, EtcdFailure>) -> Void
    ) {
        authorised(at: endpoint, deadline: deadline, mayRenew: true) { [weak self] token, mayRenew, again in
            guard let self else { return }
            _ = EtcdExchange(
                endpoints[endpoint], path: path, body: JSONWriter.bytes(of: body), token: token, deadline: deadline
            ) { [weak self] result in
                if mayRenew, case .success(let answer) = result, answer.status == 401 {
                    self?.token = nil
                    return again()
                }
                done(Self.json(result))
            }
        } failed: {
            done(.failure($0))
        }
    }

    /// Posts `body` and hands on each line of the answer; `ended` runs once, unless it is cancelled before.
    func stream(
        _ path: String, _ body: JSONObject, at endpoint: Int, deadline: Duration,
        line: @escaping @Loop (JSON) -> Void, ended: @escaping @Loop (EtcdFailure) -> Void
    ) -> Stream {
        let stream = Stream()
        authorised(at: endpoint, deadline: deadline, mayRenew: true) { [weak self] token, mayRenew, again in
            guard let self, !stream.isOver else { return }
            stream.exchange = EtcdExchange(
                endpoints[endpoint], path: path, body: JSONWriter.bytes(of: body), token: token, deadline: deadline,
                onLine: { bytes in
                    if let json = try? JSONReader.read(bytes) { return line(json) }
                    stream.cancel()
                    ended(EtcdFailure("etcd answered what is not JSON"))
                }
            ) { [weak self] result in
                if mayRenew, case .success(let answer) = result, answer.status == 401 {
                    self?.token = nil
                    return again()
                }
                switch Self.json(result) {
                case .success: ended(EtcdFailure("etcd ended the watch"))
                case .failure(let failure): ended(failure)
                }
            }
        } failed: {
            if !stream.isOver { ended($0) }
        }
        return stream
    }

    private static func json(_ result: Result<EtcdExchange.Answer, EtcdFailure>) -> Result<JSON, EtcdFailure> {
        result.flatMap { answer in
            guard answer.status == 200 else {
                return .failure(EtcdFailure(EtcdAnswer.problem(status: answer.status, answer.body)))
            }
            // A stream that ended leaves nothing, or what was no whole line.
            if answer.body.isEmpty { return .success([:]) }
            guard let json = try? JSONReader.read(answer.body) else {
                return .failure(EtcdFailure("etcd answered what is not JSON"))
            }
            return .success(json)
        }
    }

    // MARK: Tokens

    /// Runs `body` with a token, where a user is named; once more where `body` says that it had run out.
    private func authorised(
        at endpoint: Int, deadline: Duration, mayRenew: Bool,
        _ body: @escaping @Loop (String?, Bool, _ again: @escaping @Loop () -> Void) -> Void,
        failed: @escaping @Loop (EtcdFailure) -> Void
    ) {
        let again: @Loop () -> Void = { [weak self] in
            self?.authorised(at: endpoint, deadline: deadline, mayRenew: false, body, failed: failed)
        }
        guard let user, let passwordFile else { return body(nil, false, again) }
        if let token { return body(token, mayRenew, again) }
        files.submit(deadline: .seconds(2), { _ in Contents.ofFile(passwordFile, limit: Self.longestPassword) }) {
            [weak self] result in
            guard let self else { return }
            guard case .success(let bytes?) = result else {
                return failed(EtcdFailure("the password file \(passwordFile) cannot be read"))
            }
            let password = bytes.prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
            let asked: JSONObject = [
                "name": .string(user), "password": .string(String(decoding: password, as: UTF8.self)),
            ]
            _ = EtcdExchange(
                endpoints[endpoint], path: "/v3/auth/authenticate", body: JSONWriter.bytes(of: asked), token: nil,
                deadline: deadline
            ) { [weak self] result in
                do throws(EtcdFailure) {
                    let token = try EtcdAnswer.token(try Self.json(result).get())
                    self?.token = token
                    body(token, mayRenew, again)
                } catch {
                    failed(error)
                }
            }
        }
    }
}
