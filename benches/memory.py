#!/usr/bin/env python3
"""Queries and a job over tables larger than the memory limit: the same answers with and without it, and the peak of each run.
Run it with a Python that has pyarrow and numpy.

memory.py FOLDER --limpid BINARY [--mb 200] [--limits 128MB,256MB,1GB] [--only WORD] [--allow 150] [--strict]
memory.py FOLDER --limpid BINARY --docs DOCS.parquet [--copies 20] [--limits 256MB]     minhash_dedup over copies of a corpus

Makes its tables in FOLDER, each of about --mb megabytes in memory: `wide` (texts of 200 to 4,000 bytes, a third of them copies),
`long` (narrow rows), `huge` (documents of a megabyte), `vectors` (lists of 256 floats). Prints the peak of resident memory in MiB
of each query under each limit, marked with ! where it is above the limit and --allow, and with the word WRONG or FAILED where
the answer is another one than without a limit, or there is none. Exits 1 on those, with --strict on peaks too.
"""

import argparse
import hashlib
import random
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parent / "peers"))
from measure import measure  # noqa: E402

MINHASH = """SELECT id, keep, duplicate_of, similarity, cluster_id FROM minhash_dedup((SELECT id, text FROM {docs}),
text => text, id => id, threshold => 0.7, ngram => 5, unit => 'word')"""

# Name, query, and whether its rows have an order.
QUERIES = [
    ("sort wide by text", "SELECT * FROM {wide} ORDER BY text, id", True),
    ("sort wide by id", "SELECT * FROM {wide} ORDER BY id DESC", True),
    ("sort wide by two", "SELECT * FROM {wide} ORDER BY kind, text DESC, id", True),
    ("sort long", "SELECT * FROM {long} ORDER BY key, id", True),
    ("sort long by name", "SELECT * FROM {long} ORDER BY name DESC, id", True),
    ("sort huge", "SELECT * FROM {huge} ORDER BY text", True),
    ("sort vectors", "SELECT * FROM {vectors} ORDER BY id DESC", True),
    ("sort by length", "SELECT * FROM {wide} ORDER BY length(text), id", True),
    ("sort, limit 50,000", "SELECT * FROM {wide} ORDER BY text, id LIMIT 50000", True),
    ("distinct text", "SELECT DISTINCT text FROM {wide}", False),
    ("distinct name", "SELECT DISTINCT name FROM {long}", False),
    ("group by name", "SELECT name, count(*) AS n, max(id) AS last FROM {long} GROUP BY name", False),
    ("group by hash, max(text)", "SELECT sha256(text) AS hash, max(text) AS text FROM {wide} GROUP BY hash", False),
    ("group by kind", "SELECT kind, count(*) AS n, avg(length(text)) AS mean FROM {wide} GROUP BY kind", False),
    ("count distinct", "SELECT count(DISTINCT text) AS n FROM {wide}", False),
    ("window over text", "SELECT id, row_number() OVER (PARTITION BY text ORDER BY id) AS n FROM {wide}", False),
    ("window over all", "SELECT id, row_number() OVER (ORDER BY name, id) AS n FROM {long}", False),
    ("join on text", "SELECT a.id, b.id AS other FROM {wide} a JOIN {wide} b ON a.text = b.text AND a.id < b.id", False),
    ("left join", "SELECT a.id, b.name FROM {long} a LEFT JOIN {long} b ON a.key = b.id", False),
    ("anti join", "SELECT a.id, a.text FROM {wide} a WHERE NOT EXISTS (SELECT 1 FROM {long} b WHERE b.key = a.id)", False),
    ("except", "SELECT key FROM {long} EXCEPT SELECT id FROM {wide}", False),
    ("exact_dedup", "SELECT id, keep, duplicate_of FROM exact_dedup({wide}, text => text, id => id)", False),
    ("minhash_dedup", MINHASH.replace("{docs}", "{wide}"), False),
]

JOB = """name: memory
sources: {{ docs: {{ paths: {wide} }} }}
text: text
steps:
  - name: some
    sql: SELECT id, kind, text FROM input WHERE kind <> 3
  - name: rules
    rules: {{ short: length(text) > 300 }}
  - name: exact
    recipe: exact_dedup
sink: {{ path: {out}/clean }}
work: {out}/work
"""

WORDS = [f"{a}{b}{c}" for a in ("ba", "ko", "ri", "tu") for b in ("lan", "mer", "sol", "vin") for c in ("a", "es", "ion", "y")]


def tables(folder, mb, seed=42):
    """Makes the tables that are not there yet."""
    rng, random_words = np.random.default_rng(seed), random.Random(seed)

    def write(name, schema, rows_in_all, make, step):
        path = folder / f"{name}_{mb}.parquet"
        if not path.exists():
            with pq.ParquetWriter(path.with_suffix(".tmp"), schema, compression="zstd") as writer:
                for start in range(0, rows_in_all, step):
                    writer.write_table(pa.table(make(start, min(step, rows_in_all - start)), schema=schema))
            path.with_suffix(".tmp").rename(path)
        return path

    def text(size):
        words = random_words.choices(WORDS, k=size // 6 + 1)
        return f"{random_words.random():.12f} {' '.join(words)}"[:size]

    earlier = []

    def wide(start, rows):
        texts = []
        for row in range(rows):
            if earlier and random_words.random() < 0.33:
                texts.append(random_words.choice(earlier))
            else:
                texts.append(text(random_words.randint(200, 4000)))
                if len(earlier) < 2000:
                    earlier.append(texts[-1])
        return [range(start, start + rows), [(start + row) % 7 for row in range(rows)], texts]

    def long(start, rows):
        ids = np.arange(start, start + rows)
        return [ids, ids * 7919 % long_rows, [f"name {row % (long_rows // 3 + 1)}" for row in ids]]

    size, long_rows = mb << 20, (mb << 20) // 40
    ints, big = pa.int64(), pa.large_string()
    made = {
        "wide": write("wide", pa.schema([("id", ints), ("kind", ints), ("text", pa.string())]), size // 2100, wide, 20_000),
        "long": write("long", pa.schema([("id", ints), ("key", ints), ("name", pa.string())]), long_rows, long, 500_000),
        "huge": write(
            "huge",
            pa.schema([("id", ints), ("text", big)]),
            mb,
            lambda start, rows: [range(start, start + rows), [text(1000) * 1000 for _ in range(rows)]],
            20,
        ),
        "vectors": write(
            "vectors",
            pa.schema([("id", ints), ("vector", pa.list_(pa.float32()))]),
            size // 1032,
            lambda start, rows: [range(start, start + rows), list(rng.standard_normal((rows, 256), dtype=np.float32))],
            20_000,
        ),
    }
    return {name: f"'{path.resolve()}'" for name, path in made.items()}


def digest(path, ordered):
    """A hash of the rows, in their order or in any."""
    sha, total, rows = hashlib.sha256(), 0, 0
    for batch in pq.ParquetFile(path).iter_batches(5_000):
        columns = [column.to_pylist() for column in batch.columns]
        for row in zip(*columns):
            row = hashlib.sha256(repr(row).encode()).digest()
            rows += 1
            if ordered:
                sha.update(row)
            else:
                total = (total + int.from_bytes(row[:16], "little")) % (1 << 128)
    return rows, sha.hexdigest() if ordered else total


def apart(function, *arguments):
    """The result of a function that runs in a process of its own: a child begins with the peak of its parent."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def bytes_of(limit):
    units = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "MiB": 2**20, "GiB": 2**30}
    unit = next(unit for unit in units if limit.endswith(unit))
    return float(limit.removesuffix(unit)) * units[unit]


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


class Bench:
    def __init__(self, args, folder, made):
        self.args, self.folder, self.made, self.failed = args, folder, made, 0
        self.limits = [None, *args.limits.split(",")]
        print(f"{'peak MiB (seconds)':28}" + "".join(f"{limit or 'no limit':>22}" for limit in self.limits), flush=True)

    def row(self, name, command, answer):
        """Runs `command(limit)` under each limit and compares `answer()`."""
        expected, cells = None, []
        for limit in self.limits:
            with tempfile.TemporaryDirectory(dir=self.folder) as spill:
                flags = ["--memory-limit", limit] if limit else []
                run = measure([self.args.limpid, *flags, "--spill-dir", spill, *command], self.folder / "log.txt")
            peak, over = run["peak_mb"], False
            if limit:
                over = peak > bytes_of(limit) / 2**20 + self.args.allow
            if run["rc"]:
                cell = "FAILED"
                print(f"{name}, {limit}: {(self.folder / 'log.txt').read_text(errors='replace')[-600:]}", file=sys.stderr)
            else:
                found = answer()
                expected = found if limit is None else expected
                cell = "" if found == expected else "WRONG"
            self.failed += bool(cell) or (over and self.args.strict)
            cells.append(f"{cell} {peak:.0f}{'!' if over else ''} ({run['wall_s']:.1f})")
        print(f"{name:28}" + "".join(f"{cell:>22}" for cell in cells), flush=True)

    def query(self, name, query, ordered):
        out = self.folder / "out.parquet"

        def answer():
            found = apart(digest, out, ordered)
            out.unlink()
            return found

        query = query.format(**self.made)
        self.row(name, ["sql", "-c", f"COPY ({query}) TO '{out.resolve()}'"], answer)

    def job(self):
        out, file = self.folder / "job", self.folder / "job.yaml"
        file.write_text(JOB.format(wide=self.made["wide"], out=out.resolve()))

        def answer():
            return sorted((path.name, path.read_bytes()) for path in (out / "clean").iterdir())

        self.row("job", ["run", str(file), "--force"], answer)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", type=Path)
    p.add_argument("--limpid", default="target/release/limpid")
    p.add_argument("--mb", type=int, default=200)
    p.add_argument("--limits", default="128MB,256MB,1GB")
    p.add_argument("--only", default="")
    p.add_argument("--allow", type=float, default=150)
    p.add_argument("--strict", action="store_true")
    p.add_argument("--docs")
    p.add_argument("--copies", type=int, default=20)
    p.add_argument("--seed", type=int, default=42)
    a = p.parse_args()
    a.folder.mkdir(parents=True, exist_ok=True)
    if a.docs:
        docs = a.folder / f"docs_x{a.copies}_{a.seed}.parquet"
        if not docs.exists():
            print("built {} documents, {} characters".format(*apart(build, a.docs, docs, a.copies, a.seed)), flush=True)
        bench = Bench(a, a.folder, {"docs": f"'{docs.resolve()}'"})
        bench.query("minhash_dedup", MINHASH, False)
    else:
        bench = Bench(a, a.folder, apart(tables, a.folder, a.mb))
        for name, query, ordered in QUERIES:
            if a.only in name:
                bench.query(name, query, ordered)
        if a.only in "job":
            bench.job()
    print("all answers are the same" if not bench.failed else f"{bench.failed} runs failed, were wrong or too large")
    sys.exit(bool(bench.failed))


if __name__ == "__main__":
    main()
