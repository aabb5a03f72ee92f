import Testing
import Wire

@Suite struct MessageTests {
    private struct Sample: WireObject {
        enum Colour: String, WireValue, CaseIterable {
            case red
            case green
        }

        struct Inner: WireObject {
            var width: Int
            init(width: Int) { self.width = width }
            init(from fields: inout Fields) throws(WireError) { width = try fields.value("width") }
            func write(to object: inout ObjectWriter) { object.member("width", width) }
        }

        var colour: Colour
        var sizes: [Inner]
        var note: String?

        init(from fields: inout Fields) throws(WireError) {
            colour = try fields.value("colour")
            sizes = try fields.value("sizes", or: [])
            note = try fields.optional("note")
        }

        func write(to object: inout ObjectWriter) {
            object.member("colour", colour)
            object.member("sizes", sizes)
            object.member("note", note)
        }
    }

    private func read(_ text: String, unknown: Fields.Unknown = .refused) throws -> Sample {
        try Sample(wire: try JSONReader.read(text), unknown: unknown)
    }

    @Test func aMessageIsReadAndWrittenWithItsKeysInOrder() throws {
        let text = #"{"colour":"green","sizes":[{"width":3}],"note":"x"}"#
        #expect(JSONWriter.text(of: try read(text)) == text)
        #expect(JSONWriter.text(of: try read(#"{"sizes":[],"colour":"red"}"#)) == #"{"colour":"red","sizes":[]}"#)
    }

    @Test(arguments: [
        (#"{"sizes":[]}"#, "colour: expected a value, found nothing"),
        (#"{"colour":"blue"}"#, #"colour: expected one of "red", "green", found "blue""#),
        (
            #"{"colour":"red","sizes":[{"width":1},{"width":"2"}]}"#,
            "sizes[1].width: expected an integer, found a string"
        ),
        (#"{"colour":"red","sizes":{}}"#, "sizes: expected an array, found an object"),
        (#"{"colour":"red","sizes":[{"width":1,"height":2}]}"#, "sizes[0].height: unknown parameter; known are width"),
        (#"{"colour":"red","hue":1}"#, "hue: unknown parameter; known are colour, note, sizes"),
    ])
    func whatDoesNotFitIsNamedWithItsPath(_ text: String, _ message: String) {
        let error = #expect(throws: WireError.self) { try read(text) }
        #expect(error?.description == message)
    }

    @Test func aReplyFromANewerDaemonIsReadAllTheSame() throws {
        let sample = try read(#"{"colour":"red","sizes":[{"width":1,"height":2}],"hue":1}"#, unknown: .ignored)
        #expect(sample.sizes == [.init(width: 1)])
    }

    @Test func aRequestIsReadWithItsDeadlineApart() throws {
        let json = try JSONReader.read(
            #"{"jsonrpc":"2.0","id":"a","method":"hold","params":{"service":"gateway","deadlineMs":250}}"#)
        let request = try Request(json)
        #expect(request.id == .string("a"))
        #expect(request.deadlineMs == 250)
        #expect(request.params == ["service": "gateway"])
        #expect(try Request(try JSONReader.read(request.bytes)) == request)
    }

    @Test(arguments: [
        (#"{"id":1,"method":"m"}"#, "jsonrpc: expected a value, found nothing"),
        (#"{"jsonrpc":"2.0","method":"m"}"#, "id: expected a value, found nothing"),
        (#"{"jsonrpc":"2.0","id":1.5,"method":"m"}"#, "id: expected a string or an integer, found a number"),
        (#"{"jsonrpc":"2.0","id":null,"method":"m"}"#, "id: expected a string or an integer, found null"),
        (#"{"jsonrpc":"2.0","id":1,"method":"m","params":[1]}"#, "params: expected an object, found an array"),
        (
            #"{"jsonrpc":"2.0","id":1,"method":"m","extra":1}"#,
            "extra: unknown parameter; known are id, jsonrpc, method, params"
        ),
        (
            #"{"jsonrpc":"2.0","id":1,"method":"m","params":{"deadlineMs":0}}"#,
            "params.deadlineMs: expected an integer from 1 to 3600000, found an integer"
        ),
        (#"[{"jsonrpc":"2.0","id":1,"method":"m"}]"#, "expected an object, found an array"),
    ])
    func whatIsNoRequestIsRefused(_ text: String, _ message: String) {
        let error = #expect(throws: WireError.self) { try Request(try JSONReader.read(text)) }
        #expect(error?.description == message)
    }

    @Test func everythingThatAServerSaysIsReadByAClient() throws {
        let error = RPCError(
            code: 1001, name: "versionConflict", message: "found 4", remedy: "Read again", details: ["found": 4])
        let event = Event(sequence: 9, name: "applied", atMs: 5, data: ["version": 4])
        let said: [([UInt8], ServerMessage)] = [
            (ServerMessage.reply(to: .integer(3), [1, 2]), .reply(.integer(3), [1, 2])),
            (ServerMessage.failure(to: .string("x"), error), .failure(.string("x"), error)),
            (ServerMessage.failure(to: nil, error), .failure(nil, error)),
            (ServerMessage.eventBytes(event), .event(event)),
            (ServerMessage.laggedBytes(lost: 12), .lagged(lost: 12)),
        ]
        for (bytes, message) in said { #expect(try ServerMessage(try JSONReader.read(bytes)) == message) }
    }

    @Test func aReplyThatFitsNoFrameIsRefusedForItsOwnCall() throws {
        let long = String(repeating: "x", count: Frame.longestBodyBytes)
        let message = try ServerMessage(try JSONReader.read(ServerMessage.reply(to: .integer(7), long)))
        guard case .failure(.integer(7), let error) = message else {
            Issue.record("found \(message)")
            return
        }
        #expect(error.name == "limitExceeded")
    }

    @Test func aValueThatJSONCannotHoldIsWrittenAsNull() {
        #expect(JSONWriter.text(of: JSON.number(.nan)) == "null")
        #expect(JSONWriter.text(of: JSON.integer(.max)) == "9007199254740992")
        #expect(JSONWriter.text(of: JSON.integer(.min)) == "-9007199254740992")
    }
}
