import CLinux
import Glibc
package import Wire

/// A daemon's OpenRPC document, as `rpc.discover` answers it.
package enum Document {
    /// Documents are a few dozen KiB; a file beyond this is not one.
    private static let longest = 1 << 20

    /// Reads the document, without the faults for tests unless they are allowed; nil where it is missing or not JSON. It
    /// reads a file and so may block: call it before the loop runs.
    package static func read(_ path: String, withFaults: Bool) -> JSONObject? {
        guard let bytes = contents(path), case .object(var document)? = try? JSONReader.read(bytes) else { return nil }
        guard !withFaults, case .array(let methods)? = document["methods"] else { return document }
        document["methods"] = .array(methods.filter { !isFault($0) })
        return document
    }

    private static func isFault(_ method: JSON) -> Bool {
        guard case .object(let object) = method, case .string(let name)? = object["name"] else { return false }
        return name.hasPrefix("fault.")
    }

    private static func contents(_ path: String) -> [UInt8]? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while bytes.count <= longest {
            let count = Glibc.read(file, &chunk, chunk.count)
            guard count > 0 else { return count == 0 ? bytes : nil }
            bytes.append(contentsOf: chunk[..<count])
        }
        return nil
    }
}
