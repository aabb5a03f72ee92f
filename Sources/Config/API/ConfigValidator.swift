package import Wire

// What configd and `mainstay-validate` say to each other over /run/mainstay/validate.socket: a `ValidatorRequest` in a frame
// and `contentBytes` of content after it, then a `ValidatorVerdict` in a frame. The socket is configd's alone; no client of
// configd sees any of it.

/// What is to be looked at. Which program does it, as which user and for how long, `mainstay-validate` finds in the
/// settings by itself: who holds the socket can have declared validators run and nothing else.
package struct ValidatorRequest: WireObject {
    package var service: String
    package var file: String
    /// The number that the content's version would get.
    package var version: Int64
    package var contentBytes: Int64

    package init(service: String, file: String, version: Int64, contentBytes: Int64) {
        self.service = service
        self.file = file
        self.version = version
        self.contentBytes = contentBytes
    }

    package init(from fields: inout Fields) throws(WireError) {
        service = try fields.value("service")
        file = try fields.value("file")
        version = try fields.value("version")
        contentBytes = try fields.value("contentBytes")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("service", service)
        object.member("file", file)
        object.member("version", version)
        object.member("contentBytes", contentBytes)
    }
}

/// What came of it.
package struct ValidatorVerdict: WireObject {
    /// How much of the program's output is told.
    package static let mostOutputBytes = 4096

    /// Its exit status; nil where it had none.
    package var status: Int64?
    /// The signal that ended it.
    package var signal: Int64?
    /// It was killed, since it took too long.
    package var timedOut: Bool
    /// Why it could not be run at all.
    package var problem: String?
    /// The first 4 KiB of its standard output and standard error, as they came.
    package var output: ConfigValue

    package init(
        status: Int64? = nil, signal: Int64? = nil, timedOut: Bool = false, problem: String? = nil,
        output: ConfigValue = .text("")
    ) {
        self.status = status
        self.signal = signal
        self.timedOut = timedOut
        self.problem = problem
        self.output = output
    }

    package init(from fields: inout Fields) throws(WireError) {
        status = try fields.optional("status")
        signal = try fields.optional("signal")
        timedOut = try fields.value("timedOut", or: false)
        problem = try fields.optional("problem")
        output = try fields.value("output", or: .text(""))
    }

    package func write(to object: inout ObjectWriter) {
        object.member("status", status)
        object.member("signal", signal)
        object.member("timedOut", timedOut)
        object.member("problem", problem)
        object.member("output", output)
    }
}
