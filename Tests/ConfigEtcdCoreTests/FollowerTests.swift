import ConfigAPI
import ConfigEtcdAPI
import Testing
import Time
import Wire

@testable import ConfigEtcdCore

@Suite struct FollowingTests {
    /// `count` revisions told at once, each setting `KEY` to its number; `bad` of them set what configd refuses.
    private func burst(
        _ rig: inout FollowerRig, _ count: Int64, bad: Set<Int64> = [], key: (Int64) -> String = { _ in "KEY" }
    ) {
        var revisions: [EtcdRevision] = []
        for number in 1...count {
            let value = bad.contains(number) ? rig.badValue : "\(number)"
            rig.put([(key(number), value)], telling: false)
            revisions.append(
                EtcdRevision(
                    number: rig.revision,
                    changes: [.init(key: Array("/m/gateway/env/\(key(number))".utf8), value: Array(value.utf8))]))
        }
        rig.tell(revisions)
    }

    @Test func `what etcd holds at the first meeting is listed, applied in one change, and watched from there`() throws
    {
        var rig = FollowerRig()
        for key in ["A", "B", "C", "D"] { rig.put([(key, "1")], telling: false) }
        rig.start()
        #expect(rig.environment == ["A": "1", "B": "1", "C": "1", "D": "1"])
        #expect(rig.changes.count == 1)
        #expect(rig.listings == 2, "pages of three keys")
        #expect(rig.watchesFrom == [6])
        let status = try rig.written()
        #expect(status.outcome == .applied)
        #expect(status.applied == 5)
        #expect(status.version == 2)
    }

    @Test func `a transaction of etcd is one change, with its revision as the reason`() {
        var rig = FollowerRig()
        rig.start()
        rig.put([("A", "1"), ("B", "2")])
        #expect(rig.environment == ["A": "1", "B": "2"])
        #expect(rig.changes.map(\.reason) == ["etcd revision 2"])
        #expect(rig.dryRuns == 0, "one revision alone is not tried first")
    }

    @Test func `of a transaction with a bad value nothing is applied, and its status key says why`() throws {
        var rig = FollowerRig()
        rig.start()
        rig.put([("A", "1"), ("B", "bad")])
        #expect(rig.environment == [:])
        let refusal = try rig.refusal(2)
        #expect(refusal.error == "unwritable")
        #expect(refusal.keys == ["A", "B"])
        #expect(!refusal.remedy.isEmpty)
        #expect(try rig.written().outcome == .refused)
        #expect(try rig.written().refused == 2)
    }

    @Test func `500 revisions at once are each judged, and what is good of them is one version`() throws {
        var rig = FollowerRig()
        rig.start()
        burst(&rig, 500, bad: [250])
        #expect(rig.environment == ["KEY": "500"])
        #expect(rig.changes.count == 1)
        #expect(rig.dryRuns == 498, "all but the bad one and the last")
        #expect(rig.changes.first?.reason == "etcd revisions 2 to 501, 499 of them")
        #expect(try rig.refusal(251).error == "unwritable")
        #expect(try rig.written().applied == 501)
        #expect(try rig.written().outcome == .applied)
        #expect(rig.kept.last?.decided == 501)
    }

    @Test func `where each takes long to judge, what is good so far is made every few seconds`() throws {
        var rig = FollowerRig()
        rig.start()
        rig.dryRunTakes = .milliseconds(500)
        burst(&rig, 50, bad: [25])
        #expect(rig.environment == ["KEY": "50"])
        #expect(rig.changes.count == 5)
        #expect(try rig.written().applied == 51)
        #expect(rig.kept.last?.refused == [26])
    }

    @Test func `where the last of many is bad, those before it are applied`() throws {
        var rig = FollowerRig()
        rig.start()
        burst(&rig, 10, bad: [10])
        #expect(rig.environment == ["KEY": "9"])
        #expect(try rig.written().outcome == .refused)
        #expect(try rig.written().revision == 11)
        #expect(try rig.written().applied == 10)
    }

    @Test func `where all are bad nothing is written, and 50 refusals are kept`() throws {
        var rig = FollowerRig()
        rig.start()
        burst(&rig, 60, bad: Set(1...60))
        #expect(rig.environment == [:])
        #expect(rig.changes.isEmpty)
        #expect(rig.statusKeys.keys.count { $0.contains("/refused/") } == 50)
        #expect(rig.statusKeys["/s/gateway/h/refused/11"] == nil)
        #expect(try rig.refusal(61).error == "unwritable")
    }

    @Test func `what is good one by one and refused as a sum is made one by one`() throws {
        var rig = FollowerRig()
        rig.start()
        rig.realError = ConfigErrors.shrinkRefused(
            keysBefore: 9, keysAfter: 1, bytesBefore: 9, bytesAfter: 1, limitPercent: 30)
        burst(&rig, 3)
        #expect(rig.changes.isEmpty)
        #expect(rig.kept.last?.refused == [2, 3, 4])
        rig.realError = nil
        burst(&rig, 2)
        #expect(rig.environment == ["KEY": "2"])
    }

    @Test func `a deleted key goes, but only where etcd had set it`() {
        var rig = FollowerRig()
        rig.environment = ["OWN": "1"]
        rig.start()
        rig.put([("A", "1")])
        rig.put([("A", nil), ("OWN", nil)])
        #expect(rig.environment == ["OWN": "1"])
        #expect(rig.kept.last?.owned == [])
        #expect(rig.kept.last?.decided == 3)
    }

    @Test func `what was set right before a crash is known as etcd's, and goes once etcd has it no more`() throws {
        var rig = FollowerRig()
        rig.start()
        rig.put([("A", "1"), ("B", "1")])
        var again = FollowerRig(kept: [try #require(rig.intents.last)])
        again.environment = rig.environment
        again.versions = rig.versions
        again.revision = 5
        again.pairs = ["/m/gateway/env/B": ("1", 2)]
        again.start()
        again.endWatch(compacted: true)
        #expect(again.environment == ["B": "1"])
        #expect(again.changes.map(\.reason) == ["etcd revision 5"], "what was made is not made again")
        #expect(again.kept.last?.owned.map(\.key) == ["B"])
    }

    @Test func `a version of another cluster's revision of that number is not taken for the change`() {
        var rig = FollowerRig()
        rig.start()
        rig.put([("A", "1")])
        rig.realError = .peerSilent("configd", "killed")
        rig.cluster = "c2"
        rig.revision = 1
        rig.pairs = [:]
        rig.put([("A", "2")], telling: false)
        rig.breakWatch()
        rig.pass(.seconds(1))
        rig.realError = nil
        rig.pass(.seconds(31))
        #expect(rig.environment == ["A": "2"])
    }

    @Test func `a key that somebody removed by hand does not stand in the way of its deletion`() {
        var rig = FollowerRig()
        rig.start()
        rig.put([("A", "1"), ("B", "1")])
        rig.environment["A"] = nil
        rig.put([("A", nil), ("B", "2")])
        #expect(rig.environment == ["B": "2"])
        #expect(rig.kept.last?.refused == [])
    }

    @Test func `a key that is no key of a file is refused with the way out; one of another service is nobody's`() throws
    {
        var rig = FollowerRig()
        rig.start()
        rig.revision = 2
        rig.tell([
            EtcdRevision(number: 2, changes: [.init(key: Array("/m/other/env/A".utf8), value: [])]),
            EtcdRevision(
                number: 3,
                changes: [
                    .init(key: Array("/m/gateway/PORT".utf8), value: Array("1".utf8)),
                    .init(key: Array("/m/gateway/env/A".utf8), value: Array("1".utf8)),
                ]),
        ])
        #expect(rig.environment == [:])
        #expect(try rig.refusal(3).error == "unknownLayout")
        #expect(try rig.refusal(3).remedy.contains("env/KEY"))
        #expect(rig.statusKeys["/s/gateway/h/refused/2"] == nil)
    }

    @Test func `while configd is away revisions wait, say so once, and come together afterwards`() throws {
        var rig = FollowerRig()
        rig.start()
        rig.configdError = .peerSilent("configd", "nobody listens")
        for number in 1...20 { rig.put([("KEY", "\(number)")]) }
        rig.pass(.seconds(60))
        rig.pass(.seconds(60))
        #expect(try rig.written().outcome == .waiting)
        #expect(try rig.written().error == "peerSilent")
        #expect(rig.told { if case .waiting = $0 { true } else { false } } == 1)
        rig.configdError = nil
        rig.configdAnswered()
        #expect(rig.environment == ["KEY": "20"])
        #expect(rig.changes.count == 2, "the one that was tried when configd went, and the rest")
        #expect(try rig.written().outcome == .applied)
        #expect(rig.told { $0 == .goesOn(service: "gateway") } == 1)
    }

    @Test func `a full disk is no fault of the revision: it is tried again and not refused`() throws {
        var rig = FollowerRig()
        rig.start()
        rig.configdError = ConfigErrors.noSpace(FollowerRig.file)
        rig.put([("KEY", "1")])
        #expect(try rig.written().outcome == .waiting)
        #expect(rig.kept.last?.refused == [])
        rig.configdError = nil
        rig.pass(.seconds(31))
        #expect(rig.environment == ["KEY": "1"])
    }

    @Test func `beyond 10,000 waiting revisions the older half is judged as one`() {
        var rig = FollowerRig()
        rig.start()
        rig.configdError = .peerSilent("configd", "nobody listens")
        rig.put([("FIRST", "1")])
        burst(&rig, 10_002, key: { "KEY\($0 % 7)" })
        #expect(rig.follower.waiting < 6000)
        rig.configdError = nil
        rig.pass(.seconds(31))
        #expect(rig.environment["KEY\(10_002 % 7)"] == "10002")
        #expect(rig.environment["FIRST"] == "1")
        #expect(rig.follower.waiting == 0)
    }
}

@Suite struct EtcdLineTests {
    @Test func `with etcd gone the file stays, and a watch that ends goes on from the next revision`() throws {
        var rig = FollowerRig()
        rig.start()
        rig.put([("A", "1")])
        rig.etcdIsAway = true
        rig.breakWatch()
        for _ in 0..<50 { rig.pass(.seconds(6)) }
        #expect(rig.environment == ["A": "1"])
        #expect(rig.told { if case .silent = $0 { true } else { false } } == 1)
        rig.etcdIsAway = false
        rig.pass(.seconds(6))
        #expect(rig.watchesFrom == [2, 3])
        #expect(rig.listings == 1, "nothing was missed: no listing")
        #expect(rig.follower.stands)
    }

    @Test func `a restart goes on from what was kept`() {
        var first = FollowerRig()
        first.start()
        first.put([("A", "1")])
        var second = FollowerRig(kept: first.kept)
        second.revision = 2
        second.start()
        #expect(second.watchesFrom == [3])
        #expect(second.listings == 0)
        #expect(second.changes.isEmpty)
        #expect(second.statusKeys["/s/gateway/h"] != nil, "its status is said again")
    }

    @Test func `what was compacted away meanwhile is listed: new keys are applied, missing ones removed`() {
        var rig = FollowerRig()
        rig.start()
        rig.put([("A", "1"), ("B", "1")])
        rig.put([("C", "3")], telling: false)
        rig.put([("A", nil)], telling: false)
        rig.endWatch(compacted: true)
        #expect(rig.environment == ["B": "1", "C": "3"])
        #expect(rig.watchesFrom == [2, 5])
    }

    @Test func `another cluster under the same address deletes nothing`() throws {
        var rig = FollowerRig()
        rig.start()
        for number in 1...5 { rig.put([("KEY\(number)", "1")]) }
        rig.cluster = "c2"
        rig.revision = 1
        rig.pairs = [:]
        rig.put([("KEY1", "9")], telling: false)
        rig.breakWatch()
        rig.pass(.seconds(6))
        #expect(rig.environment["KEY1"] == "9", "its revisions begin anew")
        #expect(rig.environment.count == 5)
        #expect(rig.kept.last?.cluster == "c2")
        #expect(rig.kept.last?.decided == 2)
    }

    @Test func `a store that was set back is listed, and deletes nothing`() {
        var rig = FollowerRig()
        rig.start()
        for number in 1...5 { rig.put([("KEY\(number)", "1")]) }
        rig.revision = 2
        rig.pairs = rig.pairs.filter { $0.value.revision <= 2 }
        rig.breakWatch()
        rig.pass(.seconds(6))
        #expect(rig.environment.count == 5)
        #expect(rig.watchesFrom == [2, 3])
    }

    @Test func `a member that stopped is left for the next, though its connection stands`() {
        var rig = FollowerRig(endpoints: 2)
        rig.start()
        #expect(rig.follower.endpoint == 0)
        rig.etcdIsAway = true
        rig.pass(.seconds(5))
        #expect(!rig.follower.stands)
        #expect(rig.follower.endpoint == 1)
        rig.etcdIsAway = false
        rig.pass(.seconds(1))
        #expect(rig.follower.stands)
    }

    @Test func `an answer or a timer that nobody waits for does nothing`() {
        var rig = FollowerRig()
        rig.start()
        let before = rig.follower.revision
        let late = WorkID(owner: .line, number: 1)
        var follower = rig.follower
        #expect(follower.headed(late, .failure(EtcdFailure("late")), now: rig.now).isEmpty)
        #expect(follower.timerFired(late, now: rig.now).isEmpty)
        #expect(follower.watchEnded(late, EtcdFailure("late"), now: rig.now).isEmpty)
        #expect(
            follower.changed(WorkID(owner: .service("gateway"), number: 99), .failure(.internalError("")), now: rig.now)
                .isEmpty)
        #expect(follower.revision == before)
        #expect(follower.stands)
    }

    @Test func `status keys that etcd does not take are written when it does, each as it is last`() throws {
        var rig = FollowerRig()
        rig.start()
        rig.etcdIsAway = true
        rig.put([("A", "1")])
        rig.put([("A", "2")])
        #expect(rig.statusKeys["/s/gateway/h"].map { $0.contains("\"applied\":3") } != true)
        #expect(rig.follower.unwritten == 1)
        rig.etcdIsAway = false
        rig.pass(.seconds(1))
        #expect(try rig.written().applied == 3)
        #expect(rig.follower.unwritten == 0)
    }
}

@Suite struct TrialTests {
    @Test func `a change on trial is told as such, and confirmed once configd says so`() throws {
        var rig = FollowerRig(confirm: .seconds(60))
        rig.start()
        rig.put([("A", "1")])
        #expect(rig.changes.first?.confirmMs == 60_000)
        #expect(try rig.written().outcome == .onTrial)
        #expect(rig.kept.last?.intent?.reason == "etcd revision 2")
        rig.pending = []
        rig.trialTold()
        #expect(try rig.written().outcome == .confirmed)
        #expect(rig.kept.last?.intent == nil)
        #expect(rig.kept.last?.decided == 2)
    }

    @Test func `what comes while a change is on trial waits for its end`() throws {
        var rig = FollowerRig(confirm: .seconds(60))
        rig.start()
        rig.put([("A", "1")])
        rig.put([("A", "2")])
        rig.pass(.seconds(6))
        #expect(rig.environment == ["A": "1"])
        rig.pending = []
        rig.pass(.seconds(6))
        #expect(rig.environment == ["A": "2"], "configd was asked, though its event was lost")
    }

    @Test func `a change that went back is told with its reason, and never made again`() throws {
        var rig = FollowerRig(confirm: .seconds(60))
        rig.environment = ["A": "0"]
        rig.start()
        rig.put([("A", "1")])
        rig.environment = ["A": "0"]
        rig.pending = [
            rig.onTrial(2, "etcd revision 2", .takenBack, PendingEnd(.cancelled, detail: "p95 is three times"))
        ]
        rig.trialTold()
        #expect(try rig.written().outcome == .takenBack)
        #expect(try rig.refusal(2).message.contains("p95 is three times"))
        #expect(rig.kept.last?.owned == [])
        rig.pending = []
        var again = FollowerRig(kept: rig.kept, confirm: .seconds(60))
        again.revision = 2
        again.pairs = rig.pairs
        again.start()
        #expect(again.changes.isEmpty)
    }

    @Test func `a restart while a change is on trial asks configd what became of it`() throws {
        var rig = FollowerRig(confirm: .seconds(60))
        rig.start()
        rig.put([("A", "1")])
        var again = FollowerRig(kept: rig.kept, confirm: .seconds(60))
        again.revision = 2
        again.pairs = rig.pairs
        again.versions = rig.versions + [(3, "the window ended", .rollback, 1)]
        again.start()
        #expect(again.changes.isEmpty)
        #expect(try again.written().outcome == .takenBack)
        #expect(again.kept.last?.decided == 2)
    }

    @Test func `an intent that never became a change is made after the restart`() {
        var rig = FollowerRig(confirm: .seconds(60))
        rig.start()
        rig.put([("A", "1")])
        var again = FollowerRig(kept: rig.kept, confirm: .seconds(60))
        again.start()
        again.put([("A", "1")])
        #expect(again.changes.count == 1)
    }

    @Test func `silence over a change on trial is looked into before it is made again`() throws {
        var rig = FollowerRig(confirm: .seconds(60))
        rig.start()
        rig.realError = .peerSilent("configd", "killed")
        rig.put([("A", "1")])
        #expect(try rig.written().outcome == .waiting)
        // It was made, and its answer lost.
        rig.realError = nil
        rig.versions.append((2, "etcd revision 2", .set, nil))
        rig.pending = [rig.onTrial(2, "etcd revision 2", .activated)]
        rig.configdAnswered()
        #expect(rig.changes.isEmpty)
        rig.pending = []
        rig.trialTold()
        #expect(try rig.written().outcome == .confirmed)
        #expect(rig.kept.last?.owned == [FileKey(file: FollowerRig.file, key: "A")])
    }

    @Test func `somebody else's change on trial is waited for`() throws {
        var rig = FollowerRig(confirm: .seconds(60))
        rig.start()
        rig.realError = ConfigErrors.confirmationPending(service: "gateway", id: 7)
        rig.put([("A", "1")])
        #expect(try rig.written().outcome == .waiting)
        rig.realError = nil
        rig.pass(.seconds(31))
        #expect(rig.environment == ["A": "1"])
    }
}

@Suite struct EtcdMessageTests {
    @Test func `answers are read as etcd 3.4 sends them`() throws {
        let page = try EtcdAnswer.page(
            try JSONReader.read(
                """
                {"header":{"cluster_id":"324952591200643719","member_id":"3319814642761637952","revision":"3","raft_term":"2"},
                "kvs":[{"key":"L20vYQ==","create_revision":"2","mod_revision":"2","version":"1","value":"MQ=="},
                {"key":"L20vZQ==","create_revision":"3","mod_revision":"3","version":"1"}],"more":true,"count":"2"}
                """))
        #expect(page.head == EtcdHead(cluster: "324952591200643719", revision: 3))
        #expect(page.pairs.map(\.value) == [[0x31], []], "an empty value is left out")
        #expect(page.hasMore)
    }

    @Test func `a watch's lines are read as etcd 3.4 sends them`() throws {
        func told(_ text: String) throws -> EtcdTold { try EtcdAnswer.told(try JSONReader.read(text)) }
        let header = "\"header\":{\"cluster_id\":\"7\",\"revision\":\"4\"}"
        let head = EtcdHead(cluster: "7", revision: 4)
        #expect(try told("{\"result\":{\(header),\"created\":true}}") == .opened(head))
        #expect(
            try told("{\"result\":{\(header),\"canceled\":true,\"compact_revision\":\"3\"}}")
                == .ended(compacted: true, "etcd ended the watch"))
        let events = """
            {"result":{\(header),"events":[{"kv":{"key":"YQ==","mod_revision":"3","value":"MQ=="}},
            {"kv":{"key":"Yg==","mod_revision":"4","value":"Mg=="}},{"type":"DELETE","kv":{"key":"YQ==","mod_revision":"4"}}]}}
            """
        #expect(
            try told(events)
                == .revisions(
                    [
                        EtcdRevision(number: 3, changes: [.init(key: [0x61], value: [0x31])]),
                        EtcdRevision(
                            number: 4,
                            changes: [.init(key: [0x62], value: [0x32]), .init(key: [0x61], value: nil)]),
                    ], head))
    }

    @Test(arguments: [
        "[]", "{\"result\":7}", "{\"result\":{\"events\":[{\"kv\":{\"key\":\"?\"}}]}}",
        "{\"result\":{\"header\":{\"revision\":\"many\"}}}",
    ])
    func `what is no answer of etcd's is told as such`(text: String) throws {
        let json = try JSONReader.read(text)
        #expect(throws: EtcdFailure.self) { try EtcdAnswer.told(json) }
    }

    @Test func `the end of a prefix is the next one`() {
        #expect(EtcdRequest.end(of: Array("/m/".utf8)) == Array("/m0".utf8))
        #expect(EtcdRequest.end(of: [0x61, 0xFF]) == [0x62])
        #expect(EtcdRequest.end(of: [0xFF]) == [0])
    }

    @Test func `keys mean files and keys, and what they do not mean is said`() {
        let space = KeySpace(
            prefix: "/m/",
            services: [
                FollowedService(name: "one", files: ["/a/.env"]),
                FollowedService(name: "two", files: ["/a/.env2", "/a/conf.json"]),
            ])
        func meaning(_ key: String) -> KeySpace.Meaning { space.meaning(of: Array(key.utf8)) }
        #expect(meaning("/m/one/env/A") == .key(service: "one", FileKey(file: "/a/.env", key: "A"), isJSON: false))
        #expect(
            meaning("/m/two/files/conf.json/json//server/port")
                == .key(service: "two", FileKey(file: "/a/conf.json", key: "/server/port"), isJSON: true))
        for key in ["/m/three/env/A", "/m/one", "/x/one/env/A"] { #expect(meaning(key) == .nothing, "\(key)") }
        for key in ["/m/one/A", "/m/one/env/", "/m/two/env/A", "/m/two/files/x/env/A", "/m/one/files/.env"] {
            guard case .mistake = meaning(key) else {
                Issue.record("\(key)")
                continue
            }
        }
    }
}
