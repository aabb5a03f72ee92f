internal import CSQLite

/// Why the store did not do something: what failed, where, and what a person can do about it. An event like any other: a
/// daemon counts it, shows it in `status` and goes on.
package struct StoreError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What failed, as far as a person or a daemon answers it differently.
    package enum Kind: Hashable, Sendable {
        /// No space, or over a quota. Nothing of the statement was kept.
        case full
        /// The file is not a database or holds damaged pages.
        case corrupt
        /// Another connection holds the lock and did not let go within `busyTimeout`.
        case locked
        case readOnly
        /// The file or its folder cannot be opened.
        case cannotOpen
        /// The disk answered with an error.
        case disk
        /// A uniqueness, a check or a type was violated.
        case constraint
        case outOfMemory
        /// The file was written by a newer release of ours.
        case newerSchema
        case interrupted
        /// A statement or its use is wrong: our own error.
        case misuse
    }

    package var kind: Kind
    /// SQLite's extended result code (https://www.sqlite.org/rescode.html).
    package var code: Int32
    /// The database's path.
    package var path: String
    /// What was done: the beginning of the statement, or `open`.
    package var operation: String
    /// SQLite's own words.
    package var message: String

    init(code: Int32, path: String, operation: String, message: String) {
        kind = Kind(code)
        self.code = code
        self.path = path
        self.operation = String(operation.prefix(120))
        self.message = message
    }

    init(_ kind: Kind, path: String, operation: String, message: String) {
        self.init(code: SQLITE_ERROR, path: path, operation: operation, message: message)
        self.kind = kind
    }

    /// What to do, in a sentence.
    package var remedy: String {
        switch kind {
        case .full: "free space on the file system of \(path), or lower the retention in mainstay.yaml"
        case .corrupt: "move \(path) aside with its -wal and -shm files and restart the daemon, or restore a backup"
        case .locked: "stop the other program that has \(path) open"
        case .readOnly: "mount the file system of \(path) writable, or mend its permissions"
        case .cannotOpen: "create the folder of \(path) and let the daemon's user write to it"
        case .disk: "look at the kernel's log for errors of the disk under \(path)"
        case .outOfMemory: "give the daemon more memory"
        case .newerSchema: "install the release that wrote \(path), or move it aside"
        case .constraint, .interrupted, .misuse: "report it: the daemon itself did this"
        }
    }

    package var description: String {
        "\(path): \(operation): \(message) (\(code)); \(remedy)"
    }
}

extension StoreError.Kind {
    /// The primary code is the lower byte of an extended one.
    fileprivate init(_ code: Int32) {
        switch code & 0xFF {
        case SQLITE_FULL: self = .full
        case SQLITE_CORRUPT, SQLITE_NOTADB: self = .corrupt
        case SQLITE_BUSY, SQLITE_LOCKED, SQLITE_PROTOCOL: self = .locked
        case SQLITE_READONLY: self = .readOnly
        case SQLITE_CANTOPEN, SQLITE_PERM, SQLITE_AUTH: self = .cannotOpen
        case SQLITE_IOERR: self = .disk
        case SQLITE_CONSTRAINT, SQLITE_MISMATCH: self = .constraint
        case SQLITE_NOMEM, SQLITE_TOOBIG: self = .outOfMemory
        case SQLITE_INTERRUPT, SQLITE_ABORT: self = .interrupted
        default: self = .misuse
        }
    }
}
