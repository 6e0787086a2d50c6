"""Messages and bundles of entries: docs/PROTOCOL.md."""

import io

import cbor2

from format import NULL, NUMBER, array, encode, fits, insist, labelled, pieces, text, unsigned

FRAME_BYTES = 65_536

def some(most, size):  # at most so many pieces of so many bytes, in one byte string
    return lambda item: type(item) is bytes and len(item) % size == 0 and len(item) <= most * size

def is_prefix(item):  # how many bits, and the bytes that hold them, with spare bits 0
    is_pair = fits(item, (range(257), bytes)) and len(item[1]) == (item[0] + 7) // 8
    return is_pair and unsigned(item[1]) % (1 << -item[0] % 8) == 0

def is_answer(item):  # at most 16 ids; or count and hash of each of 16 children, in the frame pairs of a map
    if len(item) == 32: return all(fits(pair, (NUMBER, 32 if pair[0] else 0)) for pair in pieces(item, 2))
    return fits(item, array(16, 32)) and item == sorted(set(item))

CHANNEL, CODE, CELLS = range(2**32), (text(40), text(200)), some(5_400, 11)
ASKED = array(96, lambda item: is_prefix(item) and item[0] % 4 == 0)
PLAN = [(range(1), NUMBER, NUMBER), (range(1, 2),), (range(2, 3), NUMBER, range(16_385), CELLS), (range(3, 5),)]
# Of each message its type and the forms of its items.
MESSAGES = {
    "Hello": (0, (NUMBER, NUMBER, NUMBER, 32, 32, text(300))),
    "HelloAck": (1, (NUMBER, NUMBER, 32, 32, 64)), "Auth": (2, (64,)),
    "Ping": (3, (NUMBER,)), "Pong": (4, (NUMBER,)), "Goaway": (5, CODE),
    "Open": (16, (CHANNEL, 144, NUMBER, NUMBER, [(4, NUMBER), NULL])),
    "Same": (17, (CHANNEL, [16, NULL], NUMBER)), "Differ": (18, (CHANNEL, 16, NUMBER, NUMBER, PLAN)),
    "Close": (19, (CHANNEL, *CODE)),
    "Ask": (20, (CHANNEL, ASKED)), "Tell": (21, (CHANNEL, array(96, is_answer))),
    "Want": (22, (CHANNEL, range(2, 9), bytes, bool)),
    "Entries": (23, (CHANNEL, array(4_096, 32), range(4_097))), "Part": (24, (CHANNEL, NUMBER, NUMBER, bytes)),
    "Upto": (25, (CHANNEL, NUMBER)), "Sent": (26, (CHANNEL,)), "Root": (27, (CHANNEL, NUMBER, 32)),
    "Refused": (28, (CHANNEL, array(1_900, 32))), "Credit": (29, (CHANNEL, NUMBER, NUMBER)),
    "Symbols": (30, (CHANNEL, is_prefix, NUMBER, CELLS, bool)),
    "More": (31, (CHANNEL, is_prefix, NUMBER, NUMBER)), "List": (32, (CHANNEL, some(7_500, 8), bool)),
    "AskReceipt": (33, (CHANNEL, 32, [32, NULL])), "Receipt": (34, (CHANNEL, some(512, 1))),
}
NAMES = {kind: name for name, (kind, _) in MESSAGES.items()}

# The maps of a Tell may have a key several times, which no package takes.

def read_tell(data):
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
    insist(len(frame) <= FRAME_BYTES, "a frame too large", "BAD_MESSAGE")
    name = NAMES[frame[0]]
    items = read_tell(frame[1:]) if name == "Tell" else cbor2.loads(b"\x9f" + frame[1:] + b"\xff")
    # What follows the three items of a bundle is looked at when that is unpacked.
    is_message = fits(items[:3] if name == "Entries" else items, MESSAGES[name][1])
    is_message &= write_message(name, *items) == frame and (name != "Want" or len(items[2]) % items[1] == 0)
    insist(is_message, f"{name} with other items, or in another form", "BAD_MESSAGE")
    return name, items

def unpack_bundle(journal, devices, count, *items):  # numbered records, not yet checked
    insist(len(devices) <= count > 0, "a bundle of none, or of more devices than entries")
    entries, last, rest, number, stamp = [], {}, iter(items), 0, 0
    for _ in range(count):
        gap, kind = next(rest), next(rest)
        insist(fits([gap, kind], (NUMBER, [range(4 * len(devices)), range(3, 4)])), "no entry", "BAD_MESSAGE")
        number += gap + 1
        place, form = divmod(kind, 4)
        if form == 3:
            insist(place == 0, "a device for another form", "BAD_MESSAGE")
            entries.append((number, next(rest)))
            continue
        device, stamp = devices[place], stamp + next(rest)
        after = [] if form == 0 else [last[device]] if form == 1 else next(rest)
        # A plain record up to its facts.
        head = encode([1, 0, device, [0, journal[:8]], after, [stamp, None]])[:-1]
        entries.append((number, head + next(rest)))
        last[device] = labelled("id", journal, entries[-1][1])
    insist(not list(rest) and number in NUMBER, "something follows the bundle", "BAD_MESSAGE")
    return entries
