import CLinux
import Files
import Glibc
import MetricsCore

/// How the host's clock is kept: what adjtimex(2) tells of its discipline, what it counts by, and its zone.
struct ClockReader {
    private static let clocksources = "/sys/devices/system/clocksource"
    /// The kernel's frequencies: 2^-16 parts of a million.
    private static let frequencyScale = 65536e6

    /// - Parameter clock: what adjtimex(2) tells; nil where it is refused, as in a sandbox or a container: then there is no figure.
    func add(_ clock: mainstay_clock?, to round: inout RoundBuilder, buffer: ReadBuffer) {
        if let clock { Self.add(clock, to: &round) }
        for device in (Contents.ofFolder(Self.clocksources) ?? []).sorted() where device.hasPrefix("clocksource") {
            let number = String(device.dropFirst("clocksource".count))
            if ProcFile("\(Self.clocksources)/\(device)/available_clocksource").read(into: buffer) {
                Self.addSources("node_time_clocksource_available_info", buffer.bytes, device: number, to: &round)
            }
            if ProcFile("\(Self.clocksources)/\(device)/current_clocksource").read(into: buffer) {
                Self.addSources("node_time_clocksource_current_info", buffer.bytes, device: number, to: &round)
            }
        }
        Self.addZone(to: &round)
    }

    /// What the kernel tells of its clock now, without a change to it.
    static func now() -> mainstay_clock? {
        var clock = mainstay_clock()
        return mainstay_read_clock(&clock) >= 0 ? clock : nil
    }

    /// Times in seconds: the kernel has its errors and its tick in µs, and offset and jitter in ns where STA_NANO is set.
    static func add(_ clock: mainstay_clock, to round: inout RoundBuilder) {
        let division = clock.is_nano != 0 ? 1e9 : 1e6
        round.add("node_timex_offset_seconds", Double(clock.offset) / division)
        round.add("node_timex_frequency_adjustment_ratio", 1 + Double(clock.freq) / frequencyScale)
        round.add("node_timex_maxerror_seconds", Double(clock.maxerror) / 1e6)
        round.add("node_timex_estimated_error_seconds", Double(clock.esterror) / 1e6)
        round.add("node_timex_status", Double(clock.status))
        round.add("node_timex_loop_time_constant", Double(clock.constant))
        round.add("node_timex_tick_seconds", Double(clock.tick) / 1e6)
        round.add("node_timex_tai_offset_seconds", Double(clock.tai))
        round.add("node_timex_sync_status", clock.is_synchronized != 0 ? 1 : 0)
        round.add("node_timex_pps_frequency_hertz", Double(clock.ppsfreq) / frequencyScale)
        round.add("node_timex_pps_jitter_seconds", Double(clock.jitter) / division)
        round.add("node_timex_pps_shift_seconds", Double(clock.shift))
        round.add("node_timex_pps_stability_hertz", Double(clock.stabil) / frequencyScale)
        round.add("node_timex_pps_jitter_total", Double(clock.jitcnt))
        round.add("node_timex_pps_calibration_total", Double(clock.calcnt))
        round.add("node_timex_pps_error_total", Double(clock.errcnt))
        round.add("node_timex_pps_stability_exceeded_total", Double(clock.stbcnt))
    }

    /// Names of clock sources, with blanks between them.
    static func addSources(
        _ metric: StaticString, _ bytes: UnsafeRawBufferPointer, device: String, to round: inout RoundBuilder
    ) {
        var device = device
        let key = device.withUTF8 { SeriesKey(metric).adding(UnsafeRawBufferPointer($0)) }.adding(0)
        var scanner = ByteScanner(bytes)
        while true {
            let name = scanner.word()
            guard !name.isEmpty else { return }
            round.add(1, key: key.adding(name).value) {
                Labels(metric.description, [Label("clocksource", name.text), Label("device", device)])
            }
        }
    }

    /// The zone that is in force now, and its distance from UTC in seconds; read anew where /etc/localtime has changed.
    private static func addZone(to round: inout RoundBuilder) {
        var seconds = time(nil)
        var local = tm()
        tzset()
        guard localtime_r(&seconds, &local) != nil, let zone = local.tm_zone else { return }
        round.add("node_time_zone_offset_seconds", Double(local.tm_gmtoff), "time_zone", String(cString: zone))
    }
}
