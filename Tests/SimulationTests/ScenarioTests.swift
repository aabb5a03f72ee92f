import Foundation
import SimulationKit
import Testing

/// Every story under Scenarios/ is played and held against what was recorded. `MAINSTAY_RECORD=1` writes the recordings anew.
@Suite struct ScenarioTests {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Scenarios")
    static let names: [String] = {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return files.filter { $0.hasSuffix(".txt") }.sorted()
    }()

    @Test(arguments: names) func theStoryGoesAsRecorded(_ name: String) throws {
        let file = Self.folder.appendingPathComponent(name)
        let scenario = try Scenario(String(contentsOf: file, encoding: .utf8))
        let heard = scenario.play()
        if ProcessInfo.processInfo.environment["MAINSTAY_RECORD"] == "1" {
            let text = scenario.script + "---\n" + heard.joined(separator: "\n") + "\n"
            try text.write(to: file, atomically: true, encoding: .utf8)
        }
        #expect(heard == scenario.recorded)
        #expect(!heard.contains { $0.hasPrefix("broken") })
    }

    @Test func thereAreStories() {
        #expect(Self.names.count >= 8)
    }
}
