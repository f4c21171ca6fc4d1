"""Predictions of engines, and what they consist of."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterable, Mapping, Sequence, Union

from ._program import LayerjouleError, StrPath, columns, options, run_json

if TYPE_CHECKING:
    import pandas

#: An engine info or an ONNX graph: the path of the file, or what it contains.
Source = Union[StrPath, bytes]

#: Files that one process predicts; the length of a command line has a limit.
CHUNK = 1000
#: What stands for the name of an engine that came as bytes.
BYTES = "<bytes>"
#: The first byte of an ONNX graph, the tag of its first field; every other engine is text.
GRAPH_START = b"\x08"


@dataclass(frozen=True)
class Interval:
    """A range that should contain the measured value with the probability `level`."""

    lower: float
    upper: float
    level: float

    @classmethod
    def read(cls, value: Mapping[str, float] | None) -> Interval | None:
        """Reads an interval of a document; one that is not known is None."""
        return None if value is None else cls(value["lower"], value["upper"], value["level"])


@dataclass(frozen=True)
class EngineLayer:
    """A layer as its engine describes it."""

    #: Position in the engine.
    index: int
    name: str
    #: TensorRT's type.
    type: str
    #: What it computes, such as `convolution`.
    kind: str
    #: The operators of the network that it contains, where the engine info names them.
    operators: tuple[str, ...]
    #: Number format, such as `fp16`.
    precision: str | None
    #: Shape of its first output, outermost extent first; empty if unknown.
    output: tuple[int, ...]
    #: Number of its weights.
    weights: int | None


@dataclass(frozen=True)
class Layer(EngineLayer):
    """The prediction of one layer."""

    runtime_ms: float | None
    runtime_bounds: Interval | None
    #: Mean power while it runs, W.
    power_w: float | None
    power_bounds: Interval | None
    energy_mj: float | None
    #: Where the run time is from: `model`, `roofline`, `free`, `unmodelled`.
    runtime_source: str
    #: Where the power is from.
    power_source: str
    #: Features that lie outside the range that training saw.
    outside_training_range: tuple[str, ...]

    @classmethod
    def read(cls, value: Mapping[str, Any]) -> Layer:
        """Reads a layer of a prediction's document."""
        return cls(
            index=value["index"],
            name=value["layer_name"],
            type=value["layer_type"],
            kind=value["kind"],
            operators=tuple(value["operators"]),
            precision=value["precision"],
            output=tuple(value["output"]),
            weights=value["weights"],
            runtime_ms=value["runtime_prediction"],
            runtime_bounds=Interval.read(value["runtime_bounds"]),
            power_w=value["power_prediction"],
            power_bounds=Interval.read(value["power_bounds"]),
            energy_mj=value["energy_prediction"],
            runtime_source=value["runtime_source"],
            power_source=value["power_source"],
            outside_training_range=tuple(value["outside_training_range"]),
        )


@dataclass(frozen=True)
class Totals:
    """Sums over an engine's layers."""

    #: Number of layers.
    layers: int
    #: Run time of one inference.
    runtime_ms: float | None
    #: Whether layers without a prediction are missing from it.
    runtime_is_lower_bound: bool
    runtime_bounds: Interval | None
    #: Energy of one inference.
    energy_mj: float | None
    energy_is_lower_bound: bool
    energy_bounds: Interval | None
    average_power_w: float | None
    average_power_bounds: Interval | None
    #: Number of layers by the source of their run time.
    layers_by_source: Mapping[str, int]
    #: Share of the layers that cost anything which models predict, %.
    layers_modelled_percent: float | None
    #: Share of the run time which models predict, %.
    runtime_modelled_percent: float | None
    layers_outside_training_range: int

    @classmethod
    def read(cls, value: Mapping[str, Any]) -> Totals:
        """Reads the totals of a prediction's document."""
        return cls(
            layers=value["layers"],
            runtime_ms=value["runtime_ms"],
            runtime_is_lower_bound=value["runtime_is_lower_bound"],
            runtime_bounds=Interval.read(value["runtime_bounds"]),
            energy_mj=value["energy_mj"],
            energy_is_lower_bound=value["energy_is_lower_bound"],
            energy_bounds=Interval.read(value["energy_bounds"]),
            average_power_w=value["average_power_w"],
            average_power_bounds=Interval.read(value["average_power_bounds"]),
            layers_by_source=dict(value["layers_by_source"]),
            layers_modelled_percent=value["layers_modelled_percent"],
            runtime_modelled_percent=value["runtime_modelled_percent"],
            layers_outside_training_range=value["layers_outside_training_range"],
        )


@dataclass(frozen=True)
class Correction:
    """What the run time may lack because the layers come from a graph. It is not in the totals."""

    what: str
    lower_ms: float
    median_ms: float
    upper_ms: float
    #: Real engines behind it.
    engines: int


@dataclass(frozen=True)
class Prediction:
    """The prediction of an engine on a device."""

    #: The engine's file, or `<bytes>`.
    engine: str
    device: str
    #: Layers in execution order.
    layers: tuple[Layer, ...]
    totals: Totals
    corrections: tuple[Correction, ...]
    #: What to know before trusting it.
    warnings: tuple[str, ...]
    #: The whole document, as `predict --format json` prints it; it has the memory, too.
    document: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Prediction:
        """Reads a document of `predict --format json` or of the server."""
        return cls(
            engine=document["engine"],
            device=document["device"],
            layers=tuple(map(Layer.read, document["layers"])),
            totals=Totals.read(document["totals"]),
            corrections=tuple(Correction(**one) for one in document.get("corrections", ())),
            warnings=tuple(document["warnings"]),
            document=document,
        )

    def columns(self) -> dict[str, list[Any]]:
        """Returns the layers as columns, one row per layer, with the bounds of intervals as columns of their own.

        >>> import layerjoule as lj
        >>> columns = lj.predict(lj.sample("lenet_trt_engine_info.json")).columns()
        >>> columns["name"][1], columns["kind"][1]
        ('conv1/Conv + conv1/Relu', 'convolution')
        """
        result = columns(self.layers, ("index", "name", "type", "kind", "precision", "runtime_ms", "power_w", "energy_mj"))
        for name, bounds in (("runtime", "runtime_bounds"), ("power", "power_bounds")):
            unit = "ms" if name == "runtime" else "w"
            intervals: list[Interval | None] = [getattr(layer, bounds) for layer in self.layers]
            result[f"{name}_lower_{unit}"] = [None if one is None else one.lower for one in intervals]
            result[f"{name}_upper_{unit}"] = [None if one is None else one.upper for one in intervals]
        result.update(columns(self.layers, ("runtime_source", "power_source")))
        result["outside_training_range"] = [bool(layer.outside_training_range) for layer in self.layers]
        return result

    def to_pandas(self) -> pandas.DataFrame:
        """Returns the columns as a table of pandas, which has to be installed.

        >>> import layerjoule as lj
        >>> table = lj.predict(lj.sample("resnet18_trt_engine_info.json"), device="orin-nano").to_pandas()
        >>> table.nlargest(1, "runtime_ms")["name"].item()
        'stem/Conv + stem/Relu'
        """
        import pandas

        return pandas.DataFrame(self.columns())


@dataclass(frozen=True)
class Outlook:
    """What an engine would cost in one setting: mode, clocks, batch and number format."""

    engine: str
    board: str
    #: Power mode; None for clocks that were given.
    mode: str | None
    gpu_mhz: float
    emc_mhz: float
    #: Images per inference.
    batch: int | None
    #: Number format that was asked for; None for the engine's own.
    precision: str | None
    runtime_ms: float | None
    runtime_bounds: Interval | None
    energy_mj: float | None
    power_w: float | None
    #: Images per second.
    throughput: float | None
    #: Where the time is from.
    origin: str
    #: Layers without a time, which are missing from the sums.
    missing_layers: int
    #: What to know before trusting it.
    notes: tuple[str, ...]
    #: The whole entry, as `predict --modes … --format json` prints it; it has the layers' times, too.
    document: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def read(cls, value: Mapping[str, Any]) -> Outlook:
        """Reads an outlook of a document."""
        names = ("engine", "board", "mode", "gpu_mhz", "emc_mhz", "batch", "precision", "runtime_ms", "energy_mj", "power_w")
        return cls(
            **{name: value[name] for name in names},
            throughput=value["throughput"],
            origin=value["origin"],
            missing_layers=value["missing_layers"],
            runtime_bounds=Interval.read(value["runtime_bounds"]),
            notes=tuple(value["notes"]),
            document=value,
        )


def predict(
    engine: Source | Engine,
    *,
    device: str | None = None,
    models: StrPath | None = None,
    store: str | None = None,
    precision: str | None = None,
    batch: int | None = None,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    profile: int = 0,
) -> Prediction:
    """Predicts run time, power and energy of an engine, layer by layer.

    >>> import layerjoule as lj
    >>> prediction = lj.predict(lj.sample("resnet18.onnx"), device="agx-orin", batch=4)
    >>> prediction.device, prediction.totals.runtime_bounds.level
    ('agx-orin', 0.9)
    >>> lj.predict(lj.sample("lenet_trt_engine_info.json").read_bytes()).engine
    '<bytes>'

    Args:
        engine: Path or content of an engine info or of an ONNX graph.
        device: Device, BOARD or BOARD@MODE; by default that of the models folder. `explore` predicts other modes than those measured.
        models: Folder of models; by default the models that come with the program.
        store: Model store to use instead of a folder.
        precision: Number formats that the builder may use, for ONNX graphs: fp32, fp16 (the default), bf16, int8, best.
        batch: Batch size, for ONNX graphs; `explore` also changes that of an engine info.
        input_shapes: Shapes of a graph's inputs by name.
        profile: Optimisation profile, for engines with several.

    Raises:
        LayerjouleError: The engine cannot be read, or there are no models for the device.
    """
    if not isinstance(engine, Engine):
        engine = Engine(engine, precision=precision, batch=batch, input_shapes=input_shapes, profile=profile)
    elif precision is not None or batch is not None or input_shapes is not None or profile != 0:
        raise TypeError("precision, batch, input_shapes and profile belong to the engine: give them to Engine(…)")
    return engine.predict(device, models=models, store=store)


def predict_all(
    engines: Iterable[StrPath],
    *,
    device: str | None = None,
    models: StrPath | None = None,
    store: str | None = None,
    precision: str | None = None,
    batch: int | None = None,
    profile: int = 0,
) -> list[Prediction]:
    """Predicts many files in one run of the program, which loads the models once and uses all processors.

    >>> import layerjoule as lj
    >>> files = [lj.sample("lenet_trt_engine_info.json"), lj.sample("resnet18.onnx")]
    >>> [len(prediction.layers) for prediction in lj.predict_all(files, device="orin-nano")]
    [10, 26]

    The arguments are those of `predict`; the result has the order of the files.

    Raises:
        LayerjouleError: One of the files cannot be predicted; the message names it.
    """
    files = [os.fspath(path) for path in engines]
    how = options(
        {"--device": device, "--models": models, "--store": store, "--precision": precision, "--batch": batch, "--profile": profile}
    )
    predictions: list[Prediction] = []
    for start in range(0, len(files), CHUNK):
        document = run_json("predict", *how, "--trt-engine-path", *files[start : start + CHUNK])
        predictions += map(Prediction.read, _plain(document))
    return predictions


def explore(
    engine: Source | Engine,
    *,
    device: str | None = None,
    modes: str | Sequence[str] | None = None,
    gpu_mhz: float | None = None,
    emc_mhz: float | None = None,
    batches: Sequence[int] = (),
    precisions: Sequence[str] = (),
    own_mode: str | None = None,
    models: StrPath | None = None,
    profile: int = 0,
) -> list[Outlook]:
    """Predicts an engine in other power modes, clocks, batches or number formats than it was measured in.

    >>> import layerjoule as lj
    >>> engine = lj.sample("resnet18_trt_engine_info.json")
    >>> outlooks = lj.explore(engine, device="orin-nano", own_mode="15W", modes=["7W", "15W"])
    >>> [outlook.mode for outlook in outlooks], outlooks[0].runtime_ms > outlooks[1].runtime_ms
    (['7W', '15W'], True)

    Args:
        engine: Path or content of an engine info or of an ONNX graph.
        device: The board whose models are used.
        modes: Power modes, or `all`.
        gpu_mhz: GPU clock in place of the mode's.
        emc_mhz: Memory clock in place of the mode's.
        batches: Batch sizes; the engine's if empty.
        precisions: Number formats; the engine's if empty.
        own_mode: The mode in which the device was measured, where nothing recorded it.
        models: Folder of models.
        profile: Optimisation profile, for engines with several.

    Raises:
        LayerjouleError: The mode or the board is not known, or the engine's batch cannot be changed.
    """
    if not isinstance(engine, Engine):
        engine = Engine(engine, profile=profile)
    how = {
        "--device": device,
        "--models": models,
        "--own-mode": own_mode,
        "--modes": modes if modes is None or isinstance(modes, str) else ",".join(modes),
        "--gpu-mhz": gpu_mhz,
        "--emc-mhz": emc_mhz,
        "--batch": ",".join(map(str, batches)) or None,
        "--precision": ",".join(precisions) or None,
    }
    return engine._explore(options(how))


class Engine:
    """An engine to predict on several devices, or to look into.

    >>> import layerjoule as lj
    >>> engine = lj.Engine(lj.sample("resnet18.onnx"), precision="int8")
    >>> engine.layers[1].kind, engine.layers[1].precision
    ('convolution', 'int8')
    >>> engine.predict("agx-orin").totals.runtime_ms < engine.predict("orin-nano").totals.runtime_ms
    True

    Args:
        source: Path or content of an engine info or of an ONNX graph.
        precision: Number formats that the builder may use, for ONNX graphs.
        batch: Batch size, for ONNX graphs.
        input_shapes: Shapes of a graph's inputs by name.
        profile: Optimisation profile, for engines with several.
    """

    def __init__(
        self,
        source: Source,
        *,
        precision: str | None = None,
        batch: int | None = None,
        input_shapes: Mapping[str, Sequence[int]] | None = None,
        profile: int = 0,
    ) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._layers: tuple[EngineLayer, ...] | None = None
        if isinstance(source, bytes):
            # The folder goes with this object.
            self._folder = tempfile.TemporaryDirectory(prefix="layerjoule-")
            self.path = Path(self._folder.name) / ("engine.onnx" if source[:1] == GRAPH_START else "engine.json")
            self.path.write_bytes(source)
            self.name = BYTES
        else:
            self.path = Path(source)
            self.name = os.fspath(source)
        shapes = [f"{name}={'x'.join(map(str, shape))}" for name, shape in (input_shapes or {}).items()]
        self._options: dict[str, Any] = {
            "--precision": precision,
            "--batch": batch,
            "--input-shape": shapes,
            "--profile": profile,
        }

    def __repr__(self) -> str:
        return f"Engine({self.name!r})"

    @property
    def layers(self) -> tuple[EngineLayer, ...]:
        """The engine's layers in execution order; for an ONNX graph those that TensorRT would likely make of it."""
        if self._layers is None:
            self._layers = self.predict().layers
        return self._layers

    def predict(self, device: str | None = None, *, models: StrPath | None = None, store: str | None = None) -> Prediction:
        """Predicts it on a device; see `predict`."""
        if (self._options["--precision"] or self._options["--batch"]) and not self._is_graph():
            raise LayerjouleError(
                f"{self.name}: precision and batch of an engine info are fixed",
                exit_code=2,
                hint="use explore(…, batches=[…], precisions=[…])",
            )
        how = options({"--device": device, "--models": models, "--store": store, **self._options})
        [document] = _plain(self._run(how))
        prediction = Prediction.read({**document, "engine": self.name})
        self._layers = self._layers or prediction.layers
        return prediction

    def _is_graph(self) -> bool:
        if self.path.suffix.lower() in (".json", ".txt", ".onnx") or not self.path.is_file():
            return self.path.suffix.lower() == ".onnx"
        with self.path.open("rb") as file:
            return file.read(1) == GRAPH_START

    def _explore(self, how: Sequence[str]) -> list[Outlook]:
        own = {flag: value for flag, value in self._options.items() if flag not in how}
        return [Outlook.read({**one, "engine": self.name}) for one in self._run([*how, *options(own)])["outlooks"]]

    def _run(self, how: Sequence[str]) -> Any:
        try:
            return run_json("predict", *how, "--trt-engine-path", os.fspath(self.path))
        except LayerjouleError as error:
            if self._folder is None:
                raise
            # The file is ours, and nobody knows it.
            message = error.message.replace(os.fspath(self.path), BYTES)
            raise LayerjouleError(message, error.exit_code, error.hint) from None


def _plain(document: Any) -> list[Mapping[str, Any]]:
    """The predictions of a document, which is one prediction or a list of them."""
    return document if isinstance(document, list) else [document]


