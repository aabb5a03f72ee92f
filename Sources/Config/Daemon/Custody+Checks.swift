import ConfigAPI
import ConfigCore
import Wire

/// What a change would meet, and what a file's readers make of it as it stands; nothing is written.
extension Custody {
    /// `validate`.
    func validate(
        _ changes: [ValueChange], _ kept: KeptFile, mayAct: Bool
    ) throws(RPCError) -> Config.Validate.Reply {
        let (_, standing, hidden) = try held(kept, version: nil, mayAct: mayAct)
        var content = standing
        var findings: [ConfigFinding] = []
        let allowed = EnvEditor.changesAllowed(bytes: content.count)
        guard changes.count <= allowed else {
            throw ConfigErrors.tooManyChanges(Int64(changes.count), limit: Int64(allowed))
        }
        if changes.isEmpty {
            do throws(EditRefusal) { try kept.format.check(content) } catch {
                let refusal = Refusals.error(error)
                findings.append(
                    ConfigFinding(
                        severity: .error, name: refusal.name, message: refusal.message, remedy: refusal.remedy))
            }
        }
        for change in changes {
            // One by one, so that each refusal is told and not the first alone.
            do throws(EditRefusal) { content = try kept.format.apply([change], to: content) } catch {
                let refusal = Refusals.error(error)
                findings.append(
                    ConfigFinding(
                        severity: .error, name: refusal.name, key: change.key, message: refusal.message,
                        remedy: refusal.remedy))
            }
        }
        do throws(RPCError) {
            try Self.guardShrink(from: kept.format.read(standing), to: kept.format.read(content), kept)
        } catch {
            findings.append(
                ConfigFinding(severity: .error, name: error.name, message: error.message, remedy: error.remedy))
        }
        findings += warnings(of: content, kept.format, hidden: hidden)
        return Config.Validate.Reply(
            valid: !findings.contains { $0.severity == .error }, findings: findings,
            readers: kept.format.readers.map(\.name),
            modelled: kept.format.readers.filter(\.isModelled).map(\.name))
    }

    /// What a file's readers may read otherwise than somebody thinks.
    private func warnings(of content: [UInt8], _ format: FileFormat, hidden: Bool) -> [ConfigFinding] {
        switch format {
        case .env(let editor): Disagreement.all(in: content, editor: editor).map { finding($0, hidden: hidden) }
        case .json: RepeatedKey.all(in: content).map(finding)
        case .whole: []
        }
    }

    private func finding(_ repeated: RepeatedKey) -> ConfigFinding {
        ConfigFinding(
            severity: .warning, name: "repeatedKey", key: repeated.pointer, line: Int64(repeated.line),
            message: "the key stands in its object already; readers take one of them, most the last",
            remedy: "Remove it through configd, which removes all of them, and set it anew")
    }

    private func finding(_ disagreement: Disagreement, hidden: Bool) -> ConfigFinding {
        let views = disagreement.views.map { view in
            let isOne = view.readers.count == 1
            let readers = view.readers.joined(separator: ", ")
            guard let value = view.value else { return "\(readers) \(isOne ? "does" : "do") not set it" }
            return "\(readers) \(isOne ? "reads" : "read") \(shown(value, isHidden: hidden || disagreement.isSecret))"
        }
        return ConfigFinding(
            severity: .warning, name: "readersDisagree", key: disagreement.key, line: Int64(disagreement.line),
            message: views.joined(separator: "; "),
            remedy: "Set the key through configd: it writes what all readers read alike")
    }

    /// A value in a sentence: itself where it is short, and a fingerprint where it may not be shown.
    func shown(_ value: Reading.Value, isHidden: Bool) -> String {
        let mostBytes = 80
        guard !isHidden else { return "(secret \(fingerprint(of: value.bytes).prefix(16)))" }
        let bytes = value.bytes
        let text = String(decoding: bytes.prefix(mostBytes), as: UTF8.self)
        let more = bytes.count > mostBytes ? "… (\(bytes.count) bytes)" : ""
        switch value {
        case .text: return "\"\(text)\"\(more)"
        case .depends: return "what \"\(text)\"\(more) expands to"
        }
    }
}
