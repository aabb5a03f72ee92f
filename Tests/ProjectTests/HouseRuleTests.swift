import Testing

/// The project's root, found from this file.
let project = ProjectFolder(root: "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/"))

@Suite struct HouseRuleTests {
    static let files = project.swiftFiles()

    @Test func `the project's sources are found`() {
        #expect(Self.files.count > 100)
        #expect(Self.files.contains { $0.path == "Sources/Shared/Time/Instant.swift" })
        #expect(Self.files.contains { $0.path == "Tests/ProjectTests/HouseRuleTests.swift" })
    }

    @Test(arguments: Rule.all.map(\.name))
    func `the project keeps the rule`(name: String) throws {
        let rule = try #require(Rule.all.first { $0.name == name })
        let violations = Self.files.flatMap(rule.check)
        #expect(violations.isEmpty, "\(violations.map(\.description).joined(separator: "\n"))")
    }
}

/// A rule that nothing can break is no rule: each is shown a file that breaks it, and one that comes close and does not.
@Suite struct PlantedViolationTests {
    private func lines(_ rule: Rule, _ path: String, _ text: String) -> [Int] {
        rule.check(SwiftSource(path: path, text: text)).map(\.line)
    }

    @Test func `each rule has its planted violation here`() {
        let planted: [String: [Int]] = [
            Rule.walls.name: lines(.walls, "Sources/Extra/File.swift", ""),
            Rule.imports.name: lines(.imports, "Sources/Health/Core/File.swift", "import Glibc"),
            Rule.bannedCalls.name: lines(.bannedCalls, "Sources/Health/Daemon/File.swift", "sleep(1)"),
            Rule.coresArePure.name: lines(.coresArePure, "Sources/Health/Core/File.swift", "let a = ContinuousClock()"),
            Rule.coresListTheirStates.name: lines(
                .coresListTheirStates, "Sources/Health/Core/File.swift",
                "switch state {\ncase .up: a()\ndefault: b()\n}"),
            Rule.functionLength.name: lines(
                .functionLength, "Sources/CLI/File.swift", "func f() {" + String(repeating: "\n", count: 69) + "}"),
            Rule.noForce.name: lines(.noForce, "Sources/CLI/File.swift", "let a = b!"),
            Rule.noPublic.name: lines(.noPublic, "Sources/CLI/File.swift", "public struct A {}"),
            Rule.fileNames.name: lines(.fileNames, "Sources/CLI/ServiceManager.swift", ""),
            Rule.documented.name: lines(.documented, "Sources/CLI/File.swift", "package struct A {}"),
            Rule.thinMain.name: lines(.thinMain, "Sources/Health/Main/main.swift", String(repeating: "\n", count: 30)),
            Rule.noLeftovers.name: lines(.noLeftovers, "Sources/CLI/File.swift", "// TODO: all of it"),
        ]
        #expect(Set(planted.keys) == Set(Rule.all.map(\.name)))
        for (name, found) in planted { #expect(found.count == 1, "\(name): \(found)") }
    }

    @Test(arguments: [
        ("Sources/Shared/Wire/A.swift", "import Time"), ("Sources/Shared/Time/A.swift", "import Glibc"),
        ("Sources/Health/API/A.swift", "package import ConfigAPI"), ("Sources/Health/Core/A.swift", "import Runtime"),
        ("Sources/Health/Core/A.swift", "import WatchdogAPI"), ("Sources/Config/Core/A.swift", "import MetricsAPI"),
        ("Sources/Config/Daemon/A.swift", "import HealthAPI"), ("Sources/Watchdog/Daemon/A.swift", "import HealthCore"),
        ("Sources/CLI/A.swift", "import HealthCore"), ("Sources/Simulation/Kit/A.swift", "import HealthDaemon"),
        ("Sources/Metrics/Daemon/A.swift", "import Foundation"),
        ("Sources/Metrics/Daemon/A.swift", "import FoundationEssentials"),
        ("Sources/Metrics/Daemon/A.swift", "@preconcurrency import Dispatch"),
        ("Sources/Config/Daemon/A.swift", "internal import struct Foundation.Date"),
        ("Sources/Config/Daemon/A.swift", "import CSQLite"), ("Sources/Shared/Store/A.swift", "import Runtime"),
        ("Sources/Config/Main/main.swift", "import Runtime"), ("Sources/CLI/A.swift", "@testable import Wire"),
    ])
    func `a broken wall is found`(path: String, line: String) {
        #expect(lines(.imports, path, "// a comment\n\n\(line)\n") == [3])
    }

    @Test(arguments: [
        ("Sources/Health/Core/A.swift", "package import MetricsAPI"), ("Sources/Health/API/A.swift", "import Wire"),
        ("Sources/Watchdog/Daemon/A.swift", "import HealthAPI"),
        ("Sources/Shared/Store/A.swift", "internal import CSQLite"),
        ("Sources/CLI/A.swift", "// import Foundation"), ("Sources/CLI/A.swift", "let text = \"import Foundation\""),
        ("Sources/CLI/A.swift", "let text = \"\"\"\n    import Foundation\n    \"\"\""),
        ("Sources/CLI/A.swift", "/* /* import HealthCore */ import HealthCore */"),
    ])
    func `an open door is no broken wall`(path: String, text: String) {
        #expect(lines(.imports, path, text) == [])
    }

    @Test(arguments: [
        "usleep(5)", "try await Task.sleep(for: .seconds(1))", "let s = DispatchSemaphore(value: 0)",
        "try future.wait()",
        "sqlite3_step(handle)", "sd_bus_call(bus, message, 0, nil, &reply)", "sd_bus_unref(bus)",
        "yaml_parser_parse(a, b)",
        "let r = try Regex(\"(a+)+b\")", "getaddrinfo(a, b, c, d)", "getpwnam(name)", "system(\"ls\")", "popen(a, b)",
        "print(\"hello\")", "let text = \"\\(try future.wait())\"",
    ])
    func `a banned call is found`(line: String) {
        #expect(lines(.bannedCalls, "Sources/Config/Daemon/A.swift", line).isEmpty == false)
    }

    @Test(arguments: [
        "// sleep(1)", "let a = \"sleep(1) sqlite3_step\"", "fingerprint(a)", "oversleep(1)", "loop.await()",
        "mysqlite3_open()",
        "filesystem(a)", "let RegexLike = 1", "debugprint(a)", "`sleep(1)`()",
    ])
    func `a word that only resembles one is not`(line: String) {
        #expect(lines(.bannedCalls, "Sources/Config/Daemon/A.swift", line) == [])
    }

    @Test func `a library may be called in its own room, and a blocking bus call in none`() {
        #expect(lines(.bannedCalls, "Sources/Shared/Store/A.swift", "sqlite3_step(handle)") == [])
        #expect(lines(.bannedCalls, "Sources/Shared/Systemd/A.swift", "sd_bus_unref(bus)") == [])
        #expect(lines(.bannedCalls, "Sources/Shared/Systemd/A.swift", "sd_bus_call(bus)") == [1])
    }

    @Test(arguments: [
        "let a = clock_gettime(b, c)", "let a = Int.random(in: 0..<9)", "list.shuffled()", "Task { }", "await other()",
        "final class Machine {}", "actor Machine {}", "func f() async {}",
    ])
    func `a core that is not pure is found`(line: String) {
        #expect(lines(.coresArePure, "Sources/Watchdog/Core/A.swift", line) == [1])
        #expect(lines(.coresArePure, "Sources/Watchdog/Daemon/A.swift", line) == [])
    }

    @Test func `a seeded random number and a state called classified are pure`() {
        let text = "let a = Int.random(in: 0..<9, using: &random)\nlet classified = taskCount"
        #expect(lines(.coresArePure, "Sources/Watchdog/Core/A.swift", text) == [])
    }

    @Test func `default is allowed over texts, numbers and events, not over states`() {
        let core = "Sources/Watchdog/Core/A.swift"
        #expect(lines(.coresListTheirStates, core, "switch text {\ncase \"a\": f()\ndefault: g()\n}") == [])
        #expect(
            lines(.coresListTheirStates, core, "switch (phase, b) {\ncase (.up, .down): f()\ndefault: g()\n}") == [3])
        #expect(lines(.coresListTheirStates, core, "switch self {\ncase .up: f()\ndefault: g()\n}") == [3])
        #expect(lines(.coresListTheirStates, core, "switch event {\ncase .died: f()\ndefault: g()\n}") == [])
        #expect(lines(.coresListTheirStates, core, "switch next {\ncase .some(0x30): f()\ndefault: g()\n}") == [])
        let nested = "switch text {\ndefault:\n    switch state {\n    case .up: f()\n    case .down: g()\n    }\n}"
        #expect(lines(.coresListTheirStates, core, nested) == [])
    }

    @Test func `a function's length is counted from its first line to its closing brace`() {
        let body = { (count: Int) in String(repeating: "    a()\n", count: count) }
        let path = "Sources/CLI/A.swift"
        #expect(lines(.functionLength, path, "struct A {\nfunc f() {\n\(body(67))}\n}") == [])
        #expect(lines(.functionLength, path, "struct A {\nfunc f() {\n\(body(68))}\n}") == [2])
        #expect(lines(.functionLength, path, "init(\n    a: Int = { 1 }()\n) {\n\(body(68))}") == [1])
        #expect(
            lines(.functionLength, path, "protocol P {\n    func f()\n    func g()\n}\nstruct A {\n\(body(90))}") == [])
        #expect(lines(.functionLength, path, "func f() {\n    let a = \"{\"\n    // {\n}\n\(body(90))") == [])
        #expect(lines(.functionLength, path, "let a = b.init(c)\nlet d = [e {\n\(body(90))}]") == [])
    }

    @Test(arguments: ["let a = b!.c", "f(x)!", "a[1]!", "let a: Int!", "try! f()", "a as! B", "x = y! + 1"])
    func `a forced value is found`(line: String) {
        #expect(lines(.noForce, "Sources/CLI/A.swift", line) == [1])
    }

    @Test(arguments: ["if a != b {}", "if !a {}", "let a = \"b!\"", "f(!a)", "// a!", "try? f()", "a as? B"])
    func `a negation is not forced`(line: String) {
        #expect(lines(.noForce, "Sources/CLI/A.swift", line) == [])
    }

    @Test func `open is a word of access before class and func, and a call elsewhere`() {
        #expect(lines(.noPublic, "Sources/CLI/A.swift", "open class A {}") == [1])
        #expect(lines(.noPublic, "Sources/CLI/A.swift", "let a = open(path, O_RDONLY)") == [])
        #expect(lines(.noPublic, "Sources/CLI/A.swift", "package struct A {}") == [])
    }

    @Test(arguments: [
        "Sources/CLI/Utils/A.swift", "Sources/CLI/StringHelpers.swift", "Sources/CLI/Common.swift",
        "Tests/X/Misc.swift",
    ])
    func `an empty name is found`(path: String) {
        #expect(lines(.fileNames, path, "") == [0])
    }

    @Test(arguments: ["Sources/CLI/Commonly.swift", "Sources/CLI/Managed.swift", "Sources/CLI/A+Reading.swift"])
    func `a name that says something is not`(path: String) {
        #expect(lines(.fileNames, path, "") == [])
    }

    @Test(arguments: [
        "package func f() {}", "package static func f() {}", "    package mutating func f() {}",
        "package static let a = 1",
        "package final class A {}", "package protocol P {}", "package enum E {}", "@Loop package final class A {}",
        "// a plain comment\npackage struct A {}", "/// A comment.\n\npackage struct A {}",
    ])
    func `a declaration without a doc comment is found`(text: String) {
        #expect(lines(.documented, "Sources/CLI/A.swift", text).count == 1)
    }

    @Test(arguments: [
        "/// A.\npackage struct A {}", "/// A.\n@Loop\npackage final class A {}", "struct A {}", "package init() {}",
        "package var a: Int", "package static func < (left: A, right: A) -> Bool { true }", "package import Wire",
        "package func hash(into hasher: inout Hasher) {}", "private func package() {}",
    ])
    func `a documented or self-explaining declaration is not`(text: String) {
        #expect(lines(.documented, "Sources/CLI/A.swift", text) == [])
    }

    @Test func `a second file beside main is found`() {
        #expect(lines(.thinMain, "Sources/Health/Main/Other.swift", "") == [0])
        #expect(lines(.thinMain, "Sources/Health/Main/main.swift", "import HealthDaemon\n") == [])
    }
}
