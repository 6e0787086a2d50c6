"""Coded symbols by a second implementation, written from their definition alone: mapping, cells, sketch.

confirm.py calls check(). Run alone with `write` it makes symbols.json anew.
"""

import hashlib
import json
import math
import pathlib
import sys

# Nothing is to be left behind in the tree.
sys.dont_write_bytecode = True

FILE = pathlib.Path(__file__).with_name("symbols.json")
MASK = (1 << 64) - 1


def mix(z):
    """SplitMix64's finaliser."""
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & MASK
    return z ^ (z >> 31)


def check_of(x):
    return mix(x ^ 0x9AE16A3B2F90404F) >> 40


def cells_of(x, below):
    """The cells below a number that a short id is in."""
    state, cell, cells = mix(x), 0, []
    while cell < below:
        cells.append(cell)
        state = (state + 0x9E3779B97F4A7C15) & MASK
        u = ((mix(state) >> 11) + 1) / 2.0**53
        cell += max(1, math.ceil((cell + 1.5) * (1.0 / math.sqrt(u) - 1.0)))
    return cells


def short(entry):
    return int.from_bytes(entry[:8], "big")


def row(entries, count):
    sums, checks = [0] * count, [0] * count
    for x in map(short, entries):
        for cell in cells_of(x, count):
            sums[cell] ^= x
            checks[cell] ^= check_of(x)
    return b"".join(s.to_bytes(8, "big") + c.to_bytes(3, "big") for s, c in zip(sums, checks))


def sketch(entries):
    counters = [0] * 32
    for entry in entries:
        bits = int.from_bytes(entry[8:12], "big")
        for j in range(32):
            counters[j] += 1 if bits >> j & 1 else -1
    return b"".join((counter & 0xFFFF).to_bytes(2, "big") for counter in counters)


def ids(numbers):
    return [hashlib.sha256(number.to_bytes(4, "big")).digest() for number in numbers]


def build():
    numbers = [0, 1, 2, 0x0102030405060708, 1 << 63, MASK] + [short(entry) for entry in ids(range(20))]
    mapping = [
        {"name": f"{x:016x}", "short": f"{x:016x}", "check": f"{check_of(x):06x}", "cells": cells_of(x, 16_384)}
        for x in numbers
    ]
    sets = [("nothing", 0, 0), ("one id", 0, 1), ("a hundred ids", 0, 100), ("a thousand others", 1000, 2000)]
    rows = [
        {
            "name": name,
            "ids": "SHA-256 of each number from `from` to before `to`, 32 bits big-endian",
            "from": start,
            "to": end,
            "row": row(ids(range(start, end)), 256).hex(),
            "sketch": sketch(ids(range(start, end))).hex(),
        }
        for name, start, end in sets
    ]
    return {"mapping": mapping, "sets": rows}


def check():
    """Yields the name of each value, and whether the file has it."""
    golden, built = json.loads(FILE.read_text()), build()
    for kind in ("mapping", "sets"):
        yield f"symbols.json: number of {kind}", len(golden[kind]) == len(built[kind])
        for theirs, ours in zip(golden[kind], built[kind]):
            yield f"symbols.json: {theirs['name']}", theirs == ours


if __name__ == "__main__" and sys.argv[1:] == ["write"]:
    text = json.dumps(build(), indent=1)
    FILE.write_text(text + "\n")
