import Systemd
import Testing

@Suite struct JournalEntryTests {
    @Test func `an entry carries its message, priority, message id and fields in order`() {
        let entry = JournalEntry(
            priority: .warning, message: "two\nlines", messageID: "0123456789abcdef0123456789abcdef",
            fields: [.init("MAINSTAY_SERVICE", "gateway"), .init("MAINSTAY_INCIDENT", "i-1")])
        #expect(
            entry.items == [
                "MESSAGE=two\nlines", "PRIORITY=4", "MESSAGE_ID=0123456789abcdef0123456789abcdef",
                "MAINSTAY_SERVICE=gateway", "MAINSTAY_INCIDENT=i-1",
            ])
    }

    @Test(arguments: ["", "_PID", "lower", "1ST", "A-B", "É", String(repeating: "A", count: 65)])
    func `a field name that the journal refuses is left out and the entry stays`(name: String) {
        let entry = JournalEntry(priority: .info, message: "m", fields: [.init(name, "x"), .init("OK_1", "y")])
        #expect(entry.items == ["MESSAGE=m", "PRIORITY=6", "OK_1=y"])
    }
}
