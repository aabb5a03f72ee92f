/// A time in UTC by the Gregorian calendar, for PromQL's date functions: of every number, as Go's `time` has it.
struct CalendarDate {
    let year: Int64
    /// 1 to 12.
    let month: Int
    /// 1 to 31.
    let day: Int
    /// 0 is Sunday.
    let weekday: Int
    /// 1 to 366.
    let dayOfYear: Int
    let hour: Int
    let minute: Int
    let daysInMonth: Int

    /// Go counts from the first of January of this year, 365.2425 days a year, so that each of its times has a date. It is the
    /// first of 400 (1 modulo 400), and began on a Monday.
    private static let firstYear: Int64 = -292_277_022_399
    /// 1970 in seconds of that count.
    private static let epoch: Int64 = 9_223_372_028_715_321_600

    /// - Parameter unixSeconds: fractions are cut off. What no 64-bit integer holds, NaN too, counts as the least of them, as Go
    ///   converts it on x86-64.
    init(unixSeconds: Double) {
        let whole = Int64(exactly: unixSeconds.rounded(.towardZero)) ?? Int64.min
        let seconds = UInt64(bitPattern: whole &+ Self.epoch)
        var days = seconds / 86_400
        weekday = Int((days + 1) % 7)
        hour = Int(seconds % 86_400 / 3600)
        minute = Int(seconds % 3600 / 60)

        var years = days / 146_097 * 400
        days %= 146_097
        // The last of four centuries, and the last of four years, is a day longer.
        let centuries = min(days / 36_524, 3)
        days -= centuries * 36_524
        let leaps = days / 1461
        days -= leaps * 1461
        let single = min(days / 365, 3)
        days -= single * 365
        years += centuries * 100 + leaps * 4 + single
        year = Int64(years) + Self.firstYear
        dayOfYear = Int(days) + 1

        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        var (month, left) = (0, Int(days))
        while left >= Self.days(of: month, isLeap) {
            left -= Self.days(of: month, isLeap)
            month += 1
        }
        self.month = month + 1
        day = left + 1
        daysInMonth = Self.days(of: month, isLeap)
    }

    private static let daysOfMonths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

    private static func days(of month: Int, _ isLeap: Bool) -> Int {
        month == 1 && isLeap ? 29 : daysOfMonths[month]
    }

    func part(_ function: QueryFunction) -> Double {
        switch function {
        case .year: Double(year)
        case .month: Double(month)
        case .dayOfMonth: Double(day)
        case .dayOfWeek: Double(weekday)
        case .dayOfYear: Double(dayOfYear)
        case .daysInMonth: Double(daysInMonth)
        case .hour: Double(hour)
        case .minute: Double(minute)
        default: preconditionFailure("\(function.rawValue) is no part of a date")
        }
    }
}
