"""Judges campaigns against reality on this machine's processor: networks and layers that no model saw, measured before and after.

    python3 benches/campaign/run.py --onnxruntime libonnxruntime.so [--programs target/release] [--minutes 90] [--out FOLDER] [--kind auto]
    python3 benches/campaign/run.py … --curve [--seeds 5]

The first form spends the minutes on one plan for ten networks, learns from it, and prints errors on these networks (from their ONNX files) and on
100 layers of a grid: MAPE, Spearman's correlation, the share within 10 % and inside the 90 % interval. Beside it stand, trained on the same
measurements: a line through multiply-accumulates, a random forest for each kind of layer (nn-Meter's method), and LightGBM, where these are
installed. They know the layers that ran, which ours derives from the graph. The noise floor is what a second measurement at the end differs by.

The second form measures plans of three strategies (plan, random, grid) and several seeds and learns from growing parts of each. A folder that was
measured is not measured again. The machine has to be quiet. Needs numpy and scikit-learn for the peers; lightgbm is optional.
"""

import argparse
import csv
import json
import math
import os
import pathlib
import shutil
import subprocess
import sys

# Sides that differ from those that plans draw are not needed: plans never contain these files, and judge by other seeds.
NETWORKS = ["alexnet", "densenet121", "efficientnet_b0", "inception_v1", "mobilenet_v2", "mobilenet_v3_small", "resnet18", "resnet50", "squeezenet", "vgg11"]
LAYER_FILES = 13
JUDGE_SEED = 999
PARTS = (0.125, 0.25, 0.5, 1.0)
NO_FEATURES = {"power", "runtime", "layer_name", "precision", "device", "model"}


def spearman(a, b):
    def ranks(values):
        order = sorted(range(len(values)), key=values.__getitem__)
        found = [0] * len(values)
        for place, index in enumerate(order):
            found[index] = place
        return found

    n = len(a)
    return 1 - 6 * sum((x - y) ** 2 for x, y in zip(ranks(a), ranks(b))) / (n * (n * n - 1)) if n > 2 else math.nan


def figures(pairs):
    """Measured and predicted values, and whether each lies in its interval (None where it has none), as a row of text."""
    errors = [abs(p / m - 1) for m, p, _ in pairs]
    inside = [hit for *_, hit in pairs if hit is not None]
    held = f"{100 * sum(inside) / len(inside):7.0f}" if inside else "      –"
    rank = spearman([m for m, *_ in pairs], [p for _, p, _ in pairs])
    within = 100 * sum(e <= 0.1 for e in errors) / len(errors)
    return f"{len(pairs):6d} {100 * sum(errors) / len(errors):8.1f} {rank:8.3f} {within:8.0f} {held}"


class Bench:
    def __init__(self, options):
        self.programs = options.programs.resolve()
        self.out = options.out.resolve()
        self.kind = options.kind
        self.environment = {**os.environ, "JETSON_AGENT_ONNXRUNTIME": str(options.onnxruntime.resolve())}
        self.out.mkdir(parents=True, exist_ok=True)

    def host(self, *arguments):
        command = [str(word) for word in (self.programs / "host-trainer", "--quiet", "--no-progress", *arguments)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{' '.join(command)}\n{done.stderr}")
        return done.stdout

    def measure(self, plan):
        command = [self.programs / "jetson-agent", "--no-progress", "--quiet", "campaign", plan, "--source", "none"]
        subprocess.run([str(word) for word in command], env=self.environment, check=True, stdout=subprocess.DEVNULL)

    def learn(self, plan, kind=None, *more):
        return json.loads(self.host("campaign", "learn", plan, "--kind", kind or self.kind, "--format", "json", *more))["devices"][0]

    def networks(self):
        folder = self.out / "networks"
        if not folder.exists():
            self.host("networks", "write", *NETWORKS, "--out", folder, "--weights", "shape", "--seed", 99)
        return sorted(folder.glob("*.onnx"))

    def judge(self, name):
        """The networks and the layers of a grid, measured; the run time of each network and the rows of each layer."""
        plan = self.out / name
        if not (plan / "plan.json").exists():
            self.host("campaign", "plan", "--board", "cpu", "--strategy", "grid", "--seed", JUDGE_SEED, "--time", "600s", "--out", plan)
            content = json.loads((plan / "plan.json").read_text())
            layers = [item for item in content["items"] if item["kind"] == "layers"][:LAYER_FILES]
            items = []
            for graph in self.networks():
                engine = plan / "models" / f"{graph.stem}.json"
                engine.write_text(self.host("engine-info", graph, "--precision", "fp32", "--format", "json"))
                shutil.copy(graph, plan / "models" / graph.name)
                items.append({**layers[0], "id": graph.stem, "kind": "network", "onnx": f"models/{graph.name}", "engine_info": f"models/{engine.name}"})
            content["items"] = [{**item, "pass_s": 4.0, "inferences": 20_000, "held_out": False} for item in items + layers]
            content["time_s"] = 3600
            (plan / "plan.json").write_text(json.dumps(content))
        self.measure(plan)
        self.learn(plan, "linear", "--no-curve")
        training = plan / "learned/training"
        with open(training / "networks.csv") as file:
            totals = {row["model"]: float(row["runtime"]) for row in csv.DictReader(file)}
        return plan, totals, tables(training)

    def plan(self, name, strategy, seed, minutes):
        plan = self.out / name
        if not (plan / "plan.json").exists():
            wanted = [word for graph in self.networks() for word in ("--for", graph)]
            self.host(
                "campaign", "plan", "--board", "cpu", *wanted, "--time", f"{60 * minutes:.0f}s", "--strategy", strategy, "--seed", seed, "--out", plan
            )
        self.measure(plan)
        return plan

    def part(self, plan, share):
        """The same plan as if it had ended after a share of its items; what it took until then, s."""
        items = json.loads((plan / "plan.json").read_text())["items"]
        kept = items[: max(2, round(share * len(items)))]
        folder = plan.with_name(f"{plan.name}-{share:g}")
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "runs").mkdir(parents=True)
        shutil.copy(plan / "plan.json", folder)
        (folder / "models").symlink_to(plan / "models")
        for item in kept:
            for run in (plan / "runs").glob(f"{item['id']}*"):
                (folder / "runs" / run.name).symlink_to(run)
        return folder, sum(item["expected_s"] for item in kept)

    def predicted(self, plan, totals):
        """Each network from its ONNX file: measured, predicted, inside its interval."""
        pairs = []
        for graph in self.networks():
            answer = self.host("predict", "--models", plan / "learned/models", "--trt-engine-path", graph, "--precision", "fp32", "--format", "json")
            found = json.loads(answer)["totals"]
            bounds = found["runtime_bounds"]
            actual = totals[graph.stem]
            pairs.append((actual, found["runtime_ms"], bounds and bounds["lower"] <= actual <= bounds["upper"]))
        return pairs

    def layers(self, plan, judge):
        """Layers of the grid, by their rows, as `evaluate` sees them: n, MAPE, coverage over all kinds."""
        only = self.out / "grid-tables"
        shutil.rmtree(only, ignore_errors=True)
        shutil.copytree(judge / "learned/training", only, ignore=lambda _, names: [n for n in names if n in NETWORKS or n == "networks.csv"])
        answer = json.loads(self.host("evaluate", "--models", plan / "learned/models", "--data", only, "--format", "json"))
        rows = answer if isinstance(answer, list) else next(value for value in answer.values() if isinstance(value, list) and value and "kind" in value[0])
        rows = [row for row in rows if row["target"] == "runtime" and row["kind"] != "network" and row["mape_percent"] is not None]
        count = sum(row["n"] for row in rows)
        mean = lambda key: sum(row["n"] * row[key] for row in rows if row[key] is not None) / count
        return f"{count:6d} {mean('mape_percent'):8.1f} {'':8} {mean('within_10_percent'):8.0f} {mean('interval_90_coverage_percent'):7.0f}"


def tables(training):
    """Rows of every table of every network: (network, kind, features, run time in ms)."""
    found = []
    for path in sorted(training.glob("*/*.csv")):
        if path.stem.endswith("_stats"):
            continue
        with open(path) as file:
            for row in csv.DictReader(file):
                if row.get("runtime"):
                    features = [math.log1p(float(row[name] or 0)) for name in sorted(set(row) - NO_FEATURES)]
                    found.append((path.parent.name, path.stem, [*features, math.log1p(macs(path.stem, row))], float(row["runtime"])))
    return found


def macs(kind, row):
    number = lambda name: float(row.get(name) or 0)
    if kind == "convolutional":
        window = number("kernel_0") * number("kernel_1") * number("input_size_0") / max(number("groups"), 1)
        return number("batch_size") * number("output_size_0") * number("output_size_1") * number("output_size_2") * window
    if kind == "dense":
        weights = number("weights") or number("input_size") * number("output_size")
        return math.sqrt(number("input_size") * number("output_size") * weights)
    return 0.0


def peers():
    """The peers that are installed, by name: each fits rows of one kind and predicts logarithms of run times."""
    found = {}
    try:
        from sklearn.ensemble import RandomForestRegressor

        found["random forest"] = lambda: RandomForestRegressor(n_estimators=200, random_state=1)
    except ImportError:
        print("scikit-learn is not installed: no random forest", file=sys.stderr)
    try:
        from lightgbm import LGBMRegressor

        found["LightGBM"] = lambda: LGBMRegressor(n_estimators=300, num_leaves=15, min_child_samples=5, random_state=1, verbose=-1)
    except ImportError:
        print("lightgbm is not installed", file=sys.stderr)
    return found


def by_peer(make, training, judge):
    """Run times that a peer predicts of every row to judge; a kind that it never saw takes the mean of all."""
    predicted = [math.exp(sum(math.log(max(t, 1e-6)) for *_, t in training) / len(training))] * len(judge)
    for kind in {kind for _, kind, *_ in judge}:
        rows = [(features, math.log(max(time, 1e-6))) for _, known, features, time in training if known == kind]
        wanted = [index for index, row in enumerate(judge) if row[1] == kind]
        if len(rows) >= 5:
            model = make().fit([features for features, _ in rows], [log for _, log in rows])
            for index, log in zip(wanted, model.predict([judge[index][2] for index in wanted])):
                predicted[index] = math.exp(log)
    return predicted


def by_macs(training, judge):
    """A line through multiply-accumulates, with what every layer costs."""
    points = [(math.expm1(features[-1]), time) for _, _, features, time in training]
    n = len(points)
    x, y = sum(p[0] for p in points) / n, sum(p[1] for p in points) / n
    slope = sum((p[0] - x) * (p[1] - y) for p in points) / max(sum((p[0] - x) ** 2 for p in points), 1e-30)
    return [max(y - slope * x + slope * math.expm1(features[-1]), 1e-6) for _, _, features, _ in judge]


def judged(rows, predicted, totals):
    """Pairs of the networks, by sums over the layers that ran, and of the layers of the grid."""
    sums = {}
    for (network, *_), value in zip(rows, predicted):
        sums[network] = sums.get(network, 0.0) + value
    networks = [(totals[name], sums[name], None) for name in NETWORKS if name in totals and name in sums]
    layers = [(row[3], value, None) for row, value in zip(rows, predicted) if row[0] not in NETWORKS]
    return networks, layers


HEADER = f"{'':24} {'n':>6} {'MAPE %':>8} {'rank':>8} {'±10 % %':>8} {'held %':>7}"


def once(bench, minutes):
    judge, totals, rows = bench.judge("judge-before")
    plan = bench.plan("plan", "plan", 1, minutes)
    learned = bench.learn(plan)
    _, again, rows_again = bench.judge("judge-after")
    print(f"{minutes:g} minutes on this processor: {learned['runs']} runs, {learned['rows']} rows; {learned['models_from']}")
    print(f"\nnetworks\n{HEADER}")
    print(f"{'ours, from the graphs':24} {figures(bench.predicted(plan, totals))}")
    training = tables(plan / "learned/training")
    others = {"line through MACs": by_macs(training, rows)}
    others |= {name: by_peer(make, training, rows) for name, make in peers().items()}
    pairs = {name: judged(rows, predicted, totals) for name, predicted in others.items()}
    for name, (networks, _) in pairs.items():
        print(f"{name:24} {figures(networks)}")
    print(f"{'measured again':24} {figures([(totals[name], again[name], None) for name in totals])}")
    print(f"\nlayers of a grid\n{HEADER}")
    print(f"{'ours':24} {bench.layers(plan, judge)}")
    for name, (_, layers) in pairs.items():
        print(f"{name:24} {figures(layers)}")
    same = [(a[3], b[3], None) for a, b in zip(rows, rows_again) if a[:2] == b[:2] and a[0] not in NETWORKS]
    print(f"{'measured again':24} {figures(same)}")


def curve(bench, minutes, seeds):
    judge, totals, _ = bench.judge("judge-before")
    print(f"{'strategy':10} {'seed':>4} {'minutes':>8} networks: {HEADER[25:]}  layers: {HEADER[25:]}")
    for strategy in ("plan", "random", "grid"):
        for seed in range(1, seeds + 1):
            plan = bench.plan(f"{strategy}-{seed}", strategy, seed, minutes)
            for share in PARTS:
                part, seconds = bench.part(plan, share)
                bench.learn(part, None, "--no-curve")
                print(
                    f"{strategy:10} {seed:4d} {seconds / 60:8.1f}           {figures(bench.predicted(part, totals))}          {bench.layers(part, judge)}",
                    flush=True,
                )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--onnxruntime", type=pathlib.Path, required=True)
    parser.add_argument("--programs", type=pathlib.Path, default=pathlib.Path("target/release"))
    parser.add_argument("--minutes", type=float, default=90)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("campaign-bench"))
    parser.add_argument("--kind", default="auto")
    parser.add_argument("--curve", action="store_true")
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    bench = Bench(options)
    if options.curve:
        curve(bench, options.minutes, options.seeds)
    else:
        once(bench, options.minutes)


if __name__ == "__main__":
    main()
