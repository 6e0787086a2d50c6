"""Holds the peer to the golden files, in the folder that is named; and descents to what there is to find."""
import hashlib, json, pathlib, sys, tempfile
sys.dont_write_bytecode = True  # nothing is to be left behind in the tree
from format import Device, Journal
from search import by_descent, by_symbols, places, row_of, sketch_of, symbol, tell
from wire import read_message, unpack_bundle, write_message

def fails(function, *arguments):
    try: function(*arguments)
    except Exception: return True
def checks(golden, journal):
    for name, text in golden["messages"].items():
        frame = bytes.fromhex(text)
        kind, items = read_message(frame)
        yield f"{name} written", write_message(kind, *items) == frame
        for other in frame[:-1], frame + b"\0", frame[:1] + b"\x18" + frame[1:]:
            yield f"{name} in another form", fails(read_message, other)
        for _, record in unpack_bundle(journal.id, *items[1:])[:-1] if name == "entries" else []:
            yield "an entry of the bundle", journal.keep(record)
    for case in golden["entries"]:
        record, is_ours = bytes.fromhex(case["record"]), case["journal"] == journal.id.hex()
        yield f"{case['name']} forged", fails(journal.keep, record[:-1] + bytes([record[-1] ^ 1]))
        for data in b"\x98\x06" + record[1:-64], record[:-64].replace(journal.id[:8], bytes(8)):
            signature = Device(bytes.fromhex(case["seed"])).sign(journal.message(b"entry", data))
            yield f"{case['name']} in another form or journal", fails(journal.keep, data + signature)
        yield case["name"], journal.keep(record) if is_ours else fails(journal.keep, record)
    for case, x in ((case, int(case["short"], 16)) for case in golden["symbols"]["mapping"]):
        yield case["name"], [*places(x, 16_384)] == case["cells"] and f"{symbol(x):x}"[-6:] == case["check"]
    for case in golden["symbols"]["sets"]:
        ids = sorted(hashlib.sha256(n.to_bytes(4, "big")).digest() for n in range(case["from"], case["to"]))
        row = b"".join(row_of(ids, 256))
        yield case["name"], (row + sketch_of(ids)).hex() == case["row"] + case["sketch"]
    def told(_, __, prefixes): return [[tell(ids, *prefix) for prefix in prefixes]]
    def more(_, __, prefix, at, count): return [prefix, at, b"".join(row_of(ids, at + count)[at:]), True]
    # With as many ids on both sides below each prefix, only the hashes tell.
    for id in ids[::97]:
        view = sorted({*ids} - {id} | {id[:-1] + bytes([id[-1] ^ 1])})
        yield "a descent", by_descent(view, told) == ({*view} - {*ids}, {id[:8]})
    yield "more symbols", by_symbols(ids[9:], more, 5, row[: 5 * 11]) == (set(), {id[:8] for id in ids[:9]})

golden = {path.stem: json.loads(path.read_text()) for path in pathlib.Path(sys.argv[1]).glob("*.json")}
with tempfile.TemporaryDirectory() as store:
    notes = bytes.fromhex(golden["entries"][0]["journal"])
    results = [*checks(golden, Journal(notes, Device(bytes(32)), pathlib.Path(store)))]
failed = [name for name, holds in results if not holds]
sys.exit(f"failed: {failed}") if failed else print(f"{len(results)} passed")
