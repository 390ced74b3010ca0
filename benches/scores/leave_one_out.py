#!/usr/bin/env python3
"""`influence` beside what it predicts: the validation loss after retraining without each row.   Needs numpy and pyarrow.

leave_one_out.py --images IMAGES.parquet --limpid BINARY [--rows 600] [--only N] [--noise 0.1] [--l2 0.01] [--seed 0]
Logistic regression on pixels in [0, 1]; labels of a share `--noise` of the training rows are wrong. Retraining is Newton's method in numpy
from the optimum of all rows; `--only` retrains without N of the rows, one at a time, drawn at random. Also the area under the curve with which the lowest influences find the wrong labels.
"""

import argparse
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

QUERY = "COPY (SELECT id, influence FROM influence('{rows}', target => valid, l2 => {l2}) ORDER BY id) TO '{out}'"


def softmax(z):
    z = np.exp(z - z.max(axis=1, keepdims=True))
    return z / z.sum(axis=1, keepdims=True)


def loss(w, x, y):
    return -np.log(softmax(x @ w.T)[np.arange(len(y)), y]).mean()


def fit(w, x, y, l2, steps):
    """Newton's method on mean cross-entropy + l2 / 2 |w|^2."""
    (classes, inputs), target = w.shape, np.eye(len(w))[y]
    for _ in range(steps):
        p = softmax(x @ w.T)
        gradient = (p - target).T @ x / len(y) + l2 * w
        hessian = np.empty((classes, inputs, classes, inputs))
        for a in range(classes):
            for b in range(a, classes):
                block = (x * (p[:, a] * ((a == b) - p[:, b]))[:, None]).T @ x / len(y)
                hessian[a, :, b, :] = hessian[b, :, a, :] = block
        hessian = hessian.reshape(w.size, w.size) + l2 * np.eye(w.size)
        w = w - np.linalg.solve(hessian, gradient.ravel()).reshape(w.shape)
        if np.abs(gradient).max() < 1e-9:
            break
    return w


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--images", required=True)
    p.add_argument("--limpid", default="target/release/limpid")
    p.add_argument("--rows", type=int, default=600)
    p.add_argument("--only", type=int, help="rows left out, one at a time; all by default")
    p.add_argument("--noise", type=float, default=0.1)
    p.add_argument("--l2", type=float, default=0.01)
    p.add_argument("--seed", type=int, default=0)
    a = p.parse_args()
    table, rng = pq.read_table(a.images), np.random.default_rng(a.seed)
    x = np.array(table["pixels"].to_pylist(), dtype=np.float32)
    x, y = x / x.max(), np.array(table["label"])
    order = rng.permutation(len(y))[: 2 * a.rows]
    x, y, n = x[order], y[order].copy(), a.rows
    classes = y.max() + 1
    wrong = np.zeros(n, bool)
    wrong[rng.permutation(n)[: round(a.noise * n)]] = True
    y[:n][wrong] = (y[:n][wrong] + rng.integers(1, classes, wrong.sum())) % classes
    with tempfile.TemporaryDirectory() as temporary:
        rows, out = Path(temporary) / "rows.parquet", Path(temporary) / "out.parquet"
        vectors = pa.FixedSizeListArray.from_arrays(pa.array(x.ravel()), x.shape[1])
        pq.write_table(pa.table({"id": np.arange(len(y)), "embedding": vectors, "label": y, "valid": np.arange(len(y)) >= n}), rows)
        subprocess.run([a.limpid, "sql", "-c", QUERY.format(rows=rows, out=out, l2=a.l2)], check=True)
        influence = np.array(pq.read_table(out)["influence"])
    x = x.astype(np.float64)
    train, valid = (x[:n], y[:n]), (x[n:], y[n:])
    whole = fit(np.zeros((classes, x.shape[1])), *train, a.l2, 50)
    base, truth = loss(whole, *valid), []
    left_out = np.sort(rng.permutation(n)[: a.only])
    for row in left_out:
        rest = np.arange(n) != row
        truth.append(loss(fit(whole, train[0][rest], train[1][rest], a.l2, 2), *valid) - base)
    rank = lambda v: np.argsort(np.argsort(v))  # noqa: E731
    tried = influence[left_out]
    pearson = np.corrcoef(tried, truth)[0, 1]
    spearman = np.corrcoef(rank(tried), rank(truth))[0, 1]
    slope = np.polyfit(tried, truth, 1)[0]
    ranks = rank(-influence) + 1
    auroc = (ranks[wrong].sum() - wrong.sum() * (wrong.sum() + 1) / 2) / (wrong.sum() * (n - wrong.sum()))
    print(f"{len(truth)} of {n} rows left out: Pearson {pearson:.4f}, Spearman {spearman:.4f}, slope {slope:.3f}; wrong labels found with AUROC {auroc:.4f}")


if __name__ == "__main__":
    main()
