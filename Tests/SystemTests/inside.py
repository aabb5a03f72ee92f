"""inside.py LINE CASE RUNS [brief]: runs one case in the machine and prints a JSON line for each run. Scripts/prove
starts it."""

import importlib
import json
import sys
import traceback


def shorten(module):
    """What a line's long waits become where each case is only to be seen once."""
    for name, value in getattr(module, "BRIEF", {}).items():
        setattr(module, name, value)


def main(line, case, runs, *rest):
    module = importlib.import_module(line)
    if rest == ("brief",):
        shorten(module)
    try:
        for figures in module.run(case, int(runs)):
            print(json.dumps(figures), flush=True)
    except Exception as error:  # told to the driver, which goes on with the next case
        traceback.print_exc()
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}), flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
