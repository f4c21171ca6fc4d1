"""Gathers the measured figures of the project on one page, docs/figures.md.

    python3 scripts/figures.py [--check]

Accuracy is read from the cards of the shipped models, times of commands from what benches/commands/run.py wrote, the rest from the tables
of the pages that describe how each was measured. With --check nothing is written: the exit code is 1 if the page is not what they give.
Nothing but Python's standard library is needed.
"""

import difflib
import datetime
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/figures.md"


class Page:
    """A page's tables, found by the heading that they stand below."""

    def __init__(self, name):
        self.name, self.tables, heading, table = name, {}, "", None
        for line in (ROOT / "docs" / name).read_text().splitlines():
            if line.startswith("#"):
                heading = line.lstrip("# ")
            if not line.startswith("|"):
                table = None
                continue
            cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
            if table is None:
                table = [cells]
                self.tables.setdefault(heading, []).append(table)
            elif not set(line) <= set("|-: "):
                table.append(cells)

    def rows(self, heading, number=0):
        """A table's rows, as dictionaries by column."""
        try:
            columns, *rows = self.tables[heading][number]
        except (KeyError, IndexError):
            which = f"docs/{self.name}: no table {number + 1} below “{heading}”"
            raise SystemExit(f"{which}; scripts/figures.py looks for it") from None
        return [dict(zip(columns, row)) for row in rows]



def table(columns, rows):
    assert rows and all(len(row) == len(columns) for row in rows), (columns, rows)
    head, *body = (f"| {' | '.join(row)} |" for row in [columns, *rows])
    return "\n".join([head, "|---" * len(columns) + "|", *body]) + "\n"


def percent(value, digits=1):
    return "–" if value is None else f"{value:.{digits}f} %"


def cards():
    for path in sorted((ROOT / "trained_models").glob("*/*/*/card.json")):
        yield json.loads(path.read_text())


def networks():
    """One row for each device whose models learnt from totals: all of its cards have the same scores, those of whole networks."""
    rows = {}
    for card in cards():
        if card["scores"]["folds"] != "by network, on totals":
            continue
        device, scores = card["device"], card["scores"]
        held_out, baselines = scores["cross_validation"], scores["baselines"]
        interval = json.loads((ROOT / f"trained_models/{device}/device.json").read_text())["runtime_total"]
        row = [
            device,
            str(held_out["n"]),
            percent(held_out["mape_percent"]),
            percent(held_out["rmspe_percent"]),
            percent(held_out["within_10_percent"], 0),
            f"× {interval['lower_ratio']:.2f} to {interval['upper_ratio']:.2f}" if interval else "none",
            percent(baselines["line in MACs"]["mape_percent"]),
            percent(baselines["constant"]["mape_percent"]),
        ]
        if rows.setdefault(device, row) != row:
            raise SystemExit(f"trained_models/{device}: cards of one fit on totals have different scores")
    columns = ["board", "n", "MAPE", "RMSPE", "within ±10 %", "90 % interval", "MAPE of a line in MACs", "of the mean"]
    return table(columns, list(rows.values()))


def layers():
    rows = []
    for card in cards():
        scores = card["scores"]
        if scores["folds"] == "by network, on totals":
            continue
        held_out, baselines = scores["cross_validation"], scores["baselines"]
        rows.append(
            [
                card["device"],
                card["layer_kind"].replace("_", " "),
                card["target"],
                scores["folds"],
                str(held_out["n"]),
                percent(held_out["mape_percent"]),
                percent(held_out["rmspe_percent"]),
                percent(held_out["within_10_percent"], 0),
                *(percent(baselines.get(name, {}).get("mape_percent")) for name in ("linear", "glm", "constant")),
            ]
        )
    columns = ["device", "layers", "target", "folds", "n", "MAPE", "RMSPE", "within ±10 %"]
    columns += ["MAPE of `linear`", "of `glm`", "of `constant`"]
    return table(columns, rows)


def families():
    page = Page("boards.md")
    wanted = ["board", "families", "n", "MAPE", "Spearman", "in the 90 % interval"]
    wanted += ["line in MACs", "LightGBM on totals", "line through another board"]
    return table(wanted, [[row[column] for column in wanted] for row in page.rows("How good it is")])


def graphs():
    page = Page("onnx.md")
    rows = page.rows("How well it does")
    return table(list(rows[0]), [list(row.values()) for row in rows])


def commands():
    results = json.loads((ROOT / "benches/commands/results.json").read_text())
    rows = [
        [
            row["what"],
            f"{row['milliseconds']['median']:.0f} ms ({row['milliseconds']['least']:.0f} to {row['milliseconds']['most']:.0f})",
            f"{row['processor_milliseconds']:.0f} ms",
            f"{row['most_mib']:.0f} MiB",
        ]
        for row in results["rows"]
    ]
    machine = f"{results['program']}, {results['machine']}, load {results['load_before']} before it began"
    how = f"{results['date']}, {machine}; median (range) of {results['rounds']} whole processes."
    return f"{how}\n\n" + table(["command", "time", "processor time", "memory"], rows)


def peers():
    """One row for each comparison with a peer; every figure comes from the page that the row names."""
    rows = []

    def add(what, ours, peer, link, command):
        rows.append([what, ours, peer, f"[`{command}`]({link})"])

    for row in Page("decisions/latency-log.md").rows("Layer-latency files: own parser", 1):
        what = f"`align --method window`, {row['inferences × layers']} (inferences × layers)"
        add(what, row["ours"], f"pandas {row['pandas']}", "decisions/latency-log.md", "benches/align/run.py")
    for row in Page("decisions/lasso.md").rows("Lasso: own coordinate descent instead of linfa-elasticnet"):
        what = f"Lasso with cross-validation, {row['rows × terms']}, {row['coefficients']}"
        add(what, row["ours"], f"scikit-learn {row['scikit-learn']}", "decisions/lasso.md", "host-trainer/benches/lasso_vs_sklearn.py")
    ours, *others = Page("decisions/perceptron.md").rows("Perceptron: own training instead of burn", 1)
    beside = ", ".join(f"{row['']} {row['time']}" for row in others)
    what = "a perceptron on 100,000 rows, three epochs, processor time"
    add(what, ours["time"], beside, "decisions/perceptron.md", "benches/train/run.py")
    for row in Page("decisions/tuning.md").rows("Tuning: own samplers and studies instead of the crate optimizer"):
        what = f"the best value of {row['function']} after 100 trials (smaller is better)"
        add(what, row["ours, generations of 8 (default)"], f"Optuna {row['Optuna']}", "decisions/tuning.md", "benches/tune/compare.py")
    pushes = Page("data.md").rows("How fast")
    for ours, dvc in zip(pushes[::2], pushes[1::2]):
        assert dvc[""] == "the same, DVC", dvc
        for column in list(ours)[1:]:
            there = dvc[column].split(" (")[0]
            add(f"store: {column}, {ours['']}", f"{ours[column]} s", f"DVC {there} s", "data.md#how-fast", "benches/data/run.py")
    for row in Page("serve.md").rows("How fast"):
        ours = row["engines that differ from all before"].split(" (")[0]
        beside = f"FastAPI with ONNX Runtime, the same engine again {row['FastAPI, the same engine']}"
        what = f"server: requests per second, {row['connections']} at once, engines never seen"
        add(what, ours, beside, "serve.md#how-fast", "benches/serve/run")
    return table(["what", "ours", "beside it", "measured by"], rows)


def agent():
    page = Page("board.md")
    rows = page.rows("What the agent costs")
    return table(["% of one core", *list(rows[0])[1:]], [list(row.values()) for row in rows])


def truth():
    page = Page("METHOD.md")
    wanted = ["sensor", "network", "load", "n", "error", "bound", "the constant", "hold", "measured, that hold"]
    return table(wanted, [[row[column] for column in wanted] for row in page.rows("How far it is from the truth")])


def page(date):
    return f"""# Figures

How accurate, how fast, and how near to the truth: measured figures on one page. Peers are described in [peers.md](peers.md), terms in
[STYLE.md](STYLE.md).

Made on {date} by `python3 scripts/figures.py`, from the cards of the shipped models, from what `benches/commands/run.py` wrote, and from
the tables of the pages that say how each figure was measured, when, and on what machine. `.ci/site` fails where this page is not what
they give.

## Accuracy

### Whole networks, on boards

Run time of networks that the fit did not see, FP16, batch 1. The models learn from public timings of whole networks; folds never split a
network or its sizes. The interval is in multiples of the prediction. From the cards that `scripts/train_shipped_models` writes.

{networks()}
The same boards with each family of networks left out in turn, beside other methods that are given the same measurements
(`benches/boards/networks.py`; [boards.md](boards.md#how-good-it-is) says what each column is):

{families()}
### Single layers

Held-out layers of models that learnt from measured layers, from their cards. "by layer" means that there was one network only: its
layers are held out, which is not evidence about other networks. The power of that network is one constant, because its sensor is slower
than any layer ([METHOD.md](METHOD.md#what-the-shipped-models-cannot-show)); its small errors show nothing.

{layers()}
Model kinds on larger measured sets are in [METHOD.md](METHOD.md#physics-and-hybrid) (`benches/accuracy/run.py`), other clocks and boards in
[boards.md](boards.md#how-good-it-is) (`benches/boards/run.py`).

### Layers that a graph gives

Layers that our rules of fusion list beside those that TensorRT built (`cargo test -p graph --test real_graphs`; the rules were written with
these engines in view, see [onnx.md](onnx.md#how-well-it-does)):

{graphs()}
## Speed

### Commands

`benches/commands/run.py`, {commands()}
### Beside peers

Smaller times are better, and larger numbers of requests. Rows in which a peer is better stay. Each command links to the page that says
when and where it was measured, and what has changed since.

{peers()}
### What measuring costs

Processor time of the agent while it records (`benches/overhead/run.py`; [board.md](board.md#what-the-agent-costs)):

{agent()}
## Truth

How far the power of single layers is from what a simulated board really drew (`cargo bench -p study --bench attribution`;
[METHOD.md](METHOD.md#how-far-it-is-from-the-truth) has the other columns, and what fails). It is a simulation: no figure here is an
accuracy on hardware. "The constant" is the error of giving each layer the network's mean; "hold" is the share of 90 % intervals that
contain the truth.

{truth()}"""


def main():
    if sys.argv[1:] not in ([], ["--check"]):
        raise SystemExit(__doc__)
    before = PAGE.read_text() if PAGE.exists() else ""
    dated = re.search(r"^Made on (\S+)", before, re.M)
    same = page(dated.group(1)) if dated else ""
    if sys.argv[1:]:
        if same != before or not dated:
            names = ("docs/figures.md", "what the sources give")
            sys.stdout.writelines(difflib.unified_diff(before.splitlines(True), same.splitlines(True), *names))
            raise SystemExit("docs/figures.md is stale: run python3 scripts/figures.py")
        print("docs/figures.md is what cards, results and pages give")
    elif same != before or not dated:
        PAGE.write_text(page(datetime.date.today().isoformat()))


if __name__ == "__main__":
    main()
