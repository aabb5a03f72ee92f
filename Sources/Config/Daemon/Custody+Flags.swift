import ConfigAPI
import ConfigCore
import Wire

/// Flags as their files say them, on the store thread.
extension Custody {
    /// `flags`: all of a service, each as its file stands. A file that cannot be read makes its flags unreadable, and no
    /// others.
    func flags(_ files: [KeptFile], service: String, _ declared: KeptFlags, mayAct: Bool) -> Config.Flags.Reply {
        var contents: [String: Result<[UInt8], RPCError>] = [:]
        var formats: [String: FileFormat] = [:]
        for kept in files where declared.flags.contains(where: { $0.file == kept.id.path }) {
            formats[kept.id.path] = kept.format
            do throws(RPCError) { contents[kept.id.path] = .success(try standing(kept)) } catch {
                contents[kept.id.path] = .failure(error)
            }
        }
        let flags = declared.flags.map { flag in
            guard let format = formats[flag.file], let found = contents[flag.file] else {
                return Self.message(flag, .unreadable, nil, mayAct: mayAct)
            }
            switch found {
            case .success(let content):
                return Self.message(flag, flag.reading(of: content, format), nil, mayAct: mayAct)
            case .failure(let error): return Self.message(flag, .unreadable, error.message, mayAct: mayAct)
            }
        }
        return Config.Flags.Reply(service: service, flags: flags, chaosAllowed: declared.isChaosAllowed)
    }

    private func standing(_ kept: KeptFile) throws(RPCError) -> [UInt8] {
        let sight = try answering(kept) { () throws(StepFailure) in try look(kept) }
        guard let content = sight.content else { throw ConfigErrors.fileMissing(kept.id.path) }
        return content
    }

    private static func message(
        _ flag: Flag, _ reading: Flag.Reading, _ problem: String?, mayAct: Bool
    ) -> ConfigFlag {
        var message = ConfigFlag(
            flag: flag.name, type: flag.kind.name, value: reading.isSecret && !mayAct ? nil : reading.value,
            source: reading.source, standard: flag.standard, description: flag.summary, file: flag.file, key: flag.key,
            chaos: flag.isChaos, problem: problem)
        switch flag.kind {
        case .truth, .string: break
        case .integer(let range):
            (message.minimum, message.maximum) = (.integer(range.lowerBound), .integer(range.upperBound))
        case .number(let range):
            (message.minimum, message.maximum) = (.number(range.lowerBound), .number(range.upperBound))
        case .choice(let values): message.values = values
        }
        if reading.source == .unreadable, problem == nil {
            message.problem = "\(flag.file) has at \(flag.key) something else than \(flag.kind.expected)"
        }
        return message
    }

    /// The seed's `featureFlags`: those of a service that are true or false, without its chaos settings.
    func featureFlags(_ files: [KeptFile], service: String, _ declared: KeptFlags, mayAct: Bool) -> [String: Bool] {
        var values: [String: Bool] = [:]
        for flag in flags(files, service: service, declared, mayAct: mayAct).flags where !flag.chaos {
            if case .bool(let isOn)? = flag.value { values[flag.flag] = isOn }
        }
        return values
    }

    /// What `version` changed of the flags that its file renders; nothing where its content is not kept any more. What was
    /// before is not known where that content is not kept.
    func flagChanges(_ kept: KeptFile, _ version: Version) -> [FlagChange] {
        do throws(StepFailure) {
            guard let new = try content(of: version) else { return [] }
            let before = try self.version(version.number - 1, of: kept)
            let old = try before.flatMap { before throws(StepFailure) in try content(of: before) }
            return FlagChange.all(of: kept.flags.flags, from: old, to: new, kept.format)
        } catch {
            // The look that follows finds the same and tells it.
            return []
        }
    }

    /// Holds what a file is to hold to those of its flags that the change of these keys may concern.
    static func guardFlags(
        _ kept: KeptFile, changed keys: [String], from content: [UInt8], to edited: [UInt8]
    ) throws(RPCError) {
        let concerned = kept.flags.flags.filter { $0.mayHaveChanged(keys) }
        do throws(FlagChange.Refusal) {
            try FlagChange.check(
                concerned, from: content, to: edited, kept.format, chaosAllowed: kept.flags.isChaosAllowed)
        } catch {
            switch error {
            case .invalidValue(let flag): throw ConfigErrors.invalidFlagValue(flag.name, expected: flag.kind.expected)
            case .chaosNotAllowed(let flag):
                throw ConfigErrors.chaosNotAllowed(service: kept.id.service, flag: flag.name)
            }
        }
    }
}
