/// What is left of a page's points, and of the bytes of one frame.
struct PageRoom: Hashable {
    /// What a page may take of a frame's 1 MiB, by a cautious estimate.
    static let mostBytes = 700_000
    /// `[1700000000000,"0.12345678901234567"],` and a little.
    private static let bytesPerPoint = 42

    private var pointsLeft: Int
    private var bytesLeft = PageRoom.mostBytes
    private var isFirst = true

    init(points: Int) {
        pointsLeft = points
    }

    private static func size(_ labels: Labels) -> Int { labels.description.utf8.count + 64 }

    /// How many points of a series there is room for. A page's first series has a point, however long its labels: a cursor that
    /// did not move would be followed for ever.
    func points(of labels: Labels) -> Int {
        min(pointsLeft, max((bytesLeft - Self.size(labels)) / Self.bytesPerPoint, isFirst ? 1 : 0))
    }

    /// The page has these points of a series.
    mutating func take(_ count: Int, of labels: Labels) {
        pointsLeft -= count
        bytesLeft -= Self.size(labels) + count * Self.bytesPerPoint
        isFirst = false
    }
}
