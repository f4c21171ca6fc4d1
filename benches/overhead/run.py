#!/usr/bin/env python3
"""What the agent costs while it records: its CPU time at 100 Hz and 1 kHz, and what a CPU-bound load loses by it.

    cargo build --release -p jetson-agent
    benches/overhead/run.py [--agent PATH] [--seconds 20] [--rounds 3]

The agent records idle power of an imitated Orin Nano: three rails of an INA3221, nine thermal zones, six processors, the GPU. Every
number that it reads is an attribute of this machine's own sysfs, so that the kernel's part of a read is real; the bus behind a real
sensor is not. CPU time comes from wait4, so that a busy machine does not change it. The load is a loop of Python with a fixed number of
turns on one processor; the agent runs on the same one. With --perf the agent runs once more under `perf record`.
"""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

ATTRIBUTES = [f"/sys/class/net/lo/{name}" for name in ("mtu", "tx_queue_len", "ifindex", "iflink", "addr_len", "type")]
LOAD = """
import resource, sys
x = 1
for _ in range(int(sys.argv[1])):
    x = (x * 1103515245 + 12345) & 0x7fffffff
usage = resource.getrusage(resource.RUSAGE_SELF)
print(usage.ru_utime + usage.ru_stime)
"""


def board(root: pathlib.Path) -> None:
    """An imitated Orin Nano whose numbers are attributes of this machine."""

    def text(path: str, content: str) -> None:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content + "\n")

    def number(path: str, index: int) -> None:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).symlink_to(ATTRIBUTES[index % len(ATTRIBUTES)])

    chip = "sys/class/hwmon/hwmon1"
    text(f"{chip}/name", "ina3221")
    for channel, label in enumerate(("VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC"), 1):
        text(f"{chip}/in{channel}_label", label)
        number(f"{chip}/in{channel}_input", 2 * channel - 2)
        number(f"{chip}/curr{channel}_input", 2 * channel - 1)
        text(f"{chip}/shunt{channel}_resistor", "5000")
    for hwmon, name in ((0, "tmp451"), (2, "pwmfan"), (3, "soctherm_oc"), (4, "nvme")):
        text(f"sys/class/hwmon/hwmon{hwmon}/name", name)
    for counter in (1, 2, 3):
        number(f"sys/class/hwmon/hwmon3/oc{counter}_event_cnt", counter)
    for zone in range(9):
        text(f"sys/class/thermal/thermal_zone{zone}/type", f"zone{zone}-thermal")
        number(f"sys/class/thermal/thermal_zone{zone}/temp", 0)
    for cpu in range(6):
        number(f"sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_cur_freq", 0)
    for other in ("cpufreq", "cpuidle", "hotplug", "power", "vulnerabilities"):
        (root / "sys/devices/system/cpu" / other).mkdir()
    gpu = "sys/class/devfreq/17000000.gpu"
    for name in ("cur_freq", "min_freq", "max_freq", "device/load"):
        number(f"{gpu}/{name}", 0)


def on(cpu: int) -> list[str]:
    return ["taskset", "-c", str(cpu)]


def record(agent: str, scratch: pathlib.Path, name: str, rate: int, seconds: float, cpu: int, prefix=()) -> dict:
    """Runs the agent; its CPU time from wait4 and what its manifest says."""
    result = scratch / name
    command = [*prefix, *on(cpu), agent, "--quiet", "--root", str(scratch / "board"), "idle", "--source", "hwmon", "--rate", str(rate)]
    process = subprocess.Popen([*command, "--duration", f"{seconds}s", "--result-dir", str(result), "--no-realtime"], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"the agent ended with status {status}")
    sampling = json.loads((result / "idling_power.manifest.json").read_text())["sampling"]
    own = usage.ru_utime + usage.ru_stime
    return {
        "share": own / seconds,
        "user": usage.ru_utime / seconds,
        "system": usage.ru_stime / seconds,
        "switches": (usage.ru_nvcsw + usage.ru_nivcsw) / seconds,
        "hz": sampling["achieved_hz"],
        "in_manifest": sampling["cpu_share"],
    }


def floor(scratch: pathlib.Path, rate: int, files: int, seconds: float, cpu: int) -> float | None:
    """The CPU time of a bare loop that reads as often, in percent; None without a C compiler."""
    program = scratch / "floor"
    if not program.exists():
        compiler = shutil.which("cc")
        if not compiler:
            return None
        source = pathlib.Path(__file__).with_name("floor.c")
        subprocess.run([compiler, "-O2", "-o", str(program), str(source)], check=True)
    return float(subprocess.check_output([*on(cpu), str(program), str(rate), str(files), str(seconds)], text=True))


def load(turns: int, cpu: int) -> subprocess.Popen:
    return subprocess.Popen([*on(cpu), sys.executable, "-c", LOAD, str(turns)], stdout=subprocess.PIPE, text=True)


def show(values: list[float], scale: float = 100.0, digits: int = 3) -> str:
    low, middle, high = (scale * v for v in (min(values), statistics.median(values), max(values)))
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agent", default="target/release/jetson-agent")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rates", type=int, nargs="*", default=[100, 1000])
    parser.add_argument("--cpu", type=int, default=max(os.sched_getaffinity(0)))
    parser.add_argument("--turns", type=int, default=0, help="turns of the load; 0 leaves the load out")
    parser.add_argument("--perf", metavar="FILE", help="record one run with perf")
    options = parser.parse_args()
    agent = str(pathlib.Path(options.agent).resolve())
    absent = [path for path in ATTRIBUTES if not pathlib.Path(path).exists()]
    if absent:
        sys.exit(f"this machine has no {absent}")
    with tempfile.TemporaryDirectory() as folder:
        scratch = pathlib.Path(folder)
        board(scratch / "board")
        for rate in options.rates:
            rounds, without, along, bare, waking = [], [], [], [], []
            for number in range(options.rounds):
                if options.turns:
                    without.append(float(load(options.turns, options.cpu).communicate()[0]))
                    busy = load(options.turns, options.cpu)
                rounds.append(record(agent, scratch, f"{rate}-{number}", rate, options.seconds, options.cpu))
                bare.append(floor(scratch, rate, len(ATTRIBUTES), options.seconds, options.cpu))
                waking.append(floor(scratch, rate, 0, options.seconds, options.cpu))
                if options.turns:
                    along.append(float(busy.communicate()[0]))
            of = lambda key: [one[key] for one in rounds]
            print(f"{rate} Hz, {options.rounds} × {options.seconds:.0f} s: median (range)")
            print(f"  CPU of the agent, % of a core   {show(of('share'))}; user {show(of('user'))}, system {show(of('system'))}")
            if None not in bare:
                print(f"  of a bare loop that reads so    {show(bare, 1)}; that only sleeps {show(waking, 1)}")
            print(f"  as its manifest says            {show(of('in_manifest'))}")
            print(f"  readings per second             {show(of('hz'), 1, 1)}; context switches per second {show(of('switches'), 1, 0)}")
            if options.turns:
                print(f"  CPU time of the load, s         without {show(without, 1)}, with {show(along, 1)}")
        if options.perf:
            rate = max(options.rates)
            record(agent, scratch, "perf", rate, options.seconds, options.cpu, ["perf", "record", "-g", "-o", options.perf])


if __name__ == "__main__":
    main()
