#!/usr/bin/env python3
"""Inputs that went wrong elsewhere, one by one: what limpid answers, beside what must hold.

    cases.py --limpid BINARY --cases FOLDER [--only WORD] [--keep FOLDER]

FOLDER holds `engine/NAME` and `text/NAME`, each with `case.md` (what must hold and why) and its inputs or a `make.py` that
writes them. Every case runs in a copy of its folder. A check below is either the right answer or an error that names what
it must name; anything else is wrong. Prints a table; the exit code is the number of cases that are wrong, at most 100.
The Python that runs this needs pyarrow, pandas, fastparquet, zstandard, duckdb, deltalake and onnx, which `make.py` files use.
Without a folder of cases it says so and exits with 0.
"""

import argparse
import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CASES = {}
NEVER = re.compile(r"panicked|internal error|bug in datafusion|stack overflow", re.I)


def case(name):
    return lambda check: CASES.setdefault(name, check)


class Answer:
    """What a command gave: exit code, standard output, standard error, peak memory in MiB."""

    def __init__(self, code, out, err, peak):
        self.code, self.out, self.err, self.peak = code, out, err, peak

    @property
    def rows(self):
        # A blank line is a row of one NULL.
        return [tuple(row) or ("",) for row in csv.reader(io.StringIO(self.out))][1:]

    @property
    def names(self):
        return next(csv.reader(io.StringIO(self.out)), [])


class Case:
    """A copy of a case's folder, and the checks that failed in it."""

    def __init__(self, limpid, folder, timeout):
        self.limpid, self.folder, self.timeout, self.wrong, self.count = limpid, folder, timeout, [], 0

    def run(self, *arguments, env=None, timeout=None):
        command = ["/usr/bin/env", "time", "-f", "PEAK %M", self.limpid] if shutil.which("time") else [self.limpid]
        done = subprocess.run(
            [*command, *map(str, arguments)], cwd=self.folder, capture_output=True, timeout=timeout or self.timeout,
            env={**os.environ, **(env or {})},
        )
        err = done.stderr.decode("utf-8", "replace")
        peak = re.search(r"PEAK (\d+)", err)
        answer = Answer(done.returncode, done.stdout.decode("utf-8", "replace"), re.sub(r"(Command exited.*\n)?PEAK \d+\n", "", err),
                        int(peak[1]) / 1024 if peak else 0)
        if NEVER.search(answer.err):
            self.fail(f"{arguments[-1]!s:.80}: {answer.err.strip()[:200]}")
        return answer

    def sql(self, statement, *arguments, **how):
        return self.run(*arguments, "sql", "--format", "csv", "-c", statement, **how)

    def fail(self, what):
        self.wrong.append(what)

    def hold(self, truth, what, answer=None):
        """Counts a check; when it does not hold, keeps what was seen."""
        self.count += 1
        if not truth:
            seen = "" if answer is None else f" [exit {answer.code}: {(answer.out.strip() or answer.err.strip())[:300]!r}]"
            self.fail(what + seen)

    def rows(self, statement, expected, *arguments, **how):
        answer = self.sql(statement, *arguments, **how)
        self.hold(answer.code == 0 and answer.rows == [tuple(map(str, row)) for row in expected], f"{statement}: expected {expected}", answer)
        return answer

    def error(self, statement, *words, arguments=(), **how):
        answer = self.sql(statement, *arguments, **how)
        missing = [word for word in words if not re.search(word, answer.err, re.I)]
        self.hold(answer.code != 0 and not missing, f"{statement}: expected an error that says {words}", answer)
        return answer

    def rows_or_error(self, statement, expected, *words, **how):
        """The right rows, or an error that says all of `words`."""
        answer = self.sql(statement, **how)
        right = answer.code == 0 and answer.rows == [tuple(map(str, row)) for row in expected]
        named = answer.code != 0 and all(re.search(word, answer.err, re.I) for word in words)
        self.hold(right or named, f"{statement}: expected {expected} or an error that says {words}", answer)
        return answer


# --- SQL -----------------------------------------------------------------------------------------------------------------


@case("engine/clauses-ignored")
def clauses_ignored(c):
    table = "'data/t.parquet'"
    sample = c.sql(f"SELECT count(*) FROM {table} TABLESAMPLE BERNOULLI (10)")
    c.hold(sample.code != 0 and "sample" in sample.err.lower() or sample.code == 0 and 700 <= int(sample.rows[0][0]) <= 1300, "a sample of a tenth", sample)
    system = c.sql(f"SELECT count(*) FROM {table} TABLESAMPLE SYSTEM (1) REPEATABLE (3)")
    c.hold(system.code != 0 and "sample" in system.err.lower() or system.code == 0 and int(system.rows[0][0]) <= 1000, "a sample of a hundredth", system)
    groups = [("0", "3334"), ("1", "3333"), ("2", "3333"), ("", "10000")]
    for words in ("ROLLUP", "TOTALS"):
        answer = c.sql(f"SELECT g, count(*) FROM {table} GROUP BY g WITH {words} ORDER BY g")
        c.hold(answer.code != 0 and words.lower() in answer.err.lower() or sorted(answer.rows) == sorted(groups), f"WITH {words}", answer)
    everything = c.sql(f"FROM {table}")
    c.hold(everything.code == 0 and len(everything.rows) == 10000 or everything.code != 0, "FROM alone is all rows", everything)
    for clause, rest in (("FOR UPDATE", "FOR UPDATE"), ("PREWHERE", "PREWHERE id < 3"), ("FINAL", "FINAL"), ("NOLOCK|WITH|hint", "WITH (NOLOCK)"),
                         ("FOR SYSTEM|AS OF|version", "FOR SYSTEM_TIME AS OF '2020-01-01'")):
        answer = c.sql(f"SELECT count(*) FROM {table} {rest}")
        c.hold(answer.code != 0 and re.search(clause, answer.err, re.I) or clause == "PREWHERE" and answer.code == 0 and answer.rows == [("3",)], rest, answer)
    answer = c.sql(f"SELECT id FROM {table} ORDER BY id LIMIT 2 BY g")
    c.hold(answer.code != 0 or answer.rows == [(str(i),) for i in range(6)], "LIMIT BY", answer)
    answer = c.sql(f"SELECT TOP 2 id FROM {table} ORDER BY id")
    c.hold(answer.code != 0 and "top" in answer.err.lower() or answer.rows == [("0",), ("1",)], "TOP", answer)
    answer = c.sql(f"SELECT id FROM {table} ORDER BY id FETCH FIRST 2 ROWS ONLY")
    c.hold(answer.code != 0 and "fetch" in answer.err.lower() or answer.rows == [("0",), ("1",)], "FETCH FIRST", answer)
    c.error(f"SELECT id FROM {table} WHERE id < 3 ORDER BY id WITH FILL", "fill")
    c.rows(f"SELECT sum(id) FILTER (WHERE g = 0), count(DISTINCT g) FROM {table}", [(sum(range(0, 10000, 3)), 3)])
    c.error("SELECT first_value(id) IGNORE NULLS OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW EXCLUDE CURRENT ROW) AS f "
            f"FROM {table} LIMIT 3", "exclude|expected")
    answer = c.sql(f"COPY (SELECT * FROM {table}) TO 'data/o.csv' OPTIONS ('format.delimiter' ';')")
    semicolons = answer.code != 0 or (c.folder / "data/o.csv").read_text().startswith("id;g")
    c.hold(semicolons, "COPY with a delimiter writes it or refuses", answer)


@case("engine/integer-overflow")
def integer_overflow(c):
    for expression in ("a + 1", "a * 2", "sum(a)", "sum(a) OVER ()", "i + i", "u - t"):
        answer = c.sql(f"SELECT {expression} AS v FROM 'data/t.parquet' LIMIT 1")
        c.hold(answer.code != 0 and "overflow" in answer.err.lower() or answer.code == 0 and not answer.rows[0][0].startswith("-")
               and answer.rows[0][0] in ("4294967294", "18446744073709551614") or expression == "u - t" and answer.out.startswith("v\n-255"), expression, answer)
    for expression in ("9223372036854775807 + 1", "abs(-9223372036854775807 - 1)", "CAST(300 AS TINYINT)", "CAST(1e30 AS BIGINT)"):
        answer = c.sql(f"SELECT {expression} AS v")
        c.hold(answer.code != 0 or answer.rows[0][0] in ("9223372036854775808", "9.223372036854776e18", "9223372036854775808.0"), expression, answer)
    answer = c.sql("SELECT avg(a) AS v FROM 'data/t.parquet'")
    c.hold(answer.code != 0 or answer.rows[0][0].startswith("9.22337203685477"), "avg", answer)
    answer = c.sql("SELECT sum(CAST(99999999999999999999999999999999999999 AS DECIMAL(38,0))) AS v FROM 'data/t.parquet'")
    c.hold(answer.code != 0 or answer.rows[0][0] == "199999999999999999999999999999999999998", "sum of decimals", answer)


@case("engine/uppercase-columns")
def uppercase_columns(c):
    c.error("SELECT UserId FROM 'data/u.parquet'", '\\\\?"UserId\\\\?"')
    c.rows("SELECT \"UserId\" FROM 'data/u.parquet'", [(1,), (2,)])
    c.error("SELECT * FROM exact_dedup('data/u.parquet', text => Text, id => UserId)", '"(Text|UserId)"')
    arguments = 'text => "Text", id => "UserId"'
    answer = c.sql(f"SELECT * FROM exact_dedup('data/u.parquet', {arguments}, order_by => 'UserId DESC')")
    c.hold(answer.code == 0 or '"UserId"' in answer.err, "order_by without quotes works or says how to quote", answer)
    answer = c.sql(f"SELECT \"UserId\", keep FROM exact_dedup('data/u.parquet', {arguments}, order_by => '\"UserId\" DESC') ORDER BY 1")
    c.hold(answer.rows == [("1", "false"), ("2", "true")], "order_by in quotes", answer)
    select = ("select", "data/u.parquet", "--method", "random", "--fraction", "0.5", "-o", "data/k.parquet")
    answer = c.run(*select)
    c.hold(answer.code == 0 or "id" in answer.err, "select without --id says what it lacks", answer)
    answer = c.run(*select, "--id", "UserId")
    c.hold(answer.code == 0 or '"UserId"' in answer.err, "--id UserId works or says how to quote", answer)


# --- CSV and JSON --------------------------------------------------------------------------------------------------------


@case("engine/csv-bom-semicolon-latin1")
def csv_bom(c):
    c.rows("SELECT id, name FROM 'data/bom.csv' WHERE id = 2", [(2, "Bob")])
    c.rows("SELECT id FROM 'data/bom.jsonl' ORDER BY id", [(1,), (2,)])
    semi = [("1", "Anna", "1,50"), ("2", "Bert", "2,75")]
    answer = c.sql("SELECT * FROM 'data/semi.csv'")
    c.hold(answer.rows == semi or answer.code != 0 and "delimiter" in answer.err, "semicolons are found or asked for", answer)
    answer = c.sql("CREATE EXTERNAL TABLE s STORED AS CSV LOCATION 'data/semi.csv' OPTIONS ('format.delimiter' ';', 'format.has_header' 'true'); SELECT * FROM s")
    c.hold(answer.code == 0 and answer.rows[-2:] == semi, "the delimiter is given", answer)
    answer = c.sql("SELECT * FROM 'data/latin1.csv'")
    c.hold(answer.rows == [("1", "José"), ("2", "Müller")] or answer.code != 0 and re.search(r"latin1\.csv.*(line 2|:2)", answer.err, re.S)
           and "encoding" in answer.err, "Latin-1 is read or named", answer)
    c.rows("SELECT * FROM read_csv('data/latin1.csv', encoding => 'latin1')", [(1, "José"), (2, "Müller")])
    c.rows_or_error("SELECT * FROM 'data/utf16.csv'", [(1, "Alice")], "utf16.csv", "encoding|UTF-16")
    c.rows("SELECT text, length(text) FROM 'data/bom.txt'", [("hello", 5)])


@case("engine/csv-quoted-newlines-large")
def csv_quoted_newlines(c):
    c.rows("SELECT count(*), sum(value) FROM 'data/small.csv'", [(2, 123)])
    for threads in (1, 2, 7, 8):
        c.rows("SELECT count(*), sum(id), sum(n) FROM 'data/big.csv'", [(150000, 11249925000, 22499850000)], "--threads", threads)


@case("engine/csv-ragged-and-folder-of-csv")
def csv_ragged(c):
    c.rows_or_error("SELECT id, name, city FROM 'data/years/*.csv' ORDER BY id", [(1, "a", ""), (2, "b", ""), (3, "c", "Rome")], "2025.csv|2024.csv")
    c.rows("SELECT id, name FROM 'data/order/*.csv' ORDER BY id", [(1, "alpha"), (2, "beta")])
    c.rows("SELECT first, last FROM 'data/order2/*.csv' ORDER BY first", [("Ada", "Lovelace"), ("Alan", "Turing")])
    c.rows("SELECT height, weight FROM 'data/rename/*.csv' ORDER BY height", [(170, 70), (180, 80)])
    c.rows_or_error("SELECT * FROM 'data/short.csv' ORDER BY a", [(1, 2, 3), (4, 5, ""), (6, 7, 8)], "short.csv", "line 3|:3")
    c.error("SELECT * FROM 'data/long.csv'", "long.csv", "line 3|:3")
    for file in ("empty", "headeronly"):
        answer = c.sql(f"SELECT count(*) FROM 'data/{file}.csv'")
        c.hold(answer.code == 0 and answer.rows == [("0",)] or answer.code != 0 and f"{file}.csv" in answer.err, f"{file}.csv", answer)
    c.rows("SELECT * FROM 'data/blanklines.csv' ORDER BY a", [(1, 2), (3, 4)])


@case("engine/json-type-conflicts")
def json_type_conflicts(c):
    c.rows_or_error("SELECT sum(x) FROM 'data/float_late.jsonl'", [("3005.7",)], "float_late", "3001")
    late = "SELECT x FROM 'data/{}.jsonl' WHERE id >= 2999 ORDER BY id"
    c.rows_or_error(late.format("text_late"), [(1,), ("abc",)], "text_late", "3001")
    answer = c.sql(late.format("numtext_late"))
    c.hold(answer.rows == [("1",), ("42",)] or answer.code != 0 and "numtext_late" in answer.err, "a number in quotes, late", answer)
    c.rows(late.format("null_first"), [("",), ("late",)])
    c.rows_or_error("SELECT extra FROM 'data/new_key_late.jsonl' WHERE id = 3000", [("late",)], "new_key_late", "3001")
    for file in ("mixed", "mixed2"):
        answer = c.sql(f"SELECT a FROM 'data/{file}.jsonl'")
        c.hold(answer.code == 0 and len(answer.rows) == 2 and answer.rows[0] == ("1",) or answer.code != 0 and f"{file}.jsonl" in answer.err, file, answer)
    c.rows_or_error("SELECT a FROM 'data/bigint.jsonl'", [("18446744073709551615",), (1,)], "bigint.jsonl", "18446744073709551615")
    answer = c.sql("SELECT a FROM 'data/big53.jsonl'")
    c.hold(answer.code != 0 or answer.rows[0][0] in ("9007199254740993", "9007199254740993.0", "9.007199254740992e15", "9007199254740992.0"), "2^53 + 1", answer)
    answer = c.sql("SELECT t FROM 'data/dates.jsonl'")
    c.hold(answer.code == 0 and answer.rows[0][0].startswith("2024-01-01T00:00:00"), "a date", answer)
    c.rows("SELECT a FROM 'data/blank.jsonl' ORDER BY a", [(1,), (2,)])
    c.rows("SELECT count(*), count(\"userId\") FROM 'data/two/*.jsonl'", [(3, 1)])
    c.rows("SELECT a FROM 'data/arr.json' ORDER BY a", [(1,), (2,)])
    c.rows_or_error("SELECT a FROM 'data/one.json'", [(1,)], "one.json")
    c.error("SELECT * FROM 'data/broken.jsonl'", "broken.jsonl", "line [23]|:[23]")


@case("engine/one-bad-json-row")
def one_bad_json_row(c):
    for file in ("surrogate", "latin", "cut", "notjson", "array", "nan", "nul"):
        c.error(f"SELECT count(*), max(id) FROM 'data/{file}.jsonl'", f"{file}.jsonl", "line 51|:51")
        answer = c.rows(f"SELECT count(*), max(id) FROM read_json('data/{file}.jsonl', on_error => 'skip')", [(100, 99)])
        c.hold("1" in answer.err and re.search("reject|skip|left out", answer.err), f"{file}: the skipped row is told", answer)
        c.rows(f"SELECT line FROM read_rejects('data/{file}.jsonl')", [(51,)])
    c.rows_or_error("SELECT count(*), max(id) FROM 'data/two.jsonl'", [(102, 1001)], "two.jsonl", "line 51|:51")
    answer = c.sql("SELECT count(*), max(id) FROM 'data/null.jsonl'")
    c.hold(answer.rows in ([("100", "99")], [("101", "99")]) or "null.jsonl" in answer.err, "a line that is null", answer)
    answer = c.sql("CREATE EXTERNAL TABLE t STORED AS JSON LOCATION 'data/cut.jsonl' OPTIONS ('format.on_error' 'skip'); SELECT count(*) FROM t")
    c.hold(answer.code == 0 and answer.rows[-1] == ("100",), "on_error of a table", answer)


@case("engine/more-than-2gib-of-text")
def more_than_2gib(c):
    for file in ("big.parquet", "big.jsonl.zst", "big.csv.zst"):
        c.rows(f"SELECT count(*), max(length(s)), min(id) FROM 'data/{file}'", [(2600, 7 + 12 * 87381, 0)], timeout=900)
        c.rows(f"SELECT count(*), count(DISTINCT s) FROM 'data/{file}'", [(2600, 1300)], timeout=900)
        c.rows(f"SELECT keep, count(*) FROM exact_dedup('data/{file}', text => s, id => id) GROUP BY keep ORDER BY keep", [("false", 1300), ("true", 1300)], timeout=900)
    table = "'data/big.parquet'"
    c.rows(f"SELECT count(*), max(length(s)), min(id) FROM {table} WHERE s LIKE '%ipsum lorem%'", [(2600, 7 + 12 * 87381, 0)], timeout=900)
    for statement, expected in (
        (f"SELECT count(*) FROM (SELECT s, id % 2 AS h, count(*) AS n FROM {table} GROUP BY 1, 2)", "2600"),
        (f"SELECT count(*) FROM {table} a JOIN {table} b ON a.s = b.s", "5200"),
        (f"SELECT array_length(array_agg(s)) FROM {table}", "2600"),
        (f"SELECT length(string_agg(s, ',')) FROM {table}", str(2600 * (7 + 12 * 87381) + 2599)),
        (f"SELECT count(*) FROM (SELECT repeat(s, 3) AS t FROM {table}) WHERE length(t) > 5", "2600"),
        (f"SELECT sum(length(t)) FROM (SELECT upper(s) AS t FROM {table})", str(2600 * (7 + 12 * 87381))),
    ):
        answer = c.sql(statement, timeout=900)
        c.hold(answer.code == 0 and answer.rows == [(expected,)] or answer.code != 0 and answer.err.strip() != "", statement, answer)
    c.rows(f"SELECT keep, count(*) FROM exact_dedup({table}, text => s, id => id) GROUP BY keep ORDER BY keep", [("false", 1300), ("true", 1300)],
           "--memory-limit", "1GB", timeout=900)
    c.rows(f"SELECT keep, count(*) FROM minhash_dedup((SELECT * FROM {table} WHERE id < 100), text => s, id => id) GROUP BY keep ORDER BY keep",
           [("false", 50), ("true", 50)], "--memory-limit", "2GB", timeout=900)
    for file in ("big.jsonl.zst", "big.csv.zst"):
        c.rows(f"SELECT count(*), max(length(s)), min(id) FROM 'data/{file}'", [(2600, 7 + 12 * 87381, 0)], "--batch-size", "256", timeout=900)


@case("text/csv-columns-in-another-order")
def csv_another_order(c):
    (c.folder / "sw").mkdir(exist_ok=True)
    (c.folder / "sw/a.csv").write_text("title,text\nalpha,one two\n")
    (c.folder / "sw/b.csv").write_text("text,title\nthree four,beta\n")
    c.rows("SELECT title, text FROM 'sw/*.csv' ORDER BY title", [("alpha", "one two"), ("beta", "three four")])


@case("text/csv-leading-zeros")
def csv_leading_zeros(c):
    answer = c.sql("SELECT id, zip FROM 'input.csv'")
    c.hold(answer.code == 0 and sorted(row[0] for row in answer.rows) == ["007", "08028", "12", "7"], "four ids as written", answer)
    c.hold("02138" in answer.out, "a quoted zip code", answer)
    c.rows("SELECT count(*) AS n FROM exact_dedup((SELECT * FROM 'input.csv'))", [(4,)])


@case("text/csv-line-feeds-in-quotes-large")
def csv_line_feeds(c):
    for threads in (1, 2, 8):
        c.rows("SELECT count(*) AS n, sum(id) AS s, min(regexp_count(text, E'\\n')) AS lo, max(regexp_count(text, E'\\n')) AS hi FROM 'big.csv'",
               [(30000, 449985000, 20, 20)], "--threads", threads)
    c.rows("SELECT count(*) AS n, sum(CASE WHEN keep THEN 1 ELSE 0 END) AS kept FROM exact_dedup((SELECT * FROM 'big.csv'))", [(30000, 30000)], "--threads", 8)


@case("text/csv-rows-depend-on-threads")
def csv_threads(c):
    for threads in (1, 2, 3, 8):
        c.rows("SELECT count(*), sum(id), sum(CASE WHEN id >= 900000 THEN 1 ELSE 0 END) FROM 'big.csv'", [(31200, 486704400, 0)], "--threads", threads)


@case("text/jsonl-with-bom")
def jsonl_bom(c):
    c.rows("SELECT id, text FROM 'bom.jsonl' ORDER BY id", [(1, "one"), (2, "two")])
    c.rows("SELECT count(*) FROM '{plain,bom}.jsonl'", [(4,)])
    subprocess.run(["gzip", "-kf", "bom.jsonl"], cwd=c.folder, check=True)
    c.rows("SELECT count(*) FROM 'bom.jsonl.gz'", [(2,)])


@case("text/key-first-seen-late")
def key_late(c):
    c.rows("SELECT count(*), count(note) FROM 'late.jsonl'", [(c.sql("SELECT count(*) FROM 'late.jsonl'").rows[0][0], 1)])
    answer = c.sql("SELECT count(*), count(extra) FROM 'two/*.jsonl'")
    c.hold(answer.code == 0 and int(answer.rows[0][1]) >= 1, "a key of the second file alone", answer)


@case("text/type-changes-late")
def type_late(c):
    answer = c.sql("SELECT id, v, arrow_typeof(v) AS t FROM 'early.jsonl' ORDER BY id")
    c.hold(answer.code == 0 and "Utf8" in answer.out or answer.code != 0 and re.search(r"\bv\b", answer.err), "mixed early is text", answer)
    answer = c.sql("SELECT v FROM 'float_late.jsonl' ORDER BY id DESC LIMIT 2")
    c.hold("1.5" in answer.out or answer.code != 0 and re.search(r"\bv\b", answer.err), "1.5 is 1.5", answer)
    answer = c.sql("SELECT v FROM 'text_late.jsonl' ORDER BY id DESC LIMIT 2")
    c.hold("abc" in answer.out or answer.code != 0 and re.search(r"\bv\b", answer.err), "text late", answer)
    answer = c.sql("SELECT id, arrow_typeof(id) AS t FROM 'ids.jsonl' ORDER BY id")
    c.hold(answer.code == 0 and "Utf8" in answer.out or answer.code != 0 and re.search(r"\bid\b", answer.err), "mixed ids", answer)


@case("text/unsigned-64-bit-ids-jsonl")
def unsigned_ids(c):
    ids = ["18446744073709551614", "18446744073709551615", "5"]
    answer = c.sql("SELECT id FROM 'input.jsonl'")
    c.hold(sorted(row[0] for row in answer.rows) == ids, "ids are exact", answer)
    answer = c.sql("SELECT id, keep FROM exact_dedup((SELECT * FROM 'input.jsonl')) ORDER BY id")
    c.hold(sorted(answer.rows) == [(i, "true") for i in ids], "ids are told apart", answer)
    answer = c.sql("CREATE EXTERNAL TABLE t (id BIGINT UNSIGNED, text VARCHAR) STORED AS JSON LOCATION 'input.jsonl'; SELECT id, keep FROM exact_dedup(t) ORDER BY id")
    c.hold(answer.code == 0 and all(i in answer.out for i in ids), "a table of the user's own types", answer)


@case("text/endings-it-does-not-know")
def endings(c):
    for file in ("x.jsonl.zstd", "x.jsonl.gzip", "x.arrow", "x.pq"):
        c.rows_or_error(f"SELECT count(*) FROM '{file}'", [(2,)], re.escape(file))


@case("text/names-that-say-gzip")
def names_gzip(c):
    for path in ("x.jsonl.gz",):
        (c.folder / path).unlink(missing_ok=True)
    shutil.rmtree(c.folder / "d", ignore_errors=True)
    gzip = lambda path: not path.exists() or path.is_file() and path.read_bytes()[:2] == b"\x1f\x8b"  # noqa: E731
    answer = c.run("sql", "-o", "x.jsonl.gz", "-c", "SELECT 1 AS a")
    c.hold(answer.code != 0 and not (c.folder / "x.jsonl.gz").exists() or answer.code == 0 and gzip(c.folder / "x.jsonl.gz"), "-o x.jsonl.gz", answer)
    if answer.code == 0:
        c.rows("SELECT * FROM 'x.jsonl.gz'", [(1,)])
    for statement, path in (("COPY (SELECT 1 AS a) TO 'd/y.jsonl.gz' STORED AS JSON", "d/y.jsonl.gz"), ("COPY (SELECT 1 AS a) TO 'd/z.jsonl.gz'", "d/z.jsonl.gz")):
        answer = c.sql(statement)
        c.hold(answer.code != 0 or gzip(c.folder / path), statement, answer)
        if answer.code == 0:
            c.rows(f"SELECT * FROM '{path}'", [(1,)])


@case("text/where-a-row-came-from")
def provenance(c):
    answer = c.sql("SELECT _file, _row, text FROM 'd/*.jsonl' ORDER BY _file, _row LIMIT 1")
    c.hold(answer.code == 0 and answer.rows[0][0].endswith(".jsonl"), "_file and _row", answer)
    seen = {c.sql("SELECT _row_id, text FROM 'd/*.jsonl' ORDER BY _row_id", "--threads", t).out for t in (1, 2, 8)}
    c.hold(len(seen) == 1 and "" not in seen, "_row_id is the same for any number of threads")
    seen = {"\n".join(sorted(c.sql("SELECT row_number() OVER () AS id, text FROM 'd/*.jsonl'", "--threads", t).out.splitlines())) for t in (1, 8)}
    c.hold(len(seen) == 1, "row_number() is the same for any number of threads")


# --- Parquet, folders, lakes ---------------------------------------------------------------------------------------------


@case("engine/delta-folder-read-as-parquet")
def delta_folder(c):
    for path in ("data/lake/orders", "data/lake/orders/*.parquet"):
        c.rows_or_error(f"SELECT count(*) FROM '{path}'", [(3,)], "delta")
    c.rows_or_error("SELECT id, x FROM 'data/lake/part' ORDER BY id", [(1, "A/A"), (2, "B B")], "delta")
    answer = c.sql("SELECT \"table\", kind, problem FROM lake_tables('data/lake')")
    c.hold(all(re.search(f"{name}.*delta", answer.out, re.I) for name in ("orders", "part")), "lake_tables names both as delta", answer)


@case("engine/duplicate-columns")
def duplicate_columns(c):
    for file in ("lake/joined.parquet", "dup.csv", "dup.jsonl"):
        answer = c.sql(f"SELECT * FROM 'data/{file}'")
        c.hold(answer.code == 0 and len(set(answer.names)) == 3 and "100" in answer.out or answer.code != 0 and "value" in answer.err, file, answer)
    for stage in ("", ", stage => 'bytes'"):
        answer = c.sql(f"SELECT child, parent, state FROM table_containment('data/lake'{stage})")
        bad = [row for row in answer.rows if "joined" in row[0] and "plain" in row[1]]
        c.hold(answer.code == 0 and not bad, f"joined is not contained in plain{stage}", answer)
    answer = c.run("lake", "plan", "data/lake", "--save", "data/plan.json")
    plan = c.folder / "data/plan.json"
    c.hold(not (plan.exists() and re.search(r'"(table|child|path)":\s*"[^"]*joined', plan.read_text())), "joined is not planned", answer)


@case("engine/hive-percent-and-null-folders")
def hive(c):
    c.rows("SELECT a.id FROM 'data/t' a JOIN 'data/lake/flat.parquet' b ON a.id = b.id WHERE a.p IS DISTINCT FROM b.p ORDER BY a.id", [])
    c.rows("SELECT count(*), count(p) FROM 'data/t'", [(18, 17)])
    c.rows("SELECT id FROM 'data/t' WHERE p IS NULL", [(12,)])
    c.rows("SELECT id FROM 'data/t' WHERE p = '/usr/bin'", [(2,)])
    c.rows("SELECT id FROM 'data/t' WHERE p = 'AC/DC'", [(0,)])
    c.rows("SELECT id FROM 'data/t' WHERE p = ''", [(11,)])
    answer = c.sql("SELECT child, parent, state, similarity FROM table_containment('data/lake', threshold => 0.1)")
    pairs = {(Path(row[0]).name.removesuffix(".parquet"), Path(row[1]).name.removesuffix(".parquet")) for row in answer.rows if row[3].startswith("1")}
    c.hold(answer.code == 0 and pairs >= {("t", "flat"), ("flat", "t")}, "t and flat hold the same rows", answer)


@case("engine/int96-lost-by-purge")
def int96_purge(c):
    query = "SELECT id, valid_to FROM 'data/lake/{}.parquet' ORDER BY id"
    before = {name: c.sql(query.format(name)) for name in ("half", "all")}
    c.hold(before["half"].code == 0 and "9999-12-31T02:00:00" in before["half"].out, "the year 9999 before", before["half"])
    plan = c.run("lake", "plan", "data/lake", "--save", "data/plan.json")
    if plan.code == 0 and (c.folder / "data/plan.json").exists():
        c.run("lake", "apply", "data/plan.json")
        purge = c.run("lake", "purge", "data/lake", "--yes")
        if purge.code != 0:
            c.run("lake", "purge", "data/lake")
        c.run("lake", "restore", "data/lake")
    for name in ("half", "all"):
        after = c.sql(query.format(name))
        c.hold(after.code == 0 and after.out == before[name].out, f"{name} as before", after)


@case("engine/int96-year-9999")
def int96_years(c):
    expected = "9999-12-31T02:00:00"
    for file in ("micros", "int96"):
        answer = c.sql(f"SELECT * FROM 'data/lake/{file}.parquet' ORDER BY id")
        c.hold(answer.code == 0 and answer.rows[0][1].startswith(expected) and answer.rows[2][1].startswith("0001-01-01"), file, answer)
        c.rows(f"SELECT count(*) FROM 'data/lake/{file}.parquet' WHERE ts > '2100-01-01'", [(1,)])
    answer = c.sql("SELECT child, parent, state FROM table_containment('data/lake')")
    c.hold(answer.code == 0 and any({"int96", "micros"} == {Path(row[0]).stem, Path(row[1]).stem} for row in answer.rows), "the same rows either way", answer)
    for stage in ("", ", stage => 'bytes'"):
        answer = c.sql(f"SELECT child, parent, state FROM table_containment('data/lake2'{stage})")
        c.hold(answer.code == 0 and not answer.rows, f"2000 and 2584 are not the same{stage}", answer)


@case("engine/pandas-index-column")
def pandas_index(c):
    answer = c.sql("SELECT child, parent, state FROM table_containment('data/lake')")
    pairs = {(Path(row[0]).stem, Path(row[1]).stem) for row in answer.rows}
    for pair in (("filtered_reset", "all"), ("indexed", "all"), ("all", "indexed"), ("filtered", "all")):
        c.hold(pair in pairs, f"{pair[0]} in {pair[1]}", answer)
    c.rows("SELECT count(*), sum(a) FROM 'data/dir/*.parquet'", [(8, 31)])


@case("engine/row-groups-of-zero-rows")
def zero_rows(c):
    for file, rows in (("mid", 2), ("empty", 0), ("nogroups", 0), ("fp_empty", 0), ("nocolumns", 0), ("allnull", 2)):
        if not (c.folder / f"data/{file}.parquet").exists():
            continue
        answer = c.sql(f"SELECT count(*) FROM 'data/{file}.parquet'")
        c.hold(answer.code == 0 and answer.rows == [(str(rows),)] or file == "nocolumns" and answer.code != 0 and file in answer.err, file, answer)
        answer = c.sql(f"SELECT * FROM 'data/{file}.parquet'")
        c.hold(answer.code == 0 or file == "nocolumns" and file in answer.err, f"* of {file}", answer)
    c.error("SELECT * FROM 'data/zero.parquet'", "zero.parquet")
    c.rows("SELECT x FROM 'data/dir/*.parquet' ORDER BY x", [("a",), ("b",)])
    answer = c.sql("SELECT \"table\", rows, problem FROM lake_tables('data')")
    c.hold(answer.code == 0 and "zero" in answer.out, "lake_tables", answer)
    c.rows("SELECT id, keep FROM exact_dedup((SELECT x AS text, row_number() OVER () AS id FROM 'data/empty.parquet'))", [])
    answer = c.sql("SELECT * FROM kmeans((SELECT 1 AS id, [1.0] AS embedding WHERE false), k => 2)")
    c.hold(answer.code == 0 and answer.rows == [] or answer.code != 0 and answer.err.strip() != "", "kmeans of nothing", answer)
    answer = c.sql("COPY (SELECT * FROM 'data/mid.parquet' WHERE x = 'zzz') TO 'data/out_empty.parquet'; SELECT count(*) AS n FROM 'data/out_empty.parquet'")
    c.hold(answer.code == 0 and answer.out.strip().endswith("0"), "COPY of no rows", answer)


@case("engine/symlinks")
def symlinks(c):
    answer = c.sql("SELECT count(*) FROM 'data/lake/**/*.parquet'", timeout=60)
    c.hold(answer.code == 0 and answer.rows in ([("3",)], [("6",)], [("12",)]) or "dangling" in answer.err, "a file is read once a name, without a loop", answer)
    answer = c.sql("SELECT child, parent, state FROM table_containment('data/lake2', stage => 'bytes')", timeout=60)
    c.hold(answer.code == 0 and not answer.rows, "a link is no copy", answer)
    c.run("lake", "plan", "data/lake2", "--save", "data/plan.json", timeout=60)
    if (c.folder / "data/plan.json").exists():
        c.run("lake", "apply", "data/plan.json", timeout=60)
    real = c.folder / "data/lake2/real.parquet"
    c.hold(real.is_file() and not real.is_symlink(), "real.parquet is where it was")
    for name in ("a_link", "z_link"):
        c.hold((c.folder / f"data/lake2/{name}.parquet").exists(), f"{name} still leads to its table")


# --- texts ---------------------------------------------------------------------------------------------------------------


def unchanged(c, same, redacted):
    """`pii_redact` leaves the rows of `same` and changes those of `redacted`."""
    answer = c.sql("SELECT id, text = pii_redact(text) AS same, pii_redact(text) AS redacted FROM 'input.jsonl' ORDER BY id")
    seen = {int(row[0]): row for row in answer.rows}
    for i in same:
        c.hold(i in seen and seen[i][1] == "true", f"row {i} stays: {seen.get(i)}")
    for i in redacted:
        c.hold(i in seen and seen[i][1] == "false", f"row {i} goes: {seen.get(i)}")


@case("text/mail-in-code-and-urls")
def mail(c):
    unchanged(c, range(3, 13), range(3))


@case("text/numbers-that-are-no-phones")
def phones(c):
    rows = [json.loads(line) for line in (c.folder / "input.jsonl").read_text().splitlines()]
    unchanged(c, [row["id"] for row in rows], [])


@case("text/versions-are-no-addresses")
def versions(c):
    unchanged(c, range(8), (8, 9))


@case("text/blank-lines-are-not-repeated-lines")
def blank_lines(c):
    answer = c.sql("SELECT id, q['duplicate_line_fraction'] AS dl, q['duplicate_paragraph_fraction'] AS dp FROM "
                   "(SELECT id, gopher_repetition(text) AS q FROM 'input.jsonl') ORDER BY id")
    c.hold(answer.code == 0 and all(float(row[1]) == 0 and float(row[2]) == 0 for row in answer.rows[:3]), "spaced texts repeat nothing", answer)
    c.hold(answer.code == 0 and float(answer.rows[3][1]) > 0, "a repeated paragraph does", answer)


@case("text/languages-it-does-not-know")
def languages(c):
    codes = {"isl": "is", "gle": "ga", "cym": "cy", "eus": "eu", "swa": "sw", "mlt": "mt", "sqi": "sq", "fil": "tl", "som": "so", "glg": "gl", "bos": "bs", "lao": "lo"}
    answer = c.sql("SELECT id, lang, l['code'] AS code, l['reliable'] AS r FROM (SELECT *, language(text) AS l FROM 'input.jsonl') ORDER BY id")
    wrong = [row for row in answer.rows if row[3] == "true" and row[2] not in (row[1], codes.get(row[1]))]
    c.hold(answer.code == 0 and not wrong, f"no row is reliable with a wrong code: {wrong}", answer)


@case("text/composed-and-decomposed")
def composed(c):
    options = "threshold => 0.7, ngram => 2"
    for source in ("SELECT * FROM 'input.jsonl'", "SELECT id, normalize_text(text) AS text FROM 'input.jsonl'"):
        answer = c.sql(f"SELECT id, keep, duplicate_of FROM minhash_dedup(({source}), {options}) ORDER BY id")
        c.hold([row[1:] for row in answer.rows] == [("true", ""), ("false", "0"), ("true", ""), ("false", "2"), ("true", ""), ("false", "4")], source, answer)


@case("text/vowel-signs-are-part-of-words")
def vowel_signs(c):
    answer = c.sql("SELECT word_shingles('की कि के कु', 1) AS hi, word_shingles('हिन्दी विकिपीडिया', 1) AS hi2")
    c.hold(answer.code == 0 and "कि" in answer.out and "हिन्दी" in answer.out, "words with their vowel signs", answer)
    answer = c.sql("SELECT a.id, b.id, jaccard(a.text, b.text, 1) AS j FROM 'input.jsonl' a JOIN 'input.jsonl' b ON a.lang = b.lang AND a.id < b.id ORDER BY 1")
    c.hold(answer.code == 0 and answer.rows and all(float(row[2]) < 1 for row in answer.rows), "texts that differ in vowels differ", answer)
    for threshold in (0.9, 1):
        answer = c.sql(f"SELECT id FROM minhash_dedup((SELECT * FROM 'input.jsonl'), threshold => {threshold}) WHERE NOT keep")
        c.hold(answer.code == 0 and not answer.rows, f"nothing is removed at {threshold}", answer)


@case("text/symbols-carry-meaning-in-code")
def symbols(c):
    for unit in ("char", "token"):
        answer = c.sql(f"SELECT id, keep FROM minhash_dedup((SELECT * FROM 'input.jsonl'), threshold => 1, unit => '{unit}') ORDER BY id")
        c.hold(answer.code == 0 and all(row[1] == "true" for row in answer.rows) and len(answer.rows) == 7, f"unit {unit} tells all apart", answer)
    answer = c.sql("SELECT keep, count(*) FROM exact_dedup((SELECT * FROM 'input.jsonl')) GROUP BY keep")
    c.hold(answer.rows == [("true", "7")], "exact_dedup keeps all", answer)


@case("text/other-languages-in-the-built-in-model")
def other_languages(c):
    answer = c.sql("SELECT lang, count(*) AS n, sum(CASE WHEN keep THEN 1 ELSE 0 END) AS kept FROM semantic_dedup("
                   "(SELECT id, lang, embed_text(text) AS embedding FROM 'input.jsonl'), threshold => 0.9) GROUP BY lang ORDER BY lang")
    c.hold(answer.code == 0 and answer.rows and all(row[1] == row[2] for row in answer.rows), "all five sentences of a language stay", answer)


# --- models --------------------------------------------------------------------------------------------------------------


def vector(answer):
    numbers = re.findall(r"-?\d+\.\d+(?:e-?\d+)?", answer.out)
    return [float(x) for x in numbers]


def near(a, b):
    return len(a) == len(b) and all(abs(x - y) < 1e-4 for x, y in zip(a, b))


@case("engine/onnx-external-data")
def external_data(c):
    env = {"LIMPID_MODELS": str(c.folder / "data/models")}
    expected = [json.loads(line) for line in (c.folder / "data/expected.txt").read_text().splitlines()]
    embed = "SELECT embed_text('the cat sat', model => '{}') AS e"
    for model in ("usual", "dotdata", "other", "sub"):
        c.hold(near(vector(c.sql(embed.format(f"./data/{model}"), env=env)), expected[0]), f"{model} in place", c.sql(embed.format(f"./data/{model}"), env=env))
        added = c.run("models", "add", f"data/{model}", env=env)
        c.hold(added.code == 0, f"models add {model}", added)
        answer = c.sql(embed.format(model), env=env)
        c.hold(near(vector(answer), expected[0]), f"{model} when added", answer)
    answer = c.sql(embed.format("./data/missing"), env=env)
    c.hold(answer.code != 0 and "model.onnx_data" in answer.err, "missing weights are named", answer)
    cached = "SELECT embedding FROM embed((SELECT 1 AS id, 'the cat sat' AS text), model => './data/other2', cache => 'data/cache')"
    c.hold(near(vector(c.sql(cached, env=env)), expected[0]), "before the weights change")
    shutil.copy(c.folder / "data/new_weights.bin", c.folder / "data/other2/weights.bin")
    answer = c.sql(cached, env=env)
    c.hold(near(vector(answer), expected[1]), "after the weights changed the cache is not asked", answer)
    weights = c.folder / "data/models/other/weights.bin"
    if weights.exists():
        data = bytearray(weights.read_bytes())
        data[3] ^= 0x7F
        weights.chmod(0o644)
        weights.write_bytes(bytes(data))
    answer = c.run("models", "verify", env=env)
    c.hold(answer.code != 0 and "other" in answer.out + answer.err, "verify reports flipped weights", answer)


@case("engine/sentence-transformers-modules-and-prefix")
def sentence_transformers(c):
    env = {"LIMPID_MODELS": str(c.folder / "data/models")}
    made = subprocess.run([sys.executable, "make.py"], cwd=c.folder, capture_output=True, text=True).stdout
    expected = {line.split(" ", 1)[0]: json.loads(line.split(" ", 1)[1]) for line in made.splitlines() if line.split(" ")[0] in ("cls", "mean", "prefixed")}
    answer = c.sql("SELECT embed_text('the cat', model => './data/prefixed') AS e", env=env)
    c.hold(near(vector(answer), expected["prefixed"]), "the prefix of model.toml", answer)
    for model in ("bge", "flat"):
        added = c.run("models", "add", f"data/{model}", env=env)
        if added.code == 0:
            answer = c.sql(f"SELECT embed_text('the cat', model => '{model}') AS e", env=env)
            c.hold(near(vector(answer), expected["cls"]) or answer.code != 0, f"{model} is pooled as its folder says", answer)
        else:
            c.hold(re.search("pool|prompt|max_seq|module", added.err, re.I), f"{model} is refused by name", added)


# --- memory and jobs -----------------------------------------------------------------------------------------------------


@case("engine/sort-and-dedup-in-little-memory")
def little_memory(c):
    limit, table = ("--memory-limit", "64MB"), "'data/t.parquet'"
    for statement, expected in (
        (f"SELECT count(*) FROM (SELECT *, row_number() OVER (ORDER BY text, id) AS r FROM {table})", [("400000",)]),
        (f"COPY (SELECT * FROM {table} ORDER BY label, text DESC) TO 'data/sorted.parquet'", None),
        (f"SELECT count(*) FROM exact_dedup({table})", [("400000",)]),
        (f"SELECT sum(n) FROM (SELECT text, count(*) AS n FROM {table} GROUP BY text)", [("400000",)]),
        (f"SELECT count(*) FROM {table} a JOIN {table} b ON a.text = b.text AND a.id < b.id", None),
    ):
        answer = c.sql(statement, *limit, timeout=600)
        c.hold(answer.code == 0 and (expected is None or answer.rows == expected), statement, answer)
        c.hold(answer.peak <= 64 + 150, f"{statement}: peak {answer.peak:.0f} MiB")


@case("engine/job-sees-changed-inputs")
def changed_inputs(c):
    out = c.folder / "out/clean"
    rows = lambda: sum(len(f.read_text().splitlines()) for f in out.glob("part-*"))  # noqa: E731
    job = lambda: c.run("run", "-q", "job.yaml")  # noqa: E731
    text = lambda word: sum(f.read_text().count(word) for f in out.glob("part-*"))  # noqa: E731
    first = job()
    c.hold(first.code == 0 and rows() == 17, "first run: 17 rows", first)
    import pyarrow as pa
    import pyarrow.parquet as pq
    pq.write_table(pa.table({"id": list(range(10))}), c.folder / "data/block.parquet")
    c.hold(job().code == 0 and rows() == 10, f"the blocklist grew: {rows()} rows of 10")
    source, kept = c.folder / "data/src/a.jsonl", (c.folder / "data/src/a.jsonl").stat()
    times = (kept.st_atime_ns, kept.st_mtime_ns)
    new = c.folder / "data/new"
    new.write_text(source.read_text().replace("row number 15", "ROW NUMBER 15"))
    os.utime(new, ns=times)
    new.replace(source)
    c.hold(job().code == 0 and text("ROW NUMBER") == 1, f"same size and time, new inode: {text('ROW NUMBER')}")
    changed = source.read_text().replace("row number 16", "ROW NUMBER 16")
    with open(source, "r+") as file:
        file.write(changed)
    os.utime(source, ns=times)
    c.hold(job().code == 0 and text("ROW NUMBER") == 2, f"same size, time and inode: {text('ROW NUMBER')}")
    late = c.folder / "data/src/b.jsonl"
    late.write_text('{"id": 100, "source": "web", "text": "a late row"}\n')
    c.hold(job().code == 0 and rows() == 11, f"a file more: {rows()} rows of 11")
    late.unlink()
    c.hold(job().code == 0 and rows() == 10, f"a file less: {rows()} rows of 10")
    (out / "note.txt").write_text("hello\n")
    answer = job()
    c.hold((out / "note.txt").exists(), "a user's file at the sink stays", answer)
    (out / "note.txt").unlink(missing_ok=True)
    before = sorted((f.name, f.read_text()) for f in out.glob("part-*"))
    original = (c.folder / "job.yaml").read_text()
    for old, changed, word in (("length(text) > 3", "length(text) > x3", "x3"), ("\nid: id", "\nid: idd", "idd"), ("\nwork", "\nwrok", "wrok"),
                               ("data/src/*.jsonl", "data/nothing/*.jsonl", "nothing")):
        (c.folder / "job.yaml").write_text(original.replace(old, changed))
        answer = job()
        c.hold(answer.code != 0 and word in answer.err, f"{changed.strip()} is named", answer)
        c.hold(sorted((f.name, f.read_text()) for f in out.glob("part-*")) == before, f"{changed.strip()}: the old sink stays")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limpid", default="limpid", help="the binary")
    parser.add_argument("--cases", default=os.environ.get("LIMPID_CASES", "cases"), help="the folder of cases")
    parser.add_argument("--only", default="", help="only the cases whose name holds this")
    parser.add_argument("--timeout", type=float, default=240, help="seconds one command may take")
    parser.add_argument("--all", action="store_true", help="also the cases that write gigabytes")
    arguments = parser.parse_args()
    cases = Path(arguments.cases).resolve()
    if not cases.is_dir():
        print(f"skipped: there is no folder of cases at {cases} (--cases FOLDER or LIMPID_CASES)")
        return 0
    limpid = shutil.which(arguments.limpid) or str(Path(arguments.limpid).resolve())
    limpid = str(Path(limpid).resolve())
    found = sorted(str(path.parent.relative_to(cases)) for path in cases.glob("*/*/case.md"))
    unknown = [name for name in found if name not in CASES]
    library = next(Path(sys.prefix).glob("lib/python*/site-packages/onnxruntime/capi/libonnxruntime.so*"), None)
    if library and "ORT_DYLIB_PATH" not in os.environ:
        os.environ["ORT_DYLIB_PATH"] = str(library)
    bad, skipped = [], 0
    for name in found:
        if arguments.only not in name or name in unknown:
            skipped += name not in unknown
            continue
        if name == "engine/more-than-2gib-of-text" and not arguments.all:
            print(f"{name:50} skipped: writes gigabytes, ask with --all", flush=True)
            skipped += 1
            continue
        start = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="limpid-case-") as folder:
            copy = Path(folder) / "case"
            shutil.copytree(cases / name, copy, symlinks=True)
            subprocess.run(["chmod", "-R", "u+w", copy], check=True)
            checks = Case(limpid, copy, arguments.timeout)
            try:
                if (copy / "make.py").exists():
                    subprocess.run([sys.executable, "make.py"], cwd=copy, check=True, capture_output=True)
                CASES[name](checks)
            except subprocess.CalledProcessError as e:
                checks.fail(f"make.py: {e.stderr.decode()[-300:]}")
            except (subprocess.TimeoutExpired, IndexError, KeyError, ValueError, OSError) as e:
                checks.fail(f"{type(e).__name__}: {e}")
        state = "right" if not checks.wrong else f"WRONG: {len(checks.wrong)}"
        print(f"{name:50} {state:9} of {checks.count:3} checks, {time.monotonic() - start:5.1f} s", flush=True)
        for what in checks.wrong:
            print(f"    {what}", flush=True)
        bad += [name] if checks.wrong else []
    bad += unknown
    for name in unknown:
        print(f"{name:50} has no check here")
    print(f"\n{len(found) - len(bad) - skipped} of {len(found)} cases right, {len(bad)} wrong, {skipped} skipped")
    return min(len(bad), 100)


if __name__ == "__main__":
    sys.exit(main())
