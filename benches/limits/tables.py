"""The tables of memory.py: kinds of rows that take memory in different ways, each of about the same size in memory."""

import json
import random

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

WORDS = [f"{a}{b}{c}" for a in ("ba", "ko", "ri", "tu") for b in ("lan", "mer", "sol", "vin") for c in ("a", "es", "ion", "y")]
INT, TEXT = pa.int64(), pa.string()
META = pa.struct([("source", TEXT), ("words", pa.list_(TEXT)), ("scores", pa.list_(pa.float32()))])


class Texts:
    """Texts of words, a third of them copies of earlier ones."""

    def __init__(self, seed):
        self.rng, self.earlier = random.Random(seed), []

    def words(self, size):
        return f"{self.rng.random():.12f} {' '.join(self.rng.choices(WORDS, k=size // 6 + 1))}"[:size]

    def __call__(self, least=200, most=4000):
        if self.earlier and self.rng.random() < 0.33:
            return self.rng.choice(self.earlier)
        text = self.words(self.rng.randint(least, most))
        if len(self.earlier) < 2000:
            self.earlier.append(text)
        return text


def texts(rng, text, ids, _):
    return {"id": ids, "kind": ids % 7, "text": [text() for _ in ids]}


def long(rng, text, ids, rows):
    return {"id": ids, "key": ids * 7919 % rows, "name": [f"name {row % (rows // 3 + 1)}" for row in ids]}


def huge(rng, text, ids, _):
    return {"id": ids, "text": pa.array([text.words(1000) * 1000 for _ in ids], pa.large_string())}


def wide(rng, text, ids, rows):
    """A hundred integers, a hundred floats and fifty short texts a row."""
    columns = {"id": ids, "key": ids * 7919 % (rows // 2 + 1)}
    columns |= {f"i{at}": (ids + at) * 31 % 997 for at in range(100)}
    columns |= {f"f{at}": rng.integers(0, 200, len(ids)) / 8 for at in range(100)}
    return columns | {f"s{at}": [f"a value of column {at}, {row % 501}" for row in ids] for at in range(50)}


def vectors(rng, text, ids, _):
    """Unit directions around 50 centres; steps of a 64th keep the file small."""
    label = rng.integers(0, 50, len(ids))
    centres = np.random.default_rng(7).standard_normal((50, 256))
    values = centres[label] + rng.standard_normal((len(ids), 256)) * 0.4
    values = (np.round(values * 64) / 64).astype(np.float32)
    return {"id": ids, "label": label, "vector": list(values)}


def nested(rng, text, ids, rows):
    """Lists of texts, a struct with lists, and a map a row."""
    words = [text.words(900).split(" ")[1:-1] for _ in ids]
    meta = [{"source": f"source {row % 99}", "words": some[:20], "scores": [row % 50 / 4] * 100} for row, some in zip(ids, words)]
    pairs = [[(word, some[-at]) for at, word in enumerate(dict.fromkeys(some[:30]), 1)] for some in words]
    return {"id": ids, "key": ids * 7919 % (rows // 4 + 1), "tags": words, "meta": meta, "pairs": pairs}


# How a part is made, bytes of a row in memory, rows of a part, types of columns that are not inferred.
KINDS = {
    "texts": (texts, 2100, 20_000, {}),
    "long": (long, 40, 500_000, {}),
    "huge": (huge, 1 << 20, 20, {}),
    "wide": (wide, 3500, 5_000, {}),
    "vectors": (vectors, 1040, 20_000, {"vector": pa.list_(pa.float32())}),
    "nested": (nested, 6000, 2_000, {"tags": pa.list_(TEXT), "meta": META, "pairs": pa.map_(TEXT, TEXT)}),
}


def parts(kind, mb, seed):
    make, bytes_of_row, step, types = KINDS[kind]
    rng, text, rows = np.random.default_rng(seed), Texts(seed), (mb << 20) // bytes_of_row
    for start in range(0, rows, step):
        columns = make(rng, text, np.arange(start, min(start + step, rows)), rows)
        yield pa.table({name: pa.array(values, types[name]) if name in types else values for name, values in columns.items()})


def write_lines(file, part):
    """JSON lines whose maps are objects."""
    for row in part.to_pylist():
        file.write(json.dumps({name: dict(value) if name == "pairs" else value for name, value in row.items()}) + "\n")


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
        with open(unfinished, "w") as file:
            for part in parts(kind, mb, seed):
                write_lines(file, part)
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
