/// Stops a change that loses much of a file: the shape of the corruption that once took a private key (FACTS §1). What
/// is lost on purpose is written with `force`.
package enum ShrinkGuard {
    /// One short value in a small file is no loss worth a question: so many keys or bytes must be gone besides.
    package static let smallestKeysGone = 2
    /// Fewer bytes are no loss either.
    package static let smallestBytesGone = 256

    /// What a change would lose.
    package struct Loss: Hashable, Sendable {
        package var keysBefore: Int
        package var keysAfter: Int
        package var bytesBefore: Int
        package var bytesAfter: Int
    }

    /// As below, of contents that were not read yet.
    package static func loss(
        from old: [UInt8], to new: [UInt8], format: FileFormat, limitPercent: Double
    ) -> Loss? {
        loss(from: format.read(old), to: format.read(new), format: format, limitPercent: limitPercent)
    }

    /// The loss from `old` to `new` where more than `limitPercent` of the keys or bytes go; nil where it is no question.
    /// Keys count where the format knows them.
    package static func loss(
        from old: ReadFile, to new: ReadFile, format: FileFormat, limitPercent: Double
    ) -> Loss? {
        // To count keys takes longer than to see that each is still assigned where it was, as after most changes.
        guard !format.keepsKeys(from: old, to: new) || old.bytes.count - new.bytes.count >= smallestBytesGone else {
            return nil
        }
        let loss = Loss(
            keysBefore: format.keyCount(of: old) ?? 0, keysAfter: format.keyCount(of: new) ?? 0,
            bytesBefore: old.bytes.count, bytesAfter: new.bytes.count)
        func isOver(_ gone: Int, of all: Int) -> Bool { Double(gone) * 100 > Double(all) * limitPercent }
        let keysGone = loss.keysBefore - loss.keysAfter
        let bytesGone = loss.bytesBefore - loss.bytesAfter
        let tooManyKeys = keysGone >= smallestKeysGone && isOver(keysGone, of: loss.keysBefore)
        let tooManyBytes = bytesGone >= smallestBytesGone && isOver(bytesGone, of: loss.bytesBefore)
        return tooManyKeys || tooManyBytes ? loss : nil
    }
}
