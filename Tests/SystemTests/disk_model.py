"""A model of what a file system owes a program after a power cut: what was synced, and of the rest anything.

Bytes of a file are owed once fsync or fdatasync of it returned; its size with them. Owner, mode and attributes are owed after
fsync alone. A name is owed once its *folder* was synced, whatever was done to the file. A rename within a folder is one
operation: it is there or not, never half. Of what is not owed a cut keeps all, nothing, or some: names in their order (as a
journal would) or in none, writes in their order or in none, whole or by sectors, and a file may have got its length without its
bytes. Real file systems keep more than this; what is right here is right on each of them.
"""

import copy
import os
import pathlib
import random
import re
import stat
import typing

SECTOR = 512


class File:
    """A file's bytes and rights: those that are owed, and what was done since."""

    def __init__(self, data=b"", mode=0o600, uid=0, gid=0, attributes=None, identity=None):
        self.data, self.writes = bytes(data), []
        # Inode, and seconds and nanoseconds of its last change, as the program saw them; None where it never looked.
        self.identity = identity
        self.rights = self.owed_rights = {"mode": mode, "uid": uid, "gid": gid, "attributes": dict(attributes or {})}

    def size(self):
        size = len(self.data)
        for kind, offset, data in self.writes:
            size = offset if kind == "cut" else max(size, offset + len(data))
        return size

    def all_bytes(self):
        return written(self.data, self.writes)

    def set(self, **rights):
        self.rights = {**self.rights, **rights}

    def synced(self, is_whole):
        self.data, self.writes = self.all_bytes(), []
        if is_whole:
            self.owed_rights = self.rights


class Folder:
    """A folder's names: those that are owed, and what was done since."""

    def __init__(self, mode=0o700):
        self.owed, self.changes, self.rights = {}, [], {"mode": mode, "uid": 0, "gid": 0, "attributes": {}}

    def names(self, changes=None):
        names = dict(self.owed)
        for change in self.changes if changes is None else changes:
            change.do(names)
        return names

    def synced(self, _):
        self.owed, self.changes = self.names(), []


class Named(typing.NamedTuple):
    """`node` has the name `name`; it had `old` before, and no more, where that is given."""

    name: str
    node: object
    old: str | None = None

    def do(self, names):
        if self.old is not None and names.get(self.old) is self.node:
            del names[self.old]
        names[self.name] = self.node


class Unnamed(typing.NamedTuple):
    """`name` is gone."""

    name: str

    def do(self, names):
        names.pop(self.name, None)


class Disk:
    """The folders `folders` of `root`, as they were found, all of it owed; then what `do` is told. `known` says as what the files
    of some inodes are to be seen."""

    def __init__(self, root, folders, known=None):
        self.root, self.known = pathlib.Path(root), known or {}
        self.top = {name: self.found(self.root / name) for name in folders}
        self.descriptors, self.positions = {}, {}

    def found(self, path):
        status = os.lstat(path)
        if not stat.S_ISDIR(status.st_mode):
            attributes = {name: os.getxattr(path, name) for name in os.listxattr(path)}
            return File(path.read_bytes(), stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, attributes,
                        self.known.get(status.st_ino, (status.st_ino, *divmod(status.st_ctime_ns, 10**9))))
        folder = Folder(stat.S_IMODE(status.st_mode))
        folder.rights.update(uid=status.st_uid, gid=status.st_gid)
        folder.owed = {entry.name: self.found(entry) for entry in path.iterdir()}
        return folder

    # ---- What a call does

    def do(self, call):
        """Returns whether the call changed anything that a power cut could show."""
        return getattr(self, f"_{call.name}", self._unknown)(call)

    def _unknown(self, call):
        shown = re.sub(r"(\\x[0-9a-f]{2})+", lambda hex: bytes_of(hex.group()).decode(errors="replace"),
                       ", ".join(call.arguments)[:4000])
        raise NotImplementedError(f"the model does not follow {call.name}({shown[:200]})")

    def _outside(self, call):
        """A call by path, which is followed by nothing here: fine where it means none of the modelled folders."""
        return self._unknown(call) if self.place(-100, call.text(0)) != (None, None) else False

    _chmod = _chown = _outside

    def _reply(self, _):
        return False

    def place(self, descriptor, path):
        """The folder and the name that a path means; (None, None) outside of what is modelled."""
        if not path.startswith("/"):
            folder = self.descriptors.get(descriptor)
            return (folder, path) if isinstance(folder, Folder) and "/" not in path else (None, None)
        path = pathlib.Path(path)
        if not path.is_relative_to(self.root):
            return None, None
        parts = path.relative_to(self.root).parts
        if not parts or parts[0] not in self.top:
            return None, None
        folder = self.top[parts[0]]
        for part in parts[1:-1]:
            folder = folder.names()[part]
        return (None, parts[0]) if len(parts) == 1 else (folder, parts[-1])

    def _openat(self, call):
        folder, name = self.place(call.descriptor(), call.text(1))
        self.descriptors.pop(call.result, None)
        if folder is None:
            if name is not None:
                self.descriptors[call.result] = self.top[name]
            return False
        flags, node = ", ".join(call.arguments[2:]), folder.names().get(name)
        if "O_TMPFILE" in flags:
            self.descriptors[call.result], self.positions[call.result] = File(mode=int(call.arguments[3].split("<")[0], 8)), 0
            return False
        if name == ".":
            self.descriptors[call.result] = folder
            return False
        changes = False
        if node is None:
            node, changes = File(mode=int(call.arguments[3].split("<")[0], 8)), True
            folder.changes.append(Named(name, node))
        if "O_TRUNC" in flags and node.size():
            node.writes.append(("cut", 0, b""))
            changes = True
        self.descriptors[call.result], self.positions[call.result] = node, 0
        return changes

    _openat2 = _openat

    def _close(self, call):
        self.descriptors.pop(call.descriptor(), None)
        return False

    def file(self, call):
        node = self.descriptors.get(call.descriptor())
        return node if isinstance(node, File) else None

    def _lseek(self, call):
        self.positions[call.descriptor()] = call.result
        return False

    def _write(self, call):
        if (file := self.file(call)) is None:
            return False
        position = self.positions[call.descriptor()]
        file.writes.append(("write", position, call.data))
        self.positions[call.descriptor()] = position + call.result
        return True

    _writev = _write

    def _pwrite64(self, call):
        if (file := self.file(call)) is None:
            return False
        file.writes.append(("write", call.number(3), call.data))
        return True

    def _ftruncate(self, call):
        if (file := self.file(call)) is None:
            return False
        return self._cut(file, call.number(1))

    def _cut(self, file, size):
        if size < file.size():
            file.writes.append(("cut", size, b""))
        else:
            file.writes.append(("write", size, b""))
        return True

    def _fallocate(self, call):
        if (file := self.file(call)) is None:
            return False
        if "KEEP_SIZE" in call.arguments[1]:
            return False
        if call.number(1) != 0:
            return self._unknown(call)
        file.writes.append(("write", call.number(2) + call.number(3), b""))
        return True

    def _fsync(self, call):
        node = self.descriptors.get(call.descriptor())
        if node is not None:
            node.synced(call.name == "fsync")
        return node is not None

    _fdatasync = _fsync

    def _rename(self, call, old=(-100, 0), new=(-100, 1)):
        before, name = self.place(old[0], call.text(old[1]))
        folder, now = self.place(new[0], call.text(new[1]))
        if before is None and folder is None:
            return False
        if before is not folder:
            return self._unknown(call)
        folder.changes.append(Named(now, folder.names()[name], old=name))
        return True

    def _renameat(self, call):
        return self._rename(call, (call.descriptor(0), 1), (call.descriptor(2), 3))

    def _renameat2(self, call):
        if "RENAME_EXCHANGE" in call.arguments[4]:
            return self._unknown(call)
        return self._renameat(call)

    def _linkat(self, call):
        folder, now = self.place(call.descriptor(2), call.text(3))
        if folder is None:
            return False
        if call.text(1).startswith("/proc/self/fd/"):
            node = self.descriptors[int(call.text(1).rpartition("/")[2])]
        else:
            before, name = self.place(call.descriptor(0), call.text(1))
            node = before.names()[name]
        folder.changes.append(Named(now, node))
        return True

    def _sync_file_range(self, _):
        """Only sends bytes on their way: none is durable for it."""
        return False

    def _unlink(self, call, at=(-100, 0)):
        folder, name = self.place(at[0], call.text(at[1]))
        if folder is not None:
            folder.changes.append(Unnamed(name))
        return folder is not None

    def _unlinkat(self, call):
        return self._unlink(call, (call.descriptor(0), 1))

    def _mkdir(self, call, at=(-100, 0)):
        folder, name = self.place(at[0], call.text(at[1]))
        if folder is not None:
            folder.changes.append(Named(name, Folder(int(call.arguments[at[1] + 1], 8))))
        return folder is not None

    def _mkdirat(self, call):
        return self._mkdir(call, (call.descriptor(0), 1))

    def _fchmod(self, call):
        if file := self.file(call):
            file.set(mode=int(call.arguments[1], 8))
        return file is not None

    def _fchown(self, call):
        if file := self.file(call):
            file.set(uid=call.number(1), gid=call.number(2))
        return file is not None

    def _fsetxattr(self, call):
        if file := self.file(call):
            name = call.text(1)
            file.set(attributes={**file.rights["attributes"], name: bytes_of(call.arguments[2])})
        return file is not None

    def _newfstatat(self, call):
        text = ", ".join(call.arguments)
        if "AT_EMPTY_PATH" in text:
            node = self.descriptors.get(call.descriptor())
        else:
            folder, name = self.place(call.descriptor(), call.text(1))
            node = folder.names().get(name) if folder else None
        if isinstance(node, File):
            numbers = (re.search(rf"\b{name}=(\d+)", text) for name in ("st_ino", "st_ctime", "st_ctime_nsec"))
            seen = tuple(int(number.group(1)) for number in numbers)
            node.identity = self.known.get(seen[0], seen)
        return False

    def _mmap(self, call):
        """SQLite's shared memory is mapped, and after a crash it is made anew; nothing else may be written so."""
        if "MAP_SHARED" not in call.arguments[3] or "PROT_WRITE" not in call.arguments[2]:
            return False
        for folder in self.top.values():
            for name, node in folder.names().items():
                if node is self.file_of(call.arguments[4]) and not name.endswith("-shm"):
                    self._unknown(call)
        return False

    def file_of(self, word):
        return self.descriptors.get(int(word.split("<")[0])) if word.split("<")[0].lstrip("-").isdigit() else None

    # ---- The power goes

    def after(self, cut):
        """What the folders hold after a power cut, as {path under the root: (kind, bytes, rights, identity)}."""
        tree = {}
        for name, folder in self.top.items():
            self._after(cut, name, folder, tree)
        return tree

    def _after(self, cut, path, node, tree):
        if isinstance(node, File):
            tree[path] = ("file", cut.bytes(node, path), copy.deepcopy(cut.rights(node)), node.identity)
            return
        tree[path] = ("folder", b"", dict(node.rights), None)
        for name, below in sorted(node.names(cut.names(node)).items()):
            self._after(cut, f"{path}/{name}", below, tree)


def bytes_of(text):
    r"""The bytes of `"\x2f\x74"`, with its quotes or without."""
    return bytes.fromhex(text.strip('"').replace("\\x", ""))


def written(data, writes):
    """`data` after `writes`; a hole is filled with zeros."""
    data = bytearray(data)
    for kind, offset, more in writes:
        if kind == "cut":
            del data[offset:]
            continue
        if len(data) < offset + len(more):
            data.extend(bytes(offset + len(more) - len(data)))
        data[offset:offset + len(more)] = more
    return bytes(data)


class Kept:
    """A cut that keeps all: a crash of the program alone."""

    name = "kept"

    def names(self, folder):
        return folder.changes

    def bytes(self, file, path):
        return file.all_bytes()

    def rights(self, file):
        return file.rights


class Lost:
    """A cut that keeps only what is owed."""

    name = "lost"

    def names(self, folder):
        return []

    def bytes(self, file, path):
        return file.data

    def rights(self, file):
        return file.owed_rights


class Torn:
    """A cut that keeps some, by a seed: half of the seeds as a journal would, the other half in no order at all."""

    def __init__(self, *seed):
        self.name = f"torn {seed[-1]}"
        self.random = random.Random("/".join(map(str, seed)))
        self.inOrder = self.random.random() < 0.5

    def names(self, folder):
        if self.inOrder:
            return folder.changes[:self.random.randint(0, len(folder.changes))]
        return [change for change in folder.changes if self.random.random() < 0.5]

    def bytes(self, file, path):
        if path.endswith("-shm"):
            return self.random.randbytes(32768)
        writes, way = file.writes, self.random.choice(["none", "all", "first", "some", "sectors", "length"])
        if way == "none" or not writes:
            return file.data
        if way == "all":
            return file.all_bytes()
        if way == "length":  # the file has got its length, and of its bytes none
            return written(file.data, [(kind, offset + len(data), b"") for kind, offset, data in writes if kind != "cut"])
        if way == "first":
            kept = self.random.randint(0, len(writes) - 1)
            return written(file.data, [*writes[:kept], self.cut_short(writes[kept])])
        if way == "some":
            some = [one for one in writes if self.random.random() < 0.5]
            return written(file.data, [*some[:-1], self.cut_short(some[-1])] if some else [])
        return written(file.data, [part for one in writes for part in self.sectors(one) if self.random.random() < 0.5])

    def cut_short(self, write):
        """A write that ends in the middle, at the end of a sector."""
        kind, offset, data = write
        ends = range(SECTOR - offset % SECTOR, len(data), SECTOR)
        return write if not ends else (kind, offset, data[:self.random.choice(ends)])

    @staticmethod
    def sectors(write):
        kind, offset, data = write
        if not data:
            return [write]
        starts = [0, *range(SECTOR - offset % SECTOR, len(data), SECTOR)]
        return [(kind, offset + start, data[start:end]) for start, end in zip(starts, [*starts[1:], len(data)])]

    def rights(self, file):
        return file.rights if self.random.random() < 0.5 else file.owed_rights
