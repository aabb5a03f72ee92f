internal import Glibc

/// The files themselves: opened, bounded, named.
enum SettingsFile {
    /// Larger than any file that a person writes, small enough to be read in a moment.
    static let maximumBytes = 1 << 20

    static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// The document in the file at `path`; nil where it is empty or, if `missingIsEmpty`, where there is none.
    static func parse(_ path: String, missingIsEmpty: Bool) throws(SettingsProblem) -> YAMLNode? {
        guard let bytes = try read(path, missingIsNil: missingIsEmpty) else { return nil }
        do throws(YAMLError) {
            return try YAMLParser.parse(bytes)
        } catch {
            throw SettingsProblem(file: path, mark: error.mark, key: "", message: error.message)
        }
    }

    /// The files of the services in `directory`, in the order of their names. A missing folder holds none. Hidden files and
    /// what editors and packages leave behind (`NAME.yaml.dpkg-old`, `NAME.yaml~`) are passed over; `NAME.yml` is not, since it
    /// was surely meant.
    static func serviceFiles(in directory: String) throws(SettingsProblem) -> [String] {
        guard let handle = opendir(directory) else {
            if errno == ENOENT { return [] }
            throw problem(directory, "expected a folder of services, found it unreadable: \(reason(errno))")
        }
        defer { closedir(handle) }
        var names: [String] = []
        while let entry = readdir(handle) {
            // d_name is a fixed array in Swift's eyes; its bytes up to the first zero are the name.
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name.hasPrefix(".") { continue }
            if name.hasSuffix(".yml") {
                throw problem("\(directory)/\(name)", "expected the ending .yaml, found .yml: rename it")
            }
            if name.hasSuffix(".yaml") { names.append(name) }
        }
        return names.sorted().map { "\(directory)/\($0)" }
    }

    /// The service that a file is about: its name without `.yaml`.
    static func serviceName(_ path: String) throws(SettingsProblem) -> String {
        let file = path.split(separator: "/").last ?? ""
        guard file.hasSuffix(".yaml"), Shape<String>.isName(String(file.dropLast(".yaml".count))) else {
            let expected = "NAME.yaml, NAME of up to 64 letters, digits, '-', '_' and '.', a letter or digit first"
            throw problem(path, "expected a file called \(expected), found \(file)")
        }
        return String(file.dropLast(".yaml".count))
    }

    private static func read(_ path: String, missingIsNil: Bool) throws(SettingsProblem) -> [UInt8]? {
        // O_NONBLOCK: a pipe under this name must not hold the daemon's start.
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        if file < 0 {
            if errno == ENOENT && missingIsNil { return nil }
            throw problem(path, "expected a readable file: \(reason(errno))")
        }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw problem(path, "expected a regular file, found something else")
        }
        guard status.st_mode & S_IWOTH == 0 else {
            throw problem(path, "expected a file that others cannot write, found one that they can: chmod o-w \(path)")
        }
        guard status.st_size <= maximumBytes else {
            throw problem(path, "expected at most \(maximumBytes) bytes, found \(status.st_size)")
        }
        return try contents(of: file, path: path)
    }

    private static func contents(of file: Int32, path: String) throws(SettingsProblem) -> [UInt8] {
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = Glibc.read(file, &block, block.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw problem(path, "expected a readable file: \(reason(errno))") }
            if count == 0 { return bytes }
            bytes += block.prefix(count)
            // It may have grown since fstat.
            guard bytes.count <= maximumBytes else {
                throw problem(path, "expected at most \(maximumBytes) bytes, found more")
            }
        }
    }

    private static func problem(_ path: String, _ message: String) -> SettingsProblem {
        SettingsProblem(file: path, mark: nil, key: "", message: message)
    }

    private static func reason(_ code: Int32) -> String {
        strerror(code).map { String(cString: $0) } ?? "error \(code)"
    }
}
