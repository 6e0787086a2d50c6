#!/usr/bin/env python3
"""Measures the command line tool over its whole way: import, sync through a hub, root.

Prints machine and workload, then the median of five runs of each figure. The workload is 100,000
JSON lines of some 150 bytes, the same for everybody. Needs the tool built in release mode.
"""

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

FACTS = 100_000
RUNS = int(os.environ.get("RUNS", "5"))
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TARGET = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
TOOL = os.path.join(TARGET, "release", "isoroot")


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        models = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    model = models[0] if models else platform.machine()
    return f"{os.cpu_count()} x {model}, {memory / 2**30:.0f} GiB, {platform.system()} {platform.release()}"


def write_facts(path):
    with open(path, "w", encoding="utf-8") as out:
        for number in range(FACTS):
            text = f"note {number:06} on the quick brown fox, the lazy dog and what they agreed upon at dawn"
            fact = {"predicate": f"note/{number % 1000:03}", "value": text, "timestamp": 1_750_000_000_000 + number}
            out.write(json.dumps(fact) + "\n")


class Process:
    """A run of the tool: its time, its peak memory, what it said."""

    def __init__(self, *arguments):
        self.began = time.monotonic()
        self.process = subprocess.Popen([TOOL, *arguments, "--json"], stdout=subprocess.PIPE, text=True)

    def line(self):
        return json.loads(self.process.stdout.readline())

    def end(self):
        """Waits for the end; the last JSON line, if there is one."""
        lines = self.process.stdout.read().strip().splitlines()
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self.seconds = time.monotonic() - self.began
        self.megabytes = usage.ru_maxrss / 1024
        if self.process.returncode != 0:
            sys.exit(f"{self.process.args} ended with code {self.process.returncode}")
        return json.loads(lines[-1]) if lines else None


def run(*arguments):
    process = Process(*arguments)
    process.said = process.end()
    return process


def once(lines, batch):
    """One run of the whole way; figures by name."""
    # Beside the target folder: where the system keeps temporary files may be memory, which does not sync.
    with tempfile.TemporaryDirectory(dir=TARGET) as data:
        writer, reader = os.path.join(data, "writer.redb"), os.path.join(data, "reader.redb")
        hub = Process("hub", "--listen", "127.0.0.1:0", "--data", os.path.join(data, "hub"))
        url = hub.line()["url"]
        link = run("init", "--store", writer, "--hub", url).said["link"]
        imported = run("import", lines, "--store", writer, "--batch", str(batch))
        up = run("sync", url, "--store", writer)
        run("open", link, "--store", reader)
        down = run("sync", url, "--store", reader)
        roots = [run("root", "--store", store) for store in (writer, reader)]
        hub.process.terminate()
        hub.end()
        if roots[0].said != roots[1].said or roots[0].said["facts"] != FACTS:
            sys.exit("the roots differ")
        report = down.said
        return {
            "import, facts/s": FACTS / imported.seconds,
            "sync to the hub, facts/s": FACTS / up.seconds,
            "sync to an empty journal, facts/s": FACTS / down.seconds,
            "the same, within the sync alone": FACTS / (report["duration_ms"] / 1000),
            "bytes on the wire over payload, %": 100
            * ((report["wire_sent"] + report["wire_received"]) / (report["bytes_sent"] + report["bytes_received"]) - 1),
            "root command (opens the store), ms": 1000 * roots[1].seconds,
            "peak memory, import, MB": imported.megabytes,
            "peak memory, sync up, MB": up.megabytes,
            "peak memory, sync down, MB": down.megabytes,
            "peak memory, hub, MB": hub.megabytes,
        }


def main():
    os.makedirs(TARGET, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=TARGET) as data:
        lines = os.path.join(data, "facts.jsonl")
        write_facts(lines)
        size = os.path.getsize(lines) / FACTS
        print(f"machine: {machine()}")
        print(f"workload: {FACTS:,} JSON lines of {size:.0f} bytes; redb stores; hub over loopback; {RUNS} runs")
        for batch in (100, 1):
            runs = [once(lines, batch) for _ in range(RUNS)]
            print(f"\n{batch} fact{'s' if batch > 1 else ''} an entry {'':<24} {'median':>10} {'least':>10} {'most':>10}")
            for name in runs[0]:
                values = [figures[name] for figures in runs]
                print(
                    f"  {name:<40} {statistics.median(values):>10,.1f} {min(values):>10,.1f} {max(values):>10,.1f}"
                )


if __name__ == "__main__":
    main()
