#!/usr/bin/env python3
"""Bad input and full disks: one clear error, exit code not 0, nothing at the sink.   Run it with a Python that has pyarrow.

bad_input.py --limpid BINARY
For every case: the exit code is not 0; standard error has 1 to 8 lines, says what the case demands (a regular expression,
without case), and shows neither a panic nor an internal error; the sink and its folder are as before. The full-disk cases
mount a tmpfs of 4 MiB and are skipped where that is not allowed (they need root).
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

LEAK = re.compile(r"panicked|internal error|bug in|backtrace|stack overflow", re.I)
MAX_LINES, TIMEOUT_S = 8, 120
GOOD = "text => text, id => id, threshold => 0.7, ngram => 5, unit => 'word'"


def texts(rows, words, seed=42):
    rng = np.random.default_rng(seed)
    return [" ".join(map(str, rng.integers(0, 10**6, words))) for _ in range(rows)]


def make_inputs(folder):
    """Good files and their damaged relatives; returns nothing, the cases know the names."""
    body = texts(2000, 100)
    ids = pa.array(range(len(body)), pa.int64())
    write = lambda name, columns, **how: pq.write_table(pa.table(columns), folder / name, **how)  # noqa: E731
    write("good.parquet", {"id": ids, "text": body}, compression="zstd", row_group_size=500)
    write("no_text.parquet", {"id": ids, "body": body})
    write("no_id.parquet", {"key": ids, "text": body})
    write("number_text.parquet", {"id": ids, "text": range(len(body))})
    write("list_text.parquet", {"id": ids, "text": [[t] for t in body]})
    write("null_id.parquet", {"id": pa.array([None, *range(1, len(body))], pa.int64()), "text": body})
    write("duplicate_id.parquet", {"id": pa.array([7, *range(1, len(body))], pa.int64()), "text": body})
    write("float_id.parquet", {"id": pa.array([float("nan")] * len(body)), "text": body})
    good = (folder / "good.parquet").read_bytes()
    (folder / "truncated.parquet").write_bytes(good[: len(good) * 6 // 10])
    middle = len(good) // 2
    (folder / "corrupt_page.parquet").write_bytes(good[:middle] + bytes(64) + good[middle + 64 :])
    (folder / "empty_file.parquet").write_bytes(b"")
    (folder / "text_file.parquet").write_text("id,text\n1,hello\n")
    (folder / "folder.parquet").mkdir()
    (folder / "dangling.parquet").symlink_to(folder / "nowhere.parquet")
    (folder / "mixed").mkdir()
    (folder / "mixed/a.parquet").write_bytes(good)
    (folder / "mixed/b.parquet").write_bytes(good[: len(good) // 3])
    (folder / "not_a_folder").write_text("")
    write("big.parquet", {"id": pa.array(range(20_000), pa.int64()), "text": texts(20_000, 600)}, compression="none", use_dictionary=False)


# name: (file, arguments of minhash_dedup, what the message must say)
DEDUP = {
    "missing file": ("missing.parquet", GOOD, r"missing\.parquet"),
    "truncated Parquet": ("truncated.parquet", GOOD, r"truncated\.parquet"),
    "corrupt page": ("corrupt_page.parquet", GOOD, r"corrupt_page\.parquet|decompress|zstd|corrupt|invalid|parquet"),
    "zero bytes": ("empty_file.parquet", GOOD, r"empty_file\.parquet"),
    "not Parquet at all": ("text_file.parquet", GOOD, r"text_file\.parquet"),
    "a folder named .parquet": ("folder.parquet", GOOD, r"folder\.parquet"),
    "dangling link": ("dangling.parquet", GOOD, r"dangling\.parquet"),
    "one bad file among good": ("mixed/*.parquet", GOOD, r"b\.parquet"),
    "missing text column": ("no_text.parquet", GOOD, r"\btext\b"),
    "missing id column": ("no_id.parquet", GOOD, r"\bid\b"),
    "text is a number": ("number_text.parquet", GOOD, r"\btext\b.*(Int64|type)|(Int64|type).*\btext\b"),
    "text is a list": ("list_text.parquet", GOOD, r"\btext\b.*(List|type)|(List|type).*\btext\b"),
    "NULL id": ("null_id.parquet", GOOD, r"\bid\b.*null|null.*\bid\b"),
    "duplicate id": ("duplicate_id.parquet", GOOD, r"\b7\b"),
    "id is a float": ("float_id.parquet", GOOD, r"\bid\b"),
    "threshold 1.7": ("good.parquet", GOOD.replace("0.7", "1.7"), r"threshold.*1\.7"),
    "threshold 0": ("good.parquet", GOOD.replace("0.7", "0"), r"threshold.*0"),
    "threshold -1": ("good.parquet", GOOD.replace("0.7", "-1"), r"threshold.*-\s*1"),
    "threshold 'high'": ("good.parquet", GOOD.replace("0.7", "'high'"), r"threshold.*high"),
    "threshold NULL": ("good.parquet", GOOD.replace("0.7", "NULL"), r"threshold.*null"),
    "unknown argument": ("good.parquet", GOOD + ", treshold => 0.7", r"treshold"),
    "argument given twice": ("good.parquet", GOOD + ", ngram => 3", r"ngram"),
    "argument without a name": ("good.parquet", "0.7", r"name|=>|argument"),
    "no text, none named": ("no_text.parquet", "id => id", r"\btext\b"),
    "text a literal": ("good.parquet", GOOD.replace("=> text,", "=> 'text',"), r"\btext\b"),
    "ngram 0": ("good.parquet", GOOD.replace("=> 5", "=> 0"), r"ngram.*0"),
    "ngram 2.5": ("good.parquet", GOOD.replace("=> 5", "=> 2.5"), r"ngram.*2\.5"),
    "unit 'sentence'": ("good.parquet", GOOD.replace("'word'", "'sentence'"), r"unit.*sentence"),
    "recall 2": ("good.parquet", GOOD + ", recall => 2", r"recall.*2"),
    "order_by unknown column": ("good.parquet", GOOD + ", order_by => 'quality DESC'", r"quality"),
}
# name: (flags, query, what the message must say)
OTHER = {
    "syntax error": ([], "SELEC 1", r"SELEC"),
    "unknown function": ([], "SELECT minhsh('a')", r"minhsh"),
    "unknown operator": ([], "SELECT * FROM minhash_dedupe((SELECT 1 AS id, 'a' AS text), text => text)", r"minhash_dedupe"),
    "second statement fails": ([], "SELECT 1; SELECT nothing", r"nothing"),
    "memory limit 'lots'": (["--memory-limit", "lots"], "SELECT 1", r"memory.limit.*|lots"),
    "threads 0": (["--threads", "0"], "SELECT 1", r"threads.*0|0.*threads"),
    "batch size 0": (["--batch-size", "0"], "SELECT 1", r"batch.size"),
    "unknown flag": (["--formt", "csv"], "SELECT 1", r"--formt"),
    "unknown format": (["--format", "xml"], "SELECT 1", r"xml"),
}


def dedup(source, arguments, columns="*"):
    return f"SELECT {columns} FROM minhash_dedup((SELECT * FROM '{source}'), {arguments})"


class Checker:
    def __init__(self, limpid):
        self.limpid, self.rows, self.failures = limpid, [], 0

    def check(self, name, flags, query, says, sink):
        before = sorted(sink.parent.iterdir()) if sink else []
        command = [self.limpid, "sql", *flags, "-c", f"COPY ({query}) TO '{sink}'" if sink else query]
        try:
            done = subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, stdin=subprocess.DEVNULL)
            code, error = done.returncode, done.stderr.decode(errors="replace").strip()
        except subprocess.TimeoutExpired:
            code, error = "timeout", ""
        after = sorted(sink.parent.iterdir()) if sink else []
        wrong = [
            problem
            for bad, problem in (
                (not isinstance(code, int) or code <= 0, f"exit code {code}"),
                (not 1 <= len(error.splitlines()) <= MAX_LINES, f"{len(error.splitlines())} lines on stderr"),
                (not re.search(says, error, re.I | re.S), f"message lacks /{says}/"),
                (LEAK.search(error), "panic or internal error shown"),
                (after != before, f"left at the sink: {[p.name for p in after if p not in before]}"),
            )
            if bad
        ]
        self.report(name, code, "; ".join(wrong) or "ok", error)

    def report(self, name, code, verdict, error=""):
        self.failures += verdict != "ok" and not verdict.startswith("skipped")
        print(f"| {name} | {code} | {verdict} | {' / '.join(error.splitlines())[:240].replace('|', '¦')} |", flush=True)


def full_disk(checker, folder, sink):
    disk = folder / "small_disk"
    disk.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], capture_output=True).returncode:
        return checker.report("full disk", "", "skipped: cannot mount a tmpfs (needs root)")
    big, full = folder / "big.parquet", "result.*no space|no space.*result"
    try:
        (disk / "out").mkdir()
        checker.check("disk full at the sink", [], dedup(big, GOOD), full, disk / "out/result.parquet")
        checker.check("disk full at the sink, CSV", [], dedup(big, GOOD), full, disk / "out/result.csv")
        flags = ["--memory-limit", "32MB", "--spill-dir", str(disk)]
        checker.check("disk full in the spill folder", flags, dedup(big, GOOD), "(spill|temporary).*no space", sink)
    finally:
        subprocess.run(["umount", disk], check=False)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--limpid", default="target/release/limpid")
    checker = Checker(p.parse_args().limpid)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make_inputs(folder)
        (folder / "sink").mkdir()
        sink = folder / "sink/result.parquet"
        print("| case | exit code | verdict | message |\n| --- | --- | --- | --- |")
        for name, (source, arguments, says) in DEDUP.items():
            checker.check(name, [], dedup(folder / source, arguments), says, sink)
        for name, (flags, query, says) in OTHER.items():
            checker.check(name, flags, query, says, None)
        spill = ["--memory-limit", "32MB", "--spill-dir", str(folder / "not_a_folder")]
        checker.check("spill folder is no folder", spill, dedup(folder / "big.parquet", GOOD), "not_a_folder|spill", sink)
        nowhere = folder / "good.parquet/result.parquet"
        checker.check("sink inside a file", [], f"COPY ({dedup(folder / 'good.parquet', GOOD)}) TO '{nowhere}'", "good.parquet", None)
        full_disk(checker, folder, sink)
    print("every case ok" if not checker.failures else f"{checker.failures} cases NOT ok")
    sys.exit(checker.failures > 0)


if __name__ == "__main__":
    main()
