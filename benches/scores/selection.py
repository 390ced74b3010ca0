#!/usr/bin/env python3
"""Do the selections keep what they promise? A small network on digits, trained on what each method keeps.   Needs numpy and pyarrow.

selection.py --images IMAGES.parquet --limpid BINARY [--runs 10] [--evaluations 6] [--noise 0.2] [--seed 0]
Scores come from `fit_softmax` (64 hidden units, 30 epochs), EL2N from epoch 3. A selection is judged by the test accuracy of the same
network trained on it alone, over several seeds. Labels of a share `--noise` of the training rows are replaced by other ones.
"""

import argparse
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

SCORES = """COPY (SELECT id, avg(el2n(probs, label)) FILTER (WHERE step = 3) AS el2n, avg(grand(probs, label, h_sq)) FILTER (WHERE step = 3) AS grand,
avg(margin(probs, label)) AS aum FROM fit_softmax('{rows}', train => train, hidden => 64, runs => {runs}, epochs => 30, seed => {seed})
WHERE id < {split} GROUP BY id) TO '{out}'"""
ACCURACY = """COPY (SELECT run, avg(CASE WHEN margin(probs, label) > 0 THEN 1.0 ELSE 0.0 END) AS accuracy FROM fit_softmax('{rows}', train => train,
hidden => 64, runs => {runs}, epochs => {epochs}, batch => 16, learning_rate => 0.05, seed => {seed}, log => 'last') WHERE id >= {split}
GROUP BY run) TO '{out}'"""


class Bench:
    def __init__(self, a, folder):
        self.a, self.folder = a, folder
        table = pq.read_table(a.images)
        pixels = np.array(table[a.pixels].to_pylist(), dtype=np.float32)
        labels = np.array(table[a.label].to_pylist(), dtype=np.int64)
        pixels /= pixels.max()
        order = np.random.default_rng(a.seed).permutation(len(labels))[: a.limit]
        self.x, self.y, self.split = pixels[order], labels[order], len(order) * 3 // 4

    def sql(self, query, labels, kept, **values):
        rows, out = self.folder / "rows.parquet", self.folder / "out.parquet"
        vectors = pa.FixedSizeListArray.from_arrays(pa.array(self.x.ravel()), self.x.shape[1])
        train = np.zeros(len(self.y), bool)
        train[kept] = True
        pq.write_table(pa.table({"id": np.arange(len(self.y)), "vector": vectors, "label": labels, "train": train}), rows)
        out.unlink(missing_ok=True)
        query = query.format(rows=rows, out=out, split=self.split, **values)
        subprocess.run([self.a.limpid, "sql", "-c", query], check=True)
        return pq.read_table(out)

    def scores(self, labels):
        table = self.sql(SCORES, labels, np.arange(self.split), runs=self.a.runs, seed=1).sort_by("id")
        return {name: np.array(table[name]) for name in ("el2n", "grand", "aum")}

    def accuracy(self, labels, kept, seed=7):
        # As many steps for a small selection as for a large one, within reason.
        epochs = min(300, 30 * self.split // len(kept))
        found = np.array(self.sql(ACCURACY, labels, kept, runs=self.a.evaluations, epochs=epochs, seed=seed)["accuracy"]) * 100
        return found.mean(), found.std(ddof=1)


def ccs(aum, budget, beta, rng, strata=50):
    """Trim the lowest margins, then equal shares of strata of equal width, smallest first."""
    rest = np.argsort(aum, kind="stable")[int(beta * len(aum)) :]
    edges = np.linspace(aum[rest].min(), aum[rest].max(), strata + 1)
    of = np.clip(np.searchsorted(edges, aum[rest], side="right") - 1, 0, strata - 1)
    groups = sorted((rest[of == g] for g in np.unique(of)), key=len)
    kept = []
    for at, members in enumerate(groups):
        kept.extend(rng.permutation(members)[: (budget - len(kept)) // (len(groups) - at)])
    return np.array(kept)


def auroc(score, positive):
    rank = np.argsort(np.argsort(score)) + 1
    n = positive.sum()
    return (rank[positive].sum() - n * (n + 1) / 2) / (n * (len(score) - n))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--images", required=True)
    p.add_argument("--pixels", default="pixels")
    p.add_argument("--label", default="label")
    p.add_argument("--limpid", default="target/release/limpid")
    p.add_argument("--limit", type=int, help="images used, at random; all by default")
    p.add_argument("--runs", type=int, default=10)
    p.add_argument("--evaluations", type=int, default=6)
    p.add_argument("--noise", type=float, default=0.2)
    p.add_argument("--seed", type=int, default=0)
    a = p.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        bench, rng = Bench(a, Path(temporary)), np.random.default_rng(a.seed)
        n, everything = bench.split, np.arange(bench.split)
        show = lambda name, kept, labels: print(f"{name:24} {len(kept):6} rows  %.1f +- %.1f" % bench.accuracy(labels, kept), flush=True)  # noqa: E731
        scores = bench.scores(bench.y)
        print("clean labels")
        show("everything", everything, bench.y)
        for share in (0.5, 0.1, 0.05):
            budget = round(share * n)
            print(f"keep {share:.0%}")
            show("random", rng.permutation(n)[:budget], bench.y)
            show("EL2N, hardest", np.argsort(-scores["el2n"])[:budget], bench.y)
            show("GraNd, hardest", np.argsort(-scores["grand"])[:budget], bench.y)
            for beta in (0, 0.1):
                show(f"CCS, beta {beta}", ccs(scores["aum"], budget, beta, rng), bench.y)
        noisy, classes = bench.y.copy(), bench.y.max() + 1
        wrong = np.zeros(n, bool)
        wrong[rng.permutation(n)[: round(a.noise * n)]] = True
        noisy[:n][wrong] = (noisy[:n][wrong] + rng.integers(1, classes, wrong.sum())) % classes
        scores = bench.scores(noisy)
        print(f"{a.noise:.0%} wrong labels: AUROC of EL2N {auroc(scores['el2n'], wrong):.4f}, of AUM {auroc(-scores['aum'], wrong):.4f}")
        show("everything", everything, noisy)
        budget = n // 2
        show("random 50%", rng.permutation(n)[:budget], noisy)
        show("EL2N 50%", np.argsort(-scores["el2n"])[:budget], noisy)
        show("CCS 50%, beta 0.2", ccs(scores["aum"], budget, 0.2, rng), noisy)


if __name__ == "__main__":
    main()
