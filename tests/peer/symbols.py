"""Sketches and coded symbols, from docs/PROTOCOL.md alone. For peer.py."""

from __future__ import annotations

import math
import struct
from collections import deque
from collections.abc import Iterable

CELL_BYTES = 11
MASK = (1 << 64) - 1
Cell = tuple[int, int]


def sketch_of(ids: Iterable[bytes]) -> bytes:
    counters = [0] * 32
    for id in ids:
        bits = int.from_bytes(id[8:12], "big")
        for j in range(32):
            counters[j] += 1 if bits >> j & 1 else -1
    return struct.pack(">32H", *(counter & 0xFFFF for counter in counters))


def difference_of(one: bytes, other: bytes) -> int:
    pairs = zip(struct.unpack(">32H", one), struct.unpack(">32H", other))
    differences = [(x - y + 0x8000 & 0xFFFF) - 0x8000 for x, y in pairs]
    return round(sum(difference**2 for difference in differences) / 32)


def mix(z: int) -> int:
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK
    return z ^ z >> 31


def check_of(x: int) -> int:
    return mix(x ^ 0x9AE16A3B2F90404F) >> 40


def cells_of(x: int, count: int) -> list[int]:
    """Which of the first cells a short id is in."""
    state, i, cells = mix(x), 0, []
    while i < count:
        cells.append(i)
        state = state + 0x9E3779B97F4A7C15 & MASK
        u = ((mix(state) >> 11) + 1) / 2**53
        i += max(1, math.ceil((i + 1.5) * (1 / math.sqrt(u) - 1)))
    return cells


def fold(cells: list[Cell], x: int) -> list[int]:
    """Puts a short id into its cells, or takes it out, and names them."""
    check, places = check_of(x), cells_of(x, len(cells))
    for place in places:
        cells[place] = (cells[place][0] ^ x, cells[place][1] ^ check)
    return places


def row_of(ids: list[bytes], count: int) -> list[Cell]:
    cells = [(0, 0)] * count
    for id in ids:
        fold(cells, int.from_bytes(id[:8], "big"))
    return cells


def pack_cells(cells: list[Cell]) -> bytes:
    return b"".join(total.to_bytes(8, "big") + check.to_bytes(3, "big") for total, check in cells)


def unpack_cells(data: bytes) -> list[Cell]:
    numbers = (data[at : at + CELL_BYTES] for at in range(0, len(data), CELL_BYTES))
    return [(int.from_bytes(one[:8], "big"), int.from_bytes(one[8:], "big")) for one in numbers]


def peel(theirs: list[Cell], ids: list[bytes]) -> set[bytes] | None:
    """The short ids that only one side has, if the cells are enough to tell."""
    cells = [(a ^ c, b ^ d) for (a, b), (c, d) in zip(theirs, row_of(ids, len(theirs)))]
    found: set[bytes] = set()
    looked_at = deque(range(len(cells)))
    while looked_at and len(found) <= len(cells):
        place = looked_at.popleft()
        total, check = cells[place]
        if (total, check) != (0, 0) and check_of(total) == check and place in cells_of(total, place + 1):
            found ^= {total.to_bytes(8, "big")}
            looked_at.extend(fold(cells, total))
    return None if any(cell != (0, 0) for cell in cells) else found
