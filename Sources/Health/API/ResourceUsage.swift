package import Wire

/// The seed's `ResourceMetrics` of one service. A figure that metricsd does not answer is left out and named in `unknown`: it is
/// never given as 0.
package struct ResourceMetrics: WireObject {
    /// Bytes. `total` is the limit that the service is held to, or the host's memory.
    package struct Memory: WireObject {
        package var used: Int64?
        package var total: Int64?
        package var heapUsed: Int64?
        package var heapTotal: Int64?
        package var external: Int64?

        package init(
            used: Int64? = nil, total: Int64? = nil, heapUsed: Int64? = nil, heapTotal: Int64? = nil,
            external: Int64? = nil
        ) {
            self.used = used
            self.total = total
            self.heapUsed = heapUsed
            self.heapTotal = heapTotal
            self.external = external
        }

        package init(from fields: inout Fields) throws(WireError) {
            used = try fields.optional("used")
            total = try fields.optional("total")
            heapUsed = try fields.optional("heapUsed")
            heapTotal = try fields.optional("heapTotal")
            external = try fields.optional("external")
        }

        package func write(to object: inout ObjectWriter) {
            object.member("used", used)
            object.member("total", total)
            object.member("heapUsed", heapUsed)
            object.member("heapTotal", heapTotal)
            object.member("external", external)
        }
    }

    /// `usage`: per cent of one core over the last minute, so 200 for two busy cores. `loadAverage`: the host's 1, 5, 15 minutes.
    package struct CPU: WireObject {
        package var usage: Double?
        package var loadAverage: [Double]?

        package init(usage: Double? = nil, loadAverage: [Double]? = nil) {
            self.usage = usage
            self.loadAverage = loadAverage
        }

        package init(from fields: inout Fields) throws(WireError) {
            usage = try fields.optional("usage")
            loadAverage = try fields.optional("loadAverage")
        }

        package func write(to object: inout ObjectWriter) {
            object.member("usage", usage)
            object.member("loadAverage", loadAverage)
        }
    }

    /// Open connections by peer.
    package struct Connections: WireObject {
        package var database: Int64?
        package var redis: Int64?
        package var http: Int64?

        package init(database: Int64? = nil, redis: Int64? = nil, http: Int64? = nil) {
            self.database = database
            self.redis = redis
            self.http = http
        }

        package init(from fields: inout Fields) throws(WireError) {
            database = try fields.optional("database")
            redis = try fields.optional("redis")
            http = try fields.optional("http")
        }

        package func write(to object: inout ObjectWriter) {
            object.member("database", database)
            object.member("redis", redis)
            object.member("http", http)
        }
    }

    /// Open files of the service, and how many its process may have.
    package struct FileHandles: WireObject {
        package var open: Int64?
        package var limit: Int64?

        package init(open: Int64? = nil, limit: Int64? = nil) {
            self.open = open
            self.limit = limit
        }

        package init(from fields: inout Fields) throws(WireError) {
            open = try fields.optional("open")
            limit = try fields.optional("limit")
        }

        package func write(to object: inout ObjectWriter) {
            object.member("open", open)
            object.member("limit", limit)
        }
    }

    package var service: String
    package var memory: Memory
    package var cpu: CPU
    package var connections: Connections
    package var fileHandles: FileHandles
    /// The figures that are not known, as "memory.heapUsed".
    package var unknown: [String]
    /// Why, where all of them are unknown for one reason: "metricsd does not answer".
    package var reason: String?

    package init(
        service: String, memory: Memory = Memory(), cpu: CPU = CPU(), connections: Connections = Connections(),
        fileHandles: FileHandles = FileHandles(), unknown: [String] = [], reason: String? = nil
    ) {
        self.service = service
        self.memory = memory
        self.cpu = cpu
        self.connections = connections
        self.fileHandles = fileHandles
        self.unknown = unknown
        self.reason = reason
    }

    package init(from fields: inout Fields) throws(WireError) {
        service = try fields.value("service")
        memory = try fields.value("memory")
        cpu = try fields.value("cpu")
        connections = try fields.value("connections")
        fileHandles = try fields.value("fileHandles")
        unknown = try fields.value("unknown")
        reason = try fields.optional("reason")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("service", service)
        object.member("memory", memory)
        object.member("cpu", cpu)
        object.member("connections", connections)
        object.member("fileHandles", fileHandles)
        object.member("unknown", unknown)
        object.member("reason", reason)
    }
}

/// What a service uses now, as far as metricsd has measured it.
package enum GetResourceUsage: RPCMethod {
    package static let name = "getResourceUsage"
    package static let access = Access.read
    package typealias Params = ServiceQuery
    package typealias Reply = ResourceMetrics
}
