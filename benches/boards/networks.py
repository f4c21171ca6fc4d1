"""Judges times of whole networks on boards that public sets measured, each family of networks left out in turn.

    python3 benches/boards/networks.py GRAPHS [--program target/release/host-trainer] [--data FOLDER] [--kind physics]... [--board BOARD]...

GRAPHS comes from scripts/export_networks.py. For each board with ten networks and more, and each family, the program makes tables and models of
the other families and predicts the one left out. Printed are n, MAPE, RMSPE, Spearman's correlation, the share within 10 % and the share inside
the 90 % interval, over all families; beside it a line through the networks' multiply-accumulates, a line through another board's times
(the best of all other boards, chosen on what was not left out), and LightGBM on totals of the graphs, where it is installed: each fitted to the same networks.
"""

import argparse
import csv
import json
import math
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT / "scripts")]
from run import line, spearman  # noqa: E402
import shipped_networks  # noqa: E402

FEWEST = 10


def ask(program, *arguments):
    command = [str(word) for word in (program, "--quiet", *arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr}")
    return done.stdout


def figures(pairs):
    """(measured, predicted, inside) to a row of text."""
    errors = [abs(predicted / measured - 1) for measured, predicted, _ in pairs]
    inside = [hit for *_, hit in pairs if hit is not None]
    return "{:5d} {:8.1f} {:8.1f} {:9.3f} {:9.0f} {:>9}".format(
        len(pairs),
        100 * sum(errors) / len(errors),
        100 * math.sqrt(sum(e * e for e in errors) / len(errors)),
        spearman([m for m, *_ in pairs], [p for _, p, _ in pairs]),
        100 * sum(e <= 0.1 for e in errors) / len(errors),
        f"{100 * sum(inside) / len(inside):.0f}" if inside else "-",
    )


def work(program, graphs):
    """Totals of each graph: multiply-accumulates, elements read and written, and layers."""
    found = {}
    for graph in graphs:
        answer = json.loads(ask(program, "engine-info", graph, "--format", "json"))
        moved = sum(
            math.prod(tensor["Dimensions"]) for layer in answer["Layers"] for side in ("Inputs", "Outputs") for tensor in layer[side]
        )
        found[graph] = (answer["macs"], moved, len(answer["Layers"]))
    return found


def ours(program, kind, rows, left_out, folder):
    """Predictions of the networks left out: by model name, (ms, lower, upper)."""
    listed, tables, models = folder / "list.csv", folder / "tables", folder / "models"
    for old in (tables, models):
        shutil.rmtree(old, ignore_errors=True)
    with open(listed, "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    ask(program, "dataset", "--networks", listed, "--device", "board", "--result-dir", tables)
    ask(program, "fit", "--data", tables, "--out", models, "--kind", kind, "--test-models", "none")
    answers = {}
    for row in left_out:
        answer = json.loads(ask(program, "predict", "--models", models, "--onnx", row["file"], "--format", "json"))
        totals = answer["totals"]
        bounds = totals["runtime_bounds"] or {"lower": None, "upper": None}
        answers[row["model"]] = (totals["runtime_ms"], bounds["lower"], bounds["upper"])
    return answers


def others(boards, board, rows, left_out):
    """A line through the times of the board that fits what was not left out best; none where no board has the networks."""
    key = lambda row: (row["file"], row["source"])
    best = None
    for name, its in boards.items():
        times = {key(row): float(row["runtime"]) for row in its}
        pairs = [(times[key(row)], float(row["runtime"])) for row in rows if key(row) in times]
        if name == board or len(pairs) < 3 or any(key(row) not in times for row in left_out):
            continue
        a, b = line(pairs)
        error = sum(abs((a + b * x) / y - 1) for x, y in pairs) / len(pairs)
        if best is None or error < best[0]:
            best = error, {row["model"]: a + b * times[key(row)] for row in left_out}
    return best and best[1]


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("graphs", type=pathlib.Path)
    arguments.add_argument("--program", type=pathlib.Path, default=ROOT / "target/release/host-trainer")
    arguments.add_argument("--data", type=pathlib.Path, default=ROOT.parent / "shared/data")
    arguments.add_argument("--kind", action="append")
    arguments.add_argument("--board", action="append")
    given = arguments.parse_args()
    try:
        import lightgbm
    except ImportError:
        lightgbm = None
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        shipped_networks.main(given.data, given.graphs, folder / "lists")
        boards = {}
        for path in sorted((folder / "lists").glob("*.csv")):
            with open(path, newline="") as file:
                boards[path.stem] = list(csv.DictReader(file))
        totals = work(given.program, sorted({row["file"] for rows in boards.values() for row in rows}))
        print(f"{'board':14} {'method':22} {'n':>5} {'MAPE %':>8} {'RMSPE %':>8} {'Spearman':>9} {'in ±10 %':>9} {'in 90 %':>9}")
        for board, rows in boards.items():
            if len({row["file"].rsplit("_", 1)[0] for row in rows}) < FEWEST or (given.board and board not in given.board):
                continue
            results = {}
            families = sorted({row["family"] for row in rows})
            for family in families:
                kept = [row for row in rows if row["family"] != family]
                left_out = [row for row in rows if row["family"] == family]
                measured = {row["model"]: float(row["runtime"]) for row in left_out}

                def add(method, answers):
                    pairs = results.setdefault(method, [])
                    for model, answer in answers.items():
                        low, high = (answer[1], answer[2]) if isinstance(answer, tuple) else (None, None)
                        inside = None if low is None else low <= measured[model] <= high
                        pairs.append((measured[model], answer[0] if isinstance(answer, tuple) else answer, inside))

                for kind in given.kind or ["physics"]:
                    add(kind, ours(given.program, kind, kept, left_out, folder))
                a, b = line([(totals[row["file"]][0], float(row["runtime"])) for row in kept])
                add("line in MACs", {row["model"]: max(a + b * totals[row["file"]][0], 1e-3) for row in left_out})
                another = others(boards, board, kept, left_out)
                if another:
                    add("line in another board", another)
                if lightgbm:
                    inputs = lambda rows: [[math.log(value) for value in totals[row["file"]]] for row in rows]
                    settings = {"n_estimators": 200, "min_child_samples": 3, "learning_rate": 0.05, "num_threads": 1, "verbose": -1}
                    trees = lightgbm.LGBMRegressor(**settings).fit(inputs(kept), [math.log(float(row["runtime"])) for row in kept])
                    add("LightGBM on totals", {row["model"]: math.exp(y) for row, y in zip(left_out, trees.predict(inputs(left_out)))})
            for method, pairs in results.items():
                print(f"{board:14} {method:22} {figures(pairs)}", flush=True)


if __name__ == "__main__":
    main()
