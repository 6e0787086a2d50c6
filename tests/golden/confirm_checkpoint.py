"""Confirms checkpoint.json with a second implementation, written from docs/STORES.md alone.

Run it to print the bytes, or call check() from another script. Python 3, standard library only.
"""

import hashlib
import json
import pathlib

import confirm_roots

MICROS = 1_767_225_600_000_000


def identity(number):
    first = number * 0x9E3779B97F4A7C15 % 2**64
    return first.to_bytes(8, "big") + bytes([0x11] * 24)


def sealed(body, journal, ids=b""):
    return body + hashlib.sha256(b"isoroot/v1/checkpoint\0" + journal + ids + body).digest()


def built(cbor, journal):
    """Chunk and head of the example."""
    title, done = "note/1/title", "note/1/done"
    entries = [
        [bytes([0xAA] * 32), MICROS + 1, [], [title]],
        [0, MICROS + 2, [1], [0, [done, bytes([0xBB] * 32)]]],
        [bytes([0xCC] * 32), MICROS + 3, [bytes([0xEE] * 32)], [[1, 0]]],
    ]
    ids = [identity(number) for number in (1, 2, 3)]
    chunk = sealed(cbor([1, 1, entries]), journal, b"".join(ids))
    head = sealed(cbor([1, [3], 3, confirm_roots.root(ids)]), journal)
    return {"chunk": chunk.hex(), "head": head.hex()}


def check(cbor, journal):
    golden = json.loads(pathlib.Path(__file__).with_name("checkpoint.json").read_text(encoding="utf-8"))
    rebuilt = built(cbor, journal)
    return [(f"checkpoint: {name}", rebuilt[name] == golden[name]) for name in ("chunk", "head")]


if __name__ == "__main__":
    import confirm

    print(json.dumps(built(confirm.cbor, confirm.labelled("journal", confirm.genesis({"named": "notes"}))), indent=2))
