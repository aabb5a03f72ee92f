import Glibc
import Testing

/// A program that ran to its end.
struct Program {
    /// Its exit status; 128 and the signal's number if one killed it.
    var status: Int32
    /// What it wrote to both of its outputs.
    var output: String

    /// Runs `words`, of which the first is a path, without input.
    static func run(_ words: String...) throws -> Program { try run(words) }

    static func run(_ words: [String]) throws -> Program {
        var name = Array("/tmp/mainstay-test.XXXXXX".utf8CString)
        let file = mkstemp(&name)
        try #require(file >= 0)
        defer { close(file) }
        unlink(name)
        let status = try Self.status(of: words, output: file)
        lseek(file, 0, SEEK_SET)
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 4096)
        while case let count = read(file, &block, block.count), count > 0 { bytes += block[..<count] }
        return Program(status: status, output: String(decoding: bytes, as: UTF8.self))
    }

    /// Runs `words` and answers the exit status; its outputs are `output`, or go where ours go.
    static func status(of words: [String], output: CInt? = nil) throws -> Int32 {
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { arguments.forEach { free($0) } }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        if let output {
            posix_spawn_file_actions_adddup2(&actions, output, 1)
            posix_spawn_file_actions_adddup2(&actions, output, 2)
        }
        var child: pid_t = 0
        let code = posix_spawn(&child, words[0], &actions, nil, &arguments, environ)
        try #require(code == 0, "\(words[0]): \(String(cString: strerror(code)))")
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0 && errno == EINTR {}
        let signal = status & 0x7F
        return signal == 0 ? status >> 8 & 0xFF : 128 + signal
    }
}
