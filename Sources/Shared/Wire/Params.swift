// What methods of several daemons take, so that it is asked for by the same words everywhere.

/// A service by its name in the settings.
package struct ServiceParams: WireObject {
    package var service: String

    package init(service: String) {
        self.service = service
    }

    package init(from fields: inout Fields) throws(WireError) {
        service = try fields.value("service")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("service", service)
    }
}

/// One service, or all of them.
package struct ScopeParams: WireObject {
    /// Only this service; all where nil.
    package var service: String?

    package init(service: String? = nil) {
        self.service = service
    }

    package init(from fields: inout Fields) throws(WireError) {
        service = try fields.optional("service")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("service", service)
    }
}

/// One page of a list, of one service or of all.
package struct ListParams: WireObject {
    /// Only this service's; all where nil.
    package var service: String?
    /// At most this many, 1 to 1,000.
    package var limit: Int
    /// `next` of the page before.
    package var cursor: String?

    package init(service: String? = nil, limit: Int = 100, cursor: String? = nil) {
        self.service = service
        self.limit = limit
        self.cursor = cursor
    }

    package init(from fields: inout Fields) throws(WireError) {
        service = try fields.optional("service")
        limit = try fields.value("limit", or: 100)
        cursor = try fields.optional("cursor")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("service", service)
        object.member("limit", limit)
        object.member("cursor", cursor)
    }
}
