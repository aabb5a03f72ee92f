import Glibc
import MetricsCore

/// What the host's kernel and its system are called. Labels are made only where a name has changed.
enum HostNames {
    /// uname(2).
    static func addKernel(to round: inout RoundBuilder) {
        var names = utsname()
        guard uname(&names) == 0 else { return }
        let key = withUnsafeBytes(of: names) { SeriesKey("node_uname_info").adding($0) }
        round.add(1, key: key.value) { kernelLabels(names) }
    }

    private static func kernelLabels(_ names: utsname) -> Labels {
        func text(_ field: some Any) -> String {
            withUnsafeBytes(of: field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        }
        return Labels(
            "node_uname_info",
            [
                Label("sysname", text(names.sysname)), Label("nodename", text(names.nodename)),
                Label("release", text(names.release)), Label("version", text(names.version)),
                Label("machine", text(names.machine)), Label("domainname", text(names.__domainname)),
            ])
    }

    /// The fields of os-release(5) that are labels, as `VARIANT_ID` is `variant_id`.
    private static let fields = [
        "BUILD_ID", "ID", "ID_LIKE", "IMAGE_ID", "IMAGE_VERSION", "NAME", "PRETTY_NAME", "VARIANT", "VARIANT_ID",
        "VERSION",
        "VERSION_CODENAME", "VERSION_ID",
    ]
    private static let fieldsOfVersion: Set<String> = ["ID", "ID_LIKE", "NAME"]

    /// os-release(5): `node_os_info`, and the version's first two numbers as `node_os_version`, where it has a number.
    static func addSystem(_ bytes: UnsafeRawBufferPointer, to round: inout RoundBuilder) {
        let key = SeriesKey("node_os_info").adding(bytes)
        round.add(1, key: key.value) {
            Labels("node_os_info", values(bytes).map { Label($0.key.lowercased(), $0.value) })
        }
        guard let version = version(bytes) else { return }
        round.add(version, key: key.adding(1).value) {
            let known = values(bytes).filter { fieldsOfVersion.contains($0.key) }
            return Labels("node_os_version", known.map { Label($0.key.lowercased(), $0.value) })
        }
    }

    private static func values(_ bytes: UnsafeRawBufferPointer) -> [String: String] {
        var found: [String: String] = [:]
        var scanner = ByteScanner(bytes)
        while !scanner.isAtEnd {
            var line = ByteScanner(scanner.line())
            let name = line.word(stop: 0x3d).text
            guard line.peek == 0x3d, fields.contains(name) else { continue }
            line.skip(1)
            found[name] = unquoted(line.line())
        }
        return found
    }

    private static func version(_ bytes: UnsafeRawBufferPointer) -> Double? {
        var scanner = ByteScanner(bytes)
        while !scanner.isAtEnd {
            var line = ByteScanner(scanner.line())
            guard line.word(stop: 0x3d).equals("VERSION_ID") else { continue }
            line.skip(1)
            if line.peek == 0x22 || line.peek == 0x27 { line.skip(1) }
            return line.decimal()
        }
        return nil
    }

    /// A value as a shell reads it: in quotes or without, a backslash before what is meant as it stands.
    private static func unquoted(_ bytes: UnsafeRawBufferPointer) -> String {
        var result: [UInt8] = []
        var quote: UInt8?
        var isEscaped = false
        for byte in bytes {
            if isEscaped {
                result.append(byte)
                isEscaped = false
            } else if byte == 0x5c, quote != 0x27 {
                isEscaped = true
            } else if byte == quote {
                quote = nil
            } else if quote == nil, byte == 0x22 || byte == 0x27 {
                quote = byte
            } else {
                result.append(byte)
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
