import Testing

@Suite struct CatalogueTests {
    private static let catalogue = """
        # mainstay-id: daemonStarted
        -- 772837f25d3340bc88f5ef4d25e6ede5
        Subject: x

        # mainstay-id: daemonStopping
        -- 861a5510d73146748b430eadaa78f4d8
        """
    private static let right = "static let daemonStarted = MessageID(\"772837f25d3340bc88f5ef4d25e6ede5\")"

    private func violations(_ line: String) -> [Int] {
        Catalogue.violations(Self.catalogue, sources: [SwiftSource(path: "Sources/A.swift", text: "\n\(line)")]).map(
            \.line)
    }

    @Test func `the ids of the sources are those of the catalogue`() throws {
        let catalogue = try #require(project.text("systemd/mainstay.catalog"))
        #expect(Catalogue.ids(catalogue).count >= 10)
        #expect(Set(Catalogue.ids(catalogue).values).count == Catalogue.ids(catalogue).count, "an id stands twice")
        let sources = project.swiftFiles().filter { $0.isIn("Sources") }
        let found = Catalogue.violations(catalogue, sources: sources)
        #expect(found.isEmpty, "\(found.map(\.description).joined(separator: "\n"))")
    }

    @Test func `every entry of the catalogue is written by some source`() throws {
        let catalogue = try #require(project.text("systemd/mainstay.catalog"))
        #expect(Catalogue.unused(catalogue, sources: project.swiftFiles().filter { $0.isIn("Sources") }) == [])
    }

    @Test func `an id that differs, or stands under another name, is found`() {
        #expect(violations(Self.right) == [])
        #expect(violations(Self.right.replacing("7728", with: "7729")) == [2])
        #expect(violations(Self.right.replacing("daemonStarted", with: "daemonBegan")) == [2])
        #expect(
            violations("package static let daemonStopping: MessageID = MessageID(\"861a5510d73146748b430eadaa78f4d8\")")
                == [])
    }

    @Test func `an entry that no source writes is found`() {
        let source = SwiftSource(path: "Sources/A.swift", text: Self.right)
        #expect(Catalogue.unused(Self.catalogue, sources: [source]) == ["daemonStopping"])
    }
}

@Suite struct KnobTests {
    @Test func `every knob of the settings is read by a daemon`() {
        let files = project.swiftFiles().filter { $0.isIn("Sources") }
        let settings = files.filter { $0.isIn("Sources/Shared/Settings") && $0.name.hasSuffix("Settings.swift") }
        #expect(settings.count >= 4)
        #expect(Knobs.unread(settings: settings, others: files.filter { !$0.isIn("Sources/Shared/Settings") }) == [])
    }

    @Test func `a knob that nothing reads is found`() {
        let settings = SwiftSource(path: "A.swift", text: "    package var speed = 1\n    package var depth: Int\n")
        let reader = SwiftSource(
            path: "B.swift", text: "let a = settings.speed // settings.depth\nlet b = \"\\(x.depths)\"")
        #expect(Knobs.unread(settings: [settings], others: [reader]) == ["depth"])
    }
}

@Suite struct AcceptanceTests {
    private func page(_ change: (String) -> String? = { "| \($0) | text | `Tests/A.swift` |" }) -> String {
        Acceptance.ids.compactMap(change).joined(separator: "\n")
    }

    private func violations(_ page: String) -> [String] {
        Acceptance.violations(page) { $0 == "Tests/A.swift" }.map(\.message)
    }

    @Test(.enabled(if: project.exists("ACCEPTANCE.md")))
    func `every criterion has its row, and what it names is there`() throws {
        let found = Acceptance.violations(try #require(project.text("ACCEPTANCE.md")), exists: project.exists)
        #expect(found.isEmpty, "\(found.map(\.description).joined(separator: "\n"))")
    }

    @Test func `all criteria of the seed are asked for`() {
        #expect(Acceptance.ids.count == 40 + 12 + 2 + 18)
        #expect(Set(Acceptance.ids).count == Acceptance.ids.count)
    }

    @Test func `a missing, doubled, empty or false row is found`() {
        #expect(violations(page()) == [])
        #expect(violations(page { $0 == "R3.4" ? nil : "| \($0) | text | not yet |" }) == ["R3.4 has no row"])
        #expect(violations(page() + "\n| C1 | text | not yet |") == ["C1 has a second row"])
        let empty = page { $0 == "I7" ? "| I7 | text | soon |" : "| \($0) | text | *not yet* |" }
        #expect(violations(empty) == ["I7 names neither a file nor *not yet*"])
        let false_ = page { $0 == "T1" ? "| T1 | text | `Tests/B.swift` |" : "| \($0) | text | not yet |" }
        #expect(violations(false_) == ["T1 names Tests/B.swift, which is not there"])
    }
}

@Suite struct FigureTests {
    private static let report = """
        {"line": "guard", "runs": 20, "figures": {"start": 0.13, "table": [
            {"case": "1s loop", "median": 2.38, "worst": [11000, 11000.2], "classes": ["spinning"], "right": true},
            {"case": "1s block", "median": 1.9, "worst": 7},
            {"case": "1s loop?io", "median": 30, "worst": 64, "said": "\\"40\\""}
        ], "at rest": {"cpu": 0.33, "pss": 5.3e-1}}}
        """
    private static let table = """
        <!-- report: guard
        endless loop = loop
        log storm = 1s loop?io
        s = median
        -->
        | fault | s | worst |
        |---|---:|---|
        | endless loop | 2.4 | 11,000 |
        | block | 1.9 | 7 |
        | log storm | 30 | 64 |
        """

    private func violations(_ page: String) -> [String] {
        Figures.violations(page) { $0 == "guard" ? Self.report : nil }.map(\.message)
    }

    @Test(.enabled(if: project.exists("README.md")))
    func `the figures of the README stand in the reports`() throws {
        let page = try #require(project.text("README.md"))
        let found = Figures.violations(page) { project.text("Tests/Reports/\($0).json") }
        #expect(found.isEmpty, "\(found.map(\.description).joined(separator: "\n"))")
    }

    @Test func `a figure that the report does not hold, and a table that names no report, are found`() {
        #expect(violations(Self.table) == [])
        #expect(
            violations(Self.table.replacing("2.4", with: "2.3")) == ["2.3: loop, median is 2.38 in the report guard"])
        #expect(violations(Self.table.replacing("guard", with: "other")) == ["no report Tests/Reports/other.json"])
        let unmarked = "in a table without <!-- report: NAME -->"
        #expect(violations("| a | 5 |") == ["5 \(unmarked)"])
        #expect(violations(Self.table + "\n\ntext\n\n| a | 2.4 |") == ["2.4 \(unmarked)"])
        #expect(violations("```\n| a | 5 |\n```\n| `x` | v1 | p95 |") == [])
    }

    @Test func `a figure below zero has its sign`() {
        let report = Self.report.replacing("\"median\": 1.9", with: "\"median\": -1.9")
        func violations(_ page: String) -> [String] { Figures.violations(page) { _ in report }.map(\.message) }
        #expect(violations(Self.table.replacing("| 1.9", with: "| -1.9")) == [])
        #expect(violations(Self.table) == ["1.9: block, median is -1.9 in the report guard"])
    }

    @Test func `a figure of another row, another column or of no measured thing is found`() {
        func swapped(_ one: String, _ other: String) -> [String] {
            violations(Self.table.replacing(one, with: "@").replacing(other, with: one).replacing("@", with: other))
        }
        #expect(swapped(" 2.4 | 11,000 ", " 1.9 | 7 ").count == 4, "the figures of two rows")
        #expect(swapped("| endless loop |", "| block |").count == 4, "the names of two rows")
        #expect(violations(Self.table.replacing("| s | worst |", with: "| worst | s |")).count == 6)
        #expect(
            violations(Self.table.replacing("log storm =", with: "storm =")) == [
                "30: there is no figure of log storm, median in the report guard",
                "64: there is no figure of log storm, worst in the report guard",
            ])
        #expect(violations(Self.table.replacing("| 1.9 | 7 |", with: "| 1.9 |")) == ["2 cells under 3 columns"])
        #expect(violations(Self.table.replacing("block", with: "1s")).count == 2, "a label that names several rows")
    }

    @Test func `a corner may name what all cells show, and columns may be the measured things`() {
        let corner = """
            <!-- report: guard
            broken = worst
            -->
            | broken | block | loop |
            |---|---|---|
            | 1s | 7 | 11000 |
            """
        #expect(violations(corner) == [])
        #expect(violations(corner.replacing("| 7 | 11000 |", with: "| 11000 | 7 |")).count == 2)
        #expect(violations("<!-- report: guard -->\n| cost | cpu | pss |\n|---|---|\n| at rest | 0.33 | 0.53 |") == [])
    }
}
