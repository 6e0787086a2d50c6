"""CBOR, ids, roots, entries and journals, from docs/FORMAT.md alone. For peer.py."""

from __future__ import annotations

import bisect
import hashlib
import os
import pathlib
import struct
import time
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SAFE = 2**53 - 1
RECORD_BYTES = 1_048_576
PLAIN = 0


class Breach(Exception):
    """What the other side did is no part of the protocol: a code, and words."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(f"{code}: {words}")
        self.code, self.words = code, words


def insist(holds: bool, words: str, code: str = "PROTOCOL") -> None:
    if not holds:
        raise Breach(code, words)


class Pairs(tuple):
    """The pairs of a map, in the order in which they stand in the bytes."""


def head(major: int, argument: int) -> bytes:
    """The shortest head of a CBOR item."""
    if argument < 24:
        return bytes([major << 5 | argument])
    code = next(code for code in (24, 25, 26, 27) if argument < 1 << (8 << code - 24))
    return bytes([major << 5 | code]) + argument.to_bytes(1 << code - 24, "big")


def encode(value: Any) -> bytes:
    match value:
        case None:
            return b"\xf6"
        case bool():
            return b"\xf5" if value else b"\xf4"
        case int():
            return head(0, value) if value >= 0 else head(1, -1 - value)
        case float():
            return encode_float(value)
        case bytes():
            return head(2, len(value)) + value
        case str():
            return head(3, len(value.encode())) + value.encode()
        case Pairs():
            return head(5, len(value)) + b"".join(encode(key) + encode(item) for key, item in value)
    return head(4, len(value)) + b"".join(map(encode, value))


def encode_float(value: float) -> bytes:
    if value.is_integer() and abs(value) <= SAFE:
        return encode(int(value))
    for code, form in ((0xF9, ">e"), (0xFA, ">f"), (0xFB, ">d")):
        try:
            data = struct.pack(form, value)
        except OverflowError:
            continue
        if struct.unpack(form, data)[0] == value:
            return bytes([code]) + data
    return b"\xf9\x7e\x00"  # not a number


def decode(data: bytes, at: int = 0, depth: int = 0) -> tuple[Any, int]:
    """The item that begins at a place, and where it ends. Raises ValueError for anything but the one form."""
    if at >= len(data) or depth > 20:
        raise ValueError("cut off, or too deep")
    major, code = data[at] >> 5, data[at] & 31
    end = at + 1 + (1 << code - 24 if 24 <= code <= 27 else 0)
    argument = int.from_bytes(data[at + 1 : end], "big") if code >= 24 else code
    if major == 7:
        if code in (20, 21, 22):
            return (False, True, None)[code - 20], end
        if code not in (25, 26, 27) or end > len(data):
            raise ValueError("a simple value that is not allowed")
        value = struct.unpack({25: ">e", 26: ">f", 27: ">d"}[code], data[at + 1 : end])[0]
        if encode(value) != data[at:end]:
            raise ValueError("a number in another form")
        return value, end
    if major == 6 or code > 27 or head(major, argument) != data[at:end]:
        raise ValueError("no head, or a longer one than is needed")
    if major < 2:
        if argument >= 1 << 63:
            raise ValueError("an integer of more than 64 bits")
        return (argument if major == 0 else -1 - argument), end
    if major < 4:
        content = data[end : end + argument]
        if len(content) != argument:
            raise ValueError("cut off")
        return (content if major == 2 else content.decode()), end + argument
    items = []
    for _ in range(argument * (major - 3)):
        item, end = decode(data, end, depth + 1)
        items.append(item)
    return (items if major == 4 else Pairs(zip(items[::2], items[1::2]))), end


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def labelled(label: str, *parts: bytes) -> bytes:
    """H of docs/FORMAT.md."""
    return sha256(b"isoroot/v1/", label.encode(), b"\0", *parts)


def is_signed(device: bytes, message: bytes, signature: bytes) -> bool:
    # The protocol demands ZIP-215. This check is stricter, which honest peers do not notice.
    try:
        Ed25519PublicKey.from_public_bytes(device).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def below(ids: list[bytes], bits: int, path: bytes) -> list[bytes]:
    """Those of sorted ids that begin with a prefix."""
    first = int.from_bytes(path.ljust(32, b"\0"), "big")
    last = first + (1 << 256 - bits) - 1
    low, high = first.to_bytes(32, "big"), last.to_bytes(32, "big")
    return ids[bisect.bisect_left(ids, low) : bisect.bisect_right(ids, high)]


def subtree(ids: list[bytes], depth: int) -> bytes:
    """Hash of the subtree of sorted ids that share so many bits."""
    if not ids:
        return sha256(b"isoroot/v1/empty")
    if len(ids) == 1:
        return sha256(b"\0", ids[0])
    middle = bisect.bisect_left(ids, 1, key=lambda id: id[depth // 8] >> 7 - depth % 8 & 1)
    return sha256(b"\1", subtree(ids[:middle], depth + 1), subtree(ids[middle:], depth + 1))


def root_of(ids: list[bytes]) -> bytes:
    return sha256(b"\2", len(ids).to_bytes(8, "big"), subtree(ids, 0))


def is_bytes(item: Any, size: int = 32) -> bool:
    return type(item) is bytes and len(item) == size


def is_number(item: Any, most: int = SAFE) -> bool:
    return type(item) is int and 0 <= item <= most


def ascends(items: list[bytes]) -> bool:
    return all(one < next for one, next in zip(items, items[1:]))


def is_value(value: Any, depth: int = 0) -> bool:
    if isinstance(value, Pairs):
        keys = [encode(key) for key, _ in value if type(key) is str]
        if len(keys) != len(value) or not ascends(keys):
            return False
        value = [item for _, item in value]
    return type(value) is not list or depth < 16 and all(is_value(item, depth + 1) for item in value)


def is_fact(fact: Any, device: bytes) -> bool:
    if type(fact) is not list or len(fact) != 5 or not is_number(fact[0], 1) or fact[0] != 1:
        return False
    _, predicate, value, authority, stamp = fact
    return (
        (type(predicate) is str and 1 <= len(predicate.encode()) <= 256)
        and (is_value(value) and len(encode(value)) <= 65_536)
        and (authority is None or is_bytes(authority) and authority != device)
        and (stamp is None or type(stamp) is int and abs(stamp) <= SAFE)
    )


def is_payload(kind: int, payload: list[Any], device: bytes) -> bool:
    first, second = payload
    if kind != PLAIN:
        return (type(first) is bytes if kind == 1 else is_number(first, 2**63)) and type(second) is bytes
    is_array = is_number(first) and type(second) is list and 1 <= len(second) <= 1_000
    return is_array and all(is_fact(fact, device) for fact in second)


def read_record(record: bytes, journal: bytes) -> list[Any]:
    """The body of an entry of the journal, whatever its kind. Raises Breach for anything else."""
    try:
        body, end = decode(record[:-64])
    except (ValueError, RecursionError) as error:
        raise Breach("BAD_ENTRY", str(error)) from error
    whole = end == len(record) - 64 and len(record) <= RECORD_BYTES
    insist(whole and type(body) is list and len(body) == 6, "not one body and a signature", "BAD_ENTRY")
    version, kind, device, epoch, after, payload = body
    insist(is_number(version, 1) and version == 1 and is_number(kind, 2) and is_bytes(device), "no entry", "BAD_ENTRY")
    insist(encode(epoch) == encode([0, journal[:8]]), "of another journal", "BAD_ENTRY")
    is_after = type(after) is list and len(after) <= 8 and all(map(is_bytes, after)) and ascends(after)
    insist(is_after, "other predecessors", "BAD_ENTRY")
    insist(type(payload) is list and len(payload) == 2 and is_payload(kind, payload, device), "no payload", "BAD_ENTRY")
    insist(is_signed(device, signed_message(journal, record[:-64]), record[-64:]), "not signed", "BAD_ENTRY")
    return body


def signed_message(journal: bytes, body: bytes) -> bytes:
    # An open journal has one epoch, whose id is that of the journal.
    return b"isoroot/v1/entry\0" + journal + journal + body


class Journal:
    """The entries of one journal, in the order in which they came: in a file first, then in memory."""

    def __init__(self, id: bytes, seed: bytes, path: pathlib.Path) -> None:
        self.id, self.key = id, Ed25519PrivateKey.from_private_bytes(seed)
        self.device = self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.store = labelled("peer-store", seed, id)[:16]
        self.records: list[bytes] = []
        self.numbers: dict[bytes, int] = {}
        self.latest: list[bytes] = []
        self.clock = 0
        self.file = path.open("a+b")
        self.file.seek(0)
        while length := int.from_bytes(self.file.read(4), "big"):
            self.hold(self.file.read(length))

    def id_of(self, record: bytes) -> bytes:
        return labelled("id", self.id, record)

    def hold(self, record: bytes) -> None:
        _, _, device, _, _, (stamp, _) = read_record(record, self.id)
        self.records.append(record)
        self.numbers[self.id_of(record)] = len(self.records)
        self.clock = max(self.clock, stamp)
        if device == self.device:
            self.latest = [self.id_of(record)]

    def keep(self, records: list[bytes]) -> None:
        """Takes in new records. They are durable when it returns."""
        for record in records:
            self.file.write(len(record).to_bytes(4, "big") + record)
            self.hold(record)
        self.file.flush()
        os.fsync(self.file.fileno())

    def sign(self, kind: int, payload: list[Any]) -> bytes:
        """A record of this device, behind its latest."""
        body = encode([1, kind, self.device, [0, self.id[:8]], self.latest, payload])
        return body + self.key.sign(signed_message(self.id, body))

    def append(self, value: Any) -> None:
        """Writes an entry of one fact."""
        stamp = max(time.time_ns() // 1_000, self.clock + 1)
        self.keep([self.sign(PLAIN, [stamp, [[1, f"peer/{len(self.records) + 1}", value, None, None]]])])
