"""WebSocket (RFC 6455), without extensions, as docs/PROTOCOL.md wants it. For peer.py."""

from __future__ import annotations

import base64
import hashlib
import os
import select
import socket
import time

from entries import insist
from wire import FRAME_BYTES


class Closed(Exception):
    """The connection is over."""


class WebSocket:
    """RFC 6455 without extensions: a frame of ours is one binary message."""

    def __init__(self, stream: socket.socket, masks: bool) -> None:
        self.stream, self.masks = stream, masks
        self.incoming, self.outgoing, self.message = bytearray(), bytearray(), bytearray()

    @classmethod
    def dial(cls, host: str, port: int, path: str) -> WebSocket:
        key = base64.b64encode(os.urandom(16)).decode()
        web = cls(socket.create_connection((host, port), 10), True)
        web.stream.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        status, headers = web.read_head()
        insist(" 101 " in status and headers.get("sec-websocket-accept") == accept(key), f"no WebSocket: {status}")
        return web

    @classmethod
    def answer(cls, stream: socket.socket, path: str) -> WebSocket:
        web = cls(stream, False)
        request, headers = web.read_head()
        if request.split() != ["GET", path, "HTTP/1.1"] or "sec-websocket-key" not in headers:
            stream.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            raise Closed("another request")
        stream.sendall(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept(headers['sec-websocket-key'])}\r\n\r\n".encode()
        )
        return web

    def read_head(self) -> tuple[str, dict[str, str]]:
        while b"\r\n\r\n" not in self.incoming:
            self.read()
        lines, _, self.incoming = self.incoming.partition(b"\r\n\r\n")
        first, *fields = lines.decode("latin-1").split("\r\n")
        return first, {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}

    def read(self) -> None:
        data = self.stream.recv(65_536)
        if not data or len(self.incoming) > 1 << 20:
            raise Closed("the other side hung up")
        self.incoming += data

    def send(self, data: bytes, opcode: int = 2) -> None:
        mask = os.urandom(4) if self.masks else b""
        bit, size = 0x80 * self.masks, len(data)
        short, width = (size, 0) if size < 126 else (126, 2) if size <= 0xFFFF else (127, 8)
        length = bytes([bit | short]) + (size.to_bytes(width, "big") if width else b"")
        self.outgoing += bytes([0x80 | opcode]) + length + mask + masked(data, mask)

    def receive(self, seconds: float) -> bytes | None:
        """The next message, or None after so many seconds. Sends meanwhile."""
        until = time.monotonic() + seconds
        while (message := self.take()) is None:
            left = until - time.monotonic()
            if left <= 0:
                return None
            readable, writable, _ = select.select([self.stream], [self.stream] * bool(self.outgoing), [], left)
            if writable:
                del self.outgoing[: self.stream.send(self.outgoing)]
            if readable:
                self.read()
        return message

    def take(self) -> bytes | None:
        """The next whole message of what came."""
        while len(self.incoming) >= 2:
            final, opcode, size = self.incoming[0] >> 7, self.incoming[0] & 0x7F, self.incoming[1] & 0x7F
            start = 2 + {126: 2, 127: 8}.get(size, 0)
            if size > 125:
                size = int.from_bytes(self.incoming[2:start], "big")
            begin = start + 4 * (not self.masks)
            insist(size <= FRAME_BYTES and self.incoming[1] >> 7 != self.masks, "a frame too large, or not masked")
            if len(self.incoming) < begin + size:
                break
            data = masked(bytes(self.incoming[begin : begin + size]), bytes(self.incoming[start:begin]))
            del self.incoming[: begin + size]
            if opcode == 8:
                raise Closed(f"closed by the other side: {data[:2].hex()} {data[2:].decode()}")
            if opcode == 9:
                self.send(data, 10)
            elif opcode in (0, 2):
                self.message += data
                insist(len(self.message) <= FRAME_BYTES, "a frame too large", "BAD_MESSAGE")
                if final:
                    message, self.message = bytes(self.message), bytearray()
                    return message
            else:
                insist(opcode == 10, "neither binary nor control", "BAD_MESSAGE")
        return None

    def close(self) -> None:
        """Sends what is left, and a close."""
        self.send((1000).to_bytes(2, "big"), 8)
        try:
            self.stream.settimeout(5)
            self.stream.sendall(self.outgoing)
            self.stream.shutdown(socket.SHUT_WR)
            while self.stream.recv(65_536):
                pass
        except OSError:
            pass
        self.stream.close()


def accept(key: str) -> str:
    guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    return base64.b64encode(hashlib.sha1((key + guid).encode()).digest()).decode()


def masked(data: bytes, mask: bytes) -> bytes:
    if not mask:
        return data
    pad = (mask * (len(data) // 4 + 1))[: len(data)]
    return (int.from_bytes(data, "big") ^ int.from_bytes(pad, "big")).to_bytes(len(data), "big")
