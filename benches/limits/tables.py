"""The tables of memory.py: kinds of rows that take memory in different ways, each of about the same size in memory."""

import random

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

WORDS = [f"{a}{b}{c}" for a in ("ba", "ko", "ri", "tu") for b in ("lan", "mer", "sol", "vin") for c in ("a", "es", "ion", "y")]
INT, TEXT = pa.int64(), pa.string()


class Texts:
    """Texts of words, a third of them copies of earlier ones. Each begins with a number of its own; the words are cut from a long text."""

    def __init__(self, seed):
        self.rng, self.earlier = random.Random(seed), []
        self.long = " ".join(self.rng.choices(WORDS, k=400_000))

    def words(self, size):
        at = self.rng.randrange(len(self.long) - size)
        return f"{self.rng.random():.12f} {self.long[at:at + size]}"[:size]

    def __call__(self, least=200, most=4000):
        if self.earlier and self.rng.random() < 0.33:
            return self.rng.choice(self.earlier)
        text = self.words(self.rng.randint(least, most))
        if len(self.earlier) < 2000:
            self.earlier.append(text)
        return text


def numbered(prefix, numbers):
    """`prefix` before each number."""
    return pc.binary_join_element_wise(prefix, pc.cast(pa.array(numbers), TEXT), "")


def lists(values, lengths):
    """Lists of the next so many values."""
    return pa.ListArray.from_arrays(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32), values)


def some_words(rng, lengths):
    return lists(pa.array(WORDS).take(rng.integers(0, len(WORDS), lengths.sum())), lengths)


def texts(rng, text, ids, _):
    return {"id": ids, "kind": ids % 7, "text": [text() for _ in ids]}


def long(rng, text, ids, rows):
    return {"id": ids, "key": ids * 7919 % rows, "name": numbered("name ", ids % (rows // 3 + 1))}


def huge(rng, text, ids, _):
    return {"id": ids, "text": pa.array([text.words(1000) * 1000 for _ in ids], pa.large_string())}


def wide(rng, text, ids, rows):
    """A hundred integers, a hundred floats and fifty short texts a row."""
    columns = {"id": ids, "key": ids * 7919 % (rows // 2 + 1)}
    columns |= {f"i{at}": (ids + at) * 31 % 997 for at in range(100)}
    columns |= {f"f{at}": rng.integers(0, 200, len(ids)) / 8 for at in range(100)}
    return columns | {f"s{at}": numbered(f"a value of column {at}, ", ids % 501) for at in range(50)}


def vectors(rng, text, ids, _):
    """Unit directions around 50 centres; steps of a 64th keep the file small."""
    label = rng.integers(0, 50, len(ids))
    centres = np.random.default_rng(7).standard_normal((50, 256), dtype=np.float32)
    values = centres[label] + rng.standard_normal((len(ids), 256), dtype=np.float32) * np.float32(0.4)
    values = np.round(values * 64) / 64
    return {"id": ids, "label": label, "vector": lists(values.reshape(-1), np.full(len(ids), 256))}


def nested(rng, text, ids, rows):
    """Lists of texts, a struct with lists, and a map a row."""
    count = len(ids)
    source = numbered("source ", ids % 99)
    scores = lists(np.repeat((ids % 50 / 4).astype(np.float32), 100), np.full(count, 100))
    meta = pa.StructArray.from_arrays([source, some_words(rng, np.full(count, 20)), scores], ["source", "words", "scores"])
    # The keys of a map differ: words from a place on.
    size = rng.integers(5, 30, count)
    key = np.concatenate([(start + np.arange(some)) % len(WORDS) for start, some in zip(rng.integers(0, len(WORDS), count), size)])
    values = pa.array(WORDS).take(rng.integers(0, len(WORDS), len(key)))
    offsets = np.concatenate([[0], np.cumsum(size)]).astype(np.int32)
    pairs = pa.MapArray.from_arrays(offsets, pa.array(WORDS).take(key), values)
    return {"id": ids, "key": ids * 7919 % (rows // 4 + 1), "tags": some_words(rng, rng.integers(100, 150, count)), "meta": meta, "pairs": pairs}


# How a part is made, bytes of a row in memory, rows of a part.
KINDS = {
    "texts": (texts, 2100, 20_000),
    "long": (long, 40, 500_000),
    "huge": (huge, 1 << 20, 20),
    "wide": (wide, 3500, 5_000),
    "vectors": (vectors, 1040, 20_000),
    "nested": (nested, 2700, 4_000),
}


def parts(kind, mb, seed):
    make, bytes_of_row, step = KINDS[kind]
    rng, text, rows = np.random.default_rng(seed), Texts(seed), (mb << 20) // bytes_of_row
    for start in range(0, rows, step):
        yield pa.table(make(rng, text, np.arange(start, min(start + step, rows)), rows))


def write(path, kind, mb, seed):
    unfinished = path.with_name("unfinished_" + path.name)
    if path.suffix == ".parquet":
        writer = None
        for part in parts(kind, mb, seed):
            writer = writer or pq.ParquetWriter(unfinished, part.schema, compression="zstd")
            writer.write_table(part)
        writer.close()
    elif path.suffix == ".csv":
        with open(unfinished, "wb") as file:
            for at, part in enumerate(parts(kind, mb, seed)):
                pa.csv.write_csv(part, file, pa.csv.WriteOptions(include_header=not at))
    else:
        import duckdb

        # Maps are objects in it.
        source = tables(path.parent, mb, [kind], seed)[kind]
        with duckdb.connect(config={"memory_limit": "2GB", "threads": 2}) as connection:
            connection.execute(f"COPY (FROM '{source}') TO '{unfinished}' (FORMAT JSON)")
    unfinished.rename(path)


def tables(folder, mb, names, seed=42):
    """Paths of the named tables, such as `texts` or `nested.jsonl`; makes those that are not there yet."""
    made = {}
    for name in names:
        kind, _, ending = name.partition(".")
        path = (folder / f"{kind}_{mb}.{ending or 'parquet'}").resolve()
        if not path.exists():
            write(path, kind, mb, seed)
        made[name] = path
    return made
