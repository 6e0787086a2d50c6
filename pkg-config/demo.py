#!/usr/bin/env python3
"""The demo: 100,000 real facts from one journal through a hub into another, and both roots.

The facts are the source lines of the crates in Cargo.lock: the file as predicate, line number and
text as value. Needs the command line tool built in release mode; leaves its data in target/demo.
"""

import json
import os
import shutil
import subprocess
import sys
import time

FACTS = 100_000
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TARGET = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
TOOL = os.path.join(TARGET, "release", "isoroot")
DATA = os.path.join(ROOT, "target", "demo")


def source_lines():
    """Yields (file, line number, text) of the locked crates, in the order of their names."""
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--all-features"]
    metadata = json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)
    packages = sorted(metadata["packages"], key=lambda package: (package["name"], package["version"]))
    for package in packages:
        # Only crates from the registry: their text is the same for everybody.
        if not package["source"]:
            continue
        top = os.path.dirname(package["manifest_path"])
        for folder, folders, files in os.walk(top):
            folders.sort()
            for name in sorted(files):
                if not name.endswith(".rs"):
                    continue
                path = os.path.join(folder, name)
                shown = f"{package['name']}-{package['version']}/{os.path.relpath(path, top)}"
                with open(path, encoding="utf-8", errors="replace") as file:
                    for number, line in enumerate(file, 1):
                        if line.strip():
                            yield shown, number, line.rstrip("\n")


def write_facts(path):
    """Writes the facts, a JSON object a line; how many."""
    count = 0
    with open(path, "w", encoding="utf-8") as out:
        for shown, number, text in source_lines():
            fact = {"predicate": shown, "value": {"line": number, "text": text}}
            out.write(json.dumps(fact, ensure_ascii=False) + "\n")
            count += 1
            if count == FACTS:
                break
    return count


def isoroot(*arguments):
    """Runs the tool; the last JSON line that it prints."""
    command = [TOOL, *arguments, "--json"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def timed(text, action):
    began = time.monotonic()
    result = action()
    print(f"  {text:<44} {time.monotonic() - began:7.2f} s")
    return result


def megabytes(count):
    return f"{count / 1e6:.1f} MB"


def main():
    shutil.rmtree(DATA, ignore_errors=True)
    os.makedirs(DATA)
    lines, writer, reader = (os.path.join(DATA, name) for name in ("facts.jsonl", "writer.redb", "reader.redb"))
    print("Isoroot demo")
    count = timed("gather source lines of the crates in Cargo.lock", lambda: write_facts(lines))
    print(f"    {count:,} facts, {megabytes(os.path.getsize(lines))} of JSON")
    hub = subprocess.Popen(
        [TOOL, "hub", "--listen", "127.0.0.1:0", "--data", os.path.join(DATA, "hub"), "--json"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        url = json.loads(hub.stdout.readline())["url"]
        print(f"  hub at {url}")
        link = isoroot("init", "--store", writer, "--hub", url)["link"]
        timed("import into the first journal", lambda: isoroot("import", lines, "--store", writer))
        up = timed("sync it to the hub", lambda: isoroot("sync", url, "--store", writer))
        isoroot("open", link, "--store", reader)
        down = timed("sync from the hub into the second journal", lambda: isoroot("sync", url, "--store", reader))
        for way, report in (("up", up), ("down", down)):
            wire, payload = (
                report[f"{kind}_sent"] + report[f"{kind}_received"] for kind in ("wire", "bytes")
            )
            print(f"    {way + ':':<5} {megabytes(payload)} of entries, {megabytes(wire)} on the wire")
        roots = [isoroot("root", "--store", store) for store in (writer, reader)]
    finally:
        hub.terminate()
        code = hub.wait(timeout=10)
    for name, root in zip(("first", "second"), roots):
        print(f"  {name + ' root':<12} {root['root']}  {root['entries']:,} entries, {root['facts']:,} facts")
    if code != 0:
        sys.exit(f"the hub ended with code {code}")
    if roots[0] != roots[1] or roots[0]["facts"] != count:
        sys.exit("the roots differ")
    print("  equal: the two journals hold the same facts")


if __name__ == "__main__":
    main()
