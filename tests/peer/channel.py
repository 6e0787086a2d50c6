"""A channel makes one journal equal with the other side's: docs/PROTOCOL.md."""

import json, math, os, time

import cbor2

from format import below, encode, insist, pieces, root_of, verify
from search import by_descent, by_symbols, parted, sketch_of, tell
from wire import unpack_bundle

PART_BYTES, CREDIT_BYTES, SHORT_IDS_PER_FRAME = 60_000, 262_144, 7_500
FEED, DESCEND, SYMBOLS, ACCEPTOR_LISTS, OPENER_LISTS = range(5)
ALWAYS = {"Upto", "Refused", "Credit", "AskReceipt", "Receipt", "Entries", "Part"}

class Channel:
    def __init__(self, connection, journal, number, opens):
        self.connection, self.journal, self.number, self.opens = connection, journal, number, opens
        self.view, self.at, self.inbox, self.said = sorted(journal.numbers), len(journal.records), [], {}
        self.plan, self.is_answered, self.is_live, self.part, self.receipt = None, False, False, b"", None
        self.rounds = self.asks = self.sent = self.received = self.unpaid = self.their_upto = 0
        self.brought, self.refused = {}, set()

    def send(self, name, *items):
        self.asks += name == "Ask"
        self.connection.send(name, self.number, *items)

    def until(self, holds, *may_come):  # takes messages; what may not come at any time is left in what was said
        while not holds():
            while not self.inbox: self.connection.receive()
            name, items = self.inbox.pop(0)
            insist(name in may_come or name in ALWAYS and self.is_answered, name, "UNEXPECTED_MESSAGE")
            if name in ALWAYS: self.take(name, items)
            else: self.said[name] = items

    def ask(self, awaited, *question):
        if question: self.send(*question)
        self.until(lambda: awaited in self.said, awaited)
        return self.said.pop(awaited)

    def take(self, name, items):
        match name, items:
            case "Entries", bundle: self.admit(unpack_bundle(self.journal.id, *bundle))
            case "Part", [number, size, data]:
                self.part += data
                insist(data and len(self.part) <= size, "more parts than a record, or none")
                if len(self.part) == size:
                    record, self.part = self.part, b""
                    self.admit([(number, record)])
            case "Credit", [size, upto]:
                insist(size <= self.unpaid and upto <= len(self.journal.records), "credit for more than was sent")
                self.unpaid -= size
            case "Upto", [number]:
                self.their_upto = max(self.their_upto, number)
                if self.plan == FEED or self.is_live: self.send("Credit", 0, self.their_upto)
            case "Refused", [ids]: self.refused.update(ids)
            case "AskReceipt", question:
                said = len(self.journal.numbers), root_of(self.journal.numbers), time.time_ns() // 1_000, *question
                body, message = self.statement(self.journal.device, *said)
                self.send("Receipt", body + self.journal.key.sign(message))
            case "Receipt", [receipt]:
                body, message = self.statement(self.connection.device, *cbor2.loads(receipt[:-64])[4:7], self.nonce, None)
                insist(body == receipt[:-64], "a receipt about something else")
                verify(self.connection.device, message, receipt[-64:])
                self.receipt = cbor2.loads(body)[5].hex()

    def statement(self, *said):  # a signed root but for the signature, and what is signed
        body = encode([1, self.journal.id, [0, self.journal.id[:8]], *said])
        return body, self.journal.message(b"root", body)

    def admit(self, entries):
        insist(not self.part, "another entry between parts")
        for number, record in entries:
            self.brought[self.journal.id_of(record)] = number
            if not self.journal.keep(record):
                self.refused.add(self.journal.id_of(record))
                self.send("Refused", [self.journal.id_of(record)])
        self.received += len(entries)
        self.send("Credit", sum(len(record) for _, record in entries), 0)

    def open(self, cursor):
        state = self.journal.id + self.connection.store + root_of(self.view) + sketch_of(self.view)
        self.send("Open", state, len(self.view), self.at - len(self.view), cursor)

    def run(self, feeds):  # from the opening until the roots are equal
        self.until(lambda: self.said, *["Same", "Differ"] if self.opens else ["Open"])
        match self.said.popitem():
            case "Same", [store, upto]: plan, count, more, self.their_upto = None, 0, 0, upto
            case "Differ", [store, count, more, plan]: pass
            case "Open", [state, count, more, _]:
                store, plan, own = state[32:48], [FEED, 0, 0] if feeds else [DESCEND], self.connection.store
                if state[48:80] == root_of(self.view): plan = self.send("Same", own, self.at)
                else: self.send("Differ", own, len(self.view), self.at - len(self.view), plan)
        self.their_store, self.their_count, self.their_at = store, count, count + more
        self.is_answered, self.plan = True, plan and plan[0]
        while plan:
            self.send_entries(self.search(plan))
            self.send("Sent")
            self.until(lambda: "Sent" in self.said and not self.unpaid, "Sent", "Root")
            brought = {id for id, number in self.brought.items() if number <= self.their_at}
            self.view = sorted(brought.union(self.view) - self.refused)
            root = [len(self.view), root_of(self.view)]
            self.send("Root", *root)
            self.until(lambda: "Root" in self.said, "Root")
            # After a descent nothing is unknown, unless hashes were not looked at here, or made up there.
            insist(root == self.said["Root"] or plan != [DESCEND], "what was told does not make the root")
            plan = None if root == self.said["Root"] else [DESCEND]
            self.rounds, self.their_count, self.said = self.rounds + 1, self.said["Root"][0], {}
        self.is_live, self.nonce = True, os.urandom(32)
        self.send("AskReceipt", self.nonce, None)

    def search(self, plan):  # finds the difference or helps to, and gives the numbers of what is to be sent
        here, there, wanted, is_last = set(), set(), set(), False
        match plan[0]:
            case 0:
                after = plan[1 if self.opens else 2]
                insist(after <= self.at, "a feed from beyond the end")
                return range(after + 1, self.at + 1)
            case 2 if self.opens and plan[2]: here, there = by_symbols(self.view, self.ask, *plan[2:])
            case 3 if self.opens:
                while not is_last:
                    shorts, is_last = self.ask("List")
                    there.update(pieces(shorts, 8))
                here, there = parted(self.view, there ^ {id[:8] for id in self.view})
            case _ if self.opens: here, there = by_descent(self.view, self.ask)
        if self.opens: 
            width = min(max(math.ceil((math.ceil(math.log2(self.their_count or 1)) + 12) / 8), 2), 8)
            starts = [b"".join(some) for some in pieces([short[:width] for short in there], PART_BYTES // width)] or [b""]
            for place, some in enumerate(starts, 1): self.send("Want", width, some, place == len(starts))
        while not self.opens and not is_last:
            self.until(lambda: self.said, "Ask", "Want")
            match self.said.popitem():
                case "Ask", [prefixes]: self.send("Tell", [tell(self.view, *prefix) for prefix in prefixes])
                case "Want", [width, some, is_last]: wanted.update(pieces(some, width))
        here = here.union(*(below(self.view, 8 * len(start), start) for start in wanted))
        return sorted(self.journal.numbers[id] for id in here - self.refused)

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
        root, cursor = root_of(self.journal.numbers).hex(), [(self.their_store or b"")[:4].hex(), self.their_upto]
        counts = {"count": len(self.journal.records), "sent": self.sent, "received": self.received}
        counts |= {"plan": self.plan, "rounds": self.rounds, "asks": self.asks, "receipt": self.receipt}
        said = {"event": event, "journal": self.journal.id.hex(), "root": root, "cursor": cursor}
        print(json.dumps(said | counts), flush=True)
