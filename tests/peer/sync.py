"""A channel: one journal made equal with the other side's, from docs/PROTOCOL.md alone. For peer.py."""

from __future__ import annotations

import math
import os
import time
from typing import Any, Protocol

from entries import PLAIN, RECORD_BYTES, Journal, Pairs, below, decode, encode, insist, is_bytes, is_signed, labelled
from entries import read_record, root_of, subtree
from symbols import difference_of, pack_cells, peel, row_of, sketch_of, unpack_cells
from wire import CELL_BYTES, CELLS_PER_FRAME, CELLS_PER_ROW, ENTRIES_PER_FRAME, IDS_PER_NODE, PREFIXES_PER_ASK, SHORT_IDS_PER_FRAME
from wire import pack_bundle, unpack_bundle

BUNDLE_BYTES, CREDIT_BYTES, LISTED_IDS, IDS_PER_ROUND = 60_000, 262_144, 16_384, 65_536
CELLS_PER_ROUND, WANTED_PER_ROUND, ROUNDS, FRUITLESS_ROUNDS = 524_288, 131_072, 256, 3
PLANS = ["feed", "descend", "symbols", "acceptor-lists", "opener-lists"]
ALL: list[Any] = [0, b""]

ALWAYS = {"Upto", "Refused", "Credit", "Close", "AskReceipt", "Receipt", "Entries", "Part"}
MAY_COME = {
    "opening": {"Same", "Differ", "Close"},
    "decoding": ALWAYS | {"Symbols"},
    "descending": ALWAYS | {"Tell"},
    "listening": ALWAYS | {"List"},
    "answering": ALWAYS | {"More", "Ask", "Want", "Sent"},
    "exchanging": ALWAYS | {"Sent", "Root"},
    "live": ALWAYS,
}


class Connection(Protocol):
    """What a channel needs of the connection that it is on."""

    device: bytes
    store: bytes

    def send(self, name: str, *items: Any) -> bytes: ...
    def say(self, event: str, **more: Any) -> None: ...


class Sync:
    def __init__(self, connection: Connection, journal: Journal, channel: int, opens: bool, descends: bool) -> None:
        self.connection, self.journal, self.channel, self.opens = connection, journal, channel, opens
        # Whether it passes over coded symbols.
        self.descends, self.asks = descends, 0
        self.phase, self.plan, self.rounds, self.fruitless = "opening", "", 0, 0
        self.view, self.at = sorted(journal.numbers), len(journal.records)
        self.their_at, self.their_count, self.their_upto = 0, 0, 0
        self.refused: set[bytes] = set()
        self.from_there: set[bytes] = set()
        self.sent_entries = self.received_entries = self.unpaid = self.durable_there = 0
        self.receipts: list[dict[str, Any]] = []
        self.asked_receipt: tuple[bytes, bytes | None] | None = None
        self.last_receipt: bytes | None = None
        self.part = (0, 0, b"")
        self.begin_round()

    def begin_round(self) -> None:
        self.brought: set[bytes] = set()
        self.extra: set[bytes] = set()
        self.lacking: set[bytes] = set()
        self.listed: list[bytes] = []
        self.wanted: list[bytes] = []
        self.outgoing: list[int] | None = None
        self.cells_told = self.moved = 0
        self.has_sent = self.peer_has_sent = False
        self.root: list[Any] | None = None
        self.their_root: list[Any] | None = None

    def send(self, name: str, *items: Any) -> None:
        self.connection.send(name, self.channel, *items)

    def take(self, name: str, items: list[Any]) -> None:
        may_come = MAY_COME[self.phase]
        if self.phase == "listening" and not self.opens and not self.listed:
            may_come = may_come | {"Ask", "More"}
        insist(name in may_come, f"{name} while {self.phase}", "UNEXPECTED_MESSAGE")
        getattr(self, "on_" + name.lower())(*items)
        self.pump()

    # The opening.

    def size(self) -> list[int]:
        return [len(self.view), self.at - len(self.view)]

    def open(self, cursor: int | None) -> None:
        fixed = self.journal.id + root_of(self.view) + sketch_of(self.view)
        self.send("Open", fixed, *self.size(), cursor)

    def answer(self, fixed: bytes, count: int, more: int, forced: str | None) -> None:
        root, sketch = fixed[:32], fixed[32:]
        self.their_at, self.their_count = count + more, count
        if root == root_of(self.view):
            self.send("Same", self.at)
            self.plan = "same"
            self.ask_receipt()
            return self.become_live()
        plan = self.choose(forced, sketch)
        self.plan = PLANS[plan[0]]
        self.send("Differ", *self.size(), plan)
        self.ask_receipt()
        self.phase = "listening" if self.plan == "opener-lists" else "answering"
        if self.plan == "feed":
            self.queue(range(plan[2] + 1, self.at + 1))
        elif self.plan == "acceptor-lists":
            self.send_list()
        elif self.plan == "symbols" and plan[2] > CELLS_PER_FRAME:
            self.on_more(ALL, CELLS_PER_FRAME, plan[2] - CELLS_PER_FRAME)

    def choose(self, forced: str | None, sketch: bytes) -> list[Any]:
        mine, theirs = len(self.view), self.their_count
        guess = min(max(difference_of(sketch, sketch_of(self.view)), abs(mine - theirs)), mine + theirs)
        coming = min(guess + guess // 2 + math.isqrt(guess) + 6, CELLS_PER_ROW)
        first = row_of(self.view, min(coming, CELLS_PER_FRAME))
        symbols = [2, guess, coming, pack_cells(first)]
        if forced:
            return {"feed": [0, 0, 0], "symbols": symbols}.get(forced, [PLANS.index(forced)])
        fewer = min(mine, theirs)
        if fewer == 0:
            return [0, 0, 0]
        if fewer > LISTED_IDS or 8 * fewer >= 16.5 * guess:
            return symbols
        return [3 if mine <= theirs else 4]

    def on_same(self, at: int) -> None:
        self.plan, self.their_upto = "same", at
        self.ask_receipt()
        self.become_live()

    def on_differ(self, count: int, more: int, plan: list[Any]) -> None:
        self.plan, self.their_at, self.their_count = PLANS[plan[0]], count + more, count
        self.ask_receipt()
        if self.plan == "feed":
            insist(plan[1] <= self.at, "a feed from beyond the end")
            self.queue(range(plan[1] + 1, self.at + 1))
        elif self.plan == "symbols" and plan[2]:
            self.phase, self.cells, self.cells_asked, self.first_cells = "decoding", [], plan[2], plan[2]
            self.on_symbols(ALL, 0, plan[3], len(plan[3]) == plan[2] * CELL_BYTES)
        elif self.plan == "acceptor-lists":
            self.phase = "listening"
        elif self.plan == "opener-lists":
            self.phase = "answering"
            self.send_list()
        else:
            self.descend()

    # Lists.

    def send_list(self) -> None:
        for start in range(0, max(1, len(self.view)), SHORT_IDS_PER_FRAME):
            some = self.view[start : start + SHORT_IDS_PER_FRAME]
            self.send("List", b"".join(id[:8] for id in some), start + len(some) == len(self.view))

    def on_list(self, data: bytes, last: bool) -> None:
        self.listed += [data[at : at + 8] for at in range(0, len(data), 8)]
        insist(len(self.listed) <= self.their_count, "more listed than there are")
        if last:
            self.found({id[:8] for id in self.view} ^ set(self.listed))

    # Coded symbols.

    def on_symbols(self, prefix: list[Any], first: int, data: bytes, last: bool) -> None:
        insist(prefix == ALL and first == len(self.cells), "cells of another row")
        self.cells += unpack_cells(data)
        insist(last == (len(self.cells) == self.cells_asked), "more cells than were asked for, or less")
        if not last:
            return
        found = None if self.descends else peel(self.cells, self.view)
        more = min(max(len(self.cells) // 2, 16), CELLS_PER_ROW - len(self.cells))
        if found is not None:
            self.found(found)
        elif self.descends or more == 0 or len(self.cells) >= max(4 * self.first_cells, 64):
            self.descend()
        else:
            self.cells_asked += more
            self.send("More", ALL, len(self.cells), more)

    def on_more(self, prefix: list[Any], first: int, count: int) -> None:
        self.cells_told += count
        insist(0 < count <= CELLS_PER_ROW - first and self.cells_told <= CELLS_PER_ROUND, "too many cells, or none")
        self.phase = "answering"
        cells = row_of(below(self.view, *prefix), first + count)
        for start in range(first, first + count, CELLS_PER_FRAME):
            some = cells[start : start + CELLS_PER_FRAME]
            self.send("Symbols", prefix, start, pack_cells(some), start + len(some) == first + count)

    def found(self, short: set[bytes]) -> None:
        """Takes in short ids that only one side has."""
        self.extra = {id for id in self.view if id[:8] in short}
        self.lacking = short - {id[:8] for id in self.extra}
        self.want()

    # Descent.

    def descend(self) -> None:
        self.phase, self.to_ask = "descending", [ALL]
        self.ask()

    def ask(self) -> None:
        self.asking, self.to_ask = self.to_ask[:PREFIXES_PER_ASK], self.to_ask[PREFIXES_PER_ASK:]
        self.asks += 1
        self.send("Ask", self.asking)

    def on_ask(self, prefixes: list[list[Any]]) -> None:
        self.phase = "answering"
        # By where they begin, the shorter first: if any lies within another, one does in the one before it.
        starts = sorted((path.ljust(32, b"\0"), bits) for bits, path in prefixes)
        within = any(below([next], bits, start) for (start, bits), (next, _) in zip(starts, starts[1:]))
        insist(not within, "a question about one subtree twice")
        self.send("Tell", [self.tell(*prefix) for prefix in prefixes])

    def tell(self, bits: int, path: bytes) -> Any:
        ids = below(self.view, bits, path)
        if len(ids) <= IDS_PER_NODE:
            return ids
        children = [below(ids, *child(bits, path, digit)) for digit in range(16)]
        return Pairs((len(some), subtree(some, bits + 4) if some else b"") for some in children)

    def on_tell(self, answers: list[Any]) -> None:
        insist(len(answers) == len(self.asking), "not as many answers as questions")
        for (bits, path), answer in zip(self.asking, answers):
            mine = below(self.view, bits, path)
            if type(answer) is list:
                insist(below(answer, bits, path) == answer, "an id from elsewhere")
                self.lacking |= set(answer) - set(mine)
                self.extra |= set(mine) - set(answer)
                continue
            insist(bits < 256, "more ids than there are")
            for digit, (count, hash) in enumerate(answer):
                prefix = child(bits, path, digit)
                ids = below(mine, *prefix)
                if count == 0:
                    self.extra |= set(ids)
                elif count != len(ids) or hash != subtree(ids, bits + 4):
                    self.to_ask.append(prefix)
        if self.to_ask and len(self.lacking) + len(self.extra) < IDS_PER_ROUND:
            self.ask()
        else:
            self.want()

    # What is wanted.

    def want(self) -> None:
        """Ends the search: asks for what is lacking, and sends what the other lacks."""
        bits = math.ceil(math.log2(max(1, self.their_count))) + 12
        width = min(max(math.ceil(bits / 8), 2), 8)
        leading = b"".join(sorted(id[:width] for id in self.lacking))
        step = BUNDLE_BYTES // width * width
        for start in range(0, max(1, len(leading)), step):
            self.send("Want", width, leading[start : start + step], start + step >= len(leading))
        self.queue(sorted(self.journal.numbers[id] for id in self.extra - self.refused))

    def on_want(self, width: int, leading: bytes, last: bool) -> None:
        self.phase = "answering"
        self.wanted += [leading[at : at + width] for at in range(0, len(leading), width)]
        insist(len(self.wanted) <= WANTED_PER_ROUND, "too many wanted")
        if last:
            ids = {id for start in self.wanted for id in below(self.view, 8 * len(start), start)}
            self.queue(sorted(self.journal.numbers[id] for id in ids - self.refused))

    # Entries.

    def queue(self, numbers: Any) -> None:
        self.outgoing, self.phase = list(numbers), "exchanging"

    def pump(self) -> None:
        """Sends what the credit allows, and what ends the round."""
        while self.outgoing:
            entries = self.next_frame()
            if not entries:
                return
            size = sum(len(record) for _, record in entries)
            self.unpaid += size
            self.moved += len(entries)
            self.sent_entries += len(entries)
            if size <= BUNDLE_BYTES:
                self.send("Entries", *pack_bundle(self.journal.id, entries))
                continue
            ((number, record),) = entries
            for start in range(0, size, BUNDLE_BYTES):
                self.send("Part", number, size, record[start : start + BUNDLE_BYTES])
        if self.outgoing is not None and not self.has_sent:
            self.has_sent = True
            self.send("Upto", self.at)
            if self.phase != "live":
                self.send("Sent")
        if self.phase != "exchanging":
            return
        if self.has_sent and self.peer_has_sent and not self.unpaid and not self.root:
            self.view = sorted((set(self.view) | self.brought) - self.refused)
            self.root = [len(self.view), root_of(self.view)]
            self.send("Root", *self.root)
        if self.root and self.their_root:
            self.end_round()

    def next_frame(self) -> list[tuple[int, bytes]]:
        entries: list[tuple[int, bytes]] = []
        size = 0
        while self.outgoing and len(entries) < ENTRIES_PER_FRAME:
            number = self.outgoing[0]
            record = self.journal.records[number - 1]
            size += len(record)
            over_credit = self.unpaid + size > CREDIT_BYTES and (entries or self.unpaid)
            if over_credit or entries and size > BUNDLE_BYTES:
                break
            entries.append((number, record))
            del self.outgoing[0]
        return entries

    def on_entries(self, *items: Any) -> None:
        self.admit(unpack_bundle(self.journal.id, list(items)))

    def on_part(self, number: int, size: int, data: bytes) -> None:
        before, of, begun = self.part
        insist(not begun or (before, of) == (number, size), "a part of another record")
        insist(data != b"" and len(begun) + len(data) <= size <= RECORD_BYTES, "more parts than a record, or none")
        self.part = (number, size, begun + data)
        if len(begun) + len(data) == size:
            self.part = (0, 0, b"")
            self.admit([(number, begun + data)])

    def admit(self, entries: list[tuple[int, bytes]]) -> None:
        insist(not self.part[2], "another entry between parts")
        new: dict[bytes, bytes] = {}
        for number, record in entries:
            id = self.journal.id_of(record)
            if id not in self.journal.numbers:
                if read_record(record, self.journal.id)[1] != PLAIN:
                    self.refused.add(id)
                    self.send("Refused", [id])
                    continue
                new[id] = record
            if number <= self.their_at:
                self.brought.add(id)
        self.journal.keep(list(new.values()))
        self.from_there |= set(new)
        self.moved += len(new)
        self.received_entries += len(entries)
        self.send("Credit", sum(len(record) for _, record in entries), 0)

    def on_credit(self, size: int, upto: int) -> None:
        insist(size <= self.unpaid and upto <= len(self.journal.records), "credit for more than was sent")
        self.unpaid -= size
        self.durable_there = max(self.durable_there, upto)

    def on_upto(self, number: int) -> None:
        self.their_upto = max(self.their_upto, number)
        if self.plan == "feed" or self.phase == "live":
            self.send("Credit", 0, self.their_upto)

    def on_refused(self, ids: list[bytes]) -> None:
        self.refused |= set(ids)

    # The end of a round, and what comes behind it.

    def on_sent(self) -> None:
        insist(not self.peer_has_sent, "Sent twice", "UNEXPECTED_MESSAGE")
        self.peer_has_sent = True

    def on_root(self, count: int, root: bytes) -> None:
        insist(self.their_root is None, "Root twice", "UNEXPECTED_MESSAGE")
        self.their_root = [count, root]

    def end_round(self) -> None:
        self.rounds += 1
        if self.root == self.their_root:
            # What is durable there is known too: everything up to `at`.
            self.durable_there = max(self.durable_there, self.at)
            return self.become_live()
        self.fruitless = 0 if self.moved else self.fruitless + 1
        insist(self.fruitless < FRUITLESS_ROUNDS and self.rounds < ROUNDS, "no progress", "NO_PROGRESS")
        self.their_count = self.their_root[0] if self.their_root else 0
        self.begin_round()
        if self.opens:
            self.descend()
        else:
            self.phase = "answering"

    def become_live(self) -> None:
        self.phase, self.outgoing = "live", None
        self.connection.say("live", **self.report())
        if self.last_receipt:
            self.ask_receipt()

    def follow(self) -> None:
        """Sends what is new here and did not come from there."""
        new = list(self.journal.numbers)[self.at :]
        self.outgoing = [self.journal.numbers[id] for id in new if id not in self.from_there]
        self.at, self.has_sent = len(self.journal.records), False
        self.pump()

    def on_close(self, code: str, words: str) -> None:
        self.phase = "closed"

    # Receipts.

    def ask_receipt(self) -> None:
        self.asked_receipt = (os.urandom(32), self.last_receipt and labelled("signed-root", self.last_receipt))
        self.send("AskReceipt", *self.asked_receipt)

    def statement(self, device: bytes, *items: Any) -> tuple[bytes, bytes]:
        """The body of a signed root, and what is signed."""
        journal = self.journal.id
        body = encode([1, journal, [0, journal[:8]], device, *items])
        return body, b"isoroot/v1/root\0" + journal + journal + body

    def on_askreceipt(self, nonce: bytes, previous: bytes | None) -> None:
        ids = sorted(self.journal.numbers)
        said = (len(ids), root_of(ids), time.time_ns() // 1_000, nonce, previous)
        body, message = self.statement(self.journal.device, *said)
        self.send("Receipt", body + self.journal.key.sign(message))

    def on_receipt(self, data: bytes) -> None:
        insist(self.asked_receipt is not None, "a receipt that nobody asked for", "UNEXPECTED_MESSAGE")
        try:
            count, root, said = decode(data[:-64])[0][4:7]
            body, message = self.statement(self.connection.device, count, root, said, *(self.asked_receipt or ()))
        except (ValueError, TypeError, AttributeError):
            body, message = b"", b""
        insist(body == data[:-64] and is_bytes(root), "a receipt about something else")
        insist(is_signed(self.connection.device, message, data[-64:]), "a receipt that is not signed")
        self.last_receipt, self.asked_receipt = data, None
        self.receipts.append({"count": count, "root": root.hex()})
        if self.phase == "live" and len(self.receipts) == 1:
            self.ask_receipt()

    def report(self) -> dict[str, Any]:
        ids = sorted(self.journal.numbers)
        return {
            "root": root_of(ids).hex(),
            "count": len(ids),
            "plan": self.plan,
            "rounds": self.rounds,
            "asks": self.asks,
            "entries_sent": self.sent_entries,
            "entries_received": self.received_entries,
            "refused": len(self.refused),
            "cursor": f"{self.connection.store.hex()}:{self.their_upto}",
            "durable_there": self.durable_there,
            "receipts": self.receipts,
        }


def child(bits: int, path: bytes, digit: int) -> list[Any]:
    """The prefix of 4 bits more."""
    number = int.from_bytes(path, "big") >> -bits % 8 << 4 | digit
    return [bits + 4, (number << -(bits + 4) % 8).to_bytes(-(-(bits + 4) // 8), "big")]
