import ArgumentParser
import ConfigAPI
import Glibc
import Wire

/// Where a bundle is written: a file of its own that takes its name when it is whole and durable, or standard output. It
/// holds secrets, so nobody but its owner may read it at any time.
final class BundleOutput {
    private let descriptor: CInt
    private let path: String?
    private var temporary: String? { path.map { "\($0).\(getpid())" } }

    /// Nil for standard output.
    init(path: String?) throws {
        self.path = path
        guard let path else {
            guard isatty(1) == 0 else {
                throw ValidationError("a bundle holds secrets and is not for a terminal: name a file, -o FILE")
            }
            var status = stat()
            // The shell made it, for whomever its mask lets in; nothing is in it yet.
            if fstat(1, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_mode & 0o077 != 0,
                fchmod(1, 0o600) != 0
            {
                throw ValidationError("standard output is a file that others may read: name one by -o FILE")
            }
            descriptor = 1
            return
        }
        descriptor = open("\(path).\(getpid())", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw Self.failure(path) }
    }

    /// Appends.
    func write(_ bytes: [UInt8]) throws {
        guard Descriptor.writeAll(descriptor, bytes) else { throw Self.failure(path ?? "standard output") }
    }

    /// Makes it durable and gives it its name.
    func finish() throws {
        guard let path, let temporary else { return }
        guard fsync(descriptor) == 0, rename(temporary, path) == 0 else { throw Self.failure(path) }
        let end = path.lastIndex(of: "/")
        let folder = open(end.map { String(path[...$0]) } ?? ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0, fsync(folder) == 0 else { throw Self.failure(path) }
        close(folder)
    }

    /// Takes away what was not finished.
    func abandon() {
        if let temporary { unlink(temporary) }
    }

    deinit {
        if path != nil { close(descriptor) }
    }

    private static func failure(_ path: String) -> ValidationError {
        ValidationError("\(path): \(String(cString: strerror(errno)))")
    }
}

/// A bundle that is read from a file, which may be larger than memory.
enum BundleFile {
    private static let pieceBytes = 256 << 10

    /// Reads the bundle at `path` to its end and hands over what stands in it. What was handed over is good only if this
    /// returns: the sum comes last.
    static func read(_ path: String, _ body: (BundleReader.Event) throws -> Void) throws {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw ValidationError("\(path): \(String(cString: strerror(errno)))") }
        defer { close(file) }
        var reader = BundleReader()
        var piece = [UInt8](repeating: 0, count: pieceBytes)
        while true {
            let count = Glibc.read(file, &piece, piece.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw ValidationError("\(path): \(String(cString: strerror(errno)))") }
            guard count > 0 else { break }
            for event in try reader.take(Array(piece[..<count])) { try body(event) }
        }
        try reader.finish()
    }

    /// What the bundle at `path` holds, with the version of each file that `goal` means.
    static func index(_ path: String, _ goal: BundleIndex.Goal = .newest) throws -> BundleIndex {
        var index = BundleIndex(goal)
        try read(path) { index.take($0) }
        return index
    }

    /// The contents with these digests, as the bundle `index` was made of has them.
    static func contents(of path: String, _ wanted: Set<Digest>, in index: BundleIndex) throws -> [Digest: [UInt8]] {
        var contents: [Digest: [UInt8]] = [:]
        try read(path) { event in
            switch event {
            case .part(let part) where wanted.contains(part.content):
                contents[part.content, default: []] += part.bytes.content
            case .end(let end) where end != index.end:
                throw ValidationError("\(path): somebody wrote another bundle here meanwhile")
            case .header, .file, .part, .version, .end: break
            }
        }
        return contents
    }
}
