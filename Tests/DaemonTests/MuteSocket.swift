import Glibc
import Runtime
import Testing
import Wire

/// A daemon that hangs: its socket takes connections, since the kernel does, and nothing is ever answered.
struct MuteSocket: ~Copyable {
    private let descriptor: CInt

    init(_ daemon: String, in sockets: String) throws {
        descriptor = try ListeningSocket.bind("\(sockets)/\(daemon).sock")
    }

    deinit { close(descriptor) }

    /// The requests that arrived, once the caller has gone: what it asked, and how long it was ready to wait.
    func requests() throws -> [Request] {
        var requests: [Request] = []
        while case let connection = accept(descriptor, nil, nil), connection >= 0 {
            defer { close(connection) }
            var frames = FrameReader()
            var chunk = [UInt8](repeating: 0, count: 65536)
            while case let count = recv(connection, &chunk, chunk.count, 0), count > 0 {
                frames.append(chunk[..<count])
                while let body = try frames.next() { requests.append(try Request(try JSONReader.read(body))) }
            }
        }
        return requests
    }
}

/// A daemon that answers its one caller what a test says, or nothing.
struct ScriptedSocket: ~Copyable {
    private let thread: pthread_t

    private final class Script: Sendable {
        let descriptor: CInt
        let answer: @Sendable (Request) -> [UInt8]?

        init(_ descriptor: CInt, _ answer: @escaping @Sendable (Request) -> [UInt8]?) {
            self.descriptor = descriptor
            self.answer = answer
        }
    }

    /// `answer` gives the body of the reply to a request; nil for none.
    init(_ daemon: String, in sockets: String, answer: @escaping @Sendable (Request) -> [UInt8]?) throws {
        let script = Script(try ListeningSocket.bind("\(sockets)/\(daemon).sock"), answer)
        let box = Unmanaged.passRetained(script)
        var thread = pthread_t()
        let made = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                ScriptedSocket.serve(Unmanaged<Script>.fromOpaque(argument).takeRetainedValue())
                return nil
            }, box.toOpaque())
        try #require(made == 0)
        self.thread = thread
    }

    /// Ends when the caller has gone.
    deinit { pthread_join(thread, nil) }

    private static func serve(_ script: Script) {
        defer { close(script.descriptor) }
        var waiting = pollfd(fd: script.descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&waiting, 1, 5000) == 1, case let connection = accept(script.descriptor, nil, nil), connection >= 0
        else { return }
        defer { close(connection) }
        var frames = FrameReader()
        var chunk = [UInt8](repeating: 0, count: 65536)
        while case let count = recv(connection, &chunk, chunk.count, 0), count > 0 {
            frames.append(chunk[..<count])
            while let body = try? frames.next() {
                guard let json = try? JSONReader.read(body), let request = try? Request(json),
                    let frame = script.answer(request).flatMap({ Frame.around($0) })
                else { continue }
                _ = send(connection, frame, frame.count, CInt(MSG_NOSIGNAL))
            }
        }
    }
}

/// Four daemons that answer only when all four have been asked: whoever asks them one after the other hears nothing.
struct MeetingOfFour: ~Copyable {
    private let thread: pthread_t

    private final class Sockets: Sendable {
        let descriptors: [CInt]
        init(_ descriptors: [CInt]) { self.descriptors = descriptors }
    }

    init(in sockets: String) throws {
        var descriptors: [CInt] = []
        for daemon in ["configd", "metricsd", "healthd", "watchdogd"] {
            descriptors.append(try ListeningSocket.bind("\(sockets)/\(daemon).sock"))
        }
        let box = Unmanaged.passRetained(Sockets(descriptors))
        var thread = pthread_t()
        let made = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                MeetingOfFour.meet(Unmanaged<Sockets>.fromOpaque(argument).takeRetainedValue().descriptors)
                return nil
            }, box.toOpaque())
        try #require(made == 0)
        self.thread = thread
    }

    deinit { pthread_join(thread, nil) }

    private static func meet(_ sockets: [CInt]) {
        var connections: [CInt] = []
        for socket in sockets {
            var waiting = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
            guard poll(&waiting, 1, 5000) == 1 else { break }
            connections.append(accept(socket, nil, nil))
        }
        defer { for descriptor in sockets + connections { close(descriptor) } }
        guard connections.count == sockets.count else { return }
        let asked = connections.compactMap { firstRequest(on: $0) }
        guard asked.count == connections.count else { return }
        for (connection, request) in zip(connections, asked) {
            let error = RPCError.accessDenied(method: request.method, needs: .read, uid: 1000)
            let frame = Frame.around(ServerMessage.failure(to: request.id, error)) ?? []
            _ = send(connection, frame, frame.count, CInt(MSG_NOSIGNAL))
        }
        // Until the caller has read and gone.
        for connection in connections {
            var byte: UInt8 = 0
            _ = recv(connection, &byte, 1, 0)
        }
    }

    private static func firstRequest(on connection: CInt) -> Request? {
        var frames = FrameReader()
        var chunk = [UInt8](repeating: 0, count: 4096)
        while case let count = recv(connection, &chunk, chunk.count, 0), count > 0 {
            frames.append(chunk[..<count])
            guard let body = try? frames.next() else { continue }
            return try? Request(try JSONReader.read(body))
        }
        return nil
    }
}
