import Foundation
import Glibc
import MetricsCore
import Testing
import Time

@testable import MetricsDaemon

/// The values of a round by the name of their series.
private func named(_ collection: MetricsCore.Collection, _ table: [Labels]) -> [String: Double] {
    Dictionary(zip(table.map(\.description), collection.values)) { first, _ in first }
}

private func bytes<Value>(_ text: String, _ body: (UnsafeRawBufferPointer) -> Value) -> Value {
    Array(text.utf8).withUnsafeBytes(body)
}

@Suite("metricsd's readers")
struct MetricsReadersTests {
    @Test("The host's figures come under node_exporter's names, and a second round makes no table")
    func host() throws {
        let reader = SystemReader()
        let first = reader.measure(wallSeconds: 1_795_506_583.5, withTable: true)
        let table = try #require(first.table)
        #expect(table.count == first.values.count)
        #expect(Set(table).count == table.count, "no series stands twice")
        let values = named(first, table)
        #expect(values["node_memory_MemTotal_bytes"] ?? 0 > 67_108_864.0)
        #expect(values["node_cpu_seconds_total{cpu=\"0\",mode=\"idle\"}"] ?? 0 > 0)
        #expect(values["node_boot_time_seconds"] ?? 0 > 1_500_000_000)
        #expect(values["node_filefd_allocated"] ?? 0 > 0)
        #expect(values["node_time_seconds"] == 1_795_506_583.5)
        for name in [
            "node_load1", "node_intr_total", "node_context_switches_total", "node_forks_total", "node_procs_running",
            "node_vmstat_pgfault", "node_sockstat_sockets_used", "node_sockstat_TCP_mem_bytes",
            "node_network_receive_bytes_total{device=\"lo\"}", "node_netstat_Tcp_CurrEstab",
            "node_netstat_IpExt_InOctets", "node_memory_Active_anon_bytes", "node_softnet_processed_total{cpu=\"0\"}",
        ] { #expect(values[name] != nil, "\(name)") }
        let second = reader.measure(wallSeconds: 1_795_506_584.5, withTable: false)
        #expect(second.table == nil)
        #expect(second.values.count == table.count)
        let third = reader.measure(wallSeconds: 1_795_506_585.5, withTable: true)
        #expect(third.table == table)
    }

    @Test("A device's line is turned into seconds and bytes; loops, RAM disks and partitions are left out")
    func disks() throws {
        var round = RoundBuilder()
        let text = """
               7       0 loop0 1 1 1 1 1 1 1 1 0 1 1 0 0 0 0 0 0
             254       0 vda 41877 10072 6422882 13032 12656 102278 10000632 26483 3 7928 39926 2219 0 204672 364 1554 46

            """
        bytes(text) { DiskLines.add($0, to: &round) }
        let collection = round.finish(withTable: true)
        let values = named(collection, try #require(collection.table))
        #expect(values.count == 17)
        #expect(values["node_disk_read_bytes_total{device=\"vda\"}"] == 6_422_882.0 * 512)
        #expect(values["node_disk_read_time_seconds_total{device=\"vda\"}"] == 13.032)
        #expect(values["node_disk_io_now{device=\"vda\"}"] == 3)
        #expect(values["node_disk_flush_requests_time_seconds_total{device=\"vda\"}"] == 0.046)
        for ignored in ["ram0", "loop12", "sda1", "vdb2", "xvda1", "nvme0n1p2", "fd0"] {
            #expect(bytes(ignored) { DiskLines.isIgnored($0) }, "\(ignored)")
        }
        for kept in ["sda", "vdb", "nvme0n1", "dm-0", "md127", "zram0", "mmcblk0"] {
            #expect(!bytes(kept) { DiskLines.isIgnored($0) }, "\(kept)")
        }
    }

    @Test("A device that comes or goes changes the table, and nothing else does")
    func tablesChange() {
        var round = RoundBuilder()
        let head = "Inter-|\n face |\n"
        let lo = "    lo:  3193 29 0 0 0 0 0 0 3193 29 0 0 0 0 0 0\n"
        let eth = "  eth0: 5 1 0 0 0 0 0 0 7 1 0 0 0 0 0 0\n"
        func measure(_ text: String) -> MetricsCore.Collection {
            bytes(head + text) { NetworkLines.add($0, to: &round) }
            return round.finish(withTable: false)
        }
        #expect(measure(lo).table?.count == 16)
        #expect(measure(lo).table == nil)
        let both = measure(lo + eth)
        #expect(both.table?.count == 32)
        #expect(both.values[16] == 5 && both.values[24] == 7)
        #expect(measure(lo + eth).table == nil)
        let one = measure(eth)
        #expect(one.table?.first == Labels("node_network_receive_bytes_total", [Label("device", "eth0")]))
        #expect(one.values.count == 16)
    }

    @Test("Damaged and foreign lines are passed over")
    func foreignLines() {
        var round = RoundBuilder()
        for text in ["", "\n\n", "x", "a b c", "   8 0 sda", "  eth0:", "\u{0}\u{1}", "sda 1 2 3 -4 x\n"] {
            bytes(text) { DiskLines.add($0, to: &round) }
            bytes(text) { NetworkLines.add($0, to: &round) }
            bytes(text) { bytes in
                var scanner = ByteScanner(bytes)
                _ = scanner.decimal()
                _ = scanner.hexadecimal()
                _ = scanner.word(stop: 0x3a)
                _ = scanner.line()
                #expect(scanner.isAtEnd || scanner.at > 0)
            }
        }
        #expect(bytes("/mnt/my\\040disk\\134") { FilesystemReader.unescaped($0) } == "/mnt/my disk\\")
    }

    @Test("A unit's processes are found in its cgroup, summed, and its main process is the oldest from outside")
    func processes() throws {
        let root = "/tmp/mainstay-cgroup-\(UUID().uuidString.prefix(8))"
        defer { try? FileManager.default.removeItem(atPath: root) }
        let inner = "\(root)/system.slice/gateway.service/worker"
        try FileManager.default.createDirectory(atPath: inner, withIntermediateDirectories: true)
        let child = Process()
        child.executableURL = URL(fileURLWithPath: "/bin/sleep")
        child.arguments = ["30"]
        child.standApart()
        try child.run()
        defer { if child.isRunning { kill(child.processIdentifier, SIGKILL) } }
        try "\(getpid())\n".write(
            toFile: "\(root)/system.slice/gateway.service/cgroup.procs", atomically: false, encoding: .utf8)
        try "\(child.processIdentifier)\n".write(toFile: "\(inner)/cgroup.procs", atomically: false, encoding: .utf8)
        let reader = ProcessReader(hierarchy: UnitCgroup.Hierarchy(root: root, isUnified: true))
        let units = [
            WatchedUnit(service: "gateway", unit: "gateway.service"),
            WatchedUnit(service: "gone", unit: "gone.service"),
        ]
        let first = reader.measure(units, withTable: true)
        let values = named(first.collection, try #require(first.collection.table))
        #expect(first.owners["gateway"] == getuid())
        #expect(values["namedprocess_namegroup_num_procs{groupname=\"gateway\",service=\"gateway\"}"] == 2)
        #expect(values["namedprocess_namegroup_num_procs{groupname=\"gone\",service=\"gone\"}"] == 0)
        let main = "{job=\"process\",service=\"gateway\"}"
        #expect(values["process_resident_memory_bytes\(main)"] ?? 0 > 1_048_576.0)
        #expect(values["process_open_fds\(main)"] ?? 0 > 3)
        #expect(values["process_max_fds\(main)"] ?? 0 > 3)
        let started = try #require(values["process_start_time_seconds\(main)"])
        #expect(abs(started - Date().timeIntervalSince1970) < 86_400)
        // Not TERM: it inherited what threads of Swift's pool block, and would sleep to its end.
        kill(child.processIdentifier, SIGKILL)
        child.waitUntilExit()
        let second = reader.measure(units, withTable: true)
        let later = named(second.collection, try #require(second.collection.table))
        #expect(later["namedprocess_namegroup_num_procs{groupname=\"gateway\",service=\"gateway\"}"] == 1)
        let switches =
            "namedprocess_namegroup_context_switches_total{ctxswitchtype=\"voluntary\",groupname=\"gateway\",service=\"gateway\"}"
        #expect(try #require(later[switches]) >= (try #require(values[switches])), "counters never go back")
    }

    @Test("Prometheus text is read line by line; what cannot be read costs its own line")
    func exposition() throws {
        let text = """
            # HELP http_requests_total Requests.
            # TYPE http_requests_total counter
            http_requests_total{method="post",path="a\\"}b\\\\"} 1027 1395066363000
            http_requests_total{method="get"} 3
              spaces_total   1.5e3
            le_bucket{le="+Inf"} 7 # {trace_id="x"} 0.3
            nan_value NaN
            minus -Inf
            broken{a="b
            no_value
            = 4
            # EOF
            """
        let parser = ScrapeParser(service: "gateway", instance: "127.0.0.1:3000")
        let first = try parser.parse(Array(text.utf8), withTable: false)
        let table = try #require(first.table)
        let own = "instance=\"127.0.0.1:3000\",job=\"gateway\""
        let values = named(first, table)
        #expect(values["http_requests_total{\(own),method=\"post\",path=\"a\\\"}b\\\\\",service=\"gateway\"}"] == 1027)
        #expect(values["spaces_total{\(own),service=\"gateway\"}"] == 1500)
        #expect(values["le_bucket{\(own),le=\"+Inf\",service=\"gateway\"}"] == 7)
        #expect(values["nan_value{\(own),service=\"gateway\"}"]?.isNaN == true)
        #expect(values["minus{\(own),service=\"gateway\"}"] == -.infinity)
        let second = try parser.parse(Array(text.replacingOccurrences(of: "1027", with: "1028").utf8), withTable: false)
        #expect(second.table == nil)
        #expect(second.values.count == table.count)
        #expect(throws: (any Error).self) { try parser.parse(Array("<html>".utf8), withTable: false) }
        #expect(
            try parser.parse(Array("x{job=\"theirs\"} 1\n".utf8), withTable: false).table?.first?.value(
                of: "exported_job") == "theirs")
    }

    @Test("A sample whose series is too large or cannot be read is left out and counted, and its page goes on")
    func refusedSamples() throws {
        let long = String(repeating: "x", count: 3000)
        let many = (0..<65).map { "l\($0)=\"v\"" }.joined(separator: ",")
        let text = "a 1\nb{of=\"\(long)\"} 2\nc{\(many)} 3\nd{of=~\"x\"} 4\ne 5\n"
        let parser = ScrapeParser(service: "gateway", instance: "127.0.0.1:3000")
        let first = try parser.parse(Array(text.utf8), withTable: false)
        #expect(first.table?.map(\.metric) == ["a", "e"])
        #expect(first.values == [1, 5])
        #expect(first.refused == 3)
        let second = try parser.parse(Array(text.replacingOccurrences(of: "e 5", with: "e 6").utf8), withTable: false)
        #expect(second.table == nil)
        #expect(second.values == [1, 6])
        #expect(second.refused == 3)
        let asked = try parser.parse(Array("a 1\ne 7\n".utf8), withTable: true)
        #expect(asked.table?.map(\.metric) == ["a", "e"])
        #expect(asked.values == [1, 7] && asked.refused == 0)
    }

    @Test("File systems are measured as process 1 sees them, and as metricsd does where that is not permitted")
    func filesystems() throws {
        let process = "/tmp/mainstay-mounts-\(UUID().uuidString.prefix(8))"
        defer { try? FileManager.default.removeItem(atPath: process) }
        try FileManager.default.createDirectory(atPath: "\(process)/root/data", withIntermediateDirectories: true)
        try "/dev/vdb /data ext4 rw,relatime 0 0\n/dev/vdc /gone ext4 ro 0 0\n"
            .write(toFile: "\(process)/mounts", atomically: false, encoding: .utf8)
        let seen = FilesystemReader(process: process).measure(withTable: true)
        let values = named(seen, try #require(seen.table))
        let data = "{device=\"/dev/vdb\",fstype=\"ext4\",mountpoint=\"/data\"}"
        #expect(values["node_filesystem_size_bytes\(data)"] ?? 0 > 0)
        #expect(values["node_filesystem_readonly\(data)"] == 0)
        let gone = "{device=\"/dev/vdc\",fstype=\"ext4\",mountpoint=\"/gone\"}"
        #expect(values["node_filesystem_device_error\(gone)"] == 1)
        #expect(values["node_filesystem_readonly\(gone)"] == 1)
        let refused = FilesystemReader(process: "\(process)/nobody").measure(withTable: true)
        #expect(refused.table == FilesystemReader(process: "/proc/self").measure(withTable: true).table)
        #expect(refused.table?.isEmpty == false)
    }
}
