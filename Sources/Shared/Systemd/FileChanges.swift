internal import CLinux
internal import CSystemd  // sd-event.h is where the compiler sees <sys/inotify.h> first
internal import Glibc

/// Tells when a file changed, was replaced, or was removed, by inotify on its directory: what editors and atomic writers
/// do is a rename, after which a watch on the file itself sees the old one only.
package actor FileChanges {
    private nonisolated let thread: EventThread
    private var inotify: Int32 = -1
    private var watches: [Int32: [String: @Sendable () -> Void]] = [:]

    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        thread.asUnownedSerialExecutor()
    }

    package init(on thread: EventThread) {
        self.thread = thread
    }

    /// Calls `changed` on the thread after each change of the entry `name` in `directory`: closed after writing, moved in
    /// or out, created, deleted, its attributes changed. `refused` is called instead, with errno, where the directory
    /// cannot be watched.
    package nonisolated func watch(
        directory: String, name: String, refused: @escaping @Sendable (Int32) -> Void,
        changed: @escaping @Sendable () -> Void
    ) {
        thread.post { self.assumeIsolated { $0.begin(directory, name, refused, changed) } }
    }

    private func begin(
        _ directory: String, _ name: String, _ refused: @Sendable (Int32) -> Void,
        _ changed: @escaping @Sendable () -> Void
    ) {
        if inotify < 0 {
            inotify = inotify_init1(Int32(IN_NONBLOCK | IN_CLOEXEC))
            guard inotify >= 0, thread.watch(inotify, for: .readable, { _ in self.read() }) != nil else {
                refused(errno)
                return
            }
        }
        let mask = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ATTRIB
        let watch = inotify_add_watch(inotify, directory, UInt32(mask))
        guard watch >= 0 else {
            refused(errno)
            return
        }
        watches[watch, default: [:]][name] = changed
    }

    private func read() {
        var buffer = [UInt8](repeating: 0, count: 16 * 1024)
        let headerBytes = MemoryLayout<inotify_event>.size
        // One answer an entry and read, however many changes it stands for.
        var changed: [Int32: Set<String>] = [:]
        while true {
            let count = Glibc.read(inotify, &buffer, buffer.count)
            guard count > 0 else { break }
            buffer.withUnsafeBytes { bytes in
                var offset = 0
                while offset + headerBytes <= count {
                    let event = bytes.loadUnaligned(fromByteOffset: offset, as: inotify_event.self)
                    let start = offset + headerBytes
                    let name = bytes[start..<min(start + Int(event.len), count)].prefix { $0 != 0 }
                    changed[event.wd, default: []].insert(String(decoding: name, as: UTF8.self))
                    offset = start + Int(event.len)
                }
            }
        }
        for (watch, names) in changed {
            for name in names {
                watches[watch]?[name]?()
            }
        }
    }
}
