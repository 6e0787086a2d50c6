"""Holds the peer to the golden files, in the folder that is its argument, and descents to what there is to find."""
import hashlib, json, pathlib, sys
sys.dont_write_bytecode = True  # nothing is to be left behind in the tree
from format import Device, Journal, encode
from search import by_descent, places, row_of, sketch_of, symbol, tell
from wire import read_message, unpack_bundle, write_message

def fails(function, *arguments):
    try: function(*arguments)
    except Exception: return True

def ids_of(numbers): return [hashlib.sha256(number.to_bytes(4, "big")).digest() for number in numbers]

def checks(folder):
    for name, text in json.loads((folder / "messages.json").read_text()).items():
        frame = bytes.fromhex(text)
        kind, items = read_message(frame)
        yield f"{name} written", write_message(kind, *items) == frame
        for other in frame[:-1], frame + b"\0", frame[:1] + b"\x18" + frame[1:]:
            yield f"{name} in another form", fails(read_message, other)
    golden = json.loads((folder / "symbols.json").read_text())
    for case in golden["mapping"]:
        x = int(case["short"], 16)
        yield f"cells of {case['name']}", [*places(x, 16_384)] == case["cells"] 
        yield f"check of {case['name']}", f"{symbol(x):022x}"[16:] == case["check"]
    for case in golden["sets"]:
        ids = ids_of(range(case["from"], case["to"]))
        yield f"row of {case['name']}", b"".join(row_of(ids, 256)).hex() == case["row"]
        yield f"sketch of {case['name']}", sketch_of(ids).hex() == case["sketch"]
