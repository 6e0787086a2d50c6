"""A minimal peer of the wire, version 1, written from docs/PROTOCOL.md and docs/FORMAT.md alone.

It shares no code with the crate, and is there to show that the documents are enough. It does one thing: make one
journal equal with one peer, in either role.

    peer.py dial URL --journal HEX --seed HEX --entries FILE     dials a hub
    peer.py listen --journal HEX --seed HEX --entries FILE       waits for one connection, and says where
    peer.py confirm FOLDER                                       holds itself to the golden files in there

FILE holds the records in the order in which they came, each behind its length in 4 bytes. What happens is printed as
JSON, an object a line: `listening`, `live` once the roots are equal, and `done` at the end. Each has what entries.py,
wire.py, websocket.py, symbols.py and sync.py say.

It leaves out: a second channel at a time; to ask for coded symbols in parts, for which it descends; feeds by cursors
where it is the acceptor. Its check of signatures is stricter than ZIP-215, which the protocol demands.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import socket
import sys
import time
import urllib.parse
from typing import Any

# Nothing is to be left behind in the tree.
sys.dont_write_bytecode = True

import confirm  # noqa: E402
from entries import SAFE, Breach, Journal, encode, insist, is_signed, labelled  # noqa: E402
from sync import PLANS, Sync  # noqa: E402
from websocket import Closed, WebSocket  # noqa: E402
from wire import read_message, write_message  # noqa: E402

HANDSHAKE_FRAME_BYTES = 1_024
HANDSHAKE_SECONDS, QUIET_SECONDS, GONE_SECONDS, ANSWER_SECONDS = 10, 20, 45, 30


class Peer:
    """One connection."""

    def __init__(self, web: WebSocket, journal: Journal, options: argparse.Namespace) -> None:
        self.web, self.journal, self.options = web, journal, options
        self.device, self.store, self.is_open = b"", b"", False
        self.sync: Sync | None = None
        self.last_channel = -1
        self.bytes_sent = self.bytes_received = 0

    def send(self, name: str, *items: Any) -> bytes:
        frame = write_message(name, *items)
        self.bytes_sent += len(frame)
        self.web.send(frame)
        if self.options.trace:
            print(f"> {name} {frame.hex()[:200]}", file=sys.stderr)
        return frame

    def receive(self, seconds: float) -> bytes | None:
        frame = self.web.receive(seconds)
        if frame is not None:
            self.bytes_received += len(frame)
            insist(self.is_open or len(frame) <= HANDSHAKE_FRAME_BYTES, "too large for now", "BAD_MESSAGE")
            if self.options.trace:
                print(f"< {read_message(frame)[0]} {frame.hex()[:200]}", file=sys.stderr)
        return frame

    def expect(self, name: str) -> tuple[bytes, list[Any]]:
        frame = self.receive(HANDSHAKE_SECONDS)
        if frame is None:
            raise Breach("TIMEOUT", "no handshake")
        came, items = read_message(frame)
        insist(came == name, f"{came} instead of {name}: {items}", "UNEXPECTED_MESSAGE")
        return frame, items

    def dial(self, address: str) -> None:
        hello = self.send("Hello", 1, 1, 0, os.urandom(32), self.journal.device, self.journal.store, address)
        ack, (version, suite, _, self.device, self.store, signature) = self.expect("HelloAck")
        insist((version, suite) == (1, 0), "another version", "VERSION")
        items_before_signature = ack[1 : -len(encode(signature))]
        transcript = transcript_of(hello, items_before_signature)
        signed = is_signed(self.device, labelled("handshake/acceptor", transcript), signature)
        insist(signed, "not signed", "UNAUTHENTICATED")
        self.send("Auth", self.journal.key.sign(labelled("handshake/dialler", transcript, signature)))
        self.is_open = True
        self.sync = Sync(self, self.journal, 1, True, self.options.descend)
        store, number = self.options.cursor or (b"", 0)
        self.sync.open(number if store == self.store else None)

    def accept(self, address: str) -> None:
        hello, (lowest, highest, suite, _, self.device, self.store, dialled) = self.expect("Hello")
        insist(lowest <= 1 <= highest, "only version 1 is spoken here", "VERSION")
        insist(suite == 0, "only suite 0 is known here", "SUITE")
        insist(dialled == address, f"this is {address}", "WRONG_ADDRESS")
        items = [1, 0, os.urandom(32), self.journal.device, self.journal.store]
        transcript = transcript_of(hello, b"".join(map(encode, items)))
        signature = self.journal.key.sign(labelled("handshake/acceptor", transcript))
        self.send("HelloAck", *items, signature)
        _, (proof,) = self.expect("Auth")
        message = labelled("handshake/dialler", transcript, signature)
        insist(is_signed(self.device, message, proof), "not signed", "UNAUTHENTICATED")
        self.is_open = True

    def run(self) -> None:
        """Until the other side closes, or all is done that was to be done."""
        heard = answered = pinged = time.monotonic()
        until: float | None = None
        while True:
            frame = self.receive(1)
            now = time.monotonic()
            if frame is not None:
                heard = now
                name, items = read_message(frame)
                answered = answered if name in ("Ping", "Pong") else now
                self.take(name, items)
            is_live = self.sync is not None and self.sync.phase == "live"
            insist(now - heard < GONE_SECONDS, "nothing was heard", "TIMEOUT")
            insist(is_live or self.sync is None or now - answered < ANSWER_SECONDS, "no answer", "TIMEOUT")
            if now - max(heard, pinged) >= QUIET_SECONDS:
                pinged = now
                self.send("Ping", 1)
            if self.sync is not None and is_live:
                if until is None:
                    until = now + self.options.live
                    for number in range(self.options.write_live):
                        self.journal.append(f"live {number}")
                    self.sync.follow()
                enough = len(self.journal.records) >= self.options.until or now >= until
                if self.options.url and enough and len(self.sync.receipts) == 2 and not self.sync.unpaid:
                    self.send("Goaway", "CANCELLED", "done")
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
                if self.sync.phase == "closed":
                    insist(not self.options.url, f"the channel was closed: {items}", "CANCELLED")
                    self.sync = None

    def opened(self, channel: int, fixed: bytes, count: int, more: int, _cursor: Any) -> None:
        insist(channel > self.last_channel, "a channel's number used again")
        self.last_channel = channel
        if fixed[:32] != self.journal.id:
            self.send("Close", channel, "NOT_SERVED", "another journal is served here")
            return
        if self.sync:
            self.send("Close", self.sync.channel, "CANCELLED", "opened anew")
        self.sync = Sync(self, self.journal, channel, False, False)
        self.sync.answer(fixed[32:], count, more, self.options.plan)
        self.sync.pump()

    def say(self, event: str, **more: Any) -> None:
        sizes = {"bytes_sent": self.bytes_sent, "bytes_received": self.bytes_received}
        print(json.dumps({"event": event, **more, **sizes}), flush=True)


def transcript_of(hello: bytes, ack: bytes) -> bytes:
    binding = b""
    return labelled("handshake", *(len(part).to_bytes(8, "big") + part for part in (hello, ack, binding)))


def cursor_of(text: str) -> tuple[bytes, int]:
    store, number = text.split(":")
    return bytes.fromhex(store), int(number)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="A minimal peer of the wire, version 1.")
    parser.add_argument("--journal", type=bytes.fromhex, required=True)
    parser.add_argument("--seed", type=bytes.fromhex, required=True, help="32 bytes: the device's key")
    parser.add_argument("--entries", type=pathlib.Path, required=True, help="file of the journal's records")
    parser.add_argument("--write", type=int, default=0, help="entries to write first")
    parser.add_argument("--write-live", type=int, default=0, help="entries to write once live")
    parser.add_argument("--trace", action="store_true", help="show each message on standard error")
    parser.add_argument("--live", type=float, default=0, help="dial: seconds to stay live at most")
    parser.add_argument("--until", type=int, default=SAFE, help="dial: entries with which to leave earlier")
    parser.add_argument("--cursor", type=cursor_of, help="dial: as printed by an earlier run")
    parser.add_argument("--descend", action="store_true", help="dial: pass over coded symbols")
    parser.add_argument("--plan", choices=PLANS, help="listen: whatever the journals are")
    parser.add_argument("--port", type=int, default=0, help="listen: 0 for one that the system chooses")
    parser.add_argument("command", choices=["dial", "listen"])
    parser.add_argument("url", nargs="?", help="dial: ws://HOST:PORT/sync")
    options = parser.parse_args()
    if (options.command == "dial") != bool(options.url):
        parser.error("dial takes a URL, listen takes none")
    return options


def main() -> int:
    if sys.argv[1:2] == ["confirm"]:
        return confirm.main(pathlib.Path(sys.argv[2]))
    options = read_options()
    journal = Journal(options.journal, options.seed, options.entries)
    for number in range(options.write):
        journal.append(f"value {number}")
    if options.url:
        url = urllib.parse.urlsplit(options.url)
        address = url.netloc
        peer = Peer(WebSocket.dial(url.hostname or "", url.port or 80, url.path), journal, options)
    else:
        with socket.create_server(("127.0.0.1", options.port)) as server:
            address = "127.0.0.1:%d" % server.getsockname()[1]
            print(json.dumps({"event": "listening", "url": f"ws://{address}/sync"}), flush=True)
            peer = Peer(WebSocket.answer(server.accept()[0], "/sync"), journal, options)
    try:
        if options.url:
            peer.dial(address)
        else:
            peer.accept(address)
        peer.run()
    except Breach as breach:
        peer.send("Goaway", breach.code, breach.words[:200])
        print(breach, file=sys.stderr)
        peer.web.close()
        return 1
    except Closed as closed:
        print(closed, file=sys.stderr)
    is_equal = peer.sync is not None and peer.sync.phase == "live"
    peer.say("done", **(peer.sync.report() if peer.sync else {}))
    peer.web.close()
    return 0 if is_equal else 1


if __name__ == "__main__":
    sys.exit(main())
