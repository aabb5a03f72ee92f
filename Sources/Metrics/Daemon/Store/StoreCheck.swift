import Files
import MetricsAPI
import MetricsCore

/// Holds the store's files against their checksums, one after the other, while the store is in use.
enum StoreCheck {
    /// The file after the one named `cursor`.
    static func page(_ folder: StoreFolder, after cursor: String?) throws(FileFailure) -> VerifyStore.Reply {
        let names = try folder.names()
        guard let index = names.firstIndex(where: { $0 > cursor ?? "" }) else { return VerifyStore.Reply(files: []) }
        let name = names[index]
        let next = index + 1 < names.count ? name : nil
        do throws(FileFailure) {
            let isNewest = names.last { $0.hasSuffix(".log") } == name || names.last { $0.hasSuffix(".blocks") } == name
            return VerifyStore.Reply(files: [try check(name, isNewest: isNewest, in: folder)], next: next)
        } catch {
            // Retention, or a block that became complete, took it meanwhile.
            guard error.isMissing else { throw error }
            return VerifyStore.Reply(files: [], next: next)
        }
    }

    /// What stands after the last whole frame of a file that is written to is not written yet.
    private static func check(
        _ name: String, isNewest: Bool, in folder: StoreFolder
    ) throws(FileFailure) -> VerifiedFile {
        let file = try DataFile("\(folder.path)/\(name)", for: .read)
        let bytes = try file.read(try file.size(), at: 0)
        var scanner = FrameScanner(bytes)
        var frames = 0
        while scanner.next() != nil { frames += 1 }
        return VerifiedFile(
            name: name, sizeBytes: Int64(bytes.count), frames: frames,
            damaged: scanner.damaged + (isNewest ? 0 : scanner.damagedAtEnd))
    }
}
