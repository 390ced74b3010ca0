#!/usr/bin/env python3
"""Planted duplicates and hard negatives: what limpid removes among them.   Run it with the main environment's Python.

inject.py --docs INJECT.parquet --limpid BINARY --out DIR     (INJECT: id, text, base_id, is_base, is_hard_negative)
Prints: hard negatives removed (a kept row at >= 0.7 word 5-shingle Jaccard must exist: counted apart); planted duplicates
whose exact Jaccard to their base is >= 0.7, the share of them that is in one cluster with the base, and pairs of which both
rows were kept; then quality.py's whole score against the exact pairs of the file, every stated similarity recomputed.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
from common import shingles
from quality import THRESHOLD, evaluate
from run import QUERY


def jaccard(a, b):
    return len(a & b) / len(a | b) if a or b else 1.0


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--docs", required=True)
    p.add_argument("--limpid", default="target/release/limpid")
    p.add_argument("--out", required=True)
    a = p.parse_args()
    out = Path(a.out)
    out.mkdir(parents=True, exist_ok=True)
    result, pairs = out / "inject.parquet", out / "inject_pairs.parquet"
    result.unlink(missing_ok=True)
    if not pairs.exists():
        subprocess.run([sys.executable, "-B", Path(__file__).with_name("truth.py"), a.docs, pairs], check=True)
    subprocess.run([a.limpid, "sql", "-c", QUERY.format(docs=a.docs, out=result, threshold=THRESHOLD)], check=True)

    docs = pq.read_table(a.docs, columns=["id", "text", "base_id", "is_base", "is_hard_negative"]).to_pylist()
    rows = {r["id"]: r for r in pq.read_table(result).to_pylist()}
    sets = {d["id"]: shingles(d["text"]) for d in docs}
    hard = [d["id"] for d in docs if d["is_hard_negative"]]
    gone = [i for i in hard if not rows[i]["keep"]]
    planted = [(d["id"], d["base_id"]) for d in docs if not d["is_base"] and not d["is_hard_negative"]]
    true = [(i, b) for i, b in planted if jaccard(sets[i], sets[b]) >= THRESHOLD]
    found = sum(rows[i]["cluster"] == rows[b]["cluster"] for i, b in true)
    print(json.dumps({
        "hard_negatives": len(hard), "hard_negatives_removed": len(gone),
        "hard_negatives_removed_without_similar_kept_row": sum(jaccard(sets[i], sets.get(rows[i]["duplicate_of"], set())) < THRESHOLD for i in gone),
        "planted": len(planted), "planted_true": len(true), "planted_found": found, "planted_recall": round(found / max(1, len(true)), 5),
        "planted_both_kept": sum(rows[i]["keep"] and rows[b]["keep"] for i, b in true),
        **evaluate(result, pairs, THRESHOLD, a.docs),
    }, indent=1))  # fmt: skip


if __name__ == "__main__":
    main()
