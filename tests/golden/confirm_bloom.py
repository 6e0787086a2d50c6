"""Rebuilds the golden Bloom filters: sizes from the formulas, bits from the pairs. See docs/FORMAT.md."""

import math

MOST_BITS = 8 * 2**20


def parameters(expected, rate):
    """Bits and hashes of a filter; no hashes where it would be too large."""
    bits = max(64, math.ceil(-expected * math.log(rate) / math.log(2) ** 2))
    if bits > MOST_BITS:
        return [bits, None]
    # Python rounds halves to even, which the formula does not.
    return [bits, min(32, max(1, math.floor(bits / expected * math.log(2) + 0.5)))]


def places(pair, bits, hashes, labelled):
    """The bits that stand for a pair, given as its canonical bytes."""
    digest = labelled("bloom", pair)
    place, step = (int.from_bytes(digest[at : at + 8], "big") % bits for at in (0, 8))
    for number in range(1, hashes + 1):
        yield place
        place, step = (place + step) % bits, (step + number) % bits


def filter_bytes(case, cbor, plain, labelled):
    expected, rate = case["expected"], float(case["rate"])
    bits, hashes = parameters(expected, rate)
    found, count = bytearray(-(-bits // 8)), 0
    for predicate, value in case["pairs"]:
        is_new = False
        for place in places(cbor(predicate) + cbor(plain(value)), bits, hashes, labelled):
            is_new |= not found[place // 8] & 0x80 >> place % 8
            found[place // 8] |= 0x80 >> place % 8
        count += is_new
    return cbor([1, expected, rate, bits, hashes, count, bytes(found)])


def check(golden, cbor, plain, labelled):
    """Each check as a name and whether it holds."""
    for case in golden["sizes"]:
        size = parameters(case["expected"], float(case["rate"]))
        yield f"size of a filter for {case['expected']} at {case['rate']}", size == [case["bits"], case["hashes"]]
    for case in golden["filters"]:
        yield f"filter {case['name']}", filter_bytes(case, cbor, plain, labelled).hex() == case["hex"]
