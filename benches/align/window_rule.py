"""The reference's window rule, written plainly with pandas and strptime: what `host-trainer align` is timed against.

    python window_rule.py RUN_FOLDER RESULT.csv
"""

import json
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd

FORMAT = "%Y%m%d-%H:%M:%S.%f"


def main(folder: Path, result: Path) -> None:
    power = []
    for line in (folder / f"{folder.name}_power_log.log").read_text().splitlines():
        stamp, millivolts, milliamps = line.split(",")
        power.append((datetime.strptime(stamp, FORMAT), float(millivolts) * float(milliamps)))
    latencies = json.loads((folder / "trt_profiling/trt_layer_latency.json").read_text())
    engine = folder / "trt_profiling/trt_engine_info.json"
    types = {}
    if engine.exists():
        types = {layer["Name"]: layer["LayerType"] for layer in json.loads(engine.read_text())["Layers"]}
    idle = float(json.loads((folder.parent / "idling_power.json").read_text())["avg_idle_power"])

    runs = []
    for name, measurements in latencies.items():
        for cycle, (duration, stamp) in enumerate(measurements):
            end = datetime.strptime(stamp, FORMAT)
            runs.append((cycle, end - timedelta(milliseconds=duration), end, duration, name))
    # Inference by inference; within one, the order of the file.
    runs.sort(key=lambda run: run[0])

    rows, at = [], 0
    for cycle, start, end, duration, name in runs:
        while at < len(power) and power[at][0] < start:
            at += 1
        inside = []
        while at < len(power) and power[at][0] <= end:
            inside.append(power[at][1])
            at += 1
        mean = sum(inside) / len(inside) if inside else None
        rows.append(
            {
                "cycle": cycle + 1,
                "layer_name": name,
                "layer_type": types.get(name, "Unknown"),
                "layer_power_including_idle_power_micro_watt": mean,
                "layer_power_excluding_idle_power_micro_watt": mean - idle if mean else None,
                "layer_run_time": duration,
            }
        )
        if at == len(power):
            break
    pd.DataFrame(rows).to_csv(result, index=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
