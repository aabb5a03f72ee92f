import Foundation
import MetricsAPI
import Testing
import Wire

@testable import mainstay

@Suite struct TableTests {
    private let plain = Screen(width: nil, isColoured: false)

    @Test("Columns are as wide as their widest field, and numbers end at the same place")
    func columns() {
        var table = Table("NAME", ">PID", "SAYS")
        table.add("configd", "7", "fine")
        table.add("a", "12345", "also fine")
        #expect(
            table.lines(on: plain) == [
                "NAME       PID  SAYS",
                "configd      7  fine",
                "a        12345  also fine",
            ])
    }

    @Test("On a terminal a row stays a line: its last field is cut at the edge")
    func cut() {
        var table = Table("NAME", "SAYS")
        table.add("configd", "the file is missing")
        let lines = table.lines(on: Screen(width: 16, isColoured: false))
        #expect(lines.last == "configd  the fi…")
        #expect(lines.last?.count == 16)
    }

    @Test("Colour changes no width, and without colour there is no escape sequence")
    func colour() {
        var table = Table("STATE", "PID")
        table.add(Cell("running", .good), "1")
        let coloured = table.lines(on: Screen(width: 80, isColoured: true))
        #expect(coloured.last == "\u{1B}[32mrunning\u{1B}[0m  1")
        #expect(table.lines(on: plain).last == "running  1")
    }

    @Test("A text that came from outside cannot steer the terminal")
    func escapes() {
        #expect(Cell("ok\u{1B}[2J\u{7}\u{9B}31m\u{202E}").text == "ok␛[2J␇\u{FFFD}31m\u{FFFD}")
        #expect("plain text, ünd mehr".printable == "plain text, ünd mehr")
    }
}

@Suite struct WordsTests {
    @Test(
        "A length of time is told in its two largest units",
        arguments: [
            (-5, "0 ms"), (850, "850 ms"), (3249, "3.2 s"), (59_999, "59 s"), (61_000, "1 min 1 s"),
            (720_000, "12 min"), (11_100_000, "3 h 5 min"), (187_200_000, "2 d 4 h"), (86_400_000, "1 d"),
        ] as [(Int64, String)])
    func lengths(ms: Int64, text: String) {
        #expect(Words.length(ms: ms) == text)
    }

    @Test("A size is told in the largest binary unit of which there is one")
    func sizes() {
        #expect(Words.bytes(812) == "812 B")
        #expect(Words.bytes(67_318_579) == "64.2 MiB")
        #expect(Words.bytes(Int64.max) == "8388608.0 TiB")
    }

    @Test("A sample keeps five figures, and what is no number says so")
    func samples() {
        #expect(Words.sample(0.012345) == "0.012345")
        #expect(Words.sample(12_345_678) == "1.2346e+07")
        #expect(Words.sample(.nan) == "NaN")
        #expect(Words.sample(-.infinity) == "-Inf")
    }
}

@Suite struct PlotTests {
    private func series(_ values: [Double]) -> [Point] {
        values.enumerated().map { Point(timeMs: Int64($0.offset) * 1000, value: $0.element) }
    }

    @Test("A sparkline rises where the values rise, and a gap stays empty")
    func sparkline() {
        #expect(Plot.sparkline(series([0, 1, 2, 3, 4, 5, 6, 7]), width: 8) == "▁▂▃▄▅▆▇█")
        #expect(Plot.sparkline(series([0, .nan, 7]), width: 3) == "▁ █")
        #expect(Plot.sparkline([], width: 8) == "")
    }

    @Test("A plot has its highest value at the top and its lowest at the bottom")
    func plot() {
        let lines = Plot(series([1, 9]), width: 24).lines
        #expect(lines.first?.hasPrefix("         9 ┤⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⡠⠊") ?? false, "\(lines)")
        #expect(lines[7].hasPrefix("         1 ┤⡔⠁⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀"), "\(lines)")
        #expect(lines.count == 9)
    }

    @Test("A gap in the values is a gap in the plot")
    func gap() {
        let points = [0, 1, 2, 60, 61, 62].map { Point(timeMs: $0 * 1000, value: 1) }
        let row = Plot(points, width: 44).lines[7].drop { $0 != "┤" }.dropFirst()
        #expect(row.contains { $0 == "\u{2800}" }, "\(row)")
        #expect(row.first != "\u{2800}" && row.last != "\u{2800}", "\(row)")
    }

    @Test("A flat series, one point and no finite value are drawn as well")
    func degenerate() {
        #expect(Plot(series([5, 5, 5]), width: 24).lines.count == 9)
        #expect(Plot(series([5]), width: 24).lines.count == 9)
        #expect(Plot(series([.nan]), width: 24).lines == ["(no finite value)"])
    }
}

@Suite struct ArgumentTests {
    @Test("A value comes from the command line, a file or standard input, as its first letter says")
    func assignments() {
        #expect(Assignment(argument: "A=b=c")?.source == .commandLine("b=c"))
        #expect(Assignment(argument: "A=")?.source == .commandLine(""))
        #expect(Assignment(argument: "A=-")?.source == .standardInput)
        #expect(Assignment(argument: "A=@/run/secret")?.source == .file("/run/secret"))
        #expect(Assignment(argument: "A") == nil)
        #expect(Assignment(argument: "=b") == nil)
    }

    @Test("JSON that fits stands on one line; what does not is laid out")
    func json() throws {
        let json = try JSONReader.read(#"{"a":[1,2],"b":{"c":"dddddddddddddddddddd"}}"#)
        #expect(json.laidOut(within: 80) == #"{"a":[1,2],"b":{"c":"dddddddddddddddddddd"}}"#)
        #expect(
            json.laidOut(within: 30) == "{\n  \"a\": [1,2],\n  \"b\": {\n    \"c\": \"dddddddddddddddddddd\"\n  }\n}")
    }

    @Test("The exit codes are those of the contract")
    func codes() {
        #expect(Outcome.allCases.map(\.rawValue) == [0, 1, 2, 3, 64])
        #expect(Outcome(.peerSilent("healthd", "")) == .silent)
        #expect(Outcome(.unknownService("x")) == .refused)
    }

    @Test("Protocols/README.md lists the exit codes as the command does")
    func documentedCodes() throws {
        let readme = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "Protocols/README.md")
        let text = try String(contentsOf: readme, encoding: .utf8)
        let rows = Outcome.allCases.map { "| \($0.rawValue) | \($0.meaning) |" }
        #expect(text.contains("| code | what it says |\n|---|---|\n" + rows.joined(separator: "\n") + "\n\n"))
    }
}
