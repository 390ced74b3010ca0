#!/usr/bin/env python3
"""Pruning a retrieval corpus by multilinear_importance, on questions that were not used to learn it.   Needs pyarrow.

rag_importance.py --log LOG.jsonl --groups GROUPS.jsonl --splits SPLITS.jsonl --limpid BINARY [--only N]
A line of LOG is a question with its correct answers, the sites retrieved for it and the answer read off each; GROUPS maps a
domain to its sites; SPLITS holds line numbers for validation and test. The answer to a question is the commonest of the first
10. Groups are removed from the least important on, a tenth of the validation results at a time, at the rate best on validation.
"""

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path
from statistics import mean, mode

import pyarrow as pa
import pyarrow.parquet as pq

K = 10
QUERY = """COPY (SELECT "group", min(importance) AS importance FROM multilinear_importance('{log}', query => query_id, rank => rank,
source => source_id, utility => utility, "group" => "group", k => 10, learning_rate => 500, steps => 50) GROUP BY "group") TO '{out}'"""


def lines(path):
    return [json.loads(line) for line in open(path)]


def accuracy(questions, group, kept):
    """Share of questions whose commonest answer among the first K from kept groups is right."""
    right = 0
    for q in questions:
        answers = [a for site, a in zip(q["retrieved_websites"], q["retrieved_answers"]) if kept(group[site])][:K]
        right += bool(answers) and mode(answers) in q["correct_answers"]
    return right / len(questions)


def importance(questions, group, limpid, folder):
    rows = [
        (query, rank, site, group[site], float(answer in q["correct_answers"]))
        for query, q in enumerate(questions)
        for rank, (site, answer) in enumerate(zip(q["retrieved_websites"], q["retrieved_answers"]))
    ]
    log, out = folder / "log.parquet", folder / "importance.parquet"
    names = ["query_id", "rank", "source_id", "group", "utility"]
    pq.write_table(pa.table(dict(zip(names, map(list, zip(*rows))))), log)
    out.unlink(missing_ok=True)
    start = time.monotonic()
    subprocess.run([limpid, "sql", "-c", QUERY.format(log=log, out=out)], check=True, capture_output=True)
    seconds = time.monotonic() - start
    table = pq.read_table(out)
    return dict(zip(table["group"].to_pylist(), table["importance"].to_pylist())), seconds


def pruned(validation, test, group, worth):
    """Accuracies on test as they are and after pruning at the rate best on validation."""
    count = {}
    for q in validation:
        for site in q["retrieved_websites"]:
            count[group[site]] = count.get(group[site], 0) + 1
    order, total = sorted(worth, key=lambda g: (worth[g], g)), sum(count.values())
    tried = []
    for tenth in range(10):
        removed, gone = set(), 0
        for g in order:
            if gone >= tenth / 10 * total:
                break
            removed.add(g)
            gone += count[g]
        kept = lambda g: g in worth and g not in removed  # noqa: E731
        tried.append((accuracy(validation, group, kept), -tenth, accuracy(test, group, kept)))
    return tried[0][2], max(tried)[2]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--log", required=True)
    p.add_argument("--groups", required=True)
    p.add_argument("--splits", required=True)
    p.add_argument("--limpid", default="target/release/limpid")
    p.add_argument("--only", type=int)
    a = p.parse_args()
    questions = lines(a.log)
    group = {site: g["name"] for g in lines(a.groups) for site in g["elements"]}
    results, seconds = [], []
    with tempfile.TemporaryDirectory() as temporary:
        for split in lines(a.splits)[: a.only]:
            validation, test = ([questions[i] for i in split[part]] for part in ("validation", "test"))
            worth, took = importance(validation, group, a.limpid, Path(temporary))
            results.append(pruned(validation, test, group, worth))
            seconds.append(took)
            print(split["seed"], *(f"{x:.4f}" for x in results[-1]), f"{took:.2f} s", flush=True)
    before, after = (mean(column) for column in zip(*results))
    print(f"{len(results)} splits: accuracy {before:.4f} before, {after:.4f} after pruning; {mean(seconds):.2f} s a split")


if __name__ == "__main__":
    main()
