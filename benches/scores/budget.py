#!/usr/bin/env python3
"""Strata, budgets and a draw over many rows in little memory.   Needs nothing but limpid.

budget.py --limpid BINARY [--rows 10000000] [--memory 256MB] [--keep FOLDER]
`allocate_budget` divides a tenth of the rows among 50 strata of a score, the rows with the least hashes of each are written; then the
same by `limpid select --method score_strata`. Time and peak memory of the process are measured, rows counted afterwards.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "peers"))
from measure import measure  # noqa: E402

BUILD = "COPY (SELECT value AS id, power(hash_uniform(1, value), 3) AS score, hash_uniform(2, value) AS other FROM range({rows})) TO '{file}'"
ALLOCATE = """COPY (WITH strata AS (SELECT id, score, width_bucket(score, 0.0, 1.0, 50) AS stratum FROM '{file}'),
budgets AS (SELECT stratum AS of, allocated FROM allocate_budget((SELECT stratum, count(*) AS size FROM strata GROUP BY stratum), budget => {budget},
"group" => stratum, size => size, method => 'equal')),
placed AS (SELECT *, row_number() OVER (PARTITION BY stratum ORDER BY hash_uniform(42, id), id) AS place FROM strata)
SELECT id, score, stratum FROM budgets JOIN placed ON stratum = of WHERE place <= allocated) TO '{out}'"""


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--limpid", default="target/release/limpid")
    p.add_argument("--rows", type=int, default=10_000_000)
    p.add_argument("--memory", default="256MB")
    p.add_argument("--keep", help="folder for the files; a temporary one by default")
    a = p.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(a.keep or temporary)
        file, log = folder / f"{a.rows}.parquet", Path(temporary) / "log"
        if not file.exists():
            subprocess.run([a.limpid, "sql", "-c", BUILD.format(rows=a.rows, file=file)], check=True, capture_output=True)
        budget = a.rows // 10
        limit = ["--memory-limit", a.memory]
        first, second = Path(temporary) / "allocated.parquet", Path(temporary) / "selected.parquet"
        commands = {
            "allocate_budget": (first, [a.limpid, "sql", *limit, "-c", ALLOCATE.format(file=file, budget=budget, out=first)]),
            "limpid select": (
                second,
                [a.limpid, "select", str(file), "--method", "score_strata", "--score", "score", "--budget", str(budget), "--sweep", "none"]
                + [*limit, "-o", str(second)],
            ),
        }
        for name, (out, command) in commands.items():
            run = measure(command, log)
            if run["rc"]:
                sys.exit(f"{name}: {log.read_text(errors='replace')[-2000:]}")
            count = f"SELECT count(*) AS kept, count(DISTINCT id) AS ids FROM '{out}'"
            kept = subprocess.run([a.limpid, "sql", "--format", "csv", "-c", count], check=True, capture_output=True, text=True).stdout
            print(name, run, "kept, ids:", kept.split()[-1], "of a budget of", budget, flush=True)


if __name__ == "__main__":
    main()
