import Foundation
import Testing
import Wire

/// The documents say all that the APIs have, and nothing else.
@Suite struct DocumentTests {
    @Test("The documents keep their shape, and every example fits its schema")
    func shape() throws {
        let check = Process()
        check.executableURL = OpenRPCDocument.project.appending(path: "Scripts/lib/protocols")
        check.arguments = ["check"]
        let output = Pipe()
        check.standardOutput = output
        try check.run()
        let told = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        check.waitUntilExit()
        #expect(check.terminationStatus == 0, "\(told)")
    }

    @Test("The check itself refuses an example that its schema does not allow")
    func canary() throws {
        let source = OpenRPCDocument.project.appending(path: "Protocols/healthd.openrpc.json")
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let broken = folder.appending(path: "healthd.openrpc.json")
        try String(contentsOf: source, encoding: .utf8)
            .replacingOccurrences(of: #""status": "healthy""#, with: #""status": "splendid""#)
            .write(to: broken, atomically: true, encoding: .utf8)
        let check = Process()
        check.executableURL = OpenRPCDocument.project.appending(path: "Scripts/lib/protocols")
        check.arguments = ["check", broken.path]
        let output = Pipe()
        check.standardOutput = output
        try check.run()
        let told = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        check.waitUntilExit()
        #expect(check.terminationStatus == 1)
        #expect(told.contains(#""splendid" is not one of the values allowed"#))
    }

    @Test("Each method of an API is documented, each documented method is in an API", arguments: Socket.allCases)
    func methods(_ socket: Socket) throws {
        let documented = try OpenRPCDocument(of: socket.rawValue).methods.map(\.name)
        #expect(Set(documented) == Set(socket.contracts.map(\.name)))
        #expect(documented.count == socket.contracts.count)
    }

    @Test("A method's class of access stands in the document as the API has it", arguments: Socket.allCases)
    func access(_ socket: Socket) throws {
        let methods = try OpenRPCDocument(of: socket.rawValue).methods
        for contract in socket.contracts {
            let method = try #require(methods.first { $0.name == contract.name }, "\(contract.name)")
            #expect(method.access == contract.access.name, "\(contract.name)")
            let peers: Set<String> =
                switch contract.access {
                case .peer(let names), .actOrPeer(let names): names
                case .open, .read, .act, .own: []
                }
            #expect(method.peers == peers, "\(contract.name)")
        }
    }

    @Test("Each event of an API is documented, each documented event is in an API", arguments: Socket.allCases)
    func events(_ socket: Socket) throws {
        let documented = try OpenRPCDocument(of: socket.rawValue).events.map(\.name)
        #expect(documented.sorted() == socket.events.keys.sorted())
        #expect(documented.sorted() == socket.eventNames.sorted(), "`subscribe` takes each of them and no other")
    }

    @Test("Each refusal stands in the document with its code, its remedy and its figures", arguments: Socket.allCases)
    func refusals(_ socket: Socket) throws {
        let documented = try OpenRPCDocument(of: socket.rawValue).errors
        for refusal in socket.refusals + Socket.commonRefusals {
            let example = try #require(documented[refusal.name], "\(socket): \(refusal.name) is not documented")
            let shown = try RPCError(wire: example)
            #expect(shown.code == refusal.code, "\(refusal.name)")
            #expect(shown.remedy == refusal.remedy, "\(refusal.name)")
            #expect(shown.details.keys.sorted() == refusal.details.keys.sorted(), "\(refusal.name)")
        }
        let known = Set((socket.refusals + Socket.commonRefusals).map(\.name))
        #expect(Set(documented.keys).subtracting(known).isEmpty, "documented, and in no API")
    }

    @Test("No two refusals share a code or a name")
    func codes() {
        let all = Socket.commonRefusals + Socket.allCases.flatMap(\.refusals)
        #expect(Set(all.map(\.code)).count == all.count)
    }
}

/// The table of the seed's names in Protocols/README.md.
@Suite struct SeedNameTests {
    /// The rows: the seed's words, the daemon, its method, and the suite's own word for it.
    private func rows() throws -> [[String]] {
        let readme = OpenRPCDocument.project.appending(path: "Protocols/README.md")
        let lines = try String(contentsOf: readme, encoding: .utf8).split(separator: "\n")
        let start = try #require(lines.firstIndex { $0.hasPrefix("| the seed's |") })
        return lines[(start + 2)...].prefix { $0.hasPrefix("|") }.map { line in
            line.split(separator: "|", omittingEmptySubsequences: false).dropFirst().dropLast()
                .map { $0.trimmingCharacters(in: .whitespaces) }
        }
    }

    @Test("Each of the seed's methods is served under its name, or said to be missing")
    func names() throws {
        let rows = try rows()
        #expect(rows.count == 23)
        for row in rows {
            let socket = try #require(Socket(rawValue: row[1]), "\(row)")
            let served = Set(socket.contracts.map(\.name))
            for word in [row[2], row[3]] where word.hasPrefix("`") {
                #expect(served.contains(word.trimmingCharacters(in: ["`"])), "\(word) of \(socket)")
            }
            if row[2] == "not yet" {
                #expect(!served.contains(row[0].trimmingCharacters(in: ["`"])), "\(row[0]) is there by now")
            }
        }
    }
}
