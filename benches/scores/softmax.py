#!/usr/bin/env python3
"""`fit_softmax` beside scikit-learn and a plain numpy loop: the same network on the same arrays in one run.   Needs numpy, pyarrow and scikit-learn.

softmax.py --limpid BINARY [--rows 5952] [--inputs 192] [--hidden 64] [--classes 10] [--epochs 30] [--batch 64] [--rate 0.05] [--threads N] [--repeat 3]
One hidden ReLU layer, softmax, cross-entropy, stochastic gradient descent with momentum 0.9. Rows are clouds about random centres with a tenth
of the labels wrong; a fourth is left out of training and tells the accuracy. Times are those of a whole process that reads the same Parquet
file, learns and writes its predictions: CPU is user and system time of all its threads. Each is started `--repeat` times; the least is shown.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

QUERY = """SELECT avg(CASE WHEN margin(probs, label) > 0 THEN 1.0 ELSE 0.0 END) AS accuracy FROM fit_softmax('{file}', train => train, hidden => {hidden},
epochs => {epochs}, batch => {batch}, learning_rate => {rate}, log => 'last') AS log WHERE id >= {split}"""


def make(a, file):
    rng = np.random.default_rng(1)
    rows = a.rows * 4 // 3
    labels = rng.integers(0, a.classes, rows)
    x = rng.normal(size=(a.classes, a.inputs))[labels] * 0.25 + rng.normal(size=(rows, a.inputs))
    x = (x / np.sqrt((x * x).sum(axis=1, keepdims=True)) * 3).astype(np.float32)
    shown = np.where(rng.random(rows) < 0.1, rng.integers(0, a.classes, rows), labels)
    train = np.arange(rows) < a.rows
    shown = np.where(train, shown, labels)
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(x.ravel()), a.inputs)
    pq.write_table(pa.table({"id": np.arange(rows), "embedding": vectors, "label": shown, "train": train}), file)


def read(file):
    table = pq.read_table(file)
    x = table["embedding"].combine_chunks().flatten().to_numpy().reshape(len(table), -1)
    y, train = np.array(table["label"]), np.array(table["train"])
    return x[train], y[train], x[~train], y[~train]


def numpy_loop(a, file):
    x, y, tx, ty = read(file)
    rng, f = np.random.default_rng(42), np.float32
    w1 = ((2 * rng.random((a.inputs, a.hidden)) - 1) * np.sqrt(6 / a.inputs)).astype(f)
    w2 = ((2 * rng.random((a.hidden, a.classes)) - 1) * np.sqrt(3 / a.hidden)).astype(f)
    layers = [w1, np.zeros(a.hidden, f), w2, np.zeros(a.classes, f)]
    speed = [np.zeros_like(w) for w in layers]
    target, rate = np.eye(a.classes, dtype=f)[y], f(a.rate)
    for _ in range(a.epochs):
        order = rng.permutation(len(x))
        for start in range(0, len(x), a.batch):
            rows = order[start : start + a.batch]
            inputs = x[rows]
            h = np.maximum(inputs @ layers[0] + layers[1], 0)
            z = h @ layers[2] + layers[3]
            p = np.exp(z - z.max(axis=1, keepdims=True))
            error = (p / p.sum(axis=1, keepdims=True) - target[rows]) / f(len(rows))
            back = (error @ layers[2].T) * (h > 0)
            for w, v, g in zip(layers, speed, [inputs.T @ back, back.sum(axis=0), h.T @ error, error.sum(axis=0)]):
                v *= f(0.9)
                v -= rate * g
                w += v
    z = np.maximum(tx @ layers[0] + layers[1], 0) @ layers[2] + layers[3]
    return float((z.argmax(axis=1) == ty).mean())


def sklearn_fit(a, file):
    import warnings

    from sklearn.neural_network import MLPClassifier

    warnings.simplefilter("ignore")
    x, y, tx, ty = read(file)
    network = MLPClassifier(
        (a.hidden,), solver="sgd", alpha=0.0, batch_size=a.batch, learning_rate_init=a.rate, max_iter=a.epochs, momentum=0.9, nesterovs_momentum=False,
        random_state=42, tol=0.0, n_iter_no_change=a.epochs,
    )
    return float(network.fit(x, y).score(tx, ty))


def measured(command, env):
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{command}: {done.stderr[-2000:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, wall, float(done.stdout.split()[-1])


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--limpid", default="target/release/limpid")
    for name, value in (("rows", 5952), ("inputs", 192), ("hidden", 64), ("classes", 10), ("epochs", 30), ("batch", 64), ("threads", 0), ("repeat", 3)):
        p.add_argument(f"--{name}", type=int, default=value)
    p.add_argument("--rate", type=float, default=0.05)
    p.add_argument("--own", help=argparse.SUPPRESS)
    p.add_argument("--file", help=argparse.SUPPRESS)
    a = p.parse_args()
    if a.own:
        print({"numpy": numpy_loop, "scikit-learn": sklearn_fit, "python": lambda *_: 0.0}[a.own](a, a.file))
        return
    env = dict(os.environ)
    limpid = [a.limpid, "sql", "--format", "csv", *(["--threads", str(a.threads)] if a.threads else [])]
    if a.threads:
        env.update({name: str(a.threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")})
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "rows.parquet")
        make(a, file)
        same = [arg for name in ("rows", "inputs", "hidden", "classes", "epochs", "batch", "rate") for arg in (f"--{name}", str(getattr(a, name)))]
        own = [sys.executable, __file__, *same, "--file", file, "--own"]
        query = QUERY.format(**{**vars(a), "file": file, "split": a.rows})
        commands = {
            "limpid": [*limpid, "-c", query],
            "limpid starts": [*limpid, "-c", f"SELECT avg(label) FROM '{file}'"],
            "scikit-learn": [*own, "scikit-learn"],
            "numpy": [*own, "numpy"],
            "python starts": [*own, "python"],
        }
        found = {name: [] for name in commands}
        for _ in range(a.repeat):
            for name, command in commands.items():
                found[name].append(measured(command, env))
    least = {name: (min(run[0] for run in runs), min(run[1] for run in runs), runs[0][2]) for name, runs in found.items()}
    for name, (cpu, wall, accuracy) in least.items():
        print(f"{name:14} CPU {cpu:6.2f} s  wall {wall:6.2f} s" + ("" if "starts" in name else f"  accuracy {100 * accuracy:.2f} %"))
    ratio = lambda a, b: least[a][0] / least[b][0]  # noqa: E731
    print(json.dumps({"of scikit-learn": round(ratio("limpid", "scikit-learn"), 2), "of numpy": round(ratio("limpid", "numpy"), 2)}))


if __name__ == "__main__":
    main()
