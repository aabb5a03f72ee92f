import ArgumentParser

/// `mainstay status`: all daemons and all services at a glance, or everything about one service.
struct StatusCommand: DaemonCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "All daemons and services at a glance, or one service in full.",
        discussion: """
            Ends with 3 where a daemon is silent, else with 1 where a service is in trouble or has no restart left, an \
            alert of severity critical or operator stands, metricsd cannot write, or a daemon is stuck or was refused its \
            settings.
            """)

    @OptionGroup var service: OptionalServiceArgument
    @OptionGroup var common: AskOptions

    func answer(on screen: Screen) async throws -> Outcome {
        if let name = service.service { return try await ServiceView(name, common).answer(on: screen) }
        let overview = await Overview.gathered(common)
        defer { StandardError.tell(overview.failuresByDaemon) }
        if common.json {
            screen.show(overview.json)
        } else {
            screen.show(overview.daemonTable.lines(on: screen))
            screen.show("")
            screen.show(overview.serviceLines(on: screen))
            let holds = overview.holdLines(on: screen)
            if !holds.isEmpty {
                screen.show("")
                screen.show(holds)
            }
        }
        return overview.outcome
    }
}
