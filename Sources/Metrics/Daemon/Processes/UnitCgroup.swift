import CLinux
import Files
import Glibc

/// Where a unit's processes are: found in the cgroup tree itself, so that neither dbus nor process 1 has to answer.
struct UnitCgroup {
    /// The folder of systemd's own hierarchy: v2, or v1's `name=systemd`.
    let folder: String
    /// The path below the hierarchy's root, as cAdvisor shows it: `/system.slice/gateway.service`.
    let path: String

    /// Systemd's hierarchy on this host (or in this container): where it is mounted, and the slice of process 1's own group.
    struct Hierarchy {
        let root: String
        let isUnified: Bool

        static func find() -> Hierarchy? {
            let lines = Self.lines("/proc/1/cgroup")
            let isUnified = access("/sys/fs/cgroup/cgroup.controllers", R_OK) == 0
            let mark = isUnified ? "0::" : "name=systemd:"
            guard let line = lines.first(where: { $0.contains(mark) }), let colon = line.lastIndex(of: ":") else {
                return nil
            }
            var own = String(line[line.index(after: colon)...])
            // Inside a container without a cgroup namespace everything lies below the group that process 1 was put into.
            for last in ["/init.scope", "/"] where own.hasSuffix(last) { own.removeLast(last.utf8.count) }
            let mount = isUnified ? "/sys/fs/cgroup" : "/sys/fs/cgroup/systemd"
            return Hierarchy(root: access(mount + own, R_OK) == 0 ? mount + own : mount, isUnified: isUnified)
        }

        private static func lines(_ path: String) -> [Substring] {
            let buffer = ReadBuffer()
            guard ProcFile(path).read(into: buffer) else { return [] }
            return buffer.bytes.text.split(separator: "\n").map { $0 }
        }
    }

    /// Looks for `unit`: first where system services are, then in every slice, four levels deep.
    static func find(_ unit: String, in hierarchy: Hierarchy) -> UnitCgroup? {
        for place in ["/system.slice/\(unit)", "/\(unit)"] where isFolder(hierarchy.root + place) {
            return UnitCgroup(folder: hierarchy.root + place, path: place)
        }
        return search(unit, below: "", root: hierarchy.root, levels: 4)
    }

    private static func search(_ unit: String, below path: String, root: String, levels: Int) -> UnitCgroup? {
        guard levels > 0 else { return nil }
        for name in Contents.ofFolder(root + path) ?? [] where name.hasSuffix(".slice") || name == unit {
            let inner = "\(path)/\(name)"
            if name == unit, isFolder(root + inner) { return UnitCgroup(folder: root + inner, path: inner) }
            if let found = search(unit, below: inner, root: root, levels: levels - 1) { return found }
        }
        return nil
    }

    private static func isFolder(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// Whether the unit still has its group.
    var exists: Bool { Self.isFolder(folder) }

    /// The processes of the group and of the groups below it, at most `limit`.
    func processes(buffer: ReadBuffer, limit: Int) -> [pid_t] {
        var found: [pid_t] = []
        Self.collect(folder, into: &found, buffer: buffer, limit: limit, levels: 4)
        return found
    }

    private static func collect(
        _ folder: String, into found: inout [pid_t], buffer: ReadBuffer, limit: Int, levels: Int
    ) {
        guard levels > 0, ProcFile("\(folder)/cgroup.procs").read(into: buffer) else { return }
        var scanner = ByteScanner(buffer.bytes)
        while found.count < limit, let pid = scanner.unsigned() {
            if pid > 0 { found.append(pid_t(truncatingIfNeeded: pid)) }
            scanner.skipLine()
        }
        for name in Contents.ofFolder(onlyFolders: folder) ?? [] {
            collect("\(folder)/\(name)", into: &found, buffer: buffer, limit: limit, levels: levels - 1)
        }
    }
}
