"""Holds the peer to the golden files, and its descent to what there is to find. Its argument is their folder."""

import hashlib, json, pathlib, sys

sys.dont_write_bytecode = True  # nothing is to be left behind in the tree

from format import encode, labelled
from search import by_descent, places, row_of, sketch_of, symbol, tell
from wire import read_message, unpack_bundle, write_message

def is_message(frame):
    try: return bool(read_message(frame))
    except Exception: return False

def checks(folder):
    for name, text in json.loads((folder / "messages.json").read_text()).items():
        frame = bytes.fromhex(text)
        kind, items = read_message(frame)
        yield f"{name} written", write_message(kind, *items) == frame
        longer = frame[:1] + bytes([24]) + frame[1:] if frame[1] < 24 else frame + frame
        for other in (frame[:-1], frame + b"\0", longer): yield f"{name} in another form", not is_message(other)
    golden = json.loads((folder / "symbols.json").read_text())
    for case in golden["mapping"]:
        x = int(case["short"], 16)
        yield case["name"], [*places(x, 16_384)] == case["cells"] and f"{symbol(x):022x}"[16:] == case["check"]
    for case in golden["sets"]:
        ids = [hashlib.sha256(n.to_bytes(4, "big")).digest() for n in range(case["from"], case["to"])]
        yield case["name"], b"".join(row_of(ids, 256)).hex() == case["row"] and sketch_of(ids).hex() == case["sketch"]
    # As many ids on both sides below each prefix: only the hashes tell.
    here, there = ids[:-1] , ...

results = [*checks(pathlib.Path(sys.argv[1]))]
for name, holds in results:
    if not holds: print(f"FAILED: {name}")
