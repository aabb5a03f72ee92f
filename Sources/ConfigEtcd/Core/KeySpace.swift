package import ConfigAPI

/// One key of one file of a service: what etcd's keys stand for.
package struct FileKey: Hashable, Comparable, Sendable {
    /// The file's path, as the settings say it.
    package var file: String
    package var key: String

    package init(file: String, key: String) {
        self.file = file
        self.key = key
    }

    package static func < (left: FileKey, right: FileKey) -> Bool {
        (left.file, left.key) < (right.file, right.key)
    }
}

/// A service that is followed.
package struct FollowedService: Hashable, Sendable {
    package var name: String
    /// The paths of its files.
    package var files: [String]
    /// How long a change is on trial; nil: it is in force at once.
    package var confirm: Duration?

    package init(name: String, files: [String], confirm: Duration? = nil) {
        self.name = name
        self.files = files
        self.confirm = confirm
    }
}

/// Why a revision is not in the file, in configd's words or in ours.
package struct Objection: Hashable, Sendable {
    /// A stable word: the name of configd's refusal.
    package var error: String
    package var message: String
    package var remedy: String

    package init(error: String, message: String, remedy: String) {
        self.error = error
        self.message = message
        self.remedy = remedy
    }
}

/// What etcd's keys mean here. Under the prefix lie `SERVICE/env/KEY` for a service with one file, and
/// `SERVICE/files/NAME/env/KEY`, NAME being the last part of a file's path. `json` in place of `env` takes the text of a JSON value,
/// for a JSON file; there KEY is a pointer, with its own first slash: `SERVICE/env//server/host`.
package struct KeySpace: Hashable, Sendable {
    package let prefix: [UInt8]
    private let services: [String: FollowedService]

    package init(prefix: String, services: [FollowedService]) {
        self.prefix = Array(prefix.utf8)
        self.services = Dictionary(services.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
    }

    /// What a key stands for.
    package enum Meaning: Hashable, Sendable {
        /// A service that is not followed here.
        case nothing
        case key(service: String, FileKey, isJSON: Bool)
        /// Of a service that is followed, but no key of a file of it.
        case mistake(service: String, Objection)
    }

    /// The meaning of a key of etcd's.
    package func meaning(of key: [UInt8]) -> Meaning {
        guard key.starts(with: prefix) else { return .nothing }
        let rest = key.dropFirst(prefix.count)
        guard let slash = rest.firstIndex(of: UInt8(ascii: "/")),
            let service = services[String(decoding: rest[..<slash], as: UTF8.self)]
        else { return .nothing }
        guard let text = String(validating: rest[(slash + 1)...], as: UTF8.self) else {
            return mistake(service, String(decoding: rest, as: UTF8.self))
        }
        var words = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        var name: Substring?
        if words.first == "files", words.count == 2 {
            let named = words[1].split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            guard named.count == 2 else { return mistake(service, text) }
            name = named[0]
            words = named[1].split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        }
        guard words.count == 2, words[0] == "env" || words[0] == "json", !words[1].isEmpty else {
            return mistake(service, text)
        }
        guard let file = file(name, of: service) else { return unknownFile(service, name) }
        return .key(
            service: service.name, FileKey(file: file, key: String(words[1])), isJSON: words[0] == "json")
    }

    private func file(_ name: Substring?, of service: FollowedService) -> String? {
        let found = service.files.filter { file in name == nil || file.split(separator: "/").last == name }
        return found.count == 1 ? found[0] : nil
    }

    private func mistake(_ service: FollowedService, _ key: String) -> Meaning {
        .mistake(
            service: service.name,
            Objection(
                error: "unknownLayout", message: "\"\(key)\" is no key of a file of \(service.name)",
                remedy: "Call it env/KEY, or files/NAME/env/KEY where the service has several files"))
    }

    private func unknownFile(_ service: FollowedService, _ name: Substring?) -> Meaning {
        let message =
            if let name { "\(service.name) has not one file called \(name)" } else {
                "\(service.name) has \(service.files.count) files, and the key names none"
            }
        return .mistake(
            service: service.name,
            Objection(
                error: "unknownFile", message: message,
                remedy: "Name one as files/NAME/env/KEY; there are \(service.files.joined(separator: ", "))"))
    }
}

/// What one transaction of etcd's means for one service.
package struct ServiceRevision: Hashable, Sendable {
    package var number: Int64
    package var sets: [FileKey: ConfigValue] = [:]
    package var removes: Set<FileKey> = []
    /// Why nothing of it can be applied.
    package var objection: Objection?

    package init(number: Int64) { self.number = number }

    /// The names of its keys, sorted.
    package var keys: [String] { (Array(sets.keys) + removes).sorted().map(\.key) }

    /// The sum of several, in ascending order, without those that nothing can be applied of.
    init(joining revisions: some Collection<ServiceRevision>) {
        number = 0
        for revision in revisions {
            number = revision.number
            guard revision.objection == nil else { continue }
            for key in revision.removes {
                sets[key] = nil
                removes.insert(key)
            }
            for (key, value) in revision.sets {
                sets[key] = value
                removes.remove(key)
            }
        }
    }

    /// What it holds, roughly.
    var bytes: Int {
        sets.reduce(removes.count * 64) { $0 + $1.key.key.utf8.count + $1.value.sizeBytes + 64 }
    }

    mutating func add(_ change: EtcdRevision.Change, to key: FileKey, isJSON: Bool) {
        guard let bytes = change.value else {
            sets[key] = nil
            removes.insert(key)
            return
        }
        removes.remove(key)
        guard isJSON else {
            sets[key] = ConfigValue(bytes)
            return
        }
        if let text = String(validating: bytes, as: UTF8.self) {
            sets[key] = .json(text)
        } else {
            objection = Objection(
                error: "invalidJSONValue", message: "the value of \(key.key) is not UTF-8", remedy: "Put JSON there")
        }
    }
}

extension KeySpace {
    /// What a revision means for each service that it touches.
    package func parts(of revision: EtcdRevision) -> [String: ServiceRevision] {
        var parts: [String: ServiceRevision] = [:]
        for change in revision.changes {
            switch meaning(of: change.key) {
            case .nothing: continue
            case .key(let service, let key, let isJSON):
                parts[service, default: ServiceRevision(number: revision.number)].add(change, to: key, isJSON: isJSON)
            case .mistake(let service, let objection):
                // A key that was never one may go without a word.
                if change.value == nil { continue }
                parts[service, default: ServiceRevision(number: revision.number)].objection = objection
            }
        }
        return parts
    }
}

extension ConfigValue {
    fileprivate var sizeBytes: Int {
        switch self {
        case .text(let text), .json(let text): text.utf8.count
        case .bytes(let bytes): bytes.count
        }
    }
}
