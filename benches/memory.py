#!/usr/bin/env python3
"""A corpus larger than the memory limit: the same answer with and without it.   Run it with a Python that has pyarrow.

memory.py --docs DOCS.parquet --limpid BINARY [--copies 20] [--memory-limit 256MB] [--seed 42] [--keep DIR]
Copy 0 is the corpus itself. Each document of every further copy gets a fresh id and stays as it is with probability 1/2, else
one edit: 40 % one to three words appended, 40 % one word in a hundred (at least one) replaced, 20 % one to three words cut out.
"""

import argparse
import hashlib
import json
import random
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parent / "peers"))
from measure import measure  # noqa: E402

QUERY = """COPY (SELECT id, keep, duplicate_of, similarity, cluster_id FROM minhash_dedup((SELECT id, text FROM '{docs}'),
text => text, id => id, threshold => 0.7, ngram => 5, unit => 'word')) TO '{out}'"""
VOCABULARY = [f"{a}{b}{c}" for a in ("ba", "ko", "ri", "tu") for b in ("lan", "mer", "sol", "vin") for c in ("a", "es", "ion", "y")]


def next_gap(text, at):
    found = text.find(" ", at)
    return len(text) if found < 0 else found


def edit(text, rng):
    """One edit at random places. Places are found from character offsets: the text is never split into words."""
    kind, few = rng.random(), rng.randint(1, 3)
    if kind < 0.4:
        return text + "".join(" " + rng.choice(VOCABULARY) for _ in range(few))
    if kind < 0.8:
        for _ in range(max(1, len(text) // 600)):
            start = next_gap(text, rng.randrange(len(text) + 1))
            text = text[:start] + " " + rng.choice(VOCABULARY) + text[next_gap(text, start + 1) :]
        return text
    start = end = next_gap(text, rng.randrange(len(text) + 1))
    for _ in range(few):
        end = next_gap(text, end + 1)
    return text[:start] + text[end:]


def build(source, target, copies, seed):
    """Streams the copies, a thousand rows in memory at a time; returns (rows, bytes of text)."""
    schema = pa.schema([("id", pa.int64()), ("text", pa.large_string())])
    rng, rows, size = random.Random(seed), 0, 0
    with pq.ParquetWriter(target, schema, compression="zstd", compression_level=1) as writer:
        for copy in range(copies):
            for batch in pq.ParquetFile(source).iter_batches(1000, columns=["text"]):
                texts = [t if not copy or rng.random() < 0.5 else edit(t, rng) for t in batch["text"].to_pylist()]
                writer.write_table(pa.table([range(rows, rows + len(texts)), texts], schema=schema))
                rows, size = rows + len(texts), size + sum(map(len, texts))
    return rows, size


def digest(path):
    """sha256 of the rows in id order."""
    table, sha = pq.read_table(path).sort_by("id"), hashlib.sha256()
    for batch in table.to_batches(50_000):
        sha.update(repr(batch.to_pydict()).encode())
    return sha.hexdigest(), table.num_rows, table["keep"].to_pylist().count(False)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--docs", required=True)
    p.add_argument("--limpid", default="target/release/limpid")
    p.add_argument("--copies", type=int, default=20)
    p.add_argument("--memory-limit", default="256MB")
    p.add_argument("--seed", type=int, default=42)
    p.add_argument("--keep", help="folder for the files; a temporary one by default")
    a = p.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(a.keep or temporary)
        folder.mkdir(parents=True, exist_ok=True)
        docs, start = folder / f"docs_x{a.copies}_{a.seed}.parquet", time.monotonic()
        if not docs.exists():
            rows, size = build(a.docs, docs, a.copies, a.seed)
            print(
                f"built {rows} documents, {size / 2**20:.0f} Mi characters, {docs.stat().st_size / 2**20:.0f} MiB, {time.monotonic() - start:.0f} s",
                flush=True,
            )
        answers = {}
        for name, flags in (("limited", ["--memory-limit", a.memory_limit]), ("unlimited", [])):
            out, spill, log = folder / f"{name}.parquet", folder / f"spill-{name}", folder / f"{name}.log"
            out.unlink(missing_ok=True)
            spill.mkdir(exist_ok=True)
            run = measure([a.limpid, "sql", *flags, "--spill-dir", spill, "-c", QUERY.format(docs=docs, out=out)], log)
            if run["rc"]:
                print(f"{name}: {json.dumps(run)}\n{log.read_text(errors='replace')[-2000:]}")
                continue
            sha, rows, removed = answers[name] = digest(out)
            print(
                f"{name} {' '.join(flags)}: {json.dumps(run)}, {rows} rows, {removed} removed, sha256 {sha[:16]}, left in spill folder: {len(list(spill.rglob('*')))}",
                flush=True,
            )
        same = len(answers) == 2 and len(set(answers.values())) == 1
        print("same answer" if same else "NOT the same answer")
        sys.exit(not same)


if __name__ == "__main__":
    main()
