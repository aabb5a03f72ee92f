internal import CLinux
internal import CSystemd
internal import Glibc

/// What a daemon tells the process that started it (sd_notify(3)), and the descriptors it was handed.
///
/// Where there is no supervisor (`NOTIFY_SOCKET` unset: development, `--foreground`) every call does nothing and
/// answers `false`. A call is one datagram to process 1 and takes microseconds.
package enum Notify {
    /// Whether a supervisor listens.
    package static var isSupervised: Bool {
        getenv("NOTIFY_SOCKET") != nil
    }

    /// Start-up is complete and requests are answered.
    @discardableResult
    package static func ready(status: String) -> Bool {
        send("READY=1\nSTATUS=\(oneLine(status))")
    }

    /// A reload has begun; `ready` ends it. systemd 253 and later insist on the time at which it began.
    @discardableResult
    package static func reloading() -> Bool {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        let monotonicUsec = UInt64(now.tv_sec) * 1_000_000 + UInt64(now.tv_nsec) / 1000
        return send("RELOADING=1\nMONOTONIC_USEC=\(monotonicUsec)")
    }

    /// A stop has begun.
    @discardableResult
    package static func stopping() -> Bool {
        send("STOPPING=1")
    }

    /// The line that `systemctl status` shows.
    @discardableResult
    package static func status(_ line: String) -> Bool {
        send("STATUS=\(oneLine(line))")
    }

    /// The daemon made progress since the last call. Only the daemon's own loop may say so (DESIGN §9).
    @discardableResult
    package static func keepalive() -> Bool {
        send("WATCHDOG=1")
    }

    /// Gives process 1 a copy of `descriptor` to hand to the next start of this unit under `name` (at most 255 ASCII
    /// characters, no `:`). What is stored already under the same name stays: call `forget` first to replace it.
    /// `poll: false` keeps a descriptor for which process 1 would see a hang-up.
    @discardableResult
    package static func store(_ descriptor: Int32, name: String, poll: Bool = true) -> Bool {
        let state = "FDSTORE=1\nFDNAME=\(name)" + (poll ? "" : "\nFDPOLL=0")
        return withUnsafePointer(to: descriptor) { sd_pid_notify_with_fds(0, 0, state, $0, 1) > 0 }
    }

    /// Drops every stored descriptor of that name.
    @discardableResult
    package static func forget(name: String) -> Bool {
        send("FDSTOREREMOVE=1\nFDNAME=\(name)")
    }

    /// How often the supervisor wants `keepalive` at the least (`WatchdogSec=`), or nil where it does not watch.
    package static func watchdogInterval() -> Duration? {
        var usec: UInt64 = 0
        guard sd_watchdog_enabled(0, &usec) > 0 else { return nil }
        return .microseconds(Int64(clamping: usec))
    }

    /// A descriptor handed over at start: by a socket unit, or out of the store.
    package struct Received: Hashable, Sendable {
        /// `FDNAME=`, or `unknown`.
        package var name: String
        package var descriptor: Int32
    }

    /// The descriptors handed over at start, close-on-exec set; the environment that announced them is cleared, so a
    /// second call answers none and no child believes that they are its own.
    package static func takeReceived() -> [Received] {
        var names: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
        let count = sd_listen_fds_with_names(1, &names)
        guard count > 0 else { return [] }
        var received: [Received] = []
        for index in 0..<Int(count) {
            let name = names?[index]
            received.append(
                Received(
                    name: name.map { String(cString: $0) } ?? "unknown",
                    descriptor: firstDescriptor + Int32(index)))
            free(name)
        }
        free(names)
        return received
    }

    /// SD_LISTEN_FDS_START of sd-daemon.h, which Swift does not import (a macro with a cast).
    private static let firstDescriptor: Int32 = 3

    private static func send(_ state: String) -> Bool {
        sd_pid_notify_with_fds(0, 0, state, nil, 0) > 0
    }

    /// The protocol is line based: a status with a line break would be read as further assignments.
    private static func oneLine(_ text: String) -> String {
        String(text.map { $0.isNewline ? " " : $0 })
    }
}
