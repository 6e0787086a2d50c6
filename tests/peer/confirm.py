"""Holds the peer to the golden files: every message of messages.json, every row of symbols.json. For peer.py.

Each message is read and written again to the same bytes, its bundle included; cut off, extended, or with a longer head
it is none. Prints each failure, then `N passed, N failed`.
"""

from __future__ import annotations

import hashlib
import json
import pathlib
from collections.abc import Iterator

from entries import Breach, encode, labelled, read_record
from symbols import cells_of, check_of, pack_cells, row_of, sketch_of
from wire import pack_bundle, read_message, unpack_bundle, write_message

NOTES = labelled("journal", encode([1, 0, None, None, labelled("named", b"notes")]))


def is_message(frame: bytes) -> bool:
    try:
        kind, items = read_message(frame)
        if kind == "Entries":
            unpack_bundle(NOTES, items[1:])
    except Breach:
        return False
    return True


def checks(folder: pathlib.Path) -> Iterator[tuple[str, bool]]:
    """Each check as a name and whether it holds."""
    for name, text in json.loads((folder / "messages.json").read_text()).items():
        frame = bytes.fromhex(text)
        kind, items = read_message(frame)
        if name == "entries":
            entries = unpack_bundle(NOTES, items[1:])
            # The last one stands for another form, and is no entry.
            for number, record in entries[:-1]:
                yield f"entry {number} is signed", bool(read_record(record, NOTES))
            items[1:] = pack_bundle(NOTES, entries)
        yield f"{name} written", write_message(kind, *items) == frame
        yield f"{name} cut off", not is_message(frame[:-1])
        yield f"{name} extended", not is_message(frame + b"\0")
        if frame[1] < 24:
            yield f"{name} with a longer head", not is_message(frame[:1] + bytes([24]) + frame[1:])
    golden = json.loads((folder / "symbols.json").read_text())
    for case in golden["mapping"]:
        x = int(case["short"], 16)
        yield f"cells of {case['name']}", cells_of(x, 16_384) == case["cells"] and f"{check_of(x):06x}" == case["check"]
    for case in golden["sets"]:
        ids = [hashlib.sha256(n.to_bytes(4, "big")).digest() for n in range(case["from"], case["to"])]
        yield f"row of {case['name']}", pack_cells(row_of(ids, 256)).hex() == case["row"]
        yield f"sketch of {case['name']}", sketch_of(ids).hex() == case["sketch"]


def main(folder: pathlib.Path) -> int:
    results = list(checks(folder))
    failed = [name for name, holds in results if not holds]
    for name in failed:
        print(f"FAILED: {name}")
    print(f"{len(results) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed or not results else 0
