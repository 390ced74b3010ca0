#!/usr/bin/env python3
"""Random CSV and JSON files: what limpid reads, beside what was written and what DuckDB and pandas read.

    readers.py --limpid BINARY [--files 2000] [--seed 1] [--keep FOLDER]

Every source is one to three files with a row number `k` and columns that move, come late or are missing, types that drift, delimiters, quotes, encodings,
line ends, blank lines and compressions. Each is read with 1, 2 and 7 threads and several batch sizes. For each source limpid either
gives exactly the rows that were written (numbers by value, text to the byte, NULL and empty text told apart where the format can)
or an error that names the file; anything else is a silent difference. DuckDB and pandas read the same files as text where they can;
where one of them differs from what was written, that is counted beside, not held against limpid.
Prints a table; the exit code is 1 when there was a silent difference or an error that names no file.
Needs a Python with pyarrow, duckdb, pandas and zstandard.
"""

import argparse
import datetime as dt
import decimal
import gzip
import json
import math
import random
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pandas
import pyarrow.parquet as pq
import zstandard

WORDS = "alpha beta gamma delta Straße naïve 数据 слово कि emoji🙂 O'Brien x;y a,b tab\there pipe|d \"q\" line\nfeed cr\r\nlf nul U\u2028S".split(" ")
LATIN = "alpha beta gamma delta Straße naïve O'Brien x;y a,b pipe|d \"q\" line\nfeed".split(" ")
MISSING = object()


def cell(rng, kind, latin):
    """A value as the text that stands in the file; None is NULL."""
    if rng.random() < 0.08:
        return None
    match kind:
        case "int":
            return str(rng.randint(-10**6, 10**6))
        case "big":
            return str(rng.choice([2**63 - 1, -(2**63), 2**64 - 1, 2**63, 10**25, rng.randint(0, 10**18)]))
        case "float":
            return repr(rng.choice([rng.uniform(-1e6, 1e6), rng.random() * 10 ** rng.randint(-8, 8)]))
        case "bool":
            return rng.choice(["true", "false"])
        case "date":
            return (dt.date(1990, 1, 1) + dt.timedelta(rng.randint(0, 20000))).isoformat()
        case "time":
            return (dt.datetime(2001, 1, 1) + dt.timedelta(seconds=rng.randint(0, 10**9))).isoformat(sep=rng.choice("T "))
        case "zeros":
            return str(rng.randint(0, 999)).zfill(rng.randint(1, 6))
        case "id":
            return rng.choice([str(rng.randint(0, 99)), "a" + str(rng.randint(0, 99)), "1e5", "+7", "1_000", "NaN", "0x1f", "-0", "1."])
        case _:
            return " ".join(rng.choice(LATIN if latin else WORDS) for _ in range(rng.randint(0, 6)))


def column(rng, kind, rows, latin):
    """A column, perhaps of two kinds: the second one begins late."""
    drift = rng.random() < 0.25
    other = rng.choice(["int", "float", "text", "big", "zeros"])
    begin = rng.randint(0, rows) if drift else rows
    return [cell(rng, kind if i < begin else other, latin) for i in range(rows)]


def kinds(rng):
    return rng.choice(["int", "big", "float", "bool", "date", "time", "zeros", "id", "text", "text"])


class Source:
    """Files of one table, the rows in them, and how limpid and its peers are told to read them."""

    def __init__(self, folder, seed):
        rng = self.rng = random.Random(seed)
        self.folder, self.seed = folder, seed
        self.format = rng.choice(["csv", "csv", "json"])
        self.rows, self.files, self.options, self.peer = [], [], {}, {}
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        self.encoding = rng.choice(["utf-8"] * 6 + ["utf-8-sig", "utf-16", "latin-1"]) if self.format == "csv" else rng.choice(["utf-8"] * 6 + ["utf-8-sig"])
        latin = self.encoding == "latin-1"
        names = rng.sample(["id", "text", "Name", "a b", "x.y", "größe", "n", "value", "ID2", "select"], rng.randint(2, 6))
        columns = {name: kinds(rng) for name in names}
        for number in range(rng.choice([1, 1, 2, 3])):
            rows = rng.choice([0, 1, 2, 7, 40, 200, 3000]) if number else rng.choice([1, 2, 7, 40, 200, 3000])
            mine = [name for name in names if number == 0 or rng.random() < 0.85]
            values = {name: column(rng, columns[name], rows, latin) for name in mine}
            values["k"] = [str(len(self.rows) + i) for i in range(rows)]
            mine.append("k")
            rng.shuffle(mine)
            (self.write_csv if self.format == "csv" else self.write_json)(number, mine, values, rows)
        self.names = names

    # Files.

    def save(self, number, ending, data):
        compression = self.rng.choice(["", "", "", ".gz", ".zst"]) if number == 0 else self.compression
        self.compression = compression
        path = self.folder / f"part{number}.{ending}{compression}"
        if compression == ".gz":
            half = len(data) // 2
            data = gzip.compress(data[:half]) + gzip.compress(data[half:])
        elif compression == ".zst":
            half = len(data) // 2
            data = zstandard.compress(data[:half]) + zstandard.compress(data[half:])
        path.write_bytes(data)
        self.files.append(path)

    def write_csv(self, number, names, values, rows):
        rng = self.rng
        if number == 0:
            self.delimiter = rng.choice(",,;\t|")
            self.quote = rng.choice(['"'] * 5 + ["'"])
            self.end = rng.choice(["\n", "\n", "\r\n"])
            self.style = rng.choice(["minimal", "all"])
            self.told = rng.random() < 0.5 or self.quote == "'" or self.encoding == "latin-1"
            if self.told:
                self.options = {"delimiter": self.delimiter, "quote": self.quote, "header": "true"}
                if self.encoding == "latin-1":
                    self.options["encoding"] = "latin1"
        special = re.compile("[" + re.escape(self.delimiter + self.quote) + "\r\n\u2028]|^$|^ | $")

        def render(text):
            if text is None:
                return ""
            if self.style == "all" or special.search(text):
                return self.quote + text.replace(self.quote, self.quote * 2) + self.quote
            return text

        lines = [self.delimiter.join(render(name) for name in names)]
        for i in range(rows):
            cells = [values[name][i] for name in names]
            line = self.delimiter.join(map(render, cells))
            lines.append(line)
            if rng.random() < 0.01 and len(names) > 1:
                lines.append("")
            self.rows.append(dict(zip(names, cells)))
        text = self.end.join(lines) + (self.end if rng.random() < 0.8 else "")
        self.save(number, "csv", text.encode(self.encoding))

    def write_json(self, number, names, values, rows):
        rng = self.rng
        if number == 0:
            self.array = rng.random() < 0.15
        records = []
        for i in range(rows):
            row = {name: values[name][i] for name in names if name == "k" or rng.random() < 0.9}
            self.rows.append({k: MISSING if v is None else v for k, v in row.items()})
            records.append("{" + ", ".join(json.dumps(k) + ": " + self.json_value(k, v) for k, v in row.items()) + "}")
        if self.array:
            text = "[" + ",\n ".join(records) + "]"
            self.save(number, "json", text.encode(self.encoding))
        else:
            text = "".join(r + rng.choice(["\n"] * 30 + ["\r\n", "\n\n"]) for r in records)
            self.save(number, "jsonl", text.encode(self.encoding))

    def json_value(self, name, text):
        if text is None:
            return "null"
        if re.fullmatch(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", text) or text in ("true", "false"):
            return text
        return json.dumps(text, ensure_ascii=self.rng.random() < 0.5)

    # Readers.

    def limpid(self, binary, threads, batch):
        out = self.folder / f"out{threads}.parquet"
        out.unlink(missing_ok=True)
        pattern = str(self.folder / "part*").replace("'", "''")
        reader = "read_csv" if self.format == "csv" else "read_json"
        quoted = {k: "'" + v.replace("'", "''") + "'" for k, v in self.options.items()}
        table = f"{reader}('{pattern}', {', '.join(f'{k} => {v}' for k, v in quoted.items())})" if quoted else f"'{pattern}'"
        command = [binary, "-q", "--threads", str(threads), "--batch-size", str(batch), "sql", "-c", f"COPY (SELECT * FROM {table}) TO '{out}'"]
        done = subprocess.run(command, capture_output=True, timeout=300)
        if done.returncode != 0:
            return None, done.stderr.decode("utf-8", "replace").strip()
        table = pq.read_table(out)
        return [dict(zip(table.column_names, row)) for row in zip(*(c.to_pylist() for c in table.columns))], ""

    def duckdb(self):
        connection = duckdb.connect()
        connection.sql("SET threads = 1")
        files = [str(f) for f in self.files]
        if self.format == "json":
            found = connection.sql(f"SELECT * FROM read_json({files!r}, union_by_name = true, sample_size = -1, maximum_object_size = 100000000)")
        else:
            encoding = {"latin-1": "latin-1", "utf-16": "utf-16"}.get(self.encoding, "utf-8")
            found = connection.sql(f"SELECT * FROM read_csv({files!r}, all_varchar = true, union_by_name = true, delim = '{self.delimiter}', header = true, "
                               f"quote = '{self.quote.replace(chr(39), chr(39) * 2)}', escape = '{self.quote.replace(chr(39), chr(39) * 2)}', encoding = '{encoding}')")
        names, rows = found.columns, found.fetchall()
        connection.close()
        return [dict(zip(names, row)) for row in rows]

    def pandas(self):
        frames = []
        for file in self.files:
            if self.format == "json":
                frames.append(pandas.read_json(file, lines=not self.array, dtype=False))
            else:
                frames.append(pandas.read_csv(file, sep=self.delimiter, quotechar=self.quote, dtype=str, keep_default_na=False, encoding=self.encoding))
        frame = pandas.concat([f for f in frames], ignore_index=True) if frames else pandas.DataFrame()
        return frame.astype(object).where(frame.notna(), None).to_dict("records")


def same(written, read):
    """Whether a value read is the one written as text."""
    if written is None or written is MISSING:
        return read is None
    if read is None:
        return False
    if isinstance(read, bool):
        return written == ("true" if read else "false")
    if isinstance(read, int):
        return re.fullmatch(r"-?\d+", written) is not None and str(read) == written
    if isinstance(read, float):
        if math.isnan(read):
            return written.lower() == "nan"
        try:
            exact = decimal.Decimal(written)
        except decimal.InvalidOperation:
            return written.lower() in ("nan", "inf") and not math.isfinite(read)
        return float(written) == read and ("." in written or "e" in written.lower() or decimal.Decimal(read) == exact)
    if isinstance(read, decimal.Decimal):
        return decimal.Decimal(written) == read
    if isinstance(read, dt.datetime):
        return dt.datetime.fromisoformat(written).replace(tzinfo=None) == read.replace(tzinfo=None)
    if isinstance(read, dt.date):
        return written == read.isoformat()
    return str(read) == written


def same_rows(source, rows, empty_is_null=False):
    if len(rows) != len(source.rows):
        return f"{len(rows)} rows of {len(source.rows)}"
    try:
        rows = sorted(rows, key=lambda row: int(row["k"]))
    except (KeyError, TypeError, ValueError) as e:
        return f"column k is lost: {e!r}"
    for i, (written, read) in enumerate(zip(source.rows, rows)):
        for name in set(written) | set(read):
            value, seen = written.get(name, MISSING), read.get(name)
            if empty_is_null and value in (None, "", MISSING) and seen in (None, ""):
                continue
            if not same(value, seen):
                return f"row {i}, column {name}: {'missing' if value is MISSING else repr(value)} read as {seen!r}"
    return ""


def judge(binary, folder, seed):
    source = Source(folder / f"s{seed}", seed)
    seen, verdict = {}, {}
    rng = random.Random(seed * 7)
    for threads in (1, 2, 7):
        rows, error = source.limpid(binary, threads, rng.choice([1, 3, 100, 8192]))
        if rows is None:
            named = any(str(f.name) in error for f in source.files) and "panicked" not in error and "nternal error" not in error
            verdict["limpid"] = "error" if named else "unnamed: " + error[:300]
        else:
            difference = same_rows(source, rows)
            verdict["limpid"] = "right" if not difference else "SILENT: " + difference
        seen[threads] = verdict["limpid"], error if rows is None else json.dumps(sorted(rows, key=str), default=str)
        if verdict["limpid"] not in ("right", "error"):
            break
    if len({s for s, _ in seen.values()}) > 1 or verdict["limpid"] == "right" and len({r for _, r in seen.values()}) > 1:
        verdict["limpid"] = "SILENT: threads differ: " + "; ".join(f"{t}: {s}" for t, (s, _) in seen.items())
    verdict["error"] = seen[max(seen)][1] if verdict["limpid"] == "error" else ""
    for peer in ("duckdb", "pandas"):
        try:
            difference = same_rows(source, getattr(source, peer)(), empty_is_null=True)
            verdict[peer] = "right" if not difference else "differs"
        except Exception:  # noqa: BLE001 - whatever a peer raises is an error of its
            verdict[peer] = "error"
    if verdict["limpid"] in ("right", "error"):
        shutil.rmtree(source.folder)
    return seed, source.format, verdict


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limpid", default="limpid")
    parser.add_argument("--files", type=int, default=2000, help="sources to make")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2, help="sources at a time")
    parser.add_argument("--keep", help="where the files of wrong answers stay (default: a temporary folder that stays)")
    parser.add_argument("--errors", action="store_true", help="print the errors of limpid too")
    arguments = parser.parse_args()
    binary = str(Path(shutil.which(arguments.limpid) or arguments.limpid).resolve())
    folder = Path(arguments.keep or tempfile.mkdtemp(prefix="limpid-readers-"))
    folder.mkdir(exist_ok=True, parents=True)
    counts, bad = {}, 0
    with ThreadPoolExecutor(arguments.jobs) as pool:
        seeds = range(arguments.seed * 1_000_000, arguments.seed * 1_000_000 + arguments.files)
        for seed, form, verdict in pool.map(lambda seed: judge(binary, folder, seed), seeds):
            for reader in ("limpid", "duckdb", "pandas"):
                state = verdict[reader].split(":")[0]
                counts[form, reader, state] = counts.get((form, reader, state), 0) + 1
            if verdict["limpid"] not in ("right", "error"):
                bad += 1
                print(f"{folder}/s{seed}: {verdict['limpid']}", flush=True)
            elif verdict["error"] and arguments.errors:
                print(f"s{seed}: {verdict['error'][:300]}", flush=True)
    print(f"\n{'format':8}{'reader':10}{'right':>8}{'error':>8}{'differs':>9}")
    for form in ("csv", "json"):
        for reader in ("limpid", "duckdb", "pandas"):
            of = lambda *states: sum(counts.get((form, reader, s), 0) for s in states)  # noqa: E731, B023
            print(f"{form:8}{reader:10}{of('right'):8}{of('error'):8}{of('SILENT', 'unnamed', 'differs'):9}")
    print(f"\n{bad} silent differences or unnamed errors in {arguments.files} sources")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
