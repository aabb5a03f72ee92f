import Foundation
import Wire

/// A daemon's OpenRPC document, read with the wire's own strict reader.
struct OpenRPCDocument: Sendable {
    var daemon: String
    var root: JSONObject

    /// The project's folder, found from this file's place in it.
    static let project = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    init(of daemon: String) throws {
        self.daemon = daemon
        let file = Self.project.appending(path: "Protocols/\(daemon).openrpc.json")
        root = try JSONObject(wire: try JSONReader.read(Array(try Data(contentsOf: file))))
    }

    var methods: [Method] { get throws { try objects(root["methods"]).map(Method.init) } }

    /// `components.errors`: each is an error as it travels.
    var errors: [String: JSON] {
        get throws {
            let components = try JSONObject(wire: root["components"] ?? .null)
            return try [String: JSON](wire: components["errors"] ?? .null)
        }
    }

    var events: [Event] { get throws { try objects(root["x-events"]).map(Event.init) } }

    struct Method: Sendable {
        var name: String
        var access: String
        var peers: Set<String>
        var sameAs: String?
        var examples: [Example]

        init(_ object: JSONObject) throws {
            name = try String(wire: object["name"] ?? .null)
            access = try String(wire: object["x-access"] ?? .null)
            peers = Set(try [String](wire: object["x-peers"] ?? .array([])))
            sameAs = try object["x-same-as"].map { try String(wire: $0) }
            examples = try objects(object["examples"]).map(Example.init)
        }
    }

    struct Example: Sendable {
        var name: String
        /// The parameters as one object, as they travel.
        var params: JSONObject
        var result: JSON

        init(_ object: JSONObject) throws {
            name = try String(wire: object["name"] ?? .null)
            var params = JSONObject()
            for parameter in try objects(object["params"]) {
                params[try String(wire: parameter["name"] ?? .null)] = parameter["value"]
            }
            self.params = params
            result = try JSONObject(wire: object["result"] ?? .null)["value"] ?? .null
        }
    }

    struct Event: Sendable {
        var name: String
        /// Whole events, as they travel.
        var examples: [JSONObject]

        init(_ object: JSONObject) throws {
            name = try String(wire: object["name"] ?? .null)
            examples = try objects(object["examples"])
        }
    }
}

private func objects(_ json: JSON?) throws -> [JSONObject] { try [JSONObject](wire: json ?? .null) }

extension JSON {
    /// The same value with whole numbers as integers, so that `5` and `5.0` compare equal.
    var normalised: JSON {
        switch self {
        case .number(let value) where value == value.rounded() && value.magnitude < 1e15: .integer(Int64(value))
        case .array(let elements): .array(elements.map(\.normalised))
        case .object(let object): .object(JSONObject(object.members.map { ($0.key, $0.value.normalised) }))
        case .null, .bool, .integer, .number, .string: self
        }
    }
}
