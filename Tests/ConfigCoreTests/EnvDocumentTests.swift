import ConfigCore
import Testing
import Time

@Suite struct EnvDocumentTests {
    @Test("cutting any bytes and joining them again gives the same bytes", arguments: Dialect.all.map(\.name))
    func identity(name: String) {
        let dialect = Samples.dialect(name)
        var random = SeededRandom(seed: 1)
        for _ in 0..<4000 {
            let bytes = Samples.anyBytes(&random)
            #expect(EnvDocument(bytes, as: dialect).rendered == bytes)
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
