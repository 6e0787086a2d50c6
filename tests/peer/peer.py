"""A minimal peer of the wire, version 1, written from docs/PROTOCOL.md and docs/FORMAT.md alone.

Its only argument is a JSON object: `journals`, from the id of each to a cursor or null; the `seed` of its device; the
`folder` that it keeps them in; the `url` that it dials, or it waits for a connection; and what OPTIONS has. It prints
what happens, an object a line: `listening`; for each journal `live`, once the roots are equal; `done` at the end.
"""

import json, os, pathlib, socket, sys, urllib.parse

sys.dont_write_bytecode = True  # nothing is to be left behind in the tree

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from channel import Channel
from format import Breach, Journal, device_of, encode, insist, labelled, verify
from websocket import WebSocket
from wire import read_message, write_message

# Whether to feed where it is dialled; entries to write at first, and once live; with how many it leaves.
OPTIONS = {"url": None, "cursor": None, "feed": False, "write": 0, "write_live": 0, "until": 0}
HANDSHAKE_FRAME_BYTES = 1_024

class Connection:
    def __init__(self, web, key, journals, options):
        self.web, self.key, self.journals, self.options, self.channels, self.last = web, key, journals, options, {}, -1
        self.store = labelled("peer-store", device_of(key))[:16]

    def send(self, name, *items):
        frame = write_message(name, *items)
        self.web.send(frame)
        return frame

    def expect(self, awaited):
        frame = self.web.receive()
        name, items = read_message(frame)
        insist(name == awaited and len(frame) <= HANDSHAKE_FRAME_BYTES, f"{name} {items}", "UNEXPECTED_MESSAGE")
        return frame, items

    def transcript(self, *parts): return labelled("handshake", *(len(x).to_bytes(8, "big") + x for x in parts))

    def dial(self, address):
        hello = self.send("Hello", 1, 1, 0, os.urandom(32), device_of(self.key), address)
        ack, (version, suite, _, self.device, signature) = self.expect("HelloAck")
        insist((version, suite) == (1, 0), "another version", "VERSION")
        transcript = self.transcript(hello, ack[1:].removesuffix(encode(signature)), b"")
        verify(self.device, labelled("handshake/acceptor", transcript), signature)
        self.send("Auth", self.key.sign(labelled("handshake/dialler", transcript, signature)))

    def accept(self, address):
        hello, (lowest, highest, suite, _, self.device, dialled) = self.expect("Hello")
        insist(lowest <= 1 <= highest, "only version 1 is spoken here", "VERSION")
        insist(suite == 0, "only suite 0 is known here", "SUITE")
        insist(dialled == address, f"this is {address}", "WRONG_ADDRESS")
        items = 1, 0, os.urandom(32), device_of(self.key)
        transcript = self.transcript(hello, b"".join(map(encode, items)), b"")
        signature = self.key.sign(labelled("handshake/acceptor", transcript))
        self.send("HelloAck", *items, signature)
        _, (proof,) = self.expect("Auth")
        verify(self.device, labelled("handshake/dialler", transcript, signature), proof)

    def receive(self):  # takes a message, or puts it where it belongs: for a channel that is not open, it is late
        name, items = read_message(self.web.receive())
        match name, items:
            case "Hello" | "HelloAck" | "Auth", _: raise Breach("UNEXPECTED_MESSAGE", name)
            case "Ping", [number]: self.send("Pong", number)
            case "Goaway", [code, words]: raise ConnectionError(f"{code}: {words}")
            case "Open", [number, state, *_]:
                insist(self.last < number < 2**32 - 1 and not self.options["url"], "no number for a channel")
                self.last, journal = number, self.journals.get(state[:32])
                for old in [number for number, channel in self.channels.items() if channel.journal == journal]:
                    self.send("Close", old, "CANCELLED", "opened anew")
                    del self.channels[old]
                if not journal: return self.send("Close", number, "NOT_SERVED", "another journal is served here")
                self.channels[number] = Channel(self, journal, number, opens=False)
                self.channels[number].inbox.append((name, items[1:]))
            case "Close", [number, code, words] if number in self.channels:
                insist(not self.options["url"], words, code)
                del self.channels[number]
            case _, [number, *rest] if number in self.channels: self.channels[number].inbox.append((name, rest))

    def run(self):  # until the other side goes, or what was dialled for is there
        for number, journal in enumerate(self.journals.values() if self.options["url"] else []):
            self.channels[number] = Channel(self, journal, number, opens=True)
            cursor = self.options["cursor"]
            self.channels[number].open(cursor and [bytes.fromhex(cursor[0]), cursor[1]])
        while not self.options["url"] or not all(
            channel.receipt and not channel.unpaid and len(channel.journal.records) >= self.options["until"]
            for channel in self.channels.values()
        ):
            self.receive()
            for channel in [*self.channels.values()]:
                if not channel.is_answered:
                    channel.run(self.options["feed"])
                    channel.report("live")
                    for number in range(self.options["write_live"]): channel.journal.append(f"live {number}")
                channel.follow()
        self.send("Goaway", "CANCELLED", "done")

def main():
    options = OPTIONS | json.loads(sys.argv[1])
    key, folder = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(options["seed"])), pathlib.Path(options["folder"])
    folder.mkdir(exist_ok=True)
    journals = {bytes.fromhex(id): Journal(bytes.fromhex(id), key, folder) for id in options["journals"]}
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
    connection = Connection(web, key, journals, options)
    try:
        connection.dial(address) if options["url"] else connection.accept(address)
        connection.run()
    except OSError as closed:
        print(closed, file=sys.stderr)
    except Exception as error:  # a breach, or whatever the packages make of bytes from elsewhere
        connection.send("Goaway", *error.args if isinstance(error, Breach) else ("BAD_MESSAGE", repr(error)[:200]))
        raise
    for channel in connection.channels.values(): channel.report("done")
    sys.exit(not all(channel.is_live for channel in connection.channels.values()))

if __name__ == "__main__": main()
