package import Wire

/// The names of the events that healthd streams to subscribers.
package enum HealthEvents {
    /// A check's settled verdict changed; data: `CheckChanged`.
    package static let checkChanged = "checkChanged"
    /// A service's status changed; data: `StatusChanged`.
    package static let statusChanged = "statusChanged"
    /// An alert was raised for the first time, or grew in severity; data: `Alert`.
    package static let alertRaised = "alertRaised"
    /// An alert is over; data: `Alert`.
    package static let alertResolved = "alertResolved"

    /// The names of all events, as `subscribe` takes them.
    package static let all = [checkChanged, statusChanged, alertRaised, alertResolved]
}

/// A check whose settled verdict went from `previous` to `status`, with what its last round saw.
package struct CheckChanged: WireObject {
    package var service: String
    package var dependency: String?
    package var check: String
    package var status: Verdict
    package var previous: Verdict
    package var message: String

    package init(
        service: String, dependency: String?, check: String, status: Verdict, previous: Verdict, message: String
    ) {
        self.service = service
        self.dependency = dependency
        self.check = check
        self.status = status
        self.previous = previous
        self.message = message
    }

    package init(from fields: inout Fields) throws(WireError) {
        service = try fields.value("service")
        dependency = try fields.optional("dependency")
        check = try fields.value("check")
        status = try fields.value("status")
        previous = try fields.value("previous")
        message = try fields.value("message")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("service", service)
        object.member("dependency", dependency)
        object.member("check", check)
        object.member("status", status)
        object.member("previous", previous)
        object.member("message", message)
    }
}

/// A service whose status went from `previous` to `status`, with the likeliest cause and the incident that stands.
package struct StatusChanged: WireObject {
    package var service: String
    package var status: ServiceHealth
    package var previous: ServiceHealth
    package var cause: String?
    package var incident: String?

    package init(
        service: String, status: ServiceHealth, previous: ServiceHealth, cause: String?, incident: String?
    ) {
        self.service = service
        self.status = status
        self.previous = previous
        self.cause = cause
        self.incident = incident
    }

    package init(from fields: inout Fields) throws(WireError) {
        service = try fields.value("service")
        status = try fields.value("status")
        previous = try fields.value("previous")
        cause = try fields.optional("cause")
        incident = try fields.optional("incident")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("service", service)
        object.member("status", status)
        object.member("previous", previous)
        object.member("cause", cause)
        object.member("incident", incident)
    }
}
