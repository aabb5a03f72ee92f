"""Must show 3: I1-I18 of ACCEPTANCE. Each daemon broken in turn while the gateway hangs, and an operator's own acts."""

import os
import signal
import threading
import time

import gateway
import rpc
import suite

TITLE = "independence"
RUNS = 1

RECOVERED_WITHIN_S = 60
BACK_WITHIN_S = 15
HEALTH_WITHIN_S = 5

STATES = ("killed", "stopped", "spinning", "deadlocked")
OPERATOR = ("stop and start", "restart", "upgrade", "reboot")
QUIET_S = 20  # how long nothing may happen after an operator's act; longer than the drop-in's RestartSec


def cases():
    numbered = [f"I{number} {daemon} {state}" for number, (daemon, state) in enumerate(
        ((daemon, state) for daemon in rpc.DAEMONS for state in STATES), start=1)]
    return numbered + ["I17 dbus-daemon stopped"] + [f"I18 {act}" for act in OPERATOR]


OUTSIDE = {"I18 reboot"}


def run(case, runs):
    """Inside the machine."""
    number, rest = case.split(" ", 1)
    for _ in range(runs):
        if number == "I18":
            yield run_operator(rest)
        elif number == "I17":
            yield run_hang_while(lambda: gateway.systemctl("kill", "-s", "STOP", "dbus.service"), None,
                                 lambda: gateway.systemctl("kill", "-s", "CONT", "dbus.service"))
        else:
            daemon, state = rest.split(" ")
            allow_faults(daemon)
            yield run_hang_while(lambda: break_daemon(daemon, state), daemon)


def allow_faults(daemon):
    """The faults inside a daemon exist only with this in its environment."""
    folder = f"/run/systemd/system/mainstay-{daemon}.service.d"
    if os.path.exists(folder):
        return
    os.makedirs(folder)
    with open(f"{folder}/faults.conf", "w") as file:
        file.write("[Service]\nEnvironment=MAINSTAY_FAULTS=1\n")
    gateway.systemctl("daemon-reload")
    gateway.systemctl("restart", f"mainstay-{daemon}.service")
    gateway.wait_until(f"{daemon} answers", lambda: rpc.answers(daemon))


def break_daemon(daemon, state):
    if state == "killed":
        os.kill(suite.daemon_pid(daemon), signal.SIGKILL)
    elif state == "stopped":
        os.kill(suite.daemon_pid(daemon), signal.SIGSTOP)
    elif state == "spinning":
        rpc.call(daemon, "fault.spinCore")
    else:
        rpc.call(daemon, "fault.deadlockCore")


class Prober(threading.Thread):
    """Asks one daemon for its status over and over: the longest wait for an answer, and when its pid changed."""

    def __init__(self, daemon):
        super().__init__(daemon=True)
        self.daemon_name = daemon
        self.longest_s = 0.0
        self.last_good = time.monotonic()
        self.pids = []
        self.ended = threading.Event()

    def run(self):
        while not self.ended.is_set():
            status = rpc.answers(self.daemon_name, 0.5)
            now = time.monotonic()
            if status:
                self.longest_s = max(self.longest_s, now - self.last_good)
                self.last_good = now
                if not self.pids or self.pids[-1][0] != status["pid"]:
                    self.pids.append((status["pid"], now))
            time.sleep(0.1)

    def end(self):
        self.ended.set()
        self.join()
        self.longest_s = max(self.longest_s, time.monotonic() - self.last_good)
        return self


def kept():
    """What must outlive a broken daemon: the incidents, the configuration's version, the samples stored."""
    now = int(suite.now_ms())
    return {
        "incidents": {one["id"] for one in suite.incidents()},
        "version": rpc.call("configd", "state", service=gateway.SERVICE).get("version"),
        "window": (now - 20_000, now - 3_000),
        "samples": stored(now - 20_000, now - 3_000),
    }


def stored(from_ms, to_ms):
    """A series of the host's own, sample by sample."""
    return rpc.call("metricsd", "queryRange", selector="node_load1", fromMs=from_ms, toMs=to_ms, stepMs=1000)["series"]


def lost_since(before):
    """What is no longer there of what was."""
    lost = []
    if before["incidents"] - {one["id"] for one in suite.incidents()}:
        lost.append("incidents")
    if rpc.call("configd", "state", service=gateway.SERVICE).get("version") != before["version"]:
        lost.append("version")
    if stored(*before["window"]) != before["samples"]:
        lost.append("samples")
    return lost


def run_hang_while(break_it, daemon, mend=lambda: None):
    """The gateway hangs at the same moment at which something of ours breaks."""
    suite.wait_for_daemons()
    suite.settle()
    before = kept()
    probers = {name: Prober(name) for name in rpc.DAEMONS}
    for prober in probers.values():
        prober.start()
    time.sleep(0.5)
    old_daemon = suite.daemon_pid(daemon) if daemon else None
    pid = gateway.main_pid()
    outage = gateway.inject("block", pid)
    break_it()
    broken = time.monotonic()
    with suite.Starvation() as starvation:
        gateway.watch(outage, pid, limit_s=90)
    figures = {"gatewayRecoverS": outage.back_s, "starved": starvation.seen}
    if daemon:
        figures["daemonBackS"] = seconds_until_back(probers[daemon], old_daemon, broken)
    mend()
    suite.wait_for_daemons()
    for name, prober in probers.items():
        prober.end()
        figures[f"{name}LongestSilenceS"] = round(prober.longest_s, 2)
    incident = suite.incident_since(outage.began_wall_ms, 90)
    figures["class"] = incident["class"]
    figures["outcome"] = incident["outcome"]
    figures["lost"] = lost_since(before)
    return figures


def seconds_until_back(prober, old_pid, broken):
    """From the daemon's fault to the first answer of its successor."""

    def answered_at():
        return next((at for pid, at in prober.pids if pid != old_pid), None)

    gateway.wait_until(f"{prober.daemon_name} is back", answered_at, 60)
    return round(answered_at() - broken, 2)


def run_operator(act):
    """What an operator does to the unit causes no incident and no act of ours."""
    suite.settle()
    known = {one["id"] for one in suite.incidents()}
    pid = gateway.main_pid()
    untouched = True
    if act == "stop and start":
        gateway.systemctl("stop", gateway.UNIT)
        untouched = stays(lambda: gateway.main_pid() == 0)
        gateway.systemctl("start", gateway.UNIT)
    elif act == "restart":
        gateway.systemctl("restart", gateway.UNIT)
    elif act == "upgrade":
        # What a package's maintainer scripts do: stop, replace, reload the manager, start.
        gateway.systemctl("stop", gateway.UNIT)
        time.sleep(3)
        os.utime("/usr/lib/gateway/gateway.js")
        gateway.systemctl("daemon-reload")
        untouched = gateway.main_pid() == 0
        gateway.systemctl("start", gateway.UNIT)
    gateway.wait_until("it serves", gateway.health)
    new = gateway.main_pid()
    untouched = untouched and stays(lambda: gateway.main_pid() == new)
    incidents = [one for one in suite.incidents() if one["id"] not in known]
    return {"untouched": untouched, "newProcess": new != pid, "incidents": len(incidents)}


def stays(condition):
    end = time.monotonic() + QUIET_S
    while time.monotonic() < end:
        if not condition():
            return False
        time.sleep(0.2)
    return True


def outside(case, machine, runs):
    """The reboot, which the test itself would not outlive."""
    count = "import suite; suite.settle(); print(len(suite.incidents()))"
    for _ in range(runs):
        before = int(machine.python(count))
        machine.reboot()
        machine.python(f"import time; time.sleep({QUIET_S})")
        after = int(machine.python(count))
        active = machine.run("systemctl", "is-active", gateway.UNIT).strip()
        yield {"untouched": active == "active", "newProcess": True, "incidents": after - before}


def report(results):
    rows, failures = [], []
    for case, figures in results.items():
        for one in figures:
            rows.append({"case": case, **one})
            failures += [f"{case}: {problem}" for problem in problems(case, one)]
    return {"table": rows}, failures


def problems(case, one):
    if case.startswith("I18"):
        if one["incidents"]:
            yield f"{one['incidents']} incident(s)"
        if not one["untouched"] or not one["newProcess"]:
            yield "it was acted upon"
        return
    if one["gatewayRecoverS"] is None or one["gatewayRecoverS"] > RECOVERED_WITHIN_S:
        yield f"the gateway recovered after {one['gatewayRecoverS']} s"
    if one.get("daemonBackS", 0) > BACK_WITHIN_S:
        yield f"the daemon was back after {one['daemonBackS']} s"
    if " healthd " not in case and one["healthdLongestSilenceS"] > HEALTH_WITHIN_S:
        yield f"healthd was silent for {one['healthdLongestSilenceS']} s"
    if one["lost"]:
        yield f"lost: {', '.join(one['lost'])}"
