import CLinux
import Glibc
import NIOCore
import NIOPosix
import Runtime
import Time

/// What a program writes, read on the loop to its end, whatever it prints: a program that nobody reads blocks, and would be called
/// hung. Its beginning is kept.
///
/// swift-subprocess could stream the output too, but 1.0.2 keeps an empty set for good for each process whose output ends before
/// the process does (`Registration.processIdentifierMap`): 100 bytes a run, for ever.
@Loop final class OutputPipe {
    /// What the program is given. Open until `ended`, so that the end of the pipe is the end of all that hold it.
    let writeEnd: CInt
    private let limit: Int
    private var kept: [UInt8] = []
    private var channel: (any Channel)?
    private var isAtEnd = false
    private var waiter: (@Loop ([UInt8]) -> Void)?
    /// How long after the program's end what is left in the pipe is waited for; only a process that left the session can hold it
    /// open longer.
    private static let patience = Duration.milliseconds(200)

    /// Nil where no descriptor is left.
    init?(limit: Int) {
        var ends: [CInt] = [-1, -1]
        guard mainstay_pipe(&ends) == 0 else { return nil }
        writeEnd = ends[1]
        self.limit = limit
        read(ends[0])
    }

    private func read(_ readEnd: CInt) {
        NIOPipeBootstrap(group: Loop.shared.eventLoop)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 64 << 10))
            .channelInitializer { channel in
                Loop.assume {
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(OutputPipeHandler(self))
                    }
                }
            }
            .takingOwnershipOfDescriptor(input: readEnd)
            .whenComplete { result in
                Loop.assume {
                    switch result {
                    case .success(let channel): self.channel = channel
                    case .failure:
                        close(readEnd)
                        self.reachedEnd()
                    }
                }
            }
    }

    /// The program is gone: answers with what is kept, as soon as the pipe is empty.
    func ended(_ then: @escaping @Loop ([UInt8]) -> Void) {
        close(writeEnd)
        waiter = then
        guard !isAtEnd else { return answer() }
        Loop.after(Self.patience) { [weak self] in self?.answer() }
    }

    fileprivate func received(_ bytes: ByteBuffer) {
        kept += bytes.readableBytesView.prefix(limit - kept.count)
    }

    fileprivate func reachedEnd() {
        isAtEnd = true
        answer()
    }

    private func answer() {
        guard let waiter else { return }
        self.waiter = nil
        channel?.close(promise: nil)
        waiter(kept)
    }
}

/// NIO's side of the pipe: hands everything on, decides nothing.
private final class OutputPipeHandler: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer

    private let pipe: OutputPipe

    init(_ pipe: OutputPipe) { self.pipe = pipe }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        Loop.assume { pipe.received(bytes) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        Loop.assume { pipe.reachedEnd() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
