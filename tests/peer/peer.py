"""A minimal peer of the wire, version 1, written from docs/PROTOCOL.md and docs/FORMAT.md alone.
Its argument is a JSON object: the `seed` of its device, the `folder` of its store, `journals`, from an id to
a cursor or null, and OPTIONS. It prints objects: `listening`; for each journal `live`, and then `done`."""
import json, os, pathlib, socket, sys, urllib.parse
sys.dont_write_bytecode = True  # nothing is to be left behind in the tree
from channel import Channel
from format import Breach, Device, Journal, encode, insist, labelled, verify
from wire import WebSocket, read_message, write_message

# What it dials, or the plan to choose; how many entries to write before, and once live; how many to end with.
OPTIONS = {"url": None, "plan": 1, "write": 0, "write_live": 0, "until": 0}
def transcript_of(*parts): return labelled("handshake", *(len(x).to_bytes(8, "big") + x for x in parts))

class Connection:
    def __init__(self, web, device, journals, options):
        self.web, self.own, self.journals, self.options = web, device, journals, options
        self.channels, self.last = {}, -1

    def send(self, name, *items):
        frame = write_message(name, *items)
        self.web.send(frame)
        return frame
    def expect(self, awaited):
        frame = self.web.receive()
        name, items = read_message(frame)
        if name == "Goaway": raise ConnectionError(": ".join(items))
        insist(name == awaited and len(frame) <= 1_024, f"{name} {items}", "UNEXPECTED_MESSAGE")
        return frame, items

    def dial(self, address):
        hello = self.send("Hello", 1, 1, 0, os.urandom(32), self.own.id, self.own.store, address)
        ack, (version, suite, _, self.device, self.store, signature) = self.expect("HelloAck")
        insist((version, suite) == (1, 0), "another version", "VERSION")
        transcript = transcript_of(hello, ack[1:].removesuffix(encode(signature)), b"")
        verify(self.device, labelled("handshake/acceptor", transcript), signature)
        self.send("Auth", self.own.sign(labelled("handshake/dialler", transcript, signature)))
        self.channels = {at: Channel(self, journal, at) for at, journal in enumerate(self.journals.values())}

    def accept(self, address):
        hello, (lowest, highest, suite, _, self.device, self.store, dialled) = self.expect("Hello")
        insist(lowest <= 1 <= highest, "only version 1 is spoken here", "VERSION")
        insist(suite == 0, "only suite 0 is known here", "SUITE")
        insist(dialled == address, f"this is {address}", "WRONG_ADDRESS")
        items = 1, 0, os.urandom(32), self.own.id, self.own.store
        transcript = transcript_of(hello, b"".join(map(encode, items)), b"")
        signature = self.own.sign(labelled("handshake/acceptor", transcript))
        self.send("HelloAck", *items, signature)
        _, (proof,) = self.expect("Auth")
        verify(self.device, labelled("handshake/dialler", transcript, signature), proof)

    def receive(self):  # takes a message, or puts it into its channel; for one that is not open, it is late
        name, items = read_message(self.web.receive())
        match name, items:
            case "Hello" | "HelloAck" | "Auth", _: raise Breach("UNEXPECTED_MESSAGE", name)
            case "Ping", [number]: self.send("Pong", number)
            case "Goaway" | "Close", [*_, code, words]: raise ConnectionError(f"{code}: {words}")
            case "Open", [number, state, *_]:
                insist(self.last < number and not self.options["url"], "no number for a channel")
                self.last, journal = number, self.journals.get(state[:32])
                for old in [old for old in self.channels.values() if old.journal == journal]:
                    self.send("Close", self.channels.pop(old.number).number, "CANCELLED", "opened anew")
                if journal: self.channels[number] = Channel(self, journal, number, items[1:])
                else: self.send("Close", number, "NOT_SERVED", "another journal is served here")
            case _, [to, *rest] if to in self.channels: self.channels[to].inbox.append((name, rest))

    def run(self):  # until the other side goes, or all is there that was dialled for
        while True:
            for channel in [*self.channels.values()]:
                if not channel.plan:
                    channel.run(self.options["journals"][channel.journal.id.hex()], self.options["plan"])
                    channel.report("live")
                    for number in range(self.options["write_live"]): channel.journal.append(f"live {number}")
                channel.follow()
            enough = (channel.is_done(self.options["until"]) for channel in self.channels.values())
            if self.options["url"] and all(enough): return self.send("Goaway", "CANCELLED", "done")
            self.receive()

def main():
    options = OPTIONS | json.loads(sys.argv[1])
    folder, device = pathlib.Path(options["folder"]), Device(bytes.fromhex(options["seed"]))
    journals = {bytes.fromhex(id): Journal(bytes.fromhex(id), device, folder) for id in options["journals"]}
    for journal in journals.values():
        for number in range(options["write"]): journal.append(f"value {number}")
    if options["url"]:
        address = urllib.parse.urlsplit(options["url"]).netloc
        web = WebSocket(socket.create_connection(address.split(":")), address)
    else:
        server = socket.create_server(("127.0.0.1", 0))
        address = "127.0.0.1:%d" % server.getsockname()[1]
        print(json.dumps({"event": "listening", "url": f"ws://{address}/sync"}), flush=True)
        web = WebSocket(server.accept()[0])
    connection, fault = Connection(web, device, journals, options), "UNAUTHENTICATED"
    try:
        connection.dial(address) if options["url"] else connection.accept(address)
        fault = "BAD_MESSAGE"
        connection.run()
    except OSError as closed: print(closed, file=sys.stderr)
    except Exception as error:  # a breach, or whatever the packages make of bytes from elsewhere
        code, words = error.args if isinstance(error, Breach) else (fault, repr(error))
        connection.send("Goaway", code, words[:200])
        raise
    for channel in connection.channels.values(): channel.report("done")
    sys.exit(not all(channel.is_live for channel in connection.channels.values()))

if __name__ == "__main__": main()
