"""Writes a run folder like the reference's, of any size: CYCLES inferences of LAYERS layers.

    python make_run.py FOLDER CYCLES LAYERS
"""

import json
import random
import sys
from datetime import datetime, timedelta
from pathlib import Path


def main(folder: Path, cycles: int, layers: int) -> None:
    rng = random.Random(1)
    start = datetime(2025, 1, 28, 13, 38, 20)
    names = [f"[CONVOLUTION]-[aten_ops.convolution.default]-[/features/{i}/convolution_{i}]" for i in range(layers)]
    mean = [0.01 + 0.15 * rng.random() ** 2 for _ in names]
    lists = {name: [] for name in names}
    now = 2e6  # microseconds
    for _ in range(cycles):
        spans = [m * (1 + 0.02 * rng.gauss(0, 1)) for m in mean]
        now += 1e3 * sum(spans)
        for i, (name, span) in enumerate(zip(names, spans)):
            stamp = (start + timedelta(microseconds=int(now) + 13 * i)).strftime("%Y%m%d-%H:%M:%S.%f")
            lists[name].append([span, stamp])
        now += 13 * layers + 300
    (folder / "trt_profiling").mkdir(parents=True, exist_ok=True)
    (folder / "trt_profiling/trt_layer_latency.json").write_text(json.dumps(lists, indent=4))
    engine = {"Layers": [{"Name": name, "LayerType": "CaskConvolution"} for name in names]}
    (folder / "trt_profiling/trt_engine_info.json").write_text(json.dumps(engine))
    (folder.parent / "idling_power.json").write_text('{"timestamp": "20250128-133619", "avg_idle_power": 4182323.8}')
    with (folder / f"{folder.name}_power_log.log").open("w") as log:
        at = 0.0
        while at < now + 2e6:
            stamp = (start + timedelta(microseconds=int(at))).strftime("%Y%m%d-%H:%M:%S.%f")
            log.write(f"{stamp},5008.0,{8.0 * round((1300 + 100 * rng.gauss(0, 1)) / 8)}\n")
            at += 2290 + 40 * rng.gauss(0, 1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
