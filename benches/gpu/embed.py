"""Runs `embed` on the processor and on a card; `embed.sh` beside it says how and checks what is needed.

The card's share of its peak: 2 floating point operations a weight of the layers and token, and those of attention, without padding, for
the seconds that the model ran; the peak is that of the card's matrix units for the type of the weights, without sparsity, as its maker
states it. It is a lower bound: tokenising, copies and padding are in the time and not in the operations.
"""
import argparse
import json
import os
import subprocess
import tempfile
import time
import tomllib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

# Dense peaks in 10^12 operations a second: (16-bit floats, 32-bit floats without TF32, 32-bit as TF32).
PEAKS = {
    "H200": (989, 67, 494), "H100 PCIe": (756, 51, 378), "H100": (989, 67, 494), "A100": (312, 19.5, 156), "L40S": (362, 91.6, 183),
    "L40": (181, 90.5, 90.5), "L4": (121, 30.3, 60), "A10": (125, 31.2, 62.5), "T4": (65, 8.1, 8.1), "V100": (125, 15.7, 15.7),
    "RTX 4090": (165, 82.6, 82.6), "RTX 3090": (71, 35.6, 35.6),
}


def run(args, folder, source, device):
    target = folder / f"{device.replace(':', '')}.parquet"
    model = args.cpu_model if device == "cpu" else args.model
    query = f"SELECT id, embedding FROM embed((SELECT id, text FROM '{source}'), model => '{model}', device => '{device}')"
    start = time.perf_counter()
    command = [args.limpid, "--quiet", "sql", "-c", f"COPY ({query}) TO '{target}'"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - start
    table = pq.read_table(target).sort_by("id")
    vectors = table["embedding"].combine_chunks()
    return np.asarray(vectors.values, np.float32).reshape(len(vectors), -1), seconds


def peer(folder, texts):
    """Documents a second of sentence-transformers on the card, in 16-bit floats, without its start."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(folder, device="cuda").half()
    model.encode(texts[:512], batch_size=256)
    start = time.perf_counter()
    model.encode(texts, batch_size=256, normalize_embeddings=True)
    return len(texts) / (time.perf_counter() - start)


def count(model, texts):
    """Tokens that the model reads of the texts."""
    import tokenizers

    tokenizer = tokenizers.Tokenizer.from_file(str(Path(model) / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(tomllib.loads((Path(model) / "model.toml").read_text()).get("max_length", 512))
    return sum(len(encoding.ids) for encoding in tokenizer.encode_batch(texts))


def operations(model, tokens, rows):
    """Operations of one pass over the texts: 2 a weight and token, and 4 x layers x width x length^2 for attention."""
    import onnx

    graph = onnx.load(next(Path(model).glob("*.onnx")), load_external_data=False).graph
    matrices = [t for t in graph.initializer if len(t.dims) == 2 and t.data_type in (1, 10, 16)]
    used = {name for node in graph.node if node.op_type in ("MatMul", "Gemm", "Attention") for name in node.input}
    weights = [t for t in matrices if t.name in used]
    width = min(min(t.dims) for t in weights)
    layers = sum(1 for node in graph.node if node.op_type in ("Softmax", "Attention"))
    half = any(t.data_type != 1 for t in weights)
    mean = tokens / max(rows, 1)
    return tokens * (2 * sum(int(np.prod(t.dims)) for t in weights) + 4 * layers * width * mean), half


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("limpid", "model", "texts", "card"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--cpu-rows", type=int, default=1_000, help="rows for the processor, which is slower; 0 leaves it out")
    parser.add_argument("--cpu-model", help="the same model for the processor, where that of the card is of 16-bit floats")
    parser.add_argument("--peer", help="a folder of sentence-transformers: its documents a second on the card are printed too")
    args = parser.parse_args()
    args.cpu_model = args.cpu_model or args.model
    args.limpid, args.model, args.cpu_model = (str(Path(path).resolve()) for path in (args.limpid, args.model, args.cpu_model))

    texts = [t for t in pq.read_table(args.texts, columns=["text"])["text"].to_pylist() if t and t.strip()]
    texts = (texts * (args.rows // len(texts) + 1))[: args.rows]
    # Equal texts are embedded once a portion: each row gets a number, so that a card is measured on as many as are said.
    texts = [f"{number} {text}" for number, text in enumerate(texts)]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name, rows in (("few", texts[: args.cpu_rows]), ("all", texts), ("warm", texts[:64])):
            table = pa.table({"id": range(len(rows)), "text": rows})
            pq.write_table(table, folder / f"{name}.parquet", row_group_size=max(1, len(rows) // 32))
        cpu, cpu_seconds = run(args, folder, folder / "few.parquet", "cpu") if args.cpu_rows else (None, None)
        _, start = run(args, folder, folder / "warm.parquet", "cuda:0")
        card, seconds = run(args, folder, folder / "all.parquet", "cuda:0")
    # Starting and opening the model are not the card's work; the small run has little else.
    at_work = max(seconds - start, 1e-9)
    result = {
        "card": args.card,
        "cores": os.cpu_count(),
        "documents": len(texts),
        "gpu documents/s": round(len(card) / seconds, 1),
        "gpu documents/s without start": round(len(card) / at_work, 1),
    }
    if cpu is not None:
        result["cpu documents/s"] = round(len(cpu) / cpu_seconds, 1)
        result["least cosine"] = round(float((cpu * card[: len(cpu)]).sum(1).min()), 6)
    if args.peer:
        result["sentence-transformers documents/s"] = round(peer(args.peer, texts), 1)
    try:
        tokens = count(args.model, texts)
        result["tokens"] = tokens
        done, half = operations(args.model, tokens, len(texts))
        peak = next((peaks for name, peaks in PEAKS.items() if name in args.card), None)
        result["operations/s"] = f"{done / at_work:.3g}"
        if peak:
            of = peak[0] if half else peak[2]
            result["share of peak"] = f"{done / at_work / (of * 1e12):.1%} of {of}e12 ({'16-bit' if half else 'TF32'})"
        else:
            result["share of peak"] = "the peak of this card is not known"
    except ImportError:
        result["share of peak"] = "not computed: pip install onnx tokenizers"
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
