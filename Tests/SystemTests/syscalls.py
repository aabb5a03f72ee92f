"""What a program asked of the kernel, as strace wrote it down: the calls that change files, with all their bytes, and the
moments in which it wrote to a socket."""

import pathlib
import re
import time
import typing

# The calls that change what a disk holds or a name means, and those that say which descriptor is which file, and
# how a program knows it again. `mmap` and `dup`
# are there to be refused: the model follows neither.
CALLS = (
    "openat", "openat2", "close", "lseek", "write", "writev", "pwrite64", "pwritev", "ftruncate", "truncate", "fallocate",
    "rename", "renameat", "renameat2", "link", "linkat", "unlink", "unlinkat", "symlinkat", "mkdir", "mkdirat", "rmdir",
    "fsync", "fdatasync", "sync_file_range", "fchown", "fchownat", "chown", "fchmod", "fchmodat", "chmod", "fsetxattr",
    "fremovexattr", "mmap", "dup", "dup2", "dup3", "sendmsg", "sendto", "copy_file_range", "sendfile", "io_uring_enter",
    "newfstatat",
)
_LINE = re.compile(r"(\d+) +(?:(\d+\.\d+) +)?(.*)")
_CALL = re.compile(r"(\w+)\((.*)\) += (-?\d+|0x[0-9a-f]+|\?)")
_RESUMED = re.compile(r"<\.\.\. \w+ resumed>(.*)")
# strace does not know the name of a call that a KILL cut off, at its beginning or its end: it has no result.
_CUT_OFF = ("???(", "<... ??? resumed>")
_UNFINISHED = " <unfinished ...>"


class Call(typing.NamedTuple):
    """A call that succeeded, as it ended; a write to a socket, as it began."""

    name: str
    arguments: list
    result: int
    # What it wrote, of a write.
    data: bytes = b""
    isToSocket: bool = False
    # When it ended, or began, in seconds since 1970; 0 where strace was not asked for it.
    at: float = 0.0

    def descriptor(self, index=0):
        """The number of a descriptor; -100 of the working folder."""
        word = self.arguments[index]
        return -100 if word.startswith("AT_FDCWD") else int(re.match(r"-?\d+", word).group())

    def text(self, index):
        return bytes_of(self.arguments[index]).decode()

    def number(self, index):
        return int(self.arguments[index], 0)


def strace(log, withTimes=False):
    """The words that run a program under strace, as a child of the caller; `read` waits for the log's end."""
    return ["strace", *(["-ttt"] if withTimes else []), "-D", "-f", "-q", "-xx", "-y", "-s", str(64 << 20), "--seccomp-bpf", "-e", "abbrev=none", "-e",
            "trace=" + ",".join(CALLS), "-o", str(log)]


def read(log, limit_s=30):
    """The calls in `log`, once every traced thread has ended."""
    log, end = pathlib.Path(log), time.monotonic() + limit_s
    while True:
        text = log.read_text()
        last = text.rsplit("\n", 2)[-2] if text.count("\n") > 1 else ""
        ended = {line.split()[0] for line in text.splitlines() if " +++ " in line}
        begun = {line.split()[0] for line in text.splitlines()}
        if begun and begun == ended and " +++ " in last and text.endswith("\n"):
            return parse(text)
        if time.monotonic() > end:
            raise TimeoutError(f"strace has not ended: {begun - ended} still run")
        time.sleep(0.01)


def parse(text):
    """Other calls than socket writes are placed where they ended: from then on a caller may rely on them. A write to a socket is
    placed where it began: from then on the peer may have it."""
    calls, open_calls = [], {}
    for line in text.splitlines():
        thread, at, rest = _LINE.match(line).groups()
        at = float(at or 0)
        if rest.startswith(("+++", "---")):
            continue
        if rest.startswith(_CUT_OFF):
            open_calls.pop(thread, None)
            continue
        if rest.endswith(_UNFINISHED):
            begun = rest.removesuffix(_UNFINISHED)
            if is_to_socket(begun):
                calls.append(socket_write(begun, at))
                begun = None
            open_calls[thread] = begun
            continue
        if resumed := _RESUMED.match(rest):
            begun = open_calls.pop(thread)
            if begun is None:
                continue
            rest = begun + resumed.group(1)
        elif is_to_socket(rest):
            calls.append(socket_write(rest, at))
            continue
        match = _CALL.match(rest)
        if match is None:
            raise ValueError(f"not a call: {rest[:200]}")
        name, arguments, result = match.groups()
        if result != "?" and not result.startswith("-"):
            calls.append(call(name, arguments, int(result, 0), at))
    return calls


def call(name, arguments, result, at):
    words = arguments.split(", ")
    data = b""
    if name in ("write", "pwrite64"):
        data = bytes_of(words[1])[:result]
    elif name in ("writev", "pwritev"):
        data = b"".join(bytes_of(word) for word in re.findall(r'iov_base=("[^"]*")', arguments))[:result]
    return Call(name, words, result, data, at=at)


_SOCKET = re.compile(r"(?:write|writev|sendto|sendmsg)\(\d+<(?:\\x73\\x6f\\x63\\x6b\\x65\\x74|socket)")


def is_to_socket(text):
    return _SOCKET.match(text) is not None


def socket_write(text, at):
    data = b"".join(bytes_of(word) for word in re.findall(r'"[^"]*"', text))
    return Call("reply", [], len(data), data, True, at)


def bytes_of(word):
    r"""The bytes of a string as `strace -xx` writes it: "\x2f\x74". One that it cut short is refused."""
    if not (word.startswith('"') and word.endswith('"')):
        raise ValueError(f"no whole string: {word[-60:]}")
    return bytes.fromhex(word[1:-1].replace("\\x", ""))
