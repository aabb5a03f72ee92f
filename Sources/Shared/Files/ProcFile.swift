import Glibc

/// A file of /proc or /sys that is read again and again: kept open, and read anew from its start each time.
///
/// A descriptor of a process's file belongs to that process: once it has ended, reading fails (ESRCH), whoever has its pid
/// by then. Whether the path is opened again after a failure is therefore the owner's choice, made when the file is made.
package final class ProcFile {
    package let path: String
    private let opensAgain: Bool
    private var descriptor: CInt = -1

    /// Opened by the first read, and again by the read after one that failed: for files of the host, which may come and go.
    package init(_ path: String) {
        self.path = path
        opensAgain = true
    }

    /// Opened now and never again: for files that must go on naming one process. Nil where it cannot be opened.
    package init?(onceOpened path: String) {
        self.path = path
        opensAgain = false
        guard openNow() else { return nil }
    }

    deinit { closeNow() }

    /// Reads the whole file, as far as the buffer grows; false where it is not there, or is gone.
    package func read(into buffer: ReadBuffer) -> Bool {
        guard descriptor >= 0 || (opensAgain && openNow()) else { return false }
        guard buffer.fill(from: descriptor) else {
            closeNow()
            return false
        }
        return true
    }

    /// Reads a small file into the caller's own array, as far as that holds it; nil where it is empty or cannot be read.
    package func read(into bytes: inout [UInt8]) -> ArraySlice<UInt8>? {
        guard descriptor >= 0 || (opensAgain && openNow()) else { return nil }
        let count = bytes.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress, $0.count, 0) }
        if count < 0 { closeNow() }
        return count > 0 ? bytes[..<count] : nil
    }

    private func openNow() -> Bool {
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        return descriptor >= 0
    }

    private func closeNow() {
        if descriptor >= 0 { close(descriptor) }
        descriptor = -1
    }
}

/// The bytes of the file read last, shared by all files that one thread reads. It grows to the largest of them, up to 8 MiB;
/// what lies beyond is not read.
package final class ReadBuffer {
    private static let firstBytes = 32 << 10
    private static let mostBytes = 8 << 20
    private var storage = UnsafeMutableRawBufferPointer.allocate(byteCount: firstBytes, alignment: 16)
    package private(set) var count = 0

    package init() {}

    deinit { storage.deallocate() }

    /// What was read. Valid until the next `fill`.
    package var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: storage[..<count]) }

    /// Reads a descriptor from its start to its end.
    package func fill(from descriptor: CInt) -> Bool {
        count = 0
        while true {
            if count == storage.count, !grow() { return true }
            let place = storage.baseAddress.map { $0 + count }
            let got = pread(descriptor, place, storage.count - count, off_t(count))
            if got < 0 && errno == EINTR { continue }
            guard got >= 0 else { return false }
            guard got > 0 else { return true }
            count += got
        }
    }

    private func grow() -> Bool {
        guard storage.count < Self.mostBytes else { return false }
        let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: storage.count * 2, alignment: 16)
        larger.copyMemory(from: UnsafeRawBufferPointer(storage))
        storage.deallocate()
        storage = larger
        return true
    }
}
