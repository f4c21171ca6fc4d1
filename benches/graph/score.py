"""Scores the layers that `host-trainer engine-info` lists against those of real engines.

usage: score.py HOST_TRAINER GRAPHS_DIR ENGINE_INFO_DIR [MODELS_DIR DEVICE]

For every graph with a real engine: precision and recall of the sets of ONNX nodes that run as one convolution, dense layer,
pooling or pointwise layer; multiply-accumulates; layers by type; and, given models, the predicted run time of our list beside
that of the real list by the same models. Then for all graphs: multiply-accumulates, share in opaque regions, time of the whole
process (the fastest of five). Needs nothing but Python.
"""

import collections
import gzip
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time

# Graph, engine info, precision, and whether names of nodes can be compared.
TRUTHS = [
    ("resnet18_224", "evpe_desktop__torch_onnx_trt_resnet18.json", "fp32", True),
    ("alexnet_224", "evpe_desktop__torch_onnx_trt_alexnet.json", "fp32", True),
    ("alexnet_224", "evpe_desktop__trtexec_alexnet_fp16_v1.graph.json", "fp16", True),
    ("alexnet_224", "evpe_desktop__trtexec_alexnet_fp16_v2.graph.json", "fp16", True),
    ("mobilenet_v2_224", "evpe_desktop__torch_onnx_trt_mobilenet_v2.json", "fp32", True),
    ("mobilenet_v2_224", "evpe_desktop__trtexec_mobilenet_v2_fp16.graph.json", "fp16", True),
    ("yolo26n_nc1_640", "public__yolo26n_nc1_fp32_derived.layers.json", "fp32", True),
    ("resnet18_224", "evpe_orin__sample_resnet18.json", "fp16", False),
    ("mobilenet_v2_224", "evpe_orin__mobilenet_v2_fp16_5000runs.json", "fp16", False),
    ("mobilenet_v2_224", "evpe_orin__mobilenet_v2_fp16_testrun.json", "fp16", False),
]
COMPARED = re.compile("conv|gemm|pool|pointwise", re.IGNORECASE)
IGNORED = {"Identity", "Constant", "Reshape", "Cast", "QuantizeLinear"}


def run(*command):
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True).stdout


def sets(layers, nodes):
    found = collections.Counter()
    for layer in layers:
        if not COMPARED.search(layer["LayerType"]):
            continue
        names = re.findall(r"\[ONNX Layer: ([^\]]*)\]", layer.get("Metadata") or "")
        kept = frozenset(name for name in names if name in nodes)
        if kept:
            found[kept] += 1
    return found


def shapes(layers):
    found = collections.Counter()
    for layer in layers:
        kind = layer["LayerType"]
        if re.search("conv|gemm|pool", kind, re.IGNORECASE):
            dims = list(layer["Outputs"][0]["Dimensions"])
            while dims and dims[-1] == 1:
                dims.pop()
            found["pool" in kind.lower(), tuple(dims)] += 1
    return found


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def fields(message):
    at = 0
    while at < len(message):
        tag, at = varint(message, at)
        if tag & 7 == 0:
            value, at = varint(message, at)
        elif tag & 7 == 2:
            length, at = varint(message, at)
            value, at = message[at:at + length], at + length
        else:
            width = 8 if tag & 7 == 1 else 4
            value, at = message[at:at + width], at + width
        yield tag >> 3, value


def operators(content):
    """The names of a graph's nodes that fusion keeps."""
    names = set()
    for graph in (value for field, value in fields(content) if field == 7):
        for node in (value for field, value in fields(graph) if field == 1):
            members = dict((field, value) for field, value in fields(node) if field in (3, 4))
            if members.get(4, b"").decode() not in IGNORED:
                names.add(members.get(3, b"").decode())
    return names


def runtime(program, path, models, device, *options):
    answer = json.loads(run(program, "--quiet", "predict", "--trt-engine-path", path, "--models", models, "--device", device,
                            "--format", "json", *options))
    layers = [(layer["kind"], layer.get("runtime_prediction") or 0.0) for layer in answer["layers"]]
    total = sum(value for _, value in layers)
    # Without layout changes, which a graph does not tell.
    return total, sum(value for kind, value in layers if kind != "reformat")


def main():
    program, graphs, truths = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    models = sys.argv[4:6]
    print("graph | engine | ours / real / equal | precision | recall | MMAC ours / real" +
          (" | ms ours / real | without reformats" if models else ""))
    with tempfile.TemporaryDirectory() as scratch:
        listed = pathlib.Path(scratch) / "ours.json"
        for graph, truth, precision, by_name in TRUTHS:
            source = graphs / f"{graph}.onnx"
            document = json.loads(run(program, "--quiet", "engine-info", source, "--precision", precision, "--format", "json",
                                      "--out", listed))
            real = json.loads((truths / truth).read_text())
            if by_name:
                nodes = operators(source.read_bytes())
                ours, theirs = sets(document["Layers"], nodes), sets(real["Layers"], nodes)
            else:
                ours, theirs = shapes(document["Layers"]), shapes(real["Layers"])
            equal = sum((ours & theirs).values())
            ours, theirs = sum(ours.values()), sum(theirs.values())
            row = [graph, truth, f"{ours} / {theirs} / {equal}", f"{equal / ours:.3f}", f"{equal / theirs:.3f}",
                   f"{document['macs'] / 1e6:.3f}"]
            if models:
                (mine, mine_bare), (other, other_bare) = (runtime(program, path, *models) for path in (listed, truths / truth))
                row += [f"{mine:.3f} / {other:.3f} ({100 * (mine / other - 1):+.1f} %)",
                        f"{mine_bare:.3f} / {other_bare:.3f} ({100 * (mine_bare / other_bare - 1):+.1f} %)"]
            print(" | ".join(row))
            types = [collections.Counter(layer["LayerType"] for layer in layers) for layers in (document["Layers"], real["Layers"])]
            print("    " + ", ".join(f"{name} {types[0][name]}/{types[1][name]}" for name in sorted(types[0] | types[1])))
        print("\ngraph | layers | MMAC | opaque % | fastest of five, ms (process)")
        for source in sorted(graphs.glob("*.onnx*")):
            path = source
            if source.suffix == ".gz":
                path = pathlib.Path(scratch) / source.stem
                path.write_bytes(gzip.decompress(source.read_bytes()))
            best = 1e9
            for _ in range(5):
                started = time.perf_counter()
                text = run(program, "--quiet", "engine-info", path, "--format", "json")
                best = min(best, time.perf_counter() - started)
            document = json.loads(text)
            share = 100 * document["opaque_macs"] / max(document["macs"], 1)
            print(f"{source.name} | {len(document['Layers'])} | {document['macs'] / 1e6:.3f} | {share:.1f} | {best * 1e3:.1f}")


if __name__ == "__main__":
    main()
