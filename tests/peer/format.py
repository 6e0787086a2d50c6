"""CBOR, hashes, entries and journals: docs/FORMAT.md."""
import bisect, functools, hashlib, os, time
import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SAFE, RECORD_BYTES, VALUE_BYTES, NULL = 2**53 - 1, 1_048_576, 65_536, type(None)

class Breach(Exception): """What the other side did breaks a rule: a code, and words."""
def insist(holds, words, code="PROTOCOL"):
    if not holds: raise Breach(code, words)
encode = functools.partial(cbor2.dumps, canonical=True)
def unsigned(data): return int.from_bytes(data, "big")
def pieces(whole, size): return [whole[at : at + size] for at in range(0, len(whole), size)]
def sha256(*parts): return hashlib.sha256(b"".join(parts)).digest()
def labelled(label, *parts): return sha256(b"isoroot/v1/", label.encode(), b"\0", *parts)  # H of the page

def fits(item, form):  # that is forms of an array, choices, a range, how many bytes, a type, or a test
    if type(form) is list: return any(fits(item, choice) for choice in form)
    if type(form) is tuple:
        return type(item) is list and len(item) == len(form) and all(map(fits, item, form))
    if type(form) is range: return type(item) is int and item in form
    if type(form) is int: return type(item) is bytes and len(item) == form
    return type(item) is form if type(form) is type else form(item)
def text(most, least=0): return lambda item: type(item) is str and least <= len(item.encode()) <= most
def array(most, form, least=0):
    return lambda item: type(item) is list and least <= len(item) <= most and all(fits(x, form) for x in item)

def is_value(value, depth=0):  # as far as it does not show when the value is written again
    if type(value) is dict: return {*map(type, value)} <= {str} and is_value([*value.values()], depth)
    if type(value) is list: return depth < 16 and all(is_value(item, depth + 1) for item in value)
    is_whole = type(value) is float and value.is_integer() and abs(value) <= SAFE
    return fits(value, [NULL, bool, bytes, str, float, range(-(2**63), 2**63)]) and not is_whole

NUMBER = range(SAFE + 1)
FACT = range(1, 2), text(256, 1), is_value, [32, NULL], [range(-SAFE, SAFE + 1), NULL]
PAYLOADS = [(NUMBER, array(1_000, FACT, 1)), (bytes, bytes), (range(2**64), bytes)]  # plain, sealed, control
BODY = range(1, 2), range(3), 32, (range(1), 8), array(8, 32), PAYLOADS

def below(ids, bits, path):  # those of sorted ids that begin with a prefix
    start = unsigned(path.ljust(32, b"\0"))
    first, last = (number.to_bytes(32, "big") for number in (start, start + (1 << 256 - bits) - 1))
    return ids[bisect.bisect_left(ids, first) : bisect.bisect_right(ids, last)]
def subtree(ids, depth=0):  # the hash of sorted ids that share so many bits
    if len(ids) < 2: return sha256(b"\0", *ids) if ids else sha256(b"isoroot/v1/empty")
    middle = bisect.bisect_left(ids, 1, key=lambda id: id[depth // 8] >> 7 - depth % 8 & 1)
    return sha256(b"\1", subtree(ids[:middle], depth + 1), subtree(ids[middle:], depth + 1))
def root_of(ids): return [len(ids), sha256(b"\2", len(ids).to_bytes(8, "big"), subtree(sorted(ids)))]
def verify(device, message, signature):  # ZIP-215 is demanded; this is stricter, which no honest peer notices
    Ed25519PublicKey.from_public_bytes(device).verify(signature, message)

class Device:
    def __init__(self, seed):
        key = Ed25519PrivateKey.from_private_bytes(seed)
        self.sign, self.id = key.sign, key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.store = labelled("peer-store", seed)[:16]

class Journal:  # records in the order in which they came, a line each in a file
    def __init__(self, id, device, folder):
        self.id, self.device, self.records, self.numbers, self.latest = id, device, [], {}, []
        self.file = (folder / id.hex()).open("a+")
        self.file.seek(0)
        for line in self.file.readlines(): self.keep(bytes.fromhex(line), is_new=False)

    def id_of(self, record): return labelled("id", self.id, record)
    def message(self, label, body):  # what is signed: an open journal is its own epoch
        return b"isoroot/v1/" + label + b"\0" + self.id + self.id + body

    def keep(self, record, is_new=True):  # whether it is here now, and durable: only plain ones are taken
        id, data, signature = self.id_of(record), record[:-64], record[-64:]
        if id in self.numbers: return True
        try:
            _, kind, device, (_, epoch), after, payload = body = cbor2.loads(data)
            insist(encode(body) == data and len(record) <= RECORD_BYTES, "another form, or too large")
            insist(fits(body, BODY) and fits(payload, PAYLOADS[kind]), "other items")
            insist(epoch == self.id[:8] and after == sorted({*after}), "another journal, or ids in disorder")
            for _, _, value, authority, _ in payload[1] if kind == 0 else []:
                insist(len(encode(value)) <= VALUE_BYTES and authority != device, "no fact")
            verify(device, self.message(b"entry", data), signature)
        except Exception as error:  # whatever the packages make of bytes from elsewhere
            raise Breach("BAD_ENTRY", repr(error)) from error
        if kind != 0: return False
        self.records.append(record)
        self.numbers[id] = len(self.records)
        if device == self.device.id: self.latest = [id]
        if is_new:
            print(record.hex(), file=self.file, flush=True)
            os.fsync(self.file.fileno())
        return True

    def append(self, value):
        facts = [[1, f"peer/{len(self.records) + 1}", value, None, None]]
        body = encode([1, 0, self.device.id, [0, self.id[:8]], self.latest, [time.time_ns() // 1_000, facts]])
        self.keep(body + self.device.sign(self.message(b"entry", body)))
