internal import Glibc

/// Everything under `/etc/mainstay`, read whole: `mainstay.yaml` (a missing one means the defaults) and
/// `services/NAME.yaml` (no such folder means no service).
package struct AllSettings: Hashable, Sendable {
    package var mainstay = MainstaySettings()
    /// In the order of their names, which are unique.
    package var services: [ServiceSettings] = []

    package init() {}

    /// The service called `name`.
    package func service(_ name: String) -> ServiceSettings? {
        services.first { $0.name == name }
    }

    /// Reads the folder at `directory`. All or nothing: one problem anywhere refuses the whole, with every problem of every
    /// file named. It reads files and so may block: call it at start or on a worker, never on the loop.
    package static func load(directory: String) throws(SettingsRefused) -> AllSettings {
        var problems: [SettingsProblem] = []
        var all = AllSettings()
        guard SettingsFile.isDirectory(directory) else {
            let problem = SettingsProblem(file: directory, mark: nil, key: "", message: "expected a folder, found none")
            throw SettingsRefused(problems: [problem])
        }
        do throws(SettingsProblem) {
            if let node = try SettingsFile.parse("\(directory)/mainstay.yaml", missingIsEmpty: true) {
                let (mainstay, found) = MainstaySettings.read(node, file: "\(directory)/mainstay.yaml")
                all.mainstay = mainstay
                problems += found
            }
        } catch {
            problems.append(error)
        }
        do throws(SettingsProblem) {
            for file in try SettingsFile.serviceFiles(in: "\(directory)/services") {
                switch readService(file) {
                case .success(let service): all.services.append(service)
                case .failure(let refused): problems += refused.problems
                }
            }
        } catch {
            problems.append(error)
        }
        problems += all.contradictions(in: directory)
        guard problems.isEmpty else { throw SettingsRefused(problems: problems) }
        return all
    }

    /// Reads one file as `mainstay check FILE` does: a service's file unless it is called `mainstay.yaml`.
    package static func check(file: String) throws(SettingsRefused) {
        guard file.split(separator: "/").last == "mainstay.yaml" else {
            _ = try readService(file).get()
            return
        }
        let problems: [SettingsProblem]
        do throws(SettingsProblem) {
            problems = MainstaySettings.read(try SettingsFile.parse(file, missingIsEmpty: false), file: file).1
        } catch {
            problems = [error]
        }
        guard problems.isEmpty else { throw SettingsRefused(problems: problems) }
    }

    private static func readService(_ file: String) -> Result<ServiceSettings, SettingsRefused> {
        do throws(SettingsProblem) {
            let name = try SettingsFile.serviceName(file)
            let (service, problems) = ServiceSettings.read(
                try SettingsFile.parse(file, missingIsEmpty: false), name: name, file: file)
            return problems.isEmpty ? .success(service) : .failure(SettingsRefused(problems: problems))
        } catch {
            return .failure(SettingsRefused(problems: [error]))
        }
    }

    /// What no single file shows: two services that claim one unit or one file.
    private func contradictions(in directory: String) -> [SettingsProblem] {
        var problems: [SettingsProblem] = []
        var owners: [String: String] = [:]
        for service in services {
            let claims = [("unit", service.unit)] + service.config.files.map { ("config.files", $0.path) }
            for (key, claim) in claims {
                if let owner = owners["\(key) \(claim)"], owner != service.name {
                    let message = "expected \(claim) in one service, found it in \(owner).yaml too"
                    let file = "\(directory)/services/\(service.name).yaml"
                    problems.append(SettingsProblem(file: file, mark: nil, key: key, message: message))
                }
                owners["\(key) \(claim)"] = service.name
            }
        }
        return problems + tooManyServers(in: directory)
    }

    private func tooManyServers(in directory: String) -> [SettingsProblem] {
        let count = services.reduce(mainstay.metricsd.infrastructure.count) { $0 + $1.infrastructure.count }
        let most = InfrastructureSettings.mostInAll
        guard count > most else { return [] }
        let message = "expected at most \(most) servers in all files together, found \(count)"
        return [SettingsProblem(file: directory, mark: nil, key: "infrastructure", message: message)]
    }
}

extension MainstaySettings {
    /// The settings in `node` and everything wrong with them.
    static func read(_ node: YAMLNode?, file: String) -> (MainstaySettings, [SettingsProblem]) {
        var settings = MainstaySettings()
        var section = Section(node, file: file, path: "")
        settings.read(from: &section)
        section.finish()
        return (settings, section.problems)
    }
}

extension ServiceSettings {
    /// The settings in `node` and everything wrong with them.
    static func read(_ node: YAMLNode?, name: String, file: String) -> (ServiceSettings, [SettingsProblem]) {
        var settings = ServiceSettings(name: name, unit: "")
        var section = Section(node, file: file, path: "")
        settings.read(from: &section)
        section.finish()
        return (settings, section.problems)
    }
}
