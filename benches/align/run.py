"""Times `host-trainer align --method window` and `--method auto` against window_rule.py: whole processes, wall-clock and CPU time,
peak memory, and whether both write the same numbers.

    cargo build --release -p host-trainer
    python run.py target/release/host-trainer [CYCLES LAYERS]...

Needs pandas. Every process runs `REPEATS` times; the least of each figure counts, which is the one that other work on the
machine disturbs least.
"""

import csv
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
REPEATS = 3


def timed(command, repeats):
    best = None
    for _ in range(repeats):
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        stderr = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        if status != 0:
            raise SystemExit(f"{command} failed: {stderr.decode()}")
        figures = (wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
        best = figures if best is None else tuple(map(min, best, figures))
    return best


def equal(ours: Path, theirs: Path) -> int:
    """Rows in which the reference's six columns agree; stops with the first that do not."""
    count = 0
    with ours.open() as a, theirs.open() as b:
        for row, other in zip(csv.reader(a), csv.reader(b), strict=True):
            if row[:6] != other[:6]:
                raise SystemExit(f"row {count}: {row[:6]} {other[:6]}")
            count += 1
    return count


def memory_bandwidth() -> float:
    """GB/s of copying 256 MiB: what the machine's memory does at best in one thread."""
    block = bytes(256 << 20)
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        bytearray(block)
        best = min(best, time.perf_counter() - start)
    return len(block) / best / 1e9


def main() -> None:
    program = Path(sys.argv[1]).resolve()
    sizes = [(int(a), int(b)) for a, b in zip(sys.argv[2::2], sys.argv[3::2])] or [(30_000, 26), (30_000, 160)]
    for cycles, layers in sizes:
        with tempfile.TemporaryDirectory() as folder:
            run = Path(folder) / "raw" / "net"
            subprocess.run([sys.executable, HERE / "make_run.py", run, str(cycles), str(layers)], check=True)
            size = (run / "trt_profiling/trt_layer_latency.json").stat().st_size / 1e6
            theirs = Path(folder) / "theirs.csv"
            peer = timed([sys.executable, HERE / "window_rule.py", run, theirs], 1 if layers > 100 else REPEATS)
            print(f"{cycles} cycles x {layers} layers, {size:.0f} MB of latencies")
            print(f"  pandas     {peer[0]:8.2f} s  CPU {peer[1]:8.2f} s  {peer[2]:7.0f} MiB")
            for method in ["window", "auto"]:
                results = Path(folder) / method
                command = [program, "align", "--raw-data-dir", run.parent, "--result-dir", results, "--method", method]
                ours = timed(command, REPEATS)
                print(
                    f"  {method:<10} {ours[0]:8.2f} s  CPU {ours[1]:8.2f} s  {ours[2]:7.0f} MiB"
                    f"   time 1/{peer[0] / ours[0]:.0f}, CPU 1/{peer[1] / ours[1]:.0f}, memory 1/{peer[2] / ours[2]:.1f},"
                    f" {size / 1e3 / ours[0]:.2f} GB/s of latencies"
                )
            rows = equal(Path(folder) / "window/net/power_runtime_mapping_layerwise.csv", theirs)
            print(f"  the window rule's {rows} rows are equal")
    # Last, for a child's peak memory counts what its parent held when it was started.
    print(f"copying memory: {memory_bandwidth():.1f} GB/s")


if __name__ == "__main__":
    main()
