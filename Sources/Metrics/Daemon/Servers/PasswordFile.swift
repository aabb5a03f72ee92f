import Files

/// A file that holds one password, up to the end of its first line.
struct PasswordFile: Error, CustomStringConvertible {
    let path: String

    /// Read anew for each connection, so that a new password needs no reload.
    static func read(_ path: String) throws(PasswordFile) -> String {
        guard let line = Contents.firstLine(path), !line.isEmpty else { throw PasswordFile(path: path) }
        return line.hasSuffix("\r") ? String(line.dropLast()) : line
    }

    var description: String { "the password file \(path) cannot be read, or is empty" }
}
