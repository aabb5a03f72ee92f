internal import CSystemd
internal import Glibc

/// Reads a D-Bus message in order, by sd-bus's own reader and without its C varargs. A value that is not of the
/// expected type reads as nil; nothing traps on what a peer sent.
struct BusReader {
    /// An `sd_bus_message`, valid for the callback it was given to.
    let message: OpaquePointer

    func string(_ type: BusType = .string) -> String? {
        var value: UnsafePointer<CChar>?
        guard sd_bus_message_read_basic(message, type.code, &value) > 0, let value else { return nil }
        return String(cString: value)
    }

    func uint32() -> UInt32? {
        var value: UInt32 = 0
        return sd_bus_message_read_basic(message, BusType.uint32.code, &value) > 0 ? value : nil
    }

    func uint64() -> UInt64? {
        var value: UInt64 = 0
        return sd_bus_message_read_basic(message, BusType.uint64.code, &value) > 0 ? value : nil
    }

    func int32() -> Int32? {
        var value: Int32 = 0
        return sd_bus_message_read_basic(message, BusType.int32.code, &value) > 0 ? value : nil
    }

    /// An array of bytes as hexadecimal digits.
    func bytesAsHex() -> String? {
        var start: UnsafeRawPointer?
        var count = 0
        guard sd_bus_message_read_array(message, BusType.byte.code, &start, &count) >= 0 else { return nil }
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for byte in UnsafeRawBufferPointer(start: start, count: count) {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Reads inside a container. Nil where the next value is no such container, or the array is at its end.
    func inside<Value>(_ type: BusType, _ contents: String, _ body: () -> Value) -> Value? {
        guard sd_bus_message_enter_container(message, type.code, contents) > 0 else { return nil }
        let value = body()
        // Fails where `body` left something unread: go to the end of the container first.
        while sd_bus_message_at_end(message, 0) == 0 {
            guard sd_bus_message_skip(message, nil) >= 0 else { break }
        }
        sd_bus_message_exit_container(message)
        return value
    }

    func skip(_ types: String) {
        sd_bus_message_skip(message, types)
    }

    /// Reads `a{sv}`: calls `member` with each name, positioned inside its variant; what it does not read is skipped.
    func properties(_ member: (String) -> Void) {
        _ = inside(.array, "{sv}") {
            while inside(.entry, "sv", { readProperty(member) }) != nil {}
        }
    }

    private func readProperty(_ member: (String) -> Void) {
        guard let name = string() else { return }
        var type: CChar = 0
        var contents: UnsafePointer<CChar>?
        guard sd_bus_message_peek_type(message, &type, &contents) > 0, let contents else { return }
        _ = inside(.variant, String(cString: contents)) { member(name) }
    }
}

/// The D-Bus type codes in use (sd-bus-protocol.h defines them as C characters).
enum BusType: Character {
    case byte = "y"
    case bool = "b"
    case int32 = "i"
    case uint32 = "u"
    case uint64 = "t"
    case string = "s"
    case path = "o"
    case array = "a"
    case variant = "v"
    case structure = "r"
    case entry = "e"

    var code: CChar {
        CChar(bitPattern: rawValue.asciiValue ?? 0)
    }
}

/// One argument of a method call, or a part of one.
indirect enum BusArgument: Sendable {
    case string(String)
    case int32(Int32)
    case uint64(UInt64)
    case bool(Bool)
    /// All elements of the one type that `signature` names.
    case array(of: String, [BusArgument])
    case structure(String, [BusArgument])
    case variant(String, BusArgument)

    /// A named property, as `a(sv)` holds them.
    static func property(_ name: String, _ signature: String, _ value: BusArgument) -> BusArgument {
        .structure("sv", [.string(name), .variant(signature, value)])
    }

    /// 0 or more, or a negative errno.
    func append(to message: OpaquePointer?) -> Int32 {
        switch self {
        case .string(let value):
            return value.withCString { sd_bus_message_append_basic(message, BusType.string.code, $0) }
        case .int32(var value):
            return sd_bus_message_append_basic(message, BusType.int32.code, &value)
        case .uint64(var value):
            return sd_bus_message_append_basic(message, BusType.uint64.code, &value)
        case .bool(let value):
            var word: Int32 = value ? 1 : 0
            return sd_bus_message_append_basic(message, BusType.bool.code, &word)
        case .array(let signature, let elements):
            return Self.append(elements, in: .array, signature, to: message)
        case .structure(let signature, let members):
            return Self.append(members, in: .structure, signature, to: message)
        case .variant(let signature, let value):
            return Self.append([value], in: .variant, signature, to: message)
        }
    }

    private static func append(
        _ parts: [BusArgument], in container: BusType, _ signature: String, to message: OpaquePointer?
    ) -> Int32 {
        var result = sd_bus_message_open_container(message, container.code, signature)
        for part in parts where result >= 0 {
            result = part.append(to: message)
        }
        return result < 0 ? result : sd_bus_message_close_container(message)
    }
}
