#!/usr/bin/env python3
"""Twelve languages in scripts of their own: no two unrelated sentences are taken for duplicates.   Needs only Python.

languages.py [--limpid target/release/limpid] [--threshold 0.9] [--rows 500]

For each language of languages.json, 500 different sentences of a subject, a place, an object and a verb, any two of which
share at most one of the four. `minhash_dedup` (words and tokens) and `semantic_dedup` with the built-in model must remove
none of them. Twenty sentences come a second time, decomposed (NFD) and in capitals: those `minhash_dedup` must remove, or it
would pass by seeing nothing. Rows without a vector are counted: the model says so where it does not know a script.
"""

import argparse
import csv
import io
import json
import subprocess
import sys
import tempfile
import unicodedata
from pathlib import Path

COPIES = 20
WORDS = """SELECT id, duplicate_of FROM minhash_dedup((SELECT id, text FROM '{file}'), threshold => {threshold}, unit => '{unit}')
WHERE NOT keep ORDER BY id"""
VECTORS = """SELECT id, duplicate_of FROM semantic_dedup((SELECT id, embed_text(text) AS embedding FROM '{file}' WHERE NOT copy),
threshold => {threshold}) WHERE NOT keep ORDER BY id"""
KNOWN = "SELECT count(embed_text(text)) AS known FROM '{file}' WHERE NOT copy"


def sentences(language, rows):
    """Any two of them share at most one part: the parts are the points of lines over the integers modulo a prime."""
    parts = [language[part] for part in ("subject", "place", "object", "verb")]
    prime = len(parts[0])
    assert all(len(set(part)) == prime for part in parts), language["name"]
    for row in range(min(rows, prime * prime)):
        start, slope = divmod(row, prime)
        chosen = [part[(start + at * slope) % prime] for at, part in enumerate(parts)]
        yield language["order"].format(**dict(zip(("subject", "place", "object", "verb"), chosen)))


def run(limpid, sql):
    done = subprocess.run([limpid, "sql", "--format", "csv", "-c", sql], capture_output=True, text=True, timeout=600)
    if done.returncode:
        sys.exit(f"{sql}\n{done.stderr}")
    return list(csv.DictReader(io.StringIO(done.stdout)))


def check(limpid, file, texts, threshold):
    """Rows removed that should not be, by each way; copies found by words; rows with a vector."""
    wrong, found = {}, {}
    for unit in ("word", "token"):
        removed = run(limpid, WORDS.format(file=file, threshold=threshold, unit=unit))
        pairs = {(int(row["id"]), int(row["duplicate_of"])) for row in removed}
        planted = {(len(texts) + copy, copy) for copy in range(COPIES)}
        wrong[unit], found[unit] = len(pairs - planted), len(pairs & planted)
        for a, b in sorted(pairs - planted)[:3]:
            print(f"  {unit}: {texts[a % len(texts)]!r} went for {texts[b % len(texts)]!r}")
    known = int(run(limpid, KNOWN.format(file=file))[0]["known"])
    removed = run(limpid, VECTORS.format(file=file, threshold=threshold)) if known else []
    wrong["semantic"] = len(removed)
    for row in removed[:3]:
        print(f"  semantic: {texts[int(row['id'])]!r} went for {texts[int(row['duplicate_of'])]!r}")
    return wrong, found, known


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limpid", default="target/release/limpid")
    parser.add_argument("--threshold", type=float, default=0.9)
    parser.add_argument("--rows", type=int, default=500)
    args = parser.parse_args()
    languages = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
    failed = []
    head = ["language", "rows", "wrong: word", "token", "semantic", "copies: word", "token", "with a vector"]
    print(" | ".join(head))
    with tempfile.TemporaryDirectory() as folder:
        for language in languages:
            texts = list(sentences(language, args.rows))
            assert len(set(texts)) == len(texts), language["name"]
            copies = [unicodedata.normalize("NFD", text.upper()) for text in texts[:COPIES]]
            file = Path(folder) / "rows.jsonl"
            with file.open("w", encoding="utf-8") as out:
                for at, text in enumerate(texts + copies):
                    row = {"id": at, "copy": at >= len(texts), "text": text}
                    out.write(json.dumps(row, ensure_ascii=False) + "\n")
            wrong, found, known = check(args.limpid, file, texts, args.threshold)
            # Tokens keep their case, so that of a script with capitals only the words of a copy are the same.
            cased = any(text.upper() != text for text in texts)
            expected = {"word": COPIES, "token": 0 if cased else COPIES}
            if any(wrong.values()) or found != expected:
                failed.append(language["name"])
            counts = [len(texts), *wrong.values(), *found.values(), known]
            print(" | ".join([language["name"], *map(str, counts)]), flush=True)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")
    print("no unrelated sentence was removed")


if __name__ == "__main__":
    main()
