import Glibc
import Systemd
import Testing
import Time

/// Against a real systemd of the test's own, as `ProcessOneTests`.
@Suite(.serialized, .enabled(if: PrivateSystemd.isPossible)) struct UnitListerTests {
    @Test(.timeLimit(.minutes(1))) func `units are counted, and what is asked for or failed is named with its type`()
        async throws
    {
        let systemd = try PrivateSystemd()
        defer { systemd.stop() }
        try systemd.install("mainstay-runs.service", "[Service]\nType=exec\nExecStart=/bin/sleep 1000\n")
        try systemd.install("mainstay-fails.service", "[Service]\nType=oneshot\nExecStart=/bin/false\n")
        let thread = try #require(EventThread(name: "test-bus"))
        let (events, feed) = AsyncStream.makeStream(of: ProcessOneEvent.self)
        let one = ProcessOne(on: thread, routes: [systemd.route]) { feed.yield($0) }
        var reader = events.makeAsyncIterator()
        while let event = await reader.next() { if case .connected = event { break } }
        for unit in ["mainstay-runs.service", "mainstay-fails.service"] {
            let job = try await withCheckedContinuation { done in
                one.start(unit) { done.resume(returning: $0) }
            }.get()
            while let event = await reader.next() { if case .jobRemoved(job, unit, _) = event { break } }
        }
        one.close()

        // The first route leads nowhere.
        let nowhere = ProcessOne.Route(address: "unix:path=/run/mainstay-nobody-listens", isBroker: false)
        let lister = UnitLister(on: thread, routes: [nowhere, systemd.route])
        let listing = try await Self.read(lister, ["mainstay-runs.service", "mainstay-absent.service"]).get()
        #expect(
            listing.units == [
                UnitListing.Unit(name: "mainstay-fails.service", activeState: "failed", type: "oneshot"),
                UnitListing.Unit(name: "mainstay-runs.service", activeState: "active", type: "exec"),
            ])
        #expect(listing.counts["failed"] == 1)
        #expect(listing.counts["active"] ?? 0 > 1)
        #expect(!listing.systemState.isEmpty)
        // The connection is the same one now.
        let second = try await Self.read(lister, []).get()
        #expect(second.units.map(\.name) == ["mainstay-fails.service"])
        let sockets = try await Self.read(lister, [], failed: [".socket"]).get()
        #expect(sockets.units.isEmpty)
        lister.close()
        thread.stop()
    }

    @Test(.timeLimit(.minutes(1)))
    func `a stopped process 1 costs a reading its deadline, and the next one connects anew`()
        async throws
    {
        let systemd = try PrivateSystemd()
        defer { systemd.stop() }
        let thread = try #require(EventThread(name: "test-bus"))
        let lister = UnitLister(on: thread, routes: [systemd.route])
        _ = try await Self.readUntilAnswered(lister)
        systemd.signal(SIGSTOP)
        // First the connection that there is, then one that is made: neither hears anything, which is not to say that nobody is there.
        #expect(await Self.read(lister, []) == .failure(.timedOut))
        #expect(await Self.read(lister, []) == .failure(.timedOut))
        systemd.signal(SIGCONT)
        let later = try await Self.readUntilAnswered(lister)
        #expect(later.counts["active"] ?? 0 > 0)
        lister.close()
        thread.stop()
    }

    @Test func `where no route leads to process 1 the reading says so`() async throws {
        let thread = try #require(EventThread(name: "test-bus"))
        let nowhere = ProcessOne.Route(address: "unix:path=/run/mainstay-nobody-listens", isBroker: true)
        let lister = UnitLister(on: thread, routes: [nowhere, nowhere])
        #expect(await Self.read(lister, []) == .failure(.notConnected))
        #expect(await Self.read(UnitLister(on: thread, routes: []), []) == .failure(.notConnected))
        lister.close()
        thread.stop()
    }

    /// Asks until process 1, which may have just begun, answers; the test's own time limit ends it where it never does.
    private static func readUntilAnswered(_ lister: UnitLister) async throws -> UnitListing {
        while true {
            try Task.checkCancellation()
            if case .success(let listing) = await read(lister, []) { return listing }
        }
    }

    private static func read(
        _ lister: UnitLister, _ asked: Set<String>, failed kinds: [String] = [".service"]
    ) async -> Result<UnitListing, ProcessOneFailure> {
        await withCheckedContinuation { done in
            lister.read(asked, failed: kinds) { done.resume(returning: $0) }
        }
    }
}
