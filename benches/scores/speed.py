#!/usr/bin/env python3
"""Scores of training dynamics from Parquet, beside plain averages of the same bytes.   Needs numpy and pyarrow.

speed.py --limpid BINARY [--rows 1000000] [--classes 10] [--steps 10] [--threads N] [--repeat 3] [--keep DIR]
The log has a file for every step, as a trainer writes it: id, label, step and the class probabilities. `scores` is the mean EL2N and
margin and the forgetting events of every row; `avg` the average of every class probability of every row. Both group by the row.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parent.parent / "peers"))
from measure import measure  # noqa: E402


def build(folder, rows, classes, steps, seed):
    """Softmaxed noise that grows towards the label; a million rows in memory at a time."""
    rng, label = np.random.default_rng(seed), np.random.default_rng(seed).integers(0, classes, rows)
    for step in range(steps):
        with pq.ParquetWriter(folder / f"{step:03d}.parquet", schema(classes), compression="zstd", compression_level=1) as writer:
            for start in range(0, rows, 1_000_000):
                ids = np.arange(start, min(start + 1_000_000, rows))
                z = rng.standard_normal((len(ids), classes), dtype=np.float32)
                z[np.arange(len(ids)), label[ids]] += 0.3 * step
                p = np.exp(z)
                p /= p.sum(axis=1, keepdims=True)
                probs = pa.FixedSizeListArray.from_arrays(pa.array(p.ravel()), classes)
                columns = [pa.array(ids), pa.array(label[ids].astype(np.int32)), pa.array(np.full(len(ids), step, np.int32)), probs]
                writer.write_table(pa.table(columns, schema=schema(classes)))


def schema(classes):
    return pa.schema([("id", pa.int64()), ("label", pa.int32()), ("step", pa.int32()), ("probs", pa.list_(pa.float32(), classes))])


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--limpid", default="target/release/limpid")
    p.add_argument("--rows", type=int, default=1_000_000)
    p.add_argument("--classes", type=int, default=10)
    p.add_argument("--steps", type=int, default=10)
    p.add_argument("--threads", type=int)
    p.add_argument("--repeat", type=int, default=3)
    p.add_argument("--seed", type=int, default=42)
    p.add_argument("--keep", help="folder for the files; a temporary one by default")
    a = p.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(a.keep or temporary) / f"{a.rows}x{a.classes}x{a.steps}"
        if not folder.exists():
            folder.mkdir(parents=True)
            start = time.monotonic()
            build(folder, a.rows, a.classes, a.steps, a.seed)
            print(f"built {sum(f.stat().st_size for f in folder.iterdir()) / 2**20:.0f} MiB in {time.monotonic() - start:.0f} s", flush=True)
        source = f"'{folder}/*.parquet'"
        averages = ", ".join(f"avg(probs[{c + 1}]) AS p{c}" for c in range(a.classes))
        queries = {
            "scores": f"""SELECT sum(e), sum(m), sum(f) FROM (SELECT id, avg(el2n(probs, label)) AS e, avg(margin(probs, label)) AS m,
                forgetting_events(margin(probs, label) > 0, step, 'n_steps') AS f FROM {source} GROUP BY id)""",
            "avg": f"SELECT {', '.join(f'sum(p{c})' for c in range(a.classes))} FROM (SELECT id, {averages} FROM {source} GROUP BY id)",
            "avg of one": f"SELECT sum(p) FROM (SELECT id, avg(probs[1]) AS p FROM {source} GROUP BY id)",
        }
        flags = ["--threads", str(a.threads)] if a.threads else []
        best = {}
        for _ in range(a.repeat):
            for name, query in queries.items():
                log = Path(temporary) / "log"
                run = measure([a.limpid, "sql", *flags, "-c", query], log)
                if run["rc"]:
                    sys.exit(f"{name}: {log.read_text(errors='replace')[-2000:]}")
                best[name] = min(best.get(name, run["wall_s"]), run["wall_s"])
                print(name, run, flush=True)
        logged = a.rows * a.steps
        for name, seconds in best.items():
            print(f"{name}: {seconds:.2f} s, {logged / seconds / 1e6:.2f} M log rows a second, {best['avg'] / seconds:.2f} of avg")


if __name__ == "__main__":
    main()
