#!/usr/bin/env python3
"""Do the selections keep what they promise? A small network on images, trained on what each method keeps.   Needs numpy and pyarrow.

selection.py --images IMAGES.parquet --limpid BINARY [--runs 10] [--draws 10] [--evaluations 3] [--rate 0.05] [--noise 0.2] [--seed 0]
Scores come from `fit_softmax` (64 hidden units, 30 epochs), EL2N and GraNd from epoch 3; rows are chosen by the recipes `random`, `score_top`
and `score_strata`. A selection is judged by the test accuracy of the same network trained on it alone: the mean over `--draws` selections
(for methods that draw) with `--evaluations` networks each. Labels of a share `--noise` of the training rows are replaced by other ones.
Each claim is printed with whether it holds; the exit code says whether all do.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

SCORES = """SELECT id, avg(el2n(probs, label)) FILTER (WHERE step = 3) AS el2n, avg(grand(probs, label, h_sq)) FILTER (WHERE step = 3) AS grand,
avg(margin(probs, label)) AS aum FROM fit_softmax('{rows}', train => train, hidden => 64, runs => {runs}, epochs => 30, learning_rate => {rate}, seed => {seed})
WHERE id < {split} GROUP BY id"""
ACCURACY = """SELECT run, avg(CASE WHEN margin(probs, label) > 0 THEN 1.0 ELSE 0.0 END) AS accuracy FROM fit_softmax('{rows}', train => train,
hidden => 64, runs => {runs}, epochs => {epochs}, batch => 16, learning_rate => {rate}, seed => {seed}, log => 'last') WHERE id >= {split}
GROUP BY run"""


class Bench:
    def __init__(self, a, folder):
        self.a, self.folder, self.failed = a, folder, False
        table = pq.read_table(a.images)
        pixels = np.array(table[a.pixels].to_pylist(), dtype=np.float32)
        labels = np.array(table[a.label].to_pylist(), dtype=np.int64)
        pixels /= pixels.max()
        order = np.random.default_rng(a.seed).permutation(len(labels))[: a.limit]
        self.x, self.y, self.split = pixels[order], labels[order], len(order) * 3 // 4

    def run(self, query):
        out = self.folder / "out.parquet"
        out.unlink(missing_ok=True)
        subprocess.run([self.a.limpid, "sql", "-c", f"COPY ({query}) TO '{out}'"], check=True, capture_output=True)
        return pq.read_table(out)

    def rows(self, labels, kept):
        vectors = pa.FixedSizeListArray.from_arrays(pa.array(self.x.ravel()), self.x.shape[1])
        train = np.zeros(len(self.y), bool)
        train[kept] = True
        rows = self.folder / "rows.parquet"
        pq.write_table(pa.table({"id": np.arange(len(self.y)), "embedding": vectors, "label": labels, "train": train}), rows)
        return rows

    def scores(self, labels):
        rows = self.rows(labels, np.arange(self.split))
        table = self.run(SCORES.format(rows=rows, split=self.split, runs=self.a.runs, rate=2 * self.a.rate, seed=1)).sort_by("id")
        pq.write_table(table, self.folder / "scores.parquet")
        return {name: np.array(table[name]) for name in ("el2n", "grand", "aum")}

    def chosen(self, recipe, share, **arguments):
        given = "".join(f", {name} => {value}" for name, value in arguments.items())
        scores = f"(SELECT * FROM '{self.folder / 'scores.parquet'}')"
        return np.array(self.run(f"SELECT id FROM recipe('{recipe}', {scores}, fraction => {share}{given}) WHERE keep")["id"])

    def accuracy(self, labels, kept, seed=7):
        # As many steps for a small selection as for a large one, within reason.
        epochs = min(300, 30 * self.split // len(kept))
        query = ACCURACY.format(rows=self.rows(labels, kept), split=self.split, runs=self.a.evaluations, epochs=epochs, rate=self.a.rate, seed=seed)
        return np.array(self.run(query)["accuracy"]) * 100

    def show(self, name, labels, recipe=None, share=1.0, draws=1, **arguments):
        found, count = [], self.split
        for draw in range(draws):
            kept = np.arange(self.split)
            if recipe:
                kept = self.chosen(recipe, share, seed=draw, **arguments)
            found, count = [*found, *self.accuracy(labels, kept, seed=100 + draw)], len(kept)
        print(f"  {name:18} {count:6} rows  {np.mean(found):.1f} +- {np.std(found, ddof=1):.1f} of {len(found)} networks", flush=True)
        return np.mean(found)

    def claim(self, text, holds):
        self.failed |= not holds
        print(f"  {'holds' if holds else 'FAILS'}: {text}", flush=True)


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
    p.add_argument("--draws", type=int, default=10)
    p.add_argument("--evaluations", type=int, default=3)
    p.add_argument("--rate", type=float, default=0.05, help="learning rate; the more inputs, the less")
    p.add_argument("--noise", type=float, default=0.2)
    p.add_argument("--seed", type=int, default=0)
    a = p.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        bench, rng = Bench(a, Path(temporary)), np.random.default_rng(a.seed)
        n, y = bench.split, bench.y
        bench.scores(y)
        print(f"clean labels, {len(y)} images")
        everything = bench.show("everything", y, draws=1)
        for share in (0.5, 0.1, 0.05):
            print(f"keep {share:.0%}")
            random = bench.show("random", y, "random", share, a.draws)
            el2n = bench.show("EL2N, hardest", y, "score_top", share, score="el2n")
            bench.show("GraNd, hardest", y, "score_top", share, score="grand")
            bench.show("CCS, beta 0", y, "score_strata", share, a.draws, score="aum")
            ccs = bench.show("CCS, beta 0.1", y, "score_strata", share, a.draws, score="aum", trim=0.1)
            if share == 0.5:
                bench.claim("half by EL2N is within a point of everything", el2n >= everything - 1)
                bench.claim("half by EL2N is no worse than random", el2n >= random)
            if share == 0.05:
                bench.claim("a twentieth by EL2N is 20 points under random", el2n <= random - 20)
                bench.claim("a twentieth by CCS is no worse than random", ccs >= random)
        noisy, classes = y.copy(), y.max() + 1
        wrong = np.zeros(n, bool)
        wrong[rng.permutation(n)[: round(a.noise * n)]] = True
        noisy[:n][wrong] = (noisy[:n][wrong] + rng.integers(1, classes, wrong.sum())) % classes
        scores = bench.scores(noisy)
        print(f"{a.noise:.0%} wrong labels")
        found = auroc(scores["el2n"], wrong), auroc(-scores["aum"], wrong)
        bench.claim(f"AUROC of EL2N {found[0]:.4f} and of AUM {found[1]:.4f} are at least 0.98", min(found) >= 0.98)
        everything = bench.show("everything", noisy)
        bench.show("random, half", noisy, "random", 0.5, a.draws)
        bench.show("EL2N, half", noisy, "score_top", 0.5, score="el2n")
        ccs = bench.show("CCS 0.2, half", noisy, "score_strata", 0.5, a.draws, score="aum", trim=0.2)
        bench.claim("half by CCS is no worse than everything", ccs >= everything)
        sys.exit(bench.failed)


if __name__ == "__main__":
    main()
