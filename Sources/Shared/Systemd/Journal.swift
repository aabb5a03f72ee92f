internal import CSystemd
internal import Glibc

/// One structured entry of the journal (systemd.journal-fields(7)).
package struct JournalEntry: Hashable, Sendable {
    /// syslog's levels, as `PRIORITY=` carries them.
    package enum Priority: Int, Sendable {
        case emergency, alert, critical, error, warning, notice, info, debug
    }

    package var priority: Priority
    /// The text that people read; line breaks are kept.
    package var message: String
    /// 32 hexadecimal digits, the key of the catalogue's explanation; nil for entries that need none.
    package var messageID: String?
    /// Further fields by name (`A-Z`, digits and `_`, not starting with `_`), in order.
    package var fields: [Field]

    /// One field: its value may hold any bytes but is text here.
    package struct Field: Hashable, Sendable {
        package var name: String
        package var value: String

        package init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    package init(priority: Priority, message: String, messageID: String? = nil, fields: [Field] = []) {
        self.priority = priority
        self.message = message
        self.messageID = messageID
        self.fields = fields
    }

    /// The entry as journald's `NAME=value` items. A field whose name the journal would refuse is left out rather than
    /// losing the entry with it.
    package var items: [String] {
        var items = ["MESSAGE=\(message)", "PRIORITY=\(priority.rawValue)"]
        if let messageID {
            items.append("MESSAGE_ID=\(messageID)")
        }
        for field in fields where Self.isFieldName(field.name) {
            items.append("\(field.name)=\(field.value)")
        }
        return items
    }

    /// The journal's own rule for names that clients may send.
    package static func isFieldName(_ name: String) -> Bool {
        let bytes = name.utf8
        guard let first = bytes.first, bytes.count <= 64, first >= UInt8(ascii: "A"), first <= UInt8(ascii: "Z") else {
            return false
        }
        return bytes.allSatisfy { byte in
            (byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z"))
                || (byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")) || byte == UInt8(ascii: "_")
        }
    }
}

/// journald's native socket.
package enum Journal {
    /// Hands `entry` to journald. It blocks while journald's socket is full, so never call it on a loop.
    /// Answers whether it was taken; without a journal (its socket is missing) libsystemd drops it and answers yes.
    @discardableResult
    package static func send(_ entry: JournalEntry) -> Bool {
        let items = entry.items.map { Array($0.utf8) }
        // One buffer under all the vectors: they must stay valid together for the call.
        var joined = items.flatMap { $0 }
        return joined.withUnsafeMutableBytes { bytes in
            var vectors: [iovec] = []
            var offset = 0
            for item in items {
                vectors.append(iovec(iov_base: bytes.baseAddress?.advanced(by: offset), iov_len: item.count))
                offset += item.count
            }
            return sd_journal_sendv(vectors, Int32(vectors.count)) == 0
        }
    }

    /// Whether journald reads this process's standard error (`JOURNAL_STREAM` names its device and inode), so that a
    /// line written there would appear in the journal a second time.
    package static var ownsStandardError: Bool {
        guard let stream = getenv("JOURNAL_STREAM") else { return false }
        var status = stat()
        guard fstat(STDERR_FILENO, &status) == 0 else { return false }
        return String(cString: stream) == "\(status.st_dev):\(status.st_ino)"
    }
}
