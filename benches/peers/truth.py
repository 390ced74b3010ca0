#!/usr/bin/env python3
"""Every pair of documents with exact Jaccard (word 5-shingles) >= the threshold, by brute force.
truth.py DOCS.parquet PAIRS.parquet [--threshold 0.7]      columns id1 < id2, jaccard_w5

A sparse matrix documents x shingles times its transpose counts the common shingles of all pairs; no sketch is involved.
Equal documents are one row of the matrix; documents without words match only their exact copies.
"""

import argparse
from hashlib import sha256

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from common import batches, shingles
from scipy.sparse import csr_matrix

BLOCK = 256


def read(path):
    """Distinct shingle sets as one sparse 0/1 matrix, and the ids that have each set."""
    number, seen, members, indices, ends = {}, {}, [], [], [0]
    for ids, texts in batches(path):
        for i, text in zip(ids, texts):
            found = np.sort(np.array([number.setdefault(s, len(number)) for s in shingles(text)], np.int32))
            row = seen.setdefault(sha256(found.tobytes() or text.encode()).digest(), len(members))
            if row == len(members):
                members.append([])
                indices.append(found)
                ends.append(ends[-1] + len(found))
            members[row].append(i)
    columns = np.concatenate(indices)
    return csr_matrix((np.ones(len(columns), np.int32), columns, ends), (len(members), len(number))), members


def similar_rows(matrix, threshold):
    sizes, transposed = np.diff(matrix.indptr), matrix.T.tocsr()
    for start in range(0, matrix.shape[0], BLOCK):
        common = (matrix[start : start + BLOCK] @ transposed).tocoo()
        a, b, both = common.row + start, common.col, common.data
        a, b, both = (x[a < b] for x in (a, b, both))
        jaccard = both / (sizes[a] + sizes[b] - both)
        yield from zip(*(x[jaccard >= threshold].tolist() for x in (a, b, jaccard)))


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("docs")
    p.add_argument("pairs")
    p.add_argument("--threshold", type=float, default=0.7)
    a = p.parse_args()
    matrix, members = read(a.docs)
    out = [(x, y, 1.0) for m in members for k, x in enumerate(m) for y in m[k + 1 :]]
    for row_a, row_b, jaccard in similar_rows(matrix, a.threshold):
        out += [(x, y, jaccard) for x in members[row_a] for y in members[row_b]]
    out = sorted((min(x, y), max(x, y), j) for x, y, j in out)
    pq.write_table(pa.table(dict(zip(("id1", "id2", "jaccard_w5"), zip(*out)))), a.pairs)
    print(f"{matrix.shape[0]} distinct documents, {matrix.shape[1]} shingles, {len(out)} pairs")


if __name__ == "__main__":
    main()
