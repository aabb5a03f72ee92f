#!/usr/bin/env python3
"""read_json.py FILE: what Python's own reader makes of JSON texts, one in hexadecimal a line of FILE.

For each a line: `!` where it refuses the text, else the innermost values as `POINTER=VALUE` in hexadecimal, where VALUE is
`s` and the text for a string, `n` and the spelling for a number, or the word itself. Of a repeated key the last counts.
"""
import json
import sys


class Number(str):
    """A number as it is spelled."""


def leaves(value, pointer):
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, pointer + "/" + key.replace("~", "~0").replace("/", "~1"))
    elif isinstance(value, list) and value:
        for index, inner in enumerate(value):
            yield from leaves(inner, f"{pointer}/{index}")
    elif isinstance(value, Number):
        yield pointer, "n" + value
    elif isinstance(value, str):
        yield pointer, "s" + value
    else:
        yield pointer, {True: "true", False: "false", None: "null"}.get(value) if not isinstance(
            value, (dict, list)) else ("{}" if isinstance(value, dict) else "[]")


def refuse(word):
    raise ValueError(word)


def hexadecimal(text):
    return text.encode("utf-8", "surrogatepass").hex()


for line in open(sys.argv[1]):
    try:
        text = bytes.fromhex(line.strip()).decode()
        # NaN and Infinity are Python's own and no JSON.
        value = json.loads(text, parse_int=Number, parse_float=Number, parse_constant=refuse)
        print(" ".join(f"{hexadecimal(key)}={hexadecimal(value)}" for key, value in leaves(value, "")))
    except (ValueError, RecursionError):
        print("!")
