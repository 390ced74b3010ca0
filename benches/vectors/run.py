"""kmeans, semantic_dedup and nearest_neighbors beside scikit-learn, faiss and brute force, on the same vectors, one after the
other.

usage: run.py LIMPID WORK [--rows N] [--dims D] [--k K] [--threads T] [--images PARQUET] [--only kmeans|dedup|neighbors|concepts]

Prints the conditions, then one line a measurement. `cpu` is processor time of all threads, which says more than `seconds` where
others use the machine. Times of limpid are those of the whole program: start, reading Parquet,
work, writing Parquet. Times of the peers leave out the start of Python and reading. `truth` compares all pairs in numpy.
"""

import argparse
import os
import platform
import resource
import subprocess
import sys
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

SEED = 7


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("limpid")
    p.add_argument("work")
    p.add_argument("--rows", type=int, default=20_000)
    p.add_argument("--dims", type=int, default=384)
    p.add_argument("--k", type=int, default=100)
    p.add_argument("--threads", type=int, default=os.cpu_count())
    p.add_argument("--memory", default="4GB", help="limpid's memory limit")
    p.add_argument("--images", help="a Parquet file with a column of pixels, used instead of made-up vectors")
    p.add_argument("--only", choices=["kmeans", "dedup", "neighbors", "concepts"])
    p.add_argument("--no-truth", action="store_true", help="leave out brute force and peers: for large inputs")
    return p.parse_args()


def made_up(rows, dims):
    """Concepts of very different size and spread; a third of the rows are near copies at cosines from about 0.8 to 1."""
    random = np.random.default_rng(SEED)
    concepts = max(10, rows // 150)
    centres = random.standard_normal((concepts, dims)).astype(np.float32)
    share = random.pareto(1.2, concepts) + 0.2
    of = random.choice(concepts, rows, p=share / share.sum())
    spread = random.uniform(0.5, 1.4, concepts).astype(np.float32)
    x = centres[of] + spread[of, None] * random.standard_normal((rows, dims), dtype=np.float32)
    copies = random.choice(rows, rows // 3, replace=False)
    originals = random.integers(0, rows, len(copies))
    noise = random.uniform(0.0, 0.8, len(copies)).astype(np.float32)[:, None]
    length = np.linalg.norm(x[originals], axis=1, keepdims=True) / np.sqrt(dims)
    x[copies] = x[originals] + noise * length * random.standard_normal((len(copies), dims), dtype=np.float32)
    return np.ascontiguousarray(x, dtype=np.float32)


def images(path, rows):
    table = pq.read_table(path)
    column = next(c for c in table.column_names if pa.types.is_nested(table[c].type) or pa.types.is_binary(table[c].type))
    first = table[column].slice(0, rows)
    if pa.types.is_binary(first.type):
        return np.stack([np.frombuffer(b.as_py(), np.uint8) for b in first]).astype(np.float32) + 0.01
    return np.array(first.to_pylist(), dtype=np.float32) + 0.01


def write(x, path):
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(x.ravel()), x.shape[1])
    table = pa.table({"id": pa.array(np.arange(len(x))), "embedding": vectors})
    pq.write_table(table, path, row_group_size=8192, compression="none")


class Clock:
    """Seconds and processor seconds of this process and of those it started."""

    def __init__(self):
        self.wall, self.cpu = time.perf_counter(), self.used()

    @staticmethod
    def used():
        own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime

    def read(self):
        return {"seconds": time.perf_counter() - self.wall, "cpu": self.used() - self.cpu}


def limpid(options, sql, out):
    if os.path.exists(out):
        os.remove(out)
    command = [options.limpid, "sql", "--threads", str(options.threads), "--memory-limit", options.memory]
    command += ["-c", f"COPY ({sql}) TO '{out}' STORED AS PARQUET"]
    clock = Clock()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    peak = 0
    while child.poll() is None:
        # Largest resident memory so far. The system's own figure for a child begins with that of Python.
        try:
            with open(f"/proc/{child.pid}/status") as status:
                peak = max([peak] + [int(field.split()[1]) / 1024 for field in status if field.startswith("VmHWM:")])
        except OSError:
            pass
        time.sleep(0.01)
    spent = clock.read()
    if child.returncode != 0:
        sys.exit(f"limpid failed: {sql}\n{child.stderr.read().decode()}")
    return pq.read_table(out), spent, peak


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def line(what, **values):
    shown = "  ".join(f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in values.items())
    print(f"{what:<34} {shown}", flush=True)


def inertia(x, centroids, spherical):
    x, c = (unit(x), unit(centroids)) if spherical else (x, centroids)
    total = 0.0
    for start in range(0, len(x), 4096):
        part = x[start : start + 4096]
        products = part @ c.T
        if spherical:
            total += float(np.sum(1 - products.max(axis=1), dtype=np.float64))
        else:
            best = np.argmax(products - (c * c).sum(axis=1) / 2, axis=1)
            total += float(np.sum((part - c[best]) ** 2, dtype=np.float64))
    return total


def kmeans(options, x, path):
    if not options.no_truth:
        import faiss
        from sklearn.cluster import KMeans, MiniBatchKMeans

    _, spent, _ = limpid(options, f"SELECT count(embedding) FROM '{path}'", os.path.join(options.work, "read.parquet"))
    line("limpid: start, reading, writing", **spent)
    rounds = 25
    for spherical in (False, True):
        metric = "cosine" if spherical else "l2"
        y = unit(x) if spherical else x
        sql = (
            f"SELECT * FROM kmeans((SELECT * FROM '{path}'), k => {options.k}, metric => '{metric}', sample => 0, "
            f"iterations => {rounds})"
        )
        table, spent, peak = limpid(options, sql, os.path.join(options.work, "centroids.parquet"))
        ours = np.array(table["centroid"].to_pylist(), dtype=np.float32)
        ours = inertia(x, ours, spherical)
        line(f"kmeans {metric} limpid", **spent, inertia=ours, peak_mb=peak)
        batches = sql.replace(f"sample => 0, iterations => {rounds}", "mini_batch => true")
        table, spent, peak = limpid(options, batches, os.path.join(options.work, "centroids.parquet"))
        found = inertia(x, np.array(table["centroid"].to_pylist(), dtype=np.float32), spherical)
        line(f"kmeans {metric} limpid, mini-batch", **spent, inertia=found, to_all_rows=found / ours, peak_mb=peak)
        even = sql.replace("sample => 0", "sample => 0, balanced => true")
        if len(x) <= 50_000:
            table, spent, peak = limpid(options, even, os.path.join(options.work, "centroids.parquet"))
            n, total = table["n"].to_numpy(), float(np.sum(table["inertia"].to_numpy()))
            line(f"kmeans {metric} limpid, balanced", **spent, inertia=total, least=int(n.min()), most=int(n.max()))
        if options.no_truth:
            continue
        clock = Clock()
        model = faiss.Kmeans(x.shape[1], options.k, niter=rounds, seed=SEED, spherical=spherical,
                             max_points_per_centroid=10**9)
        model.train(y)
        spent, theirs = clock.read(), inertia(x, model.centroids, spherical)
        line(f"kmeans {metric} faiss", **spent, inertia=theirs, ours_to_theirs=ours / theirs)
        if not spherical:
            clock = Clock()
            model = KMeans(options.k, n_init=1, max_iter=rounds, tol=0, random_state=SEED).fit(y)
            spent, theirs = clock.read(), inertia(x, model.cluster_centers_, spherical)
            line(f"kmeans {metric} scikit-learn", **spent, inertia=theirs, ours_to_theirs=ours / theirs)
            clock = Clock()
            batches = MiniBatchKMeans(options.k, n_init=1, batch_size=8192, max_iter=3, tol=0, max_no_improvement=None,
                                      random_state=SEED).fit(y)
            spent, theirs = clock.read(), inertia(x, batches.cluster_centers_, spherical)
            line(f"kmeans {metric} scikit-learn, mini-batch", **spent, inertia=theirs, ours_to_theirs=found / theirs)


def similar_pairs(y, rows_a, rows_b, threshold):
    """Pairs (a, b) with a < b; cosines near the threshold are taken again in 64 bits."""
    products = y[rows_a] @ y[rows_b].T
    i, j = np.nonzero(products >= threshold - 1e-4)
    a, b = rows_a[i], rows_b[j]
    ordered = a < b
    a, b, close = a[ordered], b[ordered], products[i, j][ordered]
    near = np.abs(close - threshold) < 1e-4
    exact = np.einsum("ij,ij->i", y[a[near]].astype(np.float64), y[b[near]].astype(np.float64))
    exact /= np.linalg.norm(y[a[near]].astype(np.float64), axis=1) * np.linalg.norm(y[b[near]].astype(np.float64), axis=1)
    good = np.ones(len(a), dtype=bool)
    good[near] = exact >= threshold
    return np.stack([a[good], b[good]], axis=1)


def survivors(n, pairs):
    """Rows in order; a row goes where an earlier kept row is similar."""
    keep = np.ones(n, dtype=bool)
    for a, b in pairs[np.lexsort((pairs[:, 0], pairs[:, 1]))]:
        if keep[a]:
            keep[b] = False
    return keep


def dedup(options, x, path, threshold=0.9):
    out = os.path.join(options.work, "dedup.parquet")
    sql = f"SELECT id, keep, duplicate_of, similarity FROM semantic_dedup((SELECT * FROM '{path}'), threshold => {threshold})"
    table, spent, peak = limpid(options, sql, out)
    table = table.sort_by("id")
    ours = table["keep"].to_numpy()
    line("semantic_dedup limpid", **spent, removed=int((~ours).sum()), peak_mb=peak)
    removed = np.flatnonzero(~ours)
    kept = table["duplicate_of"].to_numpy()[removed].astype(np.int64)
    exact = np.array([float(np.dot(x[a].astype(np.float64), x[b].astype(np.float64)) /
                     (np.linalg.norm(x[a].astype(np.float64)) * np.linalg.norm(x[b].astype(np.float64))))
                     for a, b in zip(removed, kept)])
    line("  precision", verified=float(np.mean((exact >= threshold - 1e-12) & ours[kept])) if len(removed) else 1.0)
    if options.no_truth:
        return
    # Few vectors are compared each with each; what cells find of the same pairs is what many vectors get.
    of_cells = sql.replace(f"threshold => {threshold}", f"threshold => {threshold}, cells => {int(3 * len(x) ** 0.5)}")
    in_cells, spent, peak = limpid(options, of_cells, out)
    in_cells = in_cells.sort_by("id")["keep"].to_numpy()
    line("semantic_dedup limpid, in cells", **spent, removed=int((~in_cells).sum()), peak_mb=peak)
    y = unit(x)
    clock = Clock()
    blocks = [np.arange(s, min(s + 2048, len(y))) for s in range(0, len(y), 2048)]
    pairs = np.concatenate([similar_pairs(y, a, b, threshold) for i, b in enumerate(blocks) for a in blocks[: i + 1]])
    truth = survivors(len(y), pairs)
    line("truth: all pairs in numpy", **clock.read(), pairs=len(pairs), removed=int((~truth).sum()))
    line("  recall of removed rows", recall=float(np.mean(~ours[~truth])), same_as_truth=float(np.mean(ours == truth)))
    recall = float(np.mean(~in_cells[~truth]))
    line("  recall in cells", recall=recall, same_as_truth=float(np.mean(in_cells == truth)))
    import faiss

    for probes in (1, 2, 4, 8, 16, 32):
        clock = Clock()
        model = faiss.Kmeans(x.shape[1], options.k, niter=25, seed=SEED, spherical=True)
        model.train(y)
        _, cells = model.index.search(y, probes)
        found = []
        for cell in range(options.k):
            members = np.flatnonzero((cells == cell).any(axis=1))
            found.append(similar_pairs(y, members, members, threshold))
        theirs = survivors(len(y), np.unique(np.concatenate(found), axis=0))
        spent = clock.read()
        reached = float(np.mean(~theirs[~truth]))
        line(f"faiss k-means + numpy, {probes} cells a row", **spent, recall=reached)
        if reached >= recall:
            break


def found_of(truth, found):
    """Share of the pairs of `truth` (row by row) that are among those of `found`."""
    return float(np.mean([len(np.intersect1d(a, b, assume_unique=True)) / len(a) for a, b in zip(truth, found)]))


def neighbors(options, x, path, k=10):
    out = os.path.join(options.work, "neighbors.parquet")
    index = os.path.join(options.work, "cells.index")
    if os.path.exists(index):
        os.remove(index)
    sql = f"SELECT * FROM nearest_neighbors((SELECT * FROM '{path}'), k => {k}, recall => 0.95, index => '{index}')"
    table, spent, peak = limpid(options, sql, out)
    line("nearest_neighbors limpid", **spent, pairs=len(table), peak_mb=peak)
    table, spent, peak = limpid(options, sql, out)
    line("  the same with its index", **spent, pairs=len(table), peak_mb=peak)
    ids, near = table["id"].to_numpy(), table["neighbor_id"].to_numpy()
    order = np.lexsort((table["rank"].to_numpy(), ids))
    ours = near[order].reshape(len(x), k)
    import faiss

    y = unit(x)
    sample = np.random.default_rng(SEED).choice(len(x), min(len(x), 2000), replace=False)
    clock = Clock()
    flat = faiss.IndexFlatIP(y.shape[1])
    flat.add(y)
    _, truth = flat.search(y[sample], k + 1)
    seconds = clock.read()["seconds"]
    truth = [row[row != own][:k] for own, row in zip(sample, truth)]
    line("truth: faiss, all pairs", seconds=seconds * len(x) / len(sample), measured_rows=len(sample))
    recall = found_of(truth, ours[sample])
    line("  recall", recall=recall)
    if options.no_truth:
        return
    clock = Clock()
    graph = faiss.IndexHNSWFlat(y.shape[1], 16, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction = 100
    graph.add(y)
    built = clock.read()
    for ef in (16, 32, 64, 128, 256):
        graph.hnsw.efSearch = ef
        clock = Clock()
        _, found = graph.search(y, k + 1)
        spent = {name: value + built[name] for name, value in clock.read().items()}
        reached = found_of(truth, [found[own][found[own] != own][:k] for own in sample])
        line(f"faiss HNSW 16, ef {ef}", **spent, build=built["seconds"], recall=reached)
        if reached >= recall:
            break
    cells = int(2 * len(x) ** 0.5)
    clock = Clock()
    quantizer = faiss.IndexFlatIP(y.shape[1])
    inverted = faiss.IndexIVFFlat(quantizer, y.shape[1], cells, faiss.METRIC_INNER_PRODUCT)
    inverted.train(y)
    inverted.add(y)
    built = clock.read()
    for probes in (1, 2, 4, 8, 16, 32, 64, 128):
        inverted.nprobe = probes
        clock = Clock()
        _, found = inverted.search(y, k + 1)
        spent = {name: value + built[name] for name, value in clock.read().items()}
        reached = found_of(truth, [found[own][found[own] != own][:k] for own in sample])
        if reached >= recall:
            line(f"faiss IVF {cells}, {probes} probes", **spent, build=built["seconds"], recall=reached)
            break


def concepts(options, path):
    out = os.path.join(options.work, "concepts.parquet")
    sql = f"SELECT * EXCEPT (embedding) FROM concept_clusters((SELECT * FROM '{path}'), k => {options.k})"
    table, spent, peak = limpid(options, sql, out)
    line("concept_clusters limpid", **spent, largest=int(table["concept_size"].to_numpy().max()), peak_mb=peak)


def main():
    options = arguments()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        if os.environ.get(name) != str(options.threads):
            os.environ[name] = str(options.threads)
            os.execv(sys.executable, [sys.executable, *sys.argv])
    os.makedirs(options.work, exist_ok=True)
    x = images(options.images, options.rows) if options.images else made_up(options.rows, options.dims)
    path = os.path.join(options.work, "vectors.parquet")
    write(x, path)
    print(f"machine    {platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"conditions {len(x)} x {x.shape[1]} float32, k={options.k}, threads={options.threads}, memory={options.memory}")
    if options.only in (None, "kmeans"):
        kmeans(options, x, path)
    if options.only in (None, "dedup"):
        dedup(options, x, path)
    if options.only in (None, "neighbors"):
        neighbors(options, x, path)
    if options.only in (None, "concepts"):
        concepts(options, path)


if __name__ == "__main__":
    main()
