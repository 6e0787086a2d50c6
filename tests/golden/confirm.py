"""Rebuilds every golden byte string from its inputs, with nothing of Isoroot and nothing but Python.

A second implementation of docs/FORMAT.md: own CBOR, own Ed25519 (ed25519.py), own roots
(confirm_roots.py), own files of journals (confirm_files.py), own coded symbols (confirm_symbols.py), own
filters (confirm_bloom.py), own checkpoints (confirm_checkpoint.py), own proofs (../vectors/confirm.py).
Prints each failure, then one line `N passed, N failed`; exit code 1 if any failed.
"""

import hashlib
import importlib.util
import json
import pathlib
import struct
import sys

# Nothing is to be left behind in the tree.
sys.dont_write_bytecode = True

import confirm_bloom  # noqa: E402
import ed25519  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
SAFE = 2**53 - 1


def head(major, argument):
    """The shortest head of a CBOR item."""
    if argument < 24:
        return bytes([major << 5 | argument])
    for code, width in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if argument < 1 << 8 * width:
            return bytes([major << 5 | code]) + argument.to_bytes(width, "big")
    raise ValueError(argument)


def number(value):
    if isinstance(value, float) and value.is_integer() and abs(value) <= SAFE:
        value = int(value)
    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if value != value:
        return bytes.fromhex("f97e00")
    for code, form in ((0xF9, ">e"), (0xFA, ">f"), (0xFB, ">d")):
        try:
            data = struct.pack(form, value)
        except OverflowError:
            continue
        if struct.unpack(form, data)[0] == value:
            return bytes([code]) + data
    raise ValueError(value)


def cbor(value):
    """Canonical bytes of None, bools, numbers, str, bytes, lists and dicts with text keys."""
    if value is None:
        return b"\xf6"
    if isinstance(value, bool):
        return b"\xf5" if value else b"\xf4"
    if isinstance(value, (int, float)):
        return number(value)
    if isinstance(value, str):
        data = value.encode()
        return head(3, len(data)) + data
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(map(cbor, value))
    pairs = sorted((cbor(key), cbor(item)) for key, item in value.items())
    return head(5, len(pairs)) + b"".join(key + item for key, item in pairs)


def plain(value):
    """A value as the golden files write it: what JSON cannot say is an object of one member."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "integer":
        return int(content)
    if kind == "float":
        return float(content)
    if kind == "bytes":
        return bytes.fromhex(content)
    if kind == "map":
        return {key: plain(item) for key, item in content}
    if kind == "repeat":
        item, count = content
        return plain(item) * count if isinstance(item, str) else [plain(item)] * count
    raise ValueError(kind)


def optional(text):
    return None if text is None else bytes.fromhex(text)


def labelled(label, *parts):
    return hashlib.sha256(b"isoroot/v1/" + label.encode() + b"\0" + b"".join(parts)).digest()


def fact(author, case):
    authority = optional(case.get("authority"))
    if authority == author:
        authority = None
    return [1, case["predicate"], plain(case["value"]), authority, case.get("timestamp")]


def genesis(case):
    named = case.get("named")
    nonce = optional(case.get("nonce")) if named is None else labelled("named", named.encode())
    return cbor([1, 0, None, None, nonce])


def link(journal, hub):
    if hub is None:
        return "isoroot:" + journal.hex()
    free = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~"
    return f"isoroot:{journal.hex()}?hub=" + "".join(chr(b) if b in free else f"%{b:02X}" for b in hub.encode())


def entry(case):
    """Record and id of an entry."""
    seed, journal = optional(case["seed"]), optional(case["journal"])
    device = ed25519.public_key(seed)
    facts = [fact(device, one) for one in case["facts"]]
    epoch = [0, journal[:8]]
    body = cbor([1, 0, device, epoch, [optional(one) for one in case["after"]], [case["timestamp"], facts]])
    message = signed_message(journal, body)
    record = body + ed25519.sign(seed, message)
    assert ed25519.verify(device, message, record[-64:])
    return record, labelled("id", journal, record)


def signed_message(journal, body):
    # An open journal has one epoch, whose id is that of the journal.
    return b"isoroot/v1/entry\0" + journal + journal + body


def verdict(case):
    """Whether the signature of a plain record is one, by ZIP-215."""
    record = optional(case["record"])
    body, signature, device = record[:-64], record[-64:], record[5:37]
    return ed25519.verify(device, signed_message(optional(case["journal"]), body), signature)


def load(name):
    return json.loads((HERE / name).read_text())


def checks():
    """Each check as a name and whether it holds."""
    for case in load("values.json"):
        yield f"value {case['name']}", cbor(plain(case["value"])).hex() == case["hex"]
    for case in load("facts.json"):
        author = optional(case["author"])
        yield f"fact {case['name']}", cbor(fact(author, case)).hex() == case["hex"]
    for case in load("genesis.json"):
        data = genesis(case)
        journal = labelled("journal", data)
        yield f"genesis {case['name']}", data.hex() == case["hex"]
        yield f"journal of {case['name']}", journal.hex() == case["journal"]
        yield f"link of {case['name']}", link(journal, case["hub"]) == case["link"]
    for case in load("entries.json"):
        record, id = entry(case)
        yield f"record of {case['name']}", record.hex() == case["record"]
        yield f"id of {case['name']}", id.hex() == case["id"]
    for case in load("zip215.json"):
        yield f"signature: {case['name']}", verdict(case) == case["valid"]
    for case in load("peers.json"):
        peers = [[address, optional(device)] for address, device in case["peers"]]
        yield f"peers: {case['name']}", cbor([1, peers]).hex() == case["hex"]
    yield from confirm_bloom.check(load("bloom.json"), cbor, plain, labelled)
    try:
        import confirm_checkpoint
        import confirm_roots
    except ModuleNotFoundError:
        return
    yield from confirm_roots.check()
    import confirm_files

    yield from confirm_files.check()
    import confirm_symbols

    yield from confirm_symbols.check()
    yield from proofs().check()
    yield from confirm_checkpoint.check(cbor, labelled("journal", genesis({"named": "notes"})))


def proofs():
    """The second implementation of proofs, which lies with its vectors."""
    spec = importlib.util.spec_from_file_location("proofs", HERE.parent / "vectors" / "confirm.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main():
    passed = failed = 0
    for name, holds in checks():
        if holds:
            passed += 1
        else:
            failed += 1
            print(f"FAILED: {name}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
