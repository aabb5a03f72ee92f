package import Wire

// Changes on trial: `set` and `rollback` with `confirmMs` make one, and unless it is confirmed in time it goes back by itself.
//
// configd keeps the files and the deadline; it acts on no process. watchdogd sees `pending` with what the change needs,
// does it, and says `activated`; only then the window is open. healthd, or an operator, says `confirm` or `cancel` in it.

/// What has to be done so that the service takes up its files: named by the settings, done by watchdogd.
package enum ConfigActivation: String, WireValue, CaseIterable {
    /// It reads them by itself, or whoever changes them sees to it.
    case nothing
    /// A signal to the unit's main process.
    case SIGHUP, SIGUSR1, SIGUSR2
    /// systemd's ReloadUnit.
    case reload
    /// It reads them at its start.
    case restart

    /// The one that serves both: where two different signals are wanted, only a restart does.
    package func joined(with other: ConfigActivation) -> ConfigActivation {
        if self == other { return self }
        let (weaker, stronger) = strength <= other.strength ? (self, other) : (other, self)
        return weaker.strength == Self.SIGHUP.strength && stronger.strength == weaker.strength ? .restart : stronger
    }

    private var strength: Int {
        switch self {
        case .nothing: 0
        case .SIGHUP, .SIGUSR1, .SIGUSR2: 1
        case .reload: 2
        case .restart: 3
        }
    }
}

/// Why a change on trial went back.
package struct PendingEnd: WireObject {
    /// What ended it.
    package enum Kind: String, WireValue, CaseIterable {
        /// Somebody said that it is bad; `detail` has their words.
        case cancelled
        /// The window ended without a confirmation.
        case unconfirmed
        /// Nobody brought the service to it in time.
        case unactivated
        /// Somebody else wrote one of its files meanwhile, so that nobody can judge it any more.
        case edited
        /// The host was booted anew: what was seen of it before says nothing.
        case rebooted
    }

    package var kind: Kind
    package var detail: String
    /// Who cancelled it.
    package var uid: Int64?

    package init(_ kind: Kind, detail: String = "", uid: Int64? = nil) {
        self.kind = kind
        self.detail = detail
        self.uid = uid
    }

    package init(from fields: inout Fields) throws(WireError) {
        kind = try fields.value("kind")
        detail = try fields.value("detail", or: "")
        uid = try fields.optional("uid")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("kind", kind)
        if !detail.isEmpty { object.member("detail", detail) }
        object.member("uid", uid)
    }
}

/// A change on trial, or one that went back and that its service does not follow yet.
package struct ConfigPending: WireObject {
    /// Where it stands.
    package enum Phase: String, WireValue, CaseIterable {
        /// In force, and the service is still to be brought to it.
        case applied
        /// In force, and the window is open.
        case activated
        /// In force for good; only in the event `confirmed`.
        case confirmed
        /// Decided against; the files are being written.
        case goingBack
        /// What was in force before is again.
        case takenBack
    }

    /// One file of the change.
    package struct File: WireObject {
        package var file: String
        /// The version on trial.
        package var version: Int64
        /// The one that comes back unless it is confirmed.
        package var previous: Int64

        package init(file: String, version: Int64, previous: Int64) {
            self.file = file
            self.version = version
            self.previous = previous
        }

        package init(from fields: inout Fields) throws(WireError) {
            file = try fields.value("file")
            version = try fields.value("version")
            previous = try fields.value("previous")
        }

        package func write(to object: inout ObjectWriter) {
            object.member("file", file)
            object.member("version", version)
            object.member("previous", previous)
        }
    }

    /// Names the change; `confirm`, `cancel` and `activated` are about no other.
    package var id: Int64
    package var service: String
    package var files: [File]
    package var phase: Phase
    package var activation: ConfigActivation
    /// Whether the service is still to be brought to what its files hold now.
    package var wantsActivation: Bool
    /// How long it may stay unconfirmed once it is activated.
    package var windowMs: Int64
    /// What is left of the window, or of the time to activate it; nil where no time ends it.
    package var leftMs: Int64?
    /// When it was recorded, in milliseconds since 1970.
    package var atMs: Int64
    /// When what was before it came into force, in milliseconds since 1970.
    package var beforeMs: Int64
    /// When its phase began, in milliseconds since 1970.
    package var sinceMs: Int64
    /// When its files came to hold it, on the host's monotonic clock in microseconds, as systemd tells its times; nil before.
    package var appliedUs: Int64?
    /// When its files came to hold what was before it again; nil before.
    package var takenBackUs: Int64?
    /// The process that was brought to it.
    package var invocation: String?
    package var authorUID: Int64
    package var reason: String
    /// Why it went back.
    package var end: PendingEnd?

    package init(
        id: Int64, service: String, files: [File], phase: Phase, activation: ConfigActivation, wantsActivation: Bool,
        windowMs: Int64, leftMs: Int64?, atMs: Int64, beforeMs: Int64 = 0, sinceMs: Int64, appliedUs: Int64? = nil,
        takenBackUs: Int64? = nil,
        invocation: String? = nil, authorUID: Int64, reason: String, end: PendingEnd? = nil
    ) {
        self.id = id
        self.service = service
        self.files = files
        self.phase = phase
        self.activation = activation
        self.wantsActivation = wantsActivation
        self.windowMs = windowMs
        self.leftMs = leftMs
        self.atMs = atMs
        self.beforeMs = beforeMs
        self.sinceMs = sinceMs
        self.appliedUs = appliedUs
        self.takenBackUs = takenBackUs
        self.invocation = invocation
        self.authorUID = authorUID
        self.reason = reason
        self.end = end
    }

    package init(from fields: inout Fields) throws(WireError) {
        id = try fields.value("id")
        service = try fields.value("service")
        files = try fields.value("files")
        phase = try fields.value("phase")
        activation = try fields.value("activation")
        wantsActivation = try fields.value("wantsActivation")
        windowMs = try fields.value("windowMs")
        leftMs = try fields.optional("leftMs")
        atMs = try fields.value("atMs")
        beforeMs = try fields.value("beforeMs")
        sinceMs = try fields.value("sinceMs")
        appliedUs = try fields.optional("appliedUs")
        takenBackUs = try fields.optional("takenBackUs")
        invocation = try fields.optional("invocation")
        authorUID = try fields.value("authorUID")
        reason = try fields.value("reason")
        end = try fields.optional("end")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("id", id)
        object.member("service", service)
        object.member("files", files)
        object.member("phase", phase)
        object.member("activation", activation)
        object.member("wantsActivation", wantsActivation)
        object.member("windowMs", windowMs)
        object.member("leftMs", leftMs)
        object.member("atMs", atMs)
        object.member("beforeMs", beforeMs)
        object.member("sinceMs", sinceMs)
        object.member("appliedUs", appliedUs)
        object.member("takenBackUs", takenBackUs)
        object.member("invocation", invocation)
        object.member("authorUID", authorUID)
        object.member("reason", reason)
        object.member("end", end)
    }

    /// Whether it is in force on trial.
    package var isOnTrial: Bool {
        switch phase {
        case .applied, .activated: true
        case .confirmed, .goingBack, .takenBack: false
        }
    }
}

extension Config {
    /// What `confirmMs` takes, in milliseconds: from what a service's first answers take up to a day.
    package static let confirmWindows: ClosedRange<Int64> = 1000...86_400_000

    static func confirmMs(_ fields: inout Fields) throws(WireError) -> Int64? {
        let window: Int64? = try fields.optional("confirmMs")
        if let window, !confirmWindows.contains(window) {
            throw WireError(
                place: "confirmMs",
                problem: "expected \(confirmWindows.lowerBound) to \(confirmWindows.upperBound), found \(window)")
        }
        return window
    }

    /// `pending`: the changes on trial, and those that went back and that their service does not follow yet.
    package enum Pending: RPCMethod {
        package static let name = "pending"
        package static let access = Access.read

        package typealias Params = ScopeParams

        package struct Reply: WireObject {
            /// One a service at most, by its name.
            package var pending: [ConfigPending]

            package init(pending: [ConfigPending]) { self.pending = pending }

            package init(from fields: inout Fields) throws(WireError) { pending = try fields.value("pending") }

            package func write(to object: inout ObjectWriter) { object.member("pending", pending) }
        }
    }

    /// `activated`: the service runs what its files hold. Opens the window of a change that is applied; ends one that was
    /// taken back. Said again it changes nothing.
    package enum Activated: RPCMethod {
        package static let name = "activated"
        package static let access = Access.peer(["watchdogd"])

        package struct Params: WireObject {
            package var service: String
            package var id: Int64
            /// Names the process that runs it, as watchdogd knows it.
            package var invocation: String

            package init(service: String, id: Int64, invocation: String) {
                self.service = service
                self.id = id
                self.invocation = invocation
            }

            package init(from fields: inout Fields) throws(WireError) {
                service = try fields.value("service")
                id = try fields.value("id")
                invocation = try fields.value("invocation")
            }

            package func write(to object: inout ObjectWriter) {
                object.member("service", service)
                object.member("id", id)
                object.member("invocation", invocation)
            }
        }

        package typealias Reply = ConfigPending
    }

    /// What `confirm` and `cancel` take.
    package struct Word: WireObject {
        package var service: String
        package var id: Int64
        /// For the journal, and for the history of what a cancel takes back; at most 1,000 bytes.
        package var reason: String

        package init(service: String, id: Int64, reason: String = "") {
            self.service = service
            self.id = id
            self.reason = reason
        }

        package init(from fields: inout Fields) throws(WireError) {
            service = try fields.value("service")
            id = try fields.value("id")
            reason = try Config.reason(&fields)
        }

        package func write(to object: inout ObjectWriter) {
            object.member("service", service)
            object.member("id", id)
            object.member("reason", reason)
        }
    }

    /// `confirm`: the change stays. Only in its window, and only once.
    package enum Confirm: RPCMethod {
        package static let name = "confirm"
        package static let access = Access.actOrPeer(["healthd"])
        package typealias Params = Word
        package typealias Reply = ConfigPending
    }

    /// `cancel`: the change goes back now. Answers when what was before is in force again, durably.
    package enum Cancel: RPCMethod {
        package static let name = "cancel"
        package static let access = Access.actOrPeer(["healthd", "watchdogd"])
        package typealias Params = Word
        package typealias Reply = ConfigPending
    }
}
