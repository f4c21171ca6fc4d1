#!/usr/bin/env python3
"""Writes the golden results that host-trainer's Lasso is compared with.

    python3 -m venv venv && venv/bin/pip install -r requirements.txt
    venv/bin/python generate.py            # rewrites golden.json
    venv/bin/python generate.py --only robust_pooling_positive --print

The inputs are not stored: this file and tests/lasso_golden.rs make the same numbers from the same integer recurrence,
using only operations that IEEE 754 rounds exactly. What is stored is what scikit-learn made of them, end to end:
PolynomialFeatures (of x or log1p(x)), raw products, a scaler, LassoCV.
"""

import argparse
import json
import pathlib
import time
import warnings

import numpy as np
import sklearn
from sklearn.linear_model import LassoCV
from sklearn.model_selection import GroupKFold
from sklearn.preprocessing import MinMaxScaler, PolynomialFeatures, RobustScaler, StandardScaler

PINNED = "1.9.1"
SCALERS = {"standard": StandardScaler, "robust": RobustScaler, "minmax": MinMaxScaler}


class Numbers:
    """Knuth's 64-bit linear congruential generator (MMIX); the high 53 bits make a uniform number below 1."""

    def __init__(self, seed):
        self.state = seed

    def uniform(self):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 11) / 2**53

    def choice(self, values):
        return values[int(self.uniform() * len(values))]


def noise(numbers, amount):
    return 1.0 + amount * (numbers.uniform() + numbers.uniform() + numbers.uniform() - 1.5)


def convolution(numbers):
    """Thirteen columns as a CNN has them: square inputs, kernels and strides, so most columns come in copies."""
    batch = numbers.choice([1, 1, 2, 4, 8])
    side = numbers.choice([7, 14, 28, 56, 112, 224])
    channels_in = numbers.choice([3, 16, 24, 32, 64, 96, 128, 256, 512])
    channels_out = numbers.choice([16, 24, 32, 64, 96, 128, 256, 512, 1024])
    kernel = numbers.choice([1, 3, 5, 7])
    stride = numbers.choice([1, 1, 2])
    padding = 2 * (kernel // 2)
    out = (side + padding - kernel) // stride + 1
    row = [batch, channels_in, side, side, channels_out, out, out, kernel, kernel, padding, padding, stride, stride]
    macs = batch * channels_in * kernel * kernel * channels_out * out * out
    moved = batch * (channels_in * side * side + channels_out * out * out) + channels_in * channels_out * kernel * kernel
    return row, (0.01 + macs / 2e8 + moved / 5e7) * noise(numbers, 0.2)


def pooling(numbers):
    """Eleven columns of a pooling layer; batch and stride hardly vary, the window not at all in most rows."""
    batch = numbers.choice([1, 1, 1, 1, 2])
    side = numbers.choice([7, 14, 28, 56, 112])
    channels = numbers.choice([32, 64, 128, 192, 256, 512])
    kernel = numbers.choice([2, 2, 2, 3])
    stride = 2
    out = (side - kernel) // stride + 1
    row = [batch, channels, side, side, channels, out, out, kernel, kernel, stride, stride]
    moved = batch * channels * (side * side + out * out)
    return row, 3.0 + (0.004 + moved / 4e6) * noise(numbers, 0.4) + 0.5 * numbers.uniform()


def unrelated(numbers):
    """Eight columns that have nothing to do with each other, and a target that needs terms of either sign."""
    row = [numbers.choice(range(1, 40 + 7 * column)) for column in range(8)]
    signal = row[0] * row[1] / 40 - row[2] * row[3] / 90 + row[4] - 0.02 * row[5] * row[5]
    return row, signal + 40 * (numbers.uniform() - 0.5)


def collinear(numbers):
    """Six columns: two free, their sum, a multiple, a constant that no binary fraction hits, and one nearly constant."""
    a, b = numbers.choice(range(100)), numbers.choice(range(50))
    row = [a, b, a + b, 3 * a, 0.1, 1000.0 + (1 if numbers.uniform() < 0.01 else 0)]
    return row, 2.0 * a - 0.5 * b + 0.01 * a * b + 10 * numbers.uniform()


TABLES = {"convolution": convolution, "pooling": pooling, "unrelated": unrelated, "collinear": collinear}

CONVOLUTION_PRODUCTS = [[1, 2, 3, 7, 8, 6], [1, 2, 3, 7, 8, 6, 0]]
POOLING_PRODUCTS = [[0, 1, 2, 3], [0, 4, 5, 6], [0, 1, 2, 3, 7, 8]]


def case(name, table, rows, degree, scaler, positive, **more):
    defaults = dict(log=False, products=[], folds=10, alphas=500, max_iter=10_000, tol=1e-4, eps=1e-3, intercept=True,
                    weighted=False, grouped=False)
    unknown = set(more) - set(defaults)
    assert not unknown, unknown
    return dict(name=name, table=table, rows=rows, degree=degree, scaler=scaler, positive=positive, **{**defaults, **more})


CASES = [
    # The reference's pipelines.
    case("convolution_power", "convolution", 1000, 3, "standard", True, log=True, products=CONVOLUTION_PRODUCTS),
    case("convolution_runtime", "convolution", 1000, 3, "standard", True, products=CONVOLUTION_PRODUCTS),
    case("pooling_power", "pooling", 150, 3, "robust", True, products=POOLING_PRODUCTS),
    case("pooling_runtime", "pooling", 150, 3, "standard", False, products=POOLING_PRODUCTS, alphas=100,
         eps=1e-2),
    # Many rows.
    case("rows_5000_positive", "convolution", 5000, 3, "standard", True, log=True),
    case("rows_5000_unconstrained", "convolution", 5000, 2, "standard", False, log=True, eps=1e-2),
    # Fewer rows than columns, where scikit-learn sweeps over rows.
    case("wide_positive", "convolution", 120, 3, "standard", True),
    case("wide_unconstrained", "unrelated", 60, 3, "standard", False, alphas=200),
    case("wide_robust", "unrelated", 60, 3, "robust", True),
    case("wide_minmax", "convolution", 90, 2, "minmax", False, log=True, eps=1e-2),
    # The other scalers, either sign.
    case("robust_unconstrained", "unrelated", 400, 2, "robust", False),
    case("robust_positive", "unrelated", 400, 2, "robust", True),
    case("minmax_unconstrained", "unrelated", 400, 2, "minmax", False),
    case("minmax_positive", "convolution", 400, 2, "minmax", True),
    case("standard_unconstrained", "unrelated", 700, 3, "standard", False, alphas=200),
    # Collinear and constant columns, weights, groups, no intercept, too few sweeps, other paths.
    case("collinear_unconstrained", "collinear", 200, 2, "standard", False),
    case("collinear_positive", "collinear", 200, 2, "minmax", True),
    case("weighted", "convolution", 300, 2, "standard", True, log=True, weighted=True),
    case("weighted_unconstrained", "unrelated", 300, 2, "standard", False, weighted=True),
    case("grouped", "unrelated", 250, 2, "standard", False, grouped=True, folds=5),
    case("no_intercept", "unrelated", 200, 2, "minmax", False, intercept=False),
    case("no_intercept_weighted", "convolution", 200, 2, "standard", True, intercept=False, weighted=True),
    case("stopped_early", "convolution", 300, 2, "standard", False, max_iter=30),
    case("tight", "unrelated", 150, 1, "standard", False, tol=1e-10, eps=1e-5, alphas=100),
    case("three_folds", "collinear", 17, 2, "robust", False, folds=3, alphas=40),
]


def inputs(spec):
    """Rows, target, weights and groups of a case."""
    numbers = Numbers(2 * sum(spec["name"].encode()) + 1)
    rows, target, weights, groups = [], [], [], []
    for _ in range(spec["rows"]):
        row, y = TABLES[spec["table"]](numbers)
        rows.append(row)
        target.append(y)
        weights.append(0.25 + numbers.uniform() * 2)
        groups.append(int(numbers.uniform() * numbers.uniform() * 12))
    return np.array(rows, dtype=float), np.array(target), np.array(weights), np.array(groups)


def run(spec):
    x, y, weights, groups = inputs(spec)
    terms = PolynomialFeatures(spec["degree"], include_bias=True).fit_transform(np.log1p(x) if spec["log"] else x)
    for product in spec["products"]:
        terms = np.column_stack([terms, np.prod(x[:, product], axis=1)])
    design = SCALERS[spec["scaler"]]().fit_transform(terms)
    folds = list(GroupKFold(spec["folds"]).split(design, groups=groups)) if spec["grouped"] else spec["folds"]
    model = LassoCV(eps=spec["eps"], alphas=spec["alphas"], fit_intercept=spec["intercept"], max_iter=spec["max_iter"],
                    tol=spec["tol"], cv=folds, positive=spec["positive"], selection="cyclic", n_jobs=2)
    start = time.time()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(design, y, sample_weight=weights if spec["weighted"] else None)
    seconds = time.time() - start
    index = int(np.argmin(model.mse_path_.mean(axis=1)))
    assert model.alphas_[index] == model.alpha_
    kept = np.flatnonzero(model.coef_)
    runner_up = np.sort(model.mse_path_.mean(axis=1))[1] / model.mse_path_.mean(axis=1)[index] - 1
    print(f"{spec['name']}: {design.shape}, {seconds:.1f} s, alpha {index}, {len(kept)} kept, "
          f"{model.n_iter_} sweeps, {len(caught)} warnings, runner-up {runner_up:.1e}", flush=True)
    return {
        **spec,
        "terms": design.shape[1],
        "target_sum": float(np.sum(y)),
        "alpha_index": index,
        "alpha": model.alpha_,
        "alpha_max": model.alphas_[0],
        "intercept_value": float(model.intercept_),
        "coefficients": [[int(j), model.coef_[j]] for j in kept],
        "predictions": model.predict(design[:: max(1, len(y) // 12)])[:12].tolist(),
        "mse": model.mse_path_[index].tolist(),
        "mse_last": model.mse_path_[-1].tolist(),
        "n_iter": int(model.n_iter_),
        "dual_gap": float(model.dual_gap_),
        "not_converged": sum("did not converge" in str(w.message) for w in caught),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", help="one case by name")
    parser.add_argument("--print", action="store_true", help="print instead of writing golden.json")
    arguments = parser.parse_args()
    if sklearn.__version__ != PINNED:
        raise SystemExit(f"scikit-learn {PINNED} is pinned, this is {sklearn.__version__}")
    cases = [run(spec) for spec in CASES if arguments.only in (None, spec["name"])]
    golden = {"scikit_learn": sklearn.__version__, "numpy": np.__version__, "cases": cases}
    text = json.dumps(golden, indent=1)
    if arguments.print:
        print(text)
    else:
        pathlib.Path(__file__).with_name("golden.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
