"""Lists public measurements of whole networks on Jetson boards for `host-trainer dataset --networks`.

usage: shipped_networks.py DATA GRAPHS OUT    OUT/<board>.csv from DATA/{trtutils_yolo,netspresso_jetson,torch2trt_jetson}/latency.csv

GRAPHS holds the networks as ONNX files, <network>.onnx at 224 x 224 and <network>_<size>.onnx (scripts/export_networks.py makes them).
Measurements of networks without a graph are left out, and counted. Only sets whose licence permits shipping what is made of them are read.
None of them records clocks: the models name each set as a source, and a factor between the sources is fitted.
"""

import csv
import pathlib
import sys

BOARDS = {
    "Jetson AGX Orin 64GB": "agx-orin",
    "Jetson AGX Orin 32GB": "agx-orin-32gb",
    "Jetson AGX Orin": "agx-orin",
    "Jetson Orin NX 16GB": "orin-nx",
    "Jetson Orin Nano 8GB": "orin-nano",
    "Jetson Orin Nano": "orin-nano",
    "Jetson Xavier NX 8GB": "xavier-nx",
    "Jetson Xavier NX": "xavier-nx",
    "Jetson AGX Xavier": "agx-xavier",
    "Jetson TX2": "tx2",
    "Jetson Nano": "nano",
}
# The sets' names of networks, by the graph's.
GRAPH = {
    "ResNet18": "resnet18", "ResNet34": "resnet34", "ResNet50": "resnet50", "MobileNetV3-small": "mobilenet_v3_small",
    "MobileNetV3-large": "mobilenet_v3_large", "YOLOX-s": "yoloxs", "YOLOX-l": "yoloxl",
    # Normalisation is folded into the convolutions: the same engine.
    "vgg11_bn": "vgg11", "vgg13_bn": "vgg13", "vgg16_bn": "vgg16",
}
FAMILIES = ["yolov8", "yolov9", "yolox", "resnet", "vgg", "densenet", "shufflenet", "mobilenet", "alexnet", "squeezenet"]


def family(network):
    return next(name for name in FAMILIES if network.startswith(name))


def measured(data):
    """(board, network, size, milliseconds, source) of every usable row."""
    with open(data / "trtutils_yolo" / "latency.csv", newline="") as file:
        for row in csv.DictReader(file):
            if row["device"] in BOARDS:
                yield BOARDS[row["device"]], row["network"], int(row["in_h"]), float(row["median_ms"]), "trtutils"
    with open(data / "netspresso_jetson" / "latency.csv", newline="") as file:
        for row in csv.DictReader(file):
            # Older rows are of pruned networks, in a precision that is not stated.
            if row["table"] == "current" and float(row["channel_keep_ratio"]) == 1.0:
                yield BOARDS[row["device"]], row["network"], int(row["in_h"]), float(row["latency_ms"]), "netspresso"
    with open(data / "torch2trt_jetson" / "latency.csv", newline="") as file:
        for row in csv.DictReader(file):
            yield BOARDS[row["device"]], row["network"], int(row["in_h"]), float(row["latency_trt_ms"]), "torch2trt"


def main(data, graphs, out):
    lists, absent = {}, {}
    for board, name, size, milliseconds, source in measured(data):
        network = GRAPH.get(name, name)
        graph = graphs / (f"{network}.onnx" if size == 224 else f"{network}_{size}.onnx")
        if not graph.is_file():
            absent[name] = absent.get(name, 0) + 1
            continue
        rows = lists.setdefault(board, {})
        key = f"{network}_{size}_{source}"
        # vgg11 and vgg11_bn are the same engine: their mean counts.
        rows.setdefault(key, (graph, network, source, []))[3].append(milliseconds)
    out.mkdir(parents=True, exist_ok=True)
    for board, rows in lists.items():
        with open(out / f"{board}.csv", "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["file", "model", "family", "source", "runtime"])
            for model, (graph, network, source, times) in sorted(rows.items()):
                writer.writerow([graph.resolve(), model, family(network), source, sum(times) / len(times)])
        print(f"{board}: {len(rows)} networks and sizes, {len({family(row[1]) for row in rows.values()})} families")
    for name, rows in sorted(absent.items()):
        print(f"no graph of {name}: {rows} measurements left out", file=sys.stderr)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*map(pathlib.Path, sys.argv[1:]))
