"""Which tables are contained in which, by trying all pairs: values as Python compares them, rows as tuples, sets and counts.

Shares no code and no engine with what it checks. Types: "widen" (numbers by exact value, dates as midnights), "strict" (one type),
"text" (values as text) and "parsed" (and texts that write numbers, times or truth values as these).
"""

import datetime
import re
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")
MOMENT = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2})(:[0-9]{2})?(\.[0-9]+)?(Z|z|[+]00|[+]00:00|[+]0000|-00:00| UTC)?")
CLOCK = re.compile(r"([0-9]{2}:[0-9]{2})(:[0-9]{2})?(\.[0-9]+)?")
WORDS = {
    **{word: "true" for word in ("true", "True", "TRUE")},
    **{word: "false" for word in ("false", "False", "FALSE")},
    **{word: "NaN" for word in ("nan", "NaN", "-nan", "-NaN")},
    **{word: "inf" for word in ("inf", "Infinity", "infinity")},
    **{word: "-inf" for word in ("-inf", "-Infinity", "-infinity")},
}


def plain(number):
    """A decimal without exponent and trailing zeros."""
    text = format(number, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def clock(whole, seconds, fraction):
    fraction = (fraction or "").rstrip("0").rstrip(".")
    return whole + (seconds or ":00") + fraction


def parsed(text):
    if text in WORDS:
        return WORDS[text]
    if NUMBER.fullmatch(text):
        return plain(Decimal(text))
    if moment := MOMENT.fullmatch(text):
        date, whole, seconds, fraction, zone = moment.groups()
        of_day = clock(whole, seconds, fraction)
        return date if of_day == "00:00:00" and not zone else f"{date} {of_day}{'Z' if zone else ''}"
    if moment := CLOCK.fullmatch(text):
        return clock(*moment.groups())
    return text


def moment_text(nanoseconds, zone):
    days, of_day = divmod(nanoseconds, 86_400_000_000_000)
    date = (datetime.date(1970, 1, 1) + datetime.timedelta(days=days)).isoformat()
    if of_day == 0 and not zone:
        return date
    seconds, fraction = divmod(of_day, 1_000_000_000)
    shown = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    if fraction:
        shown += "." + f"{fraction:09}".rstrip("0")
    return f"{date} {shown}{'Z' if zone else ''}"


def number_text(value, types):
    if isinstance(value, float):
        if value != value:
            return "NaN"
        if value in (float("inf"), float("-inf")):
            return "inf" if value > 0 else "-inf"
        whole = value.is_integer() and abs(value) < (2**53 if types == "parsed" else 2**127)
        return str(int(value)) if whole else plain(Decimal(repr(value)))
    return plain(value) if isinstance(value, Decimal) else str(value)


def convert(array, types):
    """The values of a column."""
    t = array.type
    if pa.types.is_dictionary(t):
        return convert(array.cast(t.value_type), types)
    if pa.types.is_timestamp(t) or pa.types.is_date(t):
        zone = pa.types.is_timestamp(t) and t.tz is not None
        unit = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}[t.unit] if pa.types.is_timestamp(t) else 86_400 * 10**9
        if pa.types.is_date64(t):
            array, unit = array.cast(pa.date32()), 86_400 * 10**9
        whole = array.cast(pa.int32()) if pa.types.is_date(array.type) else array.cast(pa.int64())
        values = [None if v is None else v * unit for v in whole.to_pylist()]
        if types in ("text", "parsed"):
            return [None if v is None else moment_text(v, zone) for v in values]
        return [None if v is None else ("instant" if zone else "local", v) for v in values]
    values = array.to_pylist()
    as_text = types in ("text", "parsed")
    if pa.types.is_boolean(t):
        return [None if v is None else (("false", "true")[v] if as_text else ("boolean", v)) for v in values]
    if pa.types.is_integer(t) or pa.types.is_floating(t) or pa.types.is_decimal(t):
        if as_text:
            return [None if v is None else number_text(v, types) for v in values]
        return [None if v is None else ("number", "NaN" if v != v else v) for v in values]
    if pa.types.is_string(t) or pa.types.is_large_string(t):
        if types == "parsed":
            return [None if v is None else parsed(v) for v in values]
        return values if as_text else [None if v is None else ("text", v) for v in values]
    return [None if v is None else ("other", str(t), repr(v)) for v in values]


def leaves(name, array, types):
    """The columns of a column: structs are taken apart."""
    if pa.types.is_struct(array.type):
        array = array.combine_chunks()
        array = array.chunk(0) if isinstance(array, pa.ChunkedArray) else array
        for field, inner in zip(array.type, array.flatten()):
            yield from leaves(f"{name}.{field.name}", inner, types)
    else:
        t = array.type
        t = t.value_type if pa.types.is_dictionary(t) else t
        yield name.lower(), str(t).replace("large_", ""), convert(array, types)


class Lake:
    """The tables below a folder, their values as numbers: equal ones for equal values."""

    def __init__(self, url, names, types):
        self.types, numbers = types, {}
        self.columns, self.kinds, self.rows = {}, {}, {}
        for name in names:
            path = Path(url) / name
            files = [path] if path.is_file() else sorted(path.glob("*.parquet"))
            table = pa.concat_tables([pq.ParquetFile(file).read() for file in files])
            columns, kinds = {}, {}
            for column, array in zip(table.column_names, table.columns):
                for leaf, kind, values in leaves(column.lstrip("\ufeff"), array, types):
                    columns[leaf] = np.fromiter((numbers.setdefault(v, len(numbers)) for v in values), np.int32, len(values))
                    kinds[leaf] = kind
            self.columns[name], self.kinds[name], self.rows[name] = columns, kinds, table.num_rows

    def pairs(self):
        """Pairs whose child's columns are all in the parent: by children's columns."""
        holders = defaultdict(set)
        key = lambda name, column: (column, self.kinds[name][column] if self.types == "strict" else "")
        for name in self.columns:
            for column in self.columns[name]:
                holders[key(name, column)].add(name)
        found = defaultdict(list)
        for child in self.columns:
            if self.rows[child]:
                parents = set.intersection(*(holders[key(child, column)] for column in self.columns[child]))
                kept = sorted(parent for parent in parents if parent != child and self.rows[parent])
                found[tuple(sorted(self.columns[child]))].append((child, kept))
        return found

    def of(self, table, names):
        """The rows over some columns."""
        matrix = np.ascontiguousarray(np.stack([self.columns[table][name] for name in names], axis=1))
        return matrix.view(f"V{4 * len(names)}").ravel().tolist()

    def containment(self, rows, least=1.0):
        """The share of the child's rows in the parent, where it is `least` or more; and how many pairs were compared.

        Rows count as sets, as multisets, or "each" on its own: whether a row of the child is in the parent at all.
        """
        found, compared = {}, 0
        for names, children in self.pairs().items():
            known = {}
            for child, parents in children:
                for table in [child, *parents]:
                    if table not in known:
                        all_rows = self.of(table, names)
                        known[table] = frozenset(all_rows) if rows == "set" else Counter(all_rows)
                ours = known[child]
                for parent in parents:
                    compared += 1
                    theirs = known[parent]
                    if least >= 1.0:
                        whole = ours <= theirs if rows == "set" else all(theirs[row] >= n for row, n in ours.items())
                        if whole:
                            found[child, parent] = 1.0
                        continue
                    if rows == "set":
                        share = len(ours & theirs) / len(ours)
                    elif rows == "each":
                        share = sum(n for row, n in ours.items() if row in theirs) / self.rows[child]
                    else:
                        share = sum(min(n, theirs[row]) for row, n in ours.items()) / self.rows[child]
                    if share >= least:
                        found[child, parent] = share
        return found, compared
