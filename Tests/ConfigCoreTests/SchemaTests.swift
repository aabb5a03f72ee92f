import ConfigAPI
import ConfigCore
import Testing

@Suite struct SchemaTests {
    private static func view(_ values: [String: String], reader: String = "systemd") -> Schema.View {
        Schema.View(reader: reader, values: values.mapValues { .text(Samples.bytes($0)) })
    }

    private static func key(_ kind: Schema.Kind = .string, _ change: (inout Schema.Key) -> Void = { _ in })
        -> Schema.Key
    {
        var key = Schema.Key()
        key.kind = kind
        change(&key)
        return key
    }

    private static func clauses(_ schema: Schema, _ values: [String: String]) -> [String] {
        schema.violations(in: [view(values)]).map { "\($0.keys.joined(separator: ",")): \($0.clause.rawValue)" }
    }

    @Test(arguments: [
        (
            Schema.Kind.integer, ["0", "-7", "007", "9223372036854775807"],
            ["+1", "1.0", "0x1", " 1", "1 ", "one", "-", "9223372036854775808"]
        ),
        (.number, ["1", "-0.5", "1e3", ".5"], ["nan", "inf", "1,5", "0x1p3", "--1", "1e999"]),
        (.boolean, ["true", "False", "YES", "0", "on"], ["2", "tru", "enabled"]),
        (
            .url,
            ["http://h", "postgres://u:p@h:5432/db?x#y", "https://[::1]:80/", "file:///etc/x", "mongodb://a:1,b:2/x"],
            [
                "h:80", "http://", "http:///x", "http://h:0", "http://h:99999", "http://a b", "1http://h", "://h",
                "http://:80",
            ]
        ),
        (
            .duration, ["500ms", "30s", "1h30min", "7d", "0s", "10m"],
            ["30", "s", "1.5s", "1 s", "-1s", "99999999999999w"]
        ),
        (.bytes, ["0", "65536", "64KiB", "10MB", "1G"], ["1 KiB", "KiB", "-1", "1.5G", "1kib", "9999999999999T"]),
        (.path, ["/", "/etc/x", "/a//b"], ["etc", "./x", "/a/../b", "~"]),
        (.port, ["1", "65535"], ["0", "65536", "http"]),
        (.string, ["anything", "\u{0}"], []),
    ])
    func everyKindTakesItsOwn(_ kind: Schema.Kind, _ good: [String], _ bad: [String]) {
        let schema = Schema(keys: ["K": Self.key(kind)])
        for value in good { #expect(Self.clauses(schema, ["K": value]) == [], "\(kind) takes \(value)") }
        for value in bad { #expect(Self.clauses(schema, ["K": value]) == ["K: type"], "\(kind) refuses \(value)") }
        #expect(Self.clauses(schema, ["K": ""]) == [], "an empty value counts as not set")
    }

    @Test func rangesLengthsValuesAndPatterns() {
        let schema = Schema(keys: [
            "A": Self.key(.integer) { ($0.minimum, $0.maximum) = (.whole(1), .whole(10)) },
            "B": Self.key(.duration) { $0.maximum = .whole(60_000_000) },
            "C": Self.key { ($0.minimumLength, $0.maximumLength) = (2, 3) },
            "D": Self.key { $0.values = ["info", "debug"] },
            "E": Self.key { $0.pattern = Schema.PatternTest("x+") { $0.allSatisfy { $0 == UInt8(ascii: "x") } } },
        ])
        #expect(Self.clauses(schema, ["A": "1", "B": "1min", "C": "ab", "D": "info", "E": "xx"]) == [])
        #expect(
            Self.clauses(schema, ["A": "0", "B": "61s", "C": "a", "D": "warn", "E": "xy"]) == [
                "A: minimum", "B: maximum", "C: minimumLength", "D: enum", "E: pattern",
            ])
        #expect(Self.clauses(schema, ["A": "11", "C": "abcd"]) == ["A: maximum", "C: maximumLength"])
        #expect(Self.clauses(schema, ["A": "x"]) == ["A: type"], "who writes no number is not told of its range")
        let tooLong = schema.violations(in: [Self.view(["B": "1h"])])
        #expect(tooLong.map(\.expected) == ["at most 1min"])
    }

    @Test func requiredAndOtherKeys() {
        let schema = Schema(
            keys: ["A": Self.key { $0.isRequired = true }, "B": Self.key(.integer) { $0.isRequired = true }],
            takesOthers: false)
        #expect(Self.clauses(schema, ["A": "x", "B": "1"]) == [])
        #expect(Self.clauses(schema, ["A": "", "C": "1"]) == ["A: required", "B: required", "C: others"])
        let depends = Schema.View(reader: "sh", values: ["A": .depends(Samples.bytes("$X")), "B": .depends([])])
        #expect(schema.violations(in: [depends]).isEmpty, "what the environment decides cannot be judged")
    }

    @Test(arguments: [
        (["TLS": "on"], ["CERT,TLS: requires"]), (["TLS": "on", "CERT": "c"], []), (["TLS": "off"], []),
        (["TLS": "on", "CERT": ""], ["CERT,TLS: requires"]), (["SOCKET": "s", "PORT": "1"], ["PORT,SOCKET: excludes"]),
        (["MIN": "5", "MAX": "5"], ["MIN,MAX: less"]), (["MIN": "5", "MAX": "6"], []), (["MIN": "5"], []),
        (["MIN": "x", "MAX": "1"], ["MIN: type"]), (["LOW": "2s", "HIGH": "1s"], ["LOW,HIGH: atMost"]),
        (["LOW": "1000ms", "HIGH": "1s"], []),
    ])
    func rulesOverKeys(_ values: [String: String], _ expected: [String]) {
        let schema = Schema(
            keys: [
                "MIN": Self.key(.integer), "MAX": Self.key(.integer), "LOW": Self.key(.duration),
                "HIGH": Self.key(.duration),
            ],
            rules: [
                .init(when: "TLS", equals: ["on", "strict"], demand: .requires(["CERT"])),
                .init(when: "SOCKET", demand: .excludes(["PORT"])), .init(demand: .less(["MIN", "MAX"])),
                .init(demand: .atMost(["LOW", "HIGH"])),
            ])
        #expect(Self.clauses(schema, values) == expected)
    }

    @Test func exactlyOneOfSeveral() {
        let schema = Schema(rules: [.init(demand: .oneOf(["A", "B", "C"]))])
        #expect(Self.clauses(schema, ["B": "1"]) == [])
        #expect(Self.clauses(schema, [:]) == ["A,B,C: oneOf"])
        #expect(Self.clauses(schema, ["A": "1", "C": "1"]) == ["A,C,B: oneOf"])
    }

    @Test func readersThatReadOtherwiseAreNamed() {
        let schema = Schema(keys: ["A": Self.key(.integer)])
        let found = schema.violations(in: [
            Self.view(["A": "1"], reader: "node-dotenv"), Self.view(["A": "1 # note"], reader: "systemd"),
        ])
        #expect(found.map(\.readers) == [["systemd"]])
        #expect(found.map(\.isToAll) == [false])
        #expect(schema.violations(in: [Self.view(["A": "x"])]).map(\.isToAll) == [true])
    }

    @Test func onlyNewOrTouchedViolationsRefuse() {
        let schema = Schema(
            keys: [
                "A": Self.key(.integer), "B": Self.key(.integer), "C": Self.key { $0.isRequired = true },
                "MIN": Self.key(.integer), "MAX": Self.key(.integer),
            ], rules: [.init(demand: .less(["MIN", "MAX"]))])
        let wrong = ["A": "x", "B": "y", "MIN": "9", "MAX": "1"]
        func refused(_ change: [String: String]) -> [String] {
            let new = wrong.merging(change) { $1 }
            return schema.refused(from: [Self.view(wrong)], to: [Self.view(new)]).map { $0.keys[0] }
        }
        #expect(refused(["A": "1"]) == [], "what mends part of it is taken, whatever else is wrong")
        #expect(refused(["OTHER": "1"]) == [])
        #expect(refused(["A": "z"]) == ["A"], "what is touched must be right afterwards")
        #expect(refused(["MAX": "2"]) == ["MIN"], "a rule over keys is touched by each of them")
        #expect(refused(["MAX": "10"]) == [])
        #expect(refused(["C": ""]) == ["C"])
        #expect(schema.refused(from: [Self.view([:])], to: [Self.view(wrong)]).count == 3, "C was missing before")
    }
}

@Suite struct SchemaOfJSONTests {
    @Test func aSchemaJudgesJSONByPointers() {
        let file = Samples.bytes(
            "{\n \"db\": {\"pool\": \"10\", \"url\": null},\n \"ports\": [80, 70000], \"on\": true, \"x\": {}\n}")
        let format = FileFormat.json(.usual)
        var schema = Schema(keys: [:], rules: [.init(demand: .less(["/ports/0", "/db/pool"]))])
        for (pointer, kind) in [
            ("/db/pool", Schema.Kind.integer), ("/ports/0", .port), ("/ports/1", .port), ("/on", .boolean),
        ] {
            schema.keys[pointer] = Schema.Key()
            schema.keys[pointer]?.kind = kind
        }
        schema.keys["/db/url"] = Schema.Key()
        schema.keys["/db/url"]?.isRequired = true
        let found = schema.violations(in: format.views(of: format.read(file)))
        #expect(
            found.map { "\($0.keys[0]) \($0.clause.rawValue)" } == [
                "/db/url required", "/ports/1 type", "/ports/0 less",
            ])
        #expect(format.lines(of: ["/ports/1", "/db/pool"], in: file) == ["/ports/1": 3, "/db/pool": 2])
        #expect(format.views(of: format.read(Samples.bytes("{"))) == [Schema.View(reader: "json", values: [:])])
    }
}
