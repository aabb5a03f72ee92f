internal import Glibc
internal import Time

/// Bounds that a file may not make absurd: a list too long to check in time, an interval too short to bear.
private enum Bounds {
    static let items = 256
    static let interval: ClosedRange<Duration> = .milliseconds(100) ... .seconds(86_400)
    static let timeout: ClosedRange<Duration> = .milliseconds(10) ... .seconds(3600)
}

extension ServiceSettings {
    /// Reads the top of `services/NAME.yaml`.
    mutating func read(from section: inout Section) {
        section.require("unit", .serviceUnit, into: &unit)
        section.section("liveness") { liveness = LivenessSettings.read(from: &$0) }
        section.section("limits") { limits.read(from: &$0) }
        section.section("recovery") { recovery.read(from: &$0) }
        section.list("checks", atMost: Bounds.items) { item in
            if let check = CheckSettings.read(from: &item) { checks.append(check) }
        }
        section.list("dependencies", atMost: Bounds.items) { item in
            if let dependency = DependencySettings.read(from: &item) { dependencies.append(dependency) }
        }
        section.section("config") { config.read(from: &$0) }
        section.section("metrics") { metrics = ScrapeSettings.read(from: &$0) }
        section.section("infrastructure") { infrastructure.read(from: &$0) }
        section.section("hooks") { hooks.read(from: &$0) }
        let names = checks.map(\.name) + dependencies.map(\.check.name)
        section.refuseRepeated(names, key: "checks", "a check or dependency")
        section.refuseRepeated(config.files.map(\.path), key: "config", "a file")
    }
}

extension Section {
    fileprivate mutating func refuseRepeated(_ names: [String], key: String, _ what: String) {
        var seen: Set<String> = []
        for name in names where !seen.insert(name).inserted {
            refuse(key, "expected each name once, found \(what) called \(name) twice")
        }
    }

    fileprivate mutating func refuse(_ key: String, _ value: Duration, atMost bound: Duration, _ boundName: String) {
        if value > bound {
            refuse(
                key, "expected at most \(boundName) (\(Quantity.text(bound))), found \(Quantity.text(value))")
        }
    }
}

extension LivenessSettings {
    fileprivate static func read(from section: inout Section) -> LivenessSettings? {
        var settings = LivenessSettings(probe: .heartbeat)
        var probe: Probe?
        switch section.choice(["http", "tcp", "unix", "heartbeat"], required: true) {
        case "http": section.read("http", Shape<HTTPEndpoint>.numericHTTP.mapped(Probe.http), into: &probe)
        case "tcp": section.read("tcp", Shape<TCPEndpoint>.numericTCP.mapped(Probe.tcp), into: &probe)
        case "unix": section.read("unix", Shape<String>.path.mapped(Probe.unix(path:)), into: &probe)
        case "heartbeat":
            section.read("heartbeat", Shape<Bool>.only(true).mapped { _ in Probe.heartbeat }, into: &probe)
        default: break
        }
        section.read("interval", .duration(Bounds.interval), into: &settings.interval)
        section.read("timeout", .duration(Bounds.timeout), into: &settings.timeout)
        section.read("lateAnswer", .duration(.seconds(1) ... .seconds(600)), into: &settings.lateAnswer)
        section.read("progressWindows", .whole(1...100), into: &settings.progressWindows)
        section.read("livelockedAfter", .duration(.seconds(1) ... .seconds(3600)), into: &settings.livelockedAfter)
        section.read("failureThreshold", .whole(1...64), into: &settings.failureThreshold)
        section.read("failureWindow", .whole(1...64), into: &settings.failureWindow)
        section.refuse("timeout", settings.timeout, atMost: settings.interval, "interval")
        if settings.failureThreshold > settings.failureWindow {
            section.refuse(
                "failureThreshold",
                "expected at most failureWindow (\(settings.failureWindow)), found \(settings.failureThreshold)")
        }
        guard let probe else { return nil }
        settings.probe = probe
        return settings
    }
}

extension LimitsSettings {
    fileprivate mutating func read(from section: inout Section) {
        let memory = Shape<LimitSettings.Bound>.bound(.bytes(1 << 20...1 << 50), upTo: 100)
        section.section("memory") { self.memory = LimitSettings.read(from: &$0, memory) }
        section.section("cpu") { cpu = LimitSettings.read(from: &$0, .bound(nil, upTo: 100_000)) }
        let files = Shape<Int>.whole(1...1_000_000_000).mapped(Int64.init)
        section.section("openFiles") { openFiles = LimitSettings.read(from: &$0, .bound(files, upTo: 100)) }
    }
}

extension LimitSettings {
    fileprivate static func read(from section: inout Section, _ shape: Shape<Bound>) -> LimitSettings? {
        var settings = LimitSettings(bound: .percent(100))
        var bound: Bound?
        section.require("maximum", shape.optional, into: &bound)
        section.read("for", .duration(.milliseconds(0) ... .seconds(86_400)), into: &settings.holds)
        section.read("action", .word, into: &settings.action)
        guard let bound else { return nil }
        settings.bound = bound
        return settings
    }
}

extension Shape where Value == LimitSettings.Bound {
    /// A share up to `most` per cent or, where `absolute` is given, a figure of its kind.
    fileprivate static func bound(_ absolute: Shape<Int64>?, upTo most: Double) -> Shape<LimitSettings.Bound> {
        let share = Shape<Double>.percent(1...most)
        let other = absolute.map { ", or \($0.expected)" } ?? ""
        return Shape(expected: share.expected + other) { node in
            share.read(node).map { .percent($0) } ?? absolute?.read(node).map { .absolute($0) }
        }
    }
}

extension RecoverySettings {
    fileprivate mutating func read(from section: inout Section) {
        section.read("startTimeout", .duration(.seconds(1) ... .seconds(3600)), into: &startTimeout)
        section.read("successThreshold", .whole(1...100), into: &successThreshold)
        section.read("drainTimeout", .duration(Bounds.timeout), into: &drainTimeout)
        section.read("stopTimeout", .duration(Bounds.timeout), into: &stopTimeout)
        section.section("backoff") { backoff.read(from: &$0) }
        section.section("budget") { budget.read(from: &$0) }
    }
}

extension BackoffSettings {
    fileprivate mutating func read(from section: inout Section) {
        section.read("initial", .duration(.milliseconds(10) ... .seconds(3600)), into: &initial)
        section.read("factor", .number(1...100), into: &factor)
        section.read("maximum", .duration(.milliseconds(10) ... .seconds(3600)), into: &maximum)
        section.read("jitter", .percent(0...100), into: &jitter)
        section.read("resetAfter", .duration(.seconds(1) ... .seconds(86_400)), into: &resetAfter)
        section.refuse("initial", initial, atMost: maximum, "maximum")
    }
}

extension BudgetSettings {
    fileprivate mutating func read(from section: inout Section) {
        section.read("restarts", .whole(1...1000), into: &restarts)
        section.read("refill", .duration(.seconds(1) ... .seconds(86_400)), into: &refill)
        section.read("retryInitial", .duration(.seconds(1) ... .seconds(86_400)), into: &retryInitial)
        section.read("retryMaximum", .duration(.seconds(1) ... .seconds(86_400)), into: &retryMaximum)
        section.refuse("retryInitial", retryInitial, atMost: retryMaximum, "retryMaximum")
    }
}

extension CheckSettings {
    /// Reads a check's keys, all in one mapping with its name.
    fileprivate static func read(from section: inout Section) -> CheckSettings? {
        var settings = CheckSettings(name: "", probe: .tcp(TCPEndpoint(host: "localhost", port: 1)))
        section.require("name", .name, into: &settings.name)
        let probe = CheckProbe.read(from: &section)
        section.read("interval", .duration(Bounds.interval), into: &settings.interval)
        section.read("timeout", .duration(Bounds.timeout), into: &settings.timeout)
        section.read("retries", .whole(0...10), into: &settings.retries)
        section.read("successThreshold", .whole(1...100), into: &settings.successThreshold)
        section.read("failureThreshold", .whole(1...100), into: &settings.failureThreshold)
        section.read("critical", .truth, into: &settings.critical)
        section.refuse("timeout", settings.timeout, atMost: settings.interval, "interval")
        guard let probe, !settings.name.isEmpty else { return nil }
        settings.probe = probe
        return settings
    }
}

extension CheckProbe {
    fileprivate static func read(from section: inout Section) -> CheckProbe? {
        let chosen = section.choice(["http", "tcp", "command"], required: true)
        section.refuseStray(["expectStatus", "expectBody"], without: "http", chosen: chosen)
        section.refuseStray(["user"], without: "command", chosen: chosen)
        switch chosen {
        case "http":
            var endpoint: HTTPEndpoint?
            section.read("http", .http, into: &endpoint)
            var settings = HTTPCheckSettings(endpoint: HTTPEndpoint(host: "localhost", port: 80, target: "/"))
            section.read("expectStatus", .list(of: .statuses, 1...32), into: &settings.expectStatus)
            section.read("expectBody", .text, into: &settings.expectBody)
            guard let endpoint else { return nil }
            settings.endpoint = endpoint
            return .http(settings)
        case "tcp":
            var probe: CheckProbe?
            section.read("tcp", Shape<TCPEndpoint>.tcp.mapped(CheckProbe.tcp), into: &probe)
            return probe
        case "command":
            return CommandSettings.read(from: &section).map(CheckProbe.command)
        default:
            return nil
        }
    }
}

extension Section {
    /// Keys that mean something only beside `partner`.
    fileprivate mutating func refuseStray(_ keys: [String], without partner: String, chosen: String?) {
        guard chosen != partner else { return }
        for key in keys {
            if contains(key) { refuse(key, "expected only beside \(partner), found without it") }
            note(key)
        }
    }
}

extension CommandSettings {
    /// Reads `command` and the `user` that it must name.
    fileprivate static func read(from section: inout Section) -> CommandSettings? {
        var settings = CommandSettings(arguments: [], user: "")
        section.read("command", .arguments, into: &settings.arguments)
        section.require("user", .account, into: &settings.user)
        return settings.arguments.isEmpty || settings.user.isEmpty ? nil : settings
    }
}

extension DependencySettings {
    fileprivate static func read(from section: inout Section) -> DependencySettings? {
        CheckSettings.read(from: &section).map(DependencySettings.init(check:))
    }
}

extension ServiceConfigSettings {
    fileprivate mutating func read(from section: inout Section) {
        section.list("files", atMost: 64) { item in
            var file = ConfigFileSettings(path: "")
            item.require("path", .path, into: &file.path)
            item.read("format", .word, into: &file.format)
            item.read("readers", .list(of: .word, 1...ConfigFileSettings.Reader.allCases.count), into: &file.readers)
            if file.format != .env, item.contains("readers") {
                item.refuse("readers", "expected with format env only, which has lines; this file's is \(file.format)")
            }
            item.section("schema") { file.schema = SchemaSettings.read(from: &$0) }
            item.section("validator") { file.validator = ValidatorSettings.read(from: &$0) }
            if file.format == .whole, file.schema != nil {
                item.refuse("schema", "expected with format env or json only, which have keys; this file's is whole")
            }
            item.read("activation", Shape<ActivationSettings>.word.optional, into: &file.activation)
            item.read("onOutsideChange", .word, into: &file.onOutsideChange)
            if !file.path.isEmpty { files.append(file) }
        }
        section.read("maximumShrink", .percent(0...100), into: &maximumShrink)
        section.read("chaosAllowed", .truth, into: &chaosAllowed)
        let declared = files
        section.list("flags", atMost: 1000) { item in
            if let flag = FlagSettings.read(from: &item, files: declared) { flags.append(flag) }
        }
        section.refuseRepeated(flags.map(\.name), key: "flags", "a flag")
        section.refuseRepeated(flags.map { "\($0.file) \($0.key)" }, key: "flags", "a place")
        section.read("secrets", .list(of: .keyGlob, 0...200), into: &secrets)
        section.section("validator") { validator = ValidatorSettings.read(from: &$0) }
        section.read("activation", .word, into: &activation)
    }
}

extension ValidatorSettings {
    fileprivate static func read(from section: inout Section) -> ValidatorSettings? {
        _ = section.choice(["command"], required: true)
        let command = CommandSettings.read(from: &section)
        var timeout: Duration = .seconds(10)
        section.read("timeout", .duration(.milliseconds(100) ... .seconds(60)), into: &timeout)
        guard let command else { return nil }
        var settings = ValidatorSettings(command: command)
        settings.timeout = timeout
        return settings
    }
}

extension ScrapeSettings {
    fileprivate static func read(from section: inout Section) -> ScrapeSettings? {
        var scrape: ScrapePlace?
        var settings = ScrapeSettings(scrape: .unix(socket: "/", target: "/"))
        section.require("scrape", Shape<ScrapePlace>.scrapePlace.optional, into: &scrape)
        section.read("interval", .duration(.milliseconds(500) ... .seconds(3600)), into: &settings.interval)
        section.read("timeout", .duration(Bounds.timeout), into: &settings.timeout)
        section.read("requestsTotal", .text, into: &settings.requestsTotal)
        section.refuse("timeout", settings.timeout, atMost: settings.interval, "interval")
        guard let scrape else { return nil }
        settings.scrape = scrape
        return settings
    }
}

extension HooksSettings {
    fileprivate mutating func read(from section: inout Section) {
        section.section("drain") { drain = HookSettings.read(from: &$0) }
        section.section("escalate") { escalate = HookSettings.read(from: &$0) }
    }
}

extension HookSettings {
    fileprivate static func read(from section: inout Section) -> HookSettings? {
        var action: Action?
        let chosen = section.choice(["command", "http", "signal"], required: true)
        section.refuseStray(["user"], without: "command", chosen: chosen)
        switch chosen {
        case "command": action = CommandSettings.read(from: &section).map(Action.command)
        case "http": section.read("http", Shape<HTTPEndpoint>.numericHTTP.mapped(Action.http), into: &action)
        case "signal": section.read("signal", Shape<Int32>.signal.mapped(Action.signal), into: &action)
        default: break
        }
        var timeout: Duration = .seconds(5)
        section.read("timeout", .duration(Bounds.timeout), into: &timeout)
        guard let action else { return nil }
        var settings = HookSettings(action: action)
        settings.timeout = timeout
        return settings
    }
}

extension Shape {
    func mapped<Other>(_ change: @escaping (Value) -> Other) -> Shape<Other> {
        let read = read
        return Shape<Other>(expected: expected) { node in read(node).map(change) }
    }

    /// The same shape for a value that starts as nil.
    var optional: Shape<Value?> {
        mapped { .some($0) }
    }
}

extension Shape where Value == Bool {
    /// A switch that has one position: leaving the key out is the other.
    fileprivate static func only(_ value: Bool) -> Shape<Bool> {
        truth.only("\(value)") { $0 == value }
    }
}

extension Shape where Value == [String] {
    /// A program's absolute path and its arguments, as a list: nothing is split or expanded.
    fileprivate static var arguments: Shape<[String]> {
        Shape<[String]>.list(of: .argument, 1...128).only("a list: a program's absolute path, then its arguments") {
            $0.first?.hasPrefix("/") ?? false
        }
    }
}

extension Shape where Value == String {
    /// Any text that a program can be given.
    fileprivate static var argument: Shape<String> {
        Shape(expected: "a text") { node in
            node.isNothing ? nil : node.text.flatMap { $0.utf8.contains(0) || $0.utf8.count > 4096 ? nil : $0 }
        }
    }
}

extension Shape where Value == ClosedRange<Int> {
    /// `200` or `200-299`.
    fileprivate static var statuses: Shape<ClosedRange<Int>> {
        Shape(expected: "a status such as 200 or 200-299") { node in
            guard let ends = node.text?.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false) else {
                return nil
            }
            let numbers = ends.compactMap { Int($0) }.filter { (100...599).contains($0) }
            guard numbers.count == ends.count, let first = numbers.first, let last = numbers.last, first <= last else {
                return nil
            }
            return first...last
        }
    }
}

extension Shape where Value == Int32 {
    /// Signals that a service may be asked to act on; KILL and STOP are watchdogd's own.
    fileprivate static var signal: Shape<Int32> {
        let signals = [
            "HUP": SIGHUP, "INT": SIGINT, "USR1": SIGUSR1, "USR2": SIGUSR2, "TERM": SIGTERM, "WINCH": SIGWINCH,
        ]
        return Shape(expected: "one of \(signals.keys.sorted().joined(separator: ", "))") { node in
            node.text.flatMap { signals[$0.hasPrefix("SIG") ? String($0.dropFirst(3)) : $0] }
        }
    }
}
