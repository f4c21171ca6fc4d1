"""Times training against PyTorch, scikit-learn, LightGBM and SciPy: same numbers, same model, one thread, one machine.

    cargo build --release -p host-trainer --example train_kinds
    python3 benches/train/run.py --python VENV/bin/python

The interpreter given needs torch, scikit-learn, lightgbm, scipy and numpy. Ours and the peer's runs take turns; the least of each
figure counts, which is the one that other work on the machine disturbs least. Processor time is user and system seconds: of
our whole process, and of the peer's training alone. What is compared:

- a perceptron (95, 47, 9 hidden units, Adam, batches of 64) on 100,000 made-up rows of 5 inputs and 3 outputs;
- the physical model of run time on the TX2 sweep (`../shared/data`), and the hybrid's 1,000 boosted trees over it.
"""

import argparse
import csv
import json
import os
import random
import struct
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
INPUTS, OUTPUTS = 5, 3
ROUNDS = 1000


def write(path, values):
    path.write_bytes(struct.pack(f"<{len(values)}d", *values))


def table(folder, rows):
    """Made-up rows: products, quotients and a threshold of five inputs, with noise."""
    draw = random.Random(1)
    x, y = [], []
    for _ in range(rows):
        a, b, c, d, e = (draw.uniform(0.0, 4.0) for _ in range(INPUTS))
        noise = lambda: draw.gauss(0.0, 0.1)
        x += [a, b, c, d, e]
        y += [a * b + c + noise(), a / (1.0 + d) + 0.5 * e + noise(), max(b - c, 0.0) * e + noise()]
    write(folder / "rows.f64", x)
    write(folder / "targets.f64", y)


def sweep(folder, data):
    """The TX2 sweep's run times as the physical model reads them, a random tenth held out; its measurements."""
    lines = list(csv.DictReader(open(data / "tx2_conv_sweep" / "conv2d_tx2_gpu.csv", newline="")))
    held_out = set(random.Random(1).sample(range(len(lines)), len(lines) // 10))
    rows, targets, test, measured = [], [], [], []
    for number, r in enumerate(lines):
        c_in, h, c_out, out, k, stride = (
            float(r[name]) for name in ("c_in", "input_hw", "c_out", "out_hw", "kernel", "stride")
        )
        row = [float(r["batch_size"]), c_in, h, h, c_out, out, out, k, k, stride, stride, c_in, 4.0]
        if number in held_out:
            test += row
            measured.append(float(r["latency_ms"]))
        else:
            rows += row
            targets.append(float(r["latency_ms"]))
    for name, values in (("rows", rows), ("targets", targets), ("test_rows", test)):
        write(folder / f"{name}.f64", values)
    return measured


def timed(command):
    """What a process printed, its processor time, and its wall-clock time."""
    environment = os.environ | {"RAYON_NUM_THREADS": "1"}
    start = time.perf_counter()
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, env=environment)
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"failed: {' '.join(map(str, command))}")
    found = json.loads(out)
    found.setdefault("cpu_seconds", usage.ru_utime + usage.ru_stime)
    return found


def least(runs):
    return runs[0] | {name: min(run[name] for run in runs) for name in ("seconds", "cpu_seconds")}


def duel(ours, peers, repeats):
    found = {name: [] for name in ("ours", *peers)}
    for _ in range(repeats):
        found["ours"].append(timed(ours))
        for name, command in peers.items():
            found[name].append(timed(command))
    return {name: least(runs) for name, runs in found.items()}


def mape(predicted, measured):
    return 100.0 * sum(abs(p / y - 1.0) for p, y in zip(predicted, measured)) / len(measured)


def show(found, quality, figure):
    ours = found["ours"]
    print(f"{'':<14}{'CPU s':>9}{'wall s':>9}{'x CPU':>8}{'x wall':>8}  {quality}")
    for name, run in found.items():
        ratios = (run["cpu_seconds"] / ours["cpu_seconds"], run["seconds"] / ours["seconds"])
        label = f"{name} {run.get('version', '')}".strip()
        print(
            f"{label:<14}{run['cpu_seconds']:>9.3f}{run['seconds']:>9.3f}{ratios[0]:>8.2f}{ratios[1]:>8.2f}  {figure(run)}",
            flush=True,
        )


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--program", type=Path, default=ROOT / "target/release/examples/train_kinds")
    arguments.add_argument("--python", type=Path, required=True)
    arguments.add_argument("--data", type=Path, default=ROOT.parent / "shared/data")
    arguments.add_argument("--rows", type=int, default=100_000)
    arguments.add_argument("--epochs", type=int, default=5)
    arguments.add_argument("--repeats", type=int, default=3)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        table(folder, given.rows)
        settings = {
            "hidden": [95, 47, 9],
            "learning_rate": 1e-3,
            "weight_decay": 0.0,
            "batch_size": 64,
            "epochs": given.epochs,
            "patience": 0,
            "plateau_patience": 0,
            "gradient_norm": 0.0,
            "validation_share": 0.0,
            "target_scale": "signed",
            "log_inputs": False,
            "members": 1,
            "seed": 1,
        }
        file = folder / "settings.json"
        file.write_text(json.dumps(settings))
        common = [folder, INPUTS, OUTPUTS, file]
        peers = {name: [given.python, HERE / "peers.py", name, *common, 1] for name in ("torch", "sklearn")}
        found = duel([given.program, "mlp", *common], peers, given.repeats)
        print(f"perceptron, {given.rows} rows, {given.epochs} epochs, one thread")
        show(found, "mean loss in the last epoch", lambda run: f"{run['losses'][-1]:.5f}")
        tx2 = folder / "tx2"
        tx2.mkdir()
        measured = sweep(tx2, given.data)
        for kind, peer in (("physics", "scipy"), ("hybrid", "lightgbm")):
            command = [given.python, HERE / "peers.py", peer, tx2, ROUNDS]
            found = duel([given.program, kind, tx2, ROUNDS], {peer: command}, given.repeats)
            print(f"\n{kind}, TX2 run time, one thread")
            show(found, "MAPE % on a held-out tenth", lambda run: f"{mape(run['predictions'], measured):.2f}")


if __name__ == "__main__":
    main()
