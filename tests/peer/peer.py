"""A minimal peer of the wire, version 1, written from docs/PROTOCOL.md and docs/FORMAT.md alone.

It shares no code with the crate, and is there to show that the documents are enough. It does one thing: make one
journal equal with one peer, in either role.

    peer.py dial URL --journal HEX --seed HEX --entries FILE     dials a hub
    peer.py listen --journal HEX --seed HEX --entries FILE       waits for one connection, and says where
    peer.py confirm FOLDER                                       checks itself against golden files

FILE holds the records in the order in which they came, each behind its length in 4 bytes. What happens is printed as
JSON, an object a line: `listening`, `live` once the roots are equal, and `done` at the end.

It leaves out: a second channel at a time; to ask for coded symbols in parts, for which it descends; cursors.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import pathlib
import socket
import sys
import time
import urllib.parse
from typing import Any

# Nothing is to be left behind in the tree.
sys.dont_write_bytecode = True

from format import SAFE, Breach, Journal, Pairs, below, decode, encode, insist, is_signed, labelled  # noqa: E402
from format import PLAIN, RECORD_BYTES, is_bytes, read_record, root_of, subtree  # noqa: E402
from symbols import difference_of, pack_cells, peel, row_of, sketch_of, unpack_cells  # noqa: E402
from wire import BUNDLE_BYTES, CELLS_PER_FRAME, ENTRIES_PER_FRAME, SHORT_IDS_PER_FRAME  # noqa: E402
from wire import PREFIXES_PER_ASK, Closed, WebSocket, pack_bundle, read_message, unpack_bundle, write_message  # noqa: E402

HANDSHAKE_FRAME_BYTES, CREDIT_BYTES, LISTED_IDS, IDS_PER_ROUND = 1_024, 262_144, 16_384, 65_536
CELLS_PER_ROW, CELLS_PER_ROUND, WANTED_PER_ROUND, FRUITLESS_ROUNDS = 16_384, 524_288, 131_072, 3
PLANS = ["feed", "descend", "symbols", "acceptor-lists", "opener-lists"]
ALL = [0, b""]

# What may come, besides what may come at any time.
ALWAYS = {"Upto", "Refused", "Credit", "Close", "AskReceipt", "Receipt", "Entries", "Part"}
QUESTIONS = {"More", "Ask", "Want", "Sent"}
MAY_COME = {
    "opening": {"Same", "Differ", "Close"},
    "decoding": ALWAYS | {"Symbols"},
    "descending": ALWAYS | {"Tell"},
    "listening": ALWAYS | {"List"},
    "answering": ALWAYS | QUESTIONS,
    "exchanging": ALWAYS | {"Sent", "Root"},
    "live": ALWAYS,
}


class Sync:
    """One channel: the journal on this connection, from its opening on."""

    def __init__(self, peer: Peer, journal: Journal, channel: int, opens: bool) -> None:
        self.peer, self.journal, self.channel, self.opens = peer, journal, channel, opens
        self.phase, self.plan, self.rounds, self.fruitless = "opening", "", 0, 0
        self.view = sorted(journal.numbers)
        self.at = len(journal.records)
        self.refused: set[bytes] = set()
        self.from_peer: set[bytes] = set()
        self.sent_entries, self.received_entries, self.unpaid, self.upto_known = 0, 0, 0, 0
        self.their_upto = self.their_count = 0
        self.receipts: list[dict[str, Any]] = []
        self.asked: tuple[bytes, bytes | None] | None = None
        self.part = (0, 0, b"")
        self.begin_round()

    def begin_round(self) -> None:
        self.brought: set[bytes] = set()
        self.outgoing: list[int] | None = None
        self.wanted: list[bytes] = []
        self.extra: set[bytes] = set()
        self.lacking: set[bytes] = set()
        self.cells_told = self.last_number = 0
        self.has_sent = self.peer_has_sent = False
        self.root: list[Any] | None = None
        self.their_root: list[Any] | None = None

    def send(self, name: str, *items: Any) -> None:
        self.peer.send(name, self.channel, *items)

    def take(self, name: str, items: list[Any]) -> None:
        late_question = self.phase == "listening" and not self.opens and name in ("Ask", "More") and not self.listed
        may_come = name in MAY_COME[self.phase] or late_question
        insist(may_come, f"{name} while {self.phase}", "UNEXPECTED_MESSAGE")
        getattr(self, "on_" + name.lower())(*items)
        self.pump()

    # The opening.

    def summary(self) -> list[Any]:
        return [self.journal.store, self.at, len(self.view), root_of(self.view)]

    def open(self) -> None:
        self.send("Open", self.journal.id, *self.summary(), sketch_of(self.view), None)

    def answer(self, at: int, count: int, root: bytes, sketch: bytes, forced: str | None) -> None:
        self.their_count = count
        if root == root_of(self.view):
            self.send("Same", self.journal.store, self.at)
            self.plan = "same"
            return self.become_live()
        guess = difference_of(sketch, sketch_of(self.view))
        guess = min(max(guess, abs(count - len(self.view))), count + len(self.view))
        plan = self.choose(PLANS.index(forced) if forced else None, count, guess)
        self.send("Differ", *self.summary(), plan)
        self.plan = PLANS[plan[0]]
        if plan[0] == 0:
            self.queue(range(plan[2] + 1, self.at + 1))
        elif plan[0] == 4:
            self.phase, self.listed = "listening", []
        else:
            self.phase = "answering"
            if plan[0] == 3:
                self.send_list()
            elif plan[0] == 2 and plan[2]:
                self.on_more(ALL, 0, plan[2])

    def choose(self, forced: int | None, theirs: int, guess: int) -> list[int]:
        mine = len(self.view)
        cells = math.ceil(1.5 * guess) + 12
        symbols = [2, guess, cells if cells <= CELLS_PER_ROW else 0]
        if forced is not None:
            return {0: [0, 0, 0], 2: symbols}.get(forced, [forced])
        if mine == 0 or theirs == 0:
            return [0, 0, 0]
        fewer = min(mine, theirs)
        if fewer > LISTED_IDS or 8 * fewer >= 16.5 * guess:
            return symbols
        return [3 if mine <= theirs else 4]

    def on_same(self, store: bytes | None, at: int) -> None:
        self.plan, self.their_upto = "same", at
        self.become_live()

    def on_differ(self, store: bytes, at: int, count: int, root: bytes, plan: list[int]) -> None:
        self.plan, self.their_count = PLANS[plan[0]], count
        if self.plan == "feed":
            insist(plan[1] <= self.at and plan[2] <= at, "a feed from beyond the end")
            self.queue(range(plan[1] + 1, self.at + 1))
        elif self.plan == "symbols" and plan[2]:
            self.phase, self.cells, self.cells_asked, self.first_cells = "decoding", [], plan[2], plan[2]
        elif self.plan == "acceptor-lists":
            self.phase, self.listed = "listening", []
        elif self.plan == "opener-lists":
            self.phase = "answering"
            self.send_list()
        else:
            self.descend()

    # Lists.

    def send_list(self) -> None:
        step = SHORT_IDS_PER_FRAME
        for start in range(0, max(1, len(self.view)), step):
            some = self.view[start : start + step]
            self.send("List", b"".join(id[:8] for id in some), start + step >= len(self.view))

    def on_list(self, data: bytes, last: bool) -> None:
        self.listed += [data[at : at + 8] for at in range(0, len(data), 8)]
        insist(len(self.listed) <= self.their_count, "more listed than there are")
        if last:
            self.found({id[:8] for id in self.view} ^ set(self.listed))

    # Coded symbols.

    def on_symbols(self, prefix: list[Any], first: int, data: bytes, last: bool) -> None:
        self.cells += unpack_cells(data)
        insist(prefix == ALL and first + len(data) // 11 == len(self.cells), "cells of another row")
        insist(last == (len(self.cells) == self.cells_asked), "more cells than were asked for, or less")
        if not last:
            return
        found = peel(self.cells, self.view)
        if found is not None:
            return self.found(found)
        more = min(max(len(self.cells) // 2, 16), CELLS_PER_ROW - len(self.cells))
        if more == 0 or len(self.cells) >= max(4 * self.first_cells, 64):
            return self.descend()
        self.cells_asked += more
        self.send("More", ALL, len(self.cells), more)

    def on_more(self, prefix: list[Any], first: int, count: int) -> None:
        self.cells_told += count
        insist(first + count <= CELLS_PER_ROW and self.cells_told <= CELLS_PER_ROUND, "too many cells")
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
        self.phase = "descending"
        self.to_ask: list[list[Any]] = [ALL]
        self.ask()

    def ask(self) -> None:
        self.asking, self.to_ask = self.to_ask[:PREFIXES_PER_ASK], self.to_ask[PREFIXES_PER_ASK:]
        self.send("Ask", self.asking)

    def on_ask(self, prefixes: list[list[Any]]) -> None:
        self.phase = "answering"
        self.send("Tell", [self.tell(*prefix) for prefix in prefixes])

    def tell(self, bits: int, path: bytes) -> Any:
        ids = below(self.view, bits, path)
        if len(ids) <= 16:
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
        self.queue(sorted(self.journal.numbers[id] for id in self.extra))

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
            entries, size = [], 0
            while self.outgoing and len(entries) < ENTRIES_PER_FRAME:
                number = self.outgoing[0]
                record = self.journal.records[number - 1]
                fits = size + len(record) <= BUNDLE_BYTES and self.unpaid + size + len(record) <= CREDIT_BYTES
                if not fits and (entries or self.unpaid):
                    break
                entries.append((number, record))
                size += len(record)
                self.outgoing.pop(0)
            if not entries:
                return
            self.unpaid += size
            self.sent_entries += len(entries)
            if size <= BUNDLE_BYTES:
                self.send("Entries", *pack_bundle(self.journal.id, entries))
            else:
                for start in range(0, size, BUNDLE_BYTES):
                    self.send("Part", number, size, record[start : start + BUNDLE_BYTES])
        if self.outgoing is not None and not self.has_sent:
            self.has_sent = True
            self.send("Upto", self.at)
            if self.phase != "live":
                self.send("Sent")
        if self.phase == "exchanging" and self.has_sent and self.peer_has_sent and not self.unpaid and not self.root:
            self.view = sorted((set(self.view) | self.brought) - self.refused)
            self.root = [len(self.view), root_of(self.view)]
            self.send("Root", *self.root)
        if self.phase == "exchanging" and self.root and self.their_root:
            self.end_round()

    def on_entries(self, *items: Any) -> None:
        self.admit(unpack_bundle(self.journal.id, list(items)))

    def on_part(self, number: int, size: int, data: bytes) -> None:
        before, of, begun = self.part
        insist(not begun or (before, of) == (number, size), "a part of another record")
        insist(len(begun) + len(data) <= size <= RECORD_BYTES, "more parts than a record")
        self.part = (number, size, begun + data)
        if len(begun) + len(data) == size:
            self.part = (0, 0, b"")
            self.admit([(number, begun + data)])

    def admit(self, entries: list[tuple[int, bytes]]) -> None:
        insist(not self.part[2], "another entry between parts")
        new: dict[bytes, bytes] = {}
        for number, record in entries:
            insist(number > self.last_number, "entries out of order")
            self.last_number = number
            id = self.journal.id_of(record)
            if id not in self.journal.numbers and id not in new:
                if read_record(record, self.journal.id)[1] != PLAIN:
                    self.refused.add(id)
                    self.send("Refused", [id])
                    continue
                new[id] = record
            self.brought.add(id)
        self.journal.keep(list(new.values()))
        self.from_peer |= set(new)
        self.received_entries += len(entries)
        self.send("Credit", sum(len(record) for _, record in entries), 0)

    def on_credit(self, size: int, upto: int) -> None:
        insist(size <= self.unpaid, "more credit than was used")
        self.unpaid -= size
        self.upto_known = max(self.upto_known, upto)

    def on_upto(self, number: int) -> None:
        self.their_upto = max(self.their_upto, number)
        if self.plan == "feed" or self.phase == "live":
            self.send("Credit", 0, self.their_upto)

    def on_refused(self, ids: list[bytes]) -> None:
        self.refused |= set(ids)

    # The end of a round, and what comes behind it.

    def on_sent(self) -> None:
        insist(not self.peer_has_sent, "Sent twice")
        self.peer_has_sent = True

    def on_root(self, count: int, root: bytes) -> None:
        insist(self.has_sent and self.their_root is None, "a root before the end", "UNEXPECTED_MESSAGE")
        self.their_root = [count, root]

    def end_round(self) -> None:
        self.rounds += 1
        if self.root == self.their_root:
            if self.their_upto:
                self.send("Credit", 0, self.their_upto)
            return self.become_live()
        self.fruitless = 0 if self.brought or self.sent_entries else self.fruitless + 1
        insist(self.fruitless < FRUITLESS_ROUNDS, "nothing new, and not equal", "NO_PROGRESS")
        self.their_count = self.their_root[0]
        self.begin_round()
        if self.opens:
            self.descend()
        else:
            self.phase = "answering"

    def become_live(self) -> None:
        self.phase, self.outgoing, self.last_number = "live", None, 0
        self.peer.say("live", **self.report())
        self.ask_receipt(None)

    def follow(self) -> None:
        """Sends what is new here and not from the other side."""
        ids = list(self.journal.numbers)[self.at :]
        self.outgoing = [self.journal.numbers[id] for id in ids if id not in self.from_peer]
        self.at, self.has_sent = len(self.journal.records), False
        self.pump()

    def ask_receipt(self, previous: bytes | None) -> None:
        self.asked = (os.urandom(32), previous)
        self.send("AskReceipt", *self.asked)

    def on_askreceipt(self, nonce: bytes, previous: bytes | None) -> None:
        ids, journal, now = sorted(self.journal.numbers), self.journal, time.time_ns() // 1_000
        epoch = [0, journal.id[:8]]
        body = encode([1, journal.id, epoch, journal.device, len(ids), root_of(ids), now, nonce, previous])
        self.send("Receipt", body + journal.key.sign(b"isoroot/v1/root\0" + journal.id + journal.id + body))

    def on_receipt(self, data: bytes) -> None:
        insist(self.asked is not None, "a receipt that nobody asked for", "UNEXPECTED_MESSAGE")
        (nonce, previous), self.asked = self.asked, None
        body, end = decode(data[:-64])
        insist(end == len(data) - 64 and type(body) is list and len(body) == 9, "no signed root", "BAD_MESSAGE")
        count, root, said = body[4:7]
        right = encode([1, self.journal.id, [0, self.journal.id[:8]], self.peer.device, count, root, said, nonce, previous])
        message = b"isoroot/v1/root\0" + self.journal.id + self.journal.id + data[:-64]
        insist(right == data[:-64] and is_bytes(root), "a receipt about something else")
        insist(is_signed(self.peer.device, message, data[-64:]), "a receipt that is not signed")
        self.receipts.append({"count": count, "root": root.hex(), "previous": previous and previous.hex()})
        if len(self.receipts) == 1:
            self.ask_receipt(labelled("signed-root", data))

    def on_close(self, code: str, words: str) -> None:
        raise Closed(f"the channel was closed: {code}: {words}")

    def report(self) -> dict[str, Any]:
        ids = sorted(self.journal.numbers)
        return {
            "root": root_of(ids).hex(),
            "count": len(ids),
            "plan": self.plan,
            "rounds": self.rounds,
            "entries_sent": self.sent_entries,
            "entries_received": self.received_entries,
            "refused": len(self.refused),
            "upto": self.their_upto,
            "durable_there": self.upto_known,
            "receipts": self.receipts,
        }


def child(bits: int, path: bytes, digit: int) -> list[Any]:
    """The prefix of 4 bits more."""
    number = int.from_bytes(path, "big") >> -bits % 8 << 4 | digit
    bits += 4
    return [bits, (number << -bits % 8).to_bytes(-(-bits // 8), "big")]


class Peer:
    """One connection."""

    def __init__(self, web: WebSocket, journal: Journal, options: argparse.Namespace) -> None:
        self.web, self.journal, self.options = web, journal, options
        self.device, self.sync, self.is_open = b"", None, False
        self.bytes_sent = self.bytes_received = 0

    def send(self, name: str, *items: Any) -> bytes:
        frame = write_message(name, *items)
        self.bytes_sent += len(frame)
        self.web.send(frame)
        if self.options.trace:
            print(f"> {name} {frame.hex()[:400]}", file=sys.stderr)
        return frame

    def receive(self, seconds: float) -> bytes | None:
        frame = self.web.receive(seconds)
        if frame is not None:
            self.bytes_received += len(frame)
            insist(self.is_open or len(frame) <= HANDSHAKE_FRAME_BYTES, "too large for now", "BAD_MESSAGE")
            if self.options.trace:
                print(f"< {read_message(frame)[0]} {frame.hex()[:400]}", file=sys.stderr)
        return frame

    def expect(self, name: str) -> tuple[bytes, list[Any]]:
        frame = self.receive(10)
        insist(frame is not None, "no handshake", "TIMEOUT")
        came, items = read_message(frame)
        insist(came == name, f"{came} instead of {name}: {items}", "UNEXPECTED_MESSAGE")
        return frame, items

    def dial(self, address: str) -> None:
        hello = self.send("Hello", 1, 1, 0, os.urandom(32), self.journal.device, address)
        ack, (version, suite, _, self.device, signature) = self.expect("HelloAck")
        insist((version, suite) == (1, 0), "another version", "VERSION")
        transcript = transcript_of(hello, ack[1:-66])
        insist(is_signed(self.device, labelled("handshake/acceptor", transcript), signature), "not signed", "UNAUTHENTICATED")
        self.send("Auth", self.journal.key.sign(labelled("handshake/dialler", transcript, signature)))
        self.is_open = True
        self.sync = Sync(self, self.journal, 1, True)
        self.sync.open()

    def accept(self, address: str) -> None:
        hello, (lowest, highest, suite, _, self.device, dialled) = self.expect("Hello")
        insist(lowest <= 1 <= highest, "only version 1 is spoken here", "VERSION")
        insist(suite == 0, "only suite 0 is known here", "SUITE")
        insist(dialled == address, f"this is {address}", "WRONG_ADDRESS")
        items = [1, 0, os.urandom(32), self.journal.device]
        transcript = transcript_of(hello, b"".join(map(encode, items)))
        signature = self.journal.key.sign(labelled("handshake/acceptor", transcript))
        self.send("HelloAck", *items, signature)
        _, (proof,) = self.expect("Auth")
        message = labelled("handshake/dialler", transcript, signature)
        insist(is_signed(self.device, message, proof), "not signed", "UNAUTHENTICATED")
        self.is_open = True

    def run(self) -> None:
        """Until the other side closes, or all is done that was to be done."""
        heard = asked = time.monotonic()
        until: float | None = None
        while True:
            frame = self.receive(1)
            now = time.monotonic()
            if frame is not None:
                heard = now
                self.take(*read_message(frame))
            insist(now - heard < 45, "nothing was heard for 45 s", "TIMEOUT")
            if now - max(heard, asked) >= 20:
                asked = now
                self.send("Ping", 1)
            if self.sync and self.sync.phase == "live" and (self.options.command == "dial" or self.options.live):
                if until is None:
                    until = now + self.options.live
                    for number in range(self.options.write_live):
                        self.journal.append(f"live {number}")
                    self.sync.follow()
                enough = len(self.journal.records) >= self.options.until
                if len(self.sync.receipts) == 2 and (enough or now >= until) and not self.sync.unpaid:
                    return

    def take(self, name: str, items: list[Any]) -> None:
        match name:
            case "Ping":
                self.send("Pong", *items)
            case "Pong":
                pass
            case "Goaway":
                raise Closed(f"the other side: {items}")
            case "Open" if not self.options.url:
                self.opened(*items)
            case "Hello" | "HelloAck" | "Auth" | "Open":
                raise Breach("UNEXPECTED_MESSAGE", name)
            case _ if self.sync and items[0] == self.sync.channel:
                self.sync.take(name, items[1:])

    def opened(self, channel: int, journal: bytes, store: bytes, at: int, *rest: Any) -> None:
        insist(self.sync is None or channel > self.sync.channel, "a channel's number used again")
        if journal != self.journal.id:
            self.send("Close", channel, "NOT_SERVED", "another journal is served here")
            return
        self.sync = Sync(self, self.journal, channel, False)
        count, root, sketch, _ = rest
        self.sync.answer(at, count, root, sketch, self.options.plan)
        self.sync.pump()

    def say(self, event: str, **more: Any) -> None:
        sizes = {"bytes_sent": self.bytes_sent, "bytes_received": self.bytes_received}
        print(json.dumps({"event": event, **more, **sizes}), flush=True)


def transcript_of(hello: bytes, ack: bytes) -> bytes:
    parts = (len(part).to_bytes(8, "big") + part for part in (hello, ack, b""))
    return labelled("handshake", *parts)


def main() -> int:
    parser = argparse.ArgumentParser(description="A minimal peer of the wire, version 1.")
    parser.add_argument("command", choices=["dial", "listen"])
    parser.add_argument("url", nargs="?", help="where to dial")
    parser.add_argument("--journal", type=bytes.fromhex, required=True)
    parser.add_argument("--seed", type=bytes.fromhex, required=True)
    parser.add_argument("--entries", type=pathlib.Path, required=True)
    parser.add_argument("--write", type=int, default=0, help="entries to write first")
    parser.add_argument("--write-live", type=int, default=0, help="entries to write once live")
    parser.add_argument("--live", type=float, default=0, help="seconds to stay live")
    parser.add_argument("--until", type=int, default=SAFE, help="entries that are enough to leave earlier")
    parser.add_argument("--plan", choices=PLANS)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--trace", action="store_true")
    options = parser.parse_args()
    journal = Journal(options.journal, options.seed, options.entries)
    for number in range(options.write):
        journal.append(f"value {number}")
    if options.command == "dial":
        url = urllib.parse.urlsplit(options.url)
        peer = Peer(WebSocket.dial(url.hostname, url.port, url.path), journal, options)
        address = url.netloc
    else:
        with socket.create_server(("127.0.0.1", options.port)) as server:
            address = "127.0.0.1:%d" % server.getsockname()[1]
            print(json.dumps({"event": "listening", "url": f"ws://{address}/sync"}), flush=True)
            peer = Peer(WebSocket.answer(server.accept()[0], "/sync"), journal, options)
    try:
        getattr(peer, "dial" if options.command == "dial" else "accept")(address)
        peer.run()
    except Breach as breach:
        peer.send("Goaway", breach.code, breach.words[:200])
        print(breach, file=sys.stderr)
        peer.web.close()
        return 1
    except Closed as closed:
        print(closed, file=sys.stderr)
    peer.say("done", **(peer.sync.report() if peer.sync else {}))
    peer.web.close()
    return 0 if peer.sync and peer.sync.phase == "live" else 1


if __name__ == "__main__":
    sys.exit(main())
