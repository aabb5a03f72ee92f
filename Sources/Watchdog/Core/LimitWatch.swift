import Time
import WatchdogAPI

/// The limits of one service on memory, CPU and open files: a soft warning at 80 % that stands for 10 s, and the hard
/// limit that stands for as long as the settings say. A warning is told once and is armed again 5 % below its threshold,
/// so that a figure that swings around it does not tell each swing.
struct LimitWatch: Hashable, Sendable {
    enum Resource: String, Hashable, Sendable, CaseIterable {
        case memory, cpu, files
    }

    enum Finding: Hashable, Sendable {
        case soft(Resource, limit: Double, measured: Double)
        case hard(Resource, limit: Double, measured: Double, GuardSettings.LimitAction)
    }

    static let softShare = 0.8
    static let softFor: Duration = .seconds(10)
    static let rearmShare = 0.95

    private struct Track: Hashable, Sendable {
        var softSince: Instant?
        var hardSince: Instant?
        var softTold = false
        var hardTold = false
    }

    private(set) var latest: ResourceSample?
    /// CPU over the last reading, in per cent of one CPU.
    private(set) var cpuPercent: Double?
    private var memory = Track()
    private var cpu = Track()
    private var files = Track()

    /// A new sample: what it brings to light, the hard findings last.
    mutating func sampled(_ sample: ResourceSample, settings: GuardSettings) -> [Finding] {
        if let latest, latest.process == sample.process {
            guard sample.taken > latest.taken else { return [] }
            if let now = sample.processCpuMs, let before = latest.processCpuMs {
                cpuPercent = Double(now - before) / 10 / (sample.taken - latest.taken).inSeconds
            }
        } else {
            self = LimitWatch()
        }
        latest = sample
        var found: [Finding] = []
        Self.look(
            .memory, sample.residentBytes.map(Double.init), settings.memoryLimit, &memory, sample.taken, &found)
        Self.look(.cpu, cpuPercent, settings.cpuLimit, &cpu, sample.taken, &found)
        Self.look(.files, sample.openFiles.map(Double.init), settings.filesLimit, &files, sample.taken, &found)
        return found
    }

    private static func look(
        _ resource: Resource, _ measured: Double?, _ limit: GuardSettings.Limit?, _ track: inout Track,
        _ now: Instant, _ found: inout [Finding]
    ) {
        guard let limit, let measured else {
            track = Track()
            return
        }
        let soft = limit.value * softShare
        if measured > soft {
            if track.softSince == nil { track.softSince = now }
        } else {
            track.softSince = nil
            if measured < soft * rearmShare { track.softTold = false }
        }
        if measured > limit.value {
            if track.hardSince == nil { track.hardSince = now }
        } else {
            track.hardSince = nil
            if measured < limit.value * rearmShare { track.hardTold = false }
        }
        if let since = track.softSince, now - since >= softFor, !track.softTold {
            track.softTold = true
            found.append(.soft(resource, limit: limit.value, measured: measured))
        }
        if let since = track.hardSince, now - since >= limit.sustained, !track.hardTold {
            track.hardTold = true
            found.append(.hard(resource, limit: limit.value, measured: measured, limit.action))
        }
    }

    /// Another process: what was measured says nothing of it.
    mutating func forget() {
        self = LimitWatch()
    }
}
