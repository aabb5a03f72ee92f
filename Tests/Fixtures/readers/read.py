"""Reads cases (one a line, hexadecimal) and prints what a real reader makes of each: `key=value` pairs in hexadecimal, or
`!` where it refuses the file. Ends with 127, as env does, where the reader is not installed.
Usage: read.py python-dotenv|systemd|bash|dash CASES, or node-env-file-itself|systemd-itself CASES: what a process has in its
environment that `node --env-file`, or systemd as a transient unit, was started with"""
import ctypes
import ctypes.util
import glob
import importlib.util
import os
import subprocess
import sys
import tempfile


def python_dotenv(path):
    import logging
    import dotenv
    logging.disable()
    return {k.encode(): v.encode() for k, v in dotenv.dotenv_values(path).items() if v is not None}


def systemd(path):
    # The function that `EnvironmentFile=` is read with, from systemd's own library.
    shared = ctypes.CDLL(sorted(glob.glob("/usr/lib/*/systemd/libsystemd-shared-*.so"))[-1])
    shared.load_env_file.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.POINTER(ctypes.POINTER(ctypes.c_char_p))]
    shared.env_assignment_is_valid.argtypes = [ctypes.c_char_p]
    shared.env_assignment_is_valid.restype = ctypes.c_bool
    pairs = ctypes.POINTER(ctypes.c_char_p)()
    if shared.load_env_file(None, path.encode(), ctypes.byref(pairs)) < 0:
        return None
    values, at = {}, 0
    while pairs and pairs[at] is not None:
        if shared.env_assignment_is_valid(pairs[at]):
            key, value = pairs[at].split(b"=", 1)
            values[key] = value
        at += 1
    return values


def shell(program):
    def read(path):
        # No program can be found and the folder is empty: a file that the model wrongly thought harmless does no harm.
        run = subprocess.run(
            [program, "-c", 'set -a; . "$1" || exit 1; exec /usr/bin/env -0', program, path], capture_output=True,
            env={"PATH": "/nonexistent"}, cwd=os.path.dirname(path), timeout=10, stdin=subprocess.DEVNULL)
        if run.returncode != 0:
            return None
        pairs = [entry.split(b"=", 1) for entry in run.stdout.split(b"\0") if b"=" in entry]
        return {k: v for k, v in pairs if k not in (b"PATH", b"PWD", b"SHLVL", b"_", b"OLDPWD")}
    return read


def node_itself(path):
    # Through its own setenv: process.env is asked, and not what `--env-file` says it has read.
    code = "for (const [k, v] of Object.entries(process.env)) process.stdout.write(`${k}=${v}\\0`)"
    run = subprocess.run(["/usr/bin/node", f"--env-file={path}", "-e", code], capture_output=True, env={}, timeout=20)
    return None if run.returncode != 0 else pairs_of(run.stdout)


def systemd_itself(path):
    run = subprocess.run(
        ["systemd-run", "--quiet", "--wait", "--pipe", "--collect", f"--property=EnvironmentFile={path}", "/usr/bin/env", "-0"],
        capture_output=True, timeout=20)
    if run.returncode != 0:
        return None
    # What a unit has without a file.
    own = ("PATH", "LANG", "INVOCATION_ID", "SYSTEMD_EXEC_PID", "JOURNAL_STREAM", "HOME", "USER", "LOGNAME", "SHELL")
    return {key: value for key, value in pairs_of(run.stdout).items() if key.decode() not in own}


def pairs_of(text):
    return dict(entry.split(b"=", 1) for entry in text.split(b"\0") if b"=" in entry)


readers = {
    "python-dotenv": python_dotenv, "systemd": systemd, "bash": shell("/bin/bash"), "dash": shell("/bin/dash"),
    "node-env-file-itself": node_itself, "systemd-itself": systemd_itself,
}


def is_installed(reader):
    if reader == "python-dotenv":
        return importlib.util.find_spec("dotenv") is not None
    if reader == "systemd":
        return bool(glob.glob("/usr/lib/*/systemd/libsystemd-shared-*.so"))
    program = {"node-env-file-itself": "/usr/bin/node", "systemd-itself": "/usr/bin/systemd-run"}
    return os.path.exists(program.get(reader, f"/bin/{reader}"))


def main():
    if not is_installed(sys.argv[1]):
        sys.exit(127)
    read = readers[sys.argv[1]]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "env")
        for line in open(sys.argv[2]):
            with open(path, "wb") as file:
                file.write(bytes.fromhex(line.strip()))
            values = read(path)
            print("!" if values is None else " ".join(f"{k.hex()}={v.hex()}" for k, v in values.items()))


main()
