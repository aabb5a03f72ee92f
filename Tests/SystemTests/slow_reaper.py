"""slow_reaper.py SECONDS PIDFILE CMD…: runs CMD as its child and, when that ends, leaves it a zombie for SECONDS.

What a busy or careless parent does, made to measure. For a unit with Type=forking."""

import os
import signal
import sys
import time

seconds, pid_file, command = float(sys.argv[1]), sys.argv[2], sys.argv[3:]
if os.fork():
    while not os.path.exists(pid_file):  # systemd reads it once this process has ended
        time.sleep(0.005)
    os._exit(0)

child = os.fork()
if child == 0:
    os.execv(command[0], command)
with open(pid_file + ".new", "w") as file:
    file.write(f"{child}\n")
os.rename(pid_file + ".new", pid_file)
signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
time.sleep(seconds)
os.waitpid(child, 0)
