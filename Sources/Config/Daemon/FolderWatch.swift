import CLinux
import ConfigCore
import Glibc
import Runtime
import Synchronization
import Systemd
import Time
import Wire

/// Tells when somebody writes a kept file: one inotify descriptor for the folders of all kept files.
///
/// Folders are watched and not files, since an editor renames a new file over the old one. The folders above are watched
/// for their own moves, which take the path away without a word in the folder itself; and the host's mounts, one of which may
/// cover it. What is watched is the very folder
/// that a look has opened, by its descriptor, so a symbolic link put in its place leads the watch nowhere either; each look
/// arms it again before it reads, so nothing that is written after the reading is missed.
///
/// Arming is the store thread's, since a dead mount blocks it. The thread `watch` waits for what the kernel tells, and
/// reads at most a hundred times a second, however much that is. Both take the lock; the loop never does.
final class FolderWatch: Sendable {
    /// What the loop is told.
    enum News: Sendable {
        case noticed([Keeper.FileID])
        case blinded(Keeper.FileID, Keeper.Blindness)
        case sighted(Keeper.FileID)
    }

    /// After this the next events are read; those of one program's write come together.
    private static let batch: Duration = .milliseconds(10)

    /// Nil only where the host is out of threads or descriptors.
    let thread: EventThread?
    private let tell: @Sendable ([News]) -> Void
    private let books = Mutex(Books())

    /// `tell` is called on the store thread and on `watch`.
    init(tell: @escaping @Sendable ([News]) -> Void) {
        self.tell = tell
        thread = EventThread(name: "watch")
    }

    /// Ends the thread and closes what it waits on; nothing is told any more.
    func stop() {
        let open = books.withLock { books in
            defer { books = Books(isOver: true) }
            return [books.descriptor, books.mounts].filter { $0 >= 0 }
        }
        thread?.post { for descriptor in open { close(descriptor) } }
        thread?.stop()
    }

    // MARK: On the store thread

    /// Watches the folder of the file `name`, which is open as `folder`, and the folders above it.
    func arm(_ id: Keeper.FileID, name: String, folder: CInt) {
        let news = books.withLock { books in
            do throws(Trouble) {
                guard thread != nil else { throw Trouble(why: .failed("no thread is left")) }
                let begins = try books.open()
                if begins { wait(on: books.descriptor, books.mounts) }
                try books.arm(id, name: Array(name.utf8), folder: folder)
                if let shared = Self.sharedFileSystem(folder) { throw Trouble(why: .sharedFileSystem(shared)) }
                return books.sight(id)
            } catch { return books.blind(id, error.why) }
        }
        if !news.isEmpty { tell(news) }
    }

    /// The file or its folder could not be opened.
    func lost(_ id: Keeper.FileID) {
        let news = books.withLock { $0.blind(id, .unreachable) }
        if !news.isEmpty { tell(news) }
    }

    /// Forgets all other files.
    func keep(only ids: Set<Keeper.FileID>) {
        books.withLock { books in
            for id in books.places.keys where !ids.contains(id) { books.disarm(id, except: []) }
            books.blindness = books.blindness.filter { ids.contains($0.key) }
        }
    }

    /// Whether somebody has the file open for writing, after all that the kernel has told up to now.
    func writer(of id: Keeper.FileID) -> OutsideChange.Writer {
        drain()
        return books.withLock { $0.blindness[id] == nil ? $0.writers[id] ?? .unknown : .unknown }
    }

    // MARK: On the thread `watch`

    private func wait(on descriptor: CInt, _ mounts: CInt) {
        thread?.post { [weak self] in
            guard let thread = self?.thread else { return }
            if mounts >= 0 {
                _ = thread.watch(mounts, for: .changed) { [weak self] _ in
                    guard let ids = self?.books.withLock({ $0.mountsChanged() }), !ids.isEmpty else { return }
                    self?.tell([.noticed(ids)])
                }
            }
            let box = SourceBox()
            box.source = thread.watch(descriptor, for: .readable) { [weak self] _ in
                self?.drain()
                guard let source = box.source else { return }
                thread.change(source, to: [])
                thread.after(Self.batch) { thread.change(source, to: .readable) }
            }
        }
    }

    private final class SourceBox {
        var source: EventThread.SourceID?
    }

    /// Reads what the kernel has told and tells the loop.
    private func drain() {
        let noticed = books.withLock { $0.read() }
        if !noticed.isEmpty { tell([.noticed(noticed)]) }
    }

    // MARK: File systems

    /// The name of a file system that other hosts write to without a word here (linux/magic.h); nil for all others.
    private static func sharedFileSystem(_ folder: CInt) -> String? {
        switch mainstay_file_system(folder) {
        case 0x6969: "nfs"
        case 0xFF53_4D42, 0xFE53_4D42, 0x517B: "smb"
        case 0x6573_5546: "fuse"
        case 0x0102_1997: "9p"
        case 0x00C3_6400: "ceph"
        default: nil
        }
    }
}

/// Why a folder cannot be watched.
private struct Trouble: Error {
    var why: Keeper.Blindness
}

/// What is watched for whom.
private struct Books: ~Copyable {
    /// A watched folder, and which files it matters to.
    struct Folder {
        /// The files in it, by name.
        var names: [[UInt8]: Keeper.FileID] = [:]
        /// The files somewhere below it.
        var below: Set<Keeper.FileID> = []
    }

    var descriptor: CInt = -1
    /// /proc/self/mountinfo; -1 where it cannot be had.
    var mounts: CInt = -1
    var isOver = false
    /// By inotify's watch descriptor.
    var folders: [CInt: Folder] = [:]
    /// For each file the watch of its folder first, then of those above.
    var places: [Keeper.FileID: [CInt]] = [:]
    /// Files whose path may lead elsewhere by now.
    var moved: Set<Keeper.FileID> = []
    var writers: [Keeper.FileID: OutsideChange.Writer] = [:]
    var blindness: [Keeper.FileID: Keeper.Blindness] = [:]
    private var buffer: [UInt8] = []

    init(isOver: Bool = false) { self.isOver = isOver }

    /// What is asked of the folder of a file. Attributes are left out: a content is meant.
    private static let inFolder =
        IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | above
    /// What is asked of the folders above it.
    private static let above = IN_MOVE_SELF | IN_DELETE_SELF

    // MARK: Arming

    /// Opens inotify where it is not open; true where it was not.
    mutating func open() throws(Trouble) -> Bool {
        guard !isOver, descriptor < 0 else { return false }
        let opened = inotify_init1(CInt(IN_NONBLOCK | IN_CLOEXEC))
        guard opened >= 0 else { throw Self.trouble() }
        descriptor = opened
        mounts = Glibc.open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC)
        return true
    }

    mutating func arm(_ id: Keeper.FileID, name: [UInt8], folder: CInt) throws(Trouble) {
        guard !isOver else { return }
        let place = try watch(folder, Self.inFolder)
        if let known = places[id], known.first == place, !moved.contains(id) { return }
        disarm(id, except: [place])
        folders[place, default: Folder()].names[name] = id
        places[id] = [place]
        var parent = id.path.split(separator: "/").dropLast(2)
        while !parent.isEmpty {
            let path = "/" + parent.joined(separator: "/")
            let opened = mainstay_openat2(
                AT_FDCWD, path, UInt64(O_PATH | O_DIRECTORY | O_CLOEXEC), 0, UInt64(RESOLVE_NO_SYMLINKS))
            parent = parent.dropLast()
            guard opened >= 0 else { continue }
            defer { close(opened) }
            let above: CInt
            do throws(Trouble) { above = try watch(opened, Self.above) } catch {
                // Whoever may not read a folder may not watch it; then its move is found by the look each minute.
                if error.why == .noWatchLeft { throw error }
                continue
            }
            folders[above, default: Folder()].below.insert(id)
            places[id]?.append(above)
        }
        moved.remove(id)
        writers[id] = .unknown
    }

    private func watch(_ folder: CInt, _ mask: CInt) throws(Trouble) -> CInt {
        let place = inotify_add_watch(descriptor, "/proc/self/fd/\(folder)", UInt32(mask | IN_ONLYDIR | IN_MASK_ADD))
        guard place >= 0 else { throw Self.trouble() }
        return place
    }

    /// Forgets where the file was, but for the folders of `kept`.
    mutating func disarm(_ id: Keeper.FileID, except kept: Set<CInt>) {
        for place in places.removeValue(forKey: id) ?? [] {
            guard var folder = folders[place] else { continue }
            folder.names = folder.names.filter { $0.value != id }
            folder.below.remove(id)
            let isOfUse = !folder.names.isEmpty || !folder.below.isEmpty || kept.contains(place)
            folders[place] = isOfUse ? folder : nil
            if !isOfUse { inotify_rm_watch(descriptor, place) }
        }
        writers[id] = nil
    }

    private static func trouble() -> Trouble {
        switch errno {
        case ENOSPC: Trouble(why: .noWatchLeft)
        case EMFILE, ENFILE: Trouble(why: .noDescriptorLeft)
        case let code: Trouble(why: .failed(strerror(code).map { String(cString: $0) } ?? "error \(code)"))
        }
    }

    /// What the loop has to learn, if anything.
    mutating func sight(_ id: Keeper.FileID) -> [FolderWatch.News] {
        blindness.removeValue(forKey: id) == nil ? [] : [.sighted(id)]
    }

    mutating func blind(_ id: Keeper.FileID, _ why: Keeper.Blindness) -> [FolderWatch.News] {
        blindness.updateValue(why, forKey: id) == why ? [] : [.blinded(id, why)]
    }

    // MARK: Reading

    /// Something was mounted or unmounted: any path may lead elsewhere.
    mutating func mountsChanged() -> [Keeper.FileID] {
        moved.formUnion(places.keys)
        return Array(places.keys)
    }

    /// All that the kernel has told since the last reading: the files that somebody may have written.
    mutating func read() -> [Keeper.FileID] {
        guard descriptor >= 0 else { return [] }
        if buffer.isEmpty { buffer = [UInt8](repeating: 0, count: 16 << 10) }
        var noticed: Set<Keeper.FileID> = []
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            var offset = 0
            while offset + MemoryLayout<inotify_event>.size <= count {
                let event = buffer.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: inotify_event.self) }
                let name = offset + MemoryLayout<inotify_event>.size
                offset = name + Int(event.len)
                note(event, name: buffer[name..<min(offset, count)].prefix { $0 != 0 }, &noticed)
            }
        }
        return Array(noticed)
    }

    private mutating func note(_ event: inotify_event, name: ArraySlice<UInt8>, _ noticed: inout Set<Keeper.FileID>) {
        func told(_ mask: CInt) -> Bool { event.mask & UInt32(mask) != 0 }
        if event.mask & UInt32(IN_Q_OVERFLOW) != 0 {
            // Events are lost and no watch is: whatever they were, a look at everything finds it.
            writers = writers.mapValues { _ in .unknown }
            noticed.formUnion(places.keys)
            return
        }
        guard let folder = folders[event.wd] else { return }
        if told(IN_IGNORED | IN_UNMOUNT | IN_MOVE_SELF | IN_DELETE_SELF) {
            let all = folder.below.union(folder.names.values)
            noticed.formUnion(all)
            moved.formUnion(all)
            if told(IN_IGNORED) { folders[event.wd] = nil }
        } else if let id = folder.names[Array(name)] {
            noticed.insert(id)
            writers[id] = told(IN_CLOSE_WRITE | IN_MOVED_TO) ? .gone : told(IN_MODIFY) ? .present : .unknown
        }
    }
}
