package import Wire

// etcd's v3 API as JSON over HTTP (its grpc-gateway, https://etcd.io/docs/v3.4/dev-guide/api_grpc_gateway/): keys and values
// are base64, 64-bit integers are strings, and what is zero, empty or false is left out. A watch is a stream of objects, one a
// line.

/// Which store answered, and at which revision it was. Revisions of two clusters have nothing to do with each other.
package struct EtcdHead: Hashable, Sendable {
    package var cluster: String
    package var revision: Int64

    package init(cluster: String, revision: Int64) {
        self.cluster = cluster
        self.revision = revision
    }
}

/// A key as it is now.
package struct EtcdPair: Hashable, Sendable {
    package var key: [UInt8]
    package var value: [UInt8]
    /// The revision that last changed it.
    package var revision: Int64

    package init(key: [UInt8], value: [UInt8], revision: Int64) {
        self.key = key
        self.value = value
        self.revision = revision
    }
}

/// A page of a listing.
package struct EtcdPage: Hashable, Sendable {
    package var head: EtcdHead
    package var pairs: [EtcdPair]
    /// More keys follow the last of these.
    package var hasMore: Bool

    package init(head: EtcdHead, pairs: [EtcdPair], hasMore: Bool) {
        self.head = head
        self.pairs = pairs
        self.hasMore = hasMore
    }
}

/// All changes that one transaction made.
package struct EtcdRevision: Hashable, Sendable {
    package var number: Int64
    /// In their order; a value of nil is a key that was deleted.
    package var changes: [Change]

    /// What became of one key.
    package struct Change: Hashable, Sendable {
        package var key: [UInt8]
        package var value: [UInt8]?

        package init(key: [UInt8], value: [UInt8]?) {
            self.key = key
            self.value = value
        }
    }

    package init(number: Int64, changes: [Change]) {
        self.number = number
        self.changes = changes
    }
}

/// One line of a watch. Without `fragment`, which nobody asks for, etcd never cuts a revision in two.
package enum EtcdTold: Hashable, Sendable {
    /// The watch stands, and misses nothing from now on.
    case opened(EtcdHead)
    /// In ascending order; none where etcd says only how far it is.
    case revisions([EtcdRevision], EtcdHead)
    /// It is over. `compacted`: what it was to begin with is no longer kept.
    case ended(compacted: Bool, String)
}

/// Why etcd gave no answer that can be used.
package struct EtcdFailure: Error, Hashable, Sendable {
    /// What happened, for the journal.
    package var message: String

    package init(_ message: String) { self.message = message }
}

/// What configd-etcd asks of etcd.
package enum EtcdRequest {
    /// Keys of one page.
    package static let pageKeys = 256

    /// The first key that does not begin with `prefix`.
    package static func end(of prefix: [UInt8]) -> [UInt8] {
        var end = prefix
        while let last = end.popLast() {
            if last < 0xFF { return end + [last + 1] }
        }
        return [0]  // etcd's word for "to the last key".
    }

    /// Who is there: the head of an answer without keys.
    package static func head(prefix: [UInt8]) -> JSONObject {
        var object = range(prefix, to: end(of: prefix))
        object["count_only"] = true
        return object
    }

    /// The keys of `prefix` after `last` as they were at `revision`, a page of them.
    package static func page(prefix: [UInt8], after last: [UInt8]?, revision: Int64) -> JSONObject {
        var object = range(last.map { $0 + [0] } ?? prefix, to: end(of: prefix))
        object["revision"] = .string("\(revision)")
        object["limit"] = .string("\(pageKeys)")
        return object
    }

    /// All changes of `prefix` from `revision` on.
    package static func watch(prefix: [UInt8], from revision: Int64) -> JSONObject {
        var object = range(prefix, to: end(of: prefix))
        object["start_revision"] = .string("\(revision)")
        object["progress_notify"] = true
        return ["create_request": .object(object)]
    }

    /// Several keys written or deleted at once.
    package static func write(_ writes: [StatusWrite]) -> JSONObject {
        let operations = writes.map { write -> JSON in
            let key = JSON.string(Base64.encode(write.key))
            guard let value = write.value else {
                return ["request_delete_range": ["key": key]]
            }
            return ["request_put": ["key": key, "value": .string(Base64.encode(value))]]
        }
        return ["success": .array(operations)]
    }

    private static func range(_ key: [UInt8], to end: [UInt8]) -> JSONObject {
        ["key": .string(Base64.encode(key)), "range_end": .string(Base64.encode(end))]
    }
}

/// What etcd's answers mean.
package enum EtcdAnswer {
    /// The answer to `EtcdRequest.head` and `page`.
    package static func page(_ json: JSON) throws(EtcdFailure) -> EtcdPage {
        try reading { () throws(WireError) in
            let object = try JSONObject(wire: json)
            let pairs: [JSONObject] = try optional(object, "kvs") ?? []
            return EtcdPage(
                head: try head(object), pairs: try pairs.map { pair throws(WireError) in try Self.pair(pair) },
                hasMore: try optional(object, "more") ?? false)
        }
    }

    /// One line of a watch.
    package static func told(_ json: JSON) throws(EtcdFailure) -> EtcdTold {
        try reading { () throws(WireError) in
            let object = try JSONObject(wire: json)
            if let error: JSONObject = try optional(object, "error") {
                return .ended(compacted: false, try optional(error, "message") ?? "etcd ended the watch")
            }
            let result: JSONObject = try optional(object, "result") ?? [:]
            if try optional(result, "canceled") ?? false {
                let isCompacted = try number(result, "compact_revision") > 0
                return .ended(
                    compacted: isCompacted, try optional(result, "cancel_reason") ?? "etcd ended the watch")
            }
            if try optional(result, "created") ?? false { return .opened(try head(result)) }
            let events: [JSONObject] = try optional(result, "events") ?? []
            return .revisions(try revisions(events), try head(result))
        }
    }

    /// The token of `/v3/auth/authenticate`.
    package static func token(_ json: JSON) throws(EtcdFailure) -> String {
        try reading { () throws(WireError) in
            guard let token: String = try optional(try JSONObject(wire: json), "token") else {
                throw WireError(place: "token", problem: "expected a value, found nothing")
            }
            return token
        }
    }

    /// What an answer that is no success says.
    package static func problem(status: Int, _ body: [UInt8]) -> String {
        let said = try? JSONObject(wire: try JSONReader.read(body))
        guard case .string(let message)? = said?["error"] else { return "etcd answered \(status)" }
        return message
    }

    private static func reading<Value>(_ body: () throws(WireError) -> Value) throws(EtcdFailure) -> Value {
        do { return try body() } catch { throw EtcdFailure("etcd answered what is no answer of its: \(error)") }
    }

    private static func optional<Value: WireValue>(_ object: JSONObject, _ key: String) throws(WireError) -> Value? {
        guard let json = object[key], json != .null else { return nil }
        do { return try Value(wire: json) } catch { throw WireError(place: key, problem: "\(error)") }
    }

    private static func number(_ object: JSONObject, _ key: String) throws(WireError) -> Int64 {
        guard let text: String = try optional(object, key) else { return 0 }
        guard let number = Int64(text) else {
            throw WireError(place: key, problem: "expected a 64-bit integer as a string, found \"\(text)\"")
        }
        return number
    }

    private static func bytes(_ object: JSONObject, _ key: String) throws(WireError) -> [UInt8] {
        guard let text: String = try optional(object, key) else { return [] }
        guard let bytes = Base64.decode(text) else { throw WireError(place: key, problem: "expected base64") }
        return bytes
    }

    private static func head(_ object: JSONObject) throws(WireError) -> EtcdHead {
        let header: JSONObject = try optional(object, "header") ?? [:]
        return EtcdHead(cluster: try optional(header, "cluster_id") ?? "", revision: try number(header, "revision"))
    }

    private static func pair(_ object: JSONObject) throws(WireError) -> EtcdPair {
        EtcdPair(
            key: try bytes(object, "key"), value: try bytes(object, "value"),
            revision: try number(object, "mod_revision"))
    }

    private static func revisions(_ events: [JSONObject]) throws(WireError) -> [EtcdRevision] {
        var revisions: [EtcdRevision] = []
        for event in events {
            let pair = try pair(try optional(event, "kv") ?? [:])
            let type: String? = try optional(event, "type")
            let change = EtcdRevision.Change(key: pair.key, value: type == "DELETE" ? nil : pair.value)
            if revisions.last?.number == pair.revision {
                revisions[revisions.count - 1].changes.append(change)
            } else {
                revisions.append(EtcdRevision(number: pair.revision, changes: [change]))
            }
        }
        return revisions
    }
}
