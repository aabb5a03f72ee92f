package import Wire

/// Reads a bundle that comes in pieces of any size, and refuses one in which a byte was changed, added or left out. What it
/// keeps is bounded by the number of contents, not by their size.
///
/// A fault of the file is thrown: nothing of such a bundle is to be used. What was wrong already where the bundle was made,
/// a broken chain or a lost content, comes as a flaw beside the version, as the rest of the bundle is good.
package struct BundleReader: Sendable {
    /// What was read.
    package enum Event: Hashable, Sendable {
        case header(BundleHeader)
        case file(Config.Backup.File)
        case part(BundlePart)
        case version(BundledVersion, flaws: [ConfigFlaw])
        /// Everything was there, and the sum is right.
        case end(BundleEnd)
    }

    /// A content that is not all there yet.
    private struct Open {
        var part: BundlePart
        var sum = SHA256()
        var bytes: Int64 = 0
    }

    private var rest: [UInt8] = []
    private var lines: Int64 = 0
    private var sum = SHA256()
    private var held = BundleEnd()
    /// The bytes of each content by its digest.
    private var contents: [Digest: Int64] = [:]
    private var open: Open?
    private var files: Set<[String]> = []
    private var newest: Int64?
    private var chain = ChainCheck()
    private var hasHeader = false
    private var isEnded = false

    package init() {}

    /// Takes the next piece, and answers what its whole lines are.
    package mutating func take(_ piece: [UInt8]) throws(RPCError) -> [Event] {
        var events: [Event] = []
        var start = 0
        while let end = piece[start...].firstIndex(of: UInt8(ascii: "\n")) {
            rest += piece[start...end]
            start = end + 1
            events.append(try line())
            rest.removeAll(keepingCapacity: true)
        }
        rest += piece[start...]
        guard rest.count <= BundleLine.longestBytes else { throw damaged("it is longer than any line of a bundle") }
        return events
    }

    /// Says that nothing more comes.
    package func finish() throws(RPCError) {
        guard hasHeader || lines > 0 || !rest.isEmpty else { throw ConfigErrors.bundleUnknown("it is empty") }
        guard isEnded else { throw ConfigErrors.bundleCut(lines: lines) }
        guard rest.isEmpty else { throw damaged("it stands after the end") }
    }

    private func damaged(_ why: String) -> RPCError {
        ConfigErrors.bundleDamaged(line: max(1, rest.isEmpty ? lines : lines + 1), why: why)
    }

    /// Takes the line that `rest` holds, its end included.
    private mutating func line() throws(RPCError) -> Event {
        guard !isEnded else { throw damaged("it stands after the end") }
        guard rest.count <= BundleLine.longestBytes else { throw damaged("it is longer than any line of a bundle") }
        let line: BundleLine
        do throws(WireError) {
            line = try BundleLine(wire: JSONReader.read(Array(rest.dropLast())), unknown: .refused)
        } catch {
            throw hasHeader ? damaged("\(error)") : ConfigErrors.bundleUnknown("\(error)")
        }
        // Our writer has one spelling of everything, so that what was altered and still says the same is found as well.
        guard BundleWriter.bytes(of: line) == rest else {
            throw hasHeader ? damaged("it is not spelt as it was written") : ConfigErrors.bundleUnknown("line 1")
        }
        let event = try event(line)
        lines += 1
        if !isEnded { sum.update(rest) }
        return event
    }

    private mutating func event(_ line: BundleLine) throws(RPCError) -> Event {
        if case .header(let header) = line {
            guard !hasHeader else { throw damaged("it is a second first line") }
            hasHeader = true
            return .header(header)
        }
        guard hasHeader else { throw ConfigErrors.bundleUnknown("it has no first line") }
        if let open, open.bytes < open.part.sizeBytes {
            guard case .part = line else { throw damaged("a content ends before its last byte") }
        }
        switch line {
        case .header: throw damaged("it is a second first line")
        case .file(let file): return try begun(file)
        case .part(let part): return try took(part)
        case .version(let version): return try took(version)
        case .end(let end): return try ended(end)
        }
    }

    private mutating func begun(_ file: Config.Backup.File) throws(RPCError) -> Event {
        guard files.insert([file.service, file.file]).inserted else { throw damaged("a file comes twice") }
        held.files += 1
        newest = 0
        chain = ChainCheck()
        return .file(file)
    }

    private mutating func took(_ part: BundlePart) throws(RPCError) -> Event {
        var content = Open(part: part)
        if let open, open.bytes < open.part.sizeBytes {
            content = open
        } else {
            guard contents[part.content] == nil else { throw damaged("a content comes twice") }
            held.contents += 1
        }
        guard part.content == content.part.content, part.sizeBytes == content.part.sizeBytes,
            part.offset == content.bytes
        else { throw damaged("a content does not go on where it ended") }
        let bytes = part.bytes.content
        content.sum.update(bytes)
        content.bytes += Int64(bytes.count)
        guard content.bytes <= part.sizeBytes, !bytes.isEmpty || part.sizeBytes == 0 else {
            throw damaged("a content has another size than it says")
        }
        held.bytes += Int64(bytes.count)
        if content.bytes == part.sizeBytes {
            var sum = content.sum
            guard sum.finish() == part.content else { throw damaged("a content is not what its sum says") }
            contents[part.content] = part.sizeBytes
        }
        open = content
        return .part(part)
    }

    private mutating func took(_ version: BundledVersion) throws(RPCError) -> Event {
        let record = version.record
        guard let newest else { throw damaged("a version of no file") }
        guard record.number > newest else { throw damaged("versions are not in their order") }
        self.newest = record.number
        held.versions += 1
        var flaws = chain.take(record, isAfterGap: version.isAfterGap)
        if version.isLost {
            flaws.append(.contentLost(record.number, isGone: false))
        } else {
            guard let size = contents[record.content] else { throw damaged("the content of a version is not there") }
            if size != record.sizeBytes { flaws.append(.contentLost(record.number, isGone: false)) }
        }
        return .version(version, flaws: flaws)
    }

    private mutating func ended(_ end: BundleEnd) throws(RPCError) -> Event {
        var expected = held
        expected.sum = sum.finish()
        guard end.sum == expected.sum else {
            throw ConfigErrors.bundleDamaged(
                line: lines + 1, why: "the sum over the lines before it is not what it says")
        }
        guard end == expected else { throw damaged("it counts other lines than there are") }
        isEnded = true
        return .end(end)
    }
}
