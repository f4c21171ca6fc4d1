"""Looks at what a campaign on this processor left, and measures networks after it that its models did not see.

    python3 scripts/check_campaign.py target/release FOLDER

FOLDER holds `plan`, measured and learned from, and `mine`, the networks that the plan was for. Fails where something is missing or makes no sense.
Errors are printed and never fail: a machine that does other work makes them large.
"""

import json
import pathlib
import subprocess
import sys


def rank_correlation(a, b):
    """Spearman's, without ties."""
    rank = lambda values: [sorted(values).index(value) for value in values]
    n = len(a)
    squares = sum((x - y) ** 2 for x, y in zip(rank(a), rank(b)))
    return 1 - 6 * squares / (n * (n * n - 1)) if n > 2 else float("nan")


def predict(programs, models, graph):
    command = [programs / "host-trainer", "--quiet", "predict", "--models", models, "--trt-engine-path", graph]
    done = subprocess.run([*command, "--precision", "fp32", "--format", "json"], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)["totals"]


def measure(programs, folder, name, graph):
    """The mean latency of a network, ms."""
    command = [programs / "jetson-agent", "--quiet", "profile", "--runner", "onnxruntime", "--source", "none", "--idle", "0ms"]
    command += ["--onnx", graph, "--name", name, "--result-dir", folder / "after", "--pass-time", "2s", "--warmup", "10"]
    subprocess.run(command, check=True, capture_output=True)
    run = json.loads((folder / "after" / name / f"{name}_tensorrt.json").read_text())
    return 1e3 * run["avg_latency"]


def main():
    programs, folder = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    plan = json.loads((folder / "plan/plan.json").read_text())
    report = json.loads((folder / "plan/learned/report.json").read_text())
    device = report["devices"][0]
    measured = len(plan["items"]) - len(report["missing"])
    assert measured >= 0.5 * len(plan["items"]), report["missing"]
    assert device["rows"] > 100 and device["aligned"][0] + device["aligned"][1] == device["runs"], device
    assert device["judgement"]["networks"] and device["judgement"]["layer_mape_percent"] > 0, device
    models = folder / "plan/learned/models"
    pairs, inside = [], []
    for graph in sorted((folder / "mine").glob("*.onnx")) + [folder / "plan" / i["onnx"] for i in plan["items"] if i["held_out"]]:
        totals = predict(programs, models, graph)
        predicted = totals["runtime_ms"]
        actual = measure(programs, folder, graph.stem, graph)
        bounds = totals.get("runtime_bounds")
        if bounds:
            inside.append(bounds["lower"] <= actual <= bounds["upper"])
        pairs.append((graph.stem, actual, predicted))
        print(f"{graph.stem:32} measured {actual:9.3f} ms, predicted {predicted:9.3f} ms ({100 * (predicted / actual - 1):+.1f} %)")
    assert all(predicted > 0 and actual > 0 for _, actual, predicted in pairs), pairs
    errors = [abs(predicted / actual - 1) for _, actual, predicted in pairs]
    rank = rank_correlation([a for _, a, _ in pairs], [p for *_, p in pairs])
    print(
        f"{len(pairs)} networks that the models did not see: MAPE {100 * sum(errors) / len(errors):.1f} %, Spearman {rank:.3f}, "
        f"{100 * sum(e <= 0.1 for e in errors) / len(errors):.0f} % within 10 %, "
        f"{sum(inside)} of {len(inside)} within their intervals"
    )
    print(f"layers of networks kept back: MAPE {device['judgement']['layer_mape_percent']:.1f} %; {measured} of {len(plan['items'])} items measured")


if __name__ == "__main__":
    main()
