import ConfigCore
import Glibc
import Testing
import Time

@Suite struct EnvDocumentTests {
    /// As in `ReaderAgreementTests`.
    private static let times = getenv("MAINSTAY_READER_CASES").flatMap { Int(String(cString: $0)) } ?? 1

    @Test("cutting any bytes and joining them again gives the same bytes", arguments: Dialect.all.map(\.name))
    func identity(name: String) {
        let dialect = Samples.dialect(name)
        var random = SeededRandom(seed: 1)
        let count = 4000 * Self.times
        for _ in 0..<count {
            let bytes = Samples.anyBytes(&random)
            #expect(EnvDocument(bytes, as: dialect).rendered == bytes)
        }
        // For `Scripts/prove dialects`.
        print("dialects: identity|\(name)|\(count)|\(dialect.isModelled ? "modelled" : "real")")
    }

    @Test("the pieces of any bytes are assignments that the reader makes, in order, with gaps between")
    func assignmentsAreTheReaders() {
        var random = SeededRandom(seed: 2)
        for _ in 0..<1000 {
            let bytes = Samples.anyBytes(&random)
            for dialect in Dialect.all {
                let keys = EnvDocument(bytes, as: dialect).pieces.compactMap { piece -> String? in
                    if case .assignment(let key, _, _, _) = piece { key } else { nil }
                }
                #expect(keys == DialectReader.read(bytes, as: dialect).bindings.map(\.key))
            }
        }
    }

    @Test func whatAReaderDoesNotUnderstandStaysInGaps() {
        let file = Samples.bytes("?? what\n# c\nK='v' # note\nno equals\n")
        let document = EnvDocument(file, as: Samples.dialect("systemd"))
        #expect(
            document.pieces == [
                .gap(Samples.bytes("?? what\n# c\n")),
                .assignment(key: "K", head: Samples.bytes("K="), raw: Samples.bytes("'v' # note"), tail: []),
                .gap(Samples.bytes("\nno equals\n")),
            ])
    }
}
