#!/usr/bin/env python3
"""Wall time, CPU time and peak memory of a command with all its descendants (Linux).

As a module: measure(command, log_path) -> dict. As a program: measure.py COMMAND [ARG ...] prints one JSON line.

wall_s  monotonic clock, from start to exit of the command itself.
cpu_s   user + system of the whole tree. This process is a child subreaper, so orphans are waited for and counted too.
        Where a parent discards its children unseen, the sum of each process's last polled CPU time is larger and taken.
peak_mb (MiB) the largest sum of resident sizes over the tree, polled; a page shared by n processes counts n times.
        For a single process the kernel's own high-water mark is larger and taken.
"""

import ctypes
import json
import os
import resource
import subprocess
import sys
import threading
import time

PAGE, TICK = os.sysconf("SC_PAGESIZE"), os.sysconf("SC_CLK_TCK")
POLL_S, ORPHANS_S = 0.05, 10
SET_CHILD_SUBREAPER = 36  # prctl(2)


def processes():
    """{pid: (parent, cpu seconds, resident bytes)} of everything in /proc."""
    out = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as f:
                    field = f.read().rpartition(b") ")[2].split()
            except OSError:
                continue
            out[int(name)] = (int(field[1]), (int(field[11]) + int(field[12])) / TICK, int(field[21]) * PAGE)
    return out


def descendants(table, root):
    children = {}
    for pid, (parent, _, _) in table.items():
        children.setdefault(parent, []).append(pid)
    todo, found = list(children.get(root, [])), []
    while todo:
        found.append(todo.pop())
        todo += children.get(found[-1], [])
    return found


class Poller(threading.Thread):
    def __init__(self):
        super().__init__(daemon=True)
        self.cpu, self.peak, self.stop = {}, 0, threading.Event()

    def look(self):
        table = processes()
        tree = descendants(table, os.getpid())
        self.peak = max(self.peak, sum(table[p][2] for p in tree))
        self.cpu.update((p, table[p][1]) for p in tree)

    def run(self):
        while not self.stop.wait(POLL_S):
            self.look()


def reap_orphans():
    """Waits for what the command left behind (fork servers, trackers); after ORPHANS_S it is left alone."""
    end = time.monotonic() + ORPHANS_S
    while time.monotonic() < end:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(POLL_S)
        except ChildProcessError:
            return


def measure(command, log_path=os.devnull):
    ctypes.CDLL(None).prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    load, before, poller = os.getloadavg()[0], resource.getrusage(resource.RUSAGE_CHILDREN), Poller()
    with open(log_path, "ab") as log:
        poller.start()
        start = time.monotonic()
        process = subprocess.Popen([str(c) for c in command], stdout=log, stderr=subprocess.STDOUT)
        # wait4 gives this command's own high-water mark; RUSAGE_CHILDREN's is the largest of all runs so far.
        _, status, own = os.wait4(process.pid, 0)
        wall = time.monotonic() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    reap_orphans()
    poller.stop.set()
    poller.join()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    reaped = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "rc": process.returncode,
        "wall_s": round(wall, 3),
        "cpu_s": round(max(reaped, sum(poller.cpu.values())), 2),
        "peak_mb": round(max(poller.peak, own.ru_maxrss * 1024) / 2**20, 1),
        "load_before": round(load, 2),
    }


if __name__ == "__main__":
    result = measure(sys.argv[1:], "/dev/stderr")
    print(json.dumps(result))
    sys.exit(result["rc"])
