import ConfigCore
import Testing
import Time

/// Who keeps whom from changing files, step by step.
@Suite struct LockBookTests {
    private func at(_ seconds: Int64) -> Instant { .zero + .seconds(seconds) }

    private let one = LockBook.Holder(connection: 1, pid: 100, uid: 0)
    private let two = LockBook.Holder(connection: 2, pid: 200, uid: 1000)

    /// The refusal's name, or nothing.
    private func refusal(_ body: () throws(LockBook.Refusal) -> Void) -> String? {
        do throws(LockBook.Refusal) { try body() } catch {
            switch error {
            case .held(let lock): return "held by \(lock.holder.pid)"
            case .lost: return "lost"
            }
        }
        return nil
    }

    private func taken(_ book: inout LockBook, now: Instant, for seconds: Int64 = 10) throws -> TimerID {
        let actions = try book.lockAsked(
            "gateway", by: one, for: .seconds(seconds), reason: "test", token: "t", now: now)
        guard case .setTimer(let id, _)? = actions.last else { throw LockBook.Refusal.lost(service: "no timer") }
        return id
    }

    @Test("While one holds it, another gets neither the lock nor a change through")
    func held() throws {
        var book = LockBook()
        _ = try taken(&book, now: at(0))
        #expect(
            refusal { () throws(LockBook.Refusal) in
                _ = try book.lockAsked("gateway", by: two, for: .seconds(1), reason: "", token: "u", now: at(1))
            } == "held by 100")
        #expect(
            refusal { () throws(LockBook.Refusal) in
                try book.changeAsked(of: "gateway", showing: nil, now: at(1))
            } == "held by 100")
        #expect(
            refusal { () throws(LockBook.Refusal) in
                try book.changeAsked(of: "gateway", showing: "t", now: at(1))
            } == nil)
        #expect(
            refusal { () throws(LockBook.Refusal) in
                try book.changeAsked(of: "gateway", showing: "old", now: at(1))
            } == "lost")
        #expect(
            refusal { () throws(LockBook.Refusal) in
                try book.changeAsked(of: "worker", showing: nil, now: at(1))
            } == nil)
        #expect(
            refusal { () throws(LockBook.Refusal) in
                try book.changeAsked(of: "worker", showing: "t", now: at(1))
            } == nil, "a lock of another service is no matter here")
    }

    @Test("The end of the holder's connection frees it, and no other's does")
    func disconnected() throws {
        var book = LockBook()
        _ = try taken(&book, now: at(0))
        #expect(book.disconnected(2) == [])
        let lock = try #require(book.lock("t"))
        #expect(book.disconnected(1) == [.free(lock, .disconnected)])
        #expect(
            refusal { () throws(LockBook.Refusal) in
                try book.changeAsked(of: "gateway", showing: "t", now: at(1))
            } == "lost", "its token lets nothing through any more")
    }

    @Test("Its time frees it; one that was made longer outlasts the old timer")
    func expired() throws {
        var book = LockBook()
        let first = try taken(&book, now: at(0))
        let renewed = try book.renewalAsked("t", of: "gateway", for: .seconds(10), now: at(5))
        guard case .setTimer(let second, let time)? = renewed.first else {
            Issue.record("no timer")
            return
        }
        #expect(time == at(15))
        #expect(book.timerFired(first, now: at(10)) == [])
        let lock = try #require(book.lock("t"))
        #expect(book.timerFired(second, now: at(15)) == [.free(lock, .expired)])
        #expect(book.held.isEmpty)
        #expect(
            refusal { () throws(LockBook.Refusal) in
                _ = try book.renewalAsked("t", of: "gateway", for: .seconds(1), now: at(15))
            } == "lost")
    }

    @Test("What is over by the clock keeps nobody out, though its timer is late")
    func lateTimer() throws {
        var book = LockBook()
        _ = try taken(&book, now: at(0))
        #expect(
            refusal { () throws(LockBook.Refusal) in
                try book.changeAsked(of: "gateway", showing: nil, now: at(10))
            } == nil)
        #expect(
            refusal { () throws(LockBook.Refusal) in
                try book.changeAsked(of: "gateway", showing: "t", now: at(10))
            } == "lost")
        let lock = try #require(book.lock("t"))
        let actions = try book.lockAsked("gateway", by: two, for: .seconds(1), reason: "", token: "u", now: at(10))
        #expect(actions.first == .free(lock, .expired))
        #expect(book.held.map(\.holder) == [two])
    }

    @Test("Whoever has the token may give it back, once")
    func released() throws {
        var book = LockBook()
        _ = try taken(&book, now: at(0))
        let lock = try #require(book.lock("t"))
        #expect(book.unlockAsked("t") == [.free(lock, .released)])
        #expect(book.unlockAsked("t") == nil)
    }
}
