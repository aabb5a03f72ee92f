import CLinux
import ConfigAPI
import Glibc

/// One run of a validator: as its user, without any capability or way to gain one, with the content on standard input and
/// both its outputs read.
struct ValidatorRun {
    var arguments: [String]
    var environment: [String]
    var user: HostUser
    var input: [UInt8]
    var limitMs: Int64

    /// Runs it to its end, or to the limit, when it and all of its process group are killed.
    func verdict() throws(ValidatorProgram.Problem) -> ValidatorVerdict {
        let (toChild, fromChild) = (try pipe(), try pipe())
        let child: pid_t
        do throws(ValidatorProgram.Problem) {
            child = try spawn(input: toChild[0], output: fromChild[1])
        } catch {
            for end in toChild + fromChild { close(end) }
            throw error
        }
        close(toChild[0])
        close(fromChild[1])
        var talk = Talk(input: toChild[1], output: fromChild[0], content: input)
        let process = mainstay_pidfd_open(child, 0)
        defer { if process >= 0 { close(process) } }
        let ended = talk.untilEnd(of: process, atMs: Self.nowMs() + limitMs)
        // The group first: the child's number is its own until it is waited for.
        kill(-child, SIGKILL)
        var status: CInt = 0
        while waitpid(child, &status, 0) < 0, errno == EINTR {}
        talk.close()
        var verdict = ValidatorVerdict(timedOut: !ended, output: ConfigValue(talk.heard))
        let signal = status & 0x7F
        if ended, signal == 0 {
            verdict.status = Int64(status >> 8 & 0xFF)
        } else if ended {
            verdict.signal = Int64(signal)
        }
        return verdict
    }

    private static func nowMs() -> Int64 {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000
    }

    private func pipe() throws(ValidatorProgram.Problem) -> [CInt] {
        var ends: [CInt] = [-1, -1]
        guard mainstay_pipe(&ends) == 0 else { throw .ofCall("make a pipe") }
        return ends
    }

    /// `setpriv` drops what root has before it becomes the program, in the same process.
    private func spawn(input: CInt, output: CInt) throws(ValidatorProgram.Problem) -> pid_t {
        let dropping = [
            "/usr/bin/setpriv", "--reuid=\(user.uid)", "--regid=\(user.gid)", "--init-groups", "--inh-caps=-all",
            "--ambient-caps=-all", "--bounding-set=-all", "--no-new-privs", "--",
        ]
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, input, 0)
        posix_spawn_file_actions_adddup2(&actions, output, 1)
        posix_spawn_file_actions_adddup2(&actions, output, 2)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var usual = sigset_t()
        sigemptyset(&usual)
        sigaddset(&usual, SIGPIPE)
        posix_spawnattr_setsigdefault(&attributes, &usual)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF))
        var child: pid_t = 0
        let code = Self.withStrings(dropping + arguments) { arguments in
            Self.withStrings(environment) { environment in
                posix_spawn(&child, dropping[0], &actions, &attributes, arguments, environment)
            }
        }
        guard code == 0 else {
            errno = code
            throw .ofCall("run setpriv")
        }
        return child
    }

    private static func withStrings<Value>(
        _ texts: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Value
    ) -> Value {
        let strings = texts.map { strdup($0) }
        defer { for string in strings { free(string) } }
        return body(strings + [nil])
    }

    /// What is written to and read from the program while it runs.
    private struct Talk {
        private(set) var heard: [UInt8] = []
        private var input: CInt
        private var output: CInt
        private let content: [UInt8]
        private var written = 0

        init(input: CInt, output: CInt, content: [UInt8]) {
            self.input = input
            self.output = output
            self.content = content
            for end in [input, output] { _ = fcntl(end, F_SETFL, O_NONBLOCK) }
            if content.isEmpty { closeInput() }
        }

        /// Talks until the process has ended; false where that did not come in time.
        mutating func untilEnd(of process: CInt, atMs deadline: Int64) -> Bool {
            while true {
                let leftMs = deadline - ValidatorRun.nowMs()
                guard leftMs > 0 else { return false }
                var ready = [
                    pollfd(fd: process, events: Int16(POLLIN), revents: 0),
                    pollfd(fd: output, events: Int16(POLLIN), revents: 0),
                    pollfd(fd: input, events: Int16(POLLOUT), revents: 0),
                ]
                guard poll(&ready, 3, CInt(min(leftMs, 60_000))) >= 0 || errno == EINTR else { return false }
                if ready[1].revents != 0 { hear() }
                if ready[2].revents != 0 { tell() }
                if ready[0].revents != 0 {
                    // Its last words are in the pipe already; a child of its own may hold it open for ever.
                    hear()
                    return true
                }
            }
        }

        /// Takes what there is; more than is told is thrown away, so that nobody waits to write it.
        private mutating func hear() {
            var block = [UInt8](repeating: 0, count: 16_384)
            while output >= 0 {
                let count = read(output, &block, block.count)
                if count < 0, errno == EINTR { continue }
                if count < 0, errno == EAGAIN { return }
                guard count > 0 else {
                    Glibc.close(output)
                    output = -1
                    return
                }
                let room = ValidatorVerdict.mostOutputBytes - heard.count
                heard += block[..<min(count, room)]
                // One turn's worth: who writes without end must not keep its deadline from being looked at.
                if count == block.count { return }
            }
        }

        private mutating func tell() {
            let count = content.withUnsafeBytes {
                write(input, $0.baseAddress?.advanced(by: written), content.count - written)
            }
            if count < 0, errno == EAGAIN || errno == EINTR { return }
            // A program that goes by the file closes its standard input.
            guard count > 0 else { return closeInput() }
            written += count
            if written == content.count { closeInput() }
        }

        private mutating func closeInput() {
            if input >= 0 { Glibc.close(input) }
            input = -1
        }

        mutating func close() {
            closeInput()
            if output >= 0 { Glibc.close(output) }
            output = -1
        }
    }
}
