import ArgumentParser
import Time
import Wire

/// `mainstay call DAEMON METHOD [JSON]`: any method, as it travels.
struct CallCommand: DaemonCommand {
    static let configuration = CommandConfiguration(
        commandName: "call", abstract: "Call any method of a daemon, and print its reply as JSON.",
        discussion: "`mainstay call DAEMON rpc.discover` lists the methods, with an example of each.")

    @Argument(help: "configd, metricsd, healthd or watchdogd.")
    var daemon: DaemonName
    @Argument(help: "The method's name.")
    var method: String
    @Argument(
        help: ArgumentHelp("The parameters as a JSON object; - reads them from standard input.", valueName: "json"))
    var parameters = "{}"
    @Option(help: ArgumentHelp("How long the answer may take.", valueName: "duration"))
    var deadline = LengthArgument(milliseconds: Request.standardDeadlineMs)
    @OptionGroup var common: AskOptions

    func validate() throws {
        if parameters != "-" { _ = try Self.object(parameters) }
    }

    private static func object(_ text: String) throws -> JSONObject {
        do {
            guard case .object(let object) = try JSONReader.read(text) else {
                throw ValidationError("the parameters are no JSON object")
            }
            return object
        } catch let error as WireError {
            throw ValidationError("the parameters are no JSON: \(error)")
        }
    }

    func answer(on screen: Screen) async throws -> Outcome {
        var text = parameters
        if text == "-" {
            guard let bytes = Descriptor.readAll(0, limit: Frame.longestBodyBytes) else {
                throw ValidationError("standard input cannot be read, or holds more than a request may")
            }
            text = String(decoding: bytes, as: UTF8.self)
        }
        let reply = try await conversation(with: daemon)
            .ask(named: method, try Self.object(text), longest: .milliseconds(deadline.milliseconds))
        screen.show(reply)
        return .good
    }
}
