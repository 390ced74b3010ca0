#!/usr/bin/env python3
"""Table containment beside what else finds it, in one run: times, bytes, edges.

  lake.py panel LAKE...      limpid in every mode beside all pairs tried one by one; sampled; DuckDB EXCEPT; min/max + anti joins; bytes
  lake.py growth FOLDER      limpid over 500, 5,000 and 50,000 daily tables of one schema
  lake.py demo FOLDER        writes the lake of known derivations (about 900 tables), then the panel over it

Needs `pip install duckdb pyarrow numpy`; LIMPID names the program (default target/release/limpid). Nothing is extrapolated: every pair
whose columns fit is tried, by Python (`lake_truth.py`) and by DuckDB. DuckDB compares rows as sets, values by value, names without
case, once columns of kinds that are never equal are left out.

Bytes: of limpid what it counts itself (footers and column chunks), and beside it what the system says that the process read; of
DuckDB what the system says, its cache of files switched off, since a lake is larger than memory.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from lake_truth import Lake

LIMPID = os.environ.get("LIMPID", "target/release/limpid")


def limpid(url, *flags, rows="set"):
    """Runs a comparison; gives what it found, the seconds, the peak memory in MiB and the bytes that the system saw it read."""
    start = time.monotonic()
    command = [LIMPID, "-q", "lake", "containment", url, "--json", "--rows", rows, *flags]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(command, stdout=out, stderr=err)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        seconds = time.monotonic() - start
        read = io_of(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0), err.seek(0)
        if process.returncode:
            sys.exit(err.read().decode())
        return json.load(out), seconds, usage.ru_maxrss / 1024, read


def io_of(pid):
    """Bytes that a process asked the system for, or 0 where it does not tell."""
    try:
        fields = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
        return int(fields["rchar"])
    except OSError:
        return 0


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


def minmax_and_anti_joins(con, tables, pairs):
    """Pairs found, failures, joins, and seconds."""
    start = time.monotonic()
    ranges = bounds(con, tables)
    left = [(c, p) for c, p in pairs if within(ranges[c], ranges[p])]
    found, failed = set(), 0
    for child, parent in left:
        try:
            if anti_join(con, tables[child], tables[parent]):
                found.add((child, parent))
        except duckdb.Error:
            failed += 1
    return found, failed, len(left), time.monotonic() - start


def literal_sampling(con, tables, pairs, draws=10, columns=4):
    """The paper's last step as SQL, pair by pair: rows of the child, a filter on some columns of the parent, an anti join."""
    found, failed, drawn, filled = set(), 0, None, {}
    for child, parent in sorted(pairs):
        a, b = tables[child], tables[parent]
        try:
            if drawn != child:
                names = ", ".join(ident(shown) for shown, _ in a.columns.values())
                con.execute(f"CREATE OR REPLACE TEMP TABLE drawn AS SELECT {names} FROM {a.source} USING SAMPLE reservoir({draws} ROWS) REPEATABLE (42)")
                # A filter by values finds no NULL.
                counts = ", ".join(f"count(*) = count({ident(shown)})" for shown, _ in a.columns.values())
                filled = dict(zip(a.columns, con.execute(f"SELECT {counts} FROM drawn").fetchone()))
                drawn = child
            both = {column: (ident(shown), ident(b.columns[column][0])) for column, (shown, _) in a.columns.items()}
            some = [both[column] for column in both if filled[column]][:columns]
            where = " AND ".join(f"p.{theirs} IN (SELECT {ours} FROM drawn)" for ours, theirs in some) or "true"
            on = " AND ".join(f"c.{ours} IS NOT DISTINCT FROM p.{theirs}" for ours, theirs in both.values())
            theirs = ", ".join(theirs for _, theirs in both.values())
            query = f"SELECT count(*) FROM drawn c ANTI JOIN (SELECT {theirs} FROM {b.source} p WHERE {where}) p ON {on}"
            if con.execute(query).fetchone()[0] == 0:
                found.add((child, parent))
        except duckdb.Error:
            failed += 1
    return found, failed


def edges(found):
    return {(edge["child"], edge["parent"]) for edge in found["edges"]}


def bytes_of(url, names):
    total = {}
    for name in names:
        path = Path(url) / name
        files = [path] if path.is_file() else path.glob("**/*.parquet")
        total[name] = sum(file.stat().st_size for file in files)
    return total


def beside_truth(url, names):
    """Every mode beside all pairs tried; gives the pairs by mode."""
    known, wrong = {}, 0
    for types in ("widen", "strict", "text", "parsed"):
        lake = Lake(url, names, types)
        for rows in ("set", "multiset"):
            start = time.monotonic()
            truth, compared = lake.containment(rows)
            took = time.monotonic() - start
            truth, line = set(truth), []
            for stage in ("minmax", "sketch", "sampled", "exact", "bytes"):
                if stage == "bytes" and (types, rows) != ("widen", "multiset"):
                    continue
                ours = edges(limpid(url, "--stage", stage, "--types", types, rows=rows)[0])
                false, missed = len(ours - truth), len(truth - ours)
                line.append(f"{stage} {len(ours)} ({false} false, {missed} missed)")
                wrong += missed + (false if stage in ("exact", "bytes") else 0)
            print(f"{rows}, {types}: {len(truth)} of {compared} pairs true ({took:.1f} s): {'; '.join(line)}", flush=True)
            known[rows, types] = truth
        if types == "widen":
            for rows in ("set", "multiset"):
                truth, _ = lake.containment(rows, 0.9)
                found = limpid(url, "--threshold", "0.9", rows=rows)[0]["edges"]
                ours = {(edge["child"], edge["parent"]): edge["similarity"] for edge in found}
                off = sum(abs(share - ours.get(pair, 2)) > 1e-9 for pair, share in truth.items())
                wrong += off + len(set(ours) - set(truth))
                print(f"{rows}, 0.9 and more: {len(ours)} pairs, {len(set(ours) - set(truth))} false, {len(set(truth) - set(ours))} missed, {off} of another share", flush=True)
    return known, wrong


def panel(url):
    print(f"== {url}")
    names = tables_of(url)
    size = bytes_of(url, names)
    print(f"{len(names)} tables with rows, {sum(size.values()) / 1e6:.1f} MB")
    known, wrong = beside_truth(url, names)
    print(f"{wrong} wrong in all modes together")
    exact, seconds, peak, read = limpid(url)
    ours = edges(exact)
    runs = sorted(limpid(url)[1] for _ in range(3))
    print(f"limpid exact, sets: {len(ours)} edges, {seconds:.2f} s, then {runs[1]:.2f} s (median of 3), {peak:.0f} MiB; {exact['stages']}")
    seconds = runs[1]
    sampled, sampled_seconds, _, sampled_read = limpid(url, "--stage", "sampled")
    few = edges(sampled)
    print(f"limpid sampled, 10 rows: {len(few)} edges, {len(few - known['set', 'widen'])} false, {sampled_seconds:.2f} s")
    con = duckdb.connect()
    con.execute("SET threads = 2; SET enable_external_file_cache = false")
    start = time.monotonic()
    tables = load(con, url, names)
    described = time.monotonic() - start
    pairs = sorted(schema_pairs(tables))
    start = time.monotonic()
    truth, failed = brute_force(con, tables, pairs)
    brute = time.monotonic() - start
    asked = set(pairs)
    print(f"DuckDB EXCEPT: {len(truth)} edges, {len(pairs)} pairs, {failed} failed, {brute:.2f} s (+ {described:.2f} s to describe)", flush=True)
    print(f"  limpid beside it: {len(ours & asked - truth)} more, {len(truth - ours)} fewer; {len(ours - asked)} edges that EXCEPT was not asked for")
    for pair in sorted((ours & asked) ^ truth)[:5]:
        print("  differs:", pair)
    joined, failed, joins, anti = minmax_and_anti_joins(con, tables, pairs)
    print(f"DuckDB min/max + anti joins: {len(joined)} edges, {joins} joins, {failed} failed, {anti:.2f} s", flush=True)
    print(f"speed: {brute / seconds:.1f}x EXCEPT, {anti / seconds:.1f}x min/max + anti joins")
    kept = sorted(pair for pair in few if pair in asked)
    before = io_of("self")
    brute_force(con, tables, kept)
    proof = io_of("self") - before
    in_files = sum(size[c] + size[p] for c, p in kept)
    candidates = edges(limpid(url, "--stage", "minmax")[0])
    before, start = io_of("self"), time.monotonic()
    literal, failed = literal_sampling(con, tables, candidates & asked)
    sampling, took = io_of("self") - before, time.monotonic() - start
    before = io_of("self")
    brute_force(con, tables, sorted(literal))
    literal_proof = io_of("self") - before
    mb = lambda count: f"{count / 1e6:.1f} MB"
    print(f"sampling pair by pair in DuckDB: {len(literal)} of {len(candidates & asked)} pairs, {failed} failed, {len(literal - truth)} false, {took:.1f} s")
    print(f"bytes: limpid exact {mb(exact['bytes_read'])} (system: {mb(read)}), sampled {mb(sampled['bytes_read'])} (system: {mb(sampled_read)})")
    print(f"  EXCEPT for the {len(kept)} pairs that sampled left: {mb(proof)} read, {mb(in_files)} of files named")
    print(f"  sampling pair by pair: {mb(sampling)}; EXCEPT for its {len(literal)}: {mb(literal_proof)}")
    in_truth = sum(size[table] for table in {table for pair in ours for table in pair})
    print(f"  the tables of true pairs, once: {mb(in_truth)}; all footers: {mb(footers(url, names))}")
    base = exact["bytes_read"]
    print(f"  sampled + EXCEPT: {(sampled['bytes_read'] + proof) / base:.1f}x; pair by pair + EXCEPT: {(sampling + literal_proof) / base:.1f}x")


def footers(url, names):
    total = 0
    for name in names:
        path = Path(url) / name
        for file in [path] if path.is_file() else path.glob("**/*.parquet"):
            total += pq.ParquetFile(file).metadata.serialized_size + 8
    return total


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
            found, seconds, peak, _ = limpid(str(lake))
            print(f"{count} tables, {run}: {found['stages']}, {seconds:.2f} s, {peak:.0f} MiB, {found['bytes_read'] / 1e6:.1f} MB read", flush=True)
        for run in ("first", "second"):
            found, seconds, peak, _ = limpid(str(lake), "--update")
            print(f"{count} tables, {run} with --update: {len(found['edges'])} edges, {seconds:.2f} s, {peak:.0f} MiB, {found['bytes_read'] / 1e6:.1f} MB read", flush=True)
        state = sum(file.stat().st_size for file in (lake / "_limpid/state").iterdir())
        print(f"{count} tables: {state / 1e6:.1f} MB of state")
        shutil.rmtree(lake / "_limpid")


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
