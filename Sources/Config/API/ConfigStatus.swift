package import Wire

/// configd's own part of `status`.
package struct ConfigStatus: WireObject {
    package var files: [ConfigFileStatus]
    /// As `pending` answers.
    package var pending: [ConfigPending]
    /// How many keys have their value for a time; `leases` names them.
    package var leasedKeys: Int64
    /// The locks that are held over the socket.
    package var locks: [ConfigLock]

    package init(
        files: [ConfigFileStatus], pending: [ConfigPending] = [], leasedKeys: Int64 = 0, locks: [ConfigLock] = []
    ) {
        self.files = files
        self.pending = pending
        self.leasedKeys = leasedKeys
        self.locks = locks
    }

    package init(from fields: inout Fields) throws(WireError) {
        files = try fields.value("files")
        pending = try fields.value("pending", or: [])
        leasedKeys = try fields.value("leasedKeys", or: 0)
        locks = try fields.value("locks", or: [])
    }

    package func write(to object: inout ObjectWriter) {
        object.member("files", files)
        object.member("pending", pending)
        object.member("leasedKeys", leasedKeys)
        object.member("locks", locks)
    }
}

/// One file as configd last saw it.
package struct ConfigFileStatus: WireObject {
    /// What the last look found.
    package enum Condition: String, WireValue, CaseIterable {
        /// Not looked at since the start.
        case unknown
        /// It is its newest version, byte for byte.
        case whole
        /// It is gone; `rollback` brings it back.
        case missing
        /// It cannot be read or kept; `problem` says why.
        case troubled
    }

    /// What the file is to configd.
    package enum Format: String, WireValue, CaseIterable {
        /// Lines of `KEY=VALUE`, changed by key.
        case env
        /// JSON, changed by pointer.
        case json
        /// Anything, changed as a whole.
        case whole
    }

    package var service: String
    package var file: String
    package var format: Format
    package var condition: Condition
    /// The newest version; 0 where there is none.
    package var version: Int64
    /// When it was applied, in milliseconds since 1970; 0 where there is none.
    package var atMs: Int64
    /// Of files of lines; empty otherwise.
    package var readers: [String]
    /// What is wrong, and what to do.
    package var problem: String?

    package init(
        service: String, file: String, format: Format = .env, condition: Condition, version: Int64, atMs: Int64,
        readers: [String], problem: String? = nil
    ) {
        self.service = service
        self.file = file
        self.format = format
        self.condition = condition
        self.version = version
        self.atMs = atMs
        self.readers = readers
        self.problem = problem
    }

    package init(from fields: inout Fields) throws(WireError) {
        service = try fields.value("service")
        file = try fields.value("file")
        format = try fields.value("format", or: .env)
        condition = try fields.value("condition")
        version = try fields.value("version")
        atMs = try fields.value("atMs")
        readers = try fields.value("readers")
        problem = try fields.optional("problem")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("service", service)
        object.member("file", file)
        object.member("format", format)
        object.member("condition", condition)
        object.member("version", version)
        object.member("atMs", atMs)
        object.member("readers", readers)
        object.member("problem", problem)
    }
}
