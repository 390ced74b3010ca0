#!/usr/bin/env python3
"""Queries and jobs over tables larger than the memory limit: peaks, and the same answers as without a limit; DuckDB beside.
Run it with a Python that has pyarrow, numpy and duckdb.

memory.py FOLDER --limpid BINARY [--mb 200] [--limits none,128MB,256MB,1GB] [--only WORD] [--engines limpid,duckdb] [--strict]
memory.py FOLDER --limpid BINARY --docs DOCS.parquet [--copies 20]          minhash_dedup over copies of a corpus

Makes its tables in FOLDER, each of about --mb megabytes in memory (limits/tables.py), and runs each query and job of limits/cases.py
under each limit. Prints the peak of resident memory in MiB and the seconds, with ! where the peak is above the limit and --allow,
WRONG where the answer is another one than under the first limit of --limits, FAILED where there is none. FOLDER/results.jsonl keeps
what was measured: a run that was stopped goes on from there (delete the file to measure again). DuckDB's answers are not compared.
Exits 1 where limpid failed or was wrong, with --strict also where a peak was above.
"""

import argparse
import hashlib
import json
import re
import shutil
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from limits import corpus, tables  # noqa: E402
from limits.cases import JOBS, QUERIES, Query, minhash  # noqa: E402
from peers.measure import measure  # noqa: E402

DUCKDB = "import duckdb, sys; c = duckdb.connect(config=dict(a.split('=', 1) for a in sys.argv[2:])); c.execute(sys.argv[1])"
JOB = "name: memory\nsources: {{ docs: {{ paths: {source} }} }}\n{yaml}sink: {{ path: {out}/clean, format: {sink} }}\nwork: {out}/work\n"


def apart(function, *arguments):
    """The result of a function that runs in a process of its own: a child begins with the peak of its parent."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def digest(path, ordered):
    """A hash of the rows of a Parquet file, in their order or in any; of other files a hash of their bytes."""
    if path.suffix != ".parquet":
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    import duckdb

    row = "hash(t, file_row_number)" if ordered else "hash(t)"
    source = f"read_parquet('{path}', file_row_number => {ordered})"
    with duckdb.connect(config={"memory_limit": "4GB", "threads": 2}) as connection:
        return str(connection.sql(f"SELECT count(*), sum({row}::HUGEINT) FROM {source} t").fetchall())


def digest_folder(folder):
    return [(path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in sorted(folder.iterdir())]


def mebibytes(limit):
    """`128MB` as MiB."""
    number, unit = re.fullmatch(r"([0-9.]+)(MB|GB|MiB|GiB)", limit).groups()
    return float(number) * {"MB": 10**6, "GB": 10**9, "MiB": 2**20, "GiB": 2**30}[unit] / 2**20


class Bench:
    def __init__(self, args):
        self.args, self.folder = args, args.folder.resolve()
        self.limits, self.log, self.bad = args.limits.split(","), self.folder / "results.jsonl", 0
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.known = {tuple(run["key"]): run for run in map(json.loads, lines)}
        print(f"{'peak MiB (seconds)':28}{'':8}" + "".join(f"{limit:>20}" for limit in self.limits), flush=True)

    def run(self, engine, name, limit, command, answer):
        """Runs a command, or finds its run in the log."""
        key = (engine, name, limit, self.args.mb)
        if key in self.known:
            return self.known[key]
        log = self.folder / "log.txt"
        log.unlink(missing_ok=True)
        shutil.rmtree(self.folder / "out", ignore_errors=True)
        (self.folder / "out").mkdir()
        with tempfile.TemporaryDirectory(dir=self.folder) as spill:
            run = measure(command(None if limit == "none" else limit, spill), log)
        said = log.read_text(errors="replace")[-400:].strip()
        run |= {"key": key, "answer": None if run["rc"] else apart(*answer), "error": said if run["rc"] else ""}
        shutil.rmtree(self.folder / "out")
        with open(self.log, "a") as file:
            file.write(json.dumps(run) + "\n")
        return run

    def row(self, engine, name, command, answer):
        cells, expected = [], None
        for limit in self.limits:
            run = self.run(engine, name, limit, command, answer)
            word = "FAILED " if run["rc"] else ""
            if engine == "limpid" and not word:
                expected = expected or json.dumps(run["answer"])
                word = "" if expected == json.dumps(run["answer"]) else "WRONG "
            over = limit != "none" and run["peak_mb"] > mebibytes(limit) + self.args.allow
            cells.append(f"{word}{run['peak_mb']:.0f}{'!' if over else ''} ({run['wall_s']:.1f})")
            self.bad += engine == "limpid" and bool(word or (over and self.args.strict))
            if run["error"]:
                print(f"{engine}, {name}, {limit}: {run['error']}", file=sys.stderr, flush=True)
        print(f"{name:28}{engine:8}" + "".join(f"{cell:>20}" for cell in cells), flush=True)

    def limpid(self, limit, spill, *rest):
        return [self.args.limpid, *(["--memory-limit", limit] if limit else []), "--spill-dir", spill, *rest]

    def named(self, sql):
        """The SQL with paths for the names of tables."""
        names = re.findall(r"\{([a-z.]+)\}", sql)
        paths = apart(tables.tables, self.folder, self.args.mb, names)
        return re.sub(r"\{([a-z.]+)\}", lambda found: f"'{paths[found[1]]}'", sql)

    def query(self, query):
        out = self.folder / "out" / f"rows.{query.to}"
        answer = (digest, out, query.ordered)
        if "limpid" in self.args.engines:
            sql = self.named(query.sql)
            self.row("limpid", query.name, lambda limit, spill: self.limpid(limit, spill, "sql", "-o", out, "-c", sql), answer)
        peer = query.sql if query.peer is None else query.peer
        if "duckdb" in self.args.engines and peer:
            how = {"parquet": "PARQUET", "jsonl": "JSON", "csv": "CSV"}[query.to]
            sql = f"COPY ({self.named(peer)}) TO '{out}' (FORMAT {how})"

            def command(limit, spill):
                return [sys.executable, "-c", DUCKDB, sql, f"temp_directory={spill}", *([f"memory_limit={limit}"] if limit else [])]

            self.row("duckdb", query.name, command, answer)

    def job(self, job):
        out, file = self.folder / "out", self.folder / "job.yaml"
        source = self.named(f"{{{job.source}}}")
        file.write_text(JOB.format(source=source, out=out, yaml=job.yaml, sink=job.sink))
        if "limpid" in self.args.engines:
            answer = (digest_folder, out / "clean")
            self.row("limpid", job.name, lambda limit, spill: self.limpid(limit, spill, "run", file), answer)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", type=Path)
    p.add_argument("--limpid", default="target/release/limpid")
    p.add_argument("--mb", type=int, default=200)
    p.add_argument("--limits", default="none,128MB,256MB,1GB")
    p.add_argument("--only", default="", help="names that match this regular expression")
    p.add_argument("--engines", default="limpid,duckdb")
    p.add_argument("--allow", type=float, default=150, help="MiB above the limit")
    p.add_argument("--strict", action="store_true")
    p.add_argument("--docs")
    p.add_argument("--copies", type=int, default=20)
    p.add_argument("--seed", type=int, default=42)
    a = p.parse_args()
    a.folder.mkdir(parents=True, exist_ok=True)
    bench = Bench(a)
    if a.docs:
        docs = a.folder.resolve() / f"docs_x{a.copies}_{a.seed}.parquet"
        if not docs.exists():
            print("built {} documents, {} characters".format(*apart(corpus.build, a.docs, docs, a.copies, a.seed)), flush=True)
        bench.query(Query(f"minhash_dedup, {docs.stem}", minhash(f"'{docs}'"), peer=""))
    else:
        for query in QUERIES:
            if re.search(a.only, query.name):
                bench.query(query)
        for job in JOBS:
            if re.search(a.only, job.name):
                bench.job(job)
    print(f"{bench.bad} runs of limpid failed, were wrong or too large" if bench.bad else "all answers are the same")
    sys.exit(bool(bench.bad))


if __name__ == "__main__":
    main()
