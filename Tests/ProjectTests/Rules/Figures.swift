/// README.md shows measured figures only in tables under a marker, which names their report and says what the labels mean there:
///
///     <!-- report: faults
///     endless loop = 1s loop
///     median = recoverMedianS
///     -->
///     | fault | median |
///     |---|---|
///     | endless loop | 1.894 |
///
/// A figure of the table is the one of the report to which the labels of its row and of its column lead (`Report.Figure`), and the
/// table's corner, where the marker gives that a meaning. A label to which the marker gives none means itself.
enum Figures {
    /// `report` answers the text of a report by its name.
    static func violations(_ page: String, report: (String) -> String?) -> [Violation] {
        tables(page).flatMap { table -> [Violation] in
            guard let source = table.source else { return unmarked(table) }
            guard let found = report(source.name).flatMap(Report.init) else {
                return [violation(source.line, "no report Tests/Reports/\(source.name).json")]
            }
            return table.rows.dropFirst().flatMap { violations($0, under: table.rows[0], source, found) }
        }
    }

    private struct Table {
        /// What the marker above it says.
        var source: Source?
        /// The first names the columns.
        var rows: [Row]
    }

    private struct Row {
        /// From 1.
        var line: Int
        var cells: [String]
    }

    private struct Source {
        var line: Int
        var name: String
        var meanings: [String: String] = [:]
    }

    private static func unmarked(_ table: Table) -> [Violation] {
        table.rows.flatMap { row in
            row.cells.dropFirst().flatMap { numbers($0) }.map {
                violation(row.line, "\($0.text) in a table without <!-- report: NAME -->")
            }
        }
    }

    private static func violations(
        _ row: Row, under header: Row, _ source: Source, _ report: Report
    ) -> [Violation] {
        guard row.cells.count == header.cells.count else {
            return [violation(row.line, "\(row.cells.count) cells under \(header.cells.count) columns")]
        }
        let place = [source.meanings[header.cells[0]], source.meanings[row.cells[0]] ?? row.cells[0]].compactMap(\.self)
        return zip(header.cells, row.cells).dropFirst().flatMap { label, cell -> [Violation] in
            let terms = place + [source.meanings[label] ?? label]
            return numbers(cell).compactMap { number in
                complaint(number, terms, report).map { violation(row.line, "\($0) in the report \(source.name)") }
            }
        }
    }

    /// What is wrong with a figure that the terms lead to; nil where nothing is.
    private static func complaint(_ number: Number, _ terms: [String], _ report: Report) -> String? {
        let meant = report.figures.filter { figure in terms.allSatisfy(figure.isNamed) }.map(\.value)
        let place = terms.joined(separator: ", ")
        if meant.isEmpty { return "\(number.text): there is no figure of \(place)" }
        if meant.allSatisfy({ rounded($0, like: number) == number.value }) { return nil }
        return "\(number.text): \(place) is \(meant.map { "\($0)" }.joined(separator: ", "))"
    }

    // MARK: The page

    private static func tables(_ page: String) -> [Table] {
        var tables: [Table] = []
        var source: Source?
        var isCode = false
        var isMarker = false
        var isTable = false
        for (index, line) in page.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let isRow = line.hasPrefix("|") && !isCode && !isMarker
            isTable = isTable && isRow
            if line.hasPrefix("```") { isCode.toggle() }
            if isCode { continue }
            if isMarker {
                if let said = meaning(line) { source?.meanings[said.label] = said.meaning }
                isMarker = !line.hasSuffix("-->")
            } else if line.hasPrefix("<!-- report: ") {
                let name = line.split(separator: " ").dropFirst(2).first ?? ""
                source = Source(line: index + 1, name: String(name))
                isMarker = !line.hasSuffix("-->")
            } else if isRow {
                let cells = line.split(separator: "|", omittingEmptySubsequences: false).dropFirst().dropLast()
                if cells.allSatisfy({ $0.allSatisfy { "-: ".contains($0) } }) { continue }
                if !isTable { tables.append(Table(source: source, rows: [])) }
                isTable = true
                tables[tables.count - 1].rows.append(Row(line: index + 1, cells: cells.map { String($0.trimmed) }))
            } else if !line.trimmed.isEmpty {
                source = nil
            }
        }
        return tables
    }

    /// `LABEL = MEANING`
    private static func meaning(_ line: Substring) -> (label: String, meaning: String)? {
        guard let equals = line.firstRange(of: " = ") else { return nil }
        return (String(line[..<equals.lowerBound].trimmed), String(line[equals.upperBound...].trimmed))
    }

    // MARK: Numbers

    private struct Number {
        var text: String
        var value: Double
        /// Digits behind the point.
        var places: Int
    }

    /// Numbers that stand alone: `3.5`, `-3.5` and `11,000`, not the 1 in `p1`, and not the 2 in `1-2` as -2.
    private static func numbers(_ text: String) -> [Number] {
        let bytes = Array(text.utf8)
        var found: [Number] = []
        var position = 0
        while position < bytes.count {
            let isDigit = (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[position])
            let isAlone =
                position == 0 || !(bytes[position - 1].isIdentifier || bytes[position - 1] == UInt8(ascii: "."))
            guard isDigit && isAlone else {
                position += 1
                continue
            }
            var end = position
            while end < bytes.count, isNumeral(bytes[end]) { end += 1 }
            while bytes[end - 1] == UInt8(ascii: ".") || bytes[end - 1] == UInt8(ascii: ",") { end -= 1 }
            let start = isSigned(bytes, at: position) ? position - 1 : position
            let shown = String(decoding: bytes[start..<end], as: UTF8.self)
            let plain = shown.split(separator: ",").joined()
            if let value = Double(plain) {
                let places = plain.split(separator: ".", maxSplits: 1).dropFirst().first?.count ?? 0
                found.append(Number(text: shown, value: value, places: places))
            }
            position = end
        }
        return found
    }

    private static func isSigned(_ bytes: [UInt8], at position: Int) -> Bool {
        guard position > 0, bytes[position - 1] == UInt8(ascii: "-") else { return false }
        return position == 1 || bytes[position - 2] == UInt8(ascii: " ")
    }

    private static func isNumeral(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: ".") || byte == UInt8(ascii: ",")
    }

    private static func rounded(_ value: Double, like number: Number) -> Double {
        var scale = 1.0
        for _ in 0..<number.places { scale *= 10 }
        return (value * scale).rounded() / scale
    }

    private static func violation(_ line: Int, _ message: String) -> Violation {
        Violation(path: "README.md", line: line, message: message)
    }
}
