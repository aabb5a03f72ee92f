import CLinux

/// The heap of this process.
package enum Heap {
    /// Gives its free pages back to the kernel. malloc keeps what was freed below something that is still in use, so what one
    /// burst took would count as this process's memory for months. Takes well under a millisecond for a heap of some MiB, but
    /// holds every arena meanwhile: for after a burst, not for every request.
    package static func giveBack() { mainstay_trim_heap() }
}
