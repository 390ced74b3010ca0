"""Distils the static encoder that is embedded in limpid from a sentence encoder in ONNX.

    pip install numpy scipy pyarrow onnxruntime tokenizers
    python models/distill.py --model FOLDER --texts A.parquet B.parquet --out encoders/assets/static.lse [--sts sts-test.csv]

FOLDER holds `model.onnx` (or `model_int8.onnx`) and `tokenizer.json` of all-MiniLM-L6-v2 (Apache-2.0). The texts are any
Parquet files with a column `text`; they teach the vectors of words in company and how frequent words are. The method:

1. Every token of the vocabulary goes through the encoder alone; its vector is the mean over [CLS], token, [SEP].
2. Sentences of the texts go through the encoder. The directions that carry most of their vectors (an SVD without centring,
   so that cosines stay what they are) are kept: --dim of them.
3. Tokens are weighted a / (a + p) by their probability p in the texts (Arora et al., "A simple but tough-to-beat baseline for
   sentence embeddings", ICLR 2017, section 3); the mean of the tokens' vectors is taken off.
4. The table is moved by ridge regression, from there and not from zero, so that the mean of a sentence's tokens points where
   the encoder puts the sentence. Tokens that no sentence has keep their vector.
5. Each row is rounded to 8 bits with a scale of its own.

The file: magic `LSE1`, dim (u32), tokens (u32), bytes of the vocabulary (u32), vocabulary (tokens joined by newlines, in the
order of the rows), scales (f32 a row), rows (i8, dim a row); little-endian.
"""
import argparse
import csv
import json
import re
import struct
from pathlib import Path

import numpy as np
import onnxruntime
import pyarrow.parquet as pq
import tokenizers
from scipy.sparse import csr_matrix
from scipy.stats import pearsonr, spearmanr


class Teacher:
    """The sentence encoder."""

    def __init__(self, folder, threads):
        folder = Path(folder)
        path = next(p for p in (folder / "model.onnx", folder / "model_int8.onnx") if p.exists())
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(path, options)
        self.tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(256)

    def run(self, rows, output):
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
        parts = [None] * len(rows)
        for start in range(0, len(order), 64):
            chosen = order[start : start + 64]
            width = max(len(rows[i]) for i in chosen)
            ids = np.zeros((len(chosen), width), np.int64)
            mask = np.zeros_like(ids)
            for line, i in enumerate(chosen):
                ids[line, : len(rows[i])] = rows[i]
                mask[line, : len(rows[i])] = 1
            feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
            values = self.session.run([output], feeds)[0]
            for line, i in enumerate(chosen):
                parts[i] = values[line] if values.ndim == 2 else values[line][mask[line] == 1].mean(0)
        return np.stack(parts).astype(np.float32)

    def embed(self, texts):
        return self.run([e.ids for e in self.tokenizer.encode_batch(texts)], "sentence_embedding")


def sentences(paths, seed, most):
    """Sentences of up to 40 words, each once, chosen at random but alike in every run; as many from each file."""
    rng = np.random.default_rng(seed)
    chosen = []
    for path in paths:
        found = set()
        texts = pq.read_table(path, columns=["text"])["text"].to_pylist()
        for i in rng.permutation(len(texts)):
            for line in re.split(r"[\n\r]+|(?<=[.!?])\s+", texts[i] or ""):
                words = line.split()
                if 3 <= len(words) <= 40 and sum(w.isalpha() for w in words) * 2 >= len(words):
                    found.add(" ".join(words))
            if len(found) >= 4 * most:
                break
        found = sorted(found)
        chosen += [found[i] for i in rng.permutation(len(found))[:most]]
    return chosen


def bags(rows, size):
    """Counts of tokens, a row a sentence."""
    starts = np.cumsum([0] + [len(r) for r in rows])
    bag = csr_matrix((np.ones(starts[-1], np.float32), np.concatenate(rows), starts), (len(rows), size))
    bag.sum_duplicates()
    return bag


def unit(rows):
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def ridge(bag, table, target, weight, rounds=40):
    """The change of `table` that brings `bag @ table` to `target`: conjugate gradients, one system a column."""
    residual = bag.T @ (target - bag @ table)
    change = np.zeros_like(table)
    direction, size = residual.copy(), (residual**2).sum(0)
    for _ in range(rounds):
        image = bag.T @ (bag @ direction) + weight * direction
        step = size / np.maximum((direction * image).sum(0), 1e-30)
        change += step * direction
        residual -= step * image
        fresh = (residual**2).sum(0)
        direction = residual + fresh / np.maximum(size, 1e-30) * direction
        size = fresh
    return change


def rounded(table):
    scales = np.maximum(np.abs(table).max(1), 1e-12).astype(np.float32) / 127
    return scales, np.rint(table / scales[:, None]).clip(-127, 127).astype(np.int8)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--texts", nargs="+", required=True)
    parser.add_argument("--out")
    parser.add_argument("--dim", type=int, nargs="+", default=[192])
    parser.add_argument("--sentences", type=int, default=14000, help="of each file")
    parser.add_argument("--ridge", type=float, nargs="+", default=[5.0])
    parser.add_argument("--sif", type=float, nargs="+", default=[1e-3])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cache", help="keeps the encoder's answers between runs")
    parser.add_argument("--sts", help="STS-B's test file, to measure on")
    args = parser.parse_args()

    teacher = Teacher(args.model, args.threads)
    vocabulary = teacher.tokenizer.get_vocab()
    names = sorted(vocabulary, key=vocabulary.get)
    kept = [i for i, name in enumerate(names) if not re.fullmatch(r"\[unused\d+\]|\[(PAD|CLS|SEP|MASK)\]", name)]
    place = {token: row for row, token in enumerate(kept)}

    def tokens(texts):
        encoded = teacher.tokenizer.encode_batch(texts, add_special_tokens=False)
        return [np.array([place[i] for i in e.ids if i in place], np.int64) for e in encoded]

    cache = Path(args.cache) if args.cache else None
    if cache and cache.exists():
        data = np.load(cache, allow_pickle=True)
        alone, texts, taught = data["alone"], list(data["texts"]), data["taught"]
    else:
        cls, sep = vocabulary["[CLS]"], vocabulary["[SEP]"]
        alone = teacher.run([[cls, token, sep] for token in kept], "last_hidden_state")
        texts = sentences(args.texts, 42, args.sentences)
        taught = teacher.embed(texts)
        if cache:
            np.savez(cache, alone=alone, texts=np.array(texts, object), taught=taught)
    rows = tokens(texts)
    full = [i for i, row in enumerate(rows) if len(row)]
    rows, texts, taught = [rows[i] for i in full], [texts[i] for i in full], taught[full]
    # One sentence in ten is kept from the fit and measured on.
    held = np.arange(len(rows)) % 10 == 9
    bag = bags(rows, len(kept))
    counts = np.asarray(bag[~held].sum(0)).ravel()
    # Tokens that are rare here still have a probability: vocabularies are ordered by frequency.
    zipf = 1 / (np.arange(len(kept)) + 1000.0)
    frequency = 0.5 * counts / counts.sum() + 0.5 * zipf / zipf.sum()
    # The encoder's own cosines differ little from those of random pairs unless what all sentences share stays in.
    _, _, directions = np.linalg.svd(taught[~held], full_matrices=False)
    sts = None
    if args.sts:
        with open(args.sts, newline="", encoding="utf-8") as file:
            lines = [line for line in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]
        sts = ([float(line[4]) for line in lines], [line[5] for line in lines], [line[6] for line in lines])
        left, right = teacher.embed(sts[1]), teacher.embed(sts[2])
        print("teacher on STS-B test: spearman %.4f" % spearmanr((left * right).sum(1), sts[0])[0])
        sts = (sts[0], bags(tokens(sts[1]), len(kept)), bags(tokens(sts[2]), len(kept)), (left * right).sum(1))

    pairs = np.random.default_rng(1).integers(0, held.sum(), (20000, 2))
    for sif in args.sif:
        weighted = (alone - alone.mean(0)) * (sif / (sif + frequency))[:, None]
        for dim in args.dim:
            projection = directions[:dim].T
            start, goal = weighted @ projection, taught @ projection
            for weight in args.ridge:
                table = start.astype(np.float64)
                lengths = np.linalg.norm(bag @ table, axis=1)
                scaled = csr_matrix(bag.multiply(1 / np.maximum(lengths, 1e-9)[:, None]))
                if weight > 0:
                    # In the units of the table: a row that one sentence has moves half way where the weight is that of the sentence.
                    typical = float(scaled[~held].multiply(scaled[~held]).sum() / scaled[~held].nnz)
                    table = table + ridge(scaled[~held], table, goal[~held], weight * typical)
                scales, quantised = rounded(table)
                table = quantised * scales[:, None]
                student = unit(bag[held] @ table)
                a, b = pairs.T
                ours, theirs = (student[a] * student[b]).sum(1), (taught[held][a] * taught[held][b]).sum(1)
                report = {
                    "sif": sif, "dim": dim, "ridge": weight,
                    "held_cosine": round(float((student * unit(goal[held])).sum(1).mean()), 4),
                    "held_pairs_pearson": round(float(pearsonr(ours, theirs)[0]), 4),
                }
                if sts:
                    cosine = (unit(sts[1] @ table) * unit(sts[2] @ table)).sum(1)
                    report["sts_spearman"] = round(float(spearmanr(cosine, sts[0])[0]), 4)
                    report["sts_pearson"] = round(float(pearsonr(cosine, sts[0])[0]), 4)
                    report["sts_teacher_pearson"] = round(float(pearsonr(cosine, sts[3])[0]), 4)
                print(json.dumps(report), flush=True)
    if args.out:
        words = "\n".join(names[i] for i in kept).encode()
        head = b"LSE1" + struct.pack("<III", dim, len(kept), len(words))
        blob = head + words + scales.astype("<f4").tobytes() + quantised.tobytes()
        Path(args.out).write_bytes(blob)
        print(f"{args.out}: {len(blob):,} bytes, {len(kept):,} tokens, {dim} dimensions")


if __name__ == "__main__":
    main()
