internal import CYAML

/// Why a file is not the YAML that Settings takes, and where.
struct YAMLError: Error, Hashable, Sendable {
    var mark: Mark
    var message: String
}

/// Reads the subset of YAML 1.1 that settings need: one document of mappings, lists and scalars. Anchors, aliases, merge
/// keys and tags are refused by name: a short file with aliases can stand for gigabytes, and a reader at 3 a.m. should see
/// each value where it is used. Nesting is bounded by `maximumDepth`, the file's size by its caller.
///
/// libyaml's event interface is used for its line and column marks; it holds no tree, so nothing grows before a bound is checked.
struct YAMLParser: ~Copyable {
    static let maximumDepth = 24

    private let parser: UnsafeMutablePointer<yaml_parser_t>

    /// The document in `bytes`, or nil where it holds none (an empty file, or comments only).
    static func parse(_ bytes: [UInt8]) throws(YAMLError) -> YAMLNode? {
        if let bad = firstLineNotUTF8(bytes) {
            throw YAMLError(mark: bad, message: "expected UTF-8 text, found a byte that is not")
        }
        // libyaml reads through a pointer that it keeps: the copy must outlive the parser, so it is held here by hand.
        let copy = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: max(bytes.count, 1))
        defer { copy.deallocate() }
        _ = copy.update(from: bytes)
        let parser = try YAMLParser(reading: UnsafeBufferPointer(rebasing: copy[..<bytes.count]))
        return try parser.document()
    }

    private init(reading bytes: UnsafeBufferPointer<UInt8>) throws(YAMLError) {
        parser = .allocate(capacity: 1)
        guard yaml_parser_initialize(parser) == 1 else {
            parser.deallocate()
            throw YAMLError(mark: Mark(line: 1, column: 1), message: "no memory to read it")
        }
        yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        yaml_parser_set_input_string(parser, bytes.baseAddress, bytes.count)
    }

    deinit {
        yaml_parser_delete(parser)
        parser.deallocate()
    }

    private func document() throws(YAMLError) -> YAMLNode? {
        var event = try next()
        guard event.kind == .streamStart else { throw event.unexpected }
        event = try next()
        if event.kind == .streamEnd { return nil }
        guard event.kind == .documentStart else { throw event.unexpected }
        let root = try node(from: try next(), depth: 0)
        event = try next()
        guard event.kind == .documentEnd else { throw event.unexpected }
        event = try next()
        guard event.kind == .streamEnd else {
            throw YAMLError(mark: event.mark, message: "expected one document in a file, found a second")
        }
        return root
    }

    private func node(from event: Event, depth: Int) throws(YAMLError) -> YAMLNode {
        guard depth < Self.maximumDepth else {
            throw YAMLError(mark: event.mark, message: "expected at most \(Self.maximumDepth) levels, found more")
        }
        if event.isAnchored {
            throw YAMLError(
                mark: event.mark, message: "anchors and aliases are not read: write the value where it is used")
        }
        if event.isTagged {
            throw YAMLError(mark: event.mark, message: "tags such as !!str are not read: quote a text instead")
        }
        switch event.kind {
        case .scalar(let text, let plain):
            return YAMLNode(content: .scalar(text, plain: plain), mark: event.mark)
        case .sequenceStart:
            return try sequence(from: event, depth: depth)
        case .mappingStart:
            return try mapping(from: event, depth: depth)
        case .streamStart, .streamEnd, .documentStart, .documentEnd, .sequenceEnd, .mappingEnd, .alias, .other:
            throw event.unexpected
        }
    }

    private func sequence(from start: Event, depth: Int) throws(YAMLError) -> YAMLNode {
        var items: [YAMLNode] = []
        while true {
            let event = try next()
            if event.kind == .sequenceEnd { return YAMLNode(content: .sequence(items), mark: start.mark) }
            items.append(try node(from: event, depth: depth + 1))
        }
    }

    private func mapping(from start: Event, depth: Int) throws(YAMLError) -> YAMLNode {
        var entries: [YAMLNode.Entry] = []
        while true {
            let event = try next()
            if event.kind == .mappingEnd { return YAMLNode(content: .mapping(entries), mark: start.mark) }
            let key = try node(from: event, depth: depth + 1)
            guard let text = key.text else {
                throw YAMLError(mark: key.mark, message: "expected a key of text, found \(key.description)")
            }
            if text == "<<" {
                throw YAMLError(
                    mark: key.mark, message: "merge keys are not read: write the values where they are used")
            }
            let value = try node(from: try next(), depth: depth + 1)
            entries.append(YAMLNode.Entry(key: text, keyMark: key.mark, value: value))
        }
    }

    /// The next event, copied out of libyaml's memory.
    private func next() throws(YAMLError) -> Event {
        var raw = yaml_event_t()
        guard yaml_parser_parse(parser, &raw) == 1 else { throw problem() }
        defer { yaml_event_delete(&raw) }
        return Event(raw)
    }

    private func problem() -> YAMLError {
        let state = parser.pointee
        let what = state.problem.map { String(cString: $0) } ?? "it is not YAML"
        let context = state.context.map { " (\(String(cString: $0)))" } ?? ""
        return YAMLError(mark: Mark(state.problem_mark), message: what + context)
    }

    /// The place of the first byte that is not UTF-8. libyaml says so too, but by its offset and not by its line.
    private static func firstLineNotUTF8(_ bytes: [UInt8]) -> Mark? {
        if String(validating: bytes, as: UTF8.self) != nil { return nil }
        var line = 1
        for piece in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            if String(validating: piece, as: UTF8.self) == nil { return Mark(line: line, column: 1) }
            line += 1
        }
        return Mark(line: 1, column: 1)
    }
}

/// One of libyaml's events as a value.
private struct Event {
    enum Kind: Hashable {
        case streamStart, streamEnd, documentStart, documentEnd
        case sequenceStart, sequenceEnd, mappingStart, mappingEnd
        case scalar(String, plain: Bool)
        case alias
        case other
    }

    let kind: Kind
    let mark: Mark
    let isAnchored: Bool
    let isTagged: Bool

    init(_ raw: yaml_event_t) {
        mark = Mark(raw.start_mark)
        var anchored = false
        var tagged = false
        switch raw.type {
        case YAML_STREAM_START_EVENT: kind = .streamStart
        case YAML_STREAM_END_EVENT: kind = .streamEnd
        case YAML_DOCUMENT_START_EVENT: kind = .documentStart
        case YAML_DOCUMENT_END_EVENT: kind = .documentEnd
        case YAML_SEQUENCE_START_EVENT:
            kind = .sequenceStart
            anchored = raw.data.sequence_start.anchor != nil
            tagged = raw.data.sequence_start.tag != nil
        case YAML_SEQUENCE_END_EVENT: kind = .sequenceEnd
        case YAML_MAPPING_START_EVENT:
            kind = .mappingStart
            anchored = raw.data.mapping_start.anchor != nil
            tagged = raw.data.mapping_start.tag != nil
        case YAML_MAPPING_END_EVENT: kind = .mappingEnd
        case YAML_SCALAR_EVENT:
            let scalar = raw.data.scalar
            let text = String(decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
            kind = .scalar(text, plain: scalar.style == YAML_PLAIN_SCALAR_STYLE)
            anchored = scalar.anchor != nil
            tagged = scalar.tag != nil
        case YAML_ALIAS_EVENT:
            kind = .alias
            anchored = true
        default: kind = .other
        }
        isAnchored = anchored
        isTagged = tagged
    }

    var unexpected: YAMLError {
        YAMLError(mark: mark, message: "expected a value, found something else")
    }
}

extension Mark {
    /// libyaml counts from 0, people and editors from 1.
    fileprivate init(_ raw: yaml_mark_t) {
        self.init(line: Int(raw.line) + 1, column: Int(raw.column) + 1)
    }
}
