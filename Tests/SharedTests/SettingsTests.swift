import Glibc
import Settings
import Testing
import Time
import Wire

/// A folder of settings that lives as long as the test that made it.
private final class SettingsFolder {
    let path: String

    init() throws {
        var template = Array("/tmp/mainstay-settings-XXXXXX".utf8CString)
        let made = template.withUnsafeMutableBufferPointer { buffer in
            buffer.baseAddress.flatMap { mkdtemp($0) }.map { String(cString: $0) }
        }
        path = try #require(made)
        mkdir("\(path)/services", 0o755)
    }

    deinit {
        for file in written.reversed() { unlink(file) }
        rmdir("\(path)/services")
        rmdir(path)
    }

    private var written: [String] = []

    func write(_ name: String, _ text: String, mode: mode_t = 0o644) throws {
        try write(name, Array(text.utf8), mode: mode)
    }

    func write(_ name: String, _ bytes: [UInt8], mode: mode_t = 0o644) throws {
        let file = try #require(fopen("\(path)/\(name)", "w"))
        fwrite(bytes, 1, bytes.count, file)
        fclose(file)
        chmod("\(path)/\(name)", mode)
        written.append("\(path)/\(name)")
    }

    func makePipe(_ name: String) {
        mkfifo("\(path)/\(name)", 0o600)
        written.append("\(path)/\(name)")
    }

    /// What is wrong, one problem a line, without the folder's own path; empty where nothing is.
    func problems() -> [String] {
        do throws(SettingsRefused) {
            _ = try AllSettings.load(directory: path)
            return []
        } catch {
            return error.problems.map { String($0.description.dropFirst(path.utf8.count + 1)) }
        }
    }
}

/// The problems of one service's file called `gateway`, without the place's file name.
private func problems(_ text: String) throws -> [String] {
    let folder = try SettingsFolder()
    try folder.write("services/gateway.yaml", text)
    return folder.problems().map { $0.replacing("services/gateway.yaml:", with: "") }
}

private func service(_ text: String) throws -> ServiceSettings {
    let folder = try SettingsFolder()
    try folder.write("services/gateway.yaml", text)
    return try #require(try AllSettings.load(directory: folder.path).service("gateway"))
}

/// A service with a file of each format and one flag, called `f`, of which this is the rest.
private func flag(_ rest: String) -> String {
    "config: {files: [{path: /x}, {path: /j, format: json}, {path: /w, format: whole}], flags: [{name: f, \(rest)}]}"
}

/// A file of the project, found from this one.
private func projectFile(_ name: String) throws -> String {
    let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    let file = try #require(fopen("/\(root)/\(name)", "r"))
    defer { fclose(file) }
    var bytes: [UInt8] = []
    while case let byte = fgetc(file), byte != EOF { bytes.append(UInt8(truncatingIfNeeded: byte)) }
    return String(decoding: bytes, as: UTF8.self)
}

/// Takes the `#` from the lines that are settings, and leaves it on those that are prose (`# ` and one space).
private func uncommented(_ text: String) -> String {
    text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
        let rest = line.dropFirst()
        let isSetting = line.hasPrefix("#") && (rest.hasPrefix("  ") || !(rest.hasPrefix(" ") || rest.isEmpty))
        return String(isSetting ? rest : line)
    }.joined(separator: "\n")
}

@Suite struct SettingsTests {
    @Test func `an empty folder means the defaults and no service`() throws {
        let folder = try SettingsFolder()
        #expect(try AllSettings.load(directory: folder.path) == AllSettings())
    }

    @Test func `a missing folder is refused`() {
        #expect(throws: SettingsRefused.self) { try AllSettings.load(directory: "/tmp/mainstay-no-such-folder") }
    }

    @Test func `the commented defaults of mainstay.yaml are the defaults`() throws {
        let folder = try SettingsFolder()
        let shipped = try projectFile("systemd/defaults/mainstay.yaml")
        try folder.write("mainstay.yaml", shipped)
        #expect(try AllSettings.load(directory: folder.path).mainstay == MainstaySettings())
        try folder.write("mainstay.yaml", uncommented(shipped))
        #expect(folder.problems() == [])
        #expect(try AllSettings.load(directory: folder.path).mainstay == MainstaySettings())
        #expect(uncommented(shipped).contains("\nwatchdogd:"))
    }

    @Test func `what follows etcd is read, and contradictions in it are told`() throws {
        let folder = try SettingsFolder()
        try folder.write(
            "mainstay.yaml",
            """
            etcd:
              endpoints: [http://127.0.0.1:2379, "http://[::1]:2379"]
              services:
                - name: gateway
                  confirm: 1min
                - name: worker
            """)
        let etcd = try AllSettings.load(directory: folder.path).mainstay.etcd
        #expect(etcd.endpoints.map(\.port) == [2379, 2379])
        #expect(etcd.services.map(\.confirm) == [.seconds(60), nil])
        try folder.write(
            "mainstay.yaml",
            """
            etcd:
              endpoints: [https://etcd.example:2379]
              prefix: /mainstay
              statusPrefix: /mainstay/status/
              user: gateway
              services:
                - name: gateway
                  confirm: 10
                - confirm: 1min
            """)
        let places = folder.problems().map { $0.split(separator: ":").prefix(4).joined(separator: ":") }
        #expect(
            places == [
                "mainstay.yaml:2:14: etcd.endpoints", "mainstay.yaml:3:11: etcd.prefix",
                "mainstay.yaml:4:17: etcd.statusPrefix", "mainstay.yaml:5:9: etcd.user",
                "mainstay.yaml:8:16: etcd.services[0].confirm", "mainstay.yaml:9:7: etcd.services[1].name",
            ], "\(folder.problems())")
    }

    @Test func `the example of a service shows every key, and the defaults that it names are the defaults`() throws {
        let shipped = try projectFile("systemd/defaults/services/example.yaml")
        #expect(try service(shipped) == ServiceSettings(name: "gateway", unit: "example.service"))
        let full = try service(uncommented(shipped))
        let endpoint = HTTPEndpoint(host: "127.0.0.1", port: 3000, target: "/health")
        #expect(full.liveness == LivenessSettings(probe: .http(endpoint)))
        #expect(full.recovery == RecoverySettings())
        #expect(full.limits.memory?.bound == .percent(90))
        #expect(full.limits.memory?.action == .restart)
        #expect(full.limits.cpu?.holds == .seconds(300))
        var health = HTTPCheckSettings(endpoint: endpoint)
        health.expectBody = "ok"
        #expect(full.checks.first == CheckSettings(name: "health", probe: .http(health)))
        #expect(full.checks.count == 2)
        #expect(full.dependencies.first?.check.name == "postgres")
        #expect(full.config.files.map(\.activation) == [.restart, nil])
        #expect(full.config.chaosAllowed == ServiceConfigSettings().chaosAllowed)
        #expect(
            full.config.flags.map(\.kind) == [
                .truth(on: "1", off: "0"), .choice(["plain", "learned"]), .integer(0...10000),
            ])
        #expect(full.config.flags.map(\.standard) == [.truth(false), nil, .integer(0)])
        #expect(full.config.flags.map(\.key) == ["NEW_CHECKOUT", "RANKING", "/chaos/latencyMs"])
        #expect(full.config.flags.map(\.isChaos) == [false, false, true])
        #expect(full.config.activation == ServiceConfigSettings().activation)
        #expect(full.config.files.map(\.path) == ["/etc/example/.env", "/etc/example/routes.json"])
        let schema = try #require(full.config.files.first?.schema)
        #expect(schema.keys.map(\.name).prefix(3) == ["PORT", "LOG_LEVEL", "DB_POOL_MIN"])
        #expect(schema.keys[0].isRequired)
        #expect(schema.keys[4].maximum == .whole(60_000_000))
        #expect(schema.keys[6].isSecret == false)
        #expect(schema.rules.map(\.when) == ["TLS", nil])
        #expect(schema.rules[1].demand == .atMost(["DB_POOL_MIN", "DB_POOL_MAX"]))
        #expect(schema.takesOthers)
        #expect(full.config.files.first?.validator?.timeout == .seconds(5))
        #expect(
            full.config.validator?.command
                == CommandSettings(arguments: ["/usr/local/bin/check-env", "{}"], user: "nobody"))
        #expect(full.config.validator?.timeout == .seconds(10))
        #expect(full.config.maximumShrink == ServiceConfigSettings().maximumShrink)
        #expect(full.config.secrets == ["DB_PASSWORD", "*_KEY"])
        #expect(full.hooks.drain?.action == .signal(SIGUSR2))
        #expect(full.metrics?.requestsTotal == "example_requests_total")
        var postgres = PostgresSettings(
            place: .unix(path: "/run/postgresql/.s.PGSQL.5432"), user: "mainstay-metricsd")
        postgres.passwordFile = "/etc/mainstay/secrets/postgres"
        #expect(full.infrastructure.postgres == [postgres])
        var redis = RedisSettings(place: .tcp(TCPEndpoint(host: "127.0.0.1", port: 6379)))
        redis.user = "metrics"
        redis.passwordFile = "/etc/mainstay/secrets/redis"
        #expect(full.infrastructure.redis == [redis])
    }

    @Test func `receivers of remote write are read with all their keys, and each fault is told`() throws {
        let folder = try SettingsFolder()
        try folder.write(
            "mainstay.yaml",
            """
            metricsd:
              remoteWrite:
                - url: http://prometheus.example:9090/api/v1/write
                  user: mainstay
                  passwordFile: /etc/mainstay/secrets/prometheus
                  labels: {host: a, room: "7"}
                  interval: 15s
                  timeout: 10s
                - {url: "http://127.0.0.1:8428/api/v1/write", tokenFile: /etc/mainstay/secrets/victoria}
            """)
        let read = try AllSettings.load(directory: folder.path).mainstay.metricsd.remoteWrite
        var first = RemoteWriteSettings(
            url: HTTPEndpoint(host: "prometheus.example", port: 9090, target: "/api/v1/write"))
        first.user = "mainstay"
        first.passwordFile = "/etc/mainstay/secrets/prometheus"
        first.labels = ["host": "a", "room": "7"]
        first.interval = .seconds(15)
        first.timeout = .seconds(10)
        var second = RemoteWriteSettings(url: HTTPEndpoint(host: "127.0.0.1", port: 8428, target: "/api/v1/write"))
        second.tokenFile = "/etc/mainstay/secrets/victoria"
        #expect(read == [first, second])
        let faults = [
            ("{}", "remoteWrite[0].url: expected a URL such as http://prometheus:9090/api/v1/write, without TLS"),
            ("{url: 'https://a/'}", "remoteWrite[0].url: expected a URL such as"),
            ("{url: 'http://a/', user: x}", "remoteWrite[0].user: expected user and passwordFile together"),
            (
                "{url: 'http://a/', user: x, passwordFile: /x, tokenFile: /y}",
                "remoteWrite[0].tokenFile: expected a token or a user with a password, found both"
            ),
            ("{url: 'http://a/', labels: {__x: a}}", "remoteWrite[0].labels: expected names of letters"),
            ("{url: 'http://a/', labels: [a]}", "remoteWrite[0].labels: expected a mapping"),
            ("{url: 'http://a/'}, {url: 'http://a'}", "remoteWrite: expected each url once, found http://a:80/ twice"),
        ]
        for (text, problem) in faults {
            try folder.write("mainstay.yaml", "metricsd: {remoteWrite: [\(text)]}\n")
            #expect(folder.problems().contains { $0.contains(problem) }, "\(text): \(folder.problems())")
        }
    }

    @Test func `a schema is exact, and each fault in it is told with its place`() throws {
        let folder = try SettingsFolder()
        try folder.write(
            "services/gateway.yaml",
            """
            unit: gateway.service
            config:
              secrets: [""]
              files:
                - path: /etc/x
                  schema:
                    keys:
                      A: {type: integr}
                      B: {type: string, minimum: 1}
                      C: {type: port, minimum: 0}
                      D: {type: duration, minimum: 2s, maximum: 1s}
                      E: {pattern: "(a"}
                      E: {}
                      F: {minimumLength: 3, maximumLength: 2}
                      G: {type: integer}
                    rules:
                      - {requires: [A]}
                      - {less: [G, B]}
                      - {less: [G, D]}
                      - {oneOf: [A, B], when: C, equals: [1], excludes: [D]}
                    other: true

            """)
        let problems = folder.problems()
        for expected in [
            "8:21: config.files[0].schema.keys.A.type: expected one of string", "9:38", "10:36", "11:40",
            "12:24: config.files[0].schema.keys.E.pattern: expected a regular expression in RE2's syntax, found",
            "13:11: config.files[0].schema.keys.E: expected once", "14:30", "17:", "18:", "19:", "20:", "21:",
        ] {
            #expect(problems.contains { $0.contains(expected) }, "\(expected): \(problems.joined(separator: "\n"))")
        }
    }

    @Test func `an error names file, line, column, key, what was expected and what was found`() throws {
        let folder = try SettingsFolder()
        try folder.write(
            "services/gateway.yaml", "unit: gateway.service\nliveness:\n  tcp: 127.0.0.1:3000\n  interval: 2\n")
        #expect(
            folder.problems() == [
                "services/gateway.yaml:4:13: liveness.interval: expected a duration from 100ms to 1d, "
                    + "with its unit, such as 500ms, 2s or 10min, found 2"
            ])
    }

    @Test func `all errors of all files are told at once, in order`() throws {
        let folder = try SettingsFolder()
        try folder.write("mainstay.yaml", "socketDirectory: run\nmetricsd:\n  interval: fast\n")
        try folder.write(
            "services/a.yaml", "unit: a.service\nchecks:\n  - name: x\n    tcp: nowhere\n    timeout: 1h\n")
        try folder.write("services/b.yaml", "unit: [b.service]\n")
        let found = folder.problems().map { $0.split(separator: ": ").prefix(2).joined(separator: " ") }
        #expect(
            found == [
                "mainstay.yaml:1:18 socketDirectory", "mainstay.yaml:3:13 metricsd.interval",
                "services/a.yaml:4:10 checks[0].tcp", "services/a.yaml:5:14 checks[0].timeout",
                "services/b.yaml:1:7 unit",
            ])
    }

    @Test(arguments: [
        ("Unit", "unit"), ("liveness_probe", nil), ("livenes", "liveness"), ("depends", nil),
        ("dependencys", "dependencies"),
        ("RECOVERY", "recovery"),
    ])
    func `an unknown key is refused, and the near miss named`(key: String, meant: String?) throws {
        let found = try problems("unit: gateway.service\n\(key): {}\n")
        let hint = meant.map { "did you mean \($0)?" } ?? "known here:"
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix("2:1: \(key): unknown key; \(hint)") == true, "\(found)")
    }

    @Test func `the seed's spelling of a key finds ours`() throws {
        let found = try problems("unit: g.service\nchecks:\n  - {name: a, tcp: 'localhost:1', success_threshold: 2}\n")
        #expect(found == ["3:35: checks[0].success_threshold: unknown key; did you mean successThreshold?"])
    }

    @Test func `a key written twice is refused with both lines`() throws {
        let found = try problems("unit: a.service\nmetrics:\n  scrape: http://localhost/\nunit: b.service\n")
        #expect(found == ["4:1: unit: expected once, found again (first in line 1)"])
    }

    @Test func `a service without a unit is refused`() throws {
        let expected = "unit: expected the name of a systemd service such as gateway.service"
        #expect(try problems("") == ["1:1: \(expected), found no such key"])
        #expect(try problems("# nothing\n") == ["1:1: \(expected), found no such key"])
        #expect(try problems("unit: gateway") == ["1:7: \(expected), found gateway"])
        #expect(
            try problems("unit:\n") == ["1:6: \(expected), found nothing (leave the key out for its default)"])
        #expect(
            try problems("- unit") == [
                "1:1: expected a mapping of keys to values, found a list", "1:1: \(expected), found no such key",
            ])
    }

    @Test(arguments: [
        ("a: &x 1\n", "anchors and aliases are not read"), ("a: *x\n", "anchors and aliases are not read"),
        ("a: &x [1]\n", "anchors and aliases are not read"), ("<<: {a: b}\n", "merge keys are not read"),
        ("a: !!str 1\n", "tags such as !!str are not read"), ("a: !ruby/object {}\n", "tags such as"),
        ("a: 1\n---\nb: 2\n", "expected one document in a file, found a second"),
        ("? [a]\n: b\n", "expected a key of text, found a list"), ("a: [1\n", "did not find expected ',' or ']'"),
        ("a: \"x\n", "found unexpected end of stream"), ("\ta: 1\n", "found character that cannot start any token"),
        ("a: b: c\n", "mapping values are not allowed in this context"),
    ])
    func `what is not a plain tree of YAML is refused by name`(text: String, reason: String) throws {
        let found = try problems(text)
        #expect(found.count == 1)
        #expect(found.first?.contains(reason) == true, "\(found)")
    }

    @Test func `depth, size and bytes that are no text are refused`() throws {
        let deep = String(repeating: "[", count: 200_000)
        #expect(try problems("unit: \(deep)").first?.contains("expected at most 24 levels") == true)
        let folder = try SettingsFolder()
        try folder.write("services/a.yaml", [UInt8]("unit: a.service\n# ".utf8) + [0xFF, 0xFE])
        try folder.write("services/b.yaml", "# " + String(repeating: "x", count: 1 << 20))
        #expect(
            folder.problems() == [
                "services/a.yaml:2:1: expected UTF-8 text, found a byte that is not",
                "services/b.yaml: expected at most 1048576 bytes, found 1048578",
            ])
    }

    @Test func `a file under a name that no service can have, or that others may write, is refused`() throws {
        let folder = try SettingsFolder()
        try folder.write("services/-x.yaml", "unit: a.service\n")
        try folder.write("services/open.yaml", "unit: b.service\n", mode: 0o666)
        try folder.write("services/.hidden.yaml", "nonsense: true\n")
        try folder.write("services/c.yaml.dpkg-old", "nonsense: true\n")
        let found = folder.problems()
        #expect(found.count == 2)
        #expect(found.first?.hasPrefix("services/-x.yaml: expected a file called NAME.yaml") == true, "\(found)")
        #expect(
            found.last?.hasPrefix("services/open.yaml: expected a file that others cannot write") == true, "\(found)")
    }

    @Test func `a pipe in a file's place does not hold the reader`() throws {
        let folder = try SettingsFolder()
        folder.makePipe("services/pipe.yaml")
        #expect(folder.problems() == ["services/pipe.yaml: expected a regular file, found something else"])
    }

    @Test func `the ending .yml is refused rather than passed over`() throws {
        let folder = try SettingsFolder()
        try folder.write("services/gateway.yml", "unit: a.service\n")
        #expect(folder.problems() == ["services/gateway.yml: expected the ending .yaml, found .yml: rename it"])
    }

    @Test func `two services cannot claim one unit or one file`() throws {
        let folder = try SettingsFolder()
        let text = "unit: same.service\nconfig: {files: [{path: /etc/same/.env}]}\n"
        try folder.write("services/a.yaml", text)
        try folder.write("services/b.yaml", text)
        #expect(
            folder.problems() == [
                "services/b.yaml: config.files: expected /etc/same/.env in one service, found it in a.yaml too",
                "services/b.yaml: unit: expected same.service in one service, found it in a.yaml too",
            ])
    }

    @Test func `there are no more servers in all files together than metricsd has threads for`() throws {
        let folder = try SettingsFolder()
        let servers = (1...11).map { "{socket: /run/redis/\($0)}" }.joined(separator: ", ")
        try folder.write("mainstay.yaml", "metricsd: {infrastructure: {redis: [\(servers)]}}\n")
        try folder.write("services/a.yaml", "unit: a.service\ninfrastructure: {redis: [\(servers)]}\n")
        #expect(folder.problems() == [])
        try folder.write("services/b.yaml", "unit: b.service\ninfrastructure: {redis: [\(servers)]}\n")
        #expect(
            try #require(folder.problems().first).hasSuffix(
                "infrastructure: expected at most 32 servers in all files together, found 33"))
    }

    @Test(arguments: [
        ("liveness: {}", "liveness: expected one of http, tcp, unix, heartbeat, found none"),
        (
            "liveness: {tcp: 'localhost:1', unix: /x}",
            "liveness.unix: expected one of http, tcp, unix, heartbeat, found tcp and unix"
        ),
        ("liveness: {tcp: 'gateway.example:1'}", "liveness.tcp: expected an address or localhost, and a port"),
        ("liveness: {http: 'https://127.0.0.1/'}", "liveness.http: expected a URL with an address or localhost"),
        ("liveness: {heartbeat: false}", "liveness.heartbeat: expected true, found false"),
        ("liveness: {heartbeat: true, timeout: 3s}", "liveness.timeout: expected at most interval (2s), found 3s"),
        (
            "liveness: {heartbeat: true, failureThreshold: 9}",
            "liveness.failureThreshold: expected at most failureWindow (5), found 9"
        ),
        (
            "metrics: {scrape: 'http://gateway.example/metrics'}",
            "metrics.scrape: expected a URL with an address or localhost in it, or a socket's"
        ),
        (
            "infrastructure: {postgres: [{address: '127.0.0.1:5432'}]}",
            "infrastructure.postgres[0].user: expected a text, found no such key"
        ),
        (
            "infrastructure: {postgres: [{socket: /run/postgresql, user: a}]}",
            "infrastructure.postgres[0].socket: expected a path that ends with .s.PGSQL. and the port"
        ),
        (
            "infrastructure: {postgres: [{address: 'db.example:5432', user: a}]}",
            "infrastructure.postgres[0].address: expected an address or localhost, and a port"
        ),
        ("infrastructure: {redis: [{}]}", "infrastructure.redis[0]: expected one of address, socket, found none"),
        (
            "infrastructure: {redis: [{address: 'cache.example:6379'}]}",
            "infrastructure.redis[0].address: expected an address or localhost, and a port"
        ),
        (
            "infrastructure: {redis: [{socket: /x, interval: 100ms}]}",
            "infrastructure.redis[0].interval: expected a duration from 1s to 1h"
        ),
        (
            "infrastructure: {redis: [{socket: /x, interval: 1s}]}",
            "infrastructure.redis[0].timeout: expected at most interval (1s), found 2s"
        ),
        (
            "infrastructure: {redis: [{socket: /x, password: secret}]}",
            "infrastructure.redis[0].password: unknown key; known here: address"
        ),
        (
            "infrastructure: {redis: [{socket: /x, user: a}]}",
            "infrastructure.redis[0].user: expected passwordFile with it, found none"
        ),
        (
            "infrastructure: {redis: [{socket: /x}, {socket: /x}]}",
            "infrastructure.redis: expected each server once, found /x twice"
        ),
        ("limits: {memory: {for: 1s}}", "limits.memory.maximum: expected a share from 1.0% to 100.0%"),
        ("limits: {memory: {maximum: 64MB}}", "limits.memory.maximum: expected a share from 1.0% to 100.0%"),
        ("limits: {cpu: {maximum: 64MiB}}", "limits.cpu.maximum: expected a share from 1.0% to 100000.0%"),
        (
            "limits: {memory: {maximum: 90%, action: kill}}",
            "limits.memory.action: expected one of alert, restart, found kill"
        ),
        ("checks: [{name: a, tcp: 'x:1', critical: yes}]", "checks[0].critical: expected true or false, found yes"),
        (
            "recovery: {backoff: {initial: 1min}}",
            "recovery.backoff.initial: expected at most maximum (30s), found 1min"
        ),
        ("checks: {}", "checks: expected a list of mappings, found a mapping"),
        (
            "checks: [{name: a, command: [/bin/true]}]",
            "checks[0].user: expected the name of a user or group, found no such key"
        ),
        (
            "checks: [{name: a, command: [ls], user: root}]",
            "checks[0].command: expected a list: a program's absolute path"
        ),
        (
            "checks: [{name: a, tcp: 'x:1', user: root}]",
            "checks[0].user: expected only beside command, found without it"
        ),
        (
            "checks: [{name: a, tcp: 'x:1', expectBody: ok}]",
            "checks[0].expectBody: expected only beside http, found without it"
        ),
        (
            "checks: [{name: a, http: 'http://x/', expectStatus: [299-200]}]",
            "checks[0].expectStatus: expected a list of 1 to 32"
        ),
        (
            "checks: [{name: a, tcp: 'x:1'}, {name: a, tcp: 'x:2'}]",
            "checks: expected each name once, found a check or dependency called a twice"
        ),
        ("config: {files: [{path: etc/x}]}", "config.files[0].path: expected an absolute path"),
        ("config: {files: [{path: /etc/../x}]}", "config.files[0].path: expected an absolute path without . or .."),
        ("config: {files: [{path: /x, format: yaml}]}", "config.files[0].format: expected one of env, json, whole"),
        (
            "config: {files: [{path: /x, format: json, readers: [sh]}]}",
            "config.files[0].readers: expected with format env only, which has lines; this file's is json"
        ),
        ("config: {activation: signal KILL}", "config.activation: expected one of nothing, signal HUP, signal USR1"),
        ("config: {files: [{path: /x, activation: start}]}", "config.files[0].activation: expected one of nothing"),
        (flag("type: bool"), "config.flags[0].render: expected where the flag is rendered"),
        (
            flag("type: bool, render: {file: /y, key: A}"),
            "config.flags[0].render.file: expected a file of config.files"
        ),
        (flag("type: bool, render: {file: /w, key: A}"), "config.flags[0].render.file: expected a file with keys"),
        (flag("type: bool, render: {file: /x, pointer: /a}"), "config.flags[0].render.pointer: expected key"),
        (flag("type: bool, render: {file: /j, key: A}"), "config.flags[0].render.key: expected pointer"),
        (flag("type: bool, render: {file: /j, pointer: a}"), "config.flags[0].render.pointer: expected a JSON pointer"),
        (flag("type: bool, render: {file: /x, key: A, true: '1'}"), "config.flags[0].render.true: expected two texts"),
        (
            flag("type: string, render: {file: /x, key: A, true: a, false: b}"),
            "config.flags[0].render.true: expected with type bool only"
        ),
        (flag("type: enum, render: {file: /x, key: A}"), "config.flags[0].values: expected a list of 1 to 100"),
        (
            flag("type: enum, values: [a], default: b, render: {file: /x, key: A}"),
            "config.flags[0].default: expected one of a"
        ),
        (
            flag("type: bool, values: [a], render: {file: /x, key: A}"),
            "config.flags[0].values: expected with type enum only"
        ),
        (flag("type: integer, minimum: 3, default: 2, render: {file: /x, key: A}"), "a whole number from 3 to"),
        (
            flag("type: integer, minimum: 3, maximum: 2, render: {file: /x, key: A}"),
            "config.flags[0].maximum: expected at least minimum"
        ),
        (flag("type: number, default: NaN, render: {file: /x, key: A}"), "config.flags[0].default: expected a number"),
        (
            flag("type: string, minimum: 1, render: {file: /x, key: A}"),
            "config.flags[0].minimum: expected with type integer or number"
        ),
        (flag("type: bool, chaos: true, render: {file: /x, key: A}"), "config.flags[0].chaos: expected a default"),
        (flag("type: switch, render: {file: /x, key: A}"), "config.flags[0].type: expected one of bool, integer"),
        ("config: {files: [{path: /x, readers: [zsh]}]}", "config.files[0].readers: expected a list of 1 to 7"),
        (
            "config: {files: [{path: /x, onOutsideChange: ignore}]}",
            "config.files[0].onOutsideChange: expected one of adopt, restore"
        ),
        (
            "hooks: {drain: {signal: KILL}}",
            "hooks.drain.signal: expected one of HUP, INT, TERM, USR1, USR2, WINCH, found KILL"
        ),
    ])
    func `a value that makes no sense is refused with what would`(text: String, expected: String) throws {
        let found = try problems("unit: gateway.service\n\(text)\n")
        #expect(found.count == 1, "\(found)")
        #expect(found.first?.contains(" \(expected)") == true, "\(found)")
    }

    @Test(
        arguments: [
            ("500ms", 500), ("2s", 2000), ("10min", 600_000), ("10m", 600_000), ("1h30min", 5_400_000),
            ("1d", 86_400_000),
            ("1min30s", 90_000), ("2", nil), ("s", nil), ("2 s", nil), ("-2s", nil), ("2.5s", nil),
            ("99999999999999999999s", nil),
            ("9223372036854775807ms", nil), ("1s2", nil), ("", nil), ("٣s", nil),
        ] as [(String, Int64?)])
    func `a duration has its unit, and only the documented ones`(text: String, milliseconds: Int64?) throws {
        let settings = "unit: a.service\nlimits: {cpu: {maximum: 50%, for: '\(text)'}}\n"
        if let milliseconds {
            #expect(try service(settings).limits.cpu?.holds == .milliseconds(milliseconds))
        } else {
            #expect(try problems(settings).count == 1)
        }
    }

    @Test(
        arguments: [
            ("127.0.0.1:80", "127.0.0.1", 80), ("[::1]:80", "::1", 80), ("db.example:5432", "db.example", 5432),
            (":80", nil, 0),
            ("a:0", nil, 0), ("a:65536", nil, 0), ("a", nil, 0), ("[::1", nil, 0), ("[x]:1", nil, 0), ("a b:1", nil, 0),
            ("::1:80", nil, 0),
        ] as [(String, String?, Int)])
    func `a host and a port are read with brackets for IPv6 only`(text: String, host: String?, port: Int) {
        #expect(TCPEndpoint(text) == host.map { TCPEndpoint(host: $0, port: port) })
        #expect(TCPEndpoint(text)?.description ?? text == text)
    }

    @Test(arguments: [
        ("http://127.0.0.1:3000/health?a=b", "127.0.0.1", 3000, "/health?a=b"), ("http://x", "x", 80, "/"),
        ("http://[::1]/", "::1", 80, "/"), ("http://x?q", "x", 80, "/?q"),
    ])
    func `a URL is read into host, port and target`(text: String, host: String, port: Int, target: String) {
        #expect(HTTPEndpoint(text) == HTTPEndpoint(host: host, port: port, target: target))
    }

    @Test(arguments: [
        "", "x", "https://x/", "http://", "http://user@x/", "http://x/ y", "http://x/#f", "http://x:y/", "HTTP://x/",
    ])
    func `what is not a plain http URL is refused`(text: String) {
        #expect(HTTPEndpoint(text) == nil)
    }

    @Test func `a page is read at an address or at a socket`() throws {
        #expect(ScrapePlace("http://127.0.0.1:9/a?b=c")?.description == "http://127.0.0.1:9/a?b=c")
        #expect(ScrapePlace("http://unix:/run/a.sock") == .unix(socket: "/run/a.sock", target: "/metrics"))
        #expect(ScrapePlace("http://unix:/run/a.sock:/m?n=1")?.description == "http://unix:/run/a.sock:/m?n=1")
        let long = String(repeating: "a", count: 107)
        for text in [
            "http://unix:run/a.sock", "http://unix:", "http://unix:/a:b", "http://unix:/a:/b c", "http://unix:/\(long)",
            "https://127.0.0.1/", "http://a b/",
        ] {
            #expect(ScrapePlace(text) == nil, "\(text)")
        }
        #expect(try #require(ScrapePlace("http://example.org/")).isNumeric == false)
    }

    @Test func `one file is checked alone, by its name`() throws {
        let folder = try SettingsFolder()
        try folder.write("mainstay.yaml", "healthd: {concurrentCommands: 4}\n")
        try folder.write("services/a.yaml", "unit: a.service\n")
        try AllSettings.check(file: "\(folder.path)/mainstay.yaml")
        try AllSettings.check(file: "\(folder.path)/services/a.yaml")
        #expect(throws: SettingsRefused.self) { try AllSettings.check(file: "\(folder.path)/services/b.yaml") }
    }

    @Test func `2,000 damaged files neither crash the reader nor make it slow`() throws {
        let shipped = Array(uncommented(try projectFile("systemd/defaults/services/example.yaml")).utf8)
        let folder = try SettingsFolder()
        var random = SeededRandom(seed: 2)
        var refused = 0
        for _ in 0..<2000 {
            var bytes = shipped
            for _ in 0..<Int.random(in: 1...8, using: &random) {
                let index = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[index] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.remove(at: index)
                default: bytes.insert(contentsOf: bytes[index..<min(index + 40, bytes.count)], at: index)
                }
            }
            try folder.write("services/gateway.yaml", bytes)
            refused += folder.problems().isEmpty ? 0 : 1
        }
        #expect(refused > 1000)
    }
}

/// `Protocols/settings.schema.json` is for editors; the reader is what decides. Both must name the same keys.
@Suite struct SettingsSchemaTests {
    private let definitions: JSONObject

    init() throws {
        let root = try JSONReader.read(try projectFile("Protocols/settings.schema.json"))
        guard case .object(let members) = root, case .object(let found)? = members["$defs"] else {
            throw Missing(what: "$defs")
        }
        definitions = found
    }

    private struct Missing: Error {
        var what: String
    }

    @Test(arguments: ["mainstay", "service"])
    func `the schema names exactly the keys that the reader takes`(kind: String) throws {
        let visited = try walk(kind, path: [], kind: kind)
        #expect(visited >= (kind == "service" ? 16 : 10), "only \(visited) mappings were compared")
    }

    /// Compares the mapping at `path` and all below it; answers how many.
    private func walk(_ name: String, path: [String], kind: String) throws -> Int {
        guard case .object(let definition)? = definitions[name],
            case .object(let properties)? = definition["properties"]
        else {
            return 0
        }
        #expect(definition["additionalProperties"] == .bool(false), "\(name)")
        #expect(try keysOfReader(path, kind: kind) == properties.keys.sorted(), "at \(path)")
        var visited = 1
        for (key, value) in properties.members {
            guard case .object(let property) = value else { continue }
            if let below = reference(property) {
                visited += try walk(below, path: path + [key], kind: kind)
            } else if case .object(let items)? = property["items"], let below = reference(items) {
                visited += try walk(below, path: path + [key, "-"], kind: kind)
            }
        }
        return visited
    }

    private func reference(_ schema: JSONObject) -> String? {
        guard case .string(let target)? = schema["$ref"] else { return nil }
        return String(target.dropFirst("#/$defs/".count))
    }

    /// The keys that the reader says it knows when it meets a key that resembles none.
    private func keysOfReader(_ path: [String], kind: String) throws -> [String] {
        var text = "qqqqqqqqqqqqqqqqqqqqqqqq: 1"
        for step in path.reversed() {
            text = step == "-" ? "[{\(text)}]" : step + ": " + (text.hasPrefix("[") ? text : "{\(text)}")
        }
        let folder = try SettingsFolder()
        try folder.write(kind == "service" ? "services/gateway.yaml" : "mainstay.yaml", "{\(text)}")
        let said = folder.problems().compactMap { $0.split(separator: "unknown key; known here: ").dropFirst().first }
        return try #require(said.first).split(separator: ", ").map(String.init)
    }
}
