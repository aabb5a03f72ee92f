import ConfigCore
import Wire

/// The file that the simulated configd keeps: comments, quotings and a key in PEM, as the gateway's.
enum EnvSample {
    static let privateKey: String = {
        let body = Array(repeating: String(repeating: "MIIEvgIBADANBgkqhkiG9w0BAQEFAASC", count: 2), count: 6)
        let lines = ["-----BEGIN PRIVATE KEY-----"] + body + ["Z2F0ZXdheQ=", "-----END PRIVATE KEY-----"]
        return lines.joined(separator: "\n")
    }()

    static let text = """
        # The gateway's settings.
        PORT=3000

        # Kept with the provider; rotate in both places.
        PRIVATE_KEY="\(privateKey)"
        DATABASE_URL=postgres://gateway@127.0.0.1/gateway
        # API_TOKEN=none
        GREETING='hello there'

        """
}

/// What must hold of a configuration file at every step of every run, told by somebody who knows nothing of how configd
/// does it. What is found broken comes back as a sentence.
struct ConfigJudge {
    /// The contents that the file may have: before and after the last write, or as an operator's editor left it.
    private var allowed: Set<Wire.Digest> = [Wire.Digest(of: Array(EnvSample.text.utf8))]
    /// The versions that clients were told of, the oldest first.
    private var mustHold: [Version] = []
    /// The newest version announced in this life.
    private var announced: Int64 = 0
    /// What others wrote since the file was last its newest version.
    private var others: Set<Wire.Digest> = []
    /// Contents that nobody meant: they may stand in the file, and never be a version.
    private var unmeant: Set<Wire.Digest> = []
    /// Those of them that stayed until configd met them, and so must have been set aside.
    private var torn: Set<Wire.Digest> = []
    /// Those of them that an editor is about to replace: nobody may take them for torn.
    private var passing: Set<Wire.Digest> = []
    private var judged: Wire.Digest?
    private var chained = 0

    mutating func began(from old: Wire.Digest, to new: Wire.Digest) { allowed = [old, new] }

    /// Somebody wrote what is meant.
    mutating func edited(_ content: Wire.Digest) {
        others.insert(content)
        passing = []
    }

    mutating func tore(_ content: Wire.Digest) {
        others.insert(content)
        unmeant.insert(content)
        torn.insert(content)
    }

    /// An editor begins to write, or has come half-way.
    mutating func passes(_ content: Wire.Digest) {
        others.insert(content)
        unmeant.insert(content)
        passing.insert(content)
    }

    /// What it had half written stays so.
    mutating func editorDied() { passing = [] }

    /// configd sets a content aside.
    func setAside(_ content: Wire.Digest) -> String? {
        passing.contains(content) ? "config: a file that is being written was taken for a torn one" : nil
    }

    mutating func acknowledged(_ version: Version) {
        mustHold.append(version)
        allowed = [version.draft.content]
    }

    mutating func died() {
        announced = 0
        judged = nil
        chained = 0
    }

    mutating func announced(_ version: Version) -> String? {
        defer { announced = max(announced, version.number) }
        return version.number > announced ? nil : "config: version \(version.number) was announced twice"
    }

    /// After any step, and whatever was cut off.
    func looked(at folder: SimulatedFolder) -> String? {
        allowed.contains(folder.file.digest) || others.contains(folder.file.digest)
            ? nil : "config: the file is neither what it was nor what was written"
    }

    /// After a look that found all well, or has put it right.
    mutating func recovered(_ folder: SimulatedFolder, _ editor: EnvEditor) -> String? {
        if let problem = looked(at: folder) { return problem }
        guard let head = folder.versions.last, head.draft.content == folder.file.digest else {
            return "config: the file is not its newest version"
        }
        if folder.intent != nil || folder.temporary != nil { return "config: a write was left behind" }
        if !folder.isDurable { return "config: a version is recorded that a power cut would take" }
        if let last = mustHold.last, !Self.holds(folder, last) { return "config: an acknowledged version is gone" }
        if let problem = linear(folder) { return problem }
        if unmeant.contains(head.draft.content) { return "config: a torn content has become a version" }
        allowed = [folder.file.digest]
        others = []
        guard judged != folder.file.digest else { return nil }
        judged = folder.file.digest
        return kept(folder.file.bytes, editor)
    }

    private mutating func linear(_ folder: SimulatedFolder) -> String? {
        defer { chained = folder.versions.count }
        for index in min(chained, folder.versions.count)..<folder.versions.count
        where !folder.versions[index].follows(index > 0 ? folder.versions[index - 1] : nil) {
            return "config: history is not linear at version \(index + 1)"
        }
        return nil
    }

    private func kept(_ file: [UInt8], _ editor: EnvEditor) -> String? {
        for (reader, reading) in zip(editor.readers, editor.readings(of: file))
        where reading.effective["PRIVATE_KEY"] != .text(Array(EnvSample.privateKey.utf8)) {
            return "config: \(reader.name) reads another PRIVATE_KEY"
        }
        let lines = file.split(separator: UInt8(ascii: "\n"))
        let isWhole = EnvSample.text.utf8.split(separator: UInt8(ascii: "\n")).allSatisfy { line in
            line.first != UInt8(ascii: "#") || lines.contains { $0.elementsEqual(line) }
        }
        return isWhole ? nil : "config: a comment is gone"
    }

    private static func holds(_ folder: SimulatedFolder, _ version: Version) -> Bool {
        folder.versions.count >= version.number && folder.versions[Int(version.number) - 1] == version
    }

    /// At the end of a run: every version that a client was told of is still there, as it was told.
    mutating func fullHistory(_ folder: SimulatedFolder) -> String? {
        chained = 0
        let kept = Set(folder.quarantine.map(\.digest))
        if torn.contains(where: { !kept.contains($0) && $0 != folder.file.digest }) {
            return "a torn content was not kept"
        }
        for version in mustHold where !Self.holds(folder, version) {
            return "version \(version.number) was acknowledged and is gone"
        }
        return linear(folder)
    }
}
