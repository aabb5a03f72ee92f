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
        findings += violations(in: content, kept, hidden: hidden)
        do throws(RPCError) {
            let keys = kept.format.changedKeys(from: kept.format.read(standing), to: kept.format.read(content))
            try Self.guardFlags(kept, changed: keys, from: standing, to: content)
        } catch {
            findings.append(
                ConfigFinding(severity: .error, name: error.name, message: error.message, remedy: error.remedy))
        }
        findings += warnings(of: content, kept.format, hidden: hidden)
        return reply(findings, kept.format)
    }

    /// `lint`.
    func lint(_ kept: KeptFile, mayAct: Bool) throws(RPCError) -> Config.Validate.Reply {
        let (_, content, hidden) = try held(kept, version: nil, mayAct: mayAct)
        return reply(
            violations(in: content, kept, hidden: hidden) + doubts(of: content, kept.format, hidden: hidden),
            kept.format)
    }

    /// `lintContent`.
    func lint(_ content: [UInt8], _ editor: EnvEditor) -> Config.Validate.Reply {
        reply(doubts(of: content, .env(editor), hidden: false), .env(editor))
    }

    /// More findings than fit into a reply help nobody.
    private static let mostFindings = 1000

    private func reply(_ findings: [ConfigFinding], _ format: FileFormat) -> Config.Validate.Reply {
        let errors = findings.filter { $0.severity == .error }
        let warnings = findings.filter { $0.severity == .warning }
        return Config.Validate.Reply(
            valid: errors.isEmpty, findings: Array((errors + warnings).prefix(Self.mostFindings)),
            readers: format.readers.map(\.name), modelled: format.readers.filter(\.isModelled).map(\.name))
    }

    /// Everything doubtful in a content but for its schema.
    private func doubts(of content: [UInt8], _ format: FileFormat, hidden: Bool) -> [ConfigFinding] {
        switch format {
        case .env(let editor):
            return Lint.findings(in: content, editor: editor).map { finding(of: $0, hidden: hidden) }
        case .json, .whole:
            do throws(EditRefusal) { try format.check(content) } catch {
                let refusal = Refusals.error(error)
                return [
                    ConfigFinding(
                        severity: .error, name: refusal.name, message: refusal.message, remedy: refusal.remedy)
                ]
            }
            return warnings(of: content, format, hidden: hidden)
        }
    }

    // MARK: Schema

    /// The last word before `new` is written in the place of `old`: throws where the schema does not allow it. A rollback is
    /// forced over it, since the schema may be newer than the version; an edit is not: what would be forced is wrong by the
    /// settings, and those can be changed.
    func check(
        _ kept: KeptFile, from old: ReadFile, to new: ReadFile, _ work: Work, _ terms: Terms
    ) throws(RPCError) {
        guard let schema = kept.schema else { return }
        if case .rollback = work, terms.force { return }
        // What leased keys were before has stood in the file; a schema that is newer must not keep a lease for good.
        if case .takeBack = work { return }
        let refused = schema.refused(from: kept.format.views(of: old), to: kept.format.views(of: new))
        guard !refused.isEmpty else { return }
        throw ConfigErrors.schemaViolated(findings(refused, in: new.bytes, kept, hidden: false))
    }

    /// What `content` holds that the schema does not allow.
    func violations(in content: [UInt8], _ kept: KeptFile, hidden: Bool) -> [ConfigFinding] {
        guard let schema = kept.schema else { return [] }
        return findings(
            schema.violations(in: kept.format.views(of: kept.format.read(content))), in: content, kept, hidden: hidden)
    }

    private func findings(
        _ violations: [Schema.Violation], in content: [UInt8], _ kept: KeptFile, hidden: Bool
    ) -> [ConfigFinding] {
        let lines = kept.format.lines(of: Set(violations.prefix(Self.mostFindings).map { $0.keys[0] }), in: content)
        return violations.prefix(Self.mostFindings).map { violation in
            let key = violation.keys[0]
            let value = violation.found
            let isSecret = kept.format.isSecret(key, value: value?.bytes ?? [])
            let found = value.map { shown($0, isHidden: hidden || isSecret) } ?? "nothing"
            let readers = violation.isToAll ? "" : " (as \(violation.readers.joined(separator: ", ")) reads it)"
            let name = kept.format.shown(key: key)
            return ConfigFinding(
                severity: .error, name: "schemaViolated", rule: violation.clause.rawValue, key: name,
                line: lines[key].map(Int64.init),
                message: "\(name): the schema expects \(violation.expected)\(readers)", expected: violation.expected,
                found: found, remedy: violation.about ?? "Set what the schema expects")
        }
    }

    // MARK: Sentences

    /// What a file's readers may read otherwise than somebody thinks.
    private func warnings(of content: [UInt8], _ format: FileFormat, hidden: Bool) -> [ConfigFinding] {
        switch format {
        case .env(let editor): Disagreement.all(in: content, editor: editor).map { finding(of: $0, hidden: hidden) }
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

    private func finding(of disagreement: Disagreement, hidden: Bool) -> ConfigFinding {
        let views = disagreement.views.map { view in
            let does = view.readers.count == 1 ? ("does", "reads") : ("do", "read")
            let readers = view.readers.joined(separator: ", ")
            guard let value = view.value else { return "\(readers) \(does.0) not set it" }
            return "\(readers) \(does.1) \(shown(value, isHidden: hidden || disagreement.isSecret))"
        }
        return ConfigFinding(
            severity: .warning, name: "readersDisagree", key: disagreement.key, line: Int64(disagreement.line),
            message: views.joined(separator: "; "),
            remedy: "Set the key through configd: it writes what all readers read alike")
    }

    private func finding(of doubt: Lint.Finding, hidden: Bool) -> ConfigFinding {
        if case .disagreement(let disagreement) = doubt.rule { return finding(of: disagreement, hidden: hidden) }
        let (name, message, remedy) = Self.sentence(doubt.rule)
        return ConfigFinding(
            severity: doubt.rule.isError ? .error : .warning, name: name, key: doubt.key, line: Int64(doubt.line),
            message: message, remedy: remedy)
    }

    private static func sentence(_ rule: Lint.Rule) -> (name: String, message: String, remedy: String) {
        switch rule {
        case .unreadable(let reader, let reason):
            ("unreadable", "\(reader) refuses the file here: it \(reason)", "Mend the line, or declare other readers")
        case .openQuote(let readers):
            (
                "openQuote", "the quote never closes, by \(readers.joined(separator: ", "))",
                "Close the quote, or set the key through configd, which quotes as all readers need it"
            )
        case .byteOrderMark(let readers):
            (
                "byteOrderMark",
                "the file begins with a byte order mark, a part of the first key to \(readers.joined(separator: ", "))",
                "Save the file as UTF-8 without a mark"
            )
        case .carriageReturns(let readers, let lines):
            (
                "carriageReturns",
                "\(lines) lines end in CR LF; to \(readers.joined(separator: ", ")) the CR belongs to the value",
                "Save the file with LF alone: sed -i 's/\\r$//' FILE"
            )
        case .duplicateKey(let line):
            ("duplicateKey", "set again in line \(line), which counts", "Remove one of the two")
        case .trailingBlanks(let readers):
            (
                "trailingBlanks", "blanks end the line, and the value to \(readers.joined(separator: ", "))",
                "Remove them, or quote the value where they are meant"
            )
        case .unreadLine: ("unreadLine", "no reader makes anything of this line", "Remove it, or make it a comment")
        case .disagreement: ("readersDisagree", "readers read it differently", "Set the key through configd")
        }
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
