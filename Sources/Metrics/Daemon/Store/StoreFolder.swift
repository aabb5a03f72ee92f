import Files
import Glibc
import Wire

/// The names of the store's files in a state folder.
struct StoreFolder: Sendable {
    let path: String

    func log(_ number: Int64) -> String { "\(path)/\(Self.digits(number)).log" }
    /// The next log, with its room reserved.
    var spareLog: String { "\(path)/spare.log" }
    func segment(_ number: Int64) -> String { "\(path)/\(Self.digits(number)).blocks" }
    func summary(_ number: Int64) -> String { "\(path)/\(Self.digits(number)).summary" }

    /// How far a receiver of remote write has been given what is here; of each URL its own.
    func remote(_ url: String) -> String {
        "\(path)/\(Digest(of: url.utf8).hexadecimal.prefix(16)).remote"
    }

    /// The numbers of files with this ending, in their order.
    func numbers(ending: String) throws(FileFailure) -> [Int64] {
        guard let names = Contents.ofFolder(path) else { throw FileFailure("list", path, code: errno) }
        return names.compactMap { name in
            guard name.hasSuffix(ending) else { return nil }
            return Int64(name.dropLast(ending.count))
        }.sorted()
    }

    /// Held by the metricsd that uses the folder.
    var lock: String { "\(path)/lock" }
    /// Where the copy of a backup lies, and where it is made.
    var backup: String { "\(path)/backup" }
    var unfinishedBackup: String { "\(path)/backup.new" }

    /// The names of all its files, in their order.
    func names() throws(FileFailure) -> [String] {
        let endings = [".blocks", ".log", ".summary"]
        guard let names = Contents.ofFolder(path) else { throw FileFailure("list", path, code: errno) }
        return names.filter { name in name != "spare.log" && endings.contains { name.hasSuffix($0) } }.sorted()
    }

    /// Makes the folder where there is none.
    func make() throws(FileFailure) {
        guard mkdir(path, 0o750) == 0 || errno == EEXIST else { throw FileFailure("make", path, code: errno) }
    }

    private static func digits(_ number: Int64) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, 8 - text.count)) + text
    }
}
