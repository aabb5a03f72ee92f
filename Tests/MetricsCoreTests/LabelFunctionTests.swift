import MetricsCore
import Testing

@Suite("PromQL: functions over labels")
struct LabelFunctionTests {
    private let samples = MemorySamples(["up{job=\"node-a\",instance=\"h1:9100\"}": "1", "down": "2"])

    private func replaced(_ destination: String, _ value: String, _ source: String, _ pattern: String) throws -> String
    {
        try samples.at(0, "label_replace(up, \"\(destination)\", \"\(value)\", \"\(source)\", \"\(pattern)\")")
            .joined(separator: "|")
    }

    @Test("label_replace writes what the groups of a whole match hold")
    func replacing() throws {
        let rest = "instance=\"h1:9100\",job=\"node-a\""
        #expect(try replaced("host", "$1", "instance", "(.*):(.*)") == "up{host=\"h1\",\(rest)} 1")
        #expect(try replaced("host", "${2}x-$1", "instance", "(.*):(.*)") == "up{host=\"9100x-h1\",\(rest)} 1")
        #expect(try replaced("host", "$0", "instance", "h.*") == "up{host=\"h1:9100\",\(rest)} 1")
        #expect(try replaced("host", "$port$$", "instance", ".*:(?P<port>.*)") == "up{host=\"9100$\",\(rest)} 1")
        #expect(try replaced("job", "$1", "job", "node-(a|b)") == "up{instance=\"h1:9100\",job=\"a\"} 1")
        // A source that is not there is empty, and so matches.
        #expect(try replaced("zone", "none", "zone", "") == "up{instance=\"h1:9100\",job=\"node-a\",zone=\"none\"} 1")
        #expect(try replaced("zone", "$1", "__name__", "(u).*") == "up{\(rest),zone=\"u\"} 1")
        #expect(try replaced("__name__", "down", "job", ".*") == "down{\(rest)} 1")
    }

    @Test("label_replace leaves a series whose value does not match as a whole, and takes a label away for nothing")
    func leaving() throws {
        let all = "up{instance=\"h1:9100\",job=\"node-a\"} 1"
        #expect(try replaced("host", "x", "instance", "h1") == all)
        #expect(try replaced("host", "x", "instance", "1:9100") == all)
        #expect(try replaced("host", "x", "zone", ".") == all)
        #expect(try replaced("job", "", "instance", ".*") == "up{instance=\"h1:9100\"} 1")
        #expect(try replaced("job", "$9", "instance", "(.*)") == "up{instance=\"h1:9100\"} 1")
        // The longest name is taken: a group called `1x` is not there.
        #expect(try replaced("job", "$1x", "instance", "(.*)") == "up{instance=\"h1:9100\"} 1")
        #expect(try replaced("__name__", "", "job", ".*") == "{instance=\"h1:9100\",job=\"node-a\"} 1")
    }

    @Test("A dollar that begins no name stays")
    func dollars() throws {
        let start = "up{host=\""
        let end = "\",instance=\"h1:9100\",job=\"node-a\"} 1"
        for text in ["$", "a$", "$-", "${1", "${", "${}", "$}", "${1-2}"] {
            #expect(try replaced("host", text, "instance", "(.*)") == start + text + end, "\(text)")
        }
        #expect(try replaced("host", "$$1", "instance", "(.*)") == start + "$1" + end)
    }

    @Test("label_replace refuses a wrong expression, a wrong name, and two series that become one")
    func refusing() throws {
        #expect(throws: QueryError(.data, "invalid regular expression in label_replace(): missing closing ): `(`")) {
            try replaced("a", "b", "c", "(")
        }
        #expect(throws: QueryError(.data, "invalid destination label name in label_replace(): a b")) {
            try replaced("a b", "b", "c", "")
        }
        #expect(throws: QueryError(.data, "invalid destination label name in label_replace(): ")) {
            try replaced("", "b", "c", "")
        }
        let two = MemorySamples(["a{b=\"1\"}": "1", "a{b=\"2\"}": "2"])
        #expect(throws: QueryError(.data, "vector cannot contain metrics with the same labelset: a")) {
            try two.at(0, "label_replace(a, \"b\", \"\", \"b\", \".*\")")
        }
    }

    @Test("label_join joins values in the order asked, missing ones as empty")
    func joining() throws {
        let rest = "instance=\"h1:9100\",job=\"node-a\""
        #expect(
            try samples.at(0, "label_join(up, \"all\", \"/\", \"job\", \"zone\", \"instance\", \"__name__\")")
                == ["up{all=\"node-a//h1:9100/up\",\(rest)} 1"])
        #expect(try samples.at(0, "label_join(up, \"job\", \"-\")") == ["up{instance=\"h1:9100\"} 1"])
        #expect(try samples.at(0, "label_join(up, \"__name__\", \"\", \"job\")").count == 1)
        #expect(throws: QueryError(.data, "invalid source label name in label_join(): a-b")) {
            try samples.at(0, "label_join(up, \"x\", \"\", \"job\", \"a-b\")")
        }
        #expect(throws: QueryError(.data, "invalid destination label name in label_join(): 9")) {
            try samples.at(0, "label_join(up, \"9\", \"\", \"job\")")
        }
    }

    @Test("Texts that are equal for a reader but not in their bytes are different labels")
    func bytes() throws {
        let one = Labels("up", [Label("city", "Orl\u{e9}ans")])
        let other = Labels("up", [Label("city", "Orle\u{301}ans")])
        #expect(one != other)
        let samples = MemorySamples([(one, [(0, 1)]), (other, [(0, 2)])])
        // By bytes, e (0x65) comes before é (0xc3).
        #expect(try samples.at(0, "up").map { $0.utf8.count } == [22, 21])
        #expect(try samples.at(0, "up{city=\"Orl\\u00e9ans\"}") == ["up{city=\"Orl\u{e9}ans\"} 1"])
        #expect(try samples.number(0, "up{city!=\"Orl\\u00e9ans\"}") == 2)
        #expect(try samples.number(0, "count(sum by (city) (up))") == 2)
        #expect(try samples.number(0, "count(up * on(city) up)") == 2)
        #expect(try samples.number(0, "count(up and up{city=\"Orl\\u00e9ans\"})") == 1)
        #expect(try samples.number(0, "count(count_values by (city) (\"x\", up * 0))") == 2)
    }

    @Test("absent names the labels that its selector sets to one value")
    func absence() throws {
        #expect(try samples.at(0, "absent(up)").isEmpty)
        #expect(try samples.at(0, "absent(none)") == ["{} 1"])
        #expect(try samples.at(0, "absent(none{a=\"b\",c!=\"d\",e=~\"f\",g=\"\"})") == ["{a=\"b\"} 1"])
        #expect(try samples.at(0, "absent(none{a=\"b\",a=\"c\",d=\"e\"})") == ["{d=\"e\"} 1"])
        #expect(try samples.at(0, "absent(none{a=\"b\",a=~\"b\"})") == ["{} 1"])
        #expect(try samples.at(0, "absent((none{a=\"b\"}))") == ["{a=\"b\"} 1"])
        #expect(try samples.at(0, "absent(sum(none{a=\"b\"}))") == ["{} 1"])
        #expect(try samples.at(0, "absent(-none{a=\"b\"})") == ["{} 1"])
        #expect(try samples.at(0, "absent({__name__=\"none\",a=\"b\"})") == ["{a=\"b\"} 1"])
        #expect(try samples.at(0, "absent(up > 5)") == ["{} 1"])
        #expect(try samples.at(0, "absent_over_time(none{a=\"b\"}[5m])") == ["{a=\"b\"} 1"])
        #expect(try samples.at(0, "absent_over_time(up[5m])").isEmpty)
        #expect(try samples.at(0, "absent_over_time(none{a=\"b\"}[5m:1m])") == ["{} 1"])
        let two = MemorySamples(["up{a=\"1\"}": "1 stale _ 4", "down{a=\"1\"}": "_ 2 stale"])
        #expect(try two.over(0...180, step: 60, "absent({a=\"1\"})") == ["{a=\"1\"} 1@120"])
        #expect(try two.over(0...180, step: 60, "absent(up)") == ["{} 1@60 1@120"])
        #expect(try two.over(0...180, step: 60, "absent_over_time({a=\"1\"}[30s])") == ["{a=\"1\"} 1@120"])
    }

    @Test("A matcher that sets a label after another one compared it names it all the same")
    func absenceAfterComparison() throws {
        #expect(try samples.at(0, "absent(none{a=~\"b\",a=\"b\"})") == ["{a=\"b\"} 1"])
    }
}
