"""What the tests ask of Mainstay itself."""

import re
import subprocess
import threading
import time

import gateway
import rpc


def settle(limit_s=60):
    """Waits until the gateway serves, is guarded, and has no incident open; then refills its restart budget. A host
    that is starved by others is waited for too, since every verdict waits for it; for that, `limit_s` only delays."""
    gateway.wait_until("the gateway serves", gateway.health, limit_s)
    gateway.wait_until("no incident is open", lambda: open_incident() is None and rpc.answers("watchdogd"), limit_s)
    end = time.monotonic() + limit_s
    while host_is_starved() and time.monotonic() < end:
        time.sleep(1)
    subprocess.run(["mainstay", "reset", gateway.SERVICE], check=True, capture_output=True)


class Meanwhile(threading.Thread):
    """`with Meanwhile():` does what a subclass's `run` says beside the block, until `ended` is set at the block's end."""

    def __init__(self):
        super().__init__(daemon=True)
        self.ended = threading.Event()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.join()


class Starvation(Meanwhile):
    """`with Starvation() as starvation:` notes for how long watchdogd held anything back meanwhile, for want of CPU."""

    seconds = 0.0

    def run(self):
        while not self.ended.wait(0.25):
            self.seconds += 0.25 if host_is_starved() else 0

    @property
    def seen(self):
        return self.seconds > 0


def host_is_starved():
    status = rpc.answers("watchdogd")
    return bool(status and status["own"].get("hostStarved"))


def condition(service):
    """What watchdogd does about the service now, or None where it does not answer."""
    status = rpc.answers("watchdogd")
    found = [one for one in status["own"]["services"] if one["service"] == service] if status else []
    return found[0]["condition"] if found else None


def incidents(limit=100):
    """The newest incidents first."""
    try:
        return rpc.call("watchdogd", "incidents", service=gateway.SERVICE, limit=limit)["incidents"]
    except rpc.Silent:
        return None


def open_incident():
    found = incidents(limit=5)
    return next((one for one in found or [] if one["outcome"] == "open"), None)


def incident_since(wall_ms, limit_s=60):
    """The incident that was opened after `wall_ms`, once it is closed."""

    def closed():
        for one in incidents(limit=5) or []:
            if one["openedAtMs"] >= wall_ms - 1 and one["outcome"] != "open":
                return one
        return None

    return gateway.wait_until("the incident is closed", closed, limit_s)


def set_probe_interval(seconds):
    """Changes the liveness probe's interval and has watchdogd read it."""
    text = open(gateway.SETTINGS).read()
    text = re.sub(r"(?m)^  interval: .*# probe\n", "", text)
    text = re.sub(r"(?m)^(  http: .*/health)$", rf"\1\n  interval: {seconds}s # probe", text, count=1)
    with open(gateway.SETTINGS, "w") as file:
        file.write(text)
    gateway.systemctl("reload", "mainstay-watchdogd.service")


def daemon_pid(daemon):
    return gateway.main_pid(f"mainstay-{daemon}.service")


def journal(*matches, output="json"):
    words = ["journalctl", "-q", "--no-pager", "-o", output, *matches]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return done.stdout


def wait_for_daemons(limit_s=30):
    for daemon in rpc.DAEMONS:
        gateway.wait_until(f"{daemon} answers", lambda name=daemon: rpc.answers(name), limit_s)


def now_ms():
    return time.time() * 1000
