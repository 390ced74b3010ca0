#!/usr/bin/env python3
"""Soundness of min-max pruning over writers: no pair that is contained is ever dropped.

  mmp_fuzz.py FOLDER [ROUNDS] [SEED]

Writes random parents and children of them through pyarrow, parquet-rs, DuckDB and polars, each table by a writer of its own, with the values that
statistics get wrong: texts longer than what is kept of them, NaN, -0.0, infinities, decimals, timestamps of several units, columns of
NULLs, empty texts, bytes above 0x7f, unsigned numbers beyond 2^63. Every pair that was contained by construction must survive every
stage. Needs `pip install pyarrow duckdb polars`; LIMPID names the program (default target/release/limpid).
"""

import decimal
import json
import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

LIMPID = os.environ.get("LIMPID", "target/release/limpid")
LONG = "a text whose beginning is the same for all of them and longer than the sixty-four bytes that are kept of it "


def value(kind, rng):
    if rng.random() < 0.15:
        return None
    match kind:
        case "float":
            return rng.choice([float("nan"), -0.0, 0.0, float("inf"), float("-inf"), rng.uniform(-5, 5), 1e300, 5e-324])
        case "float32":
            return rng.choice([float("nan"), -0.0, 0.0, rng.randrange(-64, 64) / 8])
        case "int":
            return rng.choice([0, -1, 2**63 - 1, -(2**63), 2**53 + 1, rng.randrange(-100, 100)])
        case "uint":
            return rng.choice([0, 2**64 - 1, 2**63, rng.randrange(100)])
        case "decimal":
            return decimal.Decimal(rng.randrange(-(10**17), 10**17)).scaleb(-4)
        case "long":
            return LONG * rng.choice([1, 1, 6]) + str(rng.randrange(1000))
        case "text":
            return rng.choice(["", "\x00", "z", "é", "\U0010ffff", "\u007f", "a" * rng.randrange(80), str(rng.randrange(50))])
        case "bytes":
            return bytes(rng.randrange(256) for _ in range(rng.choice([0, 1, 3, 70])))
        case "date":
            return rng.randrange(-30000, 40000)
        case "bool":
            return rng.random() < 0.5
        case "null":
            return None
        case _:
            return rng.randrange(-(10**9), 10**9) * 1000


KINDS = ["float", "float32", "int", "uint", "decimal", "long", "text", "bytes", "date", "bool", "null", "s", "ms", "us", "ns", "us_utc"]


def arrow_type(kind, rng):
    match kind:
        case "float":
            return pa.float64()
        case "float32":
            return pa.float32()
        case "int":
            return pa.int64()
        case "uint":
            return pa.uint64()
        case "decimal":
            return pa.decimal128(rng.choice([20, 24, 38]), 4)
        case "long" | "text":
            return rng.choice([pa.string(), pa.large_string()])
        case "bytes":
            return pa.binary()
        case "date":
            return pa.date32()
        case "bool":
            return pa.bool_()
        case "null":
            return pa.int32()
        case "us_utc":
            return pa.timestamp("us", "UTC")
        case unit:
            # The same instant in another unit must stay the same value.
            return pa.timestamp(rng.choice(["ns", "us"]) if unit in ("us", "ns") else rng.choice(["ms", "us", "ns"]))


def column(kind, values, rng):
    if kind in ("s", "ms", "us", "ns"):
        t = arrow_type(kind, rng)
        # Whole milliseconds, as microseconds.
        return pa.array(values, pa.timestamp("us")).cast(t)
    if kind == "us_utc":
        return pa.array(values, pa.timestamp("us", "UTC"))
    return pa.array(values, arrow_type(kind, rng))


def write(table, path, rng):
    """Writes through a random writer that knows the types; gives its name."""
    writer = rng.choice(["pyarrow", "parquet-rs", "duckdb", "polars"])
    group = rng.choice([7, 50, 100000])
    if writer == "pyarrow":
        pq.write_table(
            table, path, row_group_size=group, version=rng.choice(["1.0", "2.4", "2.6"]), use_dictionary=rng.random() < 0.5,
            write_statistics=rng.random() < 0.9, data_page_version=rng.choice(["1.0", "2.0"]), coerce_timestamps="us",
        )
    elif writer == "parquet-rs":
        plain = path.parent.with_name("plain.parquet")
        pq.write_table(table, plain)
        copy = f"COPY (SELECT * FROM '{plain}') TO '{path}' STORED AS PARQUET OPTIONS (max_row_group_size {max(group, 50)})"
        done = subprocess.run([LIMPID, "-q", "sql", "-c", copy], capture_output=True, text=True)
        plain.unlink()
        if done.returncode:
            sys.exit(done.stderr)
    elif writer == "duckdb":
        con = duckdb.connect()
        con.execute("SET TimeZone = 'UTC'")
        con.register("t", table)
        con.execute(f"COPY t TO '{path}' (FORMAT parquet, ROW_GROUP_SIZE {max(group, 2048)})")
    else:
        pl.from_arrow(table).write_parquet(path, row_group_size=group, statistics=rng.choice([True, "full"]))
    return writer


def build(folder, rounds, rng):
    """Parents and children; the pairs that hold by construction, with their writers."""
    known = []
    for number in range(rounds):
        kinds = rng.sample(KINDS, rng.randrange(1, 6))
        rows = [[value(kind, rng) for kind in kinds] for _ in range(rng.randrange(5, 120))]
        # A name of its own for each round: pairs of different rounds are of no interest.
        names = [f"r{number}_{kind}" for kind in kinds]

        def table(rows, kept):
            return pa.table({names[at]: column(kinds[at], [row[at] for row in rows], rng) for at in kept})

        everything = list(range(len(kinds)))
        parent = f"{number:04}_parent.parquet"
        by = write(table(rows, everything), folder / parent, rng)
        for child in range(3):
            kept = sorted(rng.sample(everything, rng.randrange(1, len(kinds) + 1)))
            some = rng.sample(rows, rng.randrange(1, len(rows) + 1))
            name = f"{number:04}_child{child}.parquet"
            theirs = write(table(some, kept), folder / name, rng)
            known.append((name, parent, theirs, by))
    return known


def stage(folder, name, *flags):
    command = [LIMPID, "-q", "lake", "containment", str(folder), "--json", "--stage", name, *flags]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    found = json.loads(done.stdout)
    return {(edge["child"], edge["parent"]) for edge in found["edges"]}, found


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    folder = Path(sys.argv[1])
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 300
    rng = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    known = build(folder, rounds, rng)
    print(f"{len(known)} pairs by construction; writers {dict(Counter(pair[2] for pair in known))}")
    bad = 0
    for name in ("schema", "minmax", "sketch", "exact", "bytes"):
        found, document = stage(folder, name)
        missed = [pair for pair in known if pair[:2] not in found]
        bad += len(missed) + len(document["left_out"])
        print(f"{name}: {len(found)} pairs, {len(missed)} of the known missed, {len(document['left_out'])} tables left out")
        for pair in missed[:5]:
            print("  missed:", pair)
        for left in document["left_out"][:5]:
            print("  left out:", left)
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
