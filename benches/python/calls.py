"""How long predictions take from Python: one call each, many files in one call, and a server.

    PYTHONPATH=host-trainer/python LAYERJOULE_PROGRAM=target/release/host-trainer python benches/python/calls.py sample_data

Each figure is the median of several repetitions, with the smallest and the largest; times are seconds of the wall clock.
"""

import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Callable

import layerjoule as lj

REPETITIONS = 7
FILES = 100
DEVICE = "orin-nano"


def timed(what: str, count: int, call: Callable[[], object], warm: int = 1) -> None:
    """Times a call that makes some predictions, and prints seconds per call and predictions per second."""
    for _ in range(warm):
        call()
    seconds = []
    for _ in range(REPETITIONS):
        begun = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - begun)
    middle, low, high = statistics.median(seconds), min(seconds), max(seconds)
    print(f"{what:52} {middle:8.4f} s ({low:.4f} to {high:.4f})  {count / middle:9.1f} predictions/s")


def main() -> None:
    engine = pathlib.Path(sys.argv[1]) / "resnet18_trt_engine_info.json"
    program = str(lj.program())
    timed("the program alone: host-trainer --version", 0, lambda: subprocess.run([program, "--version"], stdout=subprocess.DEVNULL, check=True))
    command = [program, "--quiet", "predict", "--device", DEVICE, "--format", "json", "--trt-engine-path", str(engine)]
    timed("the program alone: predict", 1, lambda: subprocess.run(command, stdout=subprocess.DEVNULL, check=True))
    timed("layerjoule.predict", 1, lambda: lj.predict(engine, device=DEVICE))
    with tempfile.TemporaryDirectory() as folder:
        text = engine.read_text()
        files = []
        for number in range(FILES):
            # No two engines have the same bytes, so that no cache answers.
            files.append(pathlib.Path(folder) / f"{number:03}.json")
            files[-1].write_text(text.replace("stem", f"stem{number}"))
        timed(f"layerjoule.predict_all, {FILES} files", FILES, lambda: lj.predict_all(files, device=DEVICE))
        timed("starting and ending a Server", 0, lambda: lj.Server().__enter__().close())
        with lj.Server() as server:
            timed("Server.predict, the same engine", FILES, lambda: [server.predict(engine, device=DEVICE) for _ in range(FILES)])
            turn = iter(range(10**9))

            def fresh() -> None:
                for _ in range(FILES):
                    server.predict(text.replace("stem", f"fresh{next(turn)}").encode(), device=DEVICE)

            timed("Server.predict, engines that differ", FILES, fresh)


if __name__ == "__main__":
    main()
