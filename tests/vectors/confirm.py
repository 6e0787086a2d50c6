"""Makes and checks the proofs of proofs.json with a second implementation, written from docs/PROOFS.md.

Run it, or call check() from another script. Python 3, hashlib and json only.
"""

import hashlib
import json
import pathlib


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


EMPTY = sha256(b"isoroot/v1/empty")
# The kinds of a proof's parts, by how many ones they begin with.
FORK, HASH, NOTHING, MEMBER, OTHER = range(5)
MOST_IDS = 10_000
MOST_PARTS = 2 * 256 * MOST_IDS + 1


class Refused(Exception):
    """The reason, as the vectors name it."""


def refuse_if(wrong: bool, reason: str) -> None:
    if wrong:
        raise Refused(reason)


def bit(name: bytes, depth: int) -> int:
    return name[depth // 8] >> (7 - depth % 8) & 1


def leaf(name: bytes) -> bytes:
    return sha256(b"\x00", name)


def halves(ids: list[bytes], depth: int) -> tuple[list[bytes], list[bytes]]:
    return [i for i in ids if not bit(i, depth)], [i for i in ids if bit(i, depth)]


# Checking.


class Parsed:
    """A proof's count and parts, as pairs of kind and what it carries."""

    def __init__(self, data: bytes):
        refuse_if(not data, "truncated")
        refuse_if(data[0] != 1, "version")
        refuse_if(len(data) < 9, "truncated")
        self.count = int.from_bytes(data[1:9], "big")
        self.bits, self.at = data[9:], 0
        kinds: list[int] = []
        least, exact, asked = self.tree(kinds)
        while self.at % 8:
            refuse_if(self.next_bit(), "padding")
        items = self.bits[self.at // 8 :]
        carried = sum(kind in (HASH, OTHER) for kind in kinds)
        refuse_if(len(items) < 32 * carried, "truncated")
        refuse_if(len(items) > 32 * carried, "trailing")
        chunks = iter([items[i : i + 32] for i in range(0, len(items), 32)])
        self.parts = [(kind, next(chunks) if kind in (HASH, OTHER) else b"") for kind in kinds]
        refuse_if((HASH, EMPTY) in self.parts, "empty-spelled-out")
        refuse_if(not asked, "nothing-asked")
        refuse_if(self.count < least or (exact and self.count > least), "count")

    def next_bit(self) -> int:
        refuse_if(self.at // 8 >= len(self.bits), "truncated")
        self.at += 1
        return self.bits[(self.at - 1) // 8] >> (7 - (self.at - 1) % 8) & 1

    def tree(self, kinds: list[int], depth: int = 0) -> tuple[int, bool, bool]:
        """Reads a subtree; its ids at least, whether there are no more, whether any can have been asked for."""
        kind = 0
        while kind < OTHER and self.next_bit():
            kind += 1
        refuse_if(len(kinds) == MOST_PARTS, "too-large")
        kinds.append(kind)
        if kind == HASH:
            return 1, False, False
        if kind == NOTHING:
            return 0, True, True
        if kind in (MEMBER, OTHER):
            return 1, True, True
        refuse_if(depth == 256, "too-deep")
        left, right = self.tree(kinds, depth + 1), self.tree(kinds, depth + 1)
        least, exact = left[0] + right[0], left[1] and right[1]
        refuse_if(exact and least < 2, "not-collapsed")
        refuse_if(not left[2] and not right[2], "nothing-asked")
        return max(least, 2), exact, True


def verify(data: bytes, root: bytes, ids: list[bytes]) -> list[bool]:
    parsed = Parsed(data)
    ascending = all(a < b for a, b in zip(ids, ids[1:]))
    refuse_if(not 1 <= len(ids) <= MOST_IDS or not ascending, "question")
    parts = iter(parsed.parts)
    answers: dict[bytes, bool] = {}

    def subtree(asked: list[bytes], depth: int) -> bytes:
        kind, carried = next(parts)
        if kind == HASH:
            refuse_if(bool(asked), "unanswered")
            return carried
        if kind == NOTHING:
            answers.update(dict.fromkeys(asked, False))
            return EMPTY
        refuse_if(not asked, "unasked")
        if kind == FORK:
            left, right = halves(asked, depth)
            return sha256(b"\x01", subtree(left, depth + 1), subtree(right, depth + 1))
        if kind == MEMBER:
            refuse_if(len(asked) > 1, "ambiguous")
            answers[asked[0]] = True
            return leaf(asked[0])
        refuse_if(asked == [carried], "leaf-spelled-out")
        refuse_if(any(bit(carried, d) != bit(asked[0], d) for d in range(depth)), "misplaced")
        answers.update({name: name == carried for name in asked})
        return leaf(carried)

    top = subtree(ids, 0)
    found = sha256(b"\x02", parsed.count.to_bytes(8, "big"), top)
    refuse_if(found != root, "other-root")
    return [answers[name] for name in ids]


# Making.


def hash_of(ids: list[bytes], depth: int) -> bytes:
    if len(ids) < 2:
        return leaf(ids[0]) if ids else EMPTY
    left, right = halves(ids, depth)
    return sha256(b"\x01", hash_of(left, depth + 1), hash_of(right, depth + 1))


def prove(ids: list[bytes], asked: list[bytes]) -> bytes:
    bits, items = [], []

    def subtree(ids: list[bytes], asked: list[bytes], depth: int) -> None:
        if not ids:
            bits.append("110")
        elif not asked:
            bits.append("10")
            items.append(hash_of(ids, depth))
        elif ids == asked:
            bits.append("1110") if len(ids) == 1 else fork(ids, asked, depth)
        elif len(ids) == 1:
            bits.append("1111")
            items.append(ids[0])
        else:
            fork(ids, asked, depth)

    def fork(ids: list[bytes], asked: list[bytes], depth: int) -> None:
        bits.append("0")
        for ids, asked in zip(halves(ids, depth), halves(asked, depth)):
            subtree(ids, asked, depth + 1)

    subtree(sorted(ids), sorted(asked), 0)
    text = "".join(bits)
    text += "0" * (-len(text) % 8)
    tree = bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8))
    return b"\x01" + len(ids).to_bytes(8, "big") + tree + b"".join(items)


def ids_of(description) -> list[bytes]:
    """Ids as hex, or {"sha256_of_u32_be_up_to": n} for the hashes of 0 to n - 1."""
    if isinstance(description, dict):
        count = description["sha256_of_u32_be_up_to"]
        return [sha256(i.to_bytes(4, "big")) for i in range(count)]
    return [bytes.fromhex(text) for text in description]


def verdict(case) -> dict:
    root, data = bytes.fromhex(case["root"]), bytes.fromhex(case["proof"])
    ids = [bytes.fromhex(text) for text in case["ids"]]
    try:
        answers = verify(data, root, ids)
        if "claim" in case:
            refuse_if(answers == [False] and case["claim"] == "in", "absent")
            refuse_if(answers == [True] and case["claim"] == "not in", "present")
        return {"answers": answers}
    except Refused as refused:
        return {"reason": str(refused)}


def check():
    """Name of each proof in proofs.json, and whether it is what it is said to be."""
    path = pathlib.Path(__file__).with_name("proofs.json")
    for case in json.loads(path.read_text(encoding="utf-8")):
        right = verdict(case) == {key: case[key] for key in ("answers", "reason") if key in case}
        if "set" in case:
            ids = ids_of(case["set"])
            root = sha256(b"\x02", len(ids).to_bytes(8, "big"), hash_of(ids, 0))
            asked = [bytes.fromhex(text) for text in case["ids"]]
            right = right and (root.hex(), prove(ids, asked).hex()) == (case["root"], case["proof"])
        yield f"proof, {case['name']}", right


if __name__ == "__main__":
    results = list(check())
    for name, right in results:
        if not right:
            print(f"FAILED: {name}")
    failed = sum(not right for _, right in results)
    print(f"{len(results) - failed} passed, {failed} failed")
    raise SystemExit(not results or failed > 0)
