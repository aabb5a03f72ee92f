import Files
import Glibc
import MetricsCore
import Wire

/// The record of one receiver on disk: two slots of a file whose room is taken once, written in turn, so that one is always whole and
/// none needs room on a full disk.
struct RemoteRecordFile {
    private static let slotBytes = 64 << 10

    private let file: DataFile
    private var turn: Int64 = 0

    /// A slot's content: the turn in which it was written says which of two is newer.
    private struct Slot: WireObject {
        var turn: Int64
        var record: RemoteRecord

        init(turn: Int64, record: RemoteRecord) {
            self.turn = turn
            self.record = record
        }

        init(from fields: inout Fields) throws(WireError) {
            turn = try fields.value("turn")
            record = try fields.value("record")
        }

        func write(to object: inout ObjectWriter) {
            object.member("turn", turn)
            object.member("record", record)
        }
    }

    /// Opens or makes it.
    init(_ path: String, in folder: String) throws(FileFailure) {
        do throws(FileFailure) {
            file = try DataFile(path, for: .write)
        } catch {
            guard error.isMissing else { throw error }
            file = try DataFile(path, for: .make)
            try Names.sync(folder: folder)
        }
        try file.reserve(2 * Self.slotBytes, growing: true)
    }

    /// What was written last; nil where nothing was, or nothing of it is whole.
    mutating func read() throws(FileFailure) -> RemoteRecord? {
        var newest: Slot?
        for slot in 0..<2 {
            let bytes = try file.read(Self.slotBytes, at: slot * Self.slotBytes)
            guard let found = Self.slot(bytes), found.turn > newest?.turn ?? -1 else { continue }
            newest = found
        }
        turn = newest.map { $0.turn + 1 } ?? 0
        return newest?.record
    }

    private static func slot(_ bytes: [UInt8]) -> Slot? {
        var reader = ByteReader(bytes)
        guard let count = reader.count(limit: bytes.count), reader.position + count <= bytes.count else { return nil }
        let sealed = Array(bytes[reader.position..<reader.position + count])
        guard Checksum.holds(sealed), let json = try? JSONReader.read(Array(sealed.dropFirst(4))) else { return nil }
        return try? Slot(wire: json)
    }

    /// It is on disk when this returns.
    mutating func write(_ record: RemoteRecord) throws(FileFailure) {
        let sealed = Checksum.sealed(JSONWriter.bytes(of: Slot(turn: turn, record: record)))
        var writer = ByteWriter()
        writer.write(varint: UInt64(sealed.count))
        writer.bytes += sealed
        guard writer.bytes.count <= Self.slotBytes else {
            throw FileFailure("write so much to", file.path, code: EFBIG)
        }
        try file.write(writer.bytes, at: Int(turn % 2) * Self.slotBytes)
        try file.sync()
        turn += 1
    }
}
