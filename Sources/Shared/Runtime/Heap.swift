import CLinux

/// The heap of this process.
package enum Heap {
    /// Gives its free pages back to the kernel. malloc keeps what was freed below something that is still in use, so what one
    /// burst took would count as this process's memory for months. Takes well under a millisecond for a heap of some MiB, but
    /// holds every arena meanwhile: for after a burst, not for every request.
    package static func giveBack() { mainstay_trim_heap() }

    /// From now on every thread allocates from one heap. malloc else gives each thread an arena of its own, up to eight a CPU
    /// (mallopt(3), M_ARENA_MAX): memory that one thread allocates and another frees then leaves holes in many heaps, and which
    /// of them a thread meets is chance, so a process of some threads grows for hours before it stays. The price is one lock
    /// among threads that allocate at the same time: for a daemon whose threads mostly wait. For before the first thread.
    package static func useOneArena() { _ = mainstay_use_one_arena() }
}
