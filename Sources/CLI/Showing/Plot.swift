import MetricsAPI

/// A series drawn with Braille patterns (Unicode 2800-28FF): two columns and four rows of dots a character.
struct Plot {
    private let points: [Point]
    private let columns: Int
    private static let rows = 8
    /// Room for the figures on the left.
    private static let margin = 11

    /// `width` is the whole width in characters, figures included.
    init(_ points: [Point], width: Int) {
        self.points = points.filter(\.value.value.isFinite)
        columns = max(8, width - Plot.margin - 1)
    }

    /// The plot from top to bottom, with the scale on the left and the time below.
    var lines: [String] {
        guard let first = points.first, let last = points.last, let range = Self.range(points) else {
            return ["(no finite value)"]
        }
        let span = 0...Double(max(1, last.timeMs - first.timeMs))
        let places = points.map { point in
            (
                timeMs: point.timeMs,
                across: Self.place(Double(point.timeMs - first.timeMs), in: span, of: columns * 2),
                up: Self.place(point.value.value, in: range, of: Self.rows * 4)
            )
        }
        var dots = [[UInt8]](repeating: [UInt8](repeating: 0, count: columns), count: Self.rows)
        var before = places[0]
        for place in places {
            let isGap = place.timeMs - before.timeMs > longestJoinMs
            Self.join(isGap ? (place.across, place.up) : (before.across, before.up), (place.across, place.up)) {
                let down = Self.rows * 4 - 1 - $1
                dots[down / 4][$0 / 2] |= Self.dot(column: $0 % 2, row: down % 4)
            }
            before = place
        }
        var lines = dots.enumerated().map { row, cells in
            let label =
                switch row {
                case 0: Words.sample(range.upperBound)
                case Self.rows - 1: Words.sample(range.lowerBound)
                default: ""
                }
            let characters = cells.map { Character(Unicode.Scalar(UInt32(0x2800) + UInt32($0)) ?? " ") }
            return Self.padded(label) + "┤" + String(characters)
        }
        let start = Words.time(ms: first.timeMs)
        let end = Words.time(ms: last.timeMs)
        let gap = String(repeating: " ", count: max(1, columns - start.count - end.count))
        lines.append(Self.padded("") + " " + start + gap + end)
        return lines
    }

    /// Points further apart are not joined: a line across a gap would be made up. Three of the least distance.
    private var longestJoinMs: Int64 {
        let distances = zip(points, points.dropFirst()).map { $1.timeMs - $0.timeMs }
        return 3 * (distances.min() ?? 0)
    }

    /// Calls `mark` for the dots of a straight line between two.
    private static func join(_ from: (x: Int, y: Int), _ to: (x: Int, y: Int), mark: (Int, Int) -> Void) {
        let steps = max(abs(to.x - from.x), abs(to.y - from.y), 1)
        for step in 0...steps {
            mark(from.x + (to.x - from.x) * step / steps, from.y + (to.y - from.y) * step / steps)
        }
    }

    /// The series in one line of blocks: each the mean of its share of the time. Never wider than there are points.
    static func sparkline(_ points: [Point], width: Int) -> String {
        let finite = points.filter(\.value.value.isFinite)
        let width = min(width, points.count)
        guard let first = finite.first, let last = finite.last, let range = range(finite) else { return "" }
        var sums = [(total: Double, count: Int)](repeating: (0, 0), count: width)
        for point in finite {
            let at = place(
                Double(point.timeMs - first.timeMs), in: 0...Double(max(1, last.timeMs - first.timeMs)), of: width)
            sums[at].total += point.value.value
            sums[at].count += 1
        }
        let blocks = Array("▁▂▃▄▅▆▇█")
        return String(
            sums.map { sum in
                sum.count == 0 ? " " : blocks[place(sum.total / Double(sum.count), in: range, of: blocks.count)]
            })
    }

    /// The least and the most, never the same, so that a flat line has a place.
    private static func range(_ points: [Point]) -> ClosedRange<Double>? {
        guard let least = points.map(\.value.value).min(), let most = points.map(\.value.value).max() else {
            return nil
        }
        return least < most ? least...most : least...(least + max(1, least.magnitude))
    }

    /// The share of `range` at which `value` lies, as one of `count` places.
    private static func place(_ value: Double, in range: ClosedRange<Double>, of count: Int) -> Int {
        let share = (value - range.lowerBound) / (range.upperBound - range.lowerBound)
        guard share.isFinite else { return 0 }
        return min(count - 1, max(0, Int(share * Double(count))))
    }

    /// The bit of a dot in a Braille character, whose dots are numbered down the left column, then the right, with the
    /// lowest two added later.
    private static func dot(column: Int, row: Int) -> UInt8 {
        row == 3 ? 0x40 << UInt8(column) : 1 << UInt8(column * 3 + row)
    }

    private static func padded(_ label: String) -> String {
        String(repeating: " ", count: max(0, margin - 1 - label.count)) + label + " "
    }
}
