"""Messages and bundles of entries, from docs/PROTOCOL.md alone. For peer.py."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from entries import PLAIN, Breach, Pairs, ascends, decode, encode, insist, is_bytes, is_number, labelled

FRAME_BYTES, ENTRIES_PER_FRAME = 65_536, 4_096
PREFIXES_PER_ASK, IDS_PER_NODE, IDS_PER_FRAME = 96, 16, 1_900
CELL_BYTES, CELLS_PER_FRAME, CELLS_PER_ROW, SHORT_IDS_PER_FRAME = 11, 5_400, 16_384, 7_500
Check = Callable[[Any], bool]


def octets(size: int, most: int | None = None) -> Check:
    """Bytes: so many, or a multiple of that."""
    if most is None:
        return lambda item: is_bytes(item, size)
    return lambda item: type(item) is bytes and len(item) % size == 0 and len(item) <= size * most


def text(most: int) -> Check:
    return lambda item: type(item) is str and len(item.encode()) <= most


def optional(check: Check) -> Check:
    return lambda item: item is None or check(item)


def array(most: int, check: Check) -> Check:
    return lambda item: type(item) is list and len(item) <= most and all(map(check, item))


def is_flag(item: Any) -> bool:
    return type(item) is bool


def is_channel(item: Any) -> bool:
    return is_number(item, 2**32 - 1)


def is_prefix(item: Any) -> bool:
    if type(item) is not list or len(item) != 2 or not is_number(item[0], 256):
        return False
    bits, path = item
    return is_bytes(path, -(-bits // 8)) and int.from_bytes(path, "big") % (1 << -bits % 8) == 0


def is_asked(item: Any) -> bool:
    return is_prefix(item) and item[0] % 4 == 0


def is_answer(item: Any) -> bool:
    if isinstance(item, Pairs):
        return len(item) == 16 and all(is_number(count) and is_bytes(hash, 32 if count else 0) for count, hash in item)
    return array(IDS_PER_NODE, is_bytes)(item) and ascends(item)


def is_plan(item: Any) -> bool:
    match item:
        case [0, opener, acceptor]:
            return is_number(opener) and is_number(acceptor)
        case [2, guess, coming, cells]:
            return is_number(guess) and is_number(coming, CELLS_PER_ROW) and octets(CELL_BYTES, CELLS_PER_FRAME)(cells)
        case [1 | 3 | 4]:
            return True
    return False


SIZE = (is_number, is_number)
MESSAGES: dict[str, tuple[int, tuple[Check, ...]]] = {
    "Hello": (0, (is_number, is_number, is_number, is_bytes, is_bytes, octets(16), text(300))),
    "HelloAck": (1, (is_number, is_number, is_bytes, is_bytes, octets(16), octets(64))),
    "Auth": (2, (octets(64),)),
    "Ping": (3, (is_number,)),
    "Pong": (4, (is_number,)),
    "Goaway": (5, (text(40), text(200))),
    "Open": (16, (is_channel, octets(128), *SIZE, optional(is_number))),
    "Same": (17, (is_channel, is_number, is_flag)),
    "Differ": (18, (is_channel, *SIZE, is_plan, is_flag)),
    "Close": (19, (is_channel, text(40), text(200))),
    "Ask": (20, (is_channel, array(PREFIXES_PER_ASK, is_asked))),
    "Tell": (21, (is_channel, array(PREFIXES_PER_ASK, is_answer))),
    "Want": (22, (is_channel, lambda width: is_number(width, 8) and width >= 2, octets(1, FRAME_BYTES), is_flag)),
    "Entries": (23, (is_channel, array(FRAME_BYTES, is_bytes), lambda count: is_number(count, ENTRIES_PER_FRAME))),
    "Part": (24, (is_channel, is_number, is_number, octets(1, FRAME_BYTES))),
    "Upto": (25, (is_channel, is_number)),
    "Sent": (26, (is_channel,)),
    "Root": (27, (is_channel, is_number, is_bytes)),
    "Refused": (28, (is_channel, array(IDS_PER_FRAME, is_bytes))),
    "Credit": (29, (is_channel, is_number, is_number)),
    "Symbols": (30, (is_channel, is_prefix, is_number, octets(CELL_BYTES, CELLS_PER_FRAME), is_flag)),
    "More": (31, (is_channel, is_prefix, is_number, is_number)),
    "List": (32, (is_channel, octets(8, SHORT_IDS_PER_FRAME), is_flag)),
    "AskReceipt": (33, (is_channel, is_bytes, optional(is_bytes))),
    "Receipt": (34, (is_channel, octets(1, 512))),
}
NAMES = {kind: name for name, (kind, _) in MESSAGES.items()}


def write_message(name: str, *items: Any) -> bytes:
    return bytes([MESSAGES[name][0]]) + b"".join(map(encode, items))


def read_message(frame: bytes) -> tuple[str, list[Any]]:
    """Name and items. Raises Breach for whatever is not a message in its one form."""
    insist(1 <= len(frame) <= FRAME_BYTES and frame[0] in NAMES, "no message", "BAD_MESSAGE")
    items, at, name = [], 1, NAMES[frame[0]]
    try:
        while at < len(frame):
            item, at = decode(frame, at)
            items.append(item)
    except ValueError as error:
        raise Breach("BAD_MESSAGE", f"{name}: {error}") from error
    checks = MESSAGES[name][1]
    right = len(items) == len(checks) or name == "Entries" and len(items) > len(checks)
    insist(right and all(check(item) for check, item in zip(checks, items)), f"{name}: other items", "BAD_MESSAGE")
    insist(name != "Want" or len(items[2]) % items[1] == 0, "Want: bytes left over", "BAD_MESSAGE")
    return name, items


def record_head(journal: bytes, device: bytes, after: list[bytes], stamp: int) -> bytes:
    """A plain record up to its facts."""
    parts = (1, PLAIN, device, [0, journal[:8]], after)
    return b"\x86" + b"".join(map(encode, parts)) + b"\x82" + encode(stamp)


def pack_bundle(journal: bytes, entries: list[tuple[int, bytes]]) -> list[Any]:
    """The items of a bundle of numbered records."""
    devices: list[bytes] = []
    rest: list[Any] = []
    before = stamp_before = 0
    last: dict[bytes, bytes] = {}
    for number, record in entries:
        body, _ = decode(record)
        rest.append(number - before - 1)
        before = number
        if type(body) is not list or body[1] != PLAIN:
            rest += [3, record]
            continue
        _, _, device, _, after, payload = body
        if device not in devices:
            devices.append(device)
        form = 0 if not after else 1 if after == [last.get(device)] else 2
        tail = record[len(record_head(journal, device, after, payload[0])) :]
        rest += [4 * devices.index(device) + form, payload[0] - stamp_before, *[after] * (form == 2), tail]
        stamp_before, last[device] = payload[0], labelled("id", journal, record)
    return [devices, len(entries), *rest]


def unpack_bundle(journal: bytes, items: list[Any]) -> list[tuple[int, bytes]]:
    """The numbered records of a bundle, as they are, not yet checked."""
    devices, count, rest = items[0], items[1], deque(items[2:])
    entries, last, number, stamp = [], {}, 0, 0
    insist(len(devices) <= count, "Entries: more devices than entries", "BAD_MESSAGE")
    insist(count > 0, "Entries: none")

    def take(check: Check) -> Any:
        insist(bool(rest) and check(rest[0]), "Entries: other items", "BAD_MESSAGE")
        return rest.popleft()

    for _ in range(count):
        number += take(is_number) + 1
        place, form = divmod(take(is_number), 4)
        if form == 3:
            insist(place == 0, "Entries: a device for another form", "BAD_MESSAGE")
            entries.append((number, take(lambda item: type(item) is bytes)))
            continue
        insist(place < len(devices), "Entries: no such device", "BAD_MESSAGE")
        device = devices[place]
        stamp += take(lambda item: type(item) is int)
        insist(form != 1 or device in last, "Entries: follows none in this frame", "BAD_MESSAGE")
        after = [] if form == 0 else [last[device]] if form == 1 else take(array(8, is_bytes))
        record = record_head(journal, device, after, stamp) + take(lambda item: type(item) is bytes)
        last[device] = labelled("id", journal, record)
        entries.append((number, record))
    insist(not rest and is_number(number), "Entries: something follows", "BAD_MESSAGE")
    return entries
