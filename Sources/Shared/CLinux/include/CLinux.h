// What Swift cannot call from glibc directly: variadic system calls, macros and structures without a module.
// _GNU_SOURCE stays undefined: Swift's Glibc module is built without it, and two views of one header do not mix. What it
// hides is declared here by the kernel's own numbers (include/uapi).
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/openat2.h>
#include <linux/sock_diag.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
#include <sys/types.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#ifndef F_OFD_GETLK
#define F_OFD_GETLK 36
#endif
#ifndef F_OFD_SETLK
#define F_OFD_SETLK 37
#endif
#ifndef O_TMPFILE
#define O_TMPFILE (020000000 | O_DIRECTORY)
#endif
#ifndef O_PATH
#define O_PATH 010000000
#endif
#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif

/// malloc_trim(3): the free pages of all arenas go back to the kernel. Glibc's module leaves malloc.h out.
static inline void mainstay_trim_heap(void) { malloc_trim(0); }

/// mallopt(3), M_ARENA_MAX: every thread takes its memory from the one heap. 0 where malloc refuses. For before the first thread.
static inline int mainstay_use_one_arena(void) { return mallopt(M_ARENA_MAX, 1); }

/// What SO_PEERCRED gives (unix(7)).
struct mainstay_ucred {
    pid_t pid;
    uid_t uid;
    gid_t gid;
};

/// pidfd_open(2). -1 and errno on failure.
static inline int mainstay_pidfd_open(pid_t pid, unsigned int flags) {
    return (int)syscall(SYS_pidfd_open, pid, flags);
}

/// pidfd_send_signal(2).
static inline int mainstay_pidfd_send_signal(int pidfd, int sig) {
    return (int)syscall(SYS_pidfd_send_signal, pidfd, sig, (void *)0, 0u);
}

/// openat2(2) with a mode and RESOLVE_* bits.
static inline int mainstay_openat2(int dirfd, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve) {
    struct open_how how = {.flags = flags, .mode = mode, .resolve = resolve};
    return (int)syscall(SYS_openat2, dirfd, path, &how, sizeof how);
}

/// renameat2(2).
static inline int mainstay_renameat2(int olddir, const char *old, int newdir, const char *new_, unsigned int flags) {
    return (int)syscall(SYS_renameat2, olddir, old, newdir, new_, flags);
}

/// A new file without a name in `folder` (open(2), O_TMPFILE), which linkat(2) can give one; -1 with errno.
static inline int mainstay_open_unnamed(int folder, unsigned int mode) {
    return openat(folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
}

/// The magic number of the file system that a descriptor's file lies on (statfs(2), linux/magic.h), or -1 with errno.
static inline int64_t mainstay_file_system(int fd) {
    struct statfs status;
    return fstatfs(fd, &status) == 0 ? (int64_t)status.f_type : -1;
}

/// An open-file-description lock (fcntl F_OFD_SETLK): 0, or -1 with EAGAIN when another holds it.
static inline int mainstay_ofd_lock(int fd, int exclusive) {
    struct flock lock = {.l_type = exclusive ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0, .l_pid = 0};
    return fcntl(fd, F_OFD_SETLK, &lock);
}

/// Who keeps mainstay_ofd_lock from locking exclusively: a process's id, -1 where it is an open file description that names
/// no process, 0 where it is nobody or cannot be told.
static inline pid_t mainstay_ofd_holder(int fd) {
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0, .l_pid = 0};
    if (fcntl(fd, F_OFD_GETLK, &lock) != 0 || lock.l_type == F_UNLCK) return 0;
    return lock.l_pid;
}

/// Releases what mainstay_ofd_lock took.
static inline int mainstay_ofd_unlock(int fd) {
    struct flock lock = {.l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0, .l_pid = 0};
    return fcntl(fd, F_OFD_SETLK, &lock);
}

/// The peer of a connected Unix socket: 0, or -1 with errno.
static inline int mainstay_peer_credentials(int fd, pid_t *pid, uid_t *uid, gid_t *gid) {
    struct mainstay_ucred credentials;
    socklen_t length = sizeof credentials;
    int result = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length);
    if (result == 0) {
        *pid = credentials.pid;
        *uid = credentials.uid;
        *gid = credentials.gid;
    }
    return result;
}

/// The peer's supplementary groups (SO_PEERGROUPS, Linux 4.13): how many were written, or -1 with errno (ERANGE: more
/// than `capacity`).
static inline int mainstay_peer_groups(int fd, gid_t *groups, int capacity) {
    socklen_t length = (socklen_t)(capacity * (int)sizeof(gid_t));
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &length) != 0) return -1;
    return (int)(length / sizeof(gid_t));
}

/// Names the calling thread (15 bytes at most) as `ps -L` and /proc/<pid>/task show it.
static inline void mainstay_name_thread(const char *name) { prctl(PR_SET_NAME, name, 0, 0, 0); }

/// The calling thread's id.
static inline pid_t mainstay_gettid(void) { return (pid_t)syscall(SYS_gettid); }

/// A pipe whose ends no child inherits (pipe2 with O_CLOEXEC): ends[0] is read from. -1 and errno on failure.
static inline int mainstay_pipe(int ends[2]) { return (int)syscall(SYS_pipe2, ends, O_CLOEXEC); }

/// Reserves room on the disk for a file's first `size` bytes (fallocate(2)); the file grows to that size or keeps its own. -1
/// and errno on failure.
static inline int mainstay_reserve(int fd, int64_t size, int grows) {
    // FALLOC_FL_KEEP_SIZE, which the C library shows with _GNU_SOURCE only.
    return (int)syscall(SYS_fallocate, fd, grows ? 0 : 1, (int64_t)0, size);
}

/// What adjtimex(2) tells of the host's clock: the fields of `struct timex` (which Swift cannot see for its unnamed bits), as
/// they are, and what two of its bits and its answer mean.
struct mainstay_clock {
    int64_t offset, freq, maxerror, esterror, constant, tick, ppsfreq, jitter, stabil, jitcnt, calcnt, errcnt, stbcnt;
    int status, shift, tai;
    /// Whether `offset` and `jitter` are in nanoseconds (STA_NANO), not microseconds.
    int is_nano;
    /// Whether it is kept by some reference: the answer is not TIME_ERROR.
    int is_synchronized;
};

/// Reads the clock's state and changes nothing: the answer of adjtimex(2), or -1 with errno.
static inline int mainstay_read_clock(struct mainstay_clock *clock) {
    struct timex all = {.modes = 0};
    int state = adjtimex(&all);
    if (state < 0) return -1;
    *clock = (struct mainstay_clock){
        .offset = all.offset, .freq = all.freq, .maxerror = all.maxerror, .esterror = all.esterror,
        .constant = all.constant, .tick = all.tick, .ppsfreq = all.ppsfreq, .jitter = all.jitter, .stabil = all.stabil,
        .jitcnt = all.jitcnt, .calcnt = all.calcnt, .errcnt = all.errcnt, .stbcnt = all.stbcnt, .status = all.status,
        .shift = all.shift, .tai = all.tai, .is_nano = (all.status & STA_NANO) != 0,
        .is_synchronized = state != TIME_ERROR};
    return state;
}
