import Glibc
import Synchronization
import Wire

/// Faults inside a daemon, for tests: with MAINSTAY_FAULTS=1 in the environment, and for root alone. Otherwise no such
/// method is registered, and `rpc.discover` does not know them.
enum Faults {
    static var areAllowed: Bool { getenv("MAINSTAY_FAULTS").map { String(cString: $0) == "1" } ?? false }

    /// Spins the loop's thread outside the core.
    enum SpinLoop: RPCMethod {
        static let name = "fault.spinLoop"
        static let access = Access.act
        typealias Params = NoFields
        typealias Reply = NoFields
    }

    /// Spins where the core is entered next.
    enum SpinCore: RPCMethod {
        static let name = "fault.spinCore"
        static let access = Access.act
        typealias Params = NoFields
        typealias Reply = NoFields
    }

    /// Blocks where the core is entered next, on a lock that nobody will release.
    enum DeadlockCore: RPCMethod {
        static let name = "fault.deadlockCore"
        static let access = Access.act
        typealias Params = NoFields
        typealias Reply = NoFields
    }

    /// Blocks the thread `store` for good.
    enum BlockStore: RPCMethod {
        static let name = "fault.blockStore"
        static let access = Access.act
        typealias Params = NoFields
        typealias Reply = NoFields
    }

    /// How long after the reply a fault begins, so that the caller still hears that it was taken.
    private static let delay: Duration = .milliseconds(50)

    @Loop static func register(on context: DaemonContext) {
        guard areAllowed else { return }
        let server = context.server
        server.on(SpinLoop.self) { _, caller throws(RPCError) in
            try onlyRoot(caller)
            Loop.after(delay) { spin() }
            return NoFields()
        }
        server.on(SpinCore.self) { _, caller throws(RPCError) in
            try onlyRoot(caller)
            context.coreFault = { spin() }
            return NoFields()
        }
        server.on(DeadlockCore.self) { _, caller throws(RPCError) in
            try onlyRoot(caller)
            context.coreFault = { block() }
            return NoFields()
        }
        server.on(BlockStore.self) { _, caller throws(RPCError) in
            try onlyRoot(caller)
            guard let blockStore = context.blockStore else {
                throw RPCError.internalError("\(context.name) has no thread named store")
            }
            blockStore()
            return NoFields()
        }
    }

    private static func onlyRoot(_ caller: Caller) throws(RPCError) {
        guard caller.uid == 0 else {
            throw .accessDenied(method: "fault", needs: .act, uid: caller.uid)
        }
    }

    /// Burns one core for good.
    private static func spin() {
        let counter = Atomic<UInt64>(0)
        while true { counter.add(1, ordering: .relaxed) }
    }

    /// Waits for good.
    static func block() {
        while true { pause() }
    }
}
