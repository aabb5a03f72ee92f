/// A request's id: what the reply repeats.
package enum RequestID: Hashable, Sendable {
    case integer(Int64)
    case string(String)
}

extension RequestID: WireValue {
    package init(wire: JSON, unknown: Fields.Unknown) throws(WireError) {
        switch wire {
        case .integer(let value): self = .integer(value)
        case .string(let value): self = .string(value)
        case .null, .bool, .number, .array, .object: throw .expected("a string or an integer", found: wire)
        }
    }

    package func write(to writer: inout JSONWriter) {
        switch self {
        case .integer(let value): writer.integer(value)
        case .string(let value): writer.string(value)
        }
    }
}

/// One call. Every call has an id: there is nothing here that a caller may not hear the outcome of.
package struct Request: Hashable, Sendable {
    package var id: RequestID
    package var method: String
    /// The parameters without `deadlineMs`.
    package var params: JSONObject
    /// How long the caller waits, in milliseconds (1 to 3,600,000); it travels as `params.deadlineMs`.
    package var deadlineMs: Int64

    /// What holds where a caller names no deadline.
    package static let standardDeadlineMs: Int64 = 5000
    /// The longest deadline that is taken: an hour.
    package static let longestDeadlineMs: Int64 = 3_600_000

    package init(
        id: RequestID, method: String, params: JSONObject, deadlineMs: Int64 = Request.standardDeadlineMs
    ) {
        self.id = id
        self.method = method
        self.params = params
        self.deadlineMs = deadlineMs
    }

    /// Reads a request, or says why it is none.
    package init(_ json: JSON) throws(WireError) {
        guard case .object(let object) = json else { throw .expected("an object", found: json) }
        var fields = Fields(object, unknown: .refused)
        let version: String = try fields.value("jsonrpc")
        guard version == "2.0" else { throw WireError(place: "jsonrpc", problem: "expected \"2.0\"") }
        id = try fields.value("id")
        method = try fields.value("method")
        var params: JSONObject = try fields.value("params", or: [:])
        try fields.finish()
        deadlineMs = Request.standardDeadlineMs
        if let wanted = params["deadlineMs"] {
            guard case .integer(let value) = wanted, value >= 1, value <= Request.longestDeadlineMs else {
                throw WireError(
                    place: "params.deadlineMs",
                    problem: "expected an integer from 1 to \(Request.longestDeadlineMs), found \(wanted.kind)")
            }
            deadlineMs = value
            params["deadlineMs"] = nil
        }
        self.params = params
    }

    /// The bytes of the request.
    package var bytes: [UInt8] {
        var params = params
        params["deadlineMs"] = .integer(deadlineMs)
        return Self.bytes(id: id, method: method, params: params)
    }

    /// The bytes of a call with typed parameters.
    package static func bytes<Params: WireObject>(
        id: RequestID, method: String, params: Params, deadlineMs: Int64
    ) -> [UInt8] {
        bytes(id: id, method: method, params: Timed(params: params, deadlineMs: deadlineMs))
    }

    private static func bytes(id: RequestID, method: String, params: some WireObject) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { object in
            object.member("jsonrpc", "2.0")
            object.member("id", id)
            object.member("method", method)
            object.member("params", params)
        }
        return writer.bytes
    }

    private struct Timed<Params: WireObject>: WireObject {
        var params: Params
        var deadlineMs: Int64

        init(params: Params, deadlineMs: Int64) {
            self.params = params
            self.deadlineMs = deadlineMs
        }

        init(from fields: inout Fields) throws(WireError) {
            deadlineMs = try fields.value("deadlineMs")
            params = try Params(from: &fields)
        }

        func write(to object: inout ObjectWriter) {
            params.write(to: &object)
            object.member("deadlineMs", deadlineMs)
        }
    }
}

/// Something that happened, as `subscribe` streams it. Numbers run up by one for each event of a daemon's life; a gap is
/// always announced by `lagged`.
package struct Event: WireObject {
    /// From 1, in the daemon's order.
    package var sequence: Int64
    /// A word in the past tense: `incidentOpened`.
    package var name: String
    /// When, in milliseconds since 1970.
    package var atMs: Int64
    /// What the event's contract says.
    package var data: JSONObject

    package init(sequence: Int64, name: String, atMs: Int64, data: JSONObject) {
        self.sequence = sequence
        self.name = name
        self.atMs = atMs
        self.data = data
    }

    package init(from fields: inout Fields) throws(WireError) {
        sequence = try fields.value("sequence")
        name = try fields.value("name")
        atMs = try fields.value("atMs")
        data = try fields.value("data", or: [:])
    }

    package func write(to object: inout ObjectWriter) {
        object.member("sequence", sequence)
        object.member("name", name)
        object.member("atMs", atMs)
        object.member("data", data)
    }
}

/// What a client reads from a socket.
package enum ServerMessage: Hashable, Sendable {
    case reply(RequestID, JSON)
    case failure(RequestID?, RPCError)
    case event(Event)
    /// This subscriber was too slow: so many events were not sent to it.
    case lagged(lost: Int64)

    /// Reads a message of a daemon; members from newer versions are ignored.
    package init(_ json: JSON) throws(WireError) {
        guard case .object(let object) = json else { throw .expected("an object", found: json) }
        var fields = Fields(object, unknown: .ignored)
        if let method: String = try fields.optional("method") {
            let params: JSONObject = try fields.value("params", or: [:])
            switch method {
            case "event": self = .event(try Event(wire: .object(params)))
            case "lagged":
                var members = Fields(params, unknown: .ignored)
                self = .lagged(lost: try members.value("lost"))
            default: throw WireError(place: "method", problem: "expected event or lagged, found \"\(method)\"")
            }
            return
        }
        if let error: RPCError = try fields.optional("error") {
            self = .failure(try fields.optional("id"), error)
            return
        }
        self = .reply(try fields.value("id"), try fields.value("result"))
    }

    /// The bytes of a successful reply; of a refusal where it would not fit a frame, so that the caller learns it for
    /// the call that it made.
    package static func reply(to id: RequestID, _ result: some WireValue) -> [UInt8] {
        var writer = JSONWriter(reserving: 512)
        writer.object { object in
            object.member("jsonrpc", "2.0")
            object.member("id", id)
            object.member("result", result)
        }
        guard writer.bytes.count <= Frame.longestBodyBytes else {
            return failure(to: id, .limitExceeded("the reply is over the \(Frame.longestBodyBytes) bytes of a frame"))
        }
        return writer.bytes
    }

    /// The bytes of a refusal; without an id where the request's own could not be read.
    package static func failure(to id: RequestID?, _ error: RPCError) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { object in
            object.member("jsonrpc", "2.0")
            if let id { object.member("id", id) } else { object.member("id", JSON.null) }
            object.member("error", error)
        }
        return writer.bytes
    }

    /// The bytes of one event.
    package static func eventBytes(_ event: Event) -> [UInt8] {
        notification("event") { event.write(to: &$0) }
    }

    /// The bytes that tell a subscriber how many events it lost.
    package static func laggedBytes(lost: Int64) -> [UInt8] {
        notification("lagged") { $0.member("lost", lost) }
    }

    private static func notification(_ method: String, _ params: (inout ObjectWriter) -> Void) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { object in
            object.member("jsonrpc", "2.0")
            object.member("method", method)
            object.member("params", params)
        }
        return writer.bytes
    }
}
