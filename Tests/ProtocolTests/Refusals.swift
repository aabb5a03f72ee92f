import ConfigAPI
import HealthAPI
import MetricsAPI
import WatchdogAPI
import Wire

extension Socket {
    /// The refusals that every socket knows.
    static let commonRefusals: [RPCError] = {
        let why = WireError(place: "byte 17", problem: "expected a value, found \",\"")
        return [
            .parseError(why), .invalidRequest(why), .methodNotFound("statsu"), .invalidParams(why),
            .internalError("the thread store is gone"), .accessDenied(method: "hold", needs: .act, uid: 1000),
            .deadlineExceeded(method: "queryRange", deadlineMs: 5000), .limitExceeded("64 connections"),
            .unknownService("gatewya"), .unknownEvent("heldd", known: ["held", "released"]),
        ]
    }()

    /// The concern's own, one of each.
    var refusals: [RPCError] {
        switch self {
        case .configd: Self.configRefusals + Self.outsideRefusals
        case .metricsd:
            [
                MetricsErrors.invalidSelector("up{", position: 3, problem: "expected a label"),
                MetricsErrors.invalidRange("fromMs is after toMs"),
                MetricsErrors.tooManyPoints(asked: 86_400, most: 11_000, leastStepMs: 8000),
                MetricsErrors.invalidCursor("abc"), MetricsErrors.storeUnavailable("no answer in 5 s"),
                MetricsErrors.noCollector(.container),
                MetricsErrors.invalidSample(index: 1, problem: "no name"),
                MetricsErrors.tooManySeries(service: "gateway", most: 1000),
                MetricsErrors.invalidQuery(position: 1, problem: "unknown function with name \"foo\""),
                MetricsErrors.queryFailed(position: 4, problem: "multiple matches for labels"),
                MetricsErrors.queryTooLarge("more than 5000000 values"), MetricsErrors.queryTooSlow("the time is up"),
                MetricsErrors.invalidImport(line: 3, problem: "no time"),
                MetricsErrors.importTooLarge(beyond: 3, most: 20_000),
                MetricsErrors.importTooOld(oldestMs: 5, keptFromMs: 9),
            ]
        case .healthd:
            [
                HealthErrors.serviceMissing(known: ["gateway", "worker"]),
                HealthErrors.unknownCheck(service: "gateway", check: "htpp"),
                HealthErrors.checkInSettings(service: "gateway", check: "http"),
                HealthErrors.invalidCheck(member: "interval", expected: "1000 or more", found: "10"),
                HealthErrors.tooManyChecks(limit: 100), HealthErrors.notKept(reason: "no space"),
                HealthErrors.notReported(service: "gateway", check: "http", type: .http),
                HealthErrors.badPage(member: "limit", found: "0"),
            ]
        case .watchdogd:
            [
                WatchdogErrors.unknownIncident("a1"),
                WatchdogErrors.outOfRange("forMs", found: 0, allowed: 1...2_592_000_000),
                WatchdogErrors.serviceHeld("gateway", by: "uid 0", reason: "an upgrade"),
                WatchdogErrors.notHeld("gateway"),
                WatchdogErrors.busy("gateway", condition: .killing, incident: "a1"),
                WatchdogErrors.notRunning("gateway", condition: .operatorStopped), WatchdogErrors.badCursor("abc"),
                WatchdogErrors.notNow("gateway", condition: .adopting), WatchdogErrors.storeSilent("no answer in 2 s"),
            ]
        case .configdEtcd: []
        }
    }

    /// Somebody else writes the file.
    private static let outsideRefusals: [RPCError] = [
        ConfigErrors.beingWritten("/etc/gateway/.env"), ConfigErrors.keepsChanging("/etc/gateway/.env"),
        ConfigErrors.outsideChange(
            "/etc/gateway/.env", why: "was put back 3 times within a minute, and somebody writes it again",
            remedy: """
                Find out who writes it: `mainstay config quarantine gateway` shows what, and `mainstay config adopt \
                gateway` takes it over
                """),
        ConfigErrors.unknownQuarantine(99), ConfigErrors.quarantineDamaged(7),
    ]

    private static let configRefusals: [RPCError] = [
        ConfigErrors.unknownFile(service: "gateway", file: "/etc/x", known: ["/etc/gateway/.env"]),
        ConfigErrors.unknownKey("PROT"), ConfigErrors.unknownVersion(99, newest: 12),
        ConfigErrors.nothingToRollBack(version: 1), ConfigErrors.versionConflict(expected: 11, found: 12),
        ConfigErrors.fileNamedTwice("/etc/gateway/.env"),
        ConfigErrors.unknownTag("stable", known: ["before-upgrade"]), ConfigErrors.tooManyTags(256),
        ConfigErrors.invalidKey("A-B", reader: "bash"),
        ConfigErrors.valueTooLarge("KEY", bytes: 200_000, limit: 131_071),
        ConfigErrors.fileTooLarge(bytes: 2_000_000, limit: 1_048_576), ConfigErrors.zeroByte("KEY"),
        ConfigErrors.unreadable(reader: "bash", line: 4, reason: "finds no closing quote"),
        ConfigErrors.unwritable(key: "KEY", reader: "docker", wouldRead: "'a'"),
        ConfigErrors.wouldChangeOther(key: "A", reader: "bash", other: "B"),
        ConfigErrors.shrinkRefused(
            keysBefore: 40, keysAfter: 3, bytesBefore: 4000, bytesAfter: 100, limitPercent: 50),
        ConfigErrors.tooManyChanges(257, limit: 256), ConfigErrors.environmentTooLarge(bytes: 600_000),
        ConfigErrors.fileMissing("/etc/gateway/.env"),
        ConfigErrors.notPlainFile("/etc/gateway/.env", found: "a symbolic link"),
        ConfigErrors.mountPoint("/etc/gateway/.env"), ConfigErrors.noSpace("/etc/gateway/.env"),
        ConfigErrors.readOnly("/etc/gateway/.env"), ConfigErrors.notPermitted("/etc/gateway/.env", step: "open"),
        ConfigErrors.ownerChanged("/etc/gateway/.env", expected: 1001, found: 0),
        ConfigErrors.diskFailed("/etc/gateway/.env", step: "write", why: "Input/output error"),
        ConfigErrors.durabilityUnknown("/etc/gateway/.env", why: "Input/output error"),
        ConfigErrors.versionsUnavailable("the disk is full", remedy: "Free space on /var/lib/mainstay"),
        ConfigErrors.versionDamaged(7),
        ConfigErrors.invalidJSON(line: 4, column: 3, problem: "expected a key in double quotes, found '}'"),
        ConfigErrors.invalidJSONValue(
            "/server/port", line: 1, column: 3, problem: "expected the end of the text, found '2'"),
        ConfigErrors.invalidPointer("server.port"), ConfigErrors.missingParent("/tls/port"),
        ConfigErrors.repeatedKey("/server/port", line: 7), ConfigErrors.keptWhole(), ConfigErrors.textOnly("PORT"),
        ConfigErrors.stagingGap(stagedBytes: 524_288), ConfigErrors.nothingStaged("a1"),
        ConfigErrors.confirmationPending(service: "gateway", id: 4),
        ConfigErrors.notPending(service: "gateway", id: 4), ConfigErrors.notActivated(service: "gateway", id: 4),
        ConfigErrors.takeBackUnfollowed(service: "gateway", id: 4),
        ConfigErrors.schemaViolated([
            ConfigFinding(
                severity: .error, name: "schemaViolated", rule: "maximum", key: "PORT", line: 4,
                message: "PORT: the schema expects at most 65535", expected: "at most 65535", found: "\"70000\"",
                remedy: "The port that the proxy forwards to")
        ]), ConfigErrors.contentTooLarge(bytes: 600_000, limit: 524_288),
        ConfigErrors.unknownReader("bash", known: ["node-dotenv", "systemd"]),
        ConfigErrors.validatorRefused("/etc/gateway/.env", why: "ended with 1", output: "PORT is taken"),
        ConfigErrors.validatorUnavailable(
            "/etc/gateway/.env", why: "connect to /run/mainstay/validate.socket: No such file or directory"),
        ConfigErrors.notLeasable("URL", why: "says something else in another environment of its reader"),
        ConfigErrors.tooManyLeases(257, limit: 256), ConfigErrors.notLeased("LOG_LEVEL"),
        ConfigErrors.locked(
            ConfigLock(
                service: "gateway", holderUID: 1000, holderPID: 812, reason: "a deploy", expiresAtMs: 1_764_057_720_123)
        ),
        ConfigErrors.lockLost(service: "gateway"),
        ConfigErrors.lockedByOther(service: "gateway", path: "/run/mainstay/configd/gateway.lock", pid: 812),
        ConfigErrors.unknownFlag(service: "gateway", flag: "newChekout", known: ["newCheckout", "poolSize"]),
        ConfigErrors.invalidFlagValue("poolSize", expected: "a whole number from 1 to 100"),
        ConfigErrors.chaosNotAllowed(service: "gateway", flag: "latencyMs"), ConfigErrors.keyNamedTwice("POOL_SIZE"),
    ]
}
