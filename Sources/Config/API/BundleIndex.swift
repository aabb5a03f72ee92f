/// What a bundle holds, gathered while it is read: a few figures a file, and the one version of each that is asked for.
package struct BundleIndex: Sendable {
    /// Which version of each file is meant.
    package enum Goal: Hashable, Sendable {
        case newest
        case version(Int64)
        case tag(String)
    }

    /// One file of the bundle.
    package struct File: Sendable {
        package var declared: Config.Backup.File
        package var versions: Int64 = 0
        /// Of the contents of its versions, each counted.
        package var bytes: Int64 = 0
        package var first: ConfigRecord?
        package var last: ConfigRecord?
        /// The version that is meant; nil where the file has none such.
        package var meant: BundledVersion?
        /// What was wrong where the bundle was made: the first 1,000.
        package var flaws: [ConfigFlaw] = []
        package var flawed: Int64 = 0
    }

    private static let mostFlaws = 1000

    private let goal: Goal
    package private(set) var header = BundleHeader(host: "", atMs: 0)
    package private(set) var files: [File] = []
    package private(set) var end = BundleEnd()

    package init(_ goal: Goal = .newest) {
        self.goal = goal
    }

    /// Whether nothing was wrong where the bundle was made.
    package var isFlawless: Bool { files.allSatisfy { $0.flawed == 0 } }

    /// Takes what was read.
    package mutating func take(_ event: BundleReader.Event) {
        switch event {
        case .header(let header): self.header = header
        case .file(let file):
            fileEnded()
            files.append(File(declared: file))
        case .part: break
        case .version(let version, let flaws): take(version, flaws)
        case .end(let end):
            fileEnded()
            self.end = end
        }
    }

    /// The newest versions could not be told where the bundle was made: their records are damaged.
    private mutating func fileEnded() {
        guard let file = files.last, case let newest = file.declared.newest, case let last = file.last?.number ?? 0,
            last < newest
        else { return }
        note([.versionsMissing(from: last + 1, to: newest)])
    }

    private mutating func note(_ flaws: [ConfigFlaw]) {
        guard let place = files.indices.last else { return }
        files[place].flawed += Int64(flaws.count)
        files[place].flaws += flaws.prefix(Self.mostFlaws - files[place].flaws.count)
    }

    private mutating func take(_ version: BundledVersion, _ flaws: [ConfigFlaw]) {
        guard let place = files.indices.last else { return }
        let record = version.record
        files[place].versions += 1
        files[place].bytes += record.sizeBytes
        if files[place].first == nil { files[place].first = record }
        files[place].last = record
        let isMeant =
            switch goal {
            case .newest: true
            case .version(let number): record.number == number
            case .tag(let name):
                files[place].declared.tags.contains { $0.name == name && $0.version == record.number }
            }
        if isMeant { files[place].meant = version }
        note(flaws)
    }
}
