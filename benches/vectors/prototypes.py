#!/usr/bin/env python3
"""Do prototypes keep what they promise? A classifier trained on the hardest, the easiest and random rows.   Needs numpy, pyarrow, scikit-learn.

prototypes.py --images IMAGES.parquet --limpid BINARY [--train N] [--test N] [--dims 30] [--k 10] [--seeds 10] [--balance 0.5]
Rows are split at random by seed, pixels reduced by PCA, and the recipe `ssl_prototypes` keeps rows by their distance to their centroid.
What is kept trains a network with one hidden layer of 64 units; printed are the means of the test accuracy in percent, and their spread.
"""

import argparse
import subprocess
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.decomposition import PCA
from sklearn.neural_network import MLPClassifier

warnings.filterwarnings("ignore")
KEEP = (0.8, 0.5, 0.2, 0.1, 0.05)
JOB = """name: prototypes
sources:
  rows: {{paths: ["{rows}"], format: parquet}}
id: id
text: text
steps:
  - name: prototypes
    recipe: ssl_prototypes
    args: {{k: {k}, fraction: {fraction}, order: {order}, balance: {balance}, seed: {seed}}}
sink: {{path: "{out}/clean", format: parquet}}
report: "{out}/report.html"
work: "{out}/work"
"""


def selected(a, folder, vectors, fraction, order, seed):
    rows, out, job = folder / "rows.parquet", folder / f"out-{fraction}-{order}", folder / "job.yaml"
    lists = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])
    texts = pa.array([""] * len(vectors))
    pq.write_table(pa.table({"id": np.arange(len(vectors)), "embedding": lists, "text": texts}), rows)
    job.write_text(JOB.format(rows=rows, out=out, k=a.k, fraction=fraction, order=order, balance=a.balance, seed=seed))
    subprocess.run([a.limpid, "run", "-q", job], check=True, cwd=folder, stdout=subprocess.DEVNULL)
    return pq.read_table(out / "clean", columns=["id"])["id"].to_numpy()


def accuracy(train, test, seed):
    if len(set(train[1])) < 2:
        return 100 * float(np.mean(test[1] == train[1][0]))
    network = MLPClassifier((64,), max_iter=200, random_state=seed)
    return 100 * network.fit(*train).score(*test)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--images", required=True)
    p.add_argument("--limpid", required=True)
    p.add_argument("--pixels", default="pixels")
    p.add_argument("--label", default="label")
    p.add_argument("--train", type=int, default=1347)
    p.add_argument("--test", type=int, default=450)
    p.add_argument("--dims", type=int, default=30)
    p.add_argument("--k", type=int, default=10)
    p.add_argument("--seeds", type=int, default=10)
    p.add_argument("--balance", type=float, default=0.5)
    a = p.parse_args()
    table = pq.read_table(a.images, columns=[a.pixels, a.label])
    pixels = np.array(table[a.pixels].to_pylist(), dtype=np.float32)
    labels = table[a.label].to_numpy()
    found = {(order, keep): [] for order in ("hard", "easy", "random") for keep in KEEP}
    for seed in range(a.seeds):
        random = np.random.default_rng(seed)
        order = random.permutation(len(labels))[: a.train + a.test]
        train, test = order[: a.train], order[a.train :]
        pca = PCA(a.dims, random_state=0).fit(pixels[train])
        x, xt = (pca.transform(pixels[rows]).astype(np.float32) for rows in (train, test))
        scale = x.std()
        there = (xt / scale, labels[test])
        with tempfile.TemporaryDirectory() as folder:
            for keep in KEEP:
                for how in ("hard", "easy"):
                    rows = selected(a, Path(folder), x, keep, how, seed)
                    found[how, keep].append(accuracy((x[rows] / scale, labels[train][rows]), there, seed))
                rows = random.permutation(len(train))[: int(keep * len(train))]
                found["random", keep].append(accuracy((x[rows] / scale, labels[train][rows]), there, seed))
    print(f"{a.train} rows to train, {a.test} to test, {a.seeds} seeds, {a.dims} dimensions, k = {a.k}, balance = {a.balance}")
    print("| keep | " + " | ".join(f"{keep:.0%}" for keep in KEEP) + " |\n|---|" + "---:|" * len(KEEP))
    for how in ("hard", "easy", "random"):
        cells = (f"{np.mean(found[how, keep]):.1f} ± {np.std(found[how, keep]):.1f}" for keep in KEEP)
        print(f"| {how} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
