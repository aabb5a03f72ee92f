internal import Time

extension MainstaySettings {
    /// Reads the top of `mainstay.yaml`.
    mutating func read(from section: inout Section) {
        section.read("socketDirectory", .path, into: &socketDirectory)
        section.read("stateDirectory", .path, into: &stateDirectory)
        section.read("protocolDirectory", .path, into: &protocolDirectory)
        section.section("access") { access.read(from: &$0) }
        section.section("connections") { connections.read(from: &$0) }
        section.section("configd") { configd.read(from: &$0) }
        section.section("metricsd") { metricsd.read(from: &$0) }
        section.section("healthd") { healthd.read(from: &$0) }
        section.section("watchdogd") { watchdogd.read(from: &$0) }
        section.section("etcd") { etcd.read(from: &$0) }
    }
}

extension AccessSettings {
    mutating func read(from section: inout Section) {
        section.read("readGroup", .account, into: &readGroup)
        section.read("actGroup", .account, into: &actGroup)
    }
}

extension ConnectionSettings {
    mutating func read(from section: inout Section) {
        section.read("maximum", .whole(8...65_536), into: &maximum)
        section.read("maximumPerUser", .whole(4...65_536), into: &maximumPerUser)
        if maximumPerUser > maximum {
            section.refuse("maximumPerUser", "expected at most maximum (\(maximum)), found \(maximumPerUser)")
        }
    }
}

extension ConfigdSettings {
    mutating func read(from section: inout Section) {
        section.read("user", .account, into: &user)
        section.read("versionsKept", .whole(2...1_000_000), into: &versionsKept)
    }
}

extension MetricsdSettings {
    mutating func read(from section: inout Section) {
        section.read("user", .account, into: &user)
        section.read("interval", .duration(.milliseconds(100) ... .seconds(3600)), into: &interval)
        section.read("detailInterval", .duration(.seconds(1) ... .seconds(86_400)), into: &detailInterval)
        section.read("flushInterval", .duration(.milliseconds(100) ... .seconds(60)), into: &flushInterval)
        section.section("retention") { retention.read(from: &$0) }
        section.read("maximumSeries", .whole(100...10_000_000), into: &maximumSeries)
        section.section("infrastructure") { infrastructure.read(from: &$0) }
        section.list("remoteWrite", atMost: RemoteWriteSettings.most) { item in
            if let receiver = RemoteWriteSettings.read(from: &item) { remoteWrite.append(receiver) }
        }
        if let twice = remoteWrite.first(where: { one in remoteWrite.count { $0.url == one.url } > 1 }) {
            section.refuse("remoteWrite", "expected each url once, found \(twice.url) twice")
        }
    }
}

extension RetentionSettings {
    mutating func read(from section: inout Section) {
        section.read("time", .duration(.seconds(60) ... .seconds(3660 * 86_400)), into: &time)
        section.read("size", .bytes(16 << 20...1 << 44), into: &size)
    }
}

extension HealthdSettings {
    mutating func read(from section: inout Section) {
        section.read("user", .account, into: &user)
        section.read("concurrentCommands", .whole(1...256), into: &concurrentCommands)
        section.read("commandOutput", .bytes(256...1 << 20), into: &commandOutput)
    }
}

extension WatchdogdSettings {
    mutating func read(from section: inout Section) {
        section.read("user", .account, into: &user)
        section.section("evidence") { evidence.read(from: &$0) }
        section.section("starvedHost") { starvedHost.read(from: &$0) }
        section.read("incidentsKept", .whole(10...1_000_000), into: &incidentsKept)
    }
}

extension EvidenceSettings {
    mutating func read(from section: inout Section) {
        section.read("timeout", .duration(.milliseconds(50) ... .seconds(10)), into: &timeout)
        section.read("size", .bytes(64 << 10...1 << 30), into: &size)
        section.read("kept", .whole(0...10_000), into: &kept)
    }
}

extension StarvedHostSettings {
    mutating func read(from section: inout Section) {
        section.read("cpuPressure", .percent(1...100), into: &cpuPressure)
        section.read("tickDelay", .duration(.milliseconds(50) ... .seconds(30)), into: &tickDelay)
        section.read("hold", .duration(.seconds(1) ... .seconds(600)), into: &hold)
    }
}
