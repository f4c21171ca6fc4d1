"""The peers of run.py: trains the same model on the same numbers with another library and prints seconds and losses as JSON.

    peers.py torch|sklearn FOLDER INPUTS OUTPUTS SETTINGS.json THREADS
    peers.py scipy|lightgbm FOLDER ROUNDS

Wall-clock and processor seconds are of the training alone: imports and files are not counted.
"""

import json
import os
import sys
import time
from pathlib import Path

if len(sys.argv) > 6:
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = sys.argv[6]
import numpy as np

FEATURES = 13


def read(folder, name, columns):
    return np.fromfile(Path(folder) / f"{name}.f64", dtype="<f8").reshape(-1, columns)


def standard(values):
    return ((values - values.mean(0)) / values.std(0)).astype(np.float32)


class Timer:
    def __enter__(self):
        self.wall, self.cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_):
        self.wall, self.cpu = time.perf_counter() - self.wall, time.process_time() - self.cpu


def with_torch(x, y, settings, threads):
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(settings["seed"])
    x, y = torch.from_numpy(x), torch.from_numpy(y)
    runs = []
    # The optimiser's quickest way differs by version and machine: all are tried, the quickest counts.
    for way in ({}, {"foreach": True}, {"fused": True}):
        widths = [x.shape[1], *settings["hidden"]]
        layers = []
        for a, b in zip(widths, widths[1:]):
            layers += [torch.nn.Linear(a, b), torch.nn.ReLU()]
        model = torch.nn.Sequential(*layers, torch.nn.Linear(widths[-1], y.shape[1]))
        optimizer = torch.optim.Adam(
            model.parameters(), lr=settings["learning_rate"], weight_decay=settings["weight_decay"], **way
        )
        loss_of = torch.nn.MSELoss()
        losses = []
        with Timer() as timer:
            for _ in range(settings["epochs"]):
                order = torch.randperm(len(x))
                total = 0.0
                for rows in order.split(settings["batch_size"]):
                    optimizer.zero_grad()
                    loss = loss_of(model(x[rows]), y[rows])
                    loss.backward()
                    optimizer.step()
                    total += loss.item() * len(rows)
                losses.append(total / len(x))
        runs.append({"seconds": timer.wall, "cpu_seconds": timer.cpu, "losses": losses, "way": way})
    return min(runs, key=lambda run: run["cpu_seconds"]) | {"version": torch.__version__}


def with_sklearn(x, y, settings):
    import warnings

    import sklearn
    from sklearn.neural_network import MLPRegressor

    warnings.simplefilter("ignore")
    model = MLPRegressor(
        hidden_layer_sizes=settings["hidden"],
        batch_size=settings["batch_size"],
        learning_rate_init=settings["learning_rate"],
        alpha=0.0,
        max_iter=settings["epochs"],
        n_iter_no_change=settings["epochs"] + 1,
        random_state=settings["seed"],
    )
    with Timer() as timer:
        model.fit(x, y)
    # It counts half the squared error.
    losses = [2.0 * loss for loss in model.loss_curve_]
    return {"seconds": timer.wall, "cpu_seconds": timer.cpu, "losses": losses, "version": sklearn.__version__}


def work(rows):
    """The quantities of docs/METHOD.md's physical model of a convolution that is dense and in one precision."""
    batch, c_in, h_in, w_in, c_out, h_out, w_out, k_h, k_w, _, _, group, width = rows.T
    pixels, depth = batch * h_out * w_out, group * k_h * k_w
    up = lambda values, step: np.ceil(values / step) * step
    macs, weights = pixels * c_out * depth, depth * c_out
    columns = [np.ones(len(rows)), macs, batch * c_in * h_in * w_in * width, pixels * c_out * width, weights * width]
    columns.append(depth * pixels * width)
    columns += [up(c_out, tile) * up(pixels, tile) * depth for tile in (32, 64, 128)]
    intensity = macs / (batch * c_in * h_in * w_in + pixels * c_out + weights)
    asked = [c_in, c_out, h_in, h_out, k_h, depth * pixels, columns[2], columns[3], weights, macs, intensity]
    return np.stack(columns, 1), np.stack(asked, 1)


def relative_robust(columns, y):
    """Non-negative least squares on relative error, reweighted by Huber's rule as ours is."""
    from scipy.optimize import nnls

    relative = columns / y[:, None]
    lengths = np.linalg.norm(relative, axis=0)
    weights = np.ones(len(y))
    x = None
    for _ in range(9):
        before = x
        x = nnls(relative / lengths * weights[:, None], weights)[0] / lengths
        if before is not None and np.all(np.abs(x - before) <= 1e-6 * np.abs(before)):
            break
        errors = np.abs(relative @ x - 1)
        bound = 1.345 * 1.4826 * np.median(errors)
        weights = np.sqrt(np.where(errors <= bound, 1.0, bound / np.maximum(errors, 1e-300)))
    return x


def with_scipy(folder):
    import scipy
    import scipy.optimize  # Before the clock runs.

    rows, y = read(folder, "rows", FEATURES), read(folder, "targets", 1)[:, 0]
    with Timer() as timer:
        columns, _ = work(rows)
        x = relative_robust(columns, y)
    predictions = work(read(folder, "test_rows", FEATURES))[0] @ x
    found = {"seconds": timer.wall, "cpu_seconds": timer.cpu, "version": scipy.__version__}
    return found | {"predictions": predictions.tolist()}


def with_lightgbm(folder, rounds):
    import lightgbm
    import scipy.optimize  # Before the clock runs.

    rows, y = read(folder, "rows", FEATURES), read(folder, "targets", 1)[:, 0]
    test = read(folder, "test_rows", FEATURES)
    options = {
        "objective": "l2",
        "learning_rate": 0.1,
        "num_leaves": 31,
        "min_data_in_leaf": 6,
        "lambda_l2": 1.0,
        "num_threads": 1,
        "verbose": -1,
    }
    with Timer() as timer:
        columns, asked = work(rows)
        x = relative_robust(columns, y)
        residual = np.log(y / (columns @ x))
        model = lightgbm.train(options, lightgbm.Dataset(asked, residual), rounds)
    columns, asked = work(test)
    predictions = columns @ x * np.exp(model.predict(asked))
    found = {"seconds": timer.wall, "cpu_seconds": timer.cpu, "version": lightgbm.__version__}
    return found | {"predictions": predictions.tolist()}


def main():
    peer, folder, *rest = sys.argv[1:]
    if peer in ("torch", "sklearn"):
        inputs, outputs, settings, threads = int(rest[0]), int(rest[1]), json.loads(Path(rest[2]).read_text()), int(rest[3])
        x, y = standard(read(folder, "rows", inputs)), standard(read(folder, "targets", outputs))
        found = with_torch(x, y, settings, threads) if peer == "torch" else with_sklearn(x, y, settings)
    else:
        found = with_scipy(folder) if peer == "scipy" else with_lightgbm(folder, int(rest[0]))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
