"""Where a case runs, as a test sees it from the host: a throwaway machine (Scripts/machine, started once for many commands),
or the host itself."""

import pathlib
import subprocess

PROJECT = pathlib.Path(__file__).resolve().parents[2]
SCRIPT = str(PROJECT / "Scripts/machine")


class Machine:
    """`with Machine(name, build) as machine:` boots it and powers it off."""

    def __init__(self, name, build, *options):
        self.name = name
        self.build = build
        self.options = ["--build", build, *options]

    def __enter__(self):
        subprocess.run([SCRIPT, *self.options, "--start", self.name], check=True)
        return self

    def __exit__(self, *_):
        subprocess.run([SCRIPT, "--stop", self.name], check=False)

    def command(self, *words):
        return [SCRIPT, "--in", self.name, "--", *words]

    def run(self, *words, check=True):
        """Runs a command in it as root and returns what it printed."""
        done = subprocess.run(self.command(*words), capture_output=True, text=True)
        if check and done.returncode != 0:
            raise RuntimeError(f"{' '.join(words)}: {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def python(self, code):
        """Runs lines of Python in it, with this folder's modules at hand."""
        folder = str(pathlib.Path(__file__).parent)
        return self.run("python3", "-c", f"import sys; sys.path.insert(0, {folder!r})\n{code}")

    def reboot(self):
        subprocess.run([SCRIPT, "--reboot", self.name], check=True)

    def evidence(self):
        """What the suite said last, for the person who has to find out."""
        return self.run("journalctl", "-q", "--no-pager", "-n", "40", "-u", "mainstay-*", "-u", "gateway", check=False)


class Host:
    """This host, for a line of `prove` that needs no machine: all its cases are in `OUTSIDE`."""

    def __init__(self, name, build):
        self.name = name
        self.build = build

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def evidence(self):
        return ""
