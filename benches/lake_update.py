#!/usr/bin/env python3
"""What a second comparison reads after some tables changed, beside comparing anew.

  lake_update.py LAKE FOLDER [SHARE]     copies LAKE to FOLDER, compares, changes SHARE of its tables (0.01) in one way after another

Needs `pip install pyarrow`; LIMPID names the program (default target/release/limpid). Ends with 1 where an update finds other pairs.
"""

import random
import shutil
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lake import edges, limpid


def rewrite(path, change, codec="zstd"):
    table = pq.ParquetFile(path).read()
    table = change(table)
    pq.write_table(table, path, compression=codec)


def swap(table):
    """One cell gets the value of another row."""
    column = table.column(0)
    values = column.combine_chunks()
    values = values.chunk(0) if isinstance(values, pa.ChunkedArray) else values
    order = [len(values) - 1, *range(1, len(values))]
    return table.set_column(0, table.schema.field(0), pc.take(values, pa.array(order)))


WAYS = {
    "written anew": lambda table: table,
    "rows appended": lambda table: pa.concat_tables([table, table.slice(0, max(1, table.num_rows // 50))]),
    "rows dropped": lambda table: table.slice(0, max(1, table.num_rows - max(1, table.num_rows // 50))),
    "a cell changed": swap,
}


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    folder, share = Path(sys.argv[2]), float(sys.argv[3]) if len(sys.argv) > 3 else 0.01
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(sys.argv[1], folder, ignore=shutil.ignore_patterns("_limpid"))
    rng, wrong = random.Random(1), 0
    files = sorted(path for path in folder.rglob("*.parquet") if pq.read_metadata(path).num_rows > 1)
    for rows in ("multiset", "set"):
        shutil.rmtree(folder / "_limpid", ignore_errors=True)
        first, seconds, _, _ = limpid(str(folder), "--update", rows=rows)
        state = sum(file.stat().st_size for file in (folder / "_limpid/state").iterdir())
        print(f"{rows}: {first['tables']} tables, {len(first['edges'])} pairs, {first['bytes_read'] / 1e6:.2f} MB read, {seconds:.2f} s; {state / 1e6:.2f} MB of state")
        again, seconds, _, _ = limpid(str(folder), "--update", rows=rows)
        print(f"  nothing changed: {again['bytes_read'] / 1e6:.3f} MB read, {seconds:.2f} s")
        for way, change in WAYS.items():
            some = rng.sample(files, max(1, round(len(files) * share)))
            for path in some:
                rewrite(path, change)
            changed = sum(path.stat().st_size for path in some)
            updated, seconds, _, _ = limpid(str(folder), "--update", rows=rows)
            anew, _, _, _ = limpid(str(folder), rows=rows)
            same = edges(updated) == edges(anew)
            wrong += not same
            print(
                f"  {len(some)} tables of {changed / 1e6:.2f} MB {way}: {updated['bytes_read'] / 1e6:.2f} MB read ({updated['bytes_read'] / changed:.1f} of what changed, "
                f"{updated['bytes_read'] / first['bytes_read']:.1%} of the first), anew {anew['bytes_read'] / 1e6:.2f} MB; {updated['tables_scanned']} tables scanned, "
                f"{seconds:.2f} s, {'same pairs' if same else 'OTHER PAIRS'}",
                flush=True,
            )
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
