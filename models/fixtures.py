"""Writes the small models that the tests of the encoders run, encoders/tests/models/{text,half,int8,positions,causal,image}, and
the one that tells whether a library normalises as limpid does, encoders/assets/skip_layer_norm.onnx.

    pip install onnx numpy
    python models/fixtures.py encoders/tests/models

Every number of theirs follows from a formula that the tests know too: row t, column j of the table is
((7 t + 3 j) mod 11) / 10 - 0.5.
"""
import hashlib
import json
import sys
from pathlib import Path

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper

TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "hello", "world", "##s", "a", "b", "c", ".", ","]
SIZE = 4


def table(rows, columns):
    t, j = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
    return (((7 * t + 3 * j) % 11) / 10 - 0.5).astype(np.float32)


def model(name, nodes, inputs, outputs, tensors):
    values = [numpy_helper.from_array(value, key) for key, value in tensors.items()]
    graph = helper.make_graph(nodes, name, inputs, outputs, values)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    checker.check_model(made)
    return made.SerializeToString()


def ints(name):
    return helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "seq"])


def floats(name, shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def tokenizer():
    special = [{"id": i, "content": TOKENS[i], "special": True, "single_word": False, "lstrip": False, "rstrip": False,
                "normalized": False} for i in range(4)]
    frame = [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
             {"SpecialToken": {"id": "[SEP]", "type_id": 0}}]
    ids = {name: {"id": name, "ids": [i], "tokens": [name]} for i, name in ((2, "[CLS]"), (3, "[SEP]"))}
    return json.dumps({
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": special,
        "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None,
                       "lowercase": True},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "TemplateProcessing", "single": frame, "pair": frame, "special_tokens": ids},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100, "vocab": {name: i for i, name in enumerate(TOKENS)}},
    }, indent=1)


def write(folder, onnx, settings, with_tokenizer):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(onnx)
    (folder / "model.toml").write_text(f'{settings}sha256 = "{hashlib.sha256(onnx).hexdigest()}"\n' if "[" not in settings
                                       else settings)
    if with_tokenizer:
        (folder / "tokenizer.json").write_text(tokenizer())


def main():
    root = Path(sys.argv[1])
    node = helper.make_node
    ids, mask = ints("input_ids"), ints("attention_mask")
    rows = {"table": table(len(TOKENS), SIZE), "axes": np.array([2], np.int64)}
    gather = node("Gather", ["table", "input_ids"], ["rows"])
    masked = [gather, node("Cast", ["attention_mask"], ["ones"], to=TensorProto.FLOAT),
              node("Unsqueeze", ["ones", "axes"], ["column"]), node("Mul", ["rows", "column"], ["last_hidden_state"])]
    text = model("text", masked, [ids, mask], [floats("last_hidden_state", ["batch", "seq", SIZE])], rows)
    write(root / "text", text, 'modality = "text"\npooling = "mean"\nnormalize = false\nmax_length = 8\n', True)
    # The same in 16-bit floats, weights and output.
    halves = [gather, node("Cast", ["attention_mask"], ["ones"], to=TensorProto.FLOAT16), *masked[2:]]
    half = model("half", halves, [ids, mask],
                 [helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT16, ["batch", "seq", SIZE])],
                 rows | {"table": rows["table"].astype(np.float16)})
    write(root / "half", half, 'modality = "text"\npooling = "mean"\nnormalize = false\nmax_length = 8\n', True)
    # Rows of the table times a table of as many columns, quantised as libraries do to 8 bits while it runs.
    weights = table(SIZE, SIZE)
    scale = np.float32(np.abs(weights).max() / 127)
    quantised = [gather, node("DynamicQuantizeLinear", ["rows"], ["q", "scale", "zero"]),
                 node("MatMulInteger", ["q", "weights", "zero"], ["product"]),
                 node("Cast", ["product"], ["float"], to=TensorProto.FLOAT),
                 node("Mul", ["scale", "weight_scale"], ["both"]), node("Mul", ["float", "both"], ["last_hidden_state"])]
    int8 = model("int8", quantised, [ids], [floats("last_hidden_state", ["batch", "seq", SIZE])],
                 {"table": rows["table"], "weights": np.rint(weights / scale).astype(np.int8), "weight_scale": scale})
    write(root / "int8", int8, 'modality = "text"\npooling = "mean"\nnormalize = false\nmax_length = 8\n', True)
    # The same with a second table that is looked up by position; it has 16 rows.
    placed = [gather, node("Shape", ["input_ids"], ["shape"]), node("Gather", ["shape", "one"], ["length"]),
              node("Slice", ["places", "zero", "length"], ["first"]), node("Add", ["rows", "first"], ["last_hidden_state"])]
    positions = model("positions", placed, [ids], [floats("last_hidden_state", ["batch", "seq", SIZE])],
                      {"table": rows["table"], "places": table(16, SIZE), "zero": np.array([0], np.int64),
                       "one": np.array([1], np.int64)})
    write(root / "positions", positions, 'modality = "text"\npooling = "mean"\nnormalize = false\nmax_length = 16\n', True)
    heads = {"table": rows["table"], "heads": table(SIZE, len(TOKENS))}
    causal = model("causal", [gather, node("MatMul", ["rows", "heads"], ["logits"])], [ids],
                   [floats("logits", ["batch", "seq", len(TOKENS)])], heads)
    write(root / "causal", causal, 'modality = "causal"\nmax_length = 8\n', True)
    flat = {"shape": np.array([-1, 12], np.int64), "weights": table(12, 3)}
    image = model("image", [node("Reshape", ["pixel_values", "shape"], ["flat"]),
                            node("MatMul", ["flat", "weights"], ["image_embeds"])],
                  [floats("pixel_values", ["batch", 3, 2, 2])], [floats("image_embeds", ["batch", 3])], flat)
    write(root / "image", image, 'modality = "image"\npooling = "none"\nnormalize = false\n\n[image]\nresize = 2\ncrop = 2\n',
          False)
    sums = [node("SkipLayerNormalization", ["input", "skip", "gamma"], ["plain"], domain="com.microsoft", epsilon=1e-12),
            node("SkipLayerNormalization", ["input", "skip", "gamma", "beta", "bias"], ["biased", "", "", "sum"],
                 domain="com.microsoft", epsilon=1e-5)]
    shapes = {"input": ["batch", "rows", "width"], "skip": ["batch", "rows", "width"]}
    shapes |= {name: ["width"] for name in ("gamma", "beta", "bias")}
    graph = helper.make_graph(sums, "sums", [floats(name, shape) for name, shape in shapes.items()],
                              [floats(name, ["batch", "rows", "width"]) for name in ("plain", "biased", "sum")])
    opsets = [helper.make_opsetid("", 14), helper.make_opsetid("com.microsoft", 1)]
    made = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    (root.parents[1] / "assets" / "skip_layer_norm.onnx").write_bytes(made.SerializeToString())


if __name__ == "__main__":
    main()
