import Testing
import Wire

/// Every example of every document goes through the messages that the daemons and the command use, both ways.
@Suite struct ExampleTests {
    @Test(
        "A request's example is read by the daemon, and written by a client, with nothing lost",
        arguments: Socket.allCases)
    func requests(_ socket: Socket) throws {
        let contracts = contracts(of: socket)
        for method in try OpenRPCDocument(of: socket.rawValue).methods {
            let contract = try #require(contracts[method.name], "\(socket): \(method.name) is in no API")
            for example in method.examples {
                try reading("\(socket) \(method.name), \(example.name)") {
                    let bytes = Request.bytes(
                        id: .integer(7), method: method.name, params: example.params, deadlineMs: 1000)
                    let request = try Request(try JSONReader.read(try throughFrames(bytes)))
                    #expect(request.method == method.name)
                    #expect(request.deadlineMs == 1000)
                    let written = try contract.params.roundTrip(.object(request.params), .refused)
                    // A parameter that was left out may come back with its default; what was given stays.
                    guard case .object(let object) = written.normalised else { return }
                    for (key, value) in example.params.members {
                        #expect(object[key] == value.normalised, "\(method.name), \(example.name): \(key)")
                    }
                }
            }
        }
    }

    @Test(
        "A reply's example is what the daemon writes and what a client reads, member for member",
        arguments: Socket.allCases)
    func replies(_ socket: Socket) throws {
        let contracts = contracts(of: socket)
        for method in try OpenRPCDocument(of: socket.rawValue).methods {
            let contract = try #require(contracts[method.name], "\(socket): \(method.name) is in no API")
            for example in method.examples {
                try reading("\(socket) \(method.name), \(example.name)") {
                    let bytes = ServerMessage.reply(to: .integer(7), example.result)
                    let message = try ServerMessage(try JSONReader.read(try throughFrames(bytes)))
                    guard case .reply(.integer(7), let result) = message else {
                        Issue.record("\(message) is no reply")
                        return
                    }
                    let written = try contract.reply.roundTrip(result, .ignored)
                    #expect(
                        written.normalised == example.result.normalised,
                        "\(socket) \(method.name), \(example.name): written as \(JSONWriter.text(of: written))")
                }
            }
        }
    }

    @Test("An event's example is what the daemon publishes and what a subscriber reads", arguments: Socket.allCases)
    func events(_ socket: Socket) throws {
        for event in try OpenRPCDocument(of: socket.rawValue).events {
            let data = try #require(socket.events[event.name], "\(socket): \(event.name) is in no API")
            for example in event.examples {
                try reading("\(socket) \(event.name)") {
                    let published = try Event(wire: .object(example), unknown: .refused)
                    let bytes = try throughFrames(ServerMessage.eventBytes(published))
                    #expect(try ServerMessage(try JSONReader.read(bytes)) == .event(published))
                    let written = try data.roundTrip(.object(published.data), .refused)
                    #expect(written.normalised == JSON.object(published.data).normalised, "\(socket) \(event.name)")
                }
            }
        }
    }

    @Test("An error's example is what the daemon sends and what a client reads", arguments: Socket.allCases)
    func errors(_ socket: Socket) throws {
        for (name, example) in try OpenRPCDocument(of: socket.rawValue).errors {
            try reading("\(socket) \(name)") {
                let error = try RPCError(wire: example, unknown: .refused)
                #expect(error.name == name)
                let bytes = try throughFrames(ServerMessage.failure(to: .string("a"), error))
                #expect(try ServerMessage(try JSONReader.read(bytes)) == .failure(.string("a"), error))
                let written = try Message(RPCError.self).roundTrip(example, .refused)
                #expect(written.normalised == example.normalised, "\(socket) \(name)")
            }
        }
    }

    private func contracts(of socket: Socket) -> [String: Contract] {
        Dictionary(uniqueKeysWithValues: socket.contracts.map { ($0.name, $0) })
    }

    /// Names the example whose message cannot be read.
    private func reading(_ what: String, _ body: () throws -> Void) throws {
        do { try body() } catch { Issue.record("\(what): \(error)") }
    }

    /// The body as it comes out of a frame that arrives byte by byte.
    private func throughFrames(_ body: [UInt8]) throws -> [UInt8] {
        var reader = FrameReader()
        var received: [UInt8]?
        for byte in try #require(Frame.around(body)) {
            reader.append([byte])
            if let whole = try reader.next() { received = whole }
        }
        return try #require(received)
    }
}
