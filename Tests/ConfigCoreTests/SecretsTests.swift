@testable import ConfigCore
import Testing
import Time

@Suite struct SecretsTests {
    @Test(arguments: [
        "DB_PASSWORD", "PGPASSWORD", "apiKey", "API_KEY", "GITHUB_TOKEN", "tls.key", "SESSION_SECRET", "SENTRY_DSN",
        "DB_PASS", "REDIS_AUTH", "AWS_SECRET_ACCESS_KEY", "dbPass", "credentials",
    ])
    func namesThatSoundLikeSecretsAreSome(_ key: String) {
        #expect(Secrets.usual.isSecret(key))
    }

    @Test(arguments: ["PORT", "BYPASS", "MONKEY", "AUTH_URL", "KEYBOARD", "DB_POOL", "COMPASS", "NODE_ENV", ""])
    func otherNamesAreNone(_ key: String) {
        #expect(!Secrets.usual.isSecret(key))
    }

    @Test func settingsAndTheSchemaHaveTheLastWord() {
        let named = Secrets(named: ["DB_*", "X?Z"], marked: ["DB_HOST": false, "PORT": true])
        #expect(["DB_PASSWORD", "DB_", "XYZ", "PORT"].allSatisfy(named.isSecret))
        #expect(!["DB_HOST", "API_KEY", "XZ", "XYYZ", "db_a"].contains(where: named.isSecret))
        #expect(Secrets(named: []).isSecret("NAME", value: Samples.bytes(Samples.privateKey)))
        #expect(!Secrets(named: [], marked: ["NAME": false]).isSecret("NAME", value: Samples.bytes(Samples.privateKey)))
    }

    @Test(arguments: [
        ("*", "", true), ("*", "abc", true), ("a*c", "abbc", true), ("a*c", "abcd", false), ("**a", "ba", true),
        ("?", "", false), ("a*b*c", "axxbyybc", true), ("", "", true), ("", "a", false), ("a*", "a", true),
    ])
    func globsMatchWholeNames(_ pattern: String, _ text: String, _ matches: Bool) {
        #expect(Glob.matches(pattern, text) == matches)
    }

    @Test(arguments: [
        ("postgres://app:pw@db/x", true), ("https://token@host/1", true), ("see mongodb://u:p@a,b", true),
        ("http://127.0.0.1:3000/health", false), ("mailto:a@b.example", false), ("", false), ("://", false),
        ("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----", false),
        ("-----BEGIN EC PRIVATE KEY-----\\nMIIB\\n-----END EC PRIVATE KEY-----", true),
    ])
    func valuesThatLookLikeSecretsAreSome(_ value: String, _ isSecret: Bool) {
        #expect(Secrets.looksSecret(Samples.bytes(value)) == isSecret)
    }

    /// The file with every secret stretch shown as `<…>`.
    private func masked(_ file: String, _ readers: [String]) -> String {
        let bytes = Samples.bytes(file)
        let editor = EnvEditor(readers: readers.map(Samples.dialect))
        var masked: [UInt8] = []
        var at = 0
        for stretch in editor.secrets.stretches(in: bytes, readings: editor.readings(of: bytes)) {
            #expect(stretch.range.lowerBound >= at, "stretches never overlap")
            masked += bytes[at..<stretch.range.lowerBound] + Array("<…>".utf8)
            at = stretch.range.upperBound
        }
        return String(decoding: masked + bytes[at...], as: UTF8.self)
    }

    @Test func everyPlaceOfASecretIsFound() {
        let file = """
            # the old one: DB_PASSWORD=hunter1
            PORT=3000 # API_KEY=abc
            DB_PASSWORD='hunter2' # rotated
            KEY="\(Samples.privateKey)"
            URL=postgres://a:b@c/d
            nonsense without a meaning
            export TOKEN=x
            """
        let expected = """
            # the old one: DB_PASSWORD=<…>
            PORT=3000 # API_KEY=<…>
            DB_PASSWORD=<…> # rotated
            KEY=<…>
            URL=<…>
            <…>
            export TOKEN=<…>
            """
        #expect(masked(file, ["node-dotenv", "python-dotenv"]) == expected)
    }

    @Test func aPEMThatLostItsQuotesIsHiddenWhole() {
        let file = "A=1\nKEY=\(Samples.privateKey)\nB=2\n"
        #expect(masked(file, ["node-dotenv", "systemd"]) == "A=1\nKEY=<…>\nB=2\n")
        let inComment = "# \(Samples.privateKey.split(separator: "\n").joined(separator: "\n# "))\nB=2\n"
        #expect(masked(inComment, ["systemd"]) == "<…>\nB=2\n")
    }

    @Test func noRefusalHoldsASecret() {
        let editor = EnvEditor(readers: ["systemd", "docker"].map(Samples.dialect))
        let file = Samples.bytes("A=1\nDB_PASSWORD=hunter2\n")
        for (key, value) in [("API_KEY", "canary\nx"), ("NAME", "https://canary@x/\ny")] {
            #expect {
                try editor.apply([.set(key: key, value: Samples.bytes(value))], to: file)
            } throws: { error in
                guard case .unwritable(_, _, let wouldRead?)? = error as? EditRefusal else { return false }
                return !wouldRead.contains("canary")
            }
        }
        #expect(throws: EditRefusal.unwritable(key: "NAME", reader: "docker", wouldRead: "'two")) {
            try editor.apply([.set(key: "NAME", value: Samples.bytes("two\nlines"))], to: file)
        }
    }
}
