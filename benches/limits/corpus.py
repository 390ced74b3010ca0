"""A corpus several times over: half of the texts of each further copy are edited."""

import random

import pyarrow as pa
import pyarrow.parquet as pq

from .tables import WORDS


def next_gap(text, at):
    found = text.find(" ", at)
    return len(text) if found < 0 else found


def edit(text, rng):
    """One edit at random places. Places are found from character offsets: the text is never split into words."""
    kind, few = rng.random(), rng.randint(1, 3)
    if kind < 0.4:
        return text + "".join(" " + rng.choice(WORDS) for _ in range(few))
    if kind < 0.8:
        for _ in range(max(1, len(text) // 600)):
            start = next_gap(text, rng.randrange(len(text) + 1))
            text = text[:start] + " " + rng.choice(WORDS) + text[next_gap(text, start + 1) :]
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
