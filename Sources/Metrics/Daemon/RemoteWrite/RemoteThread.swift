import Files
import MetricsCore
import NIOCore
import Settings
import Wire

/// The state of a receiver's thread: what may block of handing on, which are files and the look-up of a name.
struct RemoteThread {
    private let folder: StoreFolder
    private var settings: RemoteWriteSettings?
    private var feed: RemoteFeed?

    init(_ folder: StoreFolder) {
        self.folder = folder
    }

    /// A batch, and how far all is handed on with it.
    struct Made: Sendable {
        var batch: RemoteFeed.Batch?
        var progress: RemoteProgress
    }

    /// Where a request goes, and as whom.
    struct Target: Sendable {
        var address: SocketAddress
        var authorization: String?
    }

    mutating func make(
        _ settings: RemoteWriteSettings, _ content: RemoteFeed.Content, isDone: Bool
    ) throws(FileFailure) -> Made {
        if settings != self.settings {
            // What is under way is on disk, so who begins anew goes on there.
            let external = settings.labels.map { Label($0.key, $0.value) }
            feed = RemoteFeed("\(settings.url)", external: external, in: folder)
            self.settings = settings
        }
        guard var feed else { return Made(batch: nil, progress: RemoteProgress()) }
        self.feed = nil
        defer { self.feed = feed }
        let batch = try feed.next(content, isDone: isDone)
        return Made(batch: batch, progress: feed.progress)
    }

    /// No more is made for this receiver.
    /// - Parameter isDone: the batch that was made last has arrived, or is given up.
    mutating func leave(isDone: Bool) throws(FileFailure) {
        defer { (feed, settings) = (nil, nil) }
        if isDone { try feed?.end() }
    }

    /// Read anew for each request: an address may change, and so may a password.
    static func target(_ settings: RemoteWriteSettings) throws -> Target {
        let place = settings.url.address
        let address =
            place.isNumeric
            ? try SocketAddress(ipAddress: place.numericHost, port: place.port)
            : try SocketAddress.makeAddressResolvingHost(place.host, port: place.port)
        return Target(address: address, authorization: try authorization(settings))
    }

    private static func authorization(_ settings: RemoteWriteSettings) throws(PasswordFile) -> String? {
        if let path = settings.tokenFile { return "Bearer \(try PasswordFile.read(path))" }
        guard let user = settings.user, let path = settings.passwordFile else { return nil }
        return "Basic \(Base64.encode(Array("\(user):\(try PasswordFile.read(path))".utf8)))"
    }
}
