#!/usr/bin/env python3
"""How fast files are read: limpid, limpid of another build, and DuckDB, in one run.

    reading.py --limpid BINARY [--before BINARY] --docs DOCS.parquet [--times 3] [--rounds 5] [--threads 2]

DOCS has the columns `id` and `text`. It is written as Parquet, JSON lines and CSV (plain and .zst), `--times` times over with other ids, then every
reader answers `count(*), sum(id), sum(length(text))` of each. Rounds alternate between readers; the table has the median wall and
CPU seconds, the ratio to the first column, and the largest peak memory, of whole processes. DuckDB runs in a Python process of its own;
its start is taken off by an empty run of the same kind, and so is limpid's.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

QUERY = "SELECT count(*), sum(id), sum(length(text)) FROM {}"


def write(docs, folder, times):
    source = f"(SELECT row_number() OVER () AS id, text FROM read_parquet('{docs}'), range({times}))"
    duckdb.sql(f"COPY {source} TO '{folder}/docs.parquet' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 20000)")
    table = f"'{folder}/docs.parquet'"
    duckdb.sql(f"COPY (FROM {table}) TO '{folder}/docs.jsonl' (FORMAT json)")
    duckdb.sql(f"COPY (FROM {table}) TO '{folder}/docs.csv' (FORMAT csv, HEADER)")
    for name in ("docs.jsonl", "docs.csv"):
        subprocess.run(["zstd", "-q", "-f", f"{folder}/{name}", "-o", f"{folder}/{name}.zst"], check=False)
    return [name for name in ("docs.parquet", "docs.jsonl", "docs.csv", "docs.jsonl.zst", "docs.csv.zst") if (Path(folder) / name).exists()]


def measure(command):
    """Wall seconds, CPU seconds, peak MiB and standard output of a process; None where it fails.

    GNU time starts it: a child of this process would inherit this process's own peak.
    """
    with tempfile.NamedTemporaryFile("r") as used:
        start = time.monotonic()
        done = subprocess.run(["time", "-f", "%U %S %M", "-o", used.name, *command], capture_output=True, text=True)
        wall = time.monotonic() - start
        if done.returncode != 0:
            return None
        user, system, peak = used.read().split()[-3:]
        return wall, float(user) + float(system), int(peak) / 1024, done.stdout.split()[-1]


def commands(arguments):
    limpid = lambda binary: lambda table, query: [binary, "-q", "--threads", str(arguments.threads), "sql", "--format", "csv", "-c", query]  # noqa: E731

    def duck(table, query):
        query = query.replace("'" + table + "'", f"read_csv('{table}', strict_mode = true, max_line_size = 100000000)" if ".csv" in table else
                              f"read_json('{table}', format = 'newline_delimited', maximum_object_size = 100000000)" if ".json" in table else f"'{table}'")
        code = f"import duckdb; duckdb.sql('SET threads = {arguments.threads}'); print(*duckdb.sql({query!r}).fetchall()[0], sep=',')"
        return [sys.executable, "-c", code]

    readers = {"limpid": limpid(arguments.limpid)}
    if arguments.before:
        readers["before"] = limpid(arguments.before)
    readers["DuckDB"] = duck
    return readers


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limpid", required=True)
    parser.add_argument("--before", help="another build to measure beside it")
    parser.add_argument("--docs", required=True)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    readers = commands(arguments)
    with tempfile.TemporaryDirectory(prefix="limpid-reading-") as folder:
        names = write(arguments.docs, folder, arguments.times)
        start = {reader: min(measure(command("", "SELECT 1"))[:2] for _ in range(3)) for reader, command in readers.items()}
        print(f"DuckDB {duckdb.__version__}, {arguments.threads} threads, start taken off: " + ", ".join(f"{r} {s[0]:.2f} s" for r, s in start.items()))
        print(f"{'file':16}{'MB':>7}" + "".join(f"{reader + ' s':>12}{'CPU s':>8}{'ratio':>7}{'MiB':>7}" for reader in readers))
        for name in names:
            table = f"{folder}/{name}"
            seen = {reader: [] for reader in readers}
            for _ in range(arguments.rounds):
                for reader, command in readers.items():
                    seen[reader].append(measure(command(table, QUERY.format(f"'{table}'"))))
            failed = [reader for reader, runs in seen.items() if None in runs]
            seen = {reader: runs for reader, runs in seen.items() if reader not in failed}
            answers = {run[3].replace(".0", "") for runs in seen.values() for run in runs}
            line = f"{name:16}{Path(table).stat().st_size / 1e6:7.0f}"
            first = None
            for reader in readers:
                if reader in failed:
                    line += f"{'error':>12}{'':22}"
                    continue
                runs = seen[reader]
                wall = max(statistics.median(run[0] for run in runs) - start[reader][0], 1e-3)
                first = first or wall
                cpu = statistics.median(run[1] for run in runs) - start[reader][1]
                line += f"{wall:12.3f}{cpu:8.2f}{wall / first:7.2f}{max(run[2] for run in runs):7.0f}"
            print(line + ("" if len(answers) == 1 else f"  ANSWERS DIFFER: {answers}"), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
