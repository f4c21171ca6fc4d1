"""Trains and judges model kinds on the measured sets, split as they must be judged.

    python3 benches/accuracy/run.py --program target/release/host-trainer --set tx2 --kind physics --kind hybrid
"""

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path

import sets

ROOT = Path(__file__).resolve().parents[2]


def run(command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stderr}")
    return done.stdout


def judge(program, kind, train, test, models, options):
    """Fits and evaluates; the lines, and the seconds that the fit took."""
    start = time.monotonic()
    run([program, "--quiet", "fit", "--data", train, "--out", models, "--kind", kind, "--test-models", "none", *options])
    seconds = time.monotonic() - start
    out = run([program, "--quiet", "evaluate", "--models", models, "--data", test, "--format", "json"])
    return json.loads(out), seconds


def show(*cells):
    widths = (24, 8, 14, 8, 6, 8, 8, 9, 9, 7)
    print(" ".join(f"{cell!s:<{width}}" for cell, width in zip(cells, widths)).rstrip(), flush=True)


def figure(value):
    return "-" if value is None else f"{value:.2f}"


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--program", type=Path, default=ROOT / "target/release/host-trainer")
    arguments.add_argument("--data", type=Path, default=ROOT.parent / "shared/data")
    arguments.add_argument("--set", choices=["tx2", "nano", "nano-gpu", "trt"], required=True)
    arguments.add_argument("--kind", action="append", required=True)
    arguments.add_argument("--split", action="append", help="only splits whose name begins so")
    arguments.add_argument("--config", type=Path, help="options of the fit, in TOML")
    given = arguments.parse_args()
    if given.set == "trt":
        tables, devices = sets.trt(given.data)
        splits = {f"{device} {network}": {network} for device, networks in devices.items() for network in sorted(networks)}
    elif given.set == "tx2":
        tables, splits = sets.tx2(given.data)
    else:
        tables, splits = sets.nano(given.data, "gpu" if given.set == "nano-gpu" else "in")
    options = ["--config", given.config] if given.config else []
    means = {}
    show("split", "model", "kind", "target", "n", "MAPE %", "RMSPE %", "in 90 %", "non-pos.", "fit s")
    for name, held_out in splits.items():
        if given.split and not any(name.startswith(start) for start in given.split):
            continue
        for kind in given.kind:
            with tempfile.TemporaryDirectory() as folder:
                folder = Path(folder)
                chosen = tables
                if given.set == "trt":
                    device = name.split()[0]
                    chosen = {t: [r for r in rows if r["device"] == device] for t, rows in tables.items()}
                sets.split(folder, chosen, lambda model: model in held_out)
                lines, seconds = judge(
                    given.program, kind, folder / "train", folder / "test", folder / "models", options
                )
            for line in lines:
                show(
                    name,
                    kind,
                    line["kind"],
                    line["target"],
                    line["n"],
                    figure(line["mape_percent"]),
                    figure(line["rmspe_percent"]),
                    figure(line["interval_90_coverage_percent"]),
                    line["non_positive"],
                    f"{seconds:.1f}",
                )
                group = " ".join(name.split()[:-1])
                means.setdefault((group, kind, line["kind"], line["target"]), []).append(
                    (line["n"], line["mape_percent"])
                )
    for (group, kind, layer, target), found in means.items():
        if len(found) > 1:
            total = sum(n for n, _ in found)
            mean = sum(n * mape for n, mape in found) / total
            show(f"all: {group}", kind, layer, target, total, figure(mean))


if __name__ == "__main__":
    main()
