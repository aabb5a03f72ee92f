import Testing
import Wire

@Suite struct DigestTests {
    @Test(
        "SHA-256 gives NIST's sums",
        arguments: [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
            ),
            (
                "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
                "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"
            ),
        ])
    func knownSums(content: String, sum: String) {
        #expect(Digest(of: content.utf8).hexadecimal == sum)
    }

    @Test func aSumDoesNotDependOnHowTheContentWasHandedOver() {
        for length in [0, 1, 55, 56, 57, 63, 64, 65, 119, 120, 128, 1000] {
            let content = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            var pieces = SHA256()
            for byte in content { pieces.update([byte]) }
            #expect(pieces.finish() == Digest(of: content))
            var stretches = SHA256()
            var rest = content[...]
            var size = 7
            while !rest.isEmpty {
                stretches.update(Array(rest.prefix(size)))
                rest = rest.dropFirst(size)
                size += 7
            }
            #expect(stretches.finish() == Digest(of: content))
        }
    }

    @Test func keyedSumsAreThoseOfRFC4231() {
        let first = Digest.keyed([UInt8](repeating: 0x0b, count: 20), of: "Hi There".utf8)
        #expect(first.hexadecimal == "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7")
        let second = Digest.keyed(Array("Jefe".utf8), of: "what do ya want for nothing?".utf8)
        #expect(second.hexadecimal == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
        let longKey = Digest.keyed(
            [UInt8](repeating: 0xaa, count: 131), of: "Test Using Larger Than Block-Size Key - Hash Key First".utf8)
        #expect(longKey.hexadecimal == "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54")
    }
}
