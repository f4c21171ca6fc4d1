"""Checks a copy that `host-trainer predict --annotate` made of an ONNX graph: ONNX's checker takes it, the costs are where ONNX's own reader
finds metadata, they add up, and without them the copy is the original.

usage: check_costs.py ORIGINAL.onnx COPY.onnx
"""

import sys

import onnx

PREFIX = "layerjoule."


def taken(properties: object) -> dict[str, str]:
    """Our notes, taken out of a list of key and value."""
    ours = {entry.key[len(PREFIX) :]: entry.value for entry in properties if entry.key.startswith(PREFIX)}
    others = [entry for entry in properties if not entry.key.startswith(PREFIX)]
    del properties[:]
    properties.extend(others)
    return ours


def main() -> None:
    original, copy = (onnx.load(path, load_external_data=False) for path in sys.argv[1:3])
    onnx.checker.check_model(copy)
    total = taken(copy.metadata_props)
    layers, nodes = {}, 0
    for node in copy.graph.node:
        notes = taken(node.metadata_props)
        nodes += bool(notes)
        if notes:
            layers[notes["layer"]] = float(notes["runtime_ms"])
    if copy.SerializeToString(deterministic=True) != original.SerializeToString(deterministic=True):
        sys.exit("without the costs the copy is not the original")
    # Weights cost nothing.
    computing = sum(node.op_type not in ("Constant", "ConstantOfShape") for node in original.graph.node)
    if not 0.9 * computing <= nodes <= computing:
        sys.exit(f"{nodes} of {computing} nodes have costs")
    # What a board adds, such as changes of layout, is no node's.
    if not 0.5 * float(total["runtime_ms"]) < sum(layers.values()) <= 1.001 * float(total["runtime_ms"]):
        sys.exit(f"layers take {sum(layers.values())} ms, the model {total['runtime_ms']} ms")
    print(f"{nodes} nodes in {len(layers)} layers: {sum(layers.values()):.3f} of {float(total['runtime_ms']):.3f} ms")


if __name__ == "__main__":
    main()
