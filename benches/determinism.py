#!/usr/bin/env python3
"""The same rows in any partitioning: the sorted output must be the same bytes.   Run it with a Python that has pyarrow.

determinism.py --docs DOCS.parquet --limpid BINARY [--runs 20] [--seed 42]
Each run deals the rows at random over 1 to 12 Parquet files with random row-group sizes, and runs with random --threads and
--batch-size. The answer is the CSV on standard output, ordered by id.
"""

import argparse
import hashlib
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

QUERY = """SELECT id, keep, duplicate_of, similarity, cluster_id FROM minhash_dedup((SELECT id, text FROM '{docs}'),
text => text, id => id, threshold => 0.7, ngram => 5, unit => 'word') ORDER BY id"""


def deal(table, folder, rng):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    files, rows_in_group = rng.randint(1, 12), rng.choice([50, 333, 1000, 4096, 100_000])
    owner = np.random.default_rng(rng.randrange(2**32)).integers(0, files, table.num_rows)
    for k in range(files):
        rows = np.flatnonzero(owner == k)
        np.random.default_rng(rng.randrange(2**32)).shuffle(rows)
        pq.write_table(table.take(rows), folder / f"{k:02d}.parquet", row_group_size=rows_in_group)
    return {"files": files, "row_group": rows_in_group}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--docs", required=True)
    p.add_argument("--limpid", default="target/release/limpid")
    p.add_argument("--runs", type=int, default=20)
    p.add_argument("--seed", type=int, default=42)
    a = p.parse_args()
    rng, table, hashes = random.Random(a.seed), pq.read_table(a.docs, columns=["id", "text"]), {}
    with tempfile.TemporaryDirectory() as temporary:
        for i in range(a.runs):
            setting = deal(table, Path(temporary) / "docs", rng) | {"threads": rng.randint(1, 9), "batch": rng.choice([17, 128, 1000, 8192, 50_000])}
            flags = ["--threads", str(setting["threads"]), "--batch-size", str(setting["batch"]), "--format", "csv"]
            query, start = QUERY.format(docs=f"{temporary}/docs/*.parquet"), time.monotonic()
            done = subprocess.run([a.limpid, "sql", *flags, "-c", query], capture_output=True)
            sha = hashlib.sha256(done.stdout).hexdigest() if done.returncode == 0 else f"exit code {done.returncode}"
            hashes.setdefault(sha, []).append(i)
            print(f"{i:2d} {setting} {done.stdout.count(10)} lines {time.monotonic() - start:.1f} s {sha[:16]}", flush=True)
            if done.returncode:
                print(done.stderr.decode(errors="replace")[-800:])
    same = len(hashes) == 1 and not any(h.startswith("exit") for h in hashes)
    print(f"{a.runs} runs, {'byte-equal' if same else f'{len(hashes)} DIFFERENT answers: {hashes}'}")
    sys.exit(not same)


if __name__ == "__main__":
    main()
