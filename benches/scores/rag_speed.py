#!/usr/bin/env python3
"""`multilinear_importance` beside the package ragbooster on the same log.   Needs numpy, pyarrow, ragbooster and what that imports.

rag_speed.py --log LOG.jsonl --groups GROUPS.jsonl --limpid BINARY [--threads 2] [--repeat 3] [--copies 1]
A line of LOG is a question with its correct answers, the sites retrieved and the answer read off each. limpid is timed as a whole process
that reads Parquet and writes Parquet; ragbooster only in the call that learns, from lists that are in memory. Both use the same k,
learning rate, steps, groups and threads; the greatest difference of an importance is shown. `--copies` repeats the questions.
"""

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from ragbooster import learn_importance

K, RATE, STEPS = 10, 500, 50
QUERY = """COPY (SELECT source_id, importance FROM multilinear_importance('{log}', query => query_id, rank => rank, source => source_id,
utility => utility, "group" => "group", k => {k}, learning_rate => {rate}, steps => {steps})) TO '{out}'"""


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--log", required=True)
    p.add_argument("--groups", required=True)
    p.add_argument("--limpid", default="target/release/limpid")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--repeat", type=int, default=3)
    p.add_argument("--copies", type=int, default=1)
    a = p.parse_args()
    questions = [json.loads(line) for line in open(a.log)] * a.copies
    group = {site: g["name"] for g in map(json.loads, open(a.groups)) for site in g["elements"]}
    sites = sorted({site for q in questions for site in q["retrieved_websites"]})
    number = {site: at for at, site in enumerate(sites)}
    groups = sorted({group[site] for site in sites})
    group_number = {name: at for at, name in enumerate(groups)}
    worth = lambda q: [float(answer in q["correct_answers"]) for answer in q["retrieved_answers"]]  # noqa: E731
    encoded = [{"retrieved": [number[s] for s in q["retrieved_websites"]], "utility_contributions": worth(q)} for q in questions]
    grouping = [group_number[group[site]] for site in sites]
    rows = [
        (query, rank, number[site], group_number[group[site]], utility)
        for query, q in enumerate(questions)
        for rank, (site, utility) in enumerate(zip(q["retrieved_websites"], worth(q)))
    ]
    print(f"{len(questions)} queries, {len(rows)} results, {len(sites)} sources in {len(groups)} groups")
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as temporary:
        log, out = Path(temporary) / "log.parquet", Path(temporary) / "out.parquet"
        names = ["query_id", "rank", "source_id", "group", "utility"]
        pq.write_table(pa.table(dict(zip(names, map(list, zip(*rows))))), log)
        query = QUERY.format(log=log, out=out, k=K, rate=RATE, steps=STEPS)
        for _ in range(a.repeat):
            out.unlink(missing_ok=True)
            start = time.monotonic()
            subprocess.run([a.limpid, "sql", "--threads", str(a.threads), "-c", query], check=True, capture_output=True)
            ours.append(time.monotonic() - start)
            start = time.monotonic()
            weights = learn_importance(encoded, k=K, learning_rate=float(RATE), num_epochs=STEPS, n_jobs=a.threads, grouping=grouping)
            theirs.append(time.monotonic() - start)
        table = pq.read_table(out)
    found = dict(zip(table["source_id"].to_pylist(), table["importance"].to_pylist()))
    difference = max(abs(found[at] - weight) for at, weight in enumerate(weights))
    print(f"limpid {min(ours):.3f} s, ragbooster {min(theirs):.3f} s (best of {a.repeat}); greatest difference {difference:.1e}")


if __name__ == "__main__":
    main()
