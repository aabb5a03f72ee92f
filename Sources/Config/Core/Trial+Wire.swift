package import ConfigAPI
package import Time
package import Wire

// A trial as the ledger keeps it and as the socket shows it.

extension Trial {
    /// As the socket shows it at `now`.
    package func shown(now: Moment) -> ConfigPending {
        var shown = ConfigPending(
            id: id, service: service,
            files: files.map { ConfigPending.File(file: $0.path, version: $0.version, previous: $0.previous) },
            phase: .applied, activation: activation, wantsActivation: wantsActivation, windowMs: window.milliseconds,
            leftMs: deadline.map { max(0, ($0.instant - now.instant).milliseconds) },
            atMs: recordedAt.wall.milliseconds, beforeMs: before.milliseconds, sinceMs: recordedAt.wall.milliseconds,
            appliedUs: appliedAt.map(Self.microseconds), authorUID: Int64(authorUID), reason: reason)
        switch phase {
        case .recorded: break
        case .applied(let since): shown.sinceMs = since.wall.milliseconds
        case .activated(let since, let invocation):
            (shown.phase, shown.sinceMs, shown.invocation) = (.activated, since.wall.milliseconds, invocation)
        case .goingBack(let since, let end):
            (shown.phase, shown.sinceMs, shown.end) = (.goingBack, since.wall.milliseconds, end)
        case .takenBack(let since, let end):
            (shown.phase, shown.sinceMs, shown.end) = (.takenBack, since.wall.milliseconds, end)
            shown.takenBackUs = Self.microseconds(since)
        }
        return shown
    }

    /// Rounded up: who started in the same microsecond may have read the files before.
    private static func microseconds(_ moment: Moment) -> Int64 { moment.instant.nanoseconds / 1000 + 1 }
}

extension PendingEnd {
    /// For the history and the journal.
    package var sentence: String {
        switch kind {
        case .cancelled: detail.isEmpty ? "cancelled" : "cancelled: \(detail)"
        case .unconfirmed: "nobody confirmed it in time"
        case .unactivated: "its service was not brought to it in time"
        case .edited: "somebody else changed its file meanwhile"
        case .rebooted: "the host was booted anew before it was confirmed"
        }
    }
}

extension Trial: WireObject {
    package init(from fields: inout Fields) throws(WireError) {
        id = try fields.value("id")
        service = try fields.value("service")
        files = try fields.value("files")
        window = .milliseconds(try fields.value("windowMs") as Int64)
        activation = try fields.value("activation")
        activationLimit = .milliseconds(try fields.value("activationLimitMs") as Int64)
        let author: Int64 = try fields.value("authorUID")
        authorUID = UInt32(truncatingIfNeeded: author)
        reason = try fields.value("reason")
        boot = try fields.optional("boot")
        before = WallTime(milliseconds: try fields.value("beforeMs"))
        recordedAt = (try fields.value("recordedAt") as KeptMoment).moment
        appliedAt = (try fields.optional("appliedAt") as KeptMoment?)?.moment
        let since: KeptMoment? = try fields.optional("since")
        let end: PendingEnd? = try fields.optional("end")
        let name: String = try fields.value("phase")
        switch (name, since, end) {
        case ("recorded", _, _): phase = .recorded
        case ("applied", let since?, _): phase = .applied(since: since.moment)
        case ("activated", let since?, _):
            phase = .activated(since: since.moment, invocation: try fields.optional("invocation"))
        case ("goingBack", let since?, let end?): phase = .goingBack(since: since.moment, end)
        case ("takenBack", let since?, let end?): phase = .takenBack(since: since.moment, end)
        default: throw WireError(place: "phase", problem: "expected a phase with its time, found \(name)")
        }
    }

    package func write(to object: inout ObjectWriter) {
        object.member("id", id)
        object.member("service", service)
        object.member("files", files)
        object.member("windowMs", window.milliseconds)
        object.member("activation", activation)
        object.member("activationLimitMs", activationLimit.milliseconds)
        object.member("authorUID", Int64(authorUID))
        object.member("reason", reason)
        object.member("boot", boot)
        object.member("beforeMs", before.milliseconds)
        object.member("recordedAt", KeptMoment(recordedAt))
        object.member("appliedAt", appliedAt.map(KeptMoment.init))
        switch phase {
        case .recorded: object.member("phase", "recorded")
        case .applied(let since): Self.write("applied", since, nil, to: &object)
        case .activated(let since, let invocation):
            Self.write("activated", since, nil, to: &object)
            object.member("invocation", invocation)
        case .goingBack(let since, let end): Self.write("goingBack", since, end, to: &object)
        case .takenBack(let since, let end): Self.write("takenBack", since, end, to: &object)
        }
    }

    private static func write(_ phase: String, _ since: Moment, _ end: PendingEnd?, to object: inout ObjectWriter) {
        object.member("phase", phase)
        object.member("since", KeptMoment(since))
        object.member("end", end)
    }
}

extension Trial.File: WireObject {
    package init(from fields: inout Fields) throws(WireError) {
        path = try fields.value("path")
        version = try fields.value("version")
        previous = try fields.value("previous")
        let hexadecimal: String = try fields.value("chain")
        guard let digest = Digest(hexadecimal: hexadecimal) else {
            throw WireError(place: "chain", problem: "expected 64 hexadecimal digits")
        }
        chain = digest
    }

    package func write(to object: inout ObjectWriter) {
        object.member("path", path)
        object.member("version", version)
        object.member("previous", previous)
        object.member("chain", chain.hexadecimal)
    }
}

/// A moment in the ledger. Nanoseconds go as text: a host that is up for 104 days counts beyond what a JSON number holds.
private struct KeptMoment: WireObject {
    let moment: Moment

    init(_ moment: Moment) { self.moment = moment }

    init(from fields: inout Fields) throws(WireError) {
        let text: String = try fields.value("instantNs")
        guard let nanoseconds = Int64(text) else {
            throw WireError(place: "instantNs", problem: "expected a whole number as text")
        }
        moment = Moment(
            instant: Instant(nanoseconds: nanoseconds), wall: WallTime(milliseconds: try fields.value("wallMs")))
    }

    func write(to object: inout ObjectWriter) {
        object.member("instantNs", String(moment.instant.nanoseconds))
        object.member("wallMs", moment.wall.milliseconds)
    }
}
