"""WebSocket (RFC 6455) without extensions, as docs/PROTOCOL.md wants it: each frame is one binary message."""

import base64, hashlib, http.client, os

from format import unsigned
from wire import FRAME_BYTES

GONE_SECONDS = 45

def masked(data, mask): return bytes(byte ^ mask[place % 4] for place, byte in enumerate(data)) if mask else data

def holds(condition):
    if not condition: raise ConnectionError("closed by the other side, or no WebSocket")

class WebSocket:
    def __init__(self, stream, address=None):
        """Dials the address, or answers whoever does."""
        self.stream, self.reader, self.dials = stream, stream.makefile("rb"), address is not None
        stream.settimeout(GONE_SECONDS)
        key = base64.b64encode(os.urandom(16)).decode()
        if self.dials:
            self.write("GET /sync HTTP/1.1", f"Host: {address}", f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13")
        line, headers = self.reader.readline(), http.client.parse_headers(self.reader)
        holds(line.startswith(b"HTTP/1.1 101 " if self.dials else b"GET /sync "))
        secret = (key if self.dials else headers["Sec-WebSocket-Key"]) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        proof = base64.b64encode(hashlib.sha1(secret.encode()).digest()).decode()
        holds(not self.dials or headers["Sec-WebSocket-Accept"] == proof)
        if not self.dials: self.write("HTTP/1.1 101 Switching Protocols", f"Sec-WebSocket-Accept: {proof}")

    def write(self, *lines):
        self.stream.sendall("\r\n".join([*lines, "Connection: Upgrade", "Upgrade: websocket", "", ""]).encode())

    def send(self, data, opcode=2):
        side, size, mask = 128 * self.dials, len(data), os.urandom(4) if self.dials else b""
        length = bytes([side + size]) if size < 126 else bytes([side + 126]) + size.to_bytes(2, "big")
        self.stream.sendall(bytes([128 + opcode]) + length + mask + masked(data, mask))

    def read(self, size):
        data = self.reader.read(size)
        holds(len(data) == size)
        return data

    def receive(self):
        message, is_last = b"", False
        while not is_last:
            first, second = self.read(2)
            opcode, is_masked, size = first & 127, second >> 7, second & 127
            if size > 125: size = unsigned(self.read(2 if size == 126 else 8))
            holds(opcode in (0, 2, 9, 10) and is_masked != self.dials and len(message) + size <= FRAME_BYTES)
            mask = self.read(4 * is_masked)
            data = masked(self.read(size), mask)
            if opcode == 9: self.send(data, 10)
            if opcode in (0, 2): message, is_last = message + data, first >> 7
        return message
