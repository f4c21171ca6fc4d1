"""Times `host-trainer predict` beside the Python peer, as whole processes, turn by turn in one run.

usage: compare.py HOST_TRAINER ENGINE.json MODELS_DIR DEVICE [RUNS]

First both predict once and their answers are compared, row by row. Then they run in turns. Printed are the medians and their
ratio, and rate and memory of one process that predicts the same engine a thousand times. Needs numpy, onnxruntime, pandas.
"""

import csv
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time


def seconds(command):
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


def rows(path):
    with open(path, newline="") as file:
        return {row["layer_name"]: row for row in csv.DictReader(file)}


def main():
    program, engine, models, device = sys.argv[1:5]
    runs = int(sys.argv[5]) if len(sys.argv) > 5 else 15
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        ours_csv, peer_csv = scratch / "ours.csv", scratch / "peer.csv"
        ours = [program, "predict", "--trt-engine-path", engine, "--models", models, "--device", device,
                "--result-csv-path", str(ours_csv)]
        peer = [sys.executable, str(pathlib.Path(__file__).with_name("peer.py")), engine,
                str(pathlib.Path(models) / device), str(peer_csv)]
        seconds(ours), seconds(peer)
        mine, theirs = rows(ours_csv), rows(peer_csv)
        worst = 0.0
        for name, row in theirs.items():
            for column in ("power_prediction", "runtime_prediction"):
                if row[column]:
                    worst = max(worst, abs(float(mine[name][column]) / float(row[column]) - 1.0))
        if worst > 1e-5:
            sys.exit(f"the two disagree by {worst:.1e}")
        print(f"{len(theirs)} rows agree within {worst:.1e}")
        times = [(seconds(ours), seconds(peer)) for _ in range(runs)]
        ours_s, peer_s = (statistics.median(column) for column in zip(*times))
        print(f"one prediction, whole process, median of {runs}: {ours_s * 1e3:.1f} ms; "
              f"Python with pandas and onnxruntime {peer_s * 1e3:.0f} ms; ratio {peer_s / ours_s:.1f}")
        many = scratch / "engines"
        many.mkdir()
        for number in range(1000):
            shutil.copy(engine, many / f"{number:04}.json")
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        took = seconds([program, "predict", "--trt-engine-path", str(many), "--models", models, "--device", device,
                        "--format", "csv"])
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        note = "" if peak > before else " or less"
        print(f"1,000 engines in one process: {took:.2f} s, {1000 / took:.0f} engines/s, peak memory {peak / 1024:.0f} MiB{note}")


if __name__ == "__main__":
    main()
