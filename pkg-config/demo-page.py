#!/usr/bin/env python3
"""The second half of the demo: a hub that serves the demo page, and how native tools join it.

Needs the command line tool built in release mode, and `make page`. Stays until Ctrl-C. The hub's data
is in target/demo, as is that of the tool in the commands that it prints.
"""

import json
import os
import signal
import socket
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TARGET = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
TOOL = os.path.join(TARGET, "release", "isoroot")
PAGE = os.path.join(TARGET, "www")
PACKAGE = os.path.join(ROOT, "www", "node_modules", "isoroot", "dist", "node.js")
DATA = os.path.join(ROOT, "target", "demo")
PORT = 8080

# The journal that the page opens, as its package derives it.
LINK = """
import { pathToFileURL } from "node:url";
const [file, hub] = process.argv.slice(1);
const { SyncNode } = await import(pathToFileURL(file));
const node = await SyncNode.create({ name: "demo" });
console.log(node.link(hub));
await node.close();
"""


def port_is_free(port):
    with socket.socket() as probe:
        # As the hub does: what was closed a moment ago is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def shown(path):
    """The path as it is typed in the project's folder."""
    inside = os.path.relpath(path, ROOT)
    return path if inside.startswith("..") else inside


def main():
    for needed in (os.path.join(PAGE, "index.html"), PACKAGE):
        if not os.path.exists(needed):
            sys.exit(f"{needed} is not there: make page")
    port = PORT if port_is_free(PORT) else 0
    # In a group of its own: Ctrl-C is for this program, which then ends the hub in good order.
    hub = subprocess.Popen(
        [TOOL, "hub", "--listen", f"127.0.0.1:{port}", "--data", os.path.join(DATA, "page"), "--www", PAGE, "--json"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )

    def stop(*_):
        hub.terminate()

    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, stop)
    try:
        invite(hub, port)
        code = hub.wait()
    finally:
        hub.terminate()
    print("\n  The hub has stopped.")
    sys.exit(code)


def invite(hub, port):
    """Waits until the hub listens, and says how to join."""
    first = hub.stdout.readline()
    if not first:
        sys.exit(hub.wait() or 1)
    said = json.loads(first)
    node = ["node", "--input-type=module", "-e", LINK, PACKAGE, said["url"]]
    link = subprocess.run(node, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    tool, store = shown(TOOL), shown(os.path.join(DATA, "native.redb"))

    if port == 0:
        print(f"\n  Port {PORT} is taken: another one was chosen.")
    print(f"\n  The demo page: {said['page']}")
    print("  Open it in two tabs: each is a device of its own. Take one offline, add notes in both,")
    print("  and see the tiles differ and become equal again.\n")
    print("  The command line joins as a third device, from another terminal:\n")
    print(f"    {tool} open '{link}' --store {store}")
    print(f"    {tool} append note/terminal '\"Hello from the terminal\"' --store {store}")
    print(f"    {tool} sync --store {store}")
    print(f"    {tool} root --store {store}\n")
    print("  Ctrl-C stops the hub.", flush=True)


if __name__ == "__main__":
    main()
