#!/usr/bin/env python3
"""Delta tables of another writer: limpid beside all pairs tried.

  delta.py FOLDER [TABLES] [SEED]

Writes Delta tables with deltalake (delta-rs): appended to, rows deleted, overwritten, partitioned by dates and numbers and texts that
need escaping, compacted, with checkpoints and without, old files always left on disk; beside each the plain Parquet files of its rows,
some of them, and of an older version. Every pair is tried over the rows that deltalake itself reads, and must be found, and no other.
Needs `pip install deltalake pyarrow`; LIMPID names a program built with `--features delta` (default target/release/limpid).
"""

import datetime
import json
import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable, write_deltalake

LIMPID = os.environ.get("LIMPID", "target/release/limpid")
SCHEMA = pa.schema(
    [("id", pa.int64()), ("day", pa.date32()), ("bucket", pa.int32()), ("place", pa.string()), ("x", pa.float64()), ("at", pa.timestamp("us", "UTC"))]
)
PLACES = ["Zürich", "a/b", "100 %", "x=y", "", None, "space here"]


def some(rng, rows):
    start = datetime.date(2024, 1, 1)
    noon = datetime.datetime(2024, 1, 1, 12, tzinfo=datetime.timezone.utc)
    made = [
        {
            "id": rng.randrange(1000),
            "day": start + datetime.timedelta(days=rng.randrange(3)),
            "bucket": rng.choice([None, 1, 2]),
            "place": rng.choice(PLACES),
            "x": rng.choice([None, 0.5, -0.0, rng.randrange(8) / 4]),
            "at": noon + datetime.timedelta(seconds=rng.randrange(5)),
        }
        for _ in range(rows)
    ]
    return pa.Table.from_pylist(made, SCHEMA)


def build(folder, number, rng):
    path = str(folder / f"t{number:03}")
    partitions = rng.choice([None, None, ["day"], ["bucket"], ["place"], ["day", "bucket"]])
    write_deltalake(path, some(rng, rng.randrange(1, 60)), partition_by=partitions)
    older = DeltaTable(path).to_pyarrow_table()
    for _ in range(rng.randrange(1, 9)):
        table = DeltaTable(path)
        step = rng.choice(["append", "append", "append", "delete", "overwrite", "compact", "checkpoint"])
        if step in ("append", "overwrite"):
            write_deltalake(path, some(rng, rng.randrange(1, 40)), mode=step, partition_by=partitions)
        elif step == "delete":
            table.delete(f"id < {rng.randrange(500)}")
        elif step == "compact":
            table.optimize.compact()
        else:
            table.create_checkpoint()
    rows = DeltaTable(path).to_pyarrow_table()
    names = list(SCHEMA.names)
    rng.shuffle(names)
    if rows.num_rows:
        pq.write_table(rows.select(names), folder / f"t{number:03}_same.parquet")
        kept = sorted(rng.sample(range(rows.num_rows), rng.randrange(1, rows.num_rows + 1)))
        pq.write_table(rows.take(kept).select(names[: rng.randrange(1, 7)]), folder / f"t{number:03}_some.parquet")
    pq.write_table(older, folder / f"t{number:03}_older.parquet")


def key(value):
    return 0.0 if isinstance(value, float) and value == 0 else value


def rows_of(path):
    table = DeltaTable(str(path)).to_pyarrow_table() if path.is_dir() else pq.read_table(path)
    return {name: [key(value) for value in table.column(name).to_pylist()] for name in table.column_names}, table.num_rows


def truth(tables):
    found = set()
    for child, (ours, rows) in tables.items():
        for parent, (theirs, more) in tables.items():
            if child == parent or not rows or rows > more or not ours.keys() <= theirs.keys():
                continue
            names = sorted(ours)
            need = Counter(zip(*(ours[name] for name in names)))
            if not need - Counter(zip(*(theirs[name] for name in names))):
                found.add((child, parent))
    return found


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    folder = Path(sys.argv[1])
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 40
    rng = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for number in range(count):
        build(folder, number, rng)
    paths = [path for path in folder.iterdir()]
    known = truth({path.name: rows_of(path) for path in paths})
    command = [LIMPID, "-q", "lake", "containment", str(folder), "--json", "--rows", "multiset", "--stage", "bytes"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    document = json.loads(done.stdout)
    found = {(edge["child"], edge["parent"]) for edge in document["edges"]}
    versions = sum(DeltaTable(str(path)).version() + 1 for path in paths if path.is_dir())
    print(f"{count} Delta tables of {versions} versions among {len(paths)}: {len(known)} pairs true, {len(found)} found, "
          f"{len(found - known)} false, {len(known - found)} missed, {len(document['left_out'])} tables left out")
    for pair in sorted(found ^ known)[:10]:
        print("  differs:", pair)
    for left in document["left_out"][:10]:
        print("  left out:", left)
    sys.exit(found != known or bool(document["left_out"]))


if __name__ == "__main__":
    main()
