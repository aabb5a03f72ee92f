package import Wire

extension Config {
    /// `lint`: what is doubtful in a file as it stands: lines that its readers read differently, what its schema does not
    /// allow, and habits that end in such lines.
    package enum Lint: RPCMethod {
        package static let name = "lint"
        package static let access = Access.read
        package typealias Params = ConfigFile
        package typealias Reply = Validate.Reply
    }

    /// `lintContent`: the same of bytes that no settings declare, without a schema.
    package enum LintContent: RPCMethod {
        package static let name = "lintContent"
        package static let access = Access.read
        /// The most that one call takes.
        package static let largestBytes = 512 << 10

        package struct Params: WireObject {
            package var content: ConfigValue
            /// Who reads it, as in the settings; those whose own parser our tests ask where empty.
            package var readers: [String]

            package init(content: ConfigValue, readers: [String] = []) {
                self.content = content
                self.readers = readers
            }

            package init(from fields: inout Fields) throws(WireError) {
                content = try fields.value("content")
                readers = try fields.value("readers", or: [])
            }

            package func write(to object: inout ObjectWriter) {
                object.member("content", content)
                object.member("readers", readers)
            }
        }

        package typealias Reply = Validate.Reply
    }
}

/// A file holds what its schema does not allow: told at start, at a reload, and when somebody else's change is taken over.
package struct ConfigInvalid: WireObject {
    package var service: String
    package var file: String
    package var version: Int64
    /// At most 100; secrets show as fingerprints, and so do all values of a file that is not world-readable.
    package var findings: [ConfigFinding]

    package init(service: String, file: String, version: Int64, findings: [ConfigFinding]) {
        self.service = service
        self.file = file
        self.version = version
        self.findings = findings
    }

    package init(from fields: inout Fields) throws(WireError) {
        service = try fields.value("service")
        file = try fields.value("file")
        version = try fields.value("version")
        findings = try fields.value("findings")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("service", service)
        object.member("file", file)
        object.member("version", version)
        object.member("findings", findings)
    }
}
