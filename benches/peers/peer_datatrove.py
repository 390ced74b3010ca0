"""datatrove: its four MinHash stages (14 buckets of 8, word 5-grams, spaCy's English words) under LocalPipelineExecutor, one
worker a core. It parallelises by file, so `run` first splits the file (timed: a user with one file must do the same).
`collect` turns its removal lists into the result file and is not timed."""

import importlib.metadata  # noqa: F401  datatrove uses it without importing it
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from common import NGRAM, arguments, write_result


def run(source, work):
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
    from datatrove.pipeline.dedup.minhash import MinhashConfig
    from datatrove.pipeline.readers import ParquetReader
    from datatrove.pipeline.writers import ParquetWriter
    from loguru import logger

    logger.remove()
    logger.add(sys.stderr, level="WARNING")
    shutil.rmtree(work, ignore_errors=True)
    (work / "input").mkdir(parents=True)
    workers = os.cpu_count()
    table = pq.read_table(source, columns=["id", "text"])
    table = table.set_column(0, "id", table["id"].cast("string"))
    size = -(-table.num_rows // workers)
    for i in range(workers):
        pq.write_table(table.slice(i * size, size), work / f"input/{i:03d}.parquet")
    del table
    config = MinhashConfig(n_grams=NGRAM, num_buckets=14, hashes_per_bucket=8)
    folder = {k: str(work / k) for k in ("input", "signatures", "buckets", "remove", "kept", "removed")}

    def stage(name, tasks, *steps):
        LocalPipelineExecutor(list(steps), tasks=tasks, workers=workers, logging_dir=str(work / "logs" / name)).run()

    signature = MinhashDedupSignature(output_folder=folder["signatures"], config=config, language="eng")
    stage("signatures", workers, ParquetReader(folder["input"]), signature)
    stage("buckets", 14, MinhashDedupBuckets(folder["signatures"], folder["buckets"], config=config))
    stage("cluster", 1, MinhashDedupCluster(folder["buckets"], folder["remove"], config=config, save_cluster_id=True))
    drop = MinhashDedupFilter(folder["remove"], exclusion_writer=ParquetWriter(folder["removed"]), load_cluster_ids=True)
    stage("filter", workers, ParquetReader(folder["input"]), drop, ParquetWriter(folder["kept"]))


def collect(work, output):
    ids, cluster, keep = [], [], []
    for i, part in enumerate(sorted((work / "input").glob("*.parquet"))):
        here = pq.read_table(part, columns=["id"])["id"].to_pylist()
        # Documents without a match get no cluster: a number of their own below zero.
        c, k = np.array([-1 - int(x) for x in here]), np.ones(len(here), bool)
        clusters, removed = work / f"remove/{i:06d}.clusters", work / f"remove/{i:06d}.remove"
        if clusters.exists():
            pairs = np.fromfile(clusters, "<u4").reshape(-1, 2)
            c[pairs[:, 0]] = pairs[:, 1]
        if removed.exists():
            k[np.fromfile(removed, "<u4")] = False
        ids += map(int, here)
        cluster += c.tolist()
        keep += k.tolist()
    write_result(output, ids, cluster, keep)


if __name__ == "__main__":
    a = arguments(__doc__, ("run", "collect"))
    run(a.input, Path(a.work)) if a.mode == "run" else collect(Path(a.work), a.output)
