import Files
import Glibc

/// Which boot of the host this is.
enum Boot {
    /// The unit says it (`%b`), since `ProcSubset=pid` hides the kernel's own file; by hand the file is read. Nil where neither
    /// tells: no boot is then known to be the same as another. May block.
    static func identity() -> String? {
        let told = getenv("MAINSTAY_BOOT_ID").map { String(cString: $0) }
        let read = told ?? Contents.firstLine("/proc/sys/kernel/random/boot_id")
        // With and without dashes it is the same boot.
        return read.map { $0.filter { $0 != "-" } }.flatMap { $0.isEmpty ? nil : $0 }
    }
}
