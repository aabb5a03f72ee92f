import Files
package import Wire

/// A daemon's OpenRPC document, as `rpc.discover` answers it.
package enum Document {
    /// Documents are a few dozen KiB; a file beyond this is not one.
    private static let longest = 1 << 20

    /// Reads the document, without the faults for tests unless they are allowed; nil where it is missing or not JSON. It
    /// reads a file and so may block: call it before the loop runs.
    package static func read(_ path: String, withFaults: Bool) -> JSONObject? {
        guard let bytes = Contents.ofFile(path, limit: longest),
            case .object(var document)? = try? JSONReader.read(bytes)
        else { return nil }
        guard !withFaults, case .array(let methods)? = document["methods"] else { return document }
        document["methods"] = .array(methods.filter { !isFault($0) })
        return document
    }

    private static func isFault(_ method: JSON) -> Bool {
        guard case .object(let object) = method, case .string(let name)? = object["name"] else { return false }
        return name.hasPrefix("fault.")
    }
}
