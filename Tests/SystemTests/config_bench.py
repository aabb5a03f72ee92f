"""A configd of its own, in the foreground on files in a folder of its own: what the proofs about configd start, stop and kill."""

import hashlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import rpc

CONFIGD = os.environ.get("MAINSTAY_CONFIGD", "/usr/lib/mainstay/configd")

KEY = "-----BEGIN PRIVATE KEY-----\n" + "".join(f"{'MIIEvgIBADANBgkqhkiG9w0B' * 2}{n:02}=\n" for n in range(25))
OLD = (
    "\ufeff# the gateway's settings\r\nPORT=3000\r\n\r\n"
    f"PRIVATE_KEY=\"{KEY}-----END PRIVATE KEY-----\"\r\n"
    "URL = 'postgres://db/gateway'   # not the test one\r\nexport MODE=production\r\nPORT=3001\r\nno assignment here\r\n"
).encode()
READERS = ["node-dotenv", "compose"]
# nobody, and a group that is not its own: what a file must still have after a write.
OWNER = (65534, 12)
MODE = 0o640


def new(value, old=OLD):
    """What a `set` of PORT must make of a file: the last PORT's value, and nothing else."""
    return old.replace(b"PORT=3001", b"PORT=" + value.encode())


class Bench:
    """The files' first content is `OLD`. `root` is a folder to use, where it is not to be a new one."""

    def __init__(self, root=None, configd=CONFIGD, names=("service/.env",), mainstay="", old=OLD):
        self.root = pathlib.Path(root or tempfile.mkdtemp(prefix="mainstay-config-"))
        self.configd = configd
        self.files = [self.root / name for name in names]
        self.file = self.files[0]
        self.folders = sorted({file.parent for file in self.files})
        for folder in ("settings/services", "sockets", "state", *self.folders):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        declared = "".join(f"    - path: {file}\n      readers: [{', '.join(READERS)}]\n" for file in self.files)
        (self.root / "settings/services/gateway.yaml").write_text(
            f"unit: gateway.service\nconfig:\n  files:\n{declared}")
        if mainstay:
            (self.root / "settings/mainstay.yaml").write_text(mainstay)
        for file in self.files:
            file.write_bytes(old)
            os.chmod(file, MODE)
            os.chown(file, *OWNER)
        self.daemon = None
        self.calls = 0
        self.boots = None
        # As what the files of some inodes are to be seen, and the library that sees to it (Tests/Fixtures/same_files.c).
        self.known, self.preload = {}, None
        # How long a call may take, in seconds.
        self.timeout = 5

    def start(self, *wrapper, limit_s=30.0):
        """Returns when configd says that it is ready, as it would to systemd: every file was looked at, and what was due is done. A
        wrapper must end in the daemon under its own number. Each start is another boot of the host where `boots` are counted."""
        notices = self.root / "notices"
        notices.unlink(missing_ok=True)
        environment = {**os.environ, "NOTIFY_SOCKET": str(notices)}
        if self.preload:
            same = ",".join(f"{inode}={':'.join(map(str, identity))}" for inode, identity in self.known.items())
            environment |= {"LD_PRELOAD": self.preload, "SAME_FILES": same}
        if self.boots is not None:
            self.boots += 1
            environment["MAINSTAY_BOOT_ID"] = f"{self.boots:032x}"
        folders = {name: str(self.root / name) for name in ("settings", "sockets", "state")}
        flags = [word for name, folder in folders.items() for word in (f"--{name}", folder)]
        with open(self.root / "log", "ab") as log:
            words = [*wrapper, self.configd, "--foreground", *flags]
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as inbox:
                inbox.bind(str(notices))
                inbox.settimeout(limit_s)
                self.daemon = subprocess.Popen(words, stderr=log, stdout=log, env=environment)
                while b"READY=1" not in inbox.recv(4096):
                    pass

    def conditions(self):
        return self.call("status")["own"]["files"]

    def stop(self, how=signal.SIGTERM):
        if self.daemon is not None:
            self.daemon.send_signal(how)
            self.daemon.wait(10)
            self.daemon = None

    def close(self):
        self.stop(signal.SIGKILL)
        shutil.rmtree(self.root)

    def call(self, method, **params):
        """Each call has an id that no other call of this bench has."""
        self.calls += 1
        with rpc.Connection("configd", self.timeout, str(self.root / "sockets"), first_id=self.calls) as connection:
            return connection.call(method, **params)

    def target(self, file=None):
        return {"service": "gateway", **({"file": str(file or self.file)} if len(self.files) > 1 else {})}

    def set(self, value, file=None, **more):
        return self.call("set", values={"PORT": value}, reason="test", **self.target(file), **more)

    def pending(self):
        """The change on trial, or the one that went back; None where there is none."""
        return next(iter(self.call("pending")["pending"]), None)

    def apply(self, value):
        """A `set` of PORT in every file, as one transaction."""
        changes = [{"file": str(file), "values": {"PORT": value}} for file in self.files]
        return self.call("apply", service="gateway", changes=changes, reason="test")

    def history(self, file=None):
        """Every version of a file, the newest first."""
        found, cursor = [], None
        while True:
            page = self.call("history", **self.target(file), limit=1000, **({"cursor": cursor} if cursor else {}))
            found += page["versions"]
            if (cursor := page.get("next")) is None:
                return found

    @staticmethod
    def until(condition, seconds=10.0):
        end = time.monotonic() + seconds
        while True:
            try:
                if condition():
                    return
            except (rpc.Silent, rpc.Refused):
                pass
            if time.monotonic() > end:
                raise TimeoutError("configd did not become ready")
            time.sleep(0.005)

    def thread(self, name):
        for task in os.listdir(f"/proc/{self.daemon.pid}/task"):
            if pathlib.Path(f"/proc/{self.daemon.pid}/task/{task}/comm").read_text().strip() == name:
                return int(task)
        raise RuntimeError(f"configd has no thread named {name}")

    def identity(self, file=None):
        status = os.stat(file or self.file)
        return status.st_uid, status.st_gid, oct(status.st_mode)

    def strays(self):
        """What lies beside the files."""
        return sorted(path.name for folder in self.folders for path in folder.iterdir() if path not in self.files)


def checksum(content):
    return hashlib.sha256(content).hexdigest()
