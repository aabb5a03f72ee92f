import Foundation
import Testing
import Time
import WatchdogAPI

@testable import WatchdogCore

/// Stories as text: what happens to a service, and below the line what the core told and did, recorded. Each file opens
/// with what it shows. `MAINSTAY_RECORD=1` records anew; commit what changed only when it is understood.
///
///     settle 20s              a running service, watched for so long
///     run 5s                  time passes
///     fault spinning          it behaves so: serving MS, saturated MS, wrong, refusing, spinning, storming, blocked …
///     exit 1 / kill 9         its process ends by itself
///     crashing 200ms / off    each new process ends after so long
///     stop / restart / hold REASON / release / reset      the operator
///     pressure 83             CPU pressure of the host
///     dependencies NAME … / none                          healthd's word
///     watchdogd 2s            watchdogd itself is gone for so long
///     stall 3s                the host stands still
///     halt on / off           the host shuts down, or not after all
@Suite struct TraceTests {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "Traces")

    static var names: [String] {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return files.filter { $0.hasSuffix(".txt") }.sorted()
    }

    @Test func `there are traces`() {
        #expect(Self.names.count >= 8)
    }

    @Test(arguments: names)
    func `a story goes as recorded`(name: String) throws {
        let file = Self.folder.appending(path: name)
        let text = try String(contentsOf: file, encoding: .utf8)
        let parts = text.components(separatedBy: "\n----\n")
        #expect(text.hasPrefix("#"), "a trace opens with what it shows")
        var rig = Rig()
        for line in parts[0].split(separator: "\n") where !line.hasPrefix("#") {
            try play(String(line), on: &rig)
        }
        let told = rig.log.joined(separator: "\n") + "\n"
        if ProcessInfo.processInfo.environment["MAINSTAY_RECORD"] == "1" {
            try (parts[0] + "\n----\n" + told).write(to: file, atomically: true, encoding: .utf8)
        } else {
            #expect(parts.count == 2 && parts[1] == told, "\(name) now goes:\n\(told)")
        }
    }

    private struct UnknownLine: Error { let line: String }

    private func play(_ line: String, on rig: inout Rig) throws {
        let words = line.split(separator: " ").map(String.init)
        let rest = words.dropFirst().joined(separator: " ")
        switch words[0] {
        case "settle": rig.settle(try seconds(rest, line).milliseconds / 1000)
        case "run": rig.run(try seconds(rest, line))
        case "stall": rig.stall(try seconds(rest, line))
        case "watchdogd": rig.restartWatchdogd(after: try seconds(rest, line))
        case "fault": rig.behave(try behaviour(Array(words.dropFirst()), line))
        case "next": rig.gateway.afterStart = try behaviour(Array(words.dropFirst()), line)
        case "exit": rig.end(code: Int32(rest), signal: nil)
        case "kill": rig.end(signal: Int32(rest))
        case "crashing": rig.gateway.crashesAfterMs = rest == "off" ? nil : try seconds(rest, line).milliseconds
        case "stop": rig.operatorStops()
        case "restart": rig.operatorRestarts()
        case "hold": rig.send(.holdAsked(reason: rest, forDuration: nil, by: "uid 0"))
        case "release": rig.send(.releaseAsked(by: "uid 0"))
        case "reset": rig.send(.resetAsked(by: "uid 0"))
        case "pressure": rig.pressure(Double(rest) ?? 0)
        case "dependencies": rig.send(.dependenciesSeen(down: rest == "none" ? [] : Array(words.dropFirst())))
        case "halt": rig.managerStops(rest == "on")
        default: throw UnknownLine(line: line)
        }
    }

    private func seconds(_ text: String, _ line: String) throws -> Duration {
        if text.hasSuffix("ms"), let ms = Int64(text.dropLast(2)) { return .milliseconds(ms) }
        guard text.hasSuffix("s"), let whole = Int64(text.dropLast()) else { throw UnknownLine(line: line) }
        return .seconds(whole)
    }

    private func behaviour(_ words: [String], _ line: String) throws -> FakeService.Behaviour {
        let ms = words.count > 1 ? Int64(words[1]) ?? 5 : 5
        switch words.first {
        case "serving": return .serving(latencyMs: ms)
        case "saturated": return .saturated(latencyMs: ms)
        case "wrong": return .wrong
        case "refusing": return .refusing
        case "spinning": return .spinning
        case "worker": return .spinningBesideWorker
        case "storming": return .storming
        case "blocked": return .blocked
        case "stopped": return .stopped
        case "debugged": return .debugged
        case "collecting": return .collecting
        default: throw UnknownLine(line: line)
        }
    }
}
