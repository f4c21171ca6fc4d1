"""Writes measured data sets in host-trainer's training layout, split into training and held-out folders.

The sets lie beside the project (`../shared/data`), are read at run time and never copied into it. Standard library only.
"""

import csv
import gzip
import math
import random
from pathlib import Path

CONVOLUTIONAL = (
    "model batch_size input_size_0 input_size_1 input_size_2 output_size_0 output_size_1 output_size_2 "
    "kernel_0 kernel_1 padding_0 padding_1 stride_0 stride_1 power runtime layer_name groups precision weights device"
).split()
POOLING = (
    "model batch_size input_size_0 input_size_1 input_size_2 output_size_0 output_size_1 output_size_2 "
    "kernel_0 kernel_1 stride_0 stride_1 power runtime layer_name padding_0 padding_1 precision device"
).split()
SIZES = "model batch_size input_size output_size power runtime layer_name precision weights device".split()
NETWORKS = "model batch_size runtime power energy".split()
COLUMNS = {"convolutional": CONVOLUTIONAL, "pooling": POOLING, "networks": NETWORKS}


def write(folder, tables):
    """Writes {table: [row as dict]} as CSV files."""
    folder.mkdir(parents=True, exist_ok=True)
    for table, rows in tables.items():
        if not rows:
            continue
        with open(folder / f"{table}.csv", "w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS.get(table, SIZES), restval="", extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)


def split(folder, tables, held_out):
    """Writes `train` and `test` folders; `held_out` tells of a network's name whether it is held out."""
    for name, wanted in (("train", False), ("test", True)):
        chosen = {t: [r for r in rows if held_out(r["model"]) is wanted] for t, rows in tables.items()}
        write(folder / name, chosen)


def tenths(names, count=4):
    """Splits of a random tenth of some names each: what one tenth says of a model differs by a tenth of its error."""
    names = sorted(names)
    return {f"random tenth {seed}": set(random.Random(seed).sample(names, len(names) // 10)) for seed in range(1, count + 1)}


def tx2(data):
    """5,000 single convolutions on a TX2, each a network of its own: tables, and splits by name."""
    rows, sizes, kernels = [], {}, {}
    with open(data / "tx2_conv_sweep" / "conv2d_tx2_gpu.csv", newline="") as file:
        for number, r in enumerate(csv.DictReader(file)):
            name = f"conv{number:05}"
            sizes.setdefault(int(r["input_hw"]), set()).add(name)
            kernels.setdefault(int(r["kernel"]), set()).add(name)
            rows.append(
                {
                    "model": name,
                    "batch_size": r["batch_size"],
                    "input_size_0": r["c_in"],
                    "input_size_1": r["input_hw"],
                    "input_size_2": r["input_hw"],
                    "output_size_0": r["c_out"],
                    "output_size_1": r["out_hw"],
                    "output_size_2": r["out_hw"],
                    "kernel_0": r["kernel"],
                    "kernel_1": r["kernel"],
                    "padding_0": r["padding"],
                    "padding_1": r["padding"],
                    "stride_0": r["stride"],
                    "stride_1": r["stride"],
                    "power": float(r["power_w"]) * 1e6,
                    "runtime": r["latency_ms"],
                    "layer_name": name,
                    "groups": 1,
                    "precision": "fp32",
                    "device": "jetson-tx2",
                }
            )
    splits = tenths(r["model"] for r in rows)
    splits |= {f"input size {size}": names for size, names in sorted(sizes.items())}
    splits |= {f"kernel {size}": names for size, names in sorted(kernels.items())}
    return {"convolutional": rows}, splits


def nano(data, power="in"):
    """Networks on a Jetson Nano: layers without measurements, and measured totals; `power` is `in` (board) or `gpu`."""
    families = {"dws": "depthwise-separable", "mix": "mixed kernels"}
    conv, dense, totals, by_family = [], [], [], {}
    with gzip.open(data / "jetson_nano_nas12k" / "models.csv.gz", "rt", newline="") as file:
        for r in csv.DictReader(file):
            name = f"{r['subset']}/{r['model']}"
            family = families.get(r["subset"][:3], "plain")
            if family == "mixed kernels":
                family += f" {r['subset'][-2:]}"
            by_family.setdefault(family, set()).add(name)
            if family == "plain" and int(r["n_conv"]) >= 5:
                # All of whose kernel sizes other families have too.
                by_family.setdefault("plain of five layers and more", set()).add(name)
            watts = float(r[f"power_{power}_mw"]) / 1e3
            totals.append(
                {
                    "model": name,
                    "batch_size": 1,
                    "runtime": r["latency_ms"],
                    "power": watts,
                    "energy": watts * float(r["latency_ms"]),
                }
            )
            for number, layer in enumerate(r["layers"].split(";")):
                kind, c_in, hw_in, c_out, hw_out, k, stride, pad, groups = layer.split(":")
                common = {
                    "model": name,
                    "batch_size": 1,
                    "layer_name": f"{kind}{number}",
                    "precision": "fp32",
                    "device": "jetson-nano",
                }
                if kind == "fc":
                    sizes = {"input_size": int(c_in) * int(hw_in) ** 2, "output_size": c_out}
                    dense.append(common | sizes)
                    continue
                conv.append(
                    common
                    | {
                        "input_size_0": c_in,
                        "input_size_1": hw_in,
                        "input_size_2": hw_in,
                        "output_size_0": c_out,
                        "output_size_1": hw_out,
                        "output_size_2": hw_out,
                        "kernel_0": k,
                        "kernel_1": k,
                        "padding_0": 2 * int(pad),
                        "padding_1": 2 * int(pad),
                        "stride_0": stride,
                        "stride_1": stride,
                        "groups": groups,
                    }
                )
    splits = tenths(t["model"] for t in totals)
    splits |= {f"family {family}": names for family, names in sorted(by_family.items())}
    return {"convolutional": conv, "dense": dense, "networks": totals}, splits


def trt(data):
    """TensorRT layers of several GPUs, every precision: tables by layer kind, with splits by network within each device.

    A network is an architecture where a device has several (its runs and precisions stay together), else an engine.
    """
    kinds = {
        "CaskConvolution": "convolutional",
        "CudaDepthwiseConvolution": "convolutional",
        "FusedConvActConvolution": "convolutional",
        "ConvActPool": "convolutional",
        "CaskGemmConvolution": "dense",
        "gemm": "dense",
        "CaskPooling": "pooling",
        "TiledPooling": "pooling",
        "CudaPooling": "pooling",
        "Reformat": "reformat",
        "PointWiseV2": "pointwise",
        "Scale": "pointwise",
        "kgen": "pointwise",
    }
    tables, splits = {}, {}
    with open(data / "trt_layer_latency" / "layers.csv", newline="") as file:
        for r in csv.DictReader(file):
            kind = kinds.get(r["layer_type"])
            inputs = [[int(d) for d in t.split("x")] for t in r["in_dims"].split(";") if t]
            outputs = [[int(d) for d in t.split("x")] for t in r["out_dims"].split(";") if t]
            if kind is None or not inputs or not outputs:
                continue
            words = (r["weights_type"] or r["in_fmt"]).lower()
            precision = "int8" if "int8" in words else "fp16" if "half" in words or "fp16" in words else "fp32"
            device = r["device"].lower().replace(" ", "-")
            architectures = ("alexnet", "mobilenet_v2", "resnet18") if r["source"] == "evpe_desktop" else ()
            network = next((a for a in architectures if a in r["network"]), r["network"])
            common = {
                "model": network,
                "batch_size": inputs[0][0],
                "runtime": r["mean_ms"],
                "layer_name": f"{r['network']}/{r['idx']}",
                "precision": precision,
                "device": device,
            }
            count = lambda tensors: sum(math.prod(t) for t in tensors)
            if kind in ("convolutional", "pooling"):
                if len(inputs[0]) != 4 or len(outputs[0]) != 4 or not r["kernel"]:
                    continue
                pair = lambda field, default: (r[field].split("x") if r[field] else default)
                (k0, k1), (s0, s1), (p0, p1) = pair("kernel", "11"), pair("stride", "11"), pair("pre_pad", "00")
                common |= {f"input_size_{i}": v for i, v in enumerate(inputs[0][1:])}
                common |= {f"output_size_{i}": v for i, v in enumerate(outputs[0][1:])}
                common |= {"kernel_0": k0, "kernel_1": k1, "stride_0": s0, "stride_1": s1}
                common |= {"padding_0": 2 * int(p0), "padding_1": 2 * int(p1)}
                common["groups"] = int(float(r["groups"] or 1))
            else:
                # A matrix product lists its second matrix among its inputs; host-trainer counts the first input alone.
                common |= {"output_size": count(outputs)}
                common["input_size"] = count(inputs[:1] if kind == "dense" else inputs)
                common["weights"] = int(float(r["weights_count"] or 0)) or ""
            tables.setdefault(kind, []).append(common)
            splits.setdefault(device, set()).add(network)
    return tables, {device: networks for device, networks in splits.items() if len(networks) > 1}


def xavier(data):
    """TensorRT layers of GoogLeNet on an AGX Xavier's GPU, FP16: means over profiles; each inception module is a network of its own."""
    times, shapes = {}, {}
    with gzip.open(data / "haxconn_xavier" / "googlenet_layers.csv.gz", "rt", newline="") as file:
        for r in csv.DictReader(file):
            kind = {"conv": "convolutional", "pool_max": "pooling"}.get(r["kind"])
            # Transitions change formats of layers, and one profile is of another state of the board.
            if kind and r["input_dims"] and r["start_engine"] == "gpu" and r["experiment"] == "mark":
                times.setdefault(r["trt_layer"], []).append(float(r["runtime_ms"]))
                shapes[r["trt_layer"]] = kind, r
    tables, splits = {}, {}
    for name, (kind, r) in shapes.items():
        (_, *inputs), (_, *outputs) = (r[column].split("x") for column in ("input_dims", "output_dims"))
        module = name.split("/")[0]
        row = {"model": module, "batch_size": 1, "runtime": sum(times[name]) / len(times[name]), "layer_name": name}
        row |= {f"input_size_{i}": v for i, v in enumerate(inputs)} | {f"output_size_{i}": v for i, v in enumerate(outputs)}
        for axis in (0, 1):
            row |= {f"kernel_{axis}": r["kernel"], f"stride_{axis}": r["stride"], f"padding_{axis}": 2 * int(r["padding"] or 0)}
        row |= {"groups": r["groups"] or 1, "precision": "fp16", "device": "agx-xavier"}
        tables.setdefault(kind, []).append(row)
        splits[f"module {module}"] = {module}
    return tables, splits
