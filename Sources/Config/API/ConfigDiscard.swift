package import Wire

extension Config {
    /// `discard`: lets go of one content that was set aside, its bytes too: somebody has seen to it. Answers what was known of it.
    package enum Discard: RPCMethod {
        package static let name = "discard"
        package static let access = Access.act

        package struct Params: WireObject {
            package var target: ConfigFile
            /// Its number; none is let go of that was not named.
            package var quarantine: Int64

            package init(target: ConfigFile, quarantine: Int64) {
                self.target = target
                self.quarantine = quarantine
            }

            package init(from fields: inout Fields) throws(WireError) {
                target = try ConfigFile(from: &fields)
                quarantine = try fields.value("quarantine")
            }

            package func write(to object: inout ObjectWriter) {
                target.write(to: &object)
                object.member("quarantine", quarantine)
            }
        }

        package typealias Reply = ConfigQuarantined
    }
}
