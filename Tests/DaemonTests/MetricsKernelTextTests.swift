import CLinux
import Files
import Foundation
import MetricsCore
import Systemd
import Testing

@testable import MetricsDaemon

/// The series that a reader makes of a kernel file's text, by their names as Prometheus prints them.
private func series(
    of text: String, _ add: (UnsafeRawBufferPointer, inout RoundBuilder) -> Void
) throws -> [String: Double] {
    var round = RoundBuilder()
    Array(text.utf8).withUnsafeBytes { add($0, &round) }
    return try named(&round)
}

private func named(_ round: inout RoundBuilder) throws -> [String: Double] {
    let collection = round.finish(withTable: true)
    let table = try #require(collection.table)
    #expect(Set(table).count == table.count, "no series stands twice")
    return Dictionary(zip(table.map(\.description), collection.values)) { first, _ in first }
}

/// Folders of small files, as /sys has them.
private final class FakeTree {
    let root = "/tmp/mainstay-sys-\(UUID().uuidString.prefix(8))"

    deinit { try? FileManager.default.removeItem(atPath: root) }

    func put(_ files: [String: String]) throws {
        for (path, text) in files {
            let folder = (("\(root)/\(path)") as NSString).deletingLastPathComponent
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try text.write(toFile: "\(root)/\(path)", atomically: false, encoding: .utf8)
        }
    }
}

@Suite("Kernel text in, series out")
struct MetricsKernelTextTests {
    @Test("/proc/stat: a processor's ticks become seconds by mode, guests among them; the counters stand beside")
    func processors() throws {
        let text = """
            cpu  9 9 9 9 9 9 9 9 9 9
            cpu0 1000 200 300 40000 50 6 7 8 90 10
            cpu1 1 2 3 4 5 6 7 8
            intr 774 1 2 3
            ctxt 1234
            btime 1796079000
            processes 56
            procs_running 2
            procs_blocked 1
            softirq 21 1 2 3 4 5 6 7 8 9 10

            """
        let values = try series(of: text) { ProcessorLines.add($0, to: &$1) }
        let ticks = Double(sysconf(CInt(_SC_CLK_TCK)))
        #expect(values["node_cpu_seconds_total{cpu=\"0\",mode=\"user\"}"] == 1000 / ticks)
        #expect(values["node_cpu_seconds_total{cpu=\"0\",mode=\"steal\"}"] == 8 / ticks)
        #expect(values["node_cpu_guest_seconds_total{cpu=\"0\",mode=\"user\"}"] == 90 / ticks)
        #expect(values["node_cpu_guest_seconds_total{cpu=\"0\",mode=\"nice\"}"] == 10 / ticks)
        #expect(values["node_cpu_guest_seconds_total{cpu=\"1\",mode=\"user\"}"] == nil, "kernels before 2.6.24")
        #expect(values["node_intr_total"] == 774)
        #expect(values["node_context_switches_total"] == 1234)
        #expect(values["node_boot_time_seconds"] == 1_796_079_000)
        #expect(values["node_forks_total"] == 56)
        #expect(values["node_procs_running"] == 2)
        #expect(values["node_procs_blocked"] == 1)
        #expect(values["node_softirqs_total{vector=\"hi\"}"] == 1)
        #expect(values["node_softirqs_total{vector=\"rcu\"}"] == 10)
        #expect(values.count == 10 + 8 + 6 + 10)
    }

    @Test("/proc/schedstat: time running and waiting in seconds, turns as they are; domains are passed over")
    func scheduler() throws {
        let text = """
            version 15
            timestamp 4295222334
            cpu0 0 0 0 0 0 0 2045936778163039 343796328169361 4767485306
            domain0 00000000,00000003 212499247 210112015 1861015
            cpu1 0 0 0 0 0 0 1

            """
        let values = try series(of: text) { SchedulerLines.add($0, to: &$1) }
        #expect(values["node_schedstat_running_seconds_total{cpu=\"0\"}"] == 2045936.778163039)
        #expect(values["node_schedstat_waiting_seconds_total{cpu=\"0\"}"] == 343796.328169361)
        #expect(values["node_schedstat_timeslices_total{cpu=\"0\"}"] == 4_767_485_306)
        #expect(values.count == 3)
    }

    @Test("/proc/meminfo and vmstat: KiB become bytes and say so, counts do not, and parentheses go")
    func memory() throws {
        let text = "MemTotal: 16331760 kB\nActive(anon):   68 kB\nHugePages_Total:  4\nBroken: x\nOdd\n: 3 kB\n"
        let values = try series(of: text) { MemoryLines.add($0, to: &$1) }
        #expect(
            values == [
                "node_memory_MemTotal_bytes": 16_331_760.0 * 1024, "node_memory_Active_anon_bytes": 69632,
                "node_memory_HugePages_Total": 4,
            ])
        let virtual = try series(of: "pgpgin 7\noom_kill 0\n\nbroken\n") { VirtualMemoryLines.add($0, to: &$1) }
        #expect(virtual == ["node_vmstat_pgpgin": 7, "node_vmstat_oom_kill": 0])
    }

    @Test("/proc/loadavg and pressure: loads as they stand, microseconds as seconds, and no stall of all CPUs")
    func load() throws {
        let loads = try series(of: "0.08 0.19 10.62 1/123 456\n") { LoadLines.add($0, to: &$1) }
        #expect(loads == ["node_load1": 0.08, "node_load5": 0.19, "node_load15": 10.62])
        #expect(try series(of: "0.08 x\n") { LoadLines.add($0, to: &$1) } == ["node_load1": 0.08])
        let text = """
            some avg10=0.00 avg60=0.01 avg300=0.16 total=1500000
            full avg10=0.00 avg60=0.00 avg300=0.00 total=250
            other total=1

            """
        let stalls = try series(of: text) { PressureLines.add($0, PressureLines.ofMemory, to: &$1) }
        #expect(
            stalls == [
                "node_pressure_memory_waiting_seconds_total": 1.5,
                "node_pressure_memory_stalled_seconds_total": 0.00025,
            ])
        let ofCPU = try series(of: text) { PressureLines.add($0, PressureLines.ofCPU, to: &$1) }
        #expect(ofCPU == ["node_pressure_cpu_waiting_seconds_total": 1.5])
    }

    @Test("/proc/net/sockstat and softnet_stat: pages become bytes too, and a processor's line is in hexadecimal")
    func sockets() throws {
        let text = "sockets: used 30\nTCP: inuse 2 orphan 0 tw 1 alloc 10 mem 3\nUDP6: inuse 4\nRAW: inuse\n"
        let values = try series(of: text) { SocketLines.add($0, to: &$1) }
        #expect(values["node_sockstat_sockets_used"] == 30)
        #expect(values["node_sockstat_TCP_mem"] == 3)
        #expect(values["node_sockstat_TCP_mem_bytes"] == 3 * Double(sysconf(CInt(_SC_PAGESIZE))))
        #expect(values["node_sockstat_UDP6_inuse"] == 4)
        #expect(values.count == 8)
        let softnet = try series(of: "0000000a 00000001 ff 0\n00000002\n") { SoftnetLines.add($0, to: &$1) }
        #expect(
            softnet == [
                "node_softnet_processed_total{cpu=\"0\"}": 10, "node_softnet_dropped_total{cpu=\"0\"}": 1,
                "node_softnet_times_squeezed_total{cpu=\"0\"}": 255, "node_softnet_processed_total{cpu=\"1\"}": 2,
            ])
    }

    @Test("/proc/net/udp: what waits in all sockets' queues is summed; a damaged line counts nothing")
    func queues() throws {
        let text = """
              sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
              512: 00000000:0044 00000000:0000 07 00000010:00000001 00:00000000 00000000     0        0 16 2 0 0
              513: 0100007F:0045 00000000:0000 07 00000001:000000FF 00:00000000 00000000     0        0 17 2 0 0
              514: 0100007F:0045 00000000:0000 07 0000
            x

            """
        let values = try series(of: text) { QueueLines.add($0, "v6", to: &$1) }
        #expect(
            values == [
                "node_udp_queues{ip=\"v6\",queue=\"tx\"}": 17, "node_udp_queues{ip=\"v6\",queue=\"rx\"}": 256,
            ])
        #expect(try series(of: "  sl\n") { QueueLines.add($0, "v4", to: &$1) }.values.allSatisfy { $0 == 0 })
    }

    @Test("/proc/net/arp: neighbours are counted by device")
    func neighbours() throws {
        let text = """
            IP address       HW type     Flags       HW address            Mask     Device
            172.16.0.1       0x1         0x2         02:fc:00:00:00:02     *        eth0
            172.16.0.7       0x1         0x0         00:00:00:00:00:00     *        eth0
            10.0.0.1         0x1         0x2         02:fc:00:00:00:03     *        br-1
            10.0.0.2         0x1

            """
        let values = try series(of: text) { NeighbourLines.add($0, to: &$1) }
        #expect(values == ["node_arp_entries{device=\"eth0\"}": 2, "node_arp_entries{device=\"br-1\"}": 1])
    }

    @Test("/proc/net/stat/nf_conntrack: processors' hexadecimal columns are summed; short lines count nothing")
    func connections() throws {
        let head = "entries  clashres found new invalid ignore delete chainlength insert insert_failed drop early_drop "
        let text = """
            \(head)icmp_error expect_new expect_create expect_delete search_restart
            00000005  00000000 00000001 00000000 00000010 00000003 00000000 00000000 00000007 00000002 00000001 0000000b \
            00000000 00000000 00000000 00000000 00000004
            00000005  00000000 00000001 00000000 0000000f 00000003 00000000 00000000 00000000 00000000 00000001 00000000 \
            00000000 00000000 00000000 00000000 00000004
            00000005 00000000

            """
        let values = try series(of: text) { ConnectionLines.add($0, to: &$1) }
        #expect(
            values == [
                "node_nf_conntrack_stat_found": 2, "node_nf_conntrack_stat_invalid": 31,
                "node_nf_conntrack_stat_ignore": 6, "node_nf_conntrack_stat_insert": 7,
                "node_nf_conntrack_stat_insert_failed": 2, "node_nf_conntrack_stat_drop": 2,
                "node_nf_conntrack_stat_early_drop": 11, "node_nf_conntrack_stat_search_restart": 8,
            ])
        #expect(try series(of: "entries\n") { ConnectionLines.add($0, to: &$1) }.isEmpty)
    }

    @Test("/proc/net/snmp6: the wanted counters of IPv6, and none of its other lines")
    func nextProtocol() throws {
        let text =
            "Ip6InReceives\t5\nIp6InOctets                     \t420\nUdp6InErrors \t3\nUdpLite6InErrors\nIcmp6InMsgs x\n"
        let values = try series(of: text) { NextProtocolLines.add($0, to: &$1) }
        #expect(values == ["node_netstat_Ip6_InOctets": 420, "node_netstat_Udp6_InErrors": 3])
    }

    @Test("/proc/sys/fs/file-nr: how many files are open, and the most there may be")
    func files() throws {
        let values = try series(of: "1184\t0\t9223372036854775807\n") { FileLines.add($0, to: &$1) }
        #expect(values == ["node_filefd_allocated": 1184, "node_filefd_maximum": 0x1p63])
        #expect(try series(of: "1184\n") { FileLines.add($0, to: &$1) }.isEmpty)
    }

    @Test("No reader of the kernel's text trips over what is cut off, empty or foreign")
    func foreignText() throws {
        let texts = [
            "", "\n", "\n\n", ":", "=", "cpu", "cpu0", "cpu0 x", "\u{0}\u{1}\u{2}", "a:b:c", "some total=", "0:",
            "TCP:",
            "TCP: mem", "head\n", "head\n1 2 3 4 5", "head\n 1: 2 3 4 5:", "VERSION_ID=", "ID=\"", "ID='a\\", "-", "0x",
        ]
        for text in texts {
            _ = try series(of: text) {
                ProcessorLines.add($0, to: &$1)
                LoadLines.add($0, to: &$1)
            }
            _ = try series(of: text) { SchedulerLines.add($0, to: &$1) }
            _ = try series(of: text) { MemoryLines.add($0, to: &$1) }
            _ = try series(of: text) { VirtualMemoryLines.add($0, to: &$1) }
            _ = try series(of: text) { PressureLines.add($0, PressureLines.ofIO, to: &$1) }
            _ = try series(of: text) { SocketLines.add($0, to: &$1) }
            _ = try series(of: text) { SoftnetLines.add($0, to: &$1) }
            _ = try series(of: text) { QueueLines.add($0, "v4", to: &$1) }
            _ = try series(of: text) { NeighbourLines.add($0, to: &$1) }
            _ = try series(of: text) { ConnectionLines.add($0, to: &$1) }
            _ = try series(of: text) { NextProtocolLines.add($0, to: &$1) }
            _ = try series(of: text) { FileLines.add($0, to: &$1) }
            _ = try series(of: text) { HostNames.addSystem($0, to: &$1) }
            _ = try series(of: text) { ClockReader.addSources("node_test_info", $0, device: "0", to: &$1) }
        }
    }
}

@Suite("What seldom changes")
struct MetricsSeldomTests {
    @Test("os-release: its fields become labels without their quotes, and the version's number a value")
    func system() throws {
        let text = """
            # a comment
            PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
            NAME='Debian GNU/Linux'
            VERSION_ID="12.5"
            VERSION="12 (\\"bookworm\\")"
            ID=debian
            HOME_URL="https://www.debian.org/"
            BROKEN

            """
        let values = try series(of: text) { HostNames.addSystem($0, to: &$1) }
        let info =
            #"{id="debian",name="Debian GNU/Linux",pretty_name="Debian GNU/Linux 12 (bookworm)","#
            + #"version="12 (\"bookworm\")",version_id="12.5"}"#
        #expect(values["node_os_info\(info)"] == 1)
        #expect(values[#"node_os_version{id="debian",name="Debian GNU/Linux"}"#] == 12.5)
        let rolling = try series(of: "ID=arch\nBUILD_ID=rolling\n") { HostNames.addSystem($0, to: &$1) }
        #expect(rolling == [#"node_os_info{build_id="rolling",id="arch"}"#: 1], "a system without a version")
    }

    @Test("A clock's state: its offset is in nanoseconds where the kernel says so, everything in seconds here")
    func clock() throws {
        var clock = mainstay_clock()
        clock.offset = 1500
        clock.freq = 65536
        clock.maxerror = 16_000_000
        clock.esterror = 250
        clock.status = 0x2001
        clock.tick = 10000
        clock.tai = 37
        clock.is_nano = 1
        clock.is_synchronized = 1
        var round = RoundBuilder()
        ClockReader.add(clock, to: &round)
        let values = try named(&round)
        #expect(values["node_timex_offset_seconds"] == 1.5e-6)
        #expect(values["node_timex_frequency_adjustment_ratio"] == 1.000001)
        #expect(values["node_timex_maxerror_seconds"] == 16)
        #expect(values["node_timex_estimated_error_seconds"] == 0.00025)
        #expect(values["node_timex_status"] == 8193)
        #expect(values["node_timex_tick_seconds"] == 0.01)
        #expect(values["node_timex_tai_offset_seconds"] == 37)
        #expect(values["node_timex_sync_status"] == 1)
        #expect(values.count == 17)
        clock.is_nano = 0
        clock.is_synchronized = 0
        ClockReader.add(clock, to: &round)
        let coarse = try named(&round)
        #expect(coarse["node_timex_offset_seconds"] == 0.0015)
        #expect(coarse["node_timex_sync_status"] == 0)
    }

    @Test("Sources of the clock stand as labels")
    func clockSources() throws {
        let values = try series(of: "tsc kvm-clock \n") {
            ClockReader.addSources("node_time_clocksource_available_info", $0, device: "0", to: &$1)
        }
        #expect(
            values == [
                #"node_time_clocksource_available_info{clocksource="tsc",device="0"}"#: 1,
                #"node_time_clocksource_available_info{clocksource="kvm-clock",device="0"}"#: 1,
            ])
    }

    @Test("A network device's files become its figures; one that is down or has no such file gives nothing for it")
    func devices() throws {
        let tree = FakeTree()
        try tree.put([
            "eth0/mtu": "1500\n", "eth0/speed": "1000\n", "eth0/flags": "0x1003\n", "eth0/dev_id": "0x0\n",
            "eth0/operstate": "up\n", "eth0/address": "02:fc:00:00:00:01\n", "eth0/broadcast": "ff:ff:ff:ff:ff:ff\n",
            "eth0/duplex": "full\n", "eth0/ifalias": "the outside\n", "eth0/carrier_up_count": "2\n",
            "eth0/statistics/rx_nohandler": "9\n", "eth0/type": "odd\n", "veth1/operstate": "down\n",
            "veth1/speed": "-1\n", "bonding_masters": "bond0\n",
        ])
        let reader = DeviceReader(folder: tree.root)
        let first = reader.measure(withTable: false)
        let table = try #require(first.table)
        let values = Dictionary(uniqueKeysWithValues: zip(table.map(\.description), first.values))
        #expect(values["node_network_mtu_bytes{device=\"eth0\"}"] == 1500)
        #expect(values["node_network_speed_bytes{device=\"eth0\"}"] == 125_000_000)
        #expect(values["node_network_speed_bytes{device=\"veth1\"}"] == -125_000, "unknown, as node_exporter gives it")
        #expect(values["node_network_flags{device=\"eth0\"}"] == 4099)
        #expect(values["node_network_device_id{device=\"eth0\"}"] == 0)
        #expect(values["node_network_up{device=\"eth0\"}"] == 1)
        #expect(values["node_network_up{device=\"veth1\"}"] == 0)
        #expect(values["node_network_carrier_up_changes_total{device=\"eth0\"}"] == 2)
        #expect(values["node_network_receive_nohandler_total{device=\"eth0\"}"] == 9)
        #expect(values["node_network_protocol_type{device=\"eth0\"}"] == nil)
        let info =
            #"{address="02:fc:00:00:00:01",broadcast="ff:ff:ff:ff:ff:ff",device="eth0",duplex="full","#
            + #"ifalias="the outside",operstate="up"}"#
        #expect(values["node_network_info\(info)"] == 1)
        #expect(values[#"node_network_info{device="veth1",operstate="down"}"#] == 1)
        #expect(!values.keys.contains { $0.contains("bonding_masters") })
        #expect(reader.measure(withTable: false).table == nil, "nothing changed")
        try tree.put(["eth0/duplex": "half\n"])
        let changed = try #require(reader.measure(withTable: false).table)
        #expect(changed.contains { $0.metric == "node_network_info" && $0.value(of: "duplex") == "half" })
    }

    @Test("Temperatures and what cools: thousandths of a degree become degrees, a zone that cannot be read is left out")
    func temperatures() throws {
        let tree = FakeTree()
        try tree.put([
            "thermal_zone0/type": "x86_pkg_temp\n", "thermal_zone0/temp": "-1500\n", "thermal_zone1/type": "acpitz\n",
            "cooling_device0/type": "Processor\n", "cooling_device0/cur_state": "1\n",
            "cooling_device0/max_state": "10\n",
        ])
        var round = RoundBuilder()
        ThermalReader(folder: tree.root).add(to: &round, buffer: ReadBuffer())
        #expect(
            try named(&round) == [
                #"node_thermal_zone_temp{type="x86_pkg_temp",zone="0"}"#: -1.5,
                #"node_cooling_device_cur_state{name="0",type="Processor"}"#: 1,
                #"node_cooling_device_max_state{name="0",type="Processor"}"#: 10,
            ])
        ThermalReader(folder: "\(tree.root)/none").add(to: &round, buffer: ReadBuffer())
        #expect(try named(&round).isEmpty)
    }

    @Test("Units are counted by state, and each state of a named unit is a series with its type")
    func units() throws {
        var listing = UnitListing()
        listing.counts = ["active": 120, "failed": 1, "reloading": 1]
        listing.units = [
            UnitListing.Unit(name: "gateway.service", activeState: "active", type: "notify"),
            UnitListing.Unit(name: "backup.timer", activeState: "failed"),
        ]
        listing.systemState = "degraded"
        var round = RoundBuilder()
        UnitLines.add(listing, to: &round)
        let values = try named(&round)
        #expect(values[#"node_systemd_units{state="active"}"#] == 120)
        #expect(values[#"node_systemd_units{state="inactive"}"#] == 0)
        #expect(values[#"node_systemd_units{state="reloading"}"#] == 1)
        #expect(values["node_systemd_system_running"] == 0)
        #expect(values[#"node_systemd_unit_state{name="gateway.service",state="active",type="notify"}"#] == 1)
        #expect(values[#"node_systemd_unit_state{name="gateway.service",state="failed",type="notify"}"#] == 0)
        #expect(values[#"node_systemd_unit_state{name="backup.timer",state="failed"}"#] == 1)
        #expect(values.count == 6 + 1 + 2 * 5)
        listing.systemState = "running"
        UnitLines.add(listing, to: &round)
        #expect(try named(&round)["node_systemd_system_running"] == 1)
        UnitLines.add(UnitListing(), to: &round)
        #expect(try named(&round).count == 5)
    }

    @Test("This host's own figures come, and a second round makes no table")
    func host() throws {
        let reader = SeldomReader()
        let first = reader.measure(withTable: true)
        let table = try #require(first.table)
        let names = Set(table.map(\.metric))
        #expect(Set(table).count == table.count, "no series stands twice")
        for name in ["node_uname_info", "node_udp_queues", "node_selinux_enabled", "node_time_zone_offset_seconds"] {
            #expect(names.contains(name), "\(name)")
        }
        #expect(reader.measure(withTable: false).table == nil)
    }

    @Test("A mount is ignored where its folder is the kernel's or a container's, and not where it only holds them")
    func mounts() {
        for folder in ["/dev", "/dev/shm", "/proc", "/sys/fs/cgroup", "/var/lib/docker/overlay2/x/merged"] {
            #expect(FilesystemReader.isIgnored(folder), "\(folder)")
        }
        for folder in ["/", "/devices", "/var/lib/docker", "/run", "/var/lib/containers/storage", "/srv"] {
            #expect(!FilesystemReader.isIgnored(folder), "\(folder)")
        }
    }
}
