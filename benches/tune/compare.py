"""Sets the best values of `cargo bench -p host-trainer --bench tune` beside Optuna's, function by function.

usage: compare.py OURS.jsonl [TRIALS]

Optuna searches the same functions from the same number of seeds; its samplers have their defaults. Needs optuna.
"""

import json
import math
import statistics
import sys

import optuna

optuna.logging.set_verbosity(optuna.logging.ERROR)


def branin(trial):
    x, y = trial.suggest_float("x", -5, 10), trial.suggest_float("y", 0, 15)
    bend = (y - 5.1 / (4 * math.pi**2) * x * x + 5 / math.pi * x - 6) ** 2
    return bend + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10


A = [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
C = [
    [1312, 1696, 5569, 124, 8283, 5886],
    [2329, 4135, 8307, 3736, 1004, 9991],
    [2348, 1451, 3522, 2883, 3047, 6650],
    [4047, 8828, 8732, 5743, 1091, 381],
]


def hartmann6(trial):
    x = [trial.suggest_float(f"x{j}", 0, 1) for j in range(6)]
    inner = [sum(a * (v - 1e-4 * c) ** 2 for a, v, c in zip(A[i], x, C[i])) for i in range(4)]
    return -sum(w * math.exp(-s) for w, s in zip([1.0, 1.2, 3.0, 3.2], inner))


def mixed(trial):
    rate = trial.suggest_float("rate", 1e-5, 1e-1, log=True)
    decay = trial.suggest_float("decay", 1e-7, 1e-2, log=True)
    dropout = trial.suggest_float("dropout", 0.0, 0.5)
    layers = trial.suggest_int("layers", 1, 5)
    width = trial.suggest_int("width", 4, 256, log=True)
    kind = trial.suggest_categorical("kind", ["a", "b", "c"])
    batch = trial.suggest_categorical("batch", [16, 32, 64, 128])
    value = {"a": 0.5, "b": 0.0, "c": 1.0}[kind]
    value += math.log10(rate / (3e-3 if kind == "b" else 3e-4)) ** 2 + 0.1 * math.log10(decay / 1e-5) ** 2
    value += 8 * (dropout - 0.1) ** 2 + 0.15 * (layers - 3) ** 2 + 0.1 * math.log2(width / 64) ** 2
    return value + 0.2 * abs(math.log2(batch / 32))


def main():
    trials = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    found = {}
    with open(sys.argv[1], encoding="utf-8") as lines:
        for line in map(json.loads, lines):
            name = f"ours, {line['sampler']}" + (f", generations of {line['generation']}" if line["sampler"] == "tpe" else "")
            found.setdefault(line["function"], {}).setdefault(name, []).append(line["best"])
    for function in (branin, hartmann6, mixed):
        ours = found[function.__name__]
        seeds = len(next(iter(ours.values())))
        samplers = {
            "optuna, tpe": lambda seed: optuna.samplers.TPESampler(seed=seed),
            "optuna, tpe, multivariate": lambda seed: optuna.samplers.TPESampler(seed=seed, multivariate=True),
            "optuna, random": lambda seed: optuna.samplers.RandomSampler(seed=seed),
        }
        for name, sampler in samplers.items():
            for seed in range(seeds):
                study = optuna.create_study(sampler=sampler(seed))
                study.optimize(function, n_trials=trials)
                ours.setdefault(name, []).append(study.best_value)
        print(f"\n{function.__name__}: best value after {trials} trials, {seeds} seeds")
        print(f"{'':34}{'mean':>12}{'median':>12}{'worst':>12}")
        for name, values in sorted(ours.items()):
            figures = statistics.mean(values), statistics.median(values), max(values)
            print(f"{name:34}" + "".join(f"{figure:12.5f}" for figure in figures))


if __name__ == "__main__":
    main()
