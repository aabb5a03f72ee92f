import ConfigAPI
import ConfigCore
import Testing
import Time
import Wire

/// Bundles: what was written is read, and nothing else is.
@Suite struct BundleTests {
    private static let header = BundleHeader(host: "gw1", atMs: 1_764_057_600_123)
    private static let contents: [[UInt8]] = [
        Array("A=1\n".utf8), Array("A=2\nPEM=\"é\nx\"\n".utf8), [], [0xFF, 0x00, 0x0A],
    ]
    /// Over two parts.
    private static let large = (0..<BundlePart.mostBytes + 7).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    /// A bundle of which every byte can be tried.
    private static let small = bundle(Array(contents.prefix(2)), files: ["/etc/gateway/.env"])

    private static func records(_ contents: [[UInt8]]) -> [ConfigRecord] {
        var version: Version?
        return contents.map { content in
            let next = Version(
                Version.Draft(
                    origin: .set, content: Digest(of: content), sizeBytes: Int64(content.count), keys: ["A", "é\n"],
                    at: WallTime(milliseconds: 1000), authorUID: 1000, reason: "a \"reason\"",
                    identity: FileIdentity(uid: 1, gid: 2, mode: 0o640)), after: version)
            version = next
            return next.record
        }
    }

    private static func file(_ path: String, newest: Int) -> Config.Backup.File {
        Config.Backup.File(
            service: "gateway", file: path, format: .env, newest: Int64(newest),
            tags: [ConfigTag(name: "stable", version: 2, atMs: 5, authorUID: 0)])
    }

    /// Two files with the same contents, and one that never was there.
    private static func bundle(
        _ contents: [[UInt8]] = contents, files: [String] = ["/etc/gateway/.env", "/etc/gateway/other"]
    ) -> [UInt8] {
        var writer = BundleWriter()
        var bytes = writer.header(header)
        for path in files {
            bytes += writer.file(file(path, newest: contents.count))
            for (record, content) in zip(records(contents), contents) {
                bytes += writer.content(content)
                bytes += writer.version(BundledVersion(record))
            }
        }
        bytes += writer.file(Config.Backup.File(service: "gateway", file: "/x", format: .whole, newest: 0))
        return bytes + writer.end()
    }

    private static func read(
        _ bytes: [UInt8], piece: Int = 64 << 10
    ) throws(RPCError) -> [BundleReader.Event] {
        var reader = BundleReader()
        var events: [BundleReader.Event] = []
        for start in stride(from: 0, to: bytes.count, by: piece) {
            events += try reader.take(Array(bytes[start..<min(start + piece, bytes.count)]))
        }
        try reader.finish()
        return events
    }

    private static func refusal(_ bytes: [UInt8]) -> RPCError? {
        do throws(RPCError) {
            _ = try read(bytes)
            return nil
        } catch { return error }
    }

    private static func index(_ bytes: [UInt8], _ goal: BundleIndex.Goal = .newest) throws -> BundleIndex {
        var index = BundleIndex(goal)
        for event in try read(bytes) { index.take(event) }
        return index
    }

    @Test func whatWasWrittenIsReadInPiecesOfAnySize() throws {
        let all = Self.contents + [Self.large]
        let bytes = Self.bundle(all)
        let whole = try Self.read(bytes)
        var contents: [Digest: [UInt8]] = [:]
        for case .part(let part) in whole { contents[part.content, default: []] += part.bytes.content }
        #expect(contents == Dictionary(all.map { (Digest(of: $0), $0) }) { $1 })
        let versions = whole.compactMap { event -> ConfigRecord? in
            guard case .version(let version, flaws: []) = event else { return nil }
            return version.record
        }
        #expect(versions == Self.records(all) + Self.records(all))
        #expect(whole.first == .header(Self.header))
        #expect(try Self.read(bytes, piece: 4097) == whole)
        #expect(try Self.read(Self.small, piece: 1) == Self.read(Self.small))
    }

    @Test func aByteThatWasChangedAnywhereIsFound() {
        #expect(Self.refusal(Self.small) == nil)
        for place in Self.small.indices {
            var damaged = Self.small
            // What changes a letter's case is the change that a reader is likeliest to overlook.
            damaged[place] ^= [0x20, 0x01, 0x80][place % 3]
            #expect(Self.refusal(damaged) != nil, "byte \(place)")
        }
        // The last line is not under the sum.
        let end = Self.small.dropLast().lastIndex(of: 0x0A) ?? 0
        for place in Self.small.indices[end...] {
            for flip in 0..<8 {
                var damaged = Self.small
                damaged[place] ^= 1 << flip
                #expect(Self.refusal(damaged) != nil, "byte \(place), bit \(flip)")
            }
        }
    }

    @Test func aBundleThatWasCutOrLostALineIsFound() {
        let bytes = Self.bundle()
        for end in stride(from: bytes.count - 1, to: bytes.count - 200, by: -1) {
            #expect(Self.refusal(Array(bytes[..<end])) != nil, "cut at \(end)")
        }
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map { $0 + [0x0A] }
        for place in lines.indices.dropLast() {
            var fewer = lines
            fewer.remove(at: place)
            #expect(Self.refusal(Array(fewer.dropLast().joined())) != nil, "without line \(place + 1)")
            var twice = lines
            twice.insert(lines[place], at: place)
            #expect(Self.refusal(Array(twice.dropLast().joined())) != nil, "with line \(place + 1) twice")
            let cut = Array(lines[..<place].joined())
            #expect(Self.refusal(cut)?.name == (place == 0 ? "bundleUnknown" : "bundleCut"))
        }
        #expect(Self.refusal(bytes + [0x0A])?.name == "bundleDamaged")
        #expect(Self.refusal(bytes + bytes)?.name == "bundleDamaged")
    }

    @Test func whatIsNoBundleOrANewerOneIsSaid() {
        #expect(Self.refusal(Array("A=1\n".utf8))?.name == "bundleUnknown")
        var text = Self.small
        let place = Array("\"version\":".utf8)
        let at = text.indices.first { text[$0...].starts(with: place) } ?? 0
        text[at + place.count] = UInt8(ascii: "2")
        let refusal = Self.refusal(text)
        #expect(refusal?.name == "bundleUnknown")
        #expect(refusal?.message.contains("expected 1, found 2") == true)
        #expect(Self.refusal([UInt8](repeating: 0x20, count: BundleLine.longestBytes + 1))?.name == "bundleDamaged")
    }

    @Test func randomBytesAndRandomLinesAreRefusedAndNeverTrap() {
        var random = SeededRandom(seed: 20_261_124)
        let lines = Self.bundle().split(separator: UInt8(ascii: "\n"))
        for _ in 0..<2000 {
            var bytes: [UInt8] = []
            for _ in 0..<Int.random(in: 0..<9, using: &random) {
                if let line = lines.randomElement(using: &random) { bytes += line }
                if Bool.random(using: &random) { bytes.append(UInt8.random(in: .min ... .max, using: &random)) }
                bytes.append(0x0A)
            }
            #expect(Self.refusal(bytes) != nil)
        }
    }

    @Test func theVersionThatIsMeantIsFound() throws {
        let bytes = Self.bundle()
        #expect(try Self.index(bytes).files.map { $0.meant?.record.number } == [4, 4, nil])
        #expect(try Self.index(bytes, .version(3)).files.map { $0.meant?.record.number } == [3, 3, nil])
        #expect(try Self.index(bytes, .tag("stable")).files.map { $0.meant?.record.number } == [2, 2, nil])
        #expect(try Self.index(bytes, .tag("other")).files.allSatisfy { $0.meant == nil })
        #expect(try Self.index(bytes).isFlawless)
    }

    @Test func whatWasWrongWhereItWasMadeIsToldAndDoesNotSpoilTheRest() throws {
        let records = Self.records(Array(Self.contents.prefix(4)))
        var writer = BundleWriter()
        var bytes = writer.header(Self.header) + writer.file(Self.file("/a", newest: 4))
        bytes += writer.content(Self.contents[0]) + writer.version(BundledVersion(records[0]))
        bytes += writer.version(BundledVersion(records[1], isLost: true))
        // Version 3 is gone.
        bytes += writer.content(Self.contents[3]) + writer.version(BundledVersion(records[3]))
        bytes += writer.file(Self.file("/b", newest: 4))
        var forged = records[3]
        forged.reason = "other"
        bytes += writer.version(BundledVersion(forged, isAfterGap: true))
        bytes += writer.file(Self.file("/c", newest: 2)) + writer.version(BundledVersion(records[0])) + writer.end()
        let index = try Self.index(bytes)
        #expect(!index.isFlawless)
        #expect(index.files[0].flaws.map(\.kind) == [.contentDamaged, .versionsMissing])
        #expect(index.files[0].flaws.map(\.version) == [2, 3])
        #expect(index.files[1].flaws.map(\.kind) == [.recordDamaged])
        #expect(index.files[2].flaws.map(\.kind) == [.versionsMissing])
    }

    @Test func aRecordThatWasPutInAnothersPlaceBreaksTheChain() {
        let records = Self.records(Array(Self.contents.prefix(3)))
        let others = Self.records(Array(Self.contents.prefix(3).reversed()))
        var check = ChainCheck()
        #expect(check.take(records[0], isAfterGap: false).isEmpty)
        #expect(check.take(others[1], isAfterGap: false).map(\.kind) == [.chainBroken])
        check = ChainCheck(after: records[1])
        #expect(check.take(records[2], isAfterGap: false).isEmpty)
        check = ChainCheck()
        #expect(check.take(records[2], isAfterGap: true).isEmpty)
    }
}
