#!/usr/bin/env python3
"""Latency of everyday queries beside DuckDB.

  benches/shell.py FOLDER --limpid BIN [--data GLOB] [--rows N] [--runs N] [--threads N]

Makes a corpus of Parquet shards in FOLDER (or reads those of --data, with columns id, source, n_chars, text) and asks both
engines the same questions. Every run of limpid is a new process, start and all; DuckDB answers in this process, so its start is
not counted. Both take the same number of threads. The runs alternate. Printed: medians in milliseconds, their ratio, whether the
answers are equal, and the peak memory of limpid. Needs duckdb and pyarrow.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

QUERIES = {
    "start": ("SELECT 1 AS x", None),
    "count": ("SELECT count(*) AS n FROM {t}", None),
    "top 5 with text": ("SELECT id, n_chars, text FROM {t} ORDER BY n_chars DESC, id LIMIT 5", None),
    "top 5 of a source": (
        "SELECT id, text FROM {t} WHERE source = 'wiki' ORDER BY id LIMIT 5", None),
    "group by source": (
        "SELECT source, count(*) AS n, avg(n_chars) AS mean FROM {t} GROUP BY source ORDER BY source", None),
    "distinct md5": ("SELECT count(DISTINCT md5(text)) AS n FROM {t}", None),
    "distinct text": ("SELECT count(DISTINCT text) AS n FROM {t}", None),
    "split words": (
        "SELECT word, count(*) AS n FROM (SELECT unnest(string_to_array(text, ' ')) AS word FROM {t}) "
        "GROUP BY word ORDER BY n DESC, word LIMIT 20", None),
    "like": ("SELECT count(*) AS n FROM {t} WHERE text LIKE '%licen%'", None),
    "regexp": (
        "SELECT count(*) AS n FROM {t} WHERE regexp_like(text, '[0-9]{{4}}-[0-9]{{2}}')",
        "SELECT count(*) AS n FROM {t} WHERE regexp_matches(text, '[0-9]{{4}}-[0-9]{{2}}')"),
    "row_number": (
        "SELECT count(*) AS n FROM (SELECT row_number() OVER (PARTITION BY source ORDER BY n_chars, id) AS r "
        "FROM {t}) WHERE r <= 10", None),
    "sort by key": ("SELECT id FROM {t} ORDER BY n_chars, id LIMIT 1 OFFSET 1000", None),
}


def corpus(folder, rows):
    """Texts of words by Zipf's law; every tenth text is there twice."""
    rng = random.Random(7)
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(2, 9))) for _ in range(20000)]
    words[:4] = ["the", "of", "license", "2024-05-01"]
    weights = [1 / (rank + 1) for rank in range(len(words))]
    folder.mkdir(parents=True, exist_ok=True)
    shards, before = 4, None
    for shard in range(shards):
        path = folder / f"docs-{shard}.parquet"
        texts = []
        for row in range(rows // shards):
            if row % 10 == 9 and before:
                texts.append(before)
            else:
                before = " ".join(rng.choices(words, weights, k=rng.randint(50, 500)))
                texts.append(before)
        ids = range(shard * len(texts), (shard + 1) * len(texts))
        pq.write_table(pa.table({
            "id": pa.array(ids, pa.int64()),
            "source": [("wiki", "web", "code", "books")[i * 7 % 11 % 4] for i in ids],
            "n_chars": pa.array([len(text) for text in texts], pa.int64()),
            "text": texts,
        }), path, row_group_size=10000, compression="zstd")


def limpid(binary, sql, threads):
    """Rows, seconds, and peak memory in MiB."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [binary, "sql", "--threads", str(threads), "--format", "json", "-c", sql],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = process.stdout.read(), process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    seconds = time.perf_counter() - began
    if status:
        sys.exit(f"limpid failed: {err.decode()}")
    return [tuple(row.values()) for row in json.loads(out)], seconds, usage.ru_maxrss / 1024


def rounded(rows):
    return [tuple(round(value, 6) if isinstance(value, float) else value for value in row) for row in rows]


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("folder", type=Path)
    args.add_argument("--limpid", required=True)
    args.add_argument("--data")
    args.add_argument("--rows", type=int, default=80_000)
    args.add_argument("--runs", type=int, default=5)
    args.add_argument("--threads", type=int, default=os.cpu_count())
    args.add_argument("--only")
    args = args.parse_args()
    pattern = args.data
    if not pattern:
        folder = args.folder / f"docs-{args.rows}"
        if not folder.exists():
            corpus(folder, args.rows)
        pattern = str(folder / "*.parquet")
    connection = duckdb.connect()
    connection.execute(f"SET threads = {args.threads}")
    version = subprocess.run([args.limpid, "--version"], capture_output=True, text=True).stdout.splitlines()[0]
    print(f"{version}, DuckDB {duckdb.__version__}, {args.threads} threads, {args.runs} runs each, {pattern}\n")
    print(f"{'query':<20} {'limpid ms':>10} {'DuckDB ms':>10} {'ratio':>6}  {'answers':<8} {'peak MiB':>8}")
    wrong = 0
    for name, (ours, theirs) in QUERIES.items():
        if args.only and args.only not in name:
            continue
        ours = ours.format(t=f"'{pattern}'")
        theirs = theirs.format(t=f"'{pattern}'") if theirs else ours
        times, peak = {"limpid": [], "duckdb": []}, 0
        for _ in range(args.runs):
            found, seconds, used = limpid(args.limpid, ours, args.threads)
            times["limpid"].append(seconds)
            peak = max(peak, used)
            began = time.perf_counter()
            expected = connection.execute(theirs).fetchall()
            times["duckdb"].append(time.perf_counter() - began)
        a, b = (1000 * statistics.median(times[engine]) for engine in ("limpid", "duckdb"))
        equal = rounded(found) == rounded(expected)
        wrong += not equal
        print(f"{name:<20} {a:10.0f} {b:10.0f} {a / b:6.2f}  {'equal' if equal else 'DIFFER':<8} {peak:8.0f}", flush=True)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
