"""A channel makes one journal equal with the other side's: docs/PROTOCOL.md."""
import json, os, time
import cbor2
from format import Breach, below, encode, insist, pieces, root_of, verify
from search import CELLS_PER_ROW, by_descent, by_symbols, parted, row_of, sketch_of, tell
from wire import unpack_bundle

PART_BYTES, CREDIT_BYTES, CELLS_PER_FRAME = 60_000, 262_144, 5_400
FEED, DESCEND, SYMBOLS, ACCEPTOR_LISTS, OPENER_LISTS = range(5)

class Channel:
    def __init__(self, connection, journal, number, opened=None):
        self.connection, self.journal, self.number = connection, journal, number
        self.opens, self.inbox, self.said = opened is None, [("Open", opened)] if opened else [], {}
        self.view, self.at = sorted(journal.numbers), len(journal.records)
        self.plan, self.is_live, self.part, self.question, self.receipt = None, False, b"", None, None
        self.rounds = self.sent = self.received = self.unpaid = 0
        self.brought, self.refused, self.cursor = {}, set(), ["", 0]

    def is_done(self, until): return self.receipt and not self.unpaid and len(self.journal.records) >= until
    def send(self, name, *items): self.connection.send(name, self.number, *items)
    def until(self, holds, *may_come):  # takes what may come at any time, and puts these into what was said
        while not holds():
            while not self.inbox: self.connection.receive()
            name, items = self.inbox.pop(0)
            if name in may_come: self.said[name] = items
            else: self.take(name, items)
    def ask(self, awaited, *question):
        if question: self.send(*question)
        self.until(lambda: awaited in self.said, awaited)
        return self.said.pop(awaited)

    def take(self, name, items):
        match name if self.plan else "before the opening is answered", items:
            case "Entries", bundle if not self.part: self.admit(unpack_bundle(self.journal.id, *bundle))
            case "Part", [number, size, data]:
                self.part += data
                insist(data and len(self.part) <= size, "more parts than a record, or none")
                if len(self.part) == size: self.admit([(number, self.part)])
            case "Credit", [size, upto]:
                insist(size <= self.unpaid and upto <= len(self.journal.records), "more than was sent")
                self.unpaid -= size
            case "Upto", [number]:
                self.cursor[1] = max(self.cursor[1], number)
                if self.plan == [FEED] or self.is_live: self.send("Credit", 0, self.cursor[1])
            case "Refused", [ids]: self.refused.update(ids)
            case "AskReceipt", question:
                said = *root_of(self.journal.numbers), time.time_ns() // 1_000, *question
                body, message = self.statement(self.journal.device.id, *said)
                self.send("Receipt", body + self.journal.device.sign(message))
            case "Receipt", [receipt]:
                said = *cbor2.loads(receipt[:-64])[4:7], *self.question
                body, message = self.statement(self.connection.device, *said)
                insist(body == receipt[:-64], "a receipt about something else")
                verify(self.connection.device, message, receipt[-64:])
                self.receipt = said[1].hex()
            case _: raise Breach("UNEXPECTED_MESSAGE", name)
    def statement(self, *said):  # a signed root but for the signature, and what is signed
        body = encode([1, self.journal.id, [0, self.journal.id[:8]], *said])
        return body, self.journal.message(b"root", body)

    def admit(self, entries):
        for number, record in entries:
            id = self.journal.id_of(record)
            self.brought[id] = number
            if not self.journal.keep(record):
                self.refused.add(id)
                self.send("Refused", [id])
        self.received, self.part = self.received + len(entries), b""
        self.send("Credit", sum(len(record) for _, record in entries), 0)

    def run(self, cursor, chosen):  # from the opening until the roots are equal
        (count, root), store = root_of(self.view), self.connection.store.hex()
        size, known = (count, self.at - count), cursor[1] if cursor and cursor[0] == store else None
        if self.opens: self.send("Open", self.journal.id + root + sketch_of(self.view), *size, known)
        self.until(lambda: self.said, *["Same", "Differ"] if self.opens else ["Open"])
        match self.said.popitem():
            case "Same", [upto, True]: plan, count, more, self.cursor[1] = None, 0, 0, upto
            case "Differ", [count, more, plan, True]: pass
            case "Open", [state, count, more, _]:
                cells = b"".join(row_of(self.view, 30))  # the opener asks for more as it needs them
                plan = {FEED: [FEED, 0, 0], SYMBOLS: [SYMBOLS, 16, 30, cells]}.get(chosen, [chosen])
                if state[32:64] == root: plan = None
                self.send(*("Differ", *size, plan, True) if plan else ("Same", self.at, True))
            case _: raise Breach("DENIED", "nothing is taken there")
        self.plan, their_at = plan[:1] if plan else "same", count + more
        self.cursor[0] = store
        while plan:
            self.send_entries(self.search(plan))
            self.send("Sent")
            self.until(lambda: "Sent" in self.said and not self.unpaid, "Sent", "Root")
            brought = {id for id, number in self.brought.items() if number <= their_at}
            self.view = sorted(brought.union(self.view) - self.refused)
            self.send("Root", *root_of(self.view))
            self.until(lambda: "Root" in self.said, "Root")
            is_equal = self.said["Root"] == root_of(self.view)
            insist(is_equal or plan[0] != DESCEND, "what was told in a descent does not make the root")
            self.rounds, self.said, plan = self.rounds + 1, {}, None if is_equal else [DESCEND]
        self.is_live, self.question = True, (os.urandom(32), None)
        self.send("AskReceipt", *self.question)

    def search(self, plan):  # gives the numbers of what is to be sent
        if plan[0] == FEED:
            after = plan[1 if self.opens else 2]
            insist(after <= self.at, "a feed from beyond the end")
            return range(after + 1, self.at + 1)
        if plan[0] == (OPENER_LISTS if self.opens else ACCEPTOR_LISTS):
            self.send_shorts({id[:8] for id in self.view}, "List")
        ids = self.find(plan) if self.opens != (plan[0] == OPENER_LISTS) else self.serve()
        return sorted(self.journal.numbers[id] for id in ids - self.refused)

    def find(self, plan):  # what is wanted is named by 8 bytes, the most
        if plan[0] in (ACCEPTOR_LISTS, OPENER_LISTS):
            listed, is_last = b"", False
            while not is_last:
                shorts, is_last = self.ask("List")
                listed += shorts
            here, there = parted(self.view, {*pieces(listed, 8)} ^ {id[:8] for id in self.view})
        elif plan[0] == SYMBOLS and plan[2]: here, there = by_symbols(self.view, self.ask, *plan[2:])
        else: here, there = by_descent(self.view, self.ask)
        self.send_shorts(there, "Want", 8)
        return here

    def send_shorts(self, shorts, *items):
        parts = pieces(b"".join(sorted(shorts)), PART_BYTES) or [b""]
        for place, part in enumerate(parts, 1): self.send(*items, part, place == len(parts))

    def serve(self):  # answers questions until it knows what is wanted
        ids, is_last = set(), False
        while not is_last:
            self.until(lambda: self.said, "Ask", "More", "Want")
            match self.said.popitem():
                case "Ask", [prefixes]: self.send("Tell", [tell(self.view, *prefix) for prefix in prefixes])
                case "More", [prefix, first, count]:
                    cells = row_of(below(self.view, *prefix), min(first + count, CELLS_PER_ROW))
                    for at in range(first, len(cells), CELLS_PER_FRAME):
                        some = b"".join(cells[at : at + CELLS_PER_FRAME])
                        self.send("Symbols", prefix, at, some, at + CELLS_PER_FRAME >= len(cells))
                case "Want", [width, starts, is_last]:
                    for start in pieces(starts, width): ids.update(below(self.view, 8 * width, start))
        return ids

    def send_entries(self, numbers):
        for number in numbers:
            record = self.journal.records[number - 1]
            self.until(lambda: self.unpaid < CREDIT_BYTES, "Sent", "Root")
            self.unpaid, self.sent = self.unpaid + len(record), self.sent + 1
            if len(record) <= PART_BYTES: self.send("Entries", [], 1, number - 1, 3, record)
            for part in pieces(record, PART_BYTES) if len(record) > PART_BYTES else []:
                self.send("Part", number, len(record), part)
        self.send("Upto", self.at)

    def follow(self):  # live: takes what has come, and sends what is new and did not come from there
        self.until(lambda: not self.inbox)
        new = [*self.journal.numbers.items()][self.at :]
        self.at += len(new)
        if new: self.send_entries([number for id, number in new if id not in self.brought])

    def report(self, event):
        count, root = root_of(self.journal.numbers)
        said = {name: getattr(self, name) for name in "plan rounds sent received receipt cursor".split()}
        print(json.dumps({"event": event, "count": count, "root": root.hex(), **said}), flush=True)
