#!/usr/bin/env python3
"""Table containment beside what else finds it, in one run: times, bytes, edges.

  lake.py panel LAKE...      limpid exact and sampled; DuckDB EXCEPT for every pair of schemas; DuckDB min/max + anti joins
  lake.py growth FOLDER      limpid over 500, 5,000 and 50,000 daily tables of one schema
  lake.py demo FOLDER        writes the lake of known derivations (about 900 tables), then the panel over it

SAMPLE=N compares N random pairs in DuckDB where there are more, and says what all would have taken.

Needs `pip install duckdb pyarrow`; LIMPID names the program (default target/release/limpid). Rows are compared as sets, values by
value, names without case: what DuckDB's EXCEPT compares once columns of kinds that are never equal are left out.
"""

import json
import os
import random
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

LIMPID = os.environ.get("LIMPID", "target/release/limpid")


def limpid(url, *flags, rows="set"):
    """Runs a comparison; gives what it found, the seconds and the peak memory."""
    start = time.monotonic()
    command = ["/usr/bin/time", "-f", "%M", LIMPID, "-q", "lake", "containment", url, "--json", "--rows", rows, *flags]
    if not Path("/usr/bin/time").exists():
        command = command[3:]
    done = subprocess.run(command, capture_output=True, text=True)
    seconds = time.monotonic() - start
    if done.returncode:
        sys.exit(done.stderr)
    found = json.loads(done.stdout)
    peak = done.stderr.strip().splitlines()[-1:] or ["0"]
    return found, seconds, int(peak[0]) / 1024 if peak[0].isdigit() else 0.0


def kind(column_type):
    t = column_type.upper()
    if any(word in t for word in ("STRUCT", "[]", "MAP")):
        return t
    if "INT" in t or t in ("DOUBLE", "FLOAT") or t.startswith("DECIMAL"):
        return "number"
    if t.startswith("TIMESTAMP WITH TIME ZONE"):
        return "instant"
    if t.startswith("TIMESTAMP") or t == "DATE":
        return "time"
    return t


class Table:
    def __init__(self, con, name, source):
        self.name, self.source = name, source
        rows = con.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
        self.columns = {row[0].lower().lstrip("\ufeff"): (row[0], kind(row[1])) for row in rows}
        self.rows = con.execute(f"SELECT count(*) FROM {source}").fetchone()[0]


def source(path):
    quoted = str(path).replace("'", "''")
    return f"read_parquet('{quoted}')" if path.is_file() else f"read_parquet('{quoted}/*.parquet')"


def ident(name):
    return '"' + name.replace('"', '""') + '"'


def load(con, url, names):
    """The tables that limpid found, as DuckDB sees them."""
    return {name: Table(con, name, source(Path(url) / name)) for name in names}


def tables_of(url):
    command = [LIMPID, "-q", "lake", "scan", url, "--format", "json"]
    rows = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return [row["table"] for row in rows if row.get("rows")]


def schema_pairs(tables):
    holders = defaultdict(set)
    for name, table in tables.items():
        for column, (_, of) in table.columns.items():
            holders[column, of].add(name)
    for name, table in tables.items():
        parents = set.intersection(*(holders[column, of] for column, (_, of) in table.columns.items()))
        for parent in parents - {name}:
            yield name, parent


def except_query(child, parent, every=""):
    ours = ", ".join(ident(shown) for shown, _ in child.columns.values())
    theirs = ", ".join(ident(parent.columns[column][0]) for column in child.columns)
    return f"SELECT count(*) FROM (SELECT {ours} FROM {child.source} EXCEPT {every}SELECT {theirs} FROM {parent.source})"


def brute_force(con, tables, pairs, every=""):
    found, failed = set(), 0
    for child, parent in pairs:
        try:
            if con.execute(except_query(tables[child], tables[parent], every)).fetchone()[0] == 0:
                found.add((child, parent))
        except duckdb.Error:
            failed += 1
    return found, failed


def bounds(con, tables):
    """Minimum, maximum and whether there are NULLs, by reading the columns once."""
    found = {}
    for name, table in tables.items():
        plain = {c: shown for c, (shown, of) in table.columns.items() if of in ("number", "VARCHAR", "time", "BOOLEAN")}
        if not plain:
            found[name] = {}
            continue
        items = ", ".join(f"min({ident(s)}), max({ident(s)})" for s in plain.values())
        row = con.execute(f"SELECT {items} FROM {table.source}").fetchone()
        found[name] = {c: row[2 * i : 2 * i + 2] for i, c in enumerate(plain)}
    return found


def within(child, parent):
    for column, (low, high) in child.items():
        if low is None or column not in parent:
            continue
        least, most = parent[column]
        if least is None:
            return False
        try:
            if low != low or high != high or most != most:
                continue
            if low < least or high > most:
                return False
        except TypeError:
            continue
    return True


def anti_join(con, child, parent):
    on = " AND ".join(
        f"c.{ident(shown)} IS NOT DISTINCT FROM p.{ident(parent.columns[column][0])}"
        for column, (shown, _) in child.columns.items()
    )
    query = f"SELECT count(*) FROM (SELECT 1 FROM {child.source} c ANTI JOIN {parent.source} p ON {on} LIMIT 1)"
    return con.execute(query).fetchone()[0] == 0


def minmax_and_anti_joins(con, tables, pairs, limit):
    """Pairs found, failures, joins that there were, and seconds: of all joins, where only some were run."""
    start = time.monotonic()
    ranges = bounds(con, tables)
    left = [(c, p) for c, p in pairs if within(ranges[c], ranges[p])]
    pruned = time.monotonic() - start
    found, failed = set(), 0
    run = some(left, limit)
    start = time.monotonic()
    for child, parent in run:
        try:
            if anti_join(con, tables[child], tables[parent]):
                found.add((child, parent))
        except duckdb.Error:
            failed += 1
    joined = (time.monotonic() - start) * (len(left) / max(1, len(run)))
    return found, failed, left, set(run), pruned + joined


def some(pairs, limit):
    return sorted(random.Random(1).sample(pairs, limit)) if limit and len(pairs) > limit else pairs


def edges(found):
    return {(edge["child"], edge["parent"]) for edge in found["edges"]}


def bytes_of(url, names):
    total = {}
    for name in names:
        path = Path(url) / name
        files = [path] if path.is_file() else path.glob("**/*.parquet")
        total[name] = sum(file.stat().st_size for file in files)
    return total


def panel(url):
    print(f"== {url}")
    exact, seconds, peak = limpid(url)
    stages = exact["stages"]
    print(f"limpid exact: {len(exact['edges'])} edges, {seconds:.2f} s, {peak:.0f} MiB, {exact['bytes_read'] / 1e6:.1f} MB read; {stages}")
    again, second, _ = limpid(url)
    print(f"limpid exact again: {second:.2f} s, same result: {edges(again) == edges(exact)}")
    sampled, sampled_seconds, _ = limpid(url, "--stage", "sampled")
    names = tables_of(url)
    con = duckdb.connect()
    con.execute("SET threads = 2")
    start = time.monotonic()
    tables = load(con, url, names)
    described = time.monotonic() - start
    limit = int(os.environ.get("SAMPLE", "0"))
    pairs = sorted(schema_pairs(tables))
    run = some(pairs, limit)
    start = time.monotonic()
    truth, failed = brute_force(con, tables, run)
    brute = (time.monotonic() - start) * len(pairs) / max(1, len(run))
    size = bytes_of(url, names)
    read = sum(size[c] + size[p] for c, p in pairs)
    told = "measured" if len(run) == len(pairs) else f"from {len(run)} of them"
    print(f"DuckDB EXCEPT: {len(truth)} edges, {len(pairs)} pairs, {failed} failed, {brute:.2f} s ({told}; + {described:.2f} s to describe), at most {read / 1e6:.1f} MB asked for")
    joined, failed, left, tried, anti = minmax_and_anti_joins(con, tables, pairs, limit)
    told = "measured" if len(tried) == len(left) else f"from {len(tried)} of them"
    print(f"DuckDB min/max + anti joins: {len(joined)} edges, {len(left)} joins, {failed} failed, {anti:.2f} s ({told})")
    ours, few, tested = edges(exact), edges(sampled), set(run)
    print(f"limpid exact beside EXCEPT, sets: {len(ours & tested - truth)} more, {len(truth - ours)} fewer, of {len(tested)} pairs; {len(ours - set(pairs))} edges that EXCEPT was not asked for")
    print(f"limpid exact beside anti joins, sets: {len(ours & tried - joined)} more, {len(joined - ours)} fewer, of {len(tried)} pairs")
    bags = edges(limpid(url, rows="multiset")[0])
    asked = sorted(bags | truth)
    exact_bags, failed = brute_force(con, tables, some([pair for pair in asked if pair in set(pairs)], limit), "ALL ")
    tried_bags = set(some([pair for pair in asked if pair in set(pairs)], limit))
    print(f"limpid exact beside EXCEPT ALL, multisets: {len(bags & tried_bags - exact_bags)} more, {len(exact_bags - bags)} fewer, of {len(tried_bags)} pairs, {failed} failed")
    print(f"sampled, 10 rows ({sampled_seconds:.2f} s): {len(few)} edges, {len(few - ours)} false, {len(ours - few)} missed")
    asked = sum(size[c] + size[p] for c, p in few)
    print(f"sampled + EXCEPT for what it left would ask for {(sampled['bytes_read'] + asked) / 1e6:.1f} MB: {(sampled['bytes_read'] + asked) / exact['bytes_read']:.1f} times")
    print(f"speed: {brute / seconds:.1f}x EXCEPT, {anti / seconds:.1f}x min/max + anti joins")
    for pair in sorted((ours & tested) ^ truth)[:5]:
        print("  differs:", pair)


def dailies(folder, count):
    """Daily tables of one schema, and the full table of every 500 of them."""
    folder.mkdir(parents=True)
    regions = [f"region {i}" for i in range(21)]
    full = []
    for day in range(count):
        columns = {"day": pa.array([day] * 21, pa.int32()), "region": pa.array(regions)}
        for measure in range(18):
            columns[f"m{measure}"] = pa.array([(day * 31 + i * 7 + measure * 13) % 9973 for i in range(21)], pa.int64())
        table = pa.table(columns)
        full.append(table)
        pq.write_table(table, folder / f"day_{day:06}.parquet", compression="zstd")
        if len(full) == 500 or day == count - 1:
            pq.write_table(pa.concat_tables(full), folder / f"full_{day // 500:04}.parquet", compression="zstd")
            full = []


def growth(folder):
    for count in (500, 5000, 50000):
        lake = Path(folder) / str(count)
        if not lake.exists():
            dailies(lake, count)
        for run in ("cold", "warm"):
            found, seconds, peak = limpid(str(lake))
            print(f"{count} tables, {run}: {found['stages']}, {seconds:.2f} s, {peak:.0f} MiB, {found['bytes_read'] / 1e6:.1f} MB read", flush=True)


def main():
    match sys.argv[1:]:
        case ["panel", *lakes] if lakes:
            for lake in lakes:
                panel(lake)
        case ["growth", folder]:
            growth(folder)
        case ["demo", folder]:
            if not Path(folder).exists():
                subprocess.run([LIMPID, "lake", "demo", folder, "--roots", "25"], check=True)
            panel(folder)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
