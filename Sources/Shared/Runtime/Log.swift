import CLinux
import Glibc
import Synchronization
import Time

/// The id of a kind of journal entry: 32 hexadecimal digits, explained by the journal's catalogue (`journalctl -x`).
package struct MessageID: Hashable, Sendable {
    package let hex: String

    /// `hex` stands in systemd/mainstay.catalog; a project test holds the two against each other.
    package init(_ hex: StaticString) { self.hex = hex.description }
}

/// One journal entry.
package struct LogEntry: Hashable, Sendable {
    /// syslog's priorities, as far as daemons use them (syslog(3)).
    package enum Priority: Int, Hashable, Sendable {
        case critical = 2
        case error = 3
        case warning = 4
        case notice = 5
        case info = 6
        case debug = 7
    }

    package var priority: Priority
    package var message: String
    package var id: MessageID?
    /// Further fields: `MAINSTAY_SERVICE`, `MAINSTAY_INCIDENT`, …
    package var fields: [String: String]

    package init(_ priority: Priority, _ message: String, id: MessageID? = nil, fields: [String: String] = [:]) {
        self.priority = priority
        self.message = message
        self.id = id
        self.fields = fields
    }
}

/// The daemon's log: entries leave the loop at once and are written by the thread `log`, since a stopped journal blocks
/// whoever writes to it. At most 1,000 wait; what does not fit is counted, and the count is written when there is room.
package final class Log: Sendable {
    private static let limit = 1000
    private let worker: Worker<@Sendable (LogEntry) -> Void>
    private let lost = Atomic<Int>(0)

    /// `sink` writes one entry and may block.
    package init(sink: @escaping @Sendable (LogEntry) -> Void) {
        worker = Worker(name: "log", limit: Log.limit, make: { sink })
    }

    /// A log of lines on standard error, with the priority as `<N>`, which the journal understands, unless a person reads.
    package static func standardError() -> Log {
        let terminal = isatty(STDERR_FILENO) == 1
        return Log { entry in
            var line = terminal ? "" : "<\(entry.priority.rawValue)>"
            line += entry.message
            if !entry.fields.isEmpty {
                let fields = entry.fields.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
                line += " [" + fields.joined(separator: " ") + "]"
            }
            line += "\n"
            StandardError.write(line)
        }
    }

    /// Entries that were dropped and not yet reported.
    package var lostEntries: Int { lost.load(ordering: .relaxed) }

    package func write(_ entry: LogEntry) {
        let isTaken = worker.submit { [self] sink in
            let dropped = lost.exchange(0, ordering: .relaxed)
            if dropped > 0 { sink(LogEntry(.warning, "\(dropped) log entries were lost: the journal was too slow")) }
            sink(entry)
        }
        if !isTaken { lost.add(1, ordering: .relaxed) }
    }

    package func write(
        _ priority: LogEntry.Priority, _ message: String, id: MessageID? = nil, fields: [String: String] = [:]
    ) {
        write(LogEntry(priority, message, id: id, fields: fields))
    }

    /// Waits on the `log` thread's queue for at most a second: for the last words of a daemon, off the loop.
    package func drain() {
        let done = Mutex(false)
        worker.submit { _ in done.withLock { $0 = true } }
        for _ in 0..<100 where !done.withLock({ $0 }) { usleep(10_000) }
    }

    /// As `status` shows the thread.
    package var thread: Worker<@Sendable (LogEntry) -> Void> { worker }
}

/// Standard error, written at once and whole.
package enum StandardError {
    package static func write(_ text: String) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let written = bytes.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
            guard written > 0 else { return }
            bytes = bytes.dropFirst(written)
        }
    }
}
