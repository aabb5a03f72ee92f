/// The journal's catalogue is where message ids are settled; the sources hold them as `static let NAME = MessageID("HEX")`.
enum Catalogue {
    /// Names to ids, from the lines `# mainstay-id: NAME` and `-- HEX`.
    static func ids(_ catalogue: String) -> [String: String] {
        var ids: [String: String] = [:]
        var name: Substring?
        for line in catalogue.split(separator: "\n") {
            if line.hasPrefix("# mainstay-id: ") { name = line.dropFirst("# mainstay-id: ".count).trimmed }
            if line.hasPrefix("-- "), let found = name {
                ids[String(found)] = String(line.dropFirst(3).trimmed)
                name = nil
            }
        }
        return ids
    }

    /// Every id of the sources stands in the catalogue under the same name.
    static func violations(_ catalogue: String, sources: [SwiftSource]) -> [Violation] {
        let ids = ids(catalogue)
        return sources.flatMap { source in
            source.textLines.enumerated().compactMap { index, line in
                guard let constant = constant(line) else { return nil }
                guard ids[constant.name] != constant.hex else { return nil }
                let expected = ids[constant.name].map { "\($0) there" } ?? "not there"
                let message = "message id \(constant.name) is \(expected): systemd/mainstay.catalog decides"
                return Violation(path: source.path, line: index + 1, message: message)
            }
        }
    }

    /// Names of the catalogue that no source holds: entries that are never written.
    static func unused(_ catalogue: String, sources: [SwiftSource]) -> [String] {
        let used = Set(sources.flatMap { $0.textLines.compactMap { constant($0)?.name } })
        return ids(catalogue).keys.filter { !used.contains($0) }.sorted()
    }

    private static func constant(_ line: Substring) -> (name: String, hex: String)? {
        let parts = line.split(separator: "MessageID(\"", maxSplits: 1)
        guard parts.count == 2,
            let name = parts[0].split(whereSeparator: { " =:".contains($0) }).last(where: { $0 != "MessageID" })
        else { return nil }
        let hex = parts[1].prefix { $0 != "\"" }
        return hex.count == 32 ? (String(name), String(hex)) : nil
    }
}

/// The settings: a knob that nothing reads is worse than one that is missing, for whoever sets it believes in it.
enum Knobs {
    /// The properties of the settings' structs that no source outside of Settings names.
    static func unread(settings: [SwiftSource], others: [SwiftSource]) -> [String] {
        let knobs = settings.flatMap(names)
        return knobs.filter { knob in !others.contains { $0.codeLines.contains { $0.holds(".\(knob)") } } }
    }

    private static func names(_ source: SwiftSource) -> [String] {
        source.codeLines.compactMap { line in
            guard line.trimmed.hasPrefix("package var "), !line.hasSuffix("{") else { return nil }
            return String(line.trimmed.dropFirst("package var ".count).prefix { $0 != ":" && $0 != " " })
        }
    }
}

/// ACCEPTANCE.md: every criterion by its id, with the test or report that shows it, or *not yet*.
enum Acceptance {
    static let ids: [String] =
        numbered("R1", 5) + numbered("R2", 5) + numbered("R3", 5) + numbered("R4", 5) + numbered("R5", 5)
        + numbered("R6", 5) + numbered("R7", 5) + numbered("R8", 5) + (1...4).map { "C\($0)" }
        + (1...4).map { "W\($0)" }
        + (1...4).map { "L\($0)" } + (1...2).map { "T\($0)" } + (1...18).map { "I\($0)" }

    private static func numbered(_ prefix: String, _ count: Int) -> [String] {
        (1...count).map { "\(prefix).\($0)" }
    }

    /// Each id begins exactly one row `| ID | … |`, whose last cell says *not yet* or names files that exist, in backticks.
    static func violations(_ page: String, exists: (String) -> Bool) -> [Violation] {
        var found: [Violation] = []
        var rows: [String: Int] = [:]
        for (index, line) in page.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            guard line.hasPrefix("|") else { continue }
            let cells = line.split(separator: "|").map(\.trimmed)
            guard let id = cells.first.map(String.init), ids.contains(id), let shown = cells.last else { continue }
            if rows[id] != nil { found.append(violation(index + 1, "\(id) has a second row")) }
            rows[id] = index + 1
            let files = shown.split(separator: "`", omittingEmptySubsequences: false).enumerated()
                .filter { $0.offset % 2 == 1 && $0.element.contains("/") }.map {
                    String($0.element.prefix { $0 != " " })
                }
            for file in files where !exists(file) {
                found.append(violation(index + 1, "\(id) names \(file), which is not there"))
            }
            if files.isEmpty && !shown.contains("not yet") {
                found.append(violation(index + 1, "\(id) names neither a file nor *not yet*"))
            }
        }
        for id in ids where rows[id] == nil { found.append(violation(0, "\(id) has no row")) }
        return found
    }

    private static func violation(_ line: Int, _ message: String) -> Violation {
        Violation(path: "ACCEPTANCE.md", line: line, message: message)
    }
}
