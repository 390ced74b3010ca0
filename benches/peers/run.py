#!/usr/bin/env python3
"""Runs limpid and its peers on the same file, one after the other, and prints speed, memory and quality of each.

run.py --docs DOCS.parquet --limpid target/release/limpid --venvs DIR --out DIR [--pairs PAIRS.parquet] [--peers a,b] [--runs 3]
Rounds go round-robin over the peers; the table shows the median wall and CPU time and the largest peak memory. A peer whose
first run takes longer than --slow seconds is not repeated. Without --pairs the exact pairs are computed first (truth.py).
"""

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

from measure import measure

HERE = Path(__file__).parent
# name: (virtual environment, adapter, mode, collect afterwards, package)
PEERS = {
    "daft": ("main", "peer_daft.py", "run", False, "daft"),
    "rensa": ("main", "peer_rensa.py", "dedup", False, "rensa"),
    "rensa-rho": ("main", "peer_rensa.py", "rho", False, "rensa"),
    "datasketch": ("main", "peer_datasketch.py", "run", False, "datasketch"),
    "datatrove": ("datatrove", "peer_datatrove.py", "run", True, "datatrove"),
    "textdedup": ("textdedup", "peer_textdedup.py", "run", True, "text-dedup"),
    "duckdb": ("main", "peer_duckdb.py", "run", False, "duckdb"),
}
LIMPID = {"limpid": [], "limpid-1-thread": ["--threads", "1"]}
QUERY = """COPY (SELECT id, cluster_id AS cluster, keep, duplicate_of, similarity FROM minhash_dedup((SELECT id, text FROM '{docs}'),
text => text, id => id, threshold => {threshold}, ngram => 5, unit => 'python_word')) TO '{out}'"""
COLUMNS = {
    "docs/s": "docs_per_s", "wall s": "wall_s", "CPU s": "cpu_s", "peak MiB": "peak_mb", "removed": "removed", "over-deleted": "over_deleted",
    "missed": "missed", "missed %": "missed_percent", "precision": "precision", "recall": "recall", "largest cluster": "largest_cluster",
}  # fmt: skip


class Bench:
    def __init__(self, args):
        self.a, self.out = args, Path(args.out)
        self.out.mkdir(parents=True, exist_ok=True)
        self.pairs = args.pairs or self.out / "pairs.parquet"

    def python(self, venv):
        return Path(self.a.venvs) / venv / "bin/python"

    def result(self, name):
        return self.out / f"{name}.parquet"

    def log(self, name):
        return self.out / f"{name}.log"

    def command(self, name, mode=None):
        if name in LIMPID:
            query = QUERY.format(docs=self.a.docs, out=self.result(name), threshold=self.a.threshold)
            return [self.a.limpid, "sql", *LIMPID[name], "-c", query]
        venv, adapter, usual, _, _ = PEERS[name]
        threshold = ("--threshold", str(self.a.threshold))
        return [self.python(venv), "-B", HERE / adapter, self.a.docs, self.result(name), self.out / f"work-{name}", mode or usual, *threshold]

    def helper(self, script, *args):
        """Standard output of one of our scripts, run in the main environment."""
        command = [self.python("main"), "-B", HERE / script, *args, "--threshold", str(self.a.threshold)]
        return subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True).stdout

    def version(self, name):
        if name in LIMPID:
            return subprocess.run([self.a.limpid, "--version"], capture_output=True, text=True).stdout.partition("\n")[0].removeprefix("limpid ")
        code = f"import importlib.metadata as m; print(m.version('{PEERS[name][4]}'))"
        return subprocess.run([self.python(PEERS[name][0]), "-c", code], capture_output=True, text=True).stdout.strip()

    def measure_all(self, names):
        runs = {name: [] for name in names}
        for i in range(self.a.runs):
            for name in names:
                if any(r["rc"] for r in runs[name]) or (i and runs[name][0]["wall_s"] > self.a.slow):
                    continue
                self.result(name).unlink(missing_ok=True)
                runs[name].append(measure(self.command(name), self.log(name)))
                print(name, json.dumps(runs[name][-1]), file=sys.stderr, flush=True)
        return runs

    def quality(self, name):
        if name in PEERS and PEERS[name][3]:
            with open(self.log(name), "ab") as log:
                subprocess.run([str(c) for c in self.command(name, "collect")], check=True, stdout=log, stderr=log)
        docs = ("--docs", self.a.docs) if name in LIMPID else ()
        return json.loads(self.helper("quality.py", self.result(name), self.pairs, *docs))

    def row(self, name, runs):
        row = {"name": name, "version": self.version(name), "runs": runs, "failed": any(r["rc"] for r in runs)}
        if row["failed"]:
            return row
        row |= {k: round(statistics.median(r[k] for r in runs), 2) for k in ("wall_s", "cpu_s")}
        row |= self.quality(name)
        row["peak_mb"] = max(r["peak_mb"] for r in runs)
        row["docs_per_s"] = round(row["documents"] / row["wall_s"])
        row["missed_percent"] = round(100 * row["missed_share"], 2)
        return row

    def references(self):
        for name, how in (("exact Jaccard, survivor order", "direct"), ("exact Jaccard, components", "transitive")):
            row = json.loads(self.helper("quality.py", self.a.docs, self.pairs, "--reference", how))
            yield {"name": name, "version": "", "runs": [], "failed": False, "missed_percent": round(100 * row["missed_share"], 2)} | row


def conditions(docs):
    with open("/proc/cpuinfo") as f:
        model = next((line.partition(":")[2].strip() for line in f if line.startswith("model name")), platform.machine())
    with open("/proc/meminfo") as f:
        memory = int(f.readline().split()[1]) / 2**20
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"), "cpu": model, "cores": os.cpu_count(),
        "memory_gib": round(memory, 1), "kernel": platform.release(), "python": platform.python_version(),
        "load_before": [round(x, 2) for x in os.getloadavg()], "input": Path(docs).name, "input_mib": round(os.path.getsize(docs) / 2**20, 1),
    }  # fmt: skip


def markdown(rows, conditions, limpid_checks):
    lines = ["| | " + " | ".join(COLUMNS) + " | runs (wall s) |", "| --- |" + " ---: |" * (len(COLUMNS) + 1)]
    for r in rows:
        label = f"{r['name']} {r['version']}".strip()
        if r["failed"]:
            lines.append(f"| {label} | failed: exit code {r['runs'][-1]['rc']} |" + " |" * len(COLUMNS))
            continue
        cells = [f"{r[k]:,}" if k in r else "" for k in COLUMNS.values()]
        lines.append(f"| {label} | " + " | ".join(cells) + " | " + " ".join(f"{x['wall_s']:.2f}" for x in r["runs"]) + " |")
    lines += ["", "Conditions: " + ", ".join(f"{k} {v}" for k, v in conditions.items()) + "."]
    return "\n".join(lines) + "\n" + "".join(f"\n{c}\n" for c in limpid_checks)


def ratios(rows):
    """How limpid stands to each near-duplicate peer of the same run."""
    done = {r["name"]: r for r in rows if "wall_s" in r}
    for name in LIMPID.keys() & done.keys():
        mine, others = done[name], [done[p] for p in PEERS if p in done and p != "duckdb"]
        parts = [f"{p['name']} {mine['docs_per_s'] / p['docs_per_s']:.1f}x ({mine['peak_mb'] / p['peak_mb']:.2f} of its memory)" for p in others]
        if parts:
            yield f"{name}, documents a second against: " + ", ".join(parts) + "."


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--docs", required=True)
    p.add_argument("--pairs", help="exact pairs; computed when absent")
    p.add_argument("--limpid", default="target/release/limpid")
    p.add_argument("--venvs", required=True, help="the folder setup.sh filled")
    p.add_argument("--out", required=True)
    p.add_argument("--peers", default=",".join([*PEERS, *LIMPID]))
    p.add_argument("--runs", type=int, default=3)
    p.add_argument("--slow", type=float, default=60)
    p.add_argument("--threshold", type=float, default=0.7)
    args = p.parse_args()
    names = args.peers.split(",")
    if unknown := set(names) - PEERS.keys() - LIMPID.keys():
        p.error(f"unknown peers {sorted(unknown)}; known: {', '.join([*PEERS, *LIMPID])}")
    args.docs = os.path.abspath(args.docs)
    bench, now = Bench(args), conditions(args.docs)
    if not args.pairs:
        bench.helper("truth.py", args.docs, bench.pairs)
    Path(args.docs).read_bytes()  # every run finds the file in the page cache
    runs = bench.measure_all(names)
    rows = [*bench.references(), *(bench.row(n, runs[n]) for n in names)]
    checks = [
        f"{r['name']}, removed rows against their named kept row: " + ", ".join(f"{k} {r[k]}" for k in ("unnamed", "not_kept", "not_true", "wrong_similarity"))
        + f"; keep differs from the exact reference in {r['keep_differs']} rows."
        for r in rows if "unnamed" in r
    ]  # fmt: skip
    checks += sorted(ratios(rows))
    (bench.out / "results.json").write_text(json.dumps({"conditions": now, "rows": rows}, indent=1))
    table = markdown(rows, now, checks)
    (bench.out / "results.md").write_text(table)
    print(table)
    sys.exit(any(r["failed"] for r in rows))


if __name__ == "__main__":
    main()
