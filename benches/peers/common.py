"""What the adapters share: the words of the truth file, reading, union-find, bands, the result file."""

import argparse
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

WORD = re.compile(r"\w+")
NGRAM = 5


def words(text):
    return WORD.findall(text.lower())


def shingles(text, n=NGRAM):
    """The set of n consecutive words; a shorter text is one shingle; no words, no shingle."""
    w = words(text)
    return {" ".join(w[i : i + n]) for i in range(max(1, len(w) - n + 1))} if w else set()


def batches(path, rows=1000):
    for batch in pq.ParquetFile(path).iter_batches(rows, columns=["id", "text"]):
        yield batch["id"].to_pylist(), batch["text"].to_pylist()


class Components:
    """Union-find over 0..n; the smallest member is the root, so the first document survives."""

    def __init__(self, n):
        self.parent = list(range(n))

    def find(self, x):
        parent = self.parent
        while parent[x] != x:
            parent[x] = parent[parent[x]]
            x = parent[x]
        return x

    def union(self, a, b):
        a, b = self.find(a), self.find(b)
        self.parent[max(a, b)] = min(a, b)

    def roots(self):
        return [self.find(x) for x in range(len(self.parent))]


def components_of_bands(signatures, bands, rows):
    """Documents that agree in all `rows` values of any band belong together. `signatures`: uint32, (documents, bands * rows)."""
    components = Components(len(signatures))
    for b in range(bands):
        band = np.ascontiguousarray(signatures[:, b * rows : (b + 1) * rows])
        key = band.view(np.dtype((np.void, band.itemsize * rows))).ravel()
        order = np.argsort(key, kind="stable")
        for k in np.flatnonzero(key[order[1:]] == key[order[:-1]]):
            components.union(int(order[k]), int(order[k + 1]))
    return components.roots()


def write_result(path, ids, cluster, keep):
    columns = {"id": pa.array(ids, pa.int64()), "cluster": pa.array(cluster, pa.int64()), "keep": pa.array(keep, pa.bool_())}
    pq.write_table(pa.table(columns), path)


def arguments(doc, modes=("run",)):
    """PEER.py INPUT OUTPUT WORK [MODE] [--threshold T]"""
    p = argparse.ArgumentParser(description=doc)
    p.add_argument("input")
    p.add_argument("output")
    p.add_argument("work", help="a folder for intermediate files")
    p.add_argument("mode", nargs="?", default=modes[0], choices=modes)
    p.add_argument("--threshold", type=float, default=0.7)
    return p.parse_args()
