internal import CSystemd
internal import Glibc
internal import Time

/// One sd-bus connection on an `EventThread`. sd-bus objects are not thread safe: this one is made, used and ended by
/// the actor that owns it. No call here waits: replies, the deadline and the end of the connection come as callbacks.
final class BusConnection {
    private let thread: EventThread
    private let bus: OpaquePointer
    private var source: EventThread.SourceID?
    private var timer: TimerID?
    private var calls: [UInt64: Call] = [:]
    private var lastCall: UInt64 = 0
    private var ready: (() -> Void)?
    private let signal: (BusReader, _ path: String, _ member: String) -> Void
    private let ended: (String) -> Void
    private var isEnded = false

    /// What waits for a reply. sd-bus holds a pointer to it until its slot is released.
    private final class Call {
        var slot: OpaquePointer?
        var deadline: TimerID?
        let answered: (Result<BusReader, ProcessOneFailure>) -> Void
        let connection: BusConnection
        let id: UInt64

        init(
            id: UInt64, connection: BusConnection,
            answered: @escaping (Result<BusReader, ProcessOneFailure>) -> Void
        ) {
            self.id = id
            self.connection = connection
            self.answered = answered
        }
    }

    /// Begins to connect. `ready` is called once when calls can be made, `signal` for each signal, `ended` once, from a
    /// later turn of the thread, when the connection is of no more use. Nil where it failed at once.
    init?(
        address: String, isBroker: Bool, thread: EventThread,
        ready: @escaping () -> Void,
        signal: @escaping (BusReader, _ path: String, _ member: String) -> Void,
        ended: @escaping (String) -> Void
    ) {
        var made: OpaquePointer?
        guard sd_bus_new(&made) >= 0, let made else { return nil }
        guard sd_bus_set_address(made, address) >= 0, sd_bus_set_bus_client(made, isBroker ? 1 : 0) >= 0,
            sd_bus_start(made) >= 0
        else {
            sd_bus_unref(made)
            return nil
        }
        bus = made
        self.thread = thread
        self.ready = ready
        self.signal = signal
        self.ended = ended
        let context = Unmanaged.passUnretained(self).toOpaque()
        sd_bus_add_filter(bus, nil, { message, context, _ in BusConnection.filter(message, context) }, context)
        source = thread.watch(sd_bus_get_fd(bus), for: interest()) { [weak self] _ in self?.process() }
        guard source != nil else {
            sd_bus_close_unref(bus)
            return nil
        }
        thread.after(.zero) { [weak self] in self?.process() }
    }

    /// Calls a method; `answered` is called exactly once, from a later turn of the thread, within `deadline`.
    func call(
        destination: String, path: String, interface: String, member: String, arguments: [BusArgument],
        deadline: Duration, _ answered: @escaping (Result<BusReader, ProcessOneFailure>) -> Void
    ) {
        lastCall += 1
        let call = Call(id: lastCall, connection: self, answered: answered)
        calls[call.id] = call
        call.deadline = thread.after(deadline) { [weak self] in self?.finish(call, .failure(.timedOut)) }
        var message: OpaquePointer?
        var result = sd_bus_message_new_method_call(bus, &message, destination, path, interface, member)
        defer { sd_bus_message_unref(message) }
        for argument in arguments where result >= 0 {
            result = argument.append(to: message)
        }
        if result >= 0 {
            // Our own timer is the deadline, since sd-bus starts its own only when the connection stands. UInt64.max:
            // none.
            let context = Unmanaged.passUnretained(call).toOpaque()
            result = sd_bus_call_async(
                bus, &call.slot, message, { message, context, _ in BusConnection.reply(message, context) }, context,
                .max)
        }
        if result < 0 {
            let failure = ProcessOneFailure(
                name: "mainstay.NotSent", message: "\(member): \(String(cString: strerror(-result)))")
            thread.after(.zero) { [weak self] in self?.finish(call, .failure(failure)) }
        }
        watchAgain()
    }

    /// Ends the connection; calls that still wait fail with `disconnected`.
    func close() {
        guard !isEnded else { return }
        isEnded = true
        if let source { thread.unwatch(source) }
        if let timer { thread.cancel(timer) }
        for call in calls.values {
            finish(call, .failure(.disconnected))
        }
        sd_bus_close_unref(bus)
    }

    private func process() {
        guard !isEnded else { return }
        // Bounded: a flood of signals must not keep the pidfds waiting.
        for _ in 0..<128 {
            let result = sd_bus_process(bus, nil)
            if isEnded { return }
            if result < 0 {
                end(String(cString: strerror(-result)))
                return
            }
            if result == 0 { break }
        }
        if sd_bus_is_open(bus) <= 0 {
            end("closed by the other side")
            return
        }
        if let ready, sd_bus_is_ready(bus) > 0 {
            self.ready = nil
            ready()
        }
        watchAgain()
    }

    private func end(_ reason: String) {
        close()
        ended(reason)
    }

    /// Sets epoll and the timer to what sd-bus waits for now.
    private func watchAgain() {
        guard !isEnded, let source else { return }
        thread.change(source, to: interest())
        if let timer { thread.cancel(timer) }
        timer = nil
        var usec: UInt64 = 0
        guard sd_bus_get_timeout(bus, &usec) >= 0, usec != .max else { return }
        let deadline = Instant(nanoseconds: Int64(clamping: usec) &* 1000)
        timer = thread.at(deadline) { [weak self] in self?.process() }
    }

    private func interest() -> EventThread.Interest {
        // POLLIN and POLLOUT have epoll's values on Linux.
        EventThread.Interest(rawValue: UInt32(max(sd_bus_get_events(bus), 0)))
    }

    private func finish(_ call: Call, _ result: Result<BusReader, ProcessOneFailure>) {
        guard calls.removeValue(forKey: call.id) != nil else { return }
        if let deadline = call.deadline { thread.cancel(deadline) }
        sd_bus_slot_unref(call.slot)
        call.slot = nil
        call.answered(result)
    }

    private static func reply(_ message: OpaquePointer?, _ context: UnsafeMutableRawPointer?) -> Int32 {
        guard let message, let context else { return 0 }
        let call = Unmanaged<Call>.fromOpaque(context).takeUnretainedValue()
        if let error = sd_bus_message_get_error(message) {
            let failure = ProcessOneFailure(
                name: error.pointee.name.map { String(cString: $0) } ?? "",
                message: error.pointee.message.map { String(cString: $0) } ?? "")
            call.connection.finish(call, .failure(failure))
        } else {
            call.connection.finish(call, .success(BusReader(message: message)))
        }
        return 0
    }

    private static func filter(_ message: OpaquePointer?, _ context: UnsafeMutableRawPointer?) -> Int32 {
        guard let message, let context, sd_bus_message_is_signal(message, nil, nil) > 0,
            let path = sd_bus_message_get_path(message), let member = sd_bus_message_get_member(message)
        else { return 0 }
        let connection = Unmanaged<BusConnection>.fromOpaque(context).takeUnretainedValue()
        if !connection.isEnded {
            connection.signal(BusReader(message: message), String(cString: path), String(cString: member))
        }
        return 0
    }
}
