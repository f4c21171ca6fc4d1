"""The package as a user has it: installed from the wheel, with the program that came with it."""

from __future__ import annotations

import ast
import dataclasses
import functools
import http.client
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
import typing

import pytest

import layerjoule as lj

LENET = lj.sample("lenet_trt_engine_info.json")
RESNET = lj.sample("resnet18_trt_engine_info.json")
GRAPH = lj.sample("resnet18.onnx")
#: A device with power, so that every field has a value somewhere.
POWER = "jetson-orin-nano"


def printed(*arguments: object) -> typing.Any:
    """What the program itself prints as JSON."""
    command = [str(lj.program()), "--quiet", *map(str, arguments), "--format", "json"]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def bounds(value: typing.Mapping[str, float] | None) -> lj.Interval | None:
    return None if value is None else lj.Interval(value["lower"], value["upper"], value["level"])


@pytest.fixture
def program(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> typing.Callable[[str], pathlib.Path]:
    """A program of the test's own in place of host-trainer."""

    def write(script: str) -> pathlib.Path:
        path = tmp_path / "host-trainer"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setenv("LAYERJOULE_PROGRAM", str(path))
        return path

    return write


@pytest.mark.parametrize(("engine", "device"), [(LENET, POWER), (RESNET, POWER), (RESNET, "orin-nano"), (GRAPH, "agx-orin")])
def test_a_prediction_has_what_the_program_prints(engine: pathlib.Path, device: str) -> None:
    prediction = lj.predict(engine, device=device)
    document = printed("predict", "--trt-engine-path", engine, "--device", device)
    assert prediction.document == document
    assert (prediction.engine, prediction.device) == (str(engine), device)
    assert len(prediction.layers) == len(document["layers"]) > 0
    for layer, value in zip(prediction.layers, document["layers"]):
        assert (layer.index, layer.name, layer.type, layer.kind) == tuple(value[k] for k in ("index", "layer_name", "layer_type", "kind"))
        assert (list(layer.operators), list(layer.output)) == (value["operators"], value["output"])
        assert (layer.precision, layer.weights) == (value["precision"], value["weights"])
        assert layer.runtime_ms == value["runtime_prediction"] and layer.runtime_bounds == bounds(value["runtime_bounds"])
        assert layer.power_w == value["power_prediction"] and layer.power_bounds == bounds(value["power_bounds"])
        assert (layer.energy_mj, layer.runtime_source) == (value["energy_prediction"], value["runtime_source"])
        assert (layer.power_source, list(layer.outside_training_range)) == (value["power_source"], value["outside_training_range"])
    totals = document["totals"]
    for field in dataclasses.fields(lj.Totals):
        expected = bounds(totals[field.name]) if field.name.endswith("_bounds") else totals[field.name]
        assert getattr(prediction.totals, field.name) == expected, field.name
    assert prediction.warnings == tuple(document["warnings"])
    assert [dataclasses.asdict(one) for one in prediction.corrections] == document.get("corrections", [])
    if engine == GRAPH:
        assert prediction.corrections, "the list of layers of a graph leaves something open"
    if device == POWER:
        assert prediction.totals.energy_mj is not None and prediction.totals.runtime_bounds is not None
    else:
        assert prediction.totals.energy_mj is None, "unknown is None"


def test_options_reach_the_program(tmp_path: pathlib.Path) -> None:
    options = ("--batch", 4, "--precision", "int8", "--input-shape", "input=1x3x160x160")
    expected = printed("predict", "--onnx", GRAPH, "--device", "orin-nx", *options)
    given = lj.predict(GRAPH, device="orin-nx", batch=4, precision="int8", input_shapes={"input": (1, 3, 160, 160)})
    assert given.document == expected
    assert given.totals != lj.predict(GRAPH, device="orin-nx").totals
    with pytest.raises(lj.LayerjouleError, match="nowhere"):
        lj.predict(LENET, models=tmp_path / "nowhere")


def test_content_is_predicted_like_its_file() -> None:
    for path in (LENET, GRAPH):
        from_bytes, from_file = lj.predict(path.read_bytes()), lj.predict(path)
        assert from_bytes.engine == "<bytes>"
        assert from_bytes == dataclasses.replace(from_file, engine="<bytes>")
    with pytest.raises(lj.LayerjouleError) as caught:
        lj.predict(b'{"Layers": [')
    assert caught.value.exit_code == 3
    assert caught.value.message.startswith("<bytes>: line 1"), caught.value.message


def test_an_engine_is_kept_and_predicted_again(tmp_path: pathlib.Path) -> None:
    engine = lj.Engine(LENET.read_bytes())
    assert engine.predict("orin-nano").totals == lj.predict(LENET, device="orin-nano").totals
    assert engine.predict(POWER).totals == lj.predict(LENET, device=POWER).totals
    assert [layer.name for layer in engine.layers] == [layer.name for layer in lj.predict(LENET).layers]
    folder = engine.path.parent
    assert folder.is_dir()
    del engine
    assert not folder.exists(), "a temporary file goes with its engine"
    with pytest.raises(TypeError, match="belong to the engine"):
        lj.predict(lj.Engine(GRAPH), batch=2)


def test_many_files_are_predicted_by_one_process(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [LENET, RESNET, GRAPH] * 2
    alone = [lj.predict(path, device=POWER) for path in files]
    assert lj.predict_all(files, device=POWER) == alone
    assert lj.predict_all(files[:1], device=POWER) == alone[:1]
    assert lj.predict_all([]) == []
    monkeypatch.setattr("layerjoule._predict.CHUNK", 4)
    assert lj.predict_all(files, device=POWER) == alone
    broken = tmp_path / "broken.json"
    broken.write_text('{"Layers": [')
    with pytest.raises(lj.LayerjouleError) as caught:
        lj.predict_all([LENET, broken])
    assert "broken.json: line 1" in caught.value.message and "1 of 2 files" in caught.value.message


def test_other_modes_are_explored() -> None:
    outlooks = lj.explore(RESNET, device="orin-nano", own_mode="15W", modes="all", batches=[1, 8])
    options = ("--device", "orin-nano", "--own-mode", "15W", "--modes", "all", "--batch", "1,8")
    document = printed("predict", "--trt-engine-path", RESNET, *options)["outlooks"]
    assert [outlook.document for outlook in outlooks] == document
    assert {outlook.batch for outlook in outlooks} == {1, 8} and {outlook.mode for outlook in outlooks} >= {"7W", "15W"}
    for outlook, value in zip(outlooks, document):
        assert outlook.runtime_bounds == bounds(value["runtime_bounds"])
        for name in ("engine", "board", "gpu_mhz", "emc_mhz", "runtime_ms", "energy_mj", "power_w", "throughput", "origin"):
            assert getattr(outlook, name) == value[name], name
    with pytest.raises(lj.LayerjouleError, match="fixed.*use explore"):
        lj.predict(RESNET, batch=8)


@pytest.mark.parametrize(
    ("engine", "options", "code", "message", "hint"),
    [
        ("resnt18_trt_engine_info.json", {}, 5, "no such file", "resnet18_trt_engine_info.json`"),
        ("README.md", {}, 3, "README.md", ""),
        ("resnet18.onnx", {"device": "orin-nani"}, 2, "orin-nani; did you mean `orin-nano`", "agx-orin, "),
        ("resnet18.onnx", {"precision": "fp17"}, 2, "fp17", ""),
    ],
)
def test_failures_say_what_and_what_next(engine: str, options: dict[str, typing.Any], code: int, message: str, hint: str) -> None:
    with pytest.raises(lj.LayerjouleError) as caught:
        lj.predict(LENET.with_name(engine), **options)
    assert caught.value.exit_code == code, str(caught.value)
    assert message in caught.value.message and hint in (caught.value.hint or ""), str(caught.value)
    assert caught.value.message in str(caught.value)


def test_a_missing_program_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    monkeypatch.setenv("LAYERJOULE_PROGRAM", str(tmp_path / "nothing"))
    with pytest.raises(lj.LayerjouleError, match="nothing: is not a program.*LAYERJOULE_PROGRAM"):
        lj.predict(LENET)
    monkeypatch.delenv("LAYERJOULE_PROGRAM")
    monkeypatch.setattr("layerjoule._program._installed", lambda: [tmp_path])
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(lj.LayerjouleError, match="neither installed.*nor on PATH.*install the wheel"):
        lj.program()
    on_path = tmp_path / "jetson-agent"
    on_path.write_text("#!/bin/sh\n")
    on_path.chmod(0o755)
    assert lj.program("jetson-agent") == on_path


def test_the_program_of_the_variable_goes_first(program: typing.Callable[[str], pathlib.Path]) -> None:
    path = program('echo "warning: from the test" >&2; echo "$@"')
    assert lj.program() == path
    with pytest.warns(lj.LayerjouleWarning, match="from the test") as caught:
        assert lj.run("networks", "list") == "--quiet --no-progress networks list\n"
    assert caught[0].filename == __file__, "it points to who called"


def test_a_program_that_is_killed_or_silent_is_an_error(program: typing.Callable[[str], pathlib.Path]) -> None:
    program("kill -KILL $$")
    with pytest.raises(lj.LayerjouleError, match="ended by SIGKILL") as caught:
        lj.run("predict")
    assert caught.value.exit_code is None
    program("exit 7")
    with pytest.raises(lj.LayerjouleError, match="code 7 and said nothing"):
        lj.run("predict")


def test_an_interruption_ends_the_program_and_passes_on(tmp_path: pathlib.Path) -> None:
    fake = tmp_path / "host-trainer"
    # A program that takes its time, and tells how it was ended.
    trap = f"trap 'echo interrupted >{tmp_path}/end; exit 130' INT"
    fake.write_text(f"#!/bin/sh\n{trap}\ntouch {tmp_path}/begun\nwhile :; do sleep 0.1; done\n")
    fake.chmod(0o755)
    script = "import layerjoule as lj\ntry:\n    lj.run('tune')\nexcept KeyboardInterrupt:\n    print('passed on')\n"
    environment = {**os.environ, "LAYERJOULE_PROGRAM": str(fake)}
    # What starts in the background of a script may ignore the signal, and hands that on.
    heed = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    process = subprocess.Popen([sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE, text=True, preexec_fn=heed)
    until = time.monotonic() + 30
    while not (tmp_path / "begun").exists():
        assert time.monotonic() < until, "the program does not start"
        time.sleep(0.02)
    # To Python alone, as Jupyter does it; in a terminal the program gets the signal, too.
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    assert out == "passed on\n"
    assert (tmp_path / "end").read_text() == "interrupted\n"


def test_other_threads_go_on_while_the_program_works(program: typing.Callable[[str], pathlib.Path]) -> None:
    program("sleep 1")
    worker = threading.Thread(target=lambda: lj.run("predict"))
    worker.start()
    turns = 0
    while worker.is_alive():
        turns += 1
        time.sleep(0.01)
    assert turns > 20


def test_pandas_is_imported_only_where_it_is_asked_for() -> None:
    script = "import sys, layerjoule as lj; lj.predict(lj.sample('lenet_trt_engine_info.json')); print('pandas' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.PIPE, text=True).stdout
    assert out == "False\n"
    pandas = pytest.importorskip("pandas")
    prediction = lj.predict(RESNET, device=POWER)
    table = prediction.to_pandas()
    assert isinstance(table, pandas.DataFrame) and len(table) == len(prediction.layers)
    assert table["runtime_ms"].tolist() == [layer.runtime_ms for layer in prediction.layers]
    assert table["power_lower_w"].dropna().tolist() == [layer.power_bounds.lower for layer in prediction.layers if layer.power_bounds]
    assert table["energy_mj"].sum() == pytest.approx(prediction.totals.energy_mj)


def test_a_run_is_aligned(tmp_path: pathlib.Path) -> None:
    agent, raw = lj.program("jetson-agent"), tmp_path / "raw_data"
    options = ["--runner", "simulated", "--simulate-fast", "--runs", "2000", "--name", "lenet"]
    subprocess.run([agent, "--quiet", "profile", *options, "--engine-info", LENET, "--result-dir", raw], check=True)
    [aligned] = lj.align(raw, out=tmp_path / "aligned")
    assert [aligned.document] == printed("align", "--raw-data-dir", raw, "--result-dir", tmp_path / "again")
    assert (tmp_path / "aligned/lenet/power_runtime_mapping_layerwise.csv").is_file()
    assert aligned.model == "lenet" and len(aligned.layers) == 10
    assert aligned.energy.energy_mj == aligned.document["energy"]["energy_mj"]
    assert aligned.columns()["power_lower_w"] == [layer["power_low_w"] for layer in aligned.document["layers"]]
    assert lj.align(raw / "lenet") == [aligned]
    with pytest.raises(lj.LayerjouleError, match="lenet/trt_profiling: holds no run folder.*a run folder is named"):
        lj.align(raw / "lenet/trt_profiling")


def test_models_are_fitted_to_tables_and_evaluated(tmp_path: pathlib.Path) -> None:
    sizes = [64 * n for n in range(1, 25)]
    dense: dict[str, list[typing.Any]] = {
        "model": ["a", "b", "c"] * 8,
        "batch_size": [1] * 24,
        "input_size": sizes,
        "output_size": [100 + size % 7 for size in sizes],
        "power": [5e6] * 24,
        "runtime": [0.01 + 1e-5 * size for size in sizes],
        "layer_name": [f'fc, "{size}"' for size in sizes],
    }
    scores = lj.fit({"dense": dense}, tmp_path / "models", device="board", kind="physics", test_models=["c"])
    [test] = [score for score in scores if score.set == "test" and score.target == "runtime"]
    assert (test.kind, test.n, test.device) == ("dense", 8, "board") and test.mape_percent is not None and test.mape_percent < 5
    [score] = [one for one in lj.evaluate(tmp_path / "models", {"dense": dense}) if one.kind == "dense" and one.target == "runtime"]
    assert score.n == 24 and score.mape_percent == score.document["mape_percent"]
    networks = {one.network for one in lj.evaluate(tmp_path / "models", {"dense": dense}, by_network=True)}
    assert networks >= {"a", "b", "c"}
    prediction = lj.predict(LENET, models=tmp_path / "models")
    assert prediction.device == "board"
    with pytest.raises(lj.LayerjouleError):
        lj.fit(tmp_path / "nothing", tmp_path / "models")


def test_a_server_answers_as_the_program_does(tmp_path: pathlib.Path) -> None:
    with lj.Server() as server:
        assert server.url.startswith("http://127.0.0.1:")
        graph: dict[str, typing.Any] = {"batch": 2, "precision": "int8", "input_shapes": {"input": (1, 3, 160, 160)}}
        several: list[tuple[pathlib.Path, dict[str, typing.Any]]] = [(RESNET, {}), (GRAPH, graph)]
        for engine, options in several:
            served, printed_one = server.predict(engine, device=POWER, **options), lj.predict(engine, device=POWER, **options)
            assert served == printed_one
        assert server.predict(LENET.read_bytes()).engine == "<bytes>"
        found: list[lj.Prediction] = []
        threads = [threading.Thread(target=lambda: found.append(server.predict(LENET))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 8 and all(one == found[0] for one in found)
        # Who lacks the token is refused.
        connection = http.client.HTTPConnection(server.url[len("http://") :])
        connection.request("POST", "/v1/predict", LENET.read_bytes())
        assert connection.getresponse().status == 401
        connection.close()
        with pytest.raises(lj.LayerjouleError) as caught:
            server.predict(LENET, device="orin-nani")
        assert caught.value.exit_code == 2 and "orin-nano" in str(caught.value)
        with pytest.raises(lj.LayerjouleError) as caught:
            server.predict(b"{")
        assert caught.value.exit_code == 3
        with pytest.raises(lj.LayerjouleError, match="nothing.json: cannot read"):
            server.predict(tmp_path / "nothing.json")
        url = server.url
    with pytest.raises(OSError):
        connection = http.client.HTTPConnection(url[len("http://") :])
        connection.request("GET", "/healthz")
    with pytest.raises(lj.LayerjouleError, match="not running"):
        server.predict(LENET)
    with pytest.raises(lj.LayerjouleError, match="nowhere"):
        with lj.Server(models=tmp_path / "nowhere"):
            pass


def test_the_sources_are_of_python_3_9_and_everything_public_is_described() -> None:
    folder = pathlib.Path(lj.__file__).parent
    assert (folder / "py.typed").is_file()
    for file in folder.glob("*.py"):
        ast.parse(file.read_text(), feature_version=(3, 9))
    for name in lj.__all__:
        assert getattr(lj, name).__doc__, name
