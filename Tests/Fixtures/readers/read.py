"""Reads cases (one a line, hexadecimal) and prints what a real reader makes of each: `key=value` pairs in hexadecimal, or
`!` where it refuses the file. Ends with 127, as env does, where the reader is not installed.
Usage: read.py python-dotenv|systemd|bash|dash CASES"""
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


readers = {
    "python-dotenv": python_dotenv, "systemd": systemd, "bash": shell("/bin/bash"), "dash": shell("/bin/dash"),
}


def is_installed(reader):
    if reader == "python-dotenv":
        return importlib.util.find_spec("dotenv") is not None
    if reader == "systemd":
        return bool(glob.glob("/usr/lib/*/systemd/libsystemd-shared-*.so"))
    return os.path.exists(f"/bin/{reader}")


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
