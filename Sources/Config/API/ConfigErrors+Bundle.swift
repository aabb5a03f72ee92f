package import Wire

/// What is wrong with a bundle, or with restoring it: codes from 1200. None of them crosses a socket: whoever reads the
/// bundle says so itself, and nothing was changed.
extension ConfigErrors {
    private static let otherCopy = "Take another copy of the bundle, or make a new one by `mainstay config backup`"

    /// A line of a bundle is not what was written.
    package static func bundleDamaged(line: Int64, why: String) -> RPCError {
        RPCError(
            code: 1200, name: "bundleDamaged", message: "line \(line) of the bundle is damaged: \(why)",
            remedy: otherCopy, details: ["line": .integer(line)])
    }

    /// A bundle ends before its last line.
    package static func bundleCut(lines: Int64) -> RPCError {
        RPCError(
            code: 1201, name: "bundleCut", message: "the bundle ends after line \(lines), without its sum",
            remedy: "It was not written or copied to its end. \(otherCopy)", details: ["lines": .integer(lines)])
    }

    /// The first line is not that of a bundle that this version of Mainstay reads.
    package static func bundleUnknown(_ why: String) -> RPCError {
        RPCError(
            code: 1202, name: "bundleUnknown", message: "this is no bundle that can be read: \(why)",
            remedy: "Name a file that `mainstay config backup` wrote; one of a newer Mainstay needs that Mainstay")
    }

    /// The bundle has no such service, file or version, or not its content.
    package static func bundleLacks(_ what: String, has known: [String]) -> RPCError {
        RPCError(
            code: 1203, name: "bundleLacks", message: "the bundle has no \(what)",
            remedy: "It has \(known.isEmpty ? "nothing of the kind" : known.joined(separator: ", "))",
            details: ["known": .array(known.map { .string($0) })])
    }

    /// A file of the bundle is not declared on this host.
    package static func bundleNotDeclared(service: String, file: String, known: [String]) -> RPCError {
        let here = known.isEmpty ? "no file" : known.joined(separator: ", ")
        return RPCError(
            code: 1204, name: "bundleNotDeclared",
            message: "\(file) is not declared for \(service) on this host, which has \(here)",
            remedy: """
                Declare it under `config.files` in the service's settings; `--map \(file)=PATH` restores it as another \
                file, and `--only PATH` restores the others without it
                """,
            details: ["service": .string(service), "file": .string(file)])
    }

    /// A declared file was never there on this host, so nobody said whose it is to be.
    package static func bundleNeedsFile(_ path: String, mode: Int64, ownerUID: Int64) -> RPCError {
        let octal = String(mode, radix: 8)
        return RPCError(
            code: 1205, name: "bundleNeedsFile",
            message: "\(path) was never there on this host, and whose it is to be is not for a bundle to say",
            remedy: """
                `install -m \(octal) -o OWNER -g GROUP /dev/null \(path)`, then again; where the bundle was made its owner \
                was uid \(ownerUID)
                """,
            details: ["path": .string(path), "mode": .integer(mode)])
    }

    /// More than one transaction takes.
    package static func bundleTooLarge(service: String, bytes: Int64, limit: Int64) -> RPCError {
        RPCError(
            code: 1206, name: "bundleTooLarge",
            message: "the files of \(service) hold \(bytes) bytes, and one transaction takes \(limit)",
            remedy: "Restore them in several calls, by `--only PATH`",
            details: ["bytes": .integer(bytes), "limit": .integer(limit)])
    }
}
