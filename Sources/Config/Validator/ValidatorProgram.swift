import CLinux
import ConfigAPI
import Glibc
import Settings
import Wire

/// `mainstay-validate`: runs one declared validator for configd and says what came of it.
///
/// configd may write any file of the host, so nothing of the user's may run with its powers or as its user (DESIGN §9), and
/// it cannot start a unit. systemd starts this program as root, one for each connection to a socket that is configd's
/// alone, in a sandbox of its own (mainstay.validate@.service) and a control group that is gone when it ends. It takes from
/// the connection what is to be looked at, and from the root-owned settings everything else.
package enum ValidatorProgram {
    /// The connection, as Accept=yes hands it over.
    private static let connection: CInt = 0
    /// How long the other end may take to send its part.
    private static let patienceS = 10
    private static let largestContentBytes: Int64 = 16 << 20

    /// Serves the connection on standard input and ends. `--settings DIR` names another folder of settings.
    package static func run() -> Never {
        signal(SIGPIPE, SIG_IGN)
        var patience = timeval(tv_sec: patienceS, tv_usec: 0)
        setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        let arguments = CommandLine.arguments
        let named = arguments.firstIndex(of: "--settings").map { $0 + 1 } ?? arguments.count
        let settings = named < arguments.count ? arguments[named] : "/etc/mainstay"
        let verdict: ValidatorVerdict
        do throws(Problem) { verdict = try served(settings) } catch { verdict = ValidatorVerdict(problem: error.what) }
        if let frame = Frame.around(JSONWriter.bytes(of: verdict)) { send(frame) }
        exit(0)
    }

    /// Why nothing was run.
    struct Problem: Error {
        var what: String

        /// With what the last system call said.
        static func ofCall(_ what: String) -> Problem {
            Problem(what: "\(what): \(strerror(errno).map { String(cString: $0) } ?? "error \(errno)")")
        }
    }

    private static func served(_ directory: String) throws(Problem) -> ValidatorVerdict {
        let request = try received()
        guard (0...largestContentBytes).contains(request.contentBytes) else {
            throw Problem(what: "the content has \(request.contentBytes) bytes")
        }
        let content = try bytes(Int(request.contentBytes))
        let settings: AllSettings
        do throws(SettingsRefused) { settings = try AllSettings.load(directory: directory) } catch {
            throw Problem(what: "the settings are not whole: \(error.problems.first?.description ?? "")")
        }
        let caller = try caller(of: settings)
        guard let service = settings.service(request.service),
            let file = service.config.files.first(where: { $0.path == request.file }),
            let validator = file.validator ?? service.config.validator
        else { throw Problem(what: "the settings declare no validator for \(request.file) of \(request.service)") }
        let user = try HostUser(named: validator.command.user)
        guard user.uid == 0 || user.uid != caller else {
            throw Problem(what: "the validator may not run as \(user.name), who holds every version of every file")
        }
        let candidate = try Candidate(content, named: request.file, of: user)
        defer { candidate.remove() }
        let run = ValidatorRun(
            arguments: validator.command.arguments.map { $0 == "{}" ? candidate.path : $0 },
            environment: [
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8",
                "HOME=\(candidate.folder)", "USER=\(user.name)", "LOGNAME=\(user.name)",
                "MAINSTAY_SERVICE=\(request.service)", "MAINSTAY_FILE=\(request.file)",
                "MAINSTAY_VERSION=\(request.version)", "MAINSTAY_CANDIDATE=\(candidate.path)",
            ], user: user, input: content, limitMs: milliseconds(validator.timeout))
        return try run.verdict()
    }

    private static func milliseconds(_ duration: Duration) -> Int64 {
        duration.components.seconds * 1000 + duration.components.attoseconds / 1_000_000_000_000_000
    }

    /// The uid at the other end: configd's, or root's.
    private static func caller(of settings: AllSettings) throws(Problem) -> UInt32 {
        var pid: pid_t = 0
        var uid: uid_t = 0
        var gid: gid_t = 0
        guard mainstay_peer_credentials(connection, &pid, &uid, &gid) == 0 else {
            throw .ofCall("the connection does not say who is at its other end")
        }
        let configd = try? HostUser(named: settings.mainstay.configd.user).uid
        guard uid == 0 || uid == configd else { throw Problem(what: "uid \(uid) is not configd") }
        return uid
    }

    // MARK: The connection

    private static func received() throws(Problem) -> ValidatorRequest {
        let header = try bytes(Frame.headerBytes)
        let length = header.reduce(0) { $0 << 8 | Int($1) }
        guard (1...Frame.longestBodyBytes).contains(length) else { throw Problem(what: "a frame of \(length) bytes") }
        let body = try bytes(length)
        do throws(WireError) { return try ValidatorRequest(wire: try JSONReader.read(body), unknown: .refused) } catch {
            throw Problem(what: "no request: \(error)")
        }
    }

    private static func bytes(_ count: Int) throws(Problem) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let more = bytes.withUnsafeMutableBytes {
                read(connection, $0.baseAddress?.advanced(by: filled), count - filled)
            }
            if more < 0, errno == EINTR { continue }
            guard more > 0 else { throw more == 0 ? Problem(what: "the request ends too soon") : .ofCall("read") }
            filled += more
        }
        return bytes
    }

    private static func send(_ bytes: [UInt8]) {
        var done = 0
        while done < bytes.count {
            let more = bytes.withUnsafeBytes {
                write(connection, $0.baseAddress?.advanced(by: done), bytes.count - done)
            }
            if more < 0, errno == EINTR { continue }
            guard more > 0 else { return }
            done += more
        }
    }
}

/// A user of the host.
struct HostUser {
    var name: String
    var uid: uid_t
    var gid: gid_t

    /// May ask a name service, and so block: this program does nothing else meanwhile.
    init(named name: String) throws(ValidatorProgram.Problem) {
        guard let entry = getpwnam(name) else { throw ValidatorProgram.Problem(what: "there is no user \(name)") }
        self.name = name
        uid = entry.pointee.pw_uid
        gid = entry.pointee.pw_gid
    }
}
