import Glibc

/// How far a long command has come: one line on standard error that is written over, where that is a terminal, and nothing
/// elsewhere.
struct Progress {
    private let isShown = isatty(2) == 1
    private var shown = 0

    /// Says how far it has come.
    mutating func show(_ text: String) {
        guard isShown else { return }
        let text = text.printable
        let blank = String(repeating: " ", count: max(0, shown - text.count))
        StandardError.write("\r\(text)\(blank)")
        shown = text.count
    }

    /// Takes the line away.
    mutating func clear() {
        guard isShown, shown > 0 else { return }
        StandardError.write("\r\(String(repeating: " ", count: shown))\r")
        shown = 0
    }
}
