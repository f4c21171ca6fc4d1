"""The same rows by FastAPI and onnxruntime: what a Python team would write around the same ONNX models.

Reads an engine info, makes the features of every layer, runs each model once for all layers of its table, fills the rest by the
roofline, and answers the rows and totals that host-trainer answers. `uvicorn fastapi_service:app`, with MODELS naming the
device's folder.
"""

import json
import math
import os
import pathlib

import numpy
import onnxruntime
from fastapi import FastAPI, Request

FOLDER = pathlib.Path(os.environ["MODELS"])
DEVICE = json.loads((FOLDER / "device.json").read_text())
OPTIONS = onnxruntime.SessionOptions()
OPTIONS.intra_op_num_threads = 1


class Model:
    def __init__(self, folder):
        self.card = json.loads((folder / "card.json").read_text())
        self.names = [f["name"] for f in self.card["features"]]
        self.ranges = [(f["name"], f["min"], f["max"]) for f in self.card["features"] + self.card["derived_ranges"]]
        self.session = onnxruntime.InferenceSession(str(folder / "model.onnx"), OPTIONS, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0].name

    def predict(self, rows):
        table = numpy.array([[row[name] for name in self.names] for row in rows], dtype=numpy.float32)
        return self.session.run(None, {self.input: table})[0].reshape(-1)

    def outside(self, row):
        def holds(value, low, high):
            slack = 1e-6 * max(abs(low), abs(high))
            return low - slack <= value <= high + slack

        return [name for name, low, high in self.ranges if not holds(row[name], low, high)]


MODELS = {(p.parent.parent.name, p.parent.name): Model(p.parent) for p in FOLDER.glob("*/*/card.json")}
BITS = {"fp32": 32, "float": 32, "half": 16, "fp16": 16, "int8": 8, "bf16": 16, "int32": 32}
KINDS = {
    "CaskConvolution": "convolutional",
    "Convolution": "convolutional",
    "CaskPooling": "pooling",
    "Pooling": "pooling",
    "CaskGemmConvolution": "dense",
    "PointWiseV2": "pointwise",
    "PointWise": "pointwise",
    "ElementWise": "pointwise",
    "Reformat": "reformat",
}

FREE = ("NoOp", "Shuffle", "Constant", "ShapeHostToDeviceNode")


def bits(layer):
    words = layer["Inputs"][0].get("Format/Datatype", "").lower().replace("-", " ").split() if layer.get("Inputs") else []
    return next((BITS[word] for word in words if word in BITS), 16)


def product(dims):
    return float(math.prod(max(d, 1) for d in dims))


def features(layer, table):
    inputs = [t["Dimensions"] for t in layer.get("Inputs", [])]
    outputs = [t["Dimensions"] for t in layer.get("Outputs", [])]
    row = {"element_bytes": bits(layer) / 8}
    if table in ("convolutional", "pooling"):
        n, c, h, w = inputs[0]
        _, k, oh, ow = outputs[0]
        kernel = layer.get("Kernel") or layer.get("WindowSize") or [h, w]
        before, after = layer.get("PrePadding", [0, 0]), layer.get("PostPadding", [0, 0])
        groups = layer.get("Groups", 1) or 1
        row.update(
            batch_size=n, input_size_0=c, input_size_1=h, input_size_2=w, output_size_0=k, output_size_1=oh, output_size_2=ow,
            kernel_0=kernel[0], kernel_1=kernel[1], padding_0=before[0] + after[0], padding_1=before[1] + after[1],
            stride_0=layer.get("Stride", [1, 1])[0], stride_1=layer.get("Stride", [1, 1])[1],
            groups=groups, group_channels=c / groups,
            input_elements=float(n * c * h * w), output_elements=float(n * k * oh * ow),
        )
        if table == "convolutional":
            row["weights"] = layer.get("Weights", {}).get("Count") or kernel[0] * kernel[1] * row["group_channels"] * k
            row["macs"] = row["output_elements"] * row["group_channels"] * kernel[0] * kernel[1]
    else:
        main = inputs[0] if inputs else outputs[0]
        batch = main[0] if len(main) >= 2 else 1
        sides = (inputs[:1], outputs[:1]) if table == "dense" else (inputs, outputs)
        size = [sum(product(dims) for dims in side) for side in sides]
        weights = layer.get("Weights", {}).get("Count", 0)
        row.update(batch_size=batch, input_size=size[0], output_size=size[1], input_elements=size[0], output_elements=size[1])
        row["weights"] = weights or (size[0] / batch * size[1] / batch if table == "dense" else 0.0)
        row["macs"] = batch * math.sqrt(size[0] / batch * size[1] / batch * row["weights"]) if table == "dense" else 0.0
    return row


def roofline(row):
    r = DEVICE["roofline"]
    rates = r["ms_per_gmac"]
    wanted = int(row["element_bytes"] * 8)
    rate = rates[min((key for key in rates if int(key) >= wanted), key=int, default=max(rates, key=int))]
    moved = row["input_elements"] + row["output_elements"] + row.get("weights", 0.0)
    return r["launch_ms"] + row.get("macs", 0.0) * 1e-9 * rate + moved * row["element_bytes"] * 1e-6 * r["ms_per_megabyte"]


app = FastAPI()


@app.post("/v1/predict")
async def predict(request: Request):
    layers = json.loads(await request.body())["Layers"]
    rows, tables = [], {}
    for index, layer in enumerate(layers):
        table = KINDS.get(layer["LayerType"])
        rows.append({
            "index": index, "layer_name": layer["Name"], "layer_type": layer["LayerType"], "kind": table,
            "power_prediction": None, "runtime_prediction": None, "energy_prediction": None,
            "runtime_source": "unmodelled", "power_source": "unmodelled", "outside_training_range": [],
        })
        if table:
            tables.setdefault(table, []).append((index, features(layer, table)))
    for table, entries in tables.items():
        for target in ("power", "runtime"):
            model = MODELS.get((table, target))
            if model is None:
                for index, row in entries:
                    rows[index][target + "_prediction"] = DEVICE["median_power_w"] if target == "power" else roofline(row)
                    rows[index][target + "_source"] = "roofline"
                continue
            for (index, row), value in zip(entries, model.predict([row for _, row in entries])):
                rows[index][target + "_prediction"] = float(value)
                rows[index][target + "_source"] = "model"
                known = rows[index]["outside_training_range"]
                known.extend(name for name in model.outside(row) if name not in known)
    for row in rows:
        if row["layer_type"] in FREE:
            row.update(runtime_prediction=0.0, energy_prediction=0.0, runtime_source="free", power_source="free")
        elif row["power_prediction"] is not None and row["runtime_prediction"] is not None:
            row["energy_prediction"] = row["power_prediction"] * row["runtime_prediction"]
    totals = {
        "layers": len(rows),
        "runtime_ms": sum(row["runtime_prediction"] or 0.0 for row in rows),
        "energy_mj": sum(row["energy_prediction"] or 0.0 for row in rows),
    }
    return {"device": DEVICE["name"], "layers": rows, "totals": totals}
