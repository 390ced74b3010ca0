"""text-dedup: its own command (128 permutations, xxh3, word 5-grams, one process a core, no minimum length) from Parquet to its
saved dataset. `collect` turns that and its --debug union-find into the result file and is not timed."""

import os
import pickle
import shutil
import subprocess
import sys

import pyarrow.parquet as pq
from common import NGRAM, arguments, write_result


def run(source, work, threshold):
    shutil.rmtree(work, ignore_errors=True)
    options = {
        "path": "parquet", "data_files": source, "split": "train", "cache_dir": f"{work}/cache", "output": f"{work}/kept", "column": "text",
        "ngram": NGRAM, "num_perm": 128, "threshold": threshold, "min_length": 0, "num_proc": os.cpu_count(), "batch_size": 10000, "hash_func": "xxh3",
    }  # fmt: skip
    flags = [part for k, v in options.items() for part in (f"--{k}", str(v))]
    subprocess.run([sys.executable, "-m", "text_dedup.minhash", *flags, "--debug"], check=True)


def collect(source, work, output):
    from datasets import load_from_disk

    ids = pq.read_table(source, columns=["id"])["id"].to_pylist()
    kept = set(load_from_disk(f"{work}/kept")["id"])
    with open(f"{work}/kept/uf.pkl", "rb") as f:
        dump = pickle.load(f)
    parent = getattr(dump, "parent", dump)

    def find(x):
        while parent.get(x, x) != x:
            x = parent[x]
        return x

    write_result(output, ids, [find(i) for i in range(len(ids))], [i in kept for i in ids])


a = arguments(__doc__, ("run", "collect"))
run(a.input, a.work, a.threshold) if a.mode == "run" else collect(a.input, a.work, a.output)
