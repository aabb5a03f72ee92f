import Foundation
import Testing
import WatchdogAPI
import WatchdogCore
import Wire

@testable import WatchdogDaemon

/// What watchdogd keeps on disk.
@Suite struct WatchdogRecordsTests {
    private let folder: String

    init() throws {
        folder = "/tmp/mainstay-records-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    private func records(incidents: Int = 10, bundles: Int = 3) throws -> Records {
        try Records(folder: folder, incidentsKept: incidents, bundlesKept: bundles)
    }

    private static func record(_ id: String, at: Int64, service: String = "gateway", aliases: [String] = [])
        -> IncidentRecord
    {
        IncidentRecord(
            id: id, service: service, openedAtMs: at, incidentClass: .spinning, numbers: ClassNumbers(windowMs: 2000),
            outcome: .open, aliases: aliases)
    }

    @Test func `what is kept is there for the next start, with the incident that was open`() throws {
        var first = try records()
        let memory = GuardMemory(
            keptAtMs: 5, budgetTokens: 3.5, backoffLevel: 2, halfOpenLevel: 0, healthyMs: 7, openIncident: "i-2",
            stoppedByUs: false)
        try first.keep(memory, of: "gateway")
        try first.keep(Self.record("i-2", at: 2))
        let second = try records()
        let (kept, incident) = second.memory(of: "gateway")
        #expect(kept == memory)
        #expect(incident == Self.record("i-2", at: 2))
        #expect(second.memory(of: "other").0 == nil)
        try FileManager.default.removeItem(atPath: folder)
    }

    @Test func `the newest incidents come first, page by page, and the oldest go`() throws {
        var records = try records(incidents: 4)
        for number in 1...6 { try records.keep(Self.record("i-\(number)", at: Int64(number))) }
        let first = try #require(records.incidents(of: nil, limit: 3, after: nil))
        #expect(first.incidents.map(\.id) == ["i-6", "i-5", "i-4"])
        #expect(first.next == "i-4")
        let second = try #require(records.incidents(of: nil, limit: 3, after: first.next))
        #expect(second.incidents.map(\.id) == ["i-3"])
        #expect(second.next == nil)
        #expect(records.incidents(of: nil, limit: 3, after: "i-1") == nil)
        #expect(try FileManager.default.contentsOfDirectory(atPath: "\(folder)/incidents").count == 4)
        try FileManager.default.removeItem(atPath: folder)
    }

    @Test func `a page of large incidents ends where a reply is full, and the next page goes on there`() throws {
        var records = try records(incidents: 1000)
        for number in 0..<200 {
            var record = Self.record("i-\(1000 + number)", at: Int64(number))
            record.evidence = EvidenceNote(
                path: nil, bytes: 1, tookMs: 1, complete: true, facts: ["stack": String(repeating: "\n", count: 6000)])
            try records.keep(record)
        }
        var found: [String] = []
        var cursor: String?
        var pages = 0
        repeat {
            let page = try #require(records.incidents(of: nil, limit: 1000, after: cursor))
            let reply = ServerMessage.reply(to: .integer(1), page)
            guard case .reply = try ServerMessage(try JSONReader.read(reply)) else {
                Issue.record("a page of \(page.incidents.count) incidents fits no frame")
                break
            }
            found += page.incidents.map(\.id)
            cursor = page.next
            pages += 1
        } while cursor != nil && pages < 200
        #expect(found == (0..<200).reversed().map { "i-\(1000 + $0)" })
        #expect((2...50).contains(pages), "\(pages) pages")
        try FileManager.default.removeItem(atPath: folder)
    }

    @Test func `an incident larger than a page is a page of its own`() throws {
        var records = try records()
        for number in 1...3 {
            var record = Self.record("i-\(number)", at: Int64(number))
            record.evidence = EvidenceNote(
                path: nil, bytes: 1, tookMs: 1, complete: true, facts: ["a": String(repeating: "x", count: 600_000)])
            try records.keep(record)
        }
        let first = try #require(records.incidents(of: nil, limit: 10, after: nil))
        #expect(first.incidents.map(\.id) == ["i-3"])
        #expect(first.next == "i-3")
        let last = try #require(records.incidents(of: nil, limit: 10, after: "i-2"))
        #expect(last.incidents.map(\.id) == ["i-1"])
        #expect(last.next == nil)
        try FileManager.default.removeItem(atPath: folder)
    }

    @Test func `an incident is found by its alias, and a later writing replaces it`() throws {
        var records = try records()
        try records.keep(Self.record("i-1", at: 1))
        try records.keep(Self.record("i-1", at: 1, aliases: ["h-9"]))
        #expect(records.incident("h-9")?.id == "i-1")
        #expect(records.incidents(of: "gateway", limit: 10, after: nil)?.incidents.count == 1)
        #expect(records.incidents(of: "other", limit: 10, after: nil)?.incidents == [])
        #expect(records.incident("i-7") == nil)
        try FileManager.default.removeItem(atPath: folder)
    }

    @Test func `a damaged file costs itself alone, and a name cannot leave the folder`() throws {
        var first = try records()
        try first.keep(Self.record("../../i-1", at: 1))
        try first.keep(Self.record("i-2", at: 2))
        try Data("{\"id\":".utf8).write(to: URL(fileURLWithPath: "\(folder)/incidents/i-2.json"))
        let second = try records()
        #expect(second.incidents(of: nil, limit: 10, after: nil)?.incidents.map(\.id) == ["../../i-1"])
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: "\(folder)/incidents").sorted()
                == [".._.._i-1.json", "i-2.json"])
        try FileManager.default.removeItem(atPath: folder)
    }

    @Test func `new bounds hold from the next writing on`() throws {
        var records = try records(incidents: 10, bundles: 10)
        for number in 1...3 {
            try records.keep(Self.record("i-\(number)", at: Int64(number)))
            try records.keepEvidence([1], of: "i-\(number)")
        }
        records.keepAtMost(incidents: 2, bundles: 1)
        try records.keep(Self.record("i-4", at: 4))
        try records.keepEvidence([1], of: "i-4")
        #expect(records.incidents(of: nil, limit: 10, after: nil)?.incidents.map(\.id) == ["i-4", "i-3"])
        #expect(try FileManager.default.contentsOfDirectory(atPath: "\(folder)/evidence") == ["i-4.json"])
        try FileManager.default.removeItem(atPath: folder)
    }

    @Test func `of evidence the newest bundles are kept`() throws {
        let records = try records(bundles: 3)
        for number in 1...5 { try records.keepEvidence([UInt8](repeating: 1, count: number), of: "i-\(number)") }
        let left = try FileManager.default.contentsOfDirectory(atPath: "\(folder)/evidence").sorted()
        #expect(left == ["i-3.json", "i-4.json", "i-5.json"])
        #expect(Records.evidencePath(of: "i-5", in: folder) == "\(folder)/evidence/i-5.json")
        try FileManager.default.removeItem(atPath: folder)
    }
}
