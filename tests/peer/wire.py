"""Messages, bundles of entries, and the WebSocket that carries them: docs/PROTOCOL.md."""
import base64, hashlib, http.client, io, os
import cbor2
from format import NULL, NUMBER, array, encode, fits, insist, labelled, pieces, text, unsigned

FRAME_BYTES, GONE_SECONDS, WEBSOCKET = 65_536, 45, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
HEAD = "{}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"

def some(most, size):  # at most so many pieces of so many bytes, in one byte string
    return lambda item: type(item) is bytes and len(item) % size == 0 and len(item) <= most * size
def is_prefix(item):  # how many bits, and the bytes that hold them, with spare bits 0
    is_pair = fits(item, (range(257), bytes)) and len(item[1]) == (item[0] + 7) // 8
    return is_pair and unsigned(item[1]) % (1 << -item[0] % 8) == 0
def is_answer(item):  # at most 16 ids; or count and hash of each of 16 children, in the frame pairs of a map
    if len(item) == 32: return all(fits(pair, (NUMBER, 32 if pair[0] else 0)) for pair in pieces(item, 2))
    return fits(item, array(16, 32)) and item == sorted(set(item))

CHANNEL, CODE, CELLS, ROW = range(2**32), (text(40), text(200)), some(5_400, 11), range(16_385)
PLAN = [(range(1), NUMBER, NUMBER), (range(1, 2),), (range(2, 3), NUMBER, ROW, CELLS), (range(3, 5),)]
MESSAGES = {  # the type of each, and the forms of its items
    "Hello": (0, (NUMBER, NUMBER, NUMBER, 32, 32, 16, text(300))),
    "HelloAck": (1, (NUMBER, NUMBER, 32, 32, 16, 64)), "Auth": (2, (64,)),
    "Ping": (3, (NUMBER,)), "Pong": (4, (NUMBER,)), "Goaway": (5, CODE),
    "Open": (16, (CHANNEL, 128, NUMBER, NUMBER, [NUMBER, NULL])),
    "Same": (17, (CHANNEL, NUMBER, bool)), "Differ": (18, (CHANNEL, NUMBER, NUMBER, PLAN, bool)),
    "Close": (19, (CHANNEL, *CODE)),
    "Ask": (20, (CHANNEL, array(96, lambda item: is_prefix(item) and item[0] % 4 == 0))),
    "Tell": (21, (CHANNEL, array(96, is_answer))), "Want": (22, (CHANNEL, range(2, 9), bytes, bool)),
    "Entries": (23, (CHANNEL, array(4_096, 32), range(4_097))),
    "Part": (24, (CHANNEL, NUMBER, NUMBER, bytes)), "Upto": (25, (CHANNEL, NUMBER)),
    "Sent": (26, (CHANNEL,)), "Root": (27, (CHANNEL, NUMBER, 32)),
    "Refused": (28, (CHANNEL, array(1_900, 32))), "Credit": (29, (CHANNEL, NUMBER, NUMBER)),
    "Symbols": (30, (CHANNEL, is_prefix, NUMBER, CELLS, bool)),
    "More": (31, (CHANNEL, is_prefix, NUMBER, NUMBER)), "List": (32, (CHANNEL, some(7_500, 8), bool)),
    "AskReceipt": (33, (CHANNEL, 32, [32, NULL])), "Receipt": (34, (CHANNEL, some(512, 1))),
}
NAMES = {kind: name for name, (kind, _) in MESSAGES.items()}

def read_tell(data):  # its maps may have one key several times, which no package takes
    decoder, answers = cbor2.CBORDecoder(io.BytesIO(data)), []
    channel, head = decoder.decode(), decoder.read(1)[0]
    for _ in range(decoder.read(1)[0] if head == 0x98 else head & 31):
        head = decoder.read(1)[0]
        answers.append([decoder.decode() for _ in range(32 if head == 0xB0 else head & 31)])
    return [channel, answers]
def write_tell(channel, answers):
    head = encode([None] * len(answers)).rstrip(encode(None))
    parts = [b"\xb0" + encode(answer)[2:] if len(answer) == 32 else encode(answer) for answer in answers]
    return [encode(channel), head, *parts]

def write_message(name, *items):
    return bytes([MESSAGES[name][0]]) + b"".join(write_tell(*items) if name == "Tell" else map(encode, items))
def read_message(frame):  # raises whatever it is for what is not a message in its one form
    name = NAMES[frame[0]]
    items = read_tell(frame[1:]) if name == "Tell" else cbor2.loads(b"\x9f" + frame[1:] + b"\xff")
    whole = write_message(name, *items) == frame and (name != "Want" or len(items[2]) % items[1] == 0)
    insist(whole and fits(items[:3] if name == "Entries" else items, MESSAGES[name][1]), name, "BAD_MESSAGE")
    if len(items) > 3 and name == "Entries": unpack_bundle(bytes(32), *items[1:])
    return name, items

def unpack_bundle(journal, devices, count, *items):  # numbered records, not yet checked
    insist(len(devices) <= count > 0, "a bundle of none, or of more devices than entries")
    entries, last, rest, number, stamp = [], {}, iter(items), 0, 0
    for _ in range(count):
        gap, kind = next(rest), next(rest)
        number, place, form = number + gap + 1, *divmod(kind, 4)
        is_entry = fits([gap, kind], (NUMBER, NUMBER)) and (kind == 3 or form < 3 and place < len(devices))
        insist(is_entry, "a number, device or form that cannot be", "BAD_MESSAGE")
        if form == 3: record = next(rest)
        else:
            device, stamp = devices[place], stamp + next(rest)
            after = [] if form == 0 else [last[device]] if form == 1 else next(rest)
            record = encode([1, 0, device, [0, journal[:8]], after, [stamp, None]])[:-1] + next(rest)
            last[device] = labelled("id", journal, record)
        entries.append((number, record))
    insist(not [*rest] and number in NUMBER, "something follows the bundle", "BAD_MESSAGE")
    return entries

def holds(condition):
    if not condition: raise ConnectionError("closed by the other side, or no WebSocket as it is wanted")
def masked(data, mask): return bytes(x ^ mask[i % 4] for i, x in enumerate(data)) if mask else data

class WebSocket:  # RFC 6455, and only what is needed: a frame of the protocol is one binary frame
    def __init__(self, stream, address=None):  # dials the address, or answers whoever does
        self.stream, self.reader, self.dials = stream, stream.makefile("rb"), address is not None
        stream.settimeout(GONE_SECONDS)
        key = base64.b64encode(os.urandom(16)).decode()
        fields = f"Host: {address}\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13"
        if self.dials: stream.sendall(HEAD.format("GET /sync HTTP/1.1\r\n" + fields).encode())
        line, headers = self.reader.readline(), http.client.parse_headers(self.reader)
        holds(line.startswith(b"HTTP/1.1 101 " if self.dials else b"GET /sync "))
        secret = (key if self.dials else headers["Sec-WebSocket-Key"]) + WEBSOCKET
        proof = base64.b64encode(hashlib.sha1(secret.encode()).digest()).decode()
        holds(not self.dials or headers["Sec-WebSocket-Accept"] == proof)
        answer = HEAD.format(f"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: {proof}")
        if not self.dials: stream.sendall(answer.encode())

    def send(self, data):
        side, size, mask = 128 * self.dials, len(data), os.urandom(4) if self.dials else b""
        length = bytes([side + size]) if size < 126 else bytes([side + 126]) + size.to_bytes(2, "big")
        self.stream.sendall(b"\x82" + length + mask + masked(data, mask))

    def read(self, size):
        data = self.reader.read(size)
        holds(len(data) == size)
        return data

    def receive(self):
        first, second = self.read(2)
        size = second & 127
        if size > 125: size = unsigned(self.read(2 if size == 126 else 8))
        holds(first == 0x82 and second >> 7 != self.dials and size <= FRAME_BYTES)
        mask = self.read(0 if self.dials else 4)
        return masked(self.read(size), mask)
