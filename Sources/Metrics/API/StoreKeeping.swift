package import Wire

/// `verify`: holds a file of the store against its checksums. Nothing is changed, and measuring and queries go on meanwhile.
package enum VerifyStore: RPCMethod {
    package static let name = "verify"
    package static let access = Access.act

    package struct Params: WireObject {
        /// The `next` of the answer before; without one it begins with the first file.
        package var cursor: String?

        package init(cursor: String? = nil) { self.cursor = cursor }

        package init(from fields: inout Fields) throws(WireError) { cursor = try fields.optional("cursor") }

        package func write(to object: inout ObjectWriter) { object.member("cursor", cursor) }
    }

    package struct Reply: WireObject {
        /// The file, or none where the store has none.
        package var files: [VerifiedFile]
        /// There is another file; nil after the last.
        package var next: String?

        package init(files: [VerifiedFile], next: String? = nil) {
            self.files = files
            self.next = next
        }

        package init(from fields: inout Fields) throws(WireError) {
            files = try fields.value("files")
            next = try fields.optional("next")
        }

        package func write(to object: inout ObjectWriter) {
            object.member("files", files)
            object.member("next", next)
        }
    }
}

/// A file of the store as `verify` found it.
package struct VerifiedFile: WireObject, Hashable {
    /// Its name in the state folder.
    package var name: String
    package var sizeBytes: Int64
    /// Frames that are whole.
    package var frames: Int
    /// Frames, or stretches between whole ones, that are damaged: what was in them is left out of answers.
    package var damaged: Int

    package init(name: String, sizeBytes: Int64, frames: Int, damaged: Int) {
        self.name = name
        self.sizeBytes = sizeBytes
        self.frames = frames
        self.damaged = damaged
    }

    package init(from fields: inout Fields) throws(WireError) {
        name = try fields.value("name")
        sizeBytes = try fields.value("sizeBytes")
        frames = try fields.value("frames")
        damaged = try fields.value("damaged")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("name", name)
        object.member("sizeBytes", sizeBytes)
        object.member("frames", frames)
        object.member("damaged", damaged)
    }
}

/// `backup`: makes a copy of the store as it is now, in a folder beside it, from which a metricsd can start. Full segments are not
/// copied but get a second name. One backup is kept: the next takes its place.
package enum BackupStore: RPCMethod {
    package static let name = "backup"
    package static let access = Access.act
    package typealias Params = NoFields

    package struct Reply: WireObject {
        /// The folder with the copy.
        package var path: String
        package var files: Int
        package var sizeBytes: Int64

        package init(path: String, files: Int, sizeBytes: Int64) {
            self.path = path
            self.files = files
            self.sizeBytes = sizeBytes
        }

        package init(from fields: inout Fields) throws(WireError) {
            path = try fields.value("path")
            files = try fields.value("files")
            sizeBytes = try fields.value("sizeBytes")
        }

        package func write(to object: inout ObjectWriter) {
            object.member("path", path)
            object.member("files", files)
            object.member("sizeBytes", sizeBytes)
        }
    }
}
