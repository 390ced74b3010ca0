#!/usr/bin/env python3
"""Runs examples/pretraining.yaml on copies of a corpus in shards, and datatrove's filters on the same documents.

    benches/pretraining.py DOCS.parquet [--copies 10] [--limpid target/release/limpid] [--datatrove PYTHON] [--kills 60] [--work DIR]

DOCS.parquet has the columns id, source, version, path and text. Each copy gets ids and addresses of its own, and every third document of
every copy but the first a line more. The rows of the source `react-native-docs` are the books, the others the web.

The job runs twice: as it is, where steps that look at each row alone run as one, and with checks that name every step, so that each is
written for itself. Both must report the same rows, bytes, reasons and samples, and write the same data. Prints, for each step, documents
in and out, seconds and documents a second; peak resident memory; the bytes in the work folder; and what kill -9 at random moments did to
the bytes of the sink (`benches/crash.sh`; on one copy of every fourth document, one kill a run: --kill-copies, --kill-every, --kills-per-run).

With --datatrove (the Python of an environment with `datatrove[processing]`, 0.10 is meant) each quality filter runs alone, with two workers,
over what entered the same step of limpid from the first --peer-copies copies, and writes what it keeps as Parquet, as the step of limpid
does. The rules and limits are the same, so the documents kept should be, too; texts with other line breaks than LF, white space in blank
lines, or a line feed at both ends may differ in `gopher_repetition` (docs/quality.md). MinHash (14 buckets of 8, word 5-grams) is compared
on the documents that entered `gopher_repetition`, because few documents are left at its place in the job: the time of datatrove's four
stages beside a job of the recipe `minhash_dedup` alone. limpid also verifies every pair. Not compared: language and personal data (other
models and rules), addresses, exact duplicates of documents (datatrove has none), and the mixture.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
FILTERS = ["gopher_repetition", "gopher_quality", "c4", "fineweb"]
WORKERS = 2


def make(docs, folder, copies, every=1):
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir(parents=True)
    rows = pq.read_table(docs, columns=["id", "source", "version", "path", "text"]).to_pylist()[::every]
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
    """The report of a run."""
    flags = [f"--set={name}={value}" for name, value in sets.items()]
    run = subprocess.run([program, "run", job, f"--set=out={out}", "--json", "--memory-limit", limit, *flags], stdout=subprocess.PIPE, check=True)
    return json.loads(run.stdout)


def every_step_written(job, steps, path):
    """The job with checks that name every step: what a check reads is written."""
    checks = "".join(f"  - {{ name: sees_{step}, sql: SELECT id FROM {step} WHERE false }}\n" for step in steps)
    path.write_text(job.read_text().replace("\nchecks:\n", f"\nchecks:\n{checks}"))
    return path


def told(report):
    """What a report says, without times, checks, and what was spilled, which depends on the layout of batches."""
    steps = [{key: value for key, value in step.items() if key != "seconds"} for step in report["steps"]]
    for step in steps:
        step["metrics"] = [metric for metric in step["metrics"] if not metric[0].startswith("spill")]
    return steps, [report[key] for key in ("rows_in", "rows_out", "bytes_in", "bytes_out", "lengths_in", "lengths_out", "sources", "warnings")]


def data(sink):
    """The bytes of a sink, without its mark, which names the checks."""
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sink.iterdir() if file.name != "_manifest.json"}


def size(folder):
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def of_copies(source, copies, path):
    """Writes the rows of the first copies in the Parquet files of `source` to `path`, and counts them."""
    import pyarrow.compute as pc
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

    rows = ds.dataset(source).to_table(columns=["id", "text"], filter=pc.field("id") < f"{copies:02d}")
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(rows, path)
    return rows.num_rows


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
    parser.add_argument("--peer-copies", type=int, default=1)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--kill-every", type=int, default=4)
    parser.add_argument("--kill-copies", type=int, default=1)
    parser.add_argument("--kills-per-run", type=int, default=1)
    parser.add_argument("--memory-limit", default="512MB")
    parser.add_argument("--work", type=Path, default=Path("pretraining-bench"))
    args = parser.parse_args()
    work = args.work.resolve()
    shutil.rmtree(work, ignore_errors=True)
    make(args.docs, work / "docs", args.copies)
    sets = {"web": f"{work}/docs/web-*.parquet", "books": f"{work}/docs/books-*.parquet"}
    job = HERE.parent / "examples/pretraining.yaml"
    report = limpid(args.limpid, job, work / "out", sets, args.memory_limit)
    single = every_step_written(job, [step["name"] for step in report["steps"]], work / "single.yaml")
    written = limpid(args.limpid, single, work / "single", sets, args.memory_limit)
    for name, out, run in (("as it is", "out", report), ("every step written", "single", written)):
        print(f"{name}: {run['rows_in']:,} documents, {run['bytes_in'] / 1e6:,.0f} MB of text, {run['elapsed_seconds']:.1f} s, "
              f"peak memory {run['peak_memory_bytes'] / 1e6:.0f} MB at --memory-limit {args.memory_limit}, "
              f"work folder {size(work / out / 'work') / 1e6:,.0f} MB", flush=True)
    print(f"the same report: {told(report) == told(written)}; the same data at the sink: {data(work / 'out/clean') == data(work / 'single/clean')}\n")
    row("step", "in", "out", "s as one", "s alone", "docs/s alone", "datatrove docs", "datatrove s", "datatrove docs/s", "same documents")
    row(*["---"] * 10)
    for number, step in enumerate(written["steps"]):
        entering, seconds, speed, same = "", "", "", ""
        if args.datatrove and step["name"] in FILTERS:
            before = work / f"single/work/{number}-{written['steps'][number - 1]['name']}/kept"
            peer = work / f"datatrove-{step['name']}"
            entering = of_copies(before, args.peer_copies, peer / "source/docs.parquet")
            expected = of_copies(work / f"single/work/{number + 1}-{step['name']}/kept", args.peer_copies, None)
            taken, rows = datatrove(args.datatrove, step["name"], peer / "source", peer)
            seconds, speed, same = f"{taken:.1f}", rate(entering, taken), "yes" if rows == expected else f"no: {rows:,}, limpid {expected:,}"
        row(step["name"], f"{step['rows_in']:,}", f"{step['rows_out']:,}", f"{report['steps'][number]['seconds']:.1f}", f"{step['seconds']:.1f}",
            rate(step["rows_in"], step["seconds"]), entering, seconds, speed, same)
    if args.datatrove:
        import pyarrow.parquet as pq

        (work / "fuzzy.yaml").write_text(MINHASH)
        entered = work / "fuzzy-docs/docs.parquet"
        count = of_copies(work / "single/work/4-language/kept", args.peer_copies, entered)
        fuzzy = limpid(args.limpid, work / "fuzzy.yaml", work / "fuzzy", {"docs": entered}, args.memory_limit)
        docs = pq.read_table(entered, columns=["text"])
        # The peer's ids are numbers.
        pq.write_table(docs.add_column(0, "id", [list(range(docs.num_rows))]), work / "fuzzy.parquet")
        begin = time.monotonic()
        subprocess.run([args.datatrove, HERE / "peers/peer_datatrove.py", work / "fuzzy.parquet", work / "minhash.parquet", work / "minhash", "run"],
                       stderr=subprocess.DEVNULL, check=True, stdout=subprocess.DEVNULL)
        taken = time.monotonic() - begin
        step = fuzzy["steps"][0]
        row("fuzzy on what entered gopher_repetition", f"{count:,}", f"{step['rows_out']:,}", "", f"{step['seconds']:.1f}",
            rate(step["rows_in"], step["seconds"]), f"{count:,}", f"{taken:.1f}", rate(count, taken), "not the same method")
    if args.kills:
        shutil.rmtree(work / "out")
        shutil.rmtree(work / "single")
        make(args.docs, work / "few", args.kill_copies, args.kill_every)
        flags = [f"--set={name}={work}/few/{name}-*.parquet" for name in ("web", "books")]
        print(flush=True)
        subprocess.run([HERE / "crash.sh", str(args.kills), job, *flags, "--memory-limit", args.memory_limit, "--quiet"], check=True,
                       env=os.environ | {"LIMPID": args.limpid, "TMPDIR": str(work), "KILLS_PER_RUN": str(args.kills_per_run)})


if __name__ == "__main__":
    main()
