#!/usr/bin/env python3
"""Runs examples/pretraining.yaml on copies of a corpus in shards, and datatrove's filters on the same documents.

    benches/pretraining.py DOCS.parquet [--copies 10] [--limpid target/release/limpid] [--datatrove PYTHON] [--kills 60] [--work DIR]

DOCS.parquet has the columns id, source, version, path and text. Each copy gets ids and addresses of its own, and every third document of
every copy but the first a line more. The rows of the source `react-native-docs` are the books, the others the web.

Prints, for each step, documents in and out, seconds, and documents a second; peak resident memory; and what kill -9 at random moments did
to the bytes of the sink (`benches/crash.sh`).

With --datatrove (the Python of an environment with `datatrove[processing]`, 0.10 is meant) each quality filter runs alone, with two workers,
over the Parquet files that entered the same step of limpid, and writes what it keeps as Parquet, as the step of limpid does. The rules and
limits are the same, so the documents kept should be, too; texts with other line breaks than LF, white space in blank lines, or a line
feed at both ends may differ in `gopher_repetition` (docs/quality.md). MinHash (14 buckets of 8, word 5-grams) is compared on the documents that entered
`gopher_repetition`, because few documents are left at its place in the job: the time of datatrove's four stages beside a job of the recipe
`minhash_dedup` alone. limpid also verifies every pair. Not compared: language and personal data (other models and rules), addresses,
exact duplicates of documents (datatrove has none), and the mixture.
"""

import argparse
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
FILTERS = ["gopher_repetition", "gopher_quality", "c4", "fineweb"]
WORKERS = 2


def make(docs, folder, copies):
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir(parents=True)
    rows = pq.read_table(docs, columns=["id", "source", "version", "path", "text"]).to_pylist()
    for copy in range(copies):
        for name in ("web", "books"):
            out = {"id": [], "url": [], "text": []}
            for at, row in enumerate(rows):
                if (row["source"] == "react-native-docs") == (name == "books"):
                    line = f"\nThis is copy number {copy} of the page." if copy and at % 3 == 0 else ""
                    out["id"].append(f"{copy:02d}-{row['id']:06d}")
                    out["url"].append(f"https://{row['source']}.example/{copy}/{row['version']}/{row['path']}")
                    out["text"].append(row["text"] + line)
            pq.write_table(pa.table(out), folder / f"{name}-{copy:02d}.parquet", row_group_size=2_000)


def limpid(program, job, out, sets, limit):
    """The report of a run, and the largest resident memory of the process in MB."""
    flags = [f"--set={name}={value}" for name, value in sets.items()]
    run = subprocess.run([program, "run", job, f"--set=out={out}", "--json", "--memory-limit", limit, *flags], stdout=subprocess.PIPE, check=True)
    report = json.loads(run.stdout)
    return report, report["peak_memory_bytes"] / 1e6


DATATROVE = """
import importlib.metadata, json, sys, time
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.readers import ParquetReader
from datatrove.pipeline.writers import ParquetWriter
from datatrove.pipeline.filters import C4QualityFilter, FineWebQualityFilter, GopherQualityFilter, GopherRepetitionFilter
from loguru import logger
if __name__ == "__main__":
    logger.remove()
    name, source, out, workers = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
    made = {"gopher_repetition": GopherRepetitionFilter, "gopher_quality": GopherQualityFilter, "c4": C4QualityFilter, "fineweb": FineWebQualityFilter}[name]()
    LocalPipelineExecutor([ParquetReader(source), made, ParquetWriter(out + "/kept")], tasks=workers, workers=workers, logging_dir=out + "/logs").run()
"""


def datatrove(python, name, source, out):
    """Seconds and documents kept."""
    import pyarrow.parquet as pq

    script = out.parent / "datatrove_filter.py"
    script.write_text(DATATROVE)
    begin = time.monotonic()
    subprocess.run([python, script, name, source, out, str(WORKERS)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seconds = time.monotonic() - begin
    return seconds, sum(pq.ParquetFile(file).metadata.num_rows for file in (out / "kept").glob("*.parquet"))


MINHASH = """name: fuzzy
sources: { docs: { paths: "${docs}" } }
text: text
steps: [{ name: fuzzy, recipe: minhash_dedup, args: { threshold: 0.7 } }]
sink: { path: "${out}/clean" }
work: ${out}/work
"""


def row(*cells):
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def rate(rows, seconds):
    return f"{rows / max(seconds, 1e-9):,.0f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("docs", type=Path)
    parser.add_argument("--copies", type=int, default=10)
    parser.add_argument("--limpid", default=str(HERE.parent / "target/release/limpid"))
    parser.add_argument("--datatrove", metavar="PYTHON")
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--memory-limit", default="512MB")
    parser.add_argument("--work", type=Path, default=Path("pretraining-bench"))
    args = parser.parse_args()
    work = args.work.resolve()
    shutil.rmtree(work, ignore_errors=True)
    make(args.docs, work / "docs", args.copies)
    sets = {"web": f"{work}/docs/web-*.parquet", "books": f"{work}/docs/books-*.parquet"}
    job = HERE.parent / "examples/pretraining.yaml"
    report, peak = limpid(args.limpid, job, work / "out", sets, args.memory_limit)
    print(f"limpid: {report['rows_in']:,} documents, {report['bytes_in'] / 1e6:,.0f} MB of text, {report['elapsed_seconds']:.1f} s, "
          f"peak memory {peak:.0f} MB at --memory-limit {args.memory_limit}\n")
    row("step", "in", "out", "limpid s", "limpid docs/s", "datatrove s", "datatrove docs/s", "same documents")
    row(*["---"] * 8)
    for number, step in enumerate(report["steps"]):
        seconds, kept, same = "", "", ""
        if args.datatrove and step["name"] in FILTERS:
            entered = work / f"out/work/{number}-{report['steps'][number - 1]['name']}/kept"
            taken, rows = datatrove(args.datatrove, step["name"], entered, work / f"datatrove-{step['name']}")
            seconds, kept, same = f"{taken:.1f}", rate(step["rows_in"], taken), "yes" if rows == step["rows_out"] else f"no: {rows:,} kept"
        row(step["name"], f"{step['rows_in']:,}", f"{step['rows_out']:,}", f"{step['seconds']:.1f}", rate(step["rows_in"], step["seconds"]), seconds, kept, same)
    if args.datatrove:
        entered = work / "out/work/4-language/kept"
        (work / "fuzzy.yaml").write_text(MINHASH)
        fuzzy, _ = limpid(args.limpid, work / "fuzzy.yaml", work / "fuzzy", {"docs": f"{entered}/*.parquet"}, args.memory_limit)
        step = fuzzy["steps"][0]
        import pyarrow.dataset as ds
        import pyarrow.parquet as pq

        docs = ds.dataset(entered).to_table(columns=["text"])
        # The peer's ids are numbers.
        pq.write_table(docs.add_column(0, "id", [list(range(docs.num_rows))]), work / "fuzzy.parquet")
        begin = time.monotonic()
        subprocess.run([args.datatrove, HERE / "peers/peer_datatrove.py", work / "fuzzy.parquet", work / "minhash.parquet", work / "minhash", "run"],
                       stderr=subprocess.DEVNULL, check=True, stdout=subprocess.DEVNULL)
        taken = time.monotonic() - begin
        row("fuzzy on what entered gopher_repetition", f"{step['rows_in']:,}", f"{step['rows_out']:,}", f"{step['seconds']:.1f}",
            rate(step["rows_in"], step["seconds"]), f"{taken:.1f}", rate(step["rows_in"], taken), "not the same method")
    if args.kills:
        flags = [f"--set={name}={value}" for name, value in sets.items()]
        shutil.rmtree(work / "out")
        print(flush=True)
        subprocess.run([HERE / "crash.sh", str(args.kills), job, *flags, "--memory-limit", args.memory_limit], check=True,
                       env=os.environ | {"LIMPID": args.limpid, "TMPDIR": str(work)})


if __name__ == "__main__":
    main()
