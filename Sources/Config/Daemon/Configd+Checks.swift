import ConfigAPI
import ConfigCore
import Runtime
import Wire

extension Configd {
    /// `lint` and `lintContent`.
    func registerChecks() {
        let server = context.server
        server.onLater(Config.Lint.self) { [unowned self] params, caller, responder throws(RPCError) in
            let file = try file(params)
            ask(responder) { custody throws(RPCError) in try custody.lint(file, mayAct: caller.mayAct) }
        }
        server.onLater(Config.LintContent.self) { [unowned self] params, _, responder throws(RPCError) in
            let content = params.content.content
            let limit = Config.LintContent.largestBytes
            guard content.count <= limit else {
                throw ConfigErrors.contentTooLarge(bytes: Int64(content.count), limit: Int64(limit))
            }
            var readers: [Dialect] = []
            for name in params.readers {
                guard let reader = Dialect.named(name) else {
                    throw ConfigErrors.unknownReader(name, known: Dialect.all.map(\.name))
                }
                readers.append(reader)
            }
            let editor = EnvEditor(readers: readers)
            ask(responder) { custody throws(RPCError) in custody.lint(content, editor) }
        }
    }

    /// Has the store thread hold these files against their schemas, and tells of each that violates its own: in the journal
    /// and as an event, once for the same findings.
    func judge(_ files: [KeptFile]) {
        for file in files where file.schema != nil {
            store.submit(deadline: ChangeQueue.deadline, { $0.invalid(file) }) { [weak self] result in
                guard let self, case .success(let found) = result else { return }
                if let found, toldInvalid[file.id] != found {
                    context.log.write(ConfigJournal.invalid(found, of: file.id))
                    context.publish(ConfigEvents.invalid, found)
                }
                toldInvalid[file.id] = found
            }
        }
    }
}

extension Custody {
    /// More are not told in one event.
    private static let mostFindingsTold = 100

    /// What the file holds that its schema does not allow; nil where that is nothing, or the file cannot be read.
    func invalid(_ kept: KeptFile) -> ConfigInvalid? {
        // Subscribers need not be allowed to see values.
        guard let (version, content, hidden) = try? held(kept, version: nil, mayAct: false) else { return nil }
        let findings = violations(in: content, kept, hidden: hidden)
        guard !findings.isEmpty else { return nil }
        return ConfigInvalid(
            service: kept.id.service, file: kept.id.path, version: version.number,
            findings: Array(findings.prefix(Self.mostFindingsTold)))
    }
}
