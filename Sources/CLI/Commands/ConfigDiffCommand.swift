import ArgumentParser
import ConfigAPI
import Time
import Wire

extension ConfigCommand {
    /// `config diff SERVICE [FROM [TO]]`
    struct Diff: DaemonCommand {
        static let configuration = CommandConfiguration(
            abstract: "What changed from one version to another; by default what the last change did.",
            discussion: """
                Secrets are shown as fingerprints, by which equal values look equal; --reveal shows them to the group \
                mainstay-admin. FROM 0 is the empty file.
                """)

        @OptionGroup var target: Target
        @Argument(help: "The earlier version; the one before TO where not given.")
        var from: Int64?
        @Argument(help: "The later version; the one in force where not given.")
        var to: Int64?
        @Flag(help: "Show secrets as they are.")
        var reveal = false
        @Option(name: [.customShort("U"), .long], help: "Unchanged lines around changed ones.")
        var context: Int64 = 3
        @OptionGroup var common: AskOptions

        func validate() throws {
            guard (0...1000).contains(context) else { throw ValidationError("--context takes 0 to 1000") }
        }

        func answer(on screen: Screen) async throws -> Outcome {
            let params = Config.Diff.Params(
                target: target.target, from: from, to: to, context: context, reveal: reveal)
            let reply = try await conversation(with: .configd).ask(Config.Diff.self, params, longest: .seconds(10))
            screen.show(common.json ? [JSONWriter.text(of: reply.json)] : reply.lines(on: screen))
            return .good
        }
    }
}

extension ConfigDifference {
    /// As `diff -u`, and below it what it cannot say.
    func lines(on screen: Screen) -> [String] {
        guard !changes.isEmpty || !hunks.isEmpty else { return [] }
        var lines = [
            screen.paint("--- \(file)  \(from == 0 ? "(empty)" : "v\(from)")".printable, .heading),
            screen.paint("+++ \(file)  \(to.map { "v\($0)" } ?? "(dry run)")".printable, .heading),
        ]
        for hunk in hunks {
            let head = "@@ -\(hunk.fromLine),\(hunk.fromLines) +\(hunk.toLine),\(hunk.toLines) @@"
            lines.append(screen.paint(head, .dim))
            lines += hunk.lines.map { $0.line(on: screen) }
        }
        if hidden {
            lines += changes.map { $0.line(on: screen) }
            lines.append(
                screen.paint("the values of \(file) are for root and the group mainstay-admin".printable, .dim))
        }
        for change in changes where !change.otherwise.isEmpty {
            let readers = change.otherwise.joined(separator: ", ")
            let note = "\(change.key): so to \(change.reader); another change, or none, to \(readers)"
            lines.append(screen.paint(note.printable, .warning))
        }
        if cut { lines.append(screen.paint("and more, which does not fit into one answer", .warning)) }
        return lines
    }
}

extension ConfigKeyChange {
    fileprivate func line(on screen: Screen) -> String {
        let sums = [beforeFingerprint, afterFingerprint].map { $0.map { String($0.prefix(16)) } ?? "not set" }
        let style: Style =
            switch kind {
            case .added: .good
            case .removed: .bad
            case .changed: .plain
            }
        return screen.paint("\(kind.rawValue) \(key): \(sums.joined(separator: " -> "))".printable, style)
    }
}

extension ConfigValue {
    /// A line of a hunk. What is not UTF-8 is shown as well as it can be.
    fileprivate func line(on screen: Screen) -> String {
        let text = String(decoding: content, as: UTF8.self).printable
        return switch text.utf8.first {
        case UInt8(ascii: "+"): screen.paint(text, .good)
        case UInt8(ascii: "-"): screen.paint(text, .bad)
        case UInt8(ascii: "\\"): screen.paint(text, .dim)
        default: text
        }
    }
}
