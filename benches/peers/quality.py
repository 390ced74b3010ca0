#!/usr/bin/env python3
"""Scores a deduplication result against the exact pairs.   quality.py RESULT.parquet PAIRS.parquet [--docs DOCS.parquet]

RESULT: id, cluster, keep [, duplicate_of, similarity].   PAIRS: id1, id2, jaccard_w5 (exact, every pair >= the threshold).
With duplicate_of and similarity, --docs recomputes every stated similarity from the two texts.   Prints one JSON object:

removed              rows with keep = false
over_deleted         removed rows without any kept row at >= threshold: nothing that is left justifies them
missed, missed_share true pairs (>= threshold) with both rows kept, and their share of the true pairs
precision, recall    pairs inside one cluster against the true pairs
largest_cluster      rows in the largest cluster
keep_differs         rows kept here and removed in the reference or the other way round. The reference, from the exact
                     pairs: in id order, a row goes iff an earlier kept row is at >= threshold
of removed rows that name their kept row (all 0 when right):
unnamed              removed rows without duplicate_of, and kept rows with one
not_kept             duplicate_of is not a kept row
not_true             (row, duplicate_of) is no true pair
wrong_similarity     |similarity - exact| > 1e-12, exact from PAIRS, and from the texts with --docs
"""

import argparse
import json
import sys

import numpy as np
import pyarrow.parquet as pq
from common import Components, shingles

THRESHOLD = 0.7


def reference(ids, pairs, threshold, transitive=False):
    """(cluster, keep) of exact Jaccard: in survivor order, or (transitive) one survivor a connected component."""
    components, earlier = Components(len(ids)), {}
    for a, b in pairs[["a", "b"]][pairs["j"] >= threshold].tolist():
        components.union(a, b)
        earlier.setdefault(max(a, b), []).append(min(a, b))
    roots, keep = components.roots(), np.ones(len(ids), bool)
    for row in range(len(ids)):
        keep[row] = roots[row] == row if transitive else not any(keep[e] for e in earlier.get(row, ()))
    return np.array(roots), keep


def load_pairs(path, ids):
    """Exact pairs as row numbers of `ids` (ascending), a < b."""
    t = pq.read_table(path, columns=["id1", "id2", "jaccard_w5"])
    a, b = (np.searchsorted(ids, t[c].to_numpy()) for c in ("id1", "id2"))
    out = np.empty(len(a), [("a", np.int64), ("b", np.int64), ("j", np.float64)])
    out["a"], out["b"], out["j"] = np.minimum(a, b), np.maximum(a, b), t["jaccard_w5"].to_numpy()
    return out


def score(ids, cluster, keep, pairs, threshold):
    true = pairs[pairs["j"] >= threshold]
    a, b = true["a"], true["b"]
    _, group, size = np.unique(cluster, return_inverse=True, return_counts=True)
    together, found = int((group[a] == group[b]).sum()), int((size.astype(np.int64) * (size - 1) // 2).sum())
    justified = np.zeros(len(ids), bool)
    justified[a[keep[b]]] = True
    justified[b[keep[a]]] = True
    missed = int((keep[a] & keep[b]).sum())
    return {
        "documents": len(ids), "removed": int((~keep).sum()), "over_deleted": int((~keep & ~justified).sum()), "missed": missed,
        "missed_share": round(missed / max(1, len(true)), 5), "true_pairs": len(true), "precision": round(together / max(1, found), 4),
        "recall": round(together / max(1, len(true)), 4), "largest_cluster": int(size.max()),
        "keep_differs": int((keep != reference(ids, pairs, threshold)[1]).sum()),
    }  # fmt: skip


def score_names(t, ids, keep, pairs, threshold, docs):
    """Checks duplicate_of and similarity of every row; see the head of this file."""
    exact = {(a, b): j for a, b, j in pairs[pairs["j"] >= threshold].tolist()}
    row_of, named, stated = {int(i): r for r, i in enumerate(ids)}, t["duplicate_of"].to_pylist(), t["similarity"].to_pylist()
    text = dict(zip(*(c.to_pylist() for c in pq.read_table(docs, columns=["id", "text"]).columns))) if docs else {}
    out = dict.fromkeys(("unnamed", "not_kept", "not_true", "wrong_similarity"), 0)
    for row, (i, other, similarity) in enumerate(zip(ids.tolist(), named, stated)):
        out["unnamed"] += (other is None) != bool(keep[row]) or (similarity is None) != bool(keep[row])
        if keep[row] or other is None:
            continue
        o = row_of.get(other, -1)
        out["not_kept"] += o < 0 or not keep[o]
        jaccards = [exact.get((min(row, o), max(row, o)), 0.0)]
        out["not_true"] += jaccards[0] < threshold
        if docs:
            x, y = shingles(text[i]), shingles(text.get(other, ""))
            jaccards.append(len(x & y) / len(x | y) if x or y else float(text[i] == text[other]))
        out["wrong_similarity"] += similarity is None or any(abs(similarity - j) > 1e-12 for j in jaccards)
    return out


def evaluate(result, pairs_path, threshold=THRESHOLD, docs=None):
    t = pq.read_table(result).sort_by("id")
    ids, cluster, keep = (t[c].to_numpy() for c in ("id", "cluster", "keep"))
    if len(np.unique(ids)) != len(ids):
        sys.exit(f"{result}: an id occurs twice")
    pairs = load_pairs(pairs_path, ids)
    out = score(ids, cluster, keep, pairs, threshold)
    if "duplicate_of" in t.column_names:
        out |= score_names(t, ids, keep, pairs, threshold, docs)
    return out


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("result")
    p.add_argument("pairs")
    p.add_argument("--docs")
    p.add_argument("--threshold", type=float, default=THRESHOLD)
    p.add_argument("--reference", choices=("direct", "transitive"), help="score exact Jaccard itself; RESULT gives the ids")
    a = p.parse_args()
    if a.reference:
        ids = np.sort(pq.read_table(a.result, columns=["id"])["id"].to_numpy())
        pairs = load_pairs(a.pairs, ids)
        print(json.dumps(score(ids, *reference(ids, pairs, a.threshold, a.reference == "transitive"), pairs, a.threshold)))
    else:
        print(json.dumps(evaluate(a.result, a.pairs, a.threshold, a.docs)))
