"""Checks every model below a folder with the ONNX project's own checker and with ONNX Runtime.

usage: check_onnx.py MODELS_DIR [...]

Each model must pass `onnx.checker` in full, and ONNX Runtime must give the outputs of the card's self-test (which the
embedded runtime computed) within the card's tolerance, one row at a time and all at once. Needs `onnx`, `onnxruntime` and `numpy`.
"""

import json
import pathlib
import sys

import numpy
import onnx
import onnxruntime


def check(folder: pathlib.Path) -> float:
    """Checks one model and returns its largest relative difference."""
    card = json.loads((folder / "card.json").read_text())
    path = folder / "model.onnx"
    onnx.checker.check_model(onnx.load(path), full_check=True)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    inputs = numpy.array(card["self_test"]["inputs"], dtype=numpy.float32)
    expected = numpy.array(card["self_test"]["outputs"], dtype=numpy.float64)
    worst = 0.0
    together = session.run(None, {"features": inputs})[0].reshape(-1)
    singly = [session.run(None, {"features": row[None, :]})[0].reshape(-1)[0] for row in inputs]
    for outputs in (together, numpy.array(singly)):
        worst = max(worst, float(numpy.max(numpy.abs(outputs - expected) / numpy.abs(expected))))
    if worst > card["self_test"]["tolerance"]:
        sys.exit(f"{path}: differs from the embedded runtime by {worst:.2e}")
    return worst


def main() -> None:
    folders = sorted(card.parent for root in sys.argv[1:] for card in pathlib.Path(root).rglob("card.json"))
    if not folders:
        sys.exit("no model to check")
    worst = max(check(folder) for folder in folders)
    print(f"{len(folders)} models agree between ONNX Runtime {onnxruntime.__version__} and the embedded runtime; largest difference {worst:.1e}")


if __name__ == "__main__":
    main()
