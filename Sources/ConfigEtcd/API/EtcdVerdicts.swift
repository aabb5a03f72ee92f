package import Wire

/// What became of a revision on this host.
package enum EtcdOutcome: String, WireValue, CaseIterable {
    /// It is in the file, or changed nothing.
    case applied
    /// It is in the file on trial, and goes back unless it is confirmed.
    case onTrial
    /// It was on trial and stays.
    case confirmed
    /// configd does not take it; the file holds what it held before.
    case refused
    /// It was on trial and went back.
    case takenBack
    /// Nothing is wrong with it, but it cannot be applied now; it is tried again by itself.
    case waiting
}

/// What stands in etcd under the status key of a service and host, and in `status` of configd-etcd.
package struct EtcdServiceStatus: WireObject {
    package var service: String
    /// The newest revision that was judged, or is on trial, or waits; 0 before the first.
    package var revision: Int64
    package var outcome: EtcdOutcome
    /// The newest revision that the file follows; 0 before the first.
    package var applied: Int64
    /// configd's version of it, of the first of its files; nil where none was made.
    package var version: Int64?
    /// The newest revision that was refused or taken back; 0 before the first.
    package var refused: Int64
    /// The name of configd's refusal, where `outcome` is one, or waits.
    package var error: String?
    package var message: String?
    package var remedy: String?
    /// In milliseconds since 1970.
    package var atMs: Int64

    package init(
        service: String, revision: Int64 = 0, outcome: EtcdOutcome = .applied, applied: Int64 = 0,
        version: Int64? = nil, refused: Int64 = 0, error: String? = nil, message: String? = nil,
        remedy: String? = nil, atMs: Int64 = 0
    ) {
        self.service = service
        self.revision = revision
        self.outcome = outcome
        self.applied = applied
        self.version = version
        self.refused = refused
        self.error = error
        self.message = message
        self.remedy = remedy
        self.atMs = atMs
    }

    package init(from fields: inout Fields) throws(WireError) {
        service = try fields.value("service")
        revision = try fields.value("revision")
        outcome = try fields.value("outcome")
        applied = try fields.value("applied")
        version = try fields.optional("version")
        refused = try fields.value("refused")
        error = try fields.optional("error")
        message = try fields.optional("message")
        remedy = try fields.optional("remedy")
        atMs = try fields.value("atMs")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("service", service)
        object.member("revision", revision)
        object.member("outcome", outcome)
        object.member("applied", applied)
        object.member("version", version)
        object.member("refused", refused)
        object.member("error", error)
        object.member("message", message)
        object.member("remedy", remedy)
        object.member("atMs", atMs)
    }
}

/// What stands in etcd under `refused/REVISION` of the status key: why a revision is not in the file.
package struct EtcdRefusal: WireObject {
    package var service: String
    package var revision: Int64
    /// `refused` or `takenBack`.
    package var outcome: EtcdOutcome
    package var error: String
    package var message: String
    package var remedy: String
    /// The keys that it sets or removes, at most 20. No value is in it.
    package var keys: [String]
    /// In milliseconds since 1970.
    package var atMs: Int64

    package init(
        service: String, revision: Int64, outcome: EtcdOutcome, error: String, message: String, remedy: String,
        keys: [String], atMs: Int64
    ) {
        self.service = service
        self.revision = revision
        self.outcome = outcome
        self.error = error
        self.message = message
        self.remedy = remedy
        self.keys = keys
        self.atMs = atMs
    }

    package init(from fields: inout Fields) throws(WireError) {
        service = try fields.value("service")
        revision = try fields.value("revision")
        outcome = try fields.value("outcome")
        error = try fields.value("error")
        message = try fields.value("message")
        remedy = try fields.value("remedy")
        keys = try fields.value("keys")
        atMs = try fields.value("atMs")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("service", service)
        object.member("revision", revision)
        object.member("outcome", outcome)
        object.member("error", error)
        object.member("message", message)
        object.member("remedy", remedy)
        object.member("keys", keys)
        object.member("atMs", atMs)
    }
}

/// configd-etcd's own part of `status`.
package struct EtcdStatus: WireObject {
    /// The member that is asked, as the settings say it.
    package var endpoint: String
    /// Whether it answers, and since when (milliseconds since 1970).
    package var answers: Bool
    package var sinceMs: Int64
    /// Why it does not.
    package var problem: String?
    /// The newest revision of the prefix that was heard of; 0 before the first.
    package var revision: Int64
    /// Status keys that are still to be written.
    package var unwritten: Int
    package var services: [EtcdServiceStatus]

    package init(
        endpoint: String, answers: Bool, sinceMs: Int64, problem: String?, revision: Int64, unwritten: Int,
        services: [EtcdServiceStatus]
    ) {
        self.endpoint = endpoint
        self.answers = answers
        self.sinceMs = sinceMs
        self.problem = problem
        self.revision = revision
        self.unwritten = unwritten
        self.services = services
    }

    package init(from fields: inout Fields) throws(WireError) {
        endpoint = try fields.value("endpoint")
        answers = try fields.value("answers")
        sinceMs = try fields.value("sinceMs")
        problem = try fields.optional("problem")
        revision = try fields.value("revision")
        unwritten = try fields.value("unwritten")
        services = try fields.value("services")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("endpoint", endpoint)
        object.member("answers", answers)
        object.member("sinceMs", sinceMs)
        object.member("problem", problem)
        object.member("revision", revision)
        object.member("unwritten", unwritten)
        object.member("services", services)
    }
}
