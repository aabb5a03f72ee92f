import Glibc

/// Files, links and folders that are read once and whole. All of it may block, so none of it is for the loop.
package enum Contents {
    /// A file's content, at most `limit` bytes of it; nil where it cannot be read.
    package static func ofFile(_ path: String, limit: Int = 64 << 10) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: min(limit, 64 << 10))
        while bytes.count < limit {
            let count = read(descriptor, &chunk, min(chunk.count, limit - bytes.count))
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { return nil }
            guard count > 0 else { break }
            bytes.append(contentsOf: chunk[..<count])
        }
        return bytes
    }

    /// A file's first line, at most 4 KiB of it; nil where it cannot be read.
    package static func firstLine(_ path: String) -> String? {
        ofFile(path, limit: 4096).map { String(decoding: $0.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self) }
    }

    /// Where a symbolic link points; nil where there is none.
    package static func ofLink(_ path: String) -> String? {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = readlink(path, &buffer, buffer.count)
        return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
    }

    /// The names in a folder without `.` and `..`, in the file system's order, at most `limit`; nil where it cannot be read.
    package static func ofFolder(_ path: String, limit: Int = .max) -> [String]? {
        names(in: path, limit: limit) { _ in true }
    }

    /// The names of the folders in a folder; none where the file system does not tell kinds apart, nil where it cannot be
    /// read.
    package static func ofFolder(onlyFolders path: String) -> [String]? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        // Its own name and `.` are two links, and each folder in it is one more; a file system that does not count says 1.
        guard status.st_nlink != 2 else { return [] }
        return names(in: path, limit: .max) { $0 == DT_DIR }
    }

    private static func names(in path: String, limit: Int, where isWanted: (Int) -> Bool) -> [String]? {
        guard let folder = opendir(path) else { return nil }
        defer { closedir(folder) }
        var names: [String] = []
        while names.count < limit, let entry = readdir(folder) {
            guard isWanted(Int(entry.pointee.d_type)) else { continue }
            // d_name is a fixed array in Swift's eyes; its bytes up to the first zero are the name.
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }
}
