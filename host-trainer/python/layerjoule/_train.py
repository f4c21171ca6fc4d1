"""Fitting models to measurements, and judging them."""

from __future__ import annotations

import csv
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Mapping, Sequence, Union

from ._program import StrPath, options, run_json

#: A table: columns by name, such as a dict of lists or a table of pandas.
Table = Mapping[str, Sequence[Any]]
#: Training data: a folder as `dataset` writes it, or one table per layer kind.
Data = Union[StrPath, Mapping[str, Table]]


@dataclass(frozen=True)
class Score:
    """What models of a layer kind are worth on a set of measurements."""

    #: Layer kind, or `network` for whole networks.
    kind: str
    #: `power` or `runtime`.
    target: str
    #: Number of measurements.
    n: int
    #: Mean absolute percentage error; None without measurements.
    mape_percent: float | None
    #: Root of the mean squared percentage error.
    rmspe_percent: float | None
    r2: float | None
    #: Mean absolute error, in W or ms.
    mae: float | None
    #: The set: `training`, `cross-validation by network`, `test`; None for `evaluate`.
    set: str | None = None
    #: Network, if networks are judged separately.
    network: str | None = None
    #: Device, for `fit`.
    device: str | None = None
    #: Share of measurements within their 90 % interval, for `evaluate`.
    interval_90_coverage_percent: float | None = None
    #: The whole entry of the document; `evaluate` has baselines in it.
    document: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def read(cls, value: Mapping[str, Any]) -> Score:
        """Reads an entry of what `fit` or `evaluate` prints."""
        known = {name: value[name] for name in cls.__dataclass_fields__ if name in value}
        return cls(**known, document=value)


def fit(
    data: Data,
    out: StrPath,
    *,
    device: str | None = None,
    kind: str | None = None,
    config: StrPath | None = None,
    test_models: Sequence[str] | None = None,
) -> list[Score]:
    """Fits one power and one run-time model for each layer kind that has data.

    >>> import tempfile
    >>> import layerjoule as lj
    >>> sizes = [64 * n for n in range(1, 13)]
    >>> dense = {
    ...     "model": ["a", "b", "c"] * 4, "batch_size": [1] * 12, "input_size": sizes, "output_size": [100] * 12,
    ...     "power": [5e6] * 12, "runtime": [0.01 + 1e-5 * size for size in sizes], "layer_name": [f"fc{size}" for size in sizes],
    ... }
    >>> with tempfile.TemporaryDirectory() as models:
    ...     scores = lj.fit({"dense": dense}, models, device="my-board", kind="physics", test_models=["c"])
    >>> [score.n for score in scores if score.set == "test"]
    [4, 4]

    Args:
        data: Folder of `<network>/<kind>.csv` or `<kind>.csv`, or a table per layer kind whose column `model` names the network.
            Power is in µW and run time in ms, as in docs/FORMATS.md.
        out: Folder of models; they are written below the device's name.
        device: Device to fit; by default every device in the data.
        kind: Model kind: lasso (the default), physics, hybrid, mlp, blend, auto, linear, glm, constant.
        config: Configuration of the fit (TOML).
        test_models: Networks held out for testing, none if empty; by default lenet, resnet18 and vgg16.

    Raises:
        LayerjouleError: The data cannot be read, or are too few.
    """
    with tempfile.TemporaryDirectory(prefix="layerjoule-") as scratch:
        how = {
            "--data": _folder(data, Path(scratch)),
            "--out": out,
            "--device": device,
            "--kind": kind,
            "--config": config,
            "--test-models": None if test_models is None else ",".join(test_models) or "none",
        }
        return [Score.read(row) for row in run_json("fit", *options(how))]


def evaluate(models: StrPath, data: Data, *, device: str | None = None, by_network: bool = False) -> list[Score]:
    """Evaluates models on measurements, by layer kind and for whole networks.

    >>> import layerjoule as lj
    >>> dense = {
    ...     "model": ["a", "a"], "batch_size": [1, 1], "input_size": [512, 1024], "output_size": [1000, 1000],
    ...     "power": [5e6, 5e6], "runtime": [0.02, 0.03], "layer_name": ["one", "two"],
    ... }
    >>> models = lj.program().resolve().parent.parent / "share" / "layerjoule" / "trained_models"
    >>> scores = lj.evaluate(models, {"dense": dense}, device="jetson-orin-nano")
    >>> [score.n for score in scores if score.kind == "dense" and score.target == "runtime"]
    [2]

    Args:
        models: Folder of models.
        data: As for `fit`.
        device: Device whose models are evaluated; by default that of the folder.
        by_network: Also evaluate each network separately.

    Raises:
        LayerjouleError: The models or the data cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="layerjoule-") as scratch:
        how = {
            "--models": models,
            "--data": _folder(data, Path(scratch)),
            "--device": device,
            "--by-network": by_network,
        }
        return [Score.read(row) for row in run_json("evaluate", *options(how))]


def _folder(data: Data, scratch: Path) -> StrPath:
    """The folder of the data; tables are written into one."""
    if isinstance(data, (str, os.PathLike)):
        return data
    for kind, table in data.items():
        names = list(table)
        with (scratch / f"{kind}.csv").open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(names)
            rows.writerows(zip(*(table[name] for name in names)))
    return scratch
