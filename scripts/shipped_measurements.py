"""Lays out the measurements behind the shipped models as the program's own folders.

usage: shipped_measurements.py preprocess DATA OUT    DATA/{orin_evpe,trt_layer_latency,engine_info} to OUT/<device>/<run>/
       shipped_measurements.py merge TABLES OUT       training tables TABLES/<run>/<kind>.csv to OUT/<kind>.csv, one network an
                                                      architecture, so that folds never split one

Only sets under Apache-2.0 are read: the Orin run and the desktop runs of the same project.
"""

import csv
import pathlib
import shutil
import sys

MAPPING = ["cycle", "layer_name", "layer_type", "layer_power_including_idle_power_micro_watt",
           "layer_power_excluding_idle_power_micro_watt", "layer_run_time"]
ARCHITECTURES = ["alexnet", "mobilenet_v2", "resnet18"]


def write(folder, engine_info, rows):
    folder.mkdir(parents=True)
    shutil.copy(engine_info, folder / "trt_engine_info.json")
    with open(folder / "power_runtime_mapping_layerwise.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(MAPPING)
        writer.writerows(rows)


def preprocess(data, out):
    orin = data / "orin_evpe"
    with open(orin / "mobilenet_v2_layer_power_by_cycle_v2.csv", newline="") as file:
        # The first of the five inferences ran cold. Idle power was not measured in that run, so that there is no net power.
        rows = [[row["cycle"], row["layer_name"], row["layer_type"], row["average_power"], "", row["layer_run_time"]]
                for row in csv.DictReader(file) if int(row["cycle"]) > 1]
    write(out / "jetson-orin-nano" / "mobilenet_v2", orin / "mobilenet_v2_trt_engine_info.json", rows)

    runs = {}
    with open(data / "trt_layer_latency" / "layers.csv", newline="") as file:
        for row in csv.DictReader(file):
            if row["source"] == "evpe_desktop":
                runs.setdefault(row["network"], []).append(
                    [1, row["name"], row["layer_type"], "", "", row["mean_ms"]])
    for run, rows in runs.items():
        stem = run.rsplit("_run", 1)[0]
        found = [path for path in (data / "engine_info" / f"evpe_desktop__{stem}{end}" for end in (".json", ".graph.json"))
                 if path.is_file()]
        if not found:
            sys.exit(f"no engine info for {run}")
        write(out / "desktop-gpu" / run, found[0], rows)


def merge(tables, out):
    merged = {}
    for path in sorted(tables.glob("*/*.csv")):
        if path.name.endswith("_stats.csv"):
            continue
        architecture = next(name for name in ARCHITECTURES if name in path.parent.name)
        with open(path, newline="") as file:
            for row in csv.DictReader(file):
                merged.setdefault(path.name, []).append({"model": architecture, **row})
    out.mkdir(parents=True)
    for name, rows in merged.items():
        with open(out / name, "w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in ("preprocess", "merge"):
        sys.exit(__doc__)
    {"preprocess": preprocess, "merge": merge}[sys.argv[1]](pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]))
