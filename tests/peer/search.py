"""Coded symbols and descents: docs/PROTOCOL.md. Both give the ids only here, and the short ids only there."""
import math, struct
from format import below, insist, pieces, subtree, unsigned

MASK, ALL, CELLS_PER_ROW, PREFIXES_PER_ASK, IDS_PER_NODE = 2**64 - 1, [0, b""], 16_384, 96, 16

def parted(view, shorts):  # of short ids that one side has: those here, in full, and those there
    here = {id for id in view if id[:8] in shorts}
    return here, shorts - {id[:8] for id in here}
def sketch_of(ids):
    counters = (sum(1 if unsigned(id[8:12]) >> j & 1 else -1 for id in ids) for j in range(32))
    return struct.pack(">32H", *(counter & 0xFFFF for counter in counters))
def mix(z):
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK
    return z ^ z >> 31
def symbol(x): return x << 24 | mix(x ^ 0x9AE16A3B2F90404F) >> 40  # a short id and its check, as in cells
def places(x, count):  # which of the first cells a short id is in
    state, i = mix(x), 0
    while i < count:
        yield i
        state = state + 0x9E3779B97F4A7C15 & MASK
        u = ((mix(state) >> 11) + 1) / 2**53
        i += max(1, math.ceil((i + 1.5) * (1 / math.sqrt(u) - 1)))
def row_of(ids, count):
    cells = [0] * count
    for x in (unsigned(id[:8]) for id in ids):
        for place in places(x, count): cells[place] ^= symbol(x)
    return [cell.to_bytes(11, "big") for cell in cells]

def peel(row, mine):  # the short ids in which two rows differ, or None if these are too few cells to tell
    cells = [unsigned(one) ^ unsigned(other) for one, other in zip(row, mine)]
    found, to_see = set(), [*range(len(cells))]
    while to_see and len(found) <= len(cells):
        place = to_see.pop()
        x = cells[place] >> 24
        if cells[place] and cells[place] == symbol(x) and place in places(x, place + 1):
            found ^= {x.to_bytes(8, "big")}
            to_see += places(x, len(cells))
            for other in places(x, len(cells)): cells[other] ^= symbol(x)
    return None if any(cells) else found

def by_symbols(view, ask, asked, cells):  # so many come unasked, and these are the first of them
    row, most, question = pieces(cells, 11), min(max(4 * asked, 64), CELLS_PER_ROW), []
    while True:
        while len(row) < asked:
            prefix, first, cells, last = ask("Symbols", *question)
            row, before, question = row + pieces(cells, 11), len(row), []
            insist((prefix, first, last) == (ALL, before, len(row) == asked), "other cells than asked for")
        found = peel(row, row_of(view, asked))
        if found is not None: return parted(view, found)
        if asked == most: return by_descent(view, ask)
        asked = min(max(asked * 3 // 2, 16), most)
        question = ["More", ALL, len(row), asked - len(row)]

def children(bits, path):  # the 16 prefixes of one hexadecimal digit more
    stem, spare = path.hex()[: bits // 4], "0" * (bits % 8 == 0)
    return [[bits + 4, bytes.fromhex(stem + digit + spare)] for digit in "0123456789abcdef"]
def summary(view, bits, path):
    ids = below(view, bits, path)
    return [len(ids), subtree(ids, bits) if ids else b""]
def tell(view, bits, path):  # the answer to a question about a prefix
    ids = below(view, bits, path)
    return ids if len(ids) <= IDS_PER_NODE else sum((summary(ids, *one) for one in children(bits, path)), [])

def by_descent(view, ask):
    theirs, to_ask = set(view), [ALL]
    while to_ask:
        asked, to_ask = to_ask[:PREFIXES_PER_ASK], to_ask[PREFIXES_PER_ASK:]
        (answers,) = ask("Tell", "Ask", asked)
        insist(len(answers) == len(asked), "not as many answers as questions")
        for prefix, answer in zip(asked, answers):
            if len(answer) > IDS_PER_NODE:
                told = zip(children(*prefix), pieces(answer, 2))
                to_ask += [child for child, sum_there in told if sum_there != summary(view, *child)]
            else:
                insist(below(answer, *prefix) == answer, "an id from elsewhere")
                theirs = theirs.difference(below(view, *prefix)).union(answer)
    return set(view) - theirs, {id[:8] for id in theirs.difference(view)}
