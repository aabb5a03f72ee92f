import ConfigCore
import Wire

/// What a disk holds of one `.env` file: the file, what a write puts beside it, the ledger of its versions, and what a power
/// cut would take back. The ledger is a database whose every transaction is durable,
/// but for a conclusion, which the next one takes along.
struct SimulatedFolder {
    /// A file's bytes and their sum, made once.
    struct Content: Hashable {
        let bytes: [UInt8]
        let digest: Wire.Digest

        init(_ bytes: [UInt8]) {
            self.bytes = bytes
            digest = Wire.Digest(of: bytes)
        }
    }

    /// What programs read.
    private(set) var file: Content
    private(set) var temporary: Content?
    private(set) var isTemporaryDurable = false
    /// The concluded versions, the oldest first.
    private(set) var versions: [Version] = []
    private(set) var intent: Intent?
    /// What the versions and the intent hold.
    private(set) var contents: [Wire.Digest: Content] = [:]
    /// Contents that were set aside.
    private(set) var quarantine: [Content] = []
    /// What the name leads to after a power cut, where that is not `file`.
    private var durableFile: Content?
    /// The transaction whose conclusion a power cut would take.
    private var unconcluded: Intent?

    init(holding file: [UInt8]) { self.file = Content(file) }

    var isDurable: Bool { durableFile == nil }

    // MARK: The steps

    mutating func record(_ intent: Intent, holding content: Content) {
        self.intent = intent
        unconcluded = nil
        contents[content.digest] = content
    }

    mutating func writeTemporary(_ content: Content, isDurable: Bool) {
        temporary = content
        isTemporaryDurable = isDurable
    }

    mutating func replaceFile() {
        guard let temporary else { return }
        durableFile = durableFile ?? file
        file = temporary
        self.temporary = nil
    }

    mutating func sync() { durableFile = nil }

    mutating func concludeIntent() {
        guard let intent else { return }
        versions += intent.files.flatMap(\.versions)
        unconcluded = intent
        self.intent = nil
    }

    mutating func dropIntent() {
        intent = nil
        unconcluded = nil
    }

    mutating func removeTemporary() { temporary = nil }

    mutating func adopt(_ version: Version) {
        versions.append(version)
        contents[file.digest] = file
        unconcluded = nil
    }

    mutating func setAside(_ content: Content) {
        quarantine.append(content)
        unconcluded = nil
    }

    /// Somebody's editor.
    mutating func edit(_ content: Content) {
        file = content
        durableFile = nil
    }

    // MARK: Power

    /// What was not made durable is lost. A temporary that was not becomes zeros, as a file system leaves it.
    mutating func losesPower() {
        if let durableFile { file = durableFile }
        durableFile = nil
        if let unconcluded {
            versions.removeLast(unconcluded.files.reduce(0) { $0 + $1.versions.count })
            intent = unconcluded
        }
        unconcluded = nil
        if let torn = temporary, !isTemporaryDurable {
            temporary = Content([UInt8](repeating: 0, count: torn.bytes.count))
        }
    }
}
