"""Confirms the roots of roots.json with a second implementation, written from the description alone.

Run it, or call check() from another script. Python 3, standard library only.
"""

import hashlib
import json
import pathlib


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


EMPTY = sha256(b"isoroot/v1/empty")


def bit(name: bytes, depth: int) -> int:
    return name[depth // 8] >> (7 - depth % 8) & 1


def subtree(ids: list[bytes], depth: int) -> bytes:
    """Hash of the subtree at a depth: nothing, one leaf, or a node with two halves."""
    if not ids:
        return EMPTY
    if len(ids) == 1:
        return sha256(b"\x00", ids[0])
    halves = [[name for name in ids if bit(name, depth) == side] for side in (0, 1)]
    return sha256(b"\x01", subtree(halves[0], depth + 1), subtree(halves[1], depth + 1))


def root(ids: list[bytes]) -> bytes:
    ids = list(set(ids))
    return sha256(b"\x02", len(ids).to_bytes(8, "big"), subtree(ids, 0))


def ids_of(description: list[str] | dict[str, int]) -> list[bytes]:
    """Ids as hex, or {"sha256_of_u32_be_up_to": n} for the hashes of 0 to n - 1."""
    if isinstance(description, dict):
        count = description["sha256_of_u32_be_up_to"]
        return [sha256(i.to_bytes(4, "big")) for i in range(count)]
    return [bytes.fromhex(text) for text in description]


def check() -> list[tuple[str, bool]]:
    """Name of each root in roots.json, and whether it is right."""
    path = pathlib.Path(__file__).with_name("roots.json")
    golden = json.loads(path.read_text(encoding="utf-8"))["roots"]
    return [(case["name"], root(ids_of(case["ids"])).hex() == case["root"]) for case in golden]


if __name__ == "__main__":
    results = check()
    for name, right in results:
        print("ok   " if right else "WRONG", name)
    raise SystemExit(not (results and all(right for _, right in results)))
