"""naive_writer.py WAY FILE: replaces a file by what stands on its input, in one of the ways that power_cuts.py knows, and says
when it is done. All but one lose or tear the file in a power cut."""

import os
import sys


def main(way, path):
    content = sys.stdin.buffer.read()
    folder, beside = os.path.dirname(path), path + ".new"
    file = os.open(path if way == "naive" else beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    os.write(file, content)
    if way in ("folder", "whole"):
        os.fsync(file)
    os.close(file)
    if way != "naive":
        os.rename(beside, path)
    if way == "whole":
        names = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        os.fsync(names)
    os.write(1, b"done\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
