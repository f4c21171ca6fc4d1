"""Times `host-trainer fit` with several model kinds on all rows of the TX2 sweep (`../shared/data`).

    python3 benches/train/kinds.py --program target/release/host-trainer --kind linear --kind glm --kind lasso --kind hybrid

Each fit exports its models, judges them by a cross-validation and checks the exported graphs. Kinds take turns; the least of each figure
counts, which is the one that other work on the machine disturbs least. Processor time is user and system seconds of the process.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benches/accuracy"))

import sets  # noqa: E402 - it lies in the folder above


def fit(program, data, kind, out):
    """Wall and processor seconds."""
    start = time.monotonic()
    command = [program, "--quiet", "fit", "--data", data, "--out", out, "--kind", kind, "--test-models", "none"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(map(str, command))} failed")
    return time.monotonic() - start, usage.ru_utime + usage.ru_stime


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--program", type=Path, default=ROOT / "target/release/host-trainer")
    arguments.add_argument("--data", type=Path, default=ROOT.parent / "shared/data")
    arguments.add_argument("--kind", action="append", required=True)
    arguments.add_argument("--turns", type=int, default=3)
    given = arguments.parse_args()
    tables, _ = sets.tx2(given.data)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        sets.write(folder / "data", tables)
        taken = {kind: [] for kind in given.kind}
        for turn in range(given.turns):
            for kind in given.kind:
                taken[kind].append(fit(given.program, folder / "data", kind, folder / f"{kind}{turn}"))
    print(f"{sum(map(len, tables.values()))} rows, {os.cpu_count()} cores, {given.turns} turns")
    for kind, figures in taken.items():
        wall, processor = (min(column) for column in zip(*figures))
        print(f"{kind:10} {wall:7.2f} s, {processor:7.2f} s of processor time")


if __name__ == "__main__":
    main()
