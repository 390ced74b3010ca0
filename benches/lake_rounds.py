#!/usr/bin/env python3
"""Random rounds of `limpid lake plan`, `apply`, `purge` and `restore` over hostile lakes; no table may be lost or changed.

  lake_rounds.py FOLDER [ROUNDS] [SEED]

Each round makes a small lake: a parent of several files or one, extracts of it (ranges, samples, repeated rows, other orders,
fewer columns), and what must stay: INT96 timestamps, -0.0 and NaNs of other bits, columns of one name, fields of a struct of one
name, columns with dots, symbolic and hard links, an index of pandas. A copy is kept outside. While tables are set aside, and once
they are purged, the parent is appended to, compacted, moved or deleted, and commands are killed with SIGKILL. In some rounds a
larger table then takes in the parent, and a second plan is carried out, by which the parent may go, too, unless others are rebuilt
from it. At the end everything is restored, and the stored values of every table, their order, the schema and the metadata are
compared with the copy. A table whose rows the round itself deleted everywhere is counted as gone if `restore` names it, and as lost
if not.

Needs `pip install pyarrow`; LIMPID names the program (default target/release/limpid). Ends with 1 if anything was lost.
"""

import hashlib
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

LIMPID = os.path.abspath(os.environ.get("LIMPID", "target/release/limpid"))
NAN = struct.unpack("<d", struct.pack("<Q", 0x7FF8_0000_0000_0BAD))[0]


# Seconds that a command takes, so that kills hit all of it.
TAKES = {}


def limpid(*args):
    begin = time.monotonic()
    done = subprocess.run([LIMPID, "-q", "lake", *map(str, args)], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    TAKES[args[0]] = 0.9 * TAKES.get(args[0], 0.1) + 0.1 * (time.monotonic() - begin)
    return done


# Columns of other types.
MORE = ["single", "half", "shares", "price", "raw", "fixed", "word", "large", "tags", "nanos", "day", "clock", "yes"]

# Names of tables that must never go.
STAY = ("hard", "link", "int96", "twice", "dotted", "indexed", "fields")


def bits(column):
    """Values as they are stored: floats by their bits, timestamps by their numbers, what is nested level by level."""
    kind = column.type
    valid = column.is_valid().to_pylist()
    if pa.types.is_floating(kind):
        whole = {16: np.int16, 32: np.int32, 64: np.int64}[kind.bit_width]
        return list(zip(column.fill_null(0).to_numpy(zero_copy_only=False).view(whole).tolist(), valid))
    if pa.types.is_timestamp(kind):
        return column.cast(pa.int64()).to_pylist()
    if pa.types.is_struct(kind):
        return valid, [bits(part) for part in column.flatten()]
    if pa.types.is_map(kind):
        entries = pa.StructArray.from_arrays([column.keys, column.items], names=["key", "value"])
        return valid, np.diff(column.offsets.to_numpy()).tolist(), bits(entries)
    if pa.types.is_list(kind):
        return valid, pc.list_value_length(column).to_pylist(), bits(column.flatten())
    if pa.types.is_dictionary(kind):
        return column.dictionary_decode().to_pylist()
    return column.to_pylist()


def content(path):
    """Everything that a file stores."""
    if path.name.startswith(STAY):
        # Whatever is in it, nobody may write it anew.
        return hashlib.sha256(path.read_bytes()).hexdigest()
    file = pq.ParquetFile(path, coerce_int96_timestamp_unit="us")
    table = file.read()
    columns = [bits(table.column(at).combine_chunks()) for at in range(table.num_columns)]
    metadata = {key: value for key, value in (file.metadata.metadata or {}).items() if key != b"ARROW:schema"}
    stored = [(column.path, column.physical_type, str(column.logical_type)) for column in map(file.schema.column, range(len(file.schema)))]
    return table.schema.remove_metadata(), columns, metadata, stored, table.num_rows


def tables(lake):
    found = {}
    for path in sorted(lake.rglob("*.parquet")):
        name = path.relative_to(lake)
        if name.parts[0] != "_limpid":
            found[str(name)] = path
    return found


class Round:
    def __init__(self, rng, folder, counts):
        self.rng, self.folder, self.counts = rng, folder, counts
        self.lake, self.copy = folder / "lake", folder / "copy"
        for path in (self.lake, self.copy):
            shutil.rmtree(path, ignore_errors=True)
            path.mkdir(parents=True)
        self.size = rng.randrange(40, 200)
        self.int96, self.children, self.log = False, [], []

    def did(self, what):
        self.counts[what] += 1
        self.log.append(what)

    def frame(self, ids):
        """Rows of these numbers; a row's values depend on its number alone."""
        ids = [int(number) for number in ids]
        floats = np.array([{0: -0.0, 1: 0.0, 2: NAN, 3: float("nan")}.get(n % 11, n / 7) for n in ids], dtype=np.float64)
        start = datetime(1, 1, 1) if self.far else datetime(2020, 1, 1)
        days = [start + timedelta(days=n * (6000 if self.far else 1), microseconds=n) for n in ids]
        columns = {
            "id": pa.array(ids, pa.int64()),
            "text": pa.array([None if n % 9 == 0 else f"it's {n % 13} \u00e9" for n in ids], pa.string()),
            "share": pa.array(floats, from_pandas=False),
            "at": pa.array(days, pa.timestamp("us")),
            "a.b": pa.array([n % 3 for n in ids], pa.int32()),
            "single": pa.array(floats.astype(np.float32).view(np.int32) + np.array([n % 2 if n % 11 in (2, 3) else 0 for n in ids], np.int32)).view(pa.float32()),
            "half": pa.array(np.array([-0.0 if n % 5 == 0 else n % 50 for n in ids], np.float16)),
            "shares": pa.array([None if n % 8 == 0 else [-0.0, float(n), None][: n % 4] for n in ids], pa.list_(pa.float64())),
            "price": pa.array([Decimal(n * 7 - 50) / 100 for n in ids], pa.decimal128(20, 2)),
            "raw": pa.array([None if n % 6 == 0 else bytes([n % 256, 0, 255]) for n in ids], pa.binary()),
            "fixed": pa.array([bytes([n % 256] * 5) for n in ids], pa.binary(5)),
            "word": pa.array([f"w{n % 4}" for n in ids]).dictionary_encode(),
            "large": pa.array([2**64 - 1 - n for n in ids], pa.uint64()),
            "tags": pa.array([[(f"k{n % 3}", n)] * (n % 3) for n in ids], pa.map_(pa.string(), pa.int64())),
            "nanos": pa.array([n * 1_000_000_001 for n in ids], pa.timestamp("ns", tz="Europe/Berlin")),
            "day": pa.array([n * 40 - 3000 for n in ids], pa.date32()),
            "clock": pa.array([n * 1_000_003 for n in ids], pa.time64("us")),
            "yes": pa.array([None if n % 7 == 0 else n % 2 == 0 for n in ids]),
            "s": pa.array([None if n % 17 == 0 else {"x": n % 5, "y": str(n % 4)} for n in ids], pa.struct([("x", pa.int64()), ("y", pa.string())])),
        }
        return pa.table({name: columns[name] for name in self.columns})

    def write(self, name, table, **options):
        path = self.lake / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path, row_group_size=self.rng.choice([7, 50, 1000]), **options)
        return path

    def make(self):
        rng, n = self.rng, self.size
        self.far = rng.random() < 0.3
        self.columns = ["id"] + rng.sample(["text", "share", "at", "a.b", "s"], rng.randrange(2, 6))
        self.columns += rng.sample(MORE, rng.choice([0, 0, 2, 5]))
        options = {"use_deprecated_int96_timestamps": True} if rng.random() < 0.15 and "at" in self.columns else {}
        if options:
            self.did("int96 parent")
        cuts = sorted(rng.sample(range(1, n), rng.choice([0, 1, 2, 3])))
        bounds = list(zip([0, *cuts], [*cuts, n]))
        if len(bounds) == 1 and rng.random() < 0.7:
            self.parent, names = "all.parquet", ["all.parquet"]
        else:
            self.parent, names = "all", [f"all/part-{at * 10 + 5:03}.parquet" for at in range(len(bounds))]
        for name, (low, high) in zip(names, bounds):
            self.write(name, self.frame(range(low, high)), **options)
        for number in range(rng.randrange(2, 5)):
            low = rng.randrange(n - 5)
            high = rng.randrange(low + 1, n)
            kind = rng.choice(["range", "sample", "mixed", "repeated", "whole", "narrow", "zeros", "meta"])
            ids = {"sample": sorted(rng.sample(range(n), min(n, 20))), "mixed": rng.sample(range(n), n // 2), "whole": range(n)}.get(kind, range(low, high))
            table = self.frame(ids)
            if kind == "repeated":
                # Both repeat the row, or a multiset would not be contained.
                table = self.frame([low, high, low + 1])
            if kind == "narrow":
                table = table.select(rng.sample(self.columns, 2))
            if kind == "zeros" and "share" in self.columns:
                at = table.schema.get_field_index("share")
                flipped = pa.array([-x if x == 0 else x for x in table.column(at).to_pylist()], pa.float64(), from_pandas=False)
                table = table.set_column(at, "share", flipped)
            if kind == "meta":
                fields = [field.with_metadata({"unit": "m"}) for field in table.schema]
                table = table.cast(pa.schema(fields)).replace_schema_metadata({"owner": "me", "pandas": "{}"})
            self.did(f"child {kind}")
            self.write(f"child-{number}.parquet", table)
        if rng.random() < 0.4 and "at" in self.columns:
            self.did("int96 child")
            table = self.frame(range(n // 2))
            self.write("int96.parquet", table, use_deprecated_int96_timestamps=True)
        if rng.random() < 0.4:
            self.did("duplicate names")
            table = self.frame(range(10))
            self.write("twice.parquet", pa.Table.from_arrays([*table.columns, pa.array(range(10))], names=[*table.column_names, "id"]))
        if rng.random() < 0.3:
            self.did("duplicate fields of a struct")
            numbers = pa.array(range(10))
            twins = pa.StructArray.from_arrays([numbers, numbers], fields=[pa.field("x", numbers.type)] * 2)
            table = self.frame(range(10)).select(["id"])
            self.write("fields.parquet", table.append_column("pair", twins))
            self.write("fields-too.parquet", table.append_column("pair", twins).slice(2, 5))
        if rng.random() < 0.3:
            self.did("dotted names")
            table = self.frame(range(10)).select(["id"])
            self.write("dotted.parquet", table.append_column("q.r", pa.array(range(10))).append_column("q", pa.array([{"r": 1}] * 10)))
        if rng.random() < 0.3:
            self.did("pandas index")
            table = self.frame(range(10)).append_column("__index_level_0__", pa.array(range(10)))
            self.write("indexed.parquet", table.replace_schema_metadata({"pandas": '{"index_columns": ["__index_level_0__"]}'}))
        if rng.random() < 0.4:
            self.did("symbolic link")
            target = rng.choice([child for child in sorted(tables(self.lake)) if child.startswith("child")])
            os.symlink(target, self.lake / "link.parquet")
        if rng.random() < 0.4:
            self.did("hard link")
            self.write("hard.parquet", self.frame(range(5, 20)))
            os.link(self.lake / "hard.parquet", self.lake / "hard-too.parquet")
        shutil.copytree(self.lake, self.copy, dirs_exist_ok=True, symlinks=True)

    def call(self, *args):
        """Runs a command; in a third of the cases it is killed on its way, and mostly run again."""
        if self.rng.random() < 0.35:
            process = subprocess.Popen([LIMPID, "-q", "lake", *map(str, args)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(self.rng.uniform(0.002, max(0.04, TAKES.get(args[0], 0))))
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                self.did(f"killed {args[0]}")
            process.wait()
            if self.rng.random() < 0.4:
                return
        done = limpid(*args)
        if args[0] == "apply":
            again = limpid(*args)
            if done.returncode == 0 and again.returncode != 0:
                self.did("apply again fails")
        if "panicked" in done.stderr:
            self.did("panic")

    def change(self):
        """The parent grows, is compacted, moved, deleted, or nothing happens."""
        rng, n = self.rng, self.size
        files = [path for name, path in tables(self.lake).items() if name.split("/")[0] == self.parent]
        ids = [i for path in files for i in pq.ParquetFile(path).read(["id"]).column(0).to_pylist()]
        if not files:
            return
        extra = rng.choices(range(3 * n), k=30)
        kind = rng.choice(["append", "append", "compact", "compact with more", "move", "partial move", "rewrite types", "delete", "nothing"])
        if kind == "append":
            if self.parent == "all.parquet":
                self.write("all.parquet", self.frame(extra[:15] + ids + extra[15:]))
            else:
                self.write(f"all/part-{rng.randrange(1000):03}x.parquet", self.frame(extra))
        elif kind.startswith("compact"):
            for path in files:
                path.unlink()
            rng.shuffle(ids)
            self.write("all.parquet" if self.parent == "all.parquet" else f"all/part-{rng.randrange(1000):03}.parquet", self.frame(ids + extra * (kind != "compact")))
        elif kind == "move":
            (self.lake / self.parent).rename(self.lake / ("moved" + self.parent[3:]))
        elif kind == "partial move":
            half = len(ids) // 2
            for path in files:
                path.unlink()
            self.write("first.parquet", self.frame(ids[:half]))
            self.write("second.parquet", self.frame(ids[half:]))
        elif kind == "rewrite types":
            for path in files:
                path.unlink()
            table = self.frame(ids)
            self.write(str(files[0].relative_to(self.lake)), table.set_column(0, "id", table.column(0).cast(pa.int32())))
        elif kind == "delete":
            for path in files:
                path.unlink()
        self.did(f"parent: {kind}")
        return kind

    def aside(self):
        return sorted(str(path) for path in (self.lake / "_limpid/retired").rglob("*.parquet"))

    def second(self, kind, prices, saved):
        """A larger table takes in the parent, and a second plan is carried out; gives what the tables were before."""
        owned = {name: path for name, path in tables(self.lake).items() if not name.startswith(("child", *STAY))}
        ids = [i for path in owned.values() for i in pq.ParquetFile(path).read(["id"]).column(0).to_pylist()]
        if not ids or kind == "rewrite types":
            return {}
        self.write("larger.parquet", self.frame(ids + self.rng.choices(range(3 * self.size), k=50)))
        then = {name: content(path) for name, path in tables(self.lake).items()}
        plan = limpid("plan", self.lake, "--prices", prices, "--save", saved, "--format", "csv")
        if plan.returncode:
            return then
        planned = [line.split(",")[0] for line in plan.stdout.splitlines() if ",rebuild," in line]
        if "but it is what" in plan.stdout:
            self.did("second plan: a table that others are rebuilt from is held")
        taken = any(name.split("/")[0] in planned for name in owned)
        self.did("second plan: the parent goes, too" if taken else "second plan: the parent stays")
        self.call("apply", saved)
        if self.rng.random() < 0.7:
            self.call("purge", self.lake, "--yes")
        if self.rng.random() < 0.5:
            self.did("second plan: the larger table grows")
            ids = pq.ParquetFile(self.lake / "larger.parquet").read(["id"]).column(0).to_pylist() if (self.lake / "larger.parquet").exists() else []
            if ids:
                self.write("larger.parquet", self.frame(self.rng.sample(ids, len(ids)) + [1, 2, 3]))
                then.pop("larger.parquet")
        return then

    def run(self):
        """What was lost or changed."""
        rng, problems = self.rng, []
        self.make()
        linked = {name: path.stat().st_ino for name, path in tables(self.lake).items() if name.startswith(("hard", "link")) or path.is_symlink()}
        before = {name: content(path) for name, path in tables(self.copy).items()}
        stays = [name for name in before if name.startswith(STAY)]
        target = os.readlink(self.lake / "link.parquet") if (self.lake / "link.parquet").is_symlink() else None
        stays += [target] if target else []
        prices, saved = self.folder / "prices.yaml", self.folder / "plan.json"
        prices.write_text("accesses: 0\n")
        if rng.random() < 0.5:
            limpid("containment", self.lake, "--update")
        plan = limpid("plan", self.lake, "--prices", prices, "--save", saved, "--format", "csv")
        if plan.returncode:
            return [f"plan fails: {plan.stderr}"]
        planned = [line.split(",")[0] for line in plan.stdout.splitlines() if ",rebuild," in line]
        problems += [f"{name} is planned" for name in planned if name in stays]
        self.counts["planned"] += len(planned)
        self.call("apply", saved)
        kind = self.change() if rng.random() < 0.3 else None
        if rng.random() < 0.2:
            # The first command of all puts back what a killed one left halfway.
            limpid("purge", self.lake, "--dry-run")
            aside = self.aside()
            limpid("purge", self.lake, "--dry-run")
            if limpid("purge", self.lake).returncode == 0 and aside:
                problems.append("purge did not ask")
            if self.aside() != aside:
                problems.append("purge deleted unasked")
        if rng.random() < 0.7:
            self.call("purge", self.lake, "--yes")
        if kind is None and rng.random() < 0.8:
            kind = self.change()
        if rng.random() < 0.2:
            scan = limpid("scan", self.lake)
            if scan.returncode and tables(self.lake):
                problems.append(f"scan fails: {scan.stderr}")
        later = self.second(kind, prices, saved) if kind != "delete" and rng.random() < 0.4 else {}
        if rng.random() < 0.3:
            self.call("restore", self.lake)
        problems += [f"{name} was moved or deleted" for name in stays if not (self.lake / name).exists() and not name.startswith("all")]
        for name, inode in linked.items():
            if (self.lake / name).exists() and (self.lake / name).stat().st_ino != inode:
                problems.append(f"{name} is another file")
        done = limpid("restore", self.lake)
        survivors = tables(self.lake)
        gone = []
        for name, then in later.items():
            if name not in survivors:
                problems.append(f"lost {name} of the second plan: {done.stderr.strip()}")
            elif repr(content(survivors[name])) != repr(then):
                problems.append(f"{name} changed after the second plan")
        for name, then in before.items():
            if name.split("/")[0] == self.parent:
                continue
            if name not in survivors:
                said = f"{name}: not brought back" in done.stderr
                if said and kind == "delete":
                    gone.append(name)
                else:
                    problems.append(f"lost {name}: {done.stderr.strip()}")
            elif repr(content(survivors[name])) != repr(then):
                problems.append(f"{name} changed")
        self.counts["gone with a deleted parent, named"] += len(gone)
        if kind is None:
            problems += [f"parent {name} changed" for name, then in before.items() if name.split("/")[0] == self.parent and (name not in survivors or repr(content(survivors[name])) != repr(then))]
        for word in ("found in", "rebuilt", "the original"):
            self.counts[f"restored: {word}"] += sum(word in line for line in done.stdout.splitlines())
        return problems


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    folder, rounds = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    counts, bad = Counter(), 0
    for number in range(rounds):
        one = Round(random.Random(seed * 1_000_003 + number), folder / "round", counts)
        problems = one.run()
        if problems:
            bad += 1
            print(f"round {number}: {one.log}", *problems, sep="\n  ", flush=True)
    for what in sorted(counts):
        print(f"{counts[what]:>7}  {what}")
    print(f"seed {seed}: {rounds} rounds, {bad} lost or changed something")
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
