"""Writes and reads journal files with a second implementation, written from docs/FILES.md alone.

confirm.py calls check(). Run alone with a path, it reads that file and says what is in it:

    python3 tests/golden/confirm_files.py notes.isoroot
"""

import hashlib
import pathlib
import sys

# Nothing is to be left behind in the tree.
sys.dont_write_bytecode = True

import confirm  # noqa: E402
import confirm_roots  # noqa: E402
import ed25519  # noqa: E402

MAGIC = b"\x89isoroot"
VERSION = b"\x01"
GENESIS_BYTES = 1_024
RECORD_BYTES = 1_048_576


def number(value, width):
    return value.to_bytes(width, "big")


def write(journal, genesis, records):
    """The file of a journal: bytes of its id, its genesis (empty where not known), its records."""
    data = MAGIC + VERSION + journal + number(len(genesis), 4) + genesis
    for record in records:
        data += number(len(record), 4) + record
    ids = [confirm.labelled("id", journal, record) for record in records]
    data += number(0, 4) + number(len(records), 8) + confirm_roots.root(ids)
    return data + hashlib.sha256(data).digest()


def read(stream):
    """Journal, genesis, records and root of a file. Raises ValueError if anything is wrong with it."""
    digest = hashlib.sha256()

    def take(count, hashed=True):
        data = stream.read(count)
        if len(data) != count:
            raise ValueError("the file ends too early")
        if hashed:
            digest.update(data)
        return data

    def expect(holds, what):
        if not holds:
            raise ValueError(what)

    expect(take(9) == MAGIC + VERSION, "no journal file of version 1")
    journal = take(32)
    length = int.from_bytes(take(4), "big")
    expect(length <= GENESIS_BYTES, "the genesis is too long")
    genesis = take(length)
    expect(not genesis or confirm.labelled("journal", genesis) == journal, "the genesis is another journal's")
    records, ids = [], []
    while length := int.from_bytes(take(4), "big"):
        expect(length <= RECORD_BYTES, "a record is too long")
        record = take(length)
        # The canonical form of the facts is not looked at here.
        expect(length > 37 + 64, "a record is too short")
        message = confirm.signed_message(journal, record[:-64])
        expect(ed25519.verify(record[5:37], message, record[-64:]), f"entry {len(ids) + 1} is not signed")
        records.append(record)
        ids.append(confirm.labelled("id", journal, record))
    count, root = int.from_bytes(take(8), "big"), take(32)
    expect(len(set(ids)) == len(ids), "an entry stands twice")
    expect(count == len(ids), "the count is wrong")
    expect(root == confirm_roots.root(ids), "the root is wrong")
    expect(take(32, hashed=False) == digest.digest(), "the hash is wrong")
    expect(not stream.read(1), "something follows")
    return journal, genesis, records, root


def check():
    """Each check as a name and whether it holds."""
    genesis = confirm.genesis({"named": "notes"})
    journal = confirm.labelled("journal", genesis)
    cases = [case for case in confirm.load("entries.json") if case["journal"] == journal.hex()]
    records = [confirm.entry(case)[0] for case in cases]
    path = confirm.HERE / "journal.isoroot"
    yield "journal.isoroot written", write(journal, genesis, records) == path.read_bytes()
    with path.open("rb") as stream:
        found = read(stream)
    yield "journal.isoroot read", found[:3] == (journal, genesis, records)


if __name__ == "__main__":
    with pathlib.Path(sys.argv[1]).open("rb") as stream:
        journal, genesis, records, root = read(stream)
    print(f"journal {journal.hex()}, genesis {'known' if genesis else 'not known'}")
    print(f"{len(records)} entries, root {root.hex()}")
