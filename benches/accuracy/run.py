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


def fit(program, kind, train, models, options):
    """Fits; the seconds it took."""
    start = time.monotonic()
    run([program, "--quiet", "fit", "--data", train, "--out", models, "--kind", kind, "--test-models", "none", *options])
    return time.monotonic() - start


def judge(program, test, models):
    """The lines of an evaluation."""
    return json.loads(run([program, "--quiet", "evaluate", "--models", models, "--data", test, "--format", "json"]))


def by_precision(folder, tables, held_out):
    """Folders of the held-out rows of each precision, where there are several."""
    rows = [(table, row) for table, rows in tables.items() for row in rows if row["model"] in held_out]
    precisions = sorted({row.get("precision", "") for _, row in rows})
    for precision in precisions if len(precisions) > 1 else []:
        chosen = {table: [r for t, r in rows if t == table and r["precision"] == precision] for table in tables}
        sets.write(folder / precision, chosen)
        yield precision, folder / precision


def show(*cells):
    widths = (44, 8, 14, 8, 6, 8, 8, 9, 9, 7)
    print(" ".join(f"{cell!s:<{width}}" for cell, width in zip(cells, widths)).rstrip(), flush=True)


def figure(value):
    return "-" if value is None else f"{value:.2f}"


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--program", type=Path, default=ROOT / "target/release/host-trainer")
    arguments.add_argument("--data", type=Path, default=ROOT.parent / "shared/data")
    arguments.add_argument("--set", choices=["tx2", "nano", "nano-gpu", "trt", "xavier"], required=True)
    arguments.add_argument("--kind", action="append", required=True)
    arguments.add_argument("--split", action="append", help="only splits whose name begins so")
    arguments.add_argument("--config", type=Path, help="options of the fit, in TOML")
    given = arguments.parse_args()
    if given.set == "trt":
        tables, devices = sets.trt(given.data)
        splits = {f"{device} {network}": {network} for device, networks in devices.items() for network in sorted(networks)}
    elif given.set == "tx2":
        tables, splits = sets.tx2(given.data)
    elif given.set == "xavier":
        tables, splits = sets.xavier(given.data)
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
                seconds = fit(given.program, kind, folder / "train", folder / "models", options)
                judged = [(None, judge(given.program, folder / "test", folder / "models"))]
                if given.set == "trt":
                    parts = by_precision(folder / "parts", chosen, held_out)
                    judged += [(precision, judge(given.program, part, folder / "models")) for precision, part in parts]
            for precision, lines in judged:
                for line in lines:
                    if line["mape_percent"] is None or (precision is not None and line["kind"] == "network"):
                        continue
                    show(
                        f"{name} {precision or ''}",
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
                    groups = [" ".join(name.split()[:-1])] + (["every device"] if given.set == "trt" else [])
                    for group in groups:
                        key = (f"{group} {precision or ''}".strip(), kind, line["kind"], line["target"])
                        means.setdefault(key, []).append(
                            (line["n"], line["mape_percent"], line["interval_90_coverage_percent"])
                        )
    for (group, kind, layer, target), found in sorted(means.items()):
        if len(found) > 1:
            total = sum(n for n, *_ in found)
            mean = sum(n * mape for n, mape, _ in found) / total
            covered = [(n, share) for n, _, share in found if share is not None]
            within = sum(n * share for n, share in covered) / sum(n for n, _ in covered) if covered else None
            show(f"all: {group}", kind, layer, target, total, figure(mean), "", figure(within))


if __name__ == "__main__":
    main()
