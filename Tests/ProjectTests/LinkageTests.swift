import Glibc
import Testing

/// What a program asks the loader for, itself: the DT_NEEDED entries of an ELF file for 64-bit little-endian machines
/// (System V ABI, "Dynamic Linking").
enum Linkage {
    static func needed(_ file: [UInt8]) -> [String]? {
        guard file.count > 64, file[0..<6].elementsEqual([0x7F, 0x45, 0x4C, 0x46, 2, 1]) else { return nil }
        let sections = (0..<number(file, 60, bytes: 2)).map { index in
            Section(file, at: number(file, 40, bytes: 8) + index * number(file, 58, bytes: 2))
        }
        guard let dynamic = sections.first(where: { $0.type == 6 }), sections.indices.contains(dynamic.link) else {
            return nil
        }
        let names = sections[dynamic.link].offset
        var found: [String] = []
        for entry in stride(from: dynamic.offset, to: dynamic.offset + dynamic.size, by: 16) {
            guard number(file, entry, bytes: 8) == 1 else { continue }
            let start = names + number(file, entry + 8, bytes: 8)
            guard start < file.count else { return nil }
            found.append(String(decoding: file[start...].prefix { $0 != 0 }, as: UTF8.self))
        }
        return found
    }

    private struct Section {
        var type: Int
        var offset: Int
        var size: Int
        var link: Int

        init(_ file: [UInt8], at start: Int) {
            type = number(file, start + 4, bytes: 4)
            offset = number(file, start + 24, bytes: 8)
            size = number(file, start + 32, bytes: 8)
            link = number(file, start + 40, bytes: 4)
        }
    }

    private static func number(_ file: [UInt8], _ start: Int, bytes: Int) -> Int {
        guard start >= 0, start + bytes <= file.count else { return 0 }
        return (0..<bytes).reversed().reduce(0) { $0 << 8 | Int(file[start + $1]) }
    }

    /// Libraries of `needed` that a daemon may not have: Foundation in any part, and ICU.
    static func heavy(_ needed: [String]) -> [String] {
        needed.filter { $0.hasPrefix("libFoundation") || $0.hasPrefix("lib_Foundation") || $0.hasPrefix("libicu") }
    }
}

@Suite struct LinkageTests {
    /// Where this build put its programs: beside the test bundle that the runner was started with.
    private static let folder: String? = CommandLine.arguments.first { $0.hasSuffix(".xctest") }
        .flatMap { bundle in bundle.lastIndex(of: "/").map { String(bundle[..<$0]) } }

    private func read(_ path: String) -> [UInt8] {
        guard let file = fopen(path, "r") else { return [] }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 1 << 20)
        while case let count = fread(&block, 1, block.count, file), count > 0 { bytes += block[..<count] }
        return bytes
    }

    @Test(arguments: ["configd", "metricsd", "healthd", "watchdogd", "configd-etcd"])
    func `a daemon links no Foundation and no ICU`(daemon: String) throws {
        let folder = try #require(Self.folder, "the runner was started without a bundle")
        let needed = try #require(Linkage.needed(read("\(folder)/\(daemon)")), "\(folder)/\(daemon) is no ELF program")
        #expect(needed.contains("libc.so.6"))
        #expect(Linkage.heavy(needed) == [], "\(daemon) needs \(needed)")
        #expect(needed.contains { $0.hasPrefix("libhiredis") } == (daemon == "metricsd"), "\(daemon) needs \(needed)")
        #expect(needed.contains { $0.hasPrefix("libsnappy") } == (daemon == "metricsd"), "\(daemon) needs \(needed)")
        #expect(!needed.contains { $0.hasPrefix("libpq") }, "\(daemon) loads libpq where it is needed, and only then")
    }

    @Test func `a program with Foundation is found`() throws {
        // The runner itself is such a program.
        let needed = try #require(Linkage.needed(read("/proc/self/exe")))
        #expect(!needed.isEmpty)
        #expect(Linkage.heavy(["libc.so.6", "libFoundationEssentials.so", "lib_FoundationICU.so"]).count == 2)
    }

    @Test func `what is no program is told as such`() {
        #expect(Linkage.needed([]) == nil)
        #expect(Linkage.needed([UInt8](repeating: 0x7F, count: 200)) == nil)
    }
}
