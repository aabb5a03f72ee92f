"""The guarded gateway, seen from outside: by its port, its process and systemd, never by what Mainstay says of it."""

import http.client
import json
import os
import select
import signal
import subprocess
import time

SERVICE = "gateway"
UNIT = "gateway.service"
SETTINGS = "/etc/mainstay/services/gateway.yaml"

# What each fault does, and the class that watchdogd must give it.
FAULTS = {
    "loop": ("/fault/loop", "spinning"),
    "loop?io": ("/fault/loop?io=1", "livelocked"),
    "loop?worker": ("/fault/loop?worker=1", "spinning"),
    "block": ("/fault/block", "blocked"),
    "SIGSTOP": (signal.SIGSTOP, "stopped"),
    "SIGKILL": (signal.SIGKILL, "dead"),
    "exit 1": ("/fault/exit?code=1", "dead"),
}


def systemctl(*arguments, check=True):
    done = subprocess.run(["systemctl", *arguments], capture_output=True, text=True)
    if check and done.returncode != 0:
        raise RuntimeError(f"systemctl {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout.strip()


def main_pid(unit=UNIT):
    """The unit's main process; 0 where none runs."""
    return int(systemctl("show", "-P", "MainPID", unit) or 0)


def ask(path, method="GET", port=3000, timeout=1.0):
    """The answer's status and body, or None where none came."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def health(port=3000, timeout=1.0):
    """What a good `/health` says, or None."""
    answer = ask("/health", port=port, timeout=timeout)
    return json.loads(answer[1]) if answer and answer[0] == 200 else None


class Outage:
    """The measured times of one fault, in seconds after it, by a clock that is never set."""

    def __init__(self, began_wall, began):
        self.began_wall_ms = began_wall * 1000
        self.began = began
        self.gone_s = None  # the old process ended
        self.back_s = None  # another process answered /health well
        self.pid = None


def inject(name, pid, port=3000):
    """Does the fault and returns an `Outage` that began with it."""
    act = FAULTS[name][0]
    if isinstance(act, str):
        answer = ask(act, "POST", port)
        if not answer or answer[0] != 202:
            raise RuntimeError(f"the gateway did not take the fault {name}: {answer}")
        return Outage(time.time(), time.monotonic())
    outage = Outage(time.time(), time.monotonic())
    os.kill(pid, act)
    return outage


def watch(outage, old_pid, port=3000, limit_s=120):
    """Fills in when the old process was gone and when another served. It does not touch the port before the old process
    is gone: connections that wait in its queue would be evidence of our making."""
    descriptor = None
    try:
        descriptor = os.pidfd_open(old_pid)
        poller = select.poll()
        poller.register(descriptor, select.POLLIN)
        if not poller.poll(limit_s * 1000):
            return outage
    except ProcessLookupError:
        pass
    finally:
        if descriptor is not None:
            os.close(descriptor)
    outage.gone_s = time.monotonic() - outage.began
    while time.monotonic() - outage.began < limit_s:
        found = health(port, timeout=0.2)
        if found and found["pid"] != old_pid:
            outage.back_s = time.monotonic() - outage.began
            outage.pid = found["pid"]
            return outage
        time.sleep(0.001)
    return outage


def wait_until(what, condition, limit_s=30, every_s=0.05):
    """Waits for `condition()` to be true and returns what it gave."""
    end = time.monotonic() + limit_s
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise RuntimeError(f"waited {limit_s} s in vain: {what}")
        time.sleep(every_s)
