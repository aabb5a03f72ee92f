internal import CSnappy

/// Snappy's block format (google/snappy, format_description.txt): quick, and what remote write wants.
package enum Snappy {
    /// `bytes` compressed; they may grow by a sixth and 32 bytes where they cannot be.
    package static func compressed(_ bytes: [UInt8]) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: snappy_max_compressed_length(bytes.count)) { buffer, count in
            count = buffer.count
            let status = bytes.withUnsafeBytes { input in
                snappy_compress(
                    input.baseAddress?.assumingMemoryBound(to: CChar.self), input.count,
                    UnsafeMutableRawPointer(buffer.baseAddress)?.assumingMemoryBound(to: CChar.self), &count)
            }
            // It fails only where the room is too small, and this is as much as it says that it may need.
            precondition(status == SNAPPY_OK)
        }
    }
}
