"""Writes a BERT encoder as ONNX with the fused operators of onnxruntime, as models are served on a card.

    benches/gpu/bert.py WEIGHTS TARGET [--float 16|32] [--layers N --width N --heads N]

WEIGHTS is a folder of sentence-transformers or transformers (config.json, model.safetensors, tokenizer.json); the tokenizer goes with the
model. With --layers, --width and --heads the weights are drawn at random instead: as fast as trained ones, for how much of a card a larger
model reaches. The outputs are last_hidden_state and sentence_embedding (mean over the mask, unit length).
"""
import argparse
import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

MICROSOFT = "com.microsoft"


class Weights:
    """Those of a file, by name; or random ones of the shape that is asked for."""

    def __init__(self, folder, drawn):
        self.random = np.random.default_rng(7) if drawn else None
        self.tensors = {}
        if not drawn:
            from safetensors.numpy import load_file

            self.tensors = load_file(folder / "model.safetensors")

    def get(self, name, *shape):
        if self.random is not None:
            if name.endswith("LayerNorm.weight"):
                return np.ones(shape, np.float32)
            return self.random.normal(0, 0.02, shape).astype(np.float32)
        tensor = self.tensors.get(name, self.tensors.get(f"bert.{name}"))
        assert tensor is not None and tensor.shape == shape, (name, shape)
        return tensor.astype(np.float32)


class Graph:
    def __init__(self, kind):
        self.kind, self.nodes, self.constants = kind, [], []

    def constant(self, name, values):
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values.astype(self.kind)), name))
        return name

    def node(self, operator, inputs, output, domain="", **attributes):
        outputs = [output] if isinstance(output, str) else output
        self.nodes.append(helper.make_node(operator, inputs, outputs, name=outputs[0], domain=domain, **attributes))
        return outputs[0]


def encoder(config, weights, kind):
    width, inner, heads = config["hidden_size"], config["intermediate_size"], config["num_attention_heads"]
    epsilon = config["layer_norm_eps"]
    g = Graph(kind)
    for name, source in (("ids", "input_ids"), ("types", "token_type_ids"), ("mask", "attention_mask")):
        g.node("Cast", [source], name, to=TensorProto.INT32)

    def norm(prefix):
        return [g.constant(f"{prefix}.LayerNorm.{part}", weights.get(f"{prefix}.LayerNorm.{part}", width)) for part in ("weight", "bias")]

    def linear(prefix, rows, columns):
        """The weights as columns of outputs, and the bias."""
        return weights.get(f"{prefix}.weight", columns, rows).T, weights.get(f"{prefix}.bias", columns)

    tables = [("word", config["vocab_size"]), ("position", config["max_position_embeddings"]), ("token_type", config["type_vocab_size"])]
    tables = [g.constant(f"embeddings.{n}", weights.get(f"embeddings.{n}_embeddings.weight", rows, width)) for n, rows in tables]
    x = g.node("EmbedLayerNormalization", ["ids", "types", *tables, *norm("embeddings"), "mask"], ["embedded", "lengths"], MICROSOFT, epsilon=epsilon)
    for number in range(config["num_hidden_layers"]):
        at = f"encoder.layer.{number}"
        parts = [linear(f"{at}.attention.self.{part}", width, width) for part in ("query", "key", "value")]
        matrix = g.constant(f"{at}.qkv", np.concatenate([matrix for matrix, _ in parts], 1))
        bias = g.constant(f"{at}.qkv.bias", np.concatenate([bias for _, bias in parts]))
        attended = g.node("Attention", [x, matrix, bias, "lengths"], f"{at}.attended", MICROSOFT, num_heads=heads)

        def multiply(value, prefix, rows, columns):
            matrix, bias = linear(prefix, rows, columns)
            product = g.node("MatMul", [value, g.constant(f"{prefix}.weight", matrix)], f"{prefix}.product")
            return product, g.constant(f"{prefix}.bias", bias)

        product, bias = multiply(attended, f"{at}.attention.output.dense", width, width)
        gain = norm(f"{at}.attention.output")
        y = g.node("SkipLayerNormalization", [product, x, *gain, bias], f"{at}.attention.normed", MICROSOFT, epsilon=epsilon)
        product, bias = multiply(y, f"{at}.intermediate.dense", width, inner)
        active = g.node("BiasGelu", [product, bias], f"{at}.active", MICROSOFT)
        product, bias = multiply(active, f"{at}.output.dense", inner, width)
        last = number + 1 == config["num_hidden_layers"]
        name = "last_hidden_state" if last else f"{at}.normed"
        x = g.node("SkipLayerNormalization", [product, y, *norm(f"{at}.output"), bias], name, MICROSOFT, epsilon=epsilon)

    axis = numpy_helper.from_array(np.array([1]), "axis_of_tokens")
    last_axis = numpy_helper.from_array(np.array([2]), "axis_of_numbers")
    g.constants += [axis, last_axis]
    g.node("Cast", [x], "hidden", to=TensorProto.FLOAT)
    g.node("Cast", ["attention_mask"], "mask_float", to=TensorProto.FLOAT)
    g.node("Unsqueeze", ["mask_float", "axis_of_numbers"], "mask_wide")
    g.node("Mul", ["hidden", "mask_wide"], "masked")
    g.node("ReduceSum", ["masked", "axis_of_tokens"], "summed", keepdims=0)
    g.node("LpNormalization", ["summed"], "sentence_embedding", axis=-1, p=2)
    element = TensorProto.FLOAT16 if kind == np.float16 else TensorProto.FLOAT
    inputs = [helper.make_tensor_value_info(n, TensorProto.INT64, ["batch", "tokens"]) for n in ("input_ids", "attention_mask", "token_type_ids")]
    outputs = [
        helper.make_tensor_value_info("last_hidden_state", element, ["batch", "tokens", width]),
        helper.make_tensor_value_info("sentence_embedding", TensorProto.FLOAT, ["batch", width]),
    ]
    graph = helper.make_graph(g.nodes, "encoder", inputs, outputs, g.constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid(MICROSOFT, 1)], ir_version=8)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--float", type=int, choices=(16, 32), default=16)
    parser.add_argument("--pooling", default="mean", help="of model.toml; 'none' reads sentence_embedding")
    parser.add_argument("--max-length", type=int, default=256)
    for name in ("layers", "width", "heads"):
        parser.add_argument(f"--{name}", type=int)
    args = parser.parse_args()
    config = json.loads((args.weights / "config.json").read_text())
    drawn = args.layers is not None
    if drawn:
        config |= {"num_hidden_layers": args.layers, "hidden_size": args.width, "num_attention_heads": args.heads, "intermediate_size": 4 * args.width}
    model = encoder(config, Weights(args.weights, drawn), np.float16 if args.float == 16 else np.float32)
    onnx.checker.check_model(model)
    args.target.mkdir(parents=True, exist_ok=True)
    onnx.save(model, args.target / "model.onnx")
    tokenizer = json.loads((args.weights / "tokenizer.json").read_text())
    # Lengths are limpid's to choose.
    tokenizer["truncation"] = tokenizer["padding"] = None
    (args.target / "tokenizer.json").write_text(json.dumps(tokenizer))
    (args.target / "model.toml").write_text(f'modality = "text"\npooling = "{args.pooling}"\nmax_length = {args.max_length}\n')


if __name__ == "__main__":
    main()
