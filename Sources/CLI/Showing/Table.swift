/// One field of a table.
struct Cell: ExpressibleByStringInterpolation {
    var text: String
    var style: Style

    init(_ text: String, _ style: Style = .plain) {
        // Texts come from daemons and, through checks, from anywhere: no escape sequence may reach the terminal.
        self.text = text.printable
        self.style = style
    }

    init(stringLiteral value: String) { self.init(value) }

    /// What stands where there is nothing to say.
    static let none = Cell("-", .dim)
}

/// Rows in columns, each as wide as its widest field. On a terminal the last column is cut at the edge, so that a row is
/// a line.
struct Table {
    enum Alignment {
        case left
        case right
    }

    private let titles: [String]
    private let alignments: [Alignment]
    private var rows: [[Cell]] = []
    private static let gap = "  "

    /// Columns by their titles; one that begins with `>` is aligned to the right.
    init(_ titles: String...) {
        alignments = titles.map { $0.hasPrefix(">") ? .right : .left }
        self.titles = titles.map { $0.hasPrefix(">") ? String($0.dropFirst()) : $0 }
    }

    var isEmpty: Bool { rows.isEmpty }

    /// Adds a row with a field for each column.
    mutating func add(_ cells: Cell...) {
        precondition(cells.count == titles.count, "a row has a field for each column")
        rows.append(cells)
    }

    /// The table's lines, headings first.
    func lines(on screen: Screen) -> [String] {
        let all = [titles.map { Cell($0, .heading) }] + rows
        let widths = titles.indices.map { column in all.map { $0[column].text.count }.max() ?? 0 }
        return all.map { row in line(row, widths, on: screen) }
    }

    private func line(_ row: [Cell], _ widths: [Int], on screen: Screen) -> String {
        var line = ""
        var used = 0
        for (column, cell) in row.enumerated() {
            let isLast = column == row.count - 1
            var text = cell.text
            if isLast, let width = screen.width, used + text.count > width, width > used + 1 {
                text = text.prefix(width - used - 1) + "…"
            }
            let padding = String(repeating: " ", count: max(0, widths[column] - text.count))
            let painted = screen.paint(text, cell.style)
            switch alignments[column] {
            case .left: line += painted + (isLast ? "" : padding + Table.gap)
            case .right: line += padding + painted + (isLast ? "" : Table.gap)
            }
            used += widths[column] + Table.gap.count
        }
        while line.hasSuffix(" ") { line.removeLast() }
        return line
    }
}

/// `name  value` lines, for everything about one thing.
struct Particulars {
    private var entries: [(name: String, value: Cell)] = []

    /// Adds a line; nothing where there is no value.
    mutating func add(_ name: String, _ value: Cell?) {
        if let value { entries.append((name, value)) }
    }

    mutating func add(_ name: String, _ value: String?) { add(name, value.map { Cell($0) }) }

    func lines(on screen: Screen) -> [String] {
        let width = entries.map(\.name.count).max() ?? 0
        return entries.map { name, value in
            let padding = String(repeating: " ", count: width - name.count)
            return screen.paint(name, .dim) + padding + "  " + screen.paint(value.text, value.style)
        }
    }
}
