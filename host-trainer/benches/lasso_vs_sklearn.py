#!/usr/bin/env python3
"""Times host-trainer's cross-validated Lasso beside scikit-learn's, on the same numbers in the same run.

    python3 -m venv venv && venv/bin/pip install -r host-trainer/tests/golden/lasso/requirements.txt
    venv/bin/python host-trainer/benches/lasso_vs_sklearn.py [--repeat 3] [--binary PATH]

Without --binary it builds the example `lasso_cv` in release mode first. A problem is the reference's: 13 convolution
columns, all monomials up to degree 3 (560 terms), a standard scaler, 500 penalties, 10 folds. Building the design is not timed on
either side; everything that `LassoCV.fit` does is. Both sides may use two threads. Runs alternate, and the fastest of each
counts: on a machine that others use, the slower ones measure the others.
"""

import argparse
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time
import warnings

import numpy as np
import sklearn
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LassoCV
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "host-trainer/tests/golden/lasso"))
from generate import Numbers, convolution, noise  # noqa: E402

FOLDS = 10


def unrelated(numbers):
    """Thirteen columns without a copy among them: no square inputs or kernels to save work on."""
    row = [numbers.choice([1, 2, 4, 8, 16, 32])]
    row += [3 + int(numbers.uniform() * 509) for _ in range(6)] + [1 + int(numbers.uniform() * 7) for _ in range(6)]
    signal = row[0] * row[1] * row[2] / 1e5 + row[3] * row[7] / 100 + row[5] * row[6] * row[8] / 1e4
    return row, signal * noise(numbers, 0.3)


def problem(table, rows):
    numbers = Numbers(rows + 1)
    made = [table(numbers) for _ in range(rows)]
    terms = PolynomialFeatures(3).fit_transform(np.array([row for row, _ in made], dtype=float))
    return StandardScaler().fit_transform(terms), np.array([y for _, y in made])


def cpu(who):
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def run_sklearn(design, target, positive):
    model = LassoCV(alphas=500, cv=FOLDS, max_iter=10_000, positive=positive, n_jobs=2)
    before, start = cpu(resource.RUSAGE_SELF), time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(design, target)
    return model, time.perf_counter() - start, cpu(resource.RUSAGE_SELF) - before


def run_ours(binary, folder, rows, positive):
    command = [binary, folder, str(rows), str(FOLDS), str(positive).lower()]
    before = cpu(resource.RUSAGE_CHILDREN)
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, env={**os.environ, "RAYON_NUM_THREADS": "2"})
    found = json.loads(output.stdout)
    # The CPU time also counts starting the process and reading the files.
    return found, found["seconds"], cpu(resource.RUSAGE_CHILDREN) - before


def build():
    subprocess.run(["cargo", "build", "--release", "-p", "host-trainer", "--example", "lasso_cv"], cwd=ROOT, check=True)
    target = os.environ.get("CARGO_TARGET_DIR", ROOT / "target")
    return pathlib.Path(target) / "release/examples/lasso_cv"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=3, help="runs of each (3)")
    parser.add_argument("--binary", help="the built example, to leave out building it")
    parser.add_argument("--at-least", type=float, help="fail where a ratio of wall times is below this")
    arguments = parser.parse_args()
    binary = arguments.binary or build()
    print(f"scikit-learn {sklearn.__version__}, numpy {np.__version__}, {os.cpu_count()} cores, "
          f"load {os.getloadavg()[0]:.1f}; seconds are wall (CPU)")
    failed = False
    for table in (convolution, unrelated):
        for rows in (1000, 4000):
            design, target = problem(table, rows)
            with tempfile.TemporaryDirectory() as folder:
                np.asfortranarray(design).T.astype("<f8").tofile(f"{folder}/design.f64")
                target.astype("<f8").tofile(f"{folder}/target.f64")
                for positive in (True, False):
                    theirs = ours = None
                    for _ in range(arguments.repeat):
                        model, wall, spent = run_sklearn(design, target, positive)
                        theirs = min(theirs or (wall, spent), (wall, spent))
                        found, wall, spent = run_ours(binary, folder, rows, positive)
                        ours = min(ours or (wall, spent), (wall, spent))
                    index = int(np.argmin(model.mse_path_.mean(axis=1)))
                    scale = max(np.abs(model.coef_).max(), 1e-300)
                    difference = np.abs(np.array(found["coefficients"]) - model.coef_).max() / scale
                    equal = index == found["alpha_index"] and np.allclose(found["alphas"], model.alphas_, rtol=1e-12) \
                        and difference < 1e-8
                    ratio = theirs[0] / ours[0]
                    failed |= not equal or (arguments.at_least or 0) > ratio
                    print(f"{table.__name__} {rows}x{design.shape[1]} {'positive' if positive else 'any sign'}: "
                          f"scikit-learn {theirs[0]:.2f} ({theirs[1]:.2f}), ours {ours[0]:.3f} ({ours[1]:.3f}), "
                          f"{ratio:.1f} times faster ({theirs[1] / ours[1]:.1f} in CPU); alpha {index}"
                          f"{'' if equal else ' NOT EQUAL'}, coefficients differ by {difference:.0e}", flush=True)
    if failed:
        raise SystemExit("a result differs or a ratio is too small")


if __name__ == "__main__":
    main()
