#!/usr/bin/env python3
"""What of known derivations is found: other names, other types, nearly the same rows; and whether intervals hold the true share.

  lake_recall.py FOLDER [LAKE]     FOLDER is written: a lake of derivations and one of casts, of its roots and of tables of LAKE

Needs `pip install duckdb polars pyarrow numpy`; LIMPID names the program (default target/release/limpid). Ends with 1 where a true
pair under other names is missed or an interval covers less than it says.
"""

import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from lake import LIMPID, edges, limpid, tables_of
from lake_truth import Lake

SOURCES = 80


def derived(url):
    """Tables by root: how each was made."""
    made = {}
    for name in tables_of(url):
        root, _, operation = name.removesuffix(".parquet").partition("/")
        made.setdefault(root, {})[operation.partition("_")[2] or operation] = name
    return made


def names(url):
    """Renamed tables, whole and nearly."""
    made, bad = derived(url), 0
    found = edges(limpid(url, "--renamed")[0])
    wanted = [pair for of in made.values() if "rename" in of for pair in [(of["rename"], of["root"]), (of["root"], of["rename"])]]
    hits = sum(pair in found for pair in wanted)
    bad += len(wanted) - hits
    print(f"other names: {hits} of {len(wanted)} pairs")
    least = 0.7
    for rows in ("multiset", "set"):
        known, _ = Lake(url, tables_of(url), "widen").containment(rows, least)
        near = {(edge["child"], edge["parent"]): edge["similarity"] for edge in limpid(url, "--renamed", "--threshold", str(least), rows=rows)[0]["edges"]}
        total, hits, lower = Counter(), Counter(), 0
        for of in made.values():
            for operation in of:
                if not operation.startswith("near") or "rename" not in of:
                    continue
                # What is nearly in the root is as nearly in the root under other names.
                for pair, alias in [((of[operation], of["root"]), (of[operation], of["rename"])), ((of["root"], of[operation]), (of["rename"], of[operation]))]:
                    if pair in known:
                        total[operation] += 1
                        hits[operation] += alias in near
                        lower += near.get(alias, 1) < known[pair] - 1e-9
        bad += sum(total.values()) - sum(hits.values()) + lower
        print(f"other names and {least} of the rows, {rows}: {sum(hits.values())} of {sum(total.values())} pairs ({dict(hits)}), {lower} of a lower share")
    return bad


def casts(table):
    """A table under other types; only what keeps every value."""
    con = duckdb.connect()
    con.execute("SET TimeZone = 'UTC'")
    con.register("t", table)
    whole = lambda t: pa.types.is_integer(t)

    def arrow(change):
        columns = [change(array) for array in table.columns]
        return pa.table(dict(zip(table.column_names, columns))) if any(c.type != f.type for c, f in zip(columns, table.schema)) else None

    def wide(array):
        return array.cast(pa.float64()) if whole(array.type) else array

    def decimals(array):
        return array.cast(pa.decimal128(38, 4)) if whole(array.type) else array

    def moments(unit):
        def change(array):
            if pa.types.is_date(array.type) or pa.types.is_timestamp(array.type):
                return array.cast(pa.timestamp(unit, getattr(array.type, "tz", None)))
            return array
        return change

    def texts(array):
        return array.cast(pa.string()) if not pa.types.is_string(array.type) else array

    yield "int as double", lambda: arrow(wide)
    yield "int as decimal", lambda: arrow(decimals)
    for unit in ("ms", "us", "ns"):
        yield f"time as timestamp[{unit}]", lambda unit=unit: arrow(moments(unit))
    yield "text as dictionary", lambda: arrow(lambda array: array.dictionary_encode() if pa.types.is_string(array.type) else array)
    yield "int as text", lambda: arrow(lambda array: texts(array) if whole(array.type) else array)
    yield "all as text, pyarrow", lambda: arrow(texts)
    yield "all as text, DuckDB", lambda: con.execute("SELECT COLUMNS(*)::VARCHAR FROM t").to_arrow_table()
    yield "all as text, polars", lambda: pl.from_arrow(table).select(pl.all().cast(pl.String)).to_arrow()
    yield "int as double as text", lambda: arrow(lambda array: array.cast(pa.float64()).cast(pa.string()) if whole(array.type) else array)


def types(folder, sources):
    """Casts of tables: by which notion of equality each is found in its source and its source in it."""
    shutil.rmtree(folder, ignore_errors=True)
    made, wanted = Counter(), {}
    for number, table in enumerate(sources):
        # Names of its own, so that tables of other sources are of no interest.
        table = table.rename_columns([f"s{number}_{name}" for name in table.column_names])
        here = folder / f"s{number:03}"
        here.mkdir(parents=True)
        pq.write_table(table, here / "source.parquet")
        for at, (operation, make) in enumerate(casts(table)):
            try:
                cast = make()
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError, duckdb.Error, pl.exceptions.PolarsError):
                continue
            if cast is None or cast.num_rows != table.num_rows:
                continue
            pq.write_table(cast, here / f"cast_{at}.parquet")
            made[operation] += 2
            wanted[f"s{number:03}/cast_{at}.parquet", f"s{number:03}/source.parquet"] = operation
            wanted[f"s{number:03}/source.parquet", f"s{number:03}/cast_{at}.parquet"] = operation
    hits = {}
    for mode in ("strict", "widen", "text", "parsed"):
        found = edges(limpid(str(folder), "--types", mode)[0])
        hits[mode] = Counter(operation for pair, operation in wanted.items() if pair in found)
    print(f"{'casts of ' + str(len(sources)) + ' tables':28}" + "".join(f"{mode:>10}" for mode in hits))
    for operation, total in made.items():
        print(f"{operation:28}" + "".join(f"{hits[mode][operation]:>4}/{total:<5}" for mode in hits))
    print(f"{'all':28}" + "".join(f"{sum(hits[mode].values()) / sum(made.values()):>10.3f}" for mode in hits))


def intervals(url):
    """Estimates by drawn rows, each beside the true share of the child's rows that the parent has."""
    known, _ = Lake(url, tables_of(url), "widen").containment("each", 1e-9)
    for draws in (10, 40, 160):
        held = all_of = within = open_ones = 0
        for seed in range(10):
            flags = ["--stage", "sampled", "--threshold", "0.01", "--sample-rows", str(draws), "--seed", str(seed)]
            for edge in limpid(url, *flags)[0]["edges"]:
                share = known.get((edge["child"], edge["parent"]), 0.0)
                holds = edge["similarity_low"] - 1e-9 <= share <= edge["similarity_high"] + 1e-9
                held, all_of = held + holds, all_of + 1
                if 0 < share < 1:
                    within, open_ones = within + holds, open_ones + 1
        print(f"intervals of {draws} rows: {held} of {all_of} hold the share ({held / all_of:.4f}); of shares between 0 and 1 {within} of {open_ones} ({within / max(1, open_ones):.4f})", flush=True)
        yield within / max(1, open_ones)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    folder = Path(sys.argv[1])
    demo = folder / "derived"
    if not demo.exists():
        subprocess.run([LIMPID, "lake", "demo", str(demo), "--roots", "25"], check=True)
    bad = names(str(demo))
    # A root in two files is a folder.
    sources = [pq.read_table(demo / of["root"]) for of in derived(str(demo)).values()]
    flat = lambda table: table.num_rows and not any(pa.types.is_nested(field.type) for field in table.schema)
    if len(sys.argv) > 2:
        real = [pq.read_table(path) for path in sorted(Path(sys.argv[2]).rglob("*.parquet"))[:: 3]]
        sources += [table for table in real if table.num_rows < 20_000]
    types(folder / "casts", [table for table in sources if flat(table)][:SOURCES])
    covered = [share for url in [str(demo), *sys.argv[2:3]] for share in intervals(url)]
    sys.exit(bad > 0 or min(covered) < 0.95)


if __name__ == "__main__":
    main()
