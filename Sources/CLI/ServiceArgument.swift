import ArgumentParser
import Glibc

/// A service by its name, which the shell can complete.
struct ServiceArgument: ParsableArguments {
    @Argument(help: "The service by its name in the settings.", completion: .custom { _, _, _ in ServiceNames.known() })
    var service: String
}

/// A service by its name, or none for all.
struct OptionalServiceArgument: ParsableArguments {
    @Argument(
        help: "The service by its name in the settings; all where not given.",
        completion: .custom { _, _, _ in ServiceNames.known() })
    var service: String?
}

/// The names that the shell offers after a command: those of the settings files, since no daemon may be asked for them
/// while somebody waits for a key.
enum ServiceNames {
    static func known(in folder: String = "/etc/mainstay/services") -> [String] {
        guard let entries = opendir(folder) else { return [] }
        defer { closedir(entries) }
        var names: [String] = []
        while let entry = readdir(entries) {
            let file = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if file.hasSuffix(".yaml") { names.append(String(file.dropLast(5))) }
        }
        return names.sorted()
    }
}
