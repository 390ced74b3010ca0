"""Encoders beside the loop that everybody writes: the same model in Python's onnxruntime, texts in batches of 32.

    pip install numpy onnxruntime pyarrow tokenizers
    python3 benches/encoders.py --limpid target/release/limpid --model FOLDER --texts A.parquet [--threads 2] [--rows 1000] [--rounds 1]

FOLDER has model.onnx (or model_int8.onnx) and tokenizer.json of all-MiniLM-L6-v2. Measured in one run, with equal threads: documents a
second of limpid (the whole program: start, reading Parquet, opening the model, writing Parquet), of the Python loop in the order of the
file, of the same with texts sorted by length (model and tokenizer open already), the median of the rounds, one after the other in each;
the static encoder on all texts; the operator `embed` with a cache, empty and then full; and the cosine between limpid's vectors and
Python's of the same text run alone.
"""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime
import pyarrow as pa
import pyarrow.parquet as pq
import tokenizers

LENGTH = 256
BATCH = 32


def session(path, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(path, options)


def run(model, rows):
    width = max(len(row) for row in rows)
    ids = np.zeros((len(rows), width), np.int64)
    mask = np.zeros_like(ids)
    for line, row in enumerate(rows):
        ids[line, : len(row)] = row
        mask[line, : len(row)] = 1
    feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    return model.run(["sentence_embedding"], feeds)[0]


def loop(model, tokenizer, texts, by_length, batch=BATCH):
    start = time.perf_counter()
    rows = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
    order = sorted(range(len(rows)), key=lambda i: len(rows[i])) if by_length else list(range(len(rows)))
    vectors = [None] * len(rows)
    for at in range(0, len(order), batch):
        chosen = order[at : at + batch]
        for i, vector in zip(chosen, run(model, [rows[i] for i in chosen])):
            vectors[i] = vector
    return np.stack(vectors), time.perf_counter() - start


def limpid(args, folder, model, source, env, cache=None):
    target = folder / "out.parquet"
    target.unlink(missing_ok=True)
    query = f"SELECT id, embed_text(text, model => '{model}') AS v FROM '{source}'"
    if cache:
        query = f"SELECT id, embedding AS v FROM embed((SELECT id, text FROM '{source}'), model => '{model}', cache => '{cache}')"
    sql = f"COPY ({query}) TO '{target}'"
    start = time.perf_counter()
    subprocess.run([args.limpid, "--threads", str(args.threads), "--quiet", "sql", "-c", sql], check=True, env=env,
                   stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - start
    table = pq.read_table(target).sort_by("id")
    vectors = table["v"].combine_chunks()
    return np.asarray(vectors.values, np.float32).reshape(len(vectors), -1), seconds


def cosines(a, b):
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limpid", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--texts", required=True)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=1)
    args = parser.parse_args()
    args.limpid = str(Path(args.limpid).resolve())

    texts = [t for t in pq.read_table(args.texts, columns=["text"])["text"].to_pylist() if t and t.strip()]
    step = max(1, len(texts) // args.rows)
    chosen = texts[::step][: args.rows]
    source = Path(args.model)
    onnx = next(p for p in (source / "model.onnx", source / "model_int8.onnx") if p.exists())
    tokenizer = tokenizers.Tokenizer.from_file(str(source / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(LENGTH)
    library = next(Path(onnxruntime.__file__).parent.glob("capi/libonnxruntime.so*"))
    env = os.environ | {"ORT_DYLIB_PATH": str(library), "TOKENIZERS_PARALLELISM": "true"}

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        model = folder / "model"
        model.mkdir()
        shutil.copy(onnx, model / "model.onnx")
        shutil.copy(source / "tokenizer.json", model)
        (model / "model.toml").write_text(f'modality = "text"\npooling = "mean"\nmax_length = {LENGTH}\n')
        for name, rows in (("some", chosen), ("all", texts)):
            table = pa.table({"id": range(len(rows)), "text": rows})
            pq.write_table(table, folder / f"{name}.parquet", row_group_size=max(1, len(rows) // 16))

        python = session(str(onnx), args.threads)
        loop(python, tokenizer, chosen[:64], True)
        times = []
        for _ in range(args.rounds):
            ours, seconds = limpid(args, folder, model, folder / "some.parquet", env)
            mixed, file_order = loop(python, tokenizer, chosen, False)
            _, by_length = loop(python, tokenizer, chosen, True)
            _, static = limpid(args, folder, "static", folder / "all.parquet", env)
            times.append((seconds, file_order, by_length, static))
        seconds, file_order, by_length, static = np.median(times, axis=0)
        cached = [limpid(args, folder, model, folder / "some.parquet", env, folder / "cache") for _ in range(2)]
        alone, _ = loop(python, tokenizer, chosen, False, 1)

        rates = {
            "limpid": len(chosen) / seconds,
            "python, file order": len(chosen) / file_order,
            "python, by length": len(chosen) / by_length,
            "limpid, static": len(texts) / static,
            "embed, empty cache": len(chosen) / cached[0][1],
            "embed, full cache": len(chosen) / cached[1][1],
        }
        same = all((vectors == ours).all() for vectors, _ in cached)
        print(f"{len(chosen)} texts, {args.threads} threads, onnxruntime {onnxruntime.__version__}")
        for name, rate in rates.items():
            print(f"{name:20} {rate:10.1f} documents/s")
        checks = [
            ("limpid / python by length", rates["limpid"] / rates["python, by length"], 1.1),
            ("limpid / python in file order", rates["limpid"] / rates["python, file order"], 1.55),
            ("static / python in file order", rates["limpid, static"] / rates["python, file order"], 100),
            ("least cosine to python, alone", float(cosines(ours, alone).min()), 0.9999),
            ("embed gives the same vectors", float(same), 1),
        ]
        good = True
        for name, value, least in checks:
            good &= value >= least
            print(f"{name:32} {value:9.5f}  at least {least}: {'yes' if value >= least else 'NO'}")
        print(f"(least cosine of python's own batches of {BATCH} to python alone: {cosines(mixed, alone).min():.4f})")
        return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
