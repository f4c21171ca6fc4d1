"""Times commands of `host-trainer` as whole processes, and writes what was measured where scripts/figures.py reads it.

    cargo build --release -p host-trainer
    python3 benches/commands/run.py target/release/host-trainer [--rounds 11] [--out benches/commands/results.json]

Commands take turns, so that other work on the machine meets them all. Processor time is user and system seconds, which a busy machine
changes least; the most memory is that of the round that took most. Nothing but Python's standard library is needed.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
# What is timed, and the command behind it: short commands that the first pages show.
COMMANDS = {
    "predict an engine info (ResNet-18)": "predict --trt-engine-path sample_data/resnet18_trt_engine_info.json",
    "predict an ONNX graph (ResNet-18)": "predict --onnx sample_data/resnet18.onnx",
    "list the layers of an ONNX graph": "engine-info sample_data/resnet18.onnx",
    "compare two engine infos": "diff sample_data/resnet18_trt_engine_info.json sample_data/resnet50_trt_engine_info.json",
    "check budgets of an engine info": "check --budgets docs/ci/budgets.toml sample_data/resnet18_trt_engine_info.json",
    "write MobileNetV2 as an ONNX graph": "networks write mobilenet_v2 --out {scratch}",
}


def timed(command):
    """Seconds, seconds of processor time, and MiB of memory of a process."""
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"{' '.join(command)}\n{said.decode()}")
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def machine():
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    return f"{model}, {len(os.sched_getaffinity(0))} processors"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "benches/commands/results.json")
    options = parser.parse_args()
    program = str(options.program.resolve())
    version = subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout
    load = os.getloadavg()[0]
    taken = {name: [] for name in COMMANDS}
    with tempfile.TemporaryDirectory() as scratch:
        for _ in range(options.rounds):
            for name, command in COMMANDS.items():
                taken[name].append(timed([program, "--quiet", *command.format(scratch=scratch).split()]))
    rows = []
    for name, rounds in taken.items():
        wall, cpu, memory = zip(*rounds)
        rows.append(
            {
                "what": name,
                "command": f"host-trainer {COMMANDS[name].format(scratch='networks')}",
                "milliseconds": {"median": statistics.median(wall) * 1e3, "least": min(wall) * 1e3, "most": max(wall) * 1e3},
                "processor_milliseconds": statistics.median(cpu) * 1e3,
                "most_mib": max(memory),
            }
        )
    results = {
        "date": datetime.date.today().isoformat(),
        "program": ", ".join(version.splitlines()[:2]),
        "machine": machine(),
        "load_before": round(load, 1),
        "rounds": options.rounds,
        "rows": rows,
    }
    options.out.write_text(json.dumps(results, indent=2) + "\n")
    for row in rows:
        wall = row["milliseconds"]
        print(f"{wall['median']:8.1f} ms ({wall['least']:.1f} to {wall['most']:.1f}) {row['most_mib']:6.1f} MiB  {row['what']}")


if __name__ == "__main__":
    main()
