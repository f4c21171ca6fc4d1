"""Judges times at other clocks and in other power modes, power, transfer between boards, and the choice of a mode and batch, on measured sets.

    cargo build -p host-trainer
    python3 benches/boards/run.py --program target/debug/host-trainer [--data FOLDER] [modes|power|named|transfer|choose|batches]...

Every part draws the measurements that the program is given with a fixed seed, predicts the rest with it, and prints n, MAPE,
Spearman's correlation and the share of measurements inside the 90 % intervals, beside baselines that are given the same
measurements. Nothing but Python's standard library is needed.
"""

import argparse
import csv
import gzip
import io
import itertools
import math
import random
import subprocess
import tempfile
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REPEATS = 8
# The set does not record clocks. The prior takes the highest, but for the Orin Nano, whose highest came with a later release.
BOARDS = {
    "Jetson AGX Orin 64GB": "agx-orin",
    "Jetson AGX Orin 32GB": "agx-orin-32gb",
    "Jetson Orin NX 16GB": "orin-nx",
    "Jetson Orin Nano 8GB": "orin-nano@15W",
    "Jetson Xavier NX 8GB": "xavier-nx",
}

AGX_MODES = {"15w": "MODE_15W", "30w": "MODE_30W", "50w": "MODE_50W", "maxn": "MAXN"}
# The set gives numbers of nvpmodel.conf.
NUMBERED = {
    ("agx-orin", "PM0"): "MAXN",
    ("agx-orin", "PM1"): "MODE_15W",
    ("agx-orin", "PM2"): "MODE_30W",
    ("agx-orin", "PM3"): "MODE_50W",
    ("orin-nano", "PM0"): "15W",
    ("orin-nano", "PM1"): "7W",
}


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def table(path, header, rows):
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return path


def ask(program, *arguments):
    command = [str(word) for word in (program, "--quiet", "boards", *arguments, "--format", "csv")]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr}")
    return list(csv.DictReader(io.StringIO(done.stdout)))


def ranks(values):
    order = sorted(range(len(values)), key=values.__getitem__)
    result = [0.0] * len(values)
    start = 0
    while start < len(order):
        end = start
        while end + 1 < len(order) and values[order[end + 1]] == values[order[start]]:
            end += 1
        for place in order[start : end + 1]:
            result[place] = (start + end) / 2
        start = end + 1
    return result


def spearman(a, b):
    a, b = ranks(a), ranks(b)
    mean_a, mean_b = sum(a) / len(a), sum(b) / len(b)
    cov = sum((x - mean_a) * (y - mean_b) for x, y in zip(a, b))
    spread = math.sqrt(sum((x - mean_a) ** 2 for x in a) * sum((y - mean_b) ** 2 for y in b))
    return cov / spread if spread > 0 else float("nan")


class Score:
    """Predictions of one method, over every draw."""

    def __init__(self):
        self.errors, self.inside, self.measured, self.predicted = [], [], [], []

    def add(self, measured, predicted, lower=None, upper=None):
        self.errors.append(abs(predicted / measured - 1))
        self.measured.append(measured)
        self.predicted.append(predicted)
        if lower is not None:
            self.inside.append(lower <= measured <= upper)

    def cells(self):
        coverage = f"{100 * sum(self.inside) / len(self.inside):.1f}" if self.inside else "-"
        mape = 100 * sum(self.errors) / len(self.errors)
        return [len(self.errors), f"{mape:.2f}", f"{spearman(self.measured, self.predicted):.4f}", coverage]


def show(*cells):
    widths = (34, 10, 30, 7, 8, 9, 9)
    print(" ".join(f"{cell!s:<{width}}" for cell, width in zip(cells, widths)).rstrip(), flush=True)


def line(pairs):
    """Straight line by least squares on relative error; through the origin for one pair."""
    if len(pairs) == 1:
        return 0.0, pairs[0][1] / pairs[0][0]
    aa = sum(1 / (y * y) for _, y in pairs)
    ab = sum(x / (y * y) for x, y in pairs)
    bb = sum(x * x / (y * y) for x, y in pairs)
    a, b = sum(1 / y for _, y in pairs), sum(x / y for x, y in pairs)
    determinant = aa * bb - ab * ab
    if abs(determinant) < 1e-12 * aa * bb:
        return 0.0, b / bb
    return (a * bb - b * ab) / determinant, (aa * b - ab * a) / determinant


def inverse_clocks(points, wanted):
    """The usual law: time proportional to 1/f of the GPU, with a constant from two points on."""
    a, b = line([(1 / gpu, time) for gpu, _, time in points])
    return [a + b / gpu for gpu, _ in wanted]


def tx2_points(data):
    points = defaultdict(list)
    for row in read(data / "tx2_dvfs/latency.csv"):
        if row["set"] == "data_transfer_all":
            point = (float(row["gpu_mhz"]), float(row["emc_mhz"]), float(row["gpu_latency_ms"]))
            points[row["network"]].append(point)
    return {network: sorted(of_network) for network, of_network in points.items()}


def draws_of(points, n, chance):
    """Draws of n measured clocks: for one each in turn, for more at random."""
    if n == 1:
        return [[point] for point in points]
    return [chance.sample(points, n) for _ in range(3 * REPEATS)]


def modes(program, data, folder):
    """Times on the TX2 at every pair of clocks, from one and more measured pairs of the same network."""
    header = ("model", "gpu_mhz", "emc_mhz", "runtime")
    for n in (1, 2, 3, 5):
        by_network = {}
        for network, points in tx2_points(data).items():
            chance = random.Random(f"{network} {n}")
            ours, usual = Score(), Score()
            # All draws of a network in one call: a draw is a network of its own to the program.
            measured, wanted, keys = [], [], []
            for number, draw in enumerate(draws_of(points, n, chance)):
                rest = [point for point in points if point not in draw]
                measured += [(number, *point) for point in draw]
                wanted += [(number, gpu, emc) for gpu, emc, _ in rest]
                keys += [point[2] for point in rest]
                baseline = inverse_clocks(draw, [point[:2] for point in rest])
                for point, predicted in zip(rest, baseline):
                    usual.add(point[2], predicted)
            given = table(folder / "measured.csv", header, measured)
            asked = table(folder / "wanted.csv", header[:3], wanted)
            for time, row in zip(keys, ask(program, "clocks", "--measured", given, "--to", asked, "--board", "tx2")):
                ours.add(time, *(float(row[c]) for c in ("runtime", "runtime_lower", "runtime_upper")))
            by_network[network] = ours, usual
        for network, (ours, usual) in by_network.items():
            show(f"TX2 time {network}", n, "clocks", *ours.cells())
            show("", n, "1/f of the GPU", *usual.cells())
        for place, name in enumerate(("clocks", "1/f of the GPU")):
            means = [100 * sum(s[place].errors) / len(s[place].errors) for s in by_network.values()]
            show("TX2 time, mean of networks", n, name, len(means), f"{sum(means) / len(means):.2f}")


def power(program, data, folder):
    """Power of VGG19 on the TX2 by GPU clock, from one and more measured clocks; times are the law's."""
    rows = read(data / "tx2_dvfs/vgg19_power_by_freq.csv")
    points = [(float(r["gpu_mhz"]), float(r["gpu_latency_ms"]), float(r["vdd_in_mw"]) / 1e3) for r in rows]
    header = ("model", "gpu_mhz", "emc_mhz", "runtime", "power")
    for n in (1, 2, 3, 5):
        ours, usual = Score(), Score()
        measured, wanted, keys = [], [], []
        for number, draw in enumerate(draws_of(points, n, random.Random(n))):
            rest = [point for point in points if point not in draw]
            measured += [(number, gpu, 1866, time, watts) for gpu, time, watts in draw]
            wanted += [(number, gpu, 1866) for gpu, *_ in rest]
            keys += [watts for *_, watts in rest]
            a, b = line([(gpu, watts) for gpu, _, watts in draw])
            for gpu, _, watts in rest:
                usual.add(watts, max(a + b * gpu, 1e-3))
        given = table(folder / "measured.csv", header, measured)
        asked = table(folder / "wanted.csv", header[:3], wanted)
        for watts, row in zip(keys, ask(program, "clocks", "--measured", given, "--to", asked, "--board", "tx2")):
            ours.add(watts, float(row["power"]))
        show("TX2 power vgg19, board input", n, "clocks", *ours.cells())
        show("", n, "straight line in f", *usual.cells())


def yolo(data):
    times = defaultdict(dict)
    for row in read(data / "trtutils_yolo/latency.csv"):
        if row["device"] in BOARDS:
            times[row["device"]][row["network"], int(row["in_h"])] = float(row["median_ms"])
    return times


def transfer(program, data, folder):
    """YOLOs on one Jetson from their times on another and n measurements drawn at random."""
    header = ("model", "size", "runtime")
    times = yolo(data)
    groups = {"all pairs": lambda a, b: True, "Orin boards": lambda a, b: "Orin" in a and "Orin" in b}
    for n in (0, 1, 5, 10, 50):
        ours, usual = ({name: Score() for name in groups} for _ in range(2))
        means = defaultdict(list)
        for a in times:
            for b in times:
                if a == b:
                    continue
                known = sorted(times[a].keys() & times[b].keys())
                source = table(folder / "source.csv", header, [(*key, times[a][key]) for key in known])
                for repeat in range(REPEATS if n else 1):
                    drawn = random.Random(f"{a} {b} {n} {repeat}").sample(known, n)
                    given = ["--source", source, "--from", BOARDS[a], "--to", BOARDS[b]]
                    if n:
                        rows = [(*key, times[b][key]) for key in drawn]
                        given += ["--measured", table(folder / "measured.csv", header, rows)]
                    answers = {
                        (row["model"], int(float(row["size"]))): [float(row[c]) for c in ("runtime", "runtime_lower", "runtime_upper")]
                        for row in ask(program, "transfer", *given)
                    }
                    fitted = line([(times[a][key], times[b][key]) for key in drawn]) if n else None
                    errors = []
                    for key in (key for key in known if key not in drawn):
                        for name, belongs in groups.items():
                            if belongs(a, b):
                                ours[name].add(times[b][key], *answers[key])
                                if fitted:
                                    usual[name].add(times[b][key], fitted[0] + fitted[1] * times[a][key])
                        errors.append(abs(answers[key][0] / times[b][key] - 1))
                    means[a, b].append(100 * sum(errors) / len(errors))
        for name in groups:
            show(f"YOLO, {name}", n, "transfer", *ours[name].cells())
            if n:
                show("", n, "straight line", *usual[name].cells())
        if n in (0, 5):
            for (a, b), errors in sorted(means.items()):
                show(f"  {BOARDS[a]} -> {BOARDS[b]}", n, "transfer", len(errors), f"{sum(errors) / len(errors):.2f}")


def choose(program, data, folder):
    """The GPU clock with the least energy within a limit of latency, VGG19 on the TX2: energy above the best measured one."""
    rows = read(data / "tx2_dvfs/vgg19_power_by_freq.csv")
    points = [(float(r["gpu_mhz"]), float(r["gpu_latency_ms"]), float(r["vdd_in_mw"]) / 1e3) for r in rows]
    header = ("model", "gpu_mhz", "emc_mhz", "runtime", "power")
    limits = [1.1 * time for _, time, _ in points]
    for n in (1, 2, 3):
        regret, met, none = [], 0, 0
        draws = draws_of(points, n, random.Random(n))
        measured = [(i, gpu, 1866, time, watts) for i, draw in enumerate(draws) for gpu, time, watts in draw]
        wanted = [(i, gpu, 1866) for i in range(len(draws)) for gpu, *_ in points]
        given = table(folder / "measured.csv", header, measured)
        asked = table(folder / "wanted.csv", header[:3], wanted)
        # The upper end of an 80 % interval is met with a probability of 90 %.
        answers = ask(program, "clocks", "--measured", given, "--to", asked, "--board", "tx2", "--level", "0.8")
        for i in range(len(draws)):
            own = answers[i * len(points) : (i + 1) * len(points)]
            predicted = [[float(row[c]) for c in ("runtime", "runtime_upper", "power")] for row in own]
            for limit in limits:
                feasible = [k for k, (_, upper, _) in enumerate(predicted) if upper <= limit]
                if not feasible:
                    none += 1
                    continue
                chosen = min(feasible, key=lambda k: predicted[k][0] * predicted[k][2])
                if points[chosen][1] <= limit:
                    met += 1
                    best = min(time * watts for _, time, watts in points if time <= limit)
                    regret.append(points[chosen][1] * points[chosen][2] / best - 1)
        asked_for = len(draws) * len(limits)
        method = f"met {100 * met / (asked_for - none):.0f} %, none {100 * none / asked_for:.0f} %"
        show("TX2 choice vgg19, energy regret %", n, method, len(regret), f"{100 * sum(regret) / len(regret):.2f}")
    fastest = max(points)
    regret = [fastest[1] * fastest[2] / min(t * w for _, t, w in points if t <= limit) - 1 for limit in limits]
    mean = f"{100 * sum(regret) / len(regret):.2f}"
    show("TX2 choice vgg19, energy regret %", "-", "always the highest clock", len(regret), mean)


def eager(data, batches):
    """Times on an AGX Orin by subgraph, precision and batch, in the modes that the set names: PyTorch, eager."""
    times = defaultdict(dict)
    with gzip.open(data / "branes_orin/eager_subgraphs.csv.gz", "rt", newline="") as file:
        for row in csv.DictReader(file):
            if int(row["batch"]) in batches and row["run_date"] == "2026-02-07":
                key = f"{row['network']}/{row['subgraph_id']}/{row['precision']}", int(row["batch"])
                times[key][AGX_MODES[row["power_mode"]]] = float(row["latency_min_ms"])
    return {"agx-orin": times}


def networks_in_modes(data):
    """Times of TensorRT engines by network, engine and batch in numbered modes: tables printed several times count once, as their mean."""
    found = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for row in read(data / "arttrt_jetson/latency.csv"):
        board = {"Jetson AGX Orin": "agx-orin", "Jetson Orin Nano": "orin-nano"}.get(row["device"])
        mode = NUMBERED.get((board, row["power_mode"]))
        if mode and row["engine"].startswith("TRT"):
            key = f"{row['network']}/{row['engine']}", int(row["batch"])
            found[board][key][mode].append(float(row["latency_mean_ms"]))
    mean = lambda values: sum(values) / len(values)
    return {b: {key: {m: mean(t) for m, t in of.items()} for key, of in keys.items()} for b, keys in found.items()}


def clocks_of(program, board):
    columns = ("gpu_mhz", "emc_mhz", "gpu_share")
    return {row["mode"]: [float(row[column]) for column in columns] for row in ask(program, "modes", board)}


def in_modes(program, folder, board, times, given_modes):
    """Time and upper bound (90 % are below it) of each key in each mode, from its times in the given modes."""
    clocks = clocks_of(program, board)
    keys = [key for key, of in times.items() if all(mode in of for mode in given_modes)]
    header = ("model", "gpu_mhz", "emc_mhz", "gpu_share", "runtime")
    measured = [(i, *clocks[mode], times[key][mode]) for i, key in enumerate(keys) for mode in given_modes]
    wanted = [(i, key, mode) for i, key in enumerate(keys) for mode in times[key]]
    given = table(folder / "measured.csv", header, measured)
    asked = table(folder / "wanted.csv", header[:4], [(i, *clocks[mode]) for i, _, mode in wanted])
    answers = ask(program, "clocks", "--measured", given, "--to", asked, "--board", board, "--level", "0.8")
    return {(key, mode): [float(row[c]) for c in ("runtime", "runtime_upper")] for (_, key, mode), row in zip(wanted, answers)}


def named(program, data, folder):
    """Times in other power modes from one or two: subgraphs at batch 16 and more (eager), and whole engines."""
    for label, sets in (("eager subgraphs", eager(data, (16, 64))), ("ResNets, TensorRT", networks_in_modes(data))):
        for board, times in sets.items():
            modes_of = sorted({mode for of in times.values() for mode in of})
            for n in (1, 2) if len(modes_of) > 2 else (1,):
                ours, usual = Score(), Score()
                clocks = clocks_of(program, board)
                for given_modes in itertools.combinations(modes_of, n):
                    for (key, mode), (time, _) in in_modes(program, folder, board, times, given_modes).items():
                        if mode not in given_modes:
                            ours.add(times[key][mode], time)
                            points = [(*clocks[m][:2], times[key][m]) for m in given_modes]
                            usual.add(times[key][mode], max(inverse_clocks(points, [clocks[mode][:2]])[0], 1e-6))
                show(f"{board} {label}", n, "clocks", *ours.cells())
                show("", n, "1/f of the GPU", *usual.cells())


def batches(program, data, folder):
    """The mode and batch with the most images per second within a limit of latency, from the times of every batch in one mode: throughput
    below the best measured one."""
    sums = {"agx-orin": defaultdict(lambda: defaultdict(float))}
    for (name, batch), of in eager(data, (1, 4, 16, 64))["agx-orin"].items():
        network, _, precision = name.split("/")
        for mode, time in of.items():
            sums["agx-orin"][f"{network}/{precision}", batch][mode] += time
    for label, sets in (("eager networks", sums), ("ResNets, TensorRT", networks_in_modes(data))):
        for board, times in sets.items():
            regret, met, none, fastest, asked = [], 0, 0, [], 0
            for mode in sorted({mode for of in times.values() for mode in of}):
                predicted = in_modes(program, folder, board, times, [mode])
                for network in {name for (name, _), _ in predicted}:
                    own = {(key, m): times[key][m] for key, m in predicted if key[0] == network}
                    rate = lambda choice: choice[0][1] / own[choice]
                    for limit in [1.1 * time for time in own.values()]:
                        asked += 1
                        best = max((c for c in own if own[c] <= limit), key=rate)
                        fast = max((c for c in own if c[0][1] == min(k[1] for k, _ in own)), key=rate)
                        if own[fast] <= limit:
                            fastest.append(1 - rate(fast) / rate(best))
                        feasible = [c for c in own if predicted[c][1] <= limit]
                        if not feasible:
                            none += 1
                            continue
                        chosen = max(feasible, key=lambda c: c[0][1] / predicted[c][0])
                        if own[chosen] <= limit:
                            met += 1
                            regret.append(1 - rate(chosen) / rate(best))
            mean = lambda values: f"{100 * sum(values) / max(len(values), 1):.2f}"
            method = f"met {100 * met / max(asked - none, 1):.0f} %, none {100 * none / asked:.0f} %"
            show(f"{board} {label}, regret %", 1, method, len(regret), mean(regret))
            show("", "-", "smallest batch, fastest mode", len(fastest), mean(fastest))


def main():
    parts = {"modes": modes, "power": power, "named": named, "transfer": transfer, "choose": choose, "batches": batches}
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--program", type=Path, default=ROOT / "target/debug/host-trainer")
    arguments.add_argument("--data", type=Path, default=ROOT.parent / "shared/data")
    arguments.add_argument("part", nargs="*", choices=[[], *parts], help="what to judge; everything if left out")
    given = arguments.parse_args()
    show("set", "measured", "method", "n", "MAPE %", "Spearman", "in 90 %")
    with tempfile.TemporaryDirectory() as folder:
        for name in given.part or parts:
            parts[name](given.program, given.data, Path(folder))


if __name__ == "__main__":
    main()
