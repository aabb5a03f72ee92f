"""inside.py LINE CASE RUNS: runs one case in the machine and prints a JSON line for each run. Scripts/prove starts it."""

import importlib
import json
import sys
import traceback

line, case, runs = sys.argv[1], sys.argv[2], int(sys.argv[3])
module = importlib.import_module(line)
try:
    for figures in module.run(case, runs):
        print(json.dumps(figures), flush=True)
except Exception as error:  # told to the driver, which goes on with the next case
    traceback.print_exc()
    print(json.dumps({"error": f"{type(error).__name__}: {error}"}), flush=True)
    sys.exit(1)
