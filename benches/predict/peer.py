"""The peer of `host-trainer predict`: pandas and onnxruntime, the same engine, the same ONNX files, the same rows.

usage: peer.py ENGINE.json MODELS_DEVICE_DIR OUT.csv

It does what a straightforward Python tool does: reads the engine info, takes the features that each card names, runs each
model once over all layers of its kind, and writes one CSV. Layers without a model are left out.
"""

import json
import pathlib
import sys

import numpy
import onnxruntime
import pandas

BYTES = {"FP32": 4, "Float": 4, "FP16": 2, "Half": 2, "Int8": 1, "INT8": 1}


def element_bytes(layer):
    told = layer.get("Weights", {}).get("Type") or layer["Inputs"][0]["Format/Datatype"]
    return next((size for word, size in BYTES.items() if word in told), 2)


def columns(layer):
    """Every column that a card may name, for one layer."""
    n, c, h, w = (layer["Inputs"][0]["Dimensions"] + [1, 1])[:4]
    _, k, oh, ow = (layer["Outputs"][0]["Dimensions"] + [1, 1])[:4]
    kernel = layer.get("Kernel") or layer.get("WindowSize") or [h, w]
    stride = layer.get("Stride", [1, 1])
    padding = [a + b for a, b in zip(layer.get("PrePadding", [0, 0]), layer.get("PostPadding", [0, 0]))]
    groups, size = layer.get("Groups", 1), element_bytes(layer)
    weights = layer.get("Weights", {}).get("Count", 0)
    inputs = sum(int(numpy.prod(tensor["Dimensions"])) for tensor in layer["Inputs"])
    outputs = sum(int(numpy.prod(tensor["Dimensions"])) for tensor in layer["Outputs"])
    return {
        "batch_size": n, "input_size_0": c, "input_size_1": h, "input_size_2": w,
        "output_size_0": k, "output_size_1": oh, "output_size_2": ow,
        "kernel_0": kernel[0], "kernel_1": kernel[1], "padding_0": padding[0], "padding_1": padding[1],
        "stride_0": stride[0], "stride_1": stride[1], "groups": groups, "group_channels": c / groups,
        "dilation_0": layer.get("Dilation", [1, 1])[0], "dilation_1": layer.get("Dilation", [1, 1])[1],
        "input_size": inputs, "output_size": outputs, "input_features": c * h * w, "output_features": k * oh * ow,
        "weights": weights, "element_bytes": size, "input_elements": inputs, "output_elements": outputs,
        "depthwise": float(groups > 1 and groups == c), "kernel_area": kernel[0] * kernel[1],
        "macs": n * k * oh * ow * (c / groups) * kernel[0] * kernel[1],
        "window_reads": n * k * oh * ow * kernel[0] * kernel[1],
        "input_bytes": inputs * size, "output_bytes": outputs * size, "weight_bytes": weights * size,
    }


def kind(layer):
    if layer["LayerType"] == "CaskGemmConvolution":
        return "dense"
    if layer.get("ParameterType") == "Convolution":
        return "convolutional"
    if layer.get("ParameterType") == "Pooling":
        return "pooling"
    return {"Reformat": "reformat", "PointWiseV2": "pointwise"}.get(layer["LayerType"])


def main():
    engine, models, out = sys.argv[1:4]
    layers = pandas.DataFrame(
        {"layer_name": layer["Name"], "layer_type": layer["LayerType"], "kind": kind(layer), **columns(layer)}
        for layer in json.loads(pathlib.Path(engine).read_text())["Layers"]
    )
    for target in ("power", "runtime"):
        layers[f"{target}_prediction"] = numpy.nan
        for name, rows in layers.groupby("kind"):
            folder = pathlib.Path(models) / name / target
            if not folder.is_dir():
                continue
            features = [feature["name"] for feature in json.loads((folder / "card.json").read_text())["features"]]
            session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
            outputs = session.run(None, {"features": rows[features].to_numpy(dtype=numpy.float32)})[0]
            layers.loc[rows.index, f"{target}_prediction"] = outputs.reshape(-1)
    answer = layers[["layer_name", "layer_type", "power_prediction", "runtime_prediction"]]
    answer.dropna(subset=["runtime_prediction"]).to_csv(out, index=False)


if __name__ == "__main__":
    main()
