"""Runs of the agent, aligned: time, power and energy of each layer as they were measured."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Mapping

from ._predict import Interval
from ._program import StrPath, columns, options, run_json

if TYPE_CHECKING:
    import pandas

#: Probability of the intervals of aligned runs.
LEVEL = 0.9


@dataclass(frozen=True)
class AlignedLayer:
    """A layer as it was measured."""

    #: Position in execution order.
    index: int
    name: str
    #: TensorRT's type.
    type: str
    #: How often it ran.
    runs: int
    #: Mean run time.
    runtime_ms: float | None
    runtime_deviation_ms: float | None
    #: Mean power while it runs, idle power included.
    power_w: float | None
    power_bounds: Interval | None
    #: Energy of one run, idle power included.
    energy_mj: float | None
    #: How far the power is its own: `measured`, `attributed`, `not_identifiable`.
    verdict: str

    @classmethod
    def read(cls, value: Mapping[str, Any]) -> AlignedLayer:
        """Reads a layer of the quality report."""
        low, high = value["power_low_w"], value["power_high_w"]
        return cls(
            index=value["index"],
            name=value["name"],
            type=value["layer_type"],
            runs=value["runs"],
            runtime_ms=value["runtime_ms"],
            runtime_deviation_ms=value["runtime_deviation_ms"],
            power_w=value["power_w"],
            power_bounds=None if low is None or high is None else Interval(low, high, LEVEL),
            energy_mj=value["energy_mj"],
            verdict=value["verdict"],
        )


@dataclass(frozen=True)
class InferenceEnergy:
    """Energy of an inference, as it was measured."""

    #: Mean power over inferences and the time between them, with its standard error.
    power_w: float | None
    power_error_w: float | None
    #: Mean time from one inference to the next.
    period_ms: float | None
    #: Energy from one inference to the next.
    energy_mj: float | None
    #: The same less idle power.
    net_energy_mj: float | None
    idle_w: float | None
    #: Run time and energy of all layers.
    layers_ms: float | None
    layers_mj: float | None


@dataclass(frozen=True)
class Aligned:
    """A run whose layers have their power."""

    model: str
    #: BOARD@MODE, if the run recorded it.
    device: str | None
    #: The method that was used, and why.
    method: str
    because: str
    #: Share of the run time in layers whose power the readings determine; None without a power log.
    identified: float | None
    energy: InferenceEnergy
    #: Layers in execution order.
    layers: tuple[AlignedLayer, ...]
    notes: tuple[str, ...]
    #: The whole quality report, as `align --format json` prints it.
    document: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Aligned:
        """Reads a quality report."""
        energy = document["energy"]
        return cls(
            model=document["model"],
            device=document["device"],
            method=document["method"],
            because=document["because"],
            identified=document["identified"],
            energy=InferenceEnergy(**{name: energy[name] for name in InferenceEnergy.__dataclass_fields__}),
            layers=tuple(map(AlignedLayer.read, document["layers"])),
            notes=tuple(document["notes"]),
            document=document,
        )

    def columns(self) -> dict[str, list[Any]]:
        """Returns the layers as columns, one row per layer."""
        result = columns(self.layers, ("index", "name", "type", "runs", "runtime_ms", "power_w", "energy_mj", "verdict"))
        bounds = [layer.power_bounds for layer in self.layers]
        result["power_lower_w"] = [None if one is None else one.lower for one in bounds]
        result["power_upper_w"] = [None if one is None else one.upper for one in bounds]
        return result

    def to_pandas(self) -> pandas.DataFrame:
        """Returns the columns as a table of pandas, which has to be installed."""
        import pandas

        return pandas.DataFrame(self.columns())


def align(
    folder: StrPath,
    *,
    out: StrPath | None = None,
    method: str | None = None,
    idle_power_w: float | None = None,
    parquet: bool = False,
) -> list[Aligned]:
    """Aligns a run folder, or every run in a folder of run folders.

    A run of the agent's simulator, of which the truth is known:

    >>> import pathlib, subprocess, tempfile
    >>> import layerjoule as lj
    >>> engine = lj.sample("lenet_trt_engine_info.json")
    >>> agent = [lj.program("jetson-agent"), "--quiet", "profile", "--runner", "simulated", "--simulate-fast"]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     done = subprocess.run([*agent, "--engine-info", engine, "--name", "lenet", "--runs", "2000", "--result-dir", folder])
    ...     [aligned] = lj.align(folder)
    >>> aligned.model, len(aligned.layers), aligned.energy.energy_mj > 0
    ('lenet', 10, True)

    Args:
        folder: A run folder, or a folder of them.
        out: Folder that receives the rows and the reports; none are kept if it is not given.
        method: auto (the default), window, deconvolve, share, totals.
        idle_power_w: Idle power in place of the measured one.
        parquet: Also write the rows as Parquet.

    Returns:
        One entry per run, sorted by name.

    Raises:
        LayerjouleError: A run cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="layerjoule-") as scratch:
        how = options(
            {
                "--raw-data-dir": os.fspath(folder),
                "--result-dir": scratch if out is None else out,
                "--method": method,
                "--idle-power-w": idle_power_w,
                "--parquet": parquet,
            }
        )
        return [Aligned.read(document) for document in run_json("align", *how)]
