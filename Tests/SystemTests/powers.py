"""The sandbox of each daemon: what it has to do works under its unit's restrictions, and what it must not do fails."""

import json
import os
import shutil
import subprocess
import sys

import gateway
import rpc

TITLE = "powers and sandbox"
RUNS = 1

# The highest exposure that `systemd-analyze security` may give.
SCORES = {"configd": 2.0, "metricsd": 2.2, "healthd": 2.0, "watchdogd": 3.0}

OUTCOME = "/run/mainstay/powers.json"
# This file and what it imports, where every daemon's sandbox can read: the project may lie in /tmp or in somebody's home.
COPY = "/usr/local/lib/mainstay-powers"


def cases():
    return list(rpc.DAEMONS)


def run(case, runs):
    """Inside the machine: the daemon's own unit starts this file in the daemon's place."""
    unit = f"mainstay-{case}.service"
    folder = f"/run/systemd/system/{unit}.d"
    shutil.copytree(os.path.dirname(os.path.abspath(__file__)), COPY, dirs_exist_ok=True)
    subprocess.run(["chmod", "-R", "a+rX", COPY], check=True)
    for _ in range(runs):
        gateway.systemctl("stop", unit)
        os.makedirs(folder, exist_ok=True)
        with open(f"{folder}/zz-powers.conf", "w") as file:
            file.write(
                "[Service]\nType=oneshot\nRestart=no\nWatchdogSec=0\nExecStart=\n"
                f"ExecStart=/usr/bin/python3 -B {COPY}/powers.py {case} {gateway.main_pid()}\n"
            )
        gateway.systemctl("daemon-reload")
        gateway.systemctl("start", unit)
        outcome = json.load(open(OUTCOME))
        os.remove(OUTCOME)
        os.remove(f"{folder}/zz-powers.conf")
        os.rmdir(folder)
        gateway.systemctl("daemon-reload")
        gateway.systemctl("start", unit)
        yield {"exposure": exposure(unit), **outcome}


def exposure(unit):
    done = subprocess.run(["systemd-analyze", "security", "--no-pager", unit], capture_output=True, text=True)
    return float(done.stdout.split("Overall exposure level for")[1].split(":")[1].split()[0])


def report(results):
    rows, failures = [], []
    for case, figures in results.items():
        for one in figures:
            rows.append({"case": case, **one})
            failures += [f"{case} cannot {what}" for what in one["cannot"]]
            failures += [f"{case} must not {what}" for what in one["mustNot"]]
            if one["exposure"] > SCORES[case]:
                failures.append(f"{case}: exposure {one['exposure']}, limit {SCORES[case]}")
    return {"table": rows}, failures


# ---- From here on: what runs in the daemon's place.


def bind_socket(daemon):
    import socket

    path = f"/run/mainstay/{daemon}.sock"
    if os.path.exists(path):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    os.chmod(path, 0o666)
    listener.listen()


def store(daemon):
    import sqlite3

    database = sqlite3.connect(os.path.join(os.environ["STATE_DIRECTORY"], "powers.db"))
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("CREATE TABLE IF NOT EXISTS t (x)")
    database.commit()
    database.close()
    for suffix in ("", "-wal", "-shm"):
        path = os.path.join(os.environ["STATE_DIRECTORY"], "powers.db" + suffix)
        if os.path.exists(path):
            os.unlink(path)


def read(*names):
    def act(pid):
        for name in names:
            with open(f"/proc/{pid}/{name.format(pid=pid)}", "rb") as file:
                file.read()

    return act


def see_file_systems(pid):
    assert open("/proc/1/mounts").read()
    assert not os.statvfs("/proc/1/root/").f_flag & os.ST_RDONLY, "read-only is this sandbox, not the host"
    os.statvfs("/proc/1/root/home")


def list_files(pid):
    for name in os.listdir(f"/proc/{pid}/fd"):
        os.readlink(f"/proc/{pid}/fd/{name}")


def replace_env(pid):
    """As configd does it: a new file beside the old one, with its owner and mode, then renamed."""
    path = "/etc/gateway/.env"
    old, text = os.stat(path), open(path).read()
    new = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(new, text.encode())
    os.fchown(new, old.st_uid, old.st_gid)
    os.fchmod(new, old.st_mode & 0o7777)
    os.fsync(new)
    os.close(new)
    os.rename(path + ".new", path)
    after = os.stat(path)
    assert (old.st_uid, old.st_gid, old.st_mode) == (after.st_uid, after.st_gid, after.st_mode)


def open_beneath(pid):
    """openat2(2) with RESOLVE_NO_SYMLINKS, which Python has no name for."""
    import ctypes
    import struct

    how = struct.pack("=QQQ", os.O_RDONLY | os.O_DIRECTORY, 0, 0x04)
    library = ctypes.CDLL(None, use_errno=True)
    descriptor = library.syscall(437, -100, b"/etc/gateway", how, len(how))
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    os.close(descriptor)


def tell_callers_apart(pid):
    """Every uid of the host is a uid here, too."""
    assert open("/proc/self/uid_map").read().split() == ["0", "0", "4294967295"]


def manager(pid):
    """Process 1's own socket."""
    done = subprocess.run(["systemctl", "show", "-P", "Id", "gateway.service"], capture_output=True, text=True)
    assert done.stdout.strip() == "gateway.service", done.stderr


def restart_a_unit(pid):
    """Over the bus: systemctl thinks itself in a chroot where it cannot see process 1, and then does nothing, well."""
    words = ["org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"]
    words += ["TryRestartUnit", "ss", "redis-server.service", "replace"]
    subprocess.run(["busctl", "call", *words], check=True, capture_output=True)


def signal_it(pid):
    import signal

    descriptor = os.pidfd_open(pid)
    signal.pidfd_send_signal(descriptor, 0)
    os.close(descriptor)


def probe(pid):
    assert gateway.health(), "no answer"


def run_a_command(pid):
    """As healthd starts one (`Launcher.swift`)."""
    words = ["nice", "-n", "15", "setpriv", "--no-new-privs", "--ambient-caps=-all", "--", "/usr/bin/nice"]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    assert int(done.stdout) == os.nice(0) + 15 and not done.stderr, done


def run_node(pid):
    subprocess.run(["/usr/bin/node", "-e", "0"], check=True, capture_output=True)


def write_anywhere(pid):
    with open("/etc/mainstay-powers", "w"):
        os.unlink("/etc/mainstay-powers")


def write_usr(pid):
    with open("/usr/mainstay-powers", "w"):
        os.unlink("/usr/mainstay-powers")


def read_shadow(pid):
    open("/etc/shadow").read()


def set_the_clock(pid):
    import time

    time.clock_settime(time.CLOCK_REALTIME, time.time())


def list_units(pid):
    """As metricsd counts them: over the bus, since process 1's own socket is root's."""
    words = ["org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "ListUnits"]
    assert b"gateway.service" in subprocess.run(["busctl", "call", *words], check=True, capture_output=True).stdout


def mount(pid):
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/mnt"], check=True, capture_output=True)


def make_namespace(pid):
    subprocess.run(["unshare", "-U", "true"], check=True, capture_output=True)


FIGURES = read("io", "status", "stat", "smaps_rollup", "limits", "task/{pid}/io", "task/{pid}/stat")
EVIDENCE = read("task/{pid}/wchan", "task/{pid}/syscall", "task/{pid}/status", "net/tcp", "maps")

MAY = {
    "configd": {"replace a guarded file": replace_env, "open a file without following links": open_beneath},
    "metricsd": {
        "read a process's figures": FIGURES, "list its files": list_files, "probe over TCP": probe,
        "see the host's file systems": see_file_systems, "list units": list_units,
    },
    "healthd": {
        "probe over TCP": probe, "run a command": run_a_command, "run Node": run_node,
        "read the host's load": lambda pid: open("/proc/loadavg").read(),
    },
    "watchdogd": {
        "read a process's figures": FIGURES, "read what its threads wait in": EVIDENCE, "list its files": list_files,
        "probe over TCP": probe, "ask process 1": manager, "restart a unit": restart_a_unit,
        "send it a signal": signal_it,
    },
}
MUST_NOT = {
    "configd": {
        "write /usr": write_usr, "signal a service": signal_it, "read its memory map": EVIDENCE, "mount": mount,
    },
    "metricsd": {
        "write /etc": write_anywhere, "signal a service": signal_it, "mount": mount, "set the clock": set_the_clock,
    },
    "healthd": {
        "write /etc": write_anywhere, "read /etc/shadow": read_shadow, "signal a service": signal_it,
        "read its memory map": EVIDENCE, "restart a unit": restart_a_unit, "mount": mount,
    },
    "watchdogd": {"write /etc": write_anywhere, "mount": mount, "make a namespace": make_namespace},
}


def works(act, pid):
    try:
        act(pid)
        return True
    except Exception as error:
        print(f"{getattr(act, '__name__', 'read')}: {type(error).__name__}: {error}", file=sys.stderr)
        return False


def main(daemon, pid):
    wanted = {
        "bind its socket": lambda _: bind_socket(daemon),
        "keep a store": lambda _: store(daemon),
        "tell its callers apart": tell_callers_apart,
        **MAY[daemon],
    }
    outcome = {
        "cannot": [what for what, act in wanted.items() if not works(act, pid)],
        "mustNot": [what for what, act in MUST_NOT[daemon].items() if works(act, pid)],
    }
    with open(OUTCOME, "w") as file:
        json.dump(outcome, file)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
