"""Checks that two JSON answers of `host-trainer predict` agree: same layers, numbers within 1e-5 relative.

usage: same_predictions.py A.json B.json
"""

import json
import pathlib
import sys

FIELDS = ["power_prediction", "runtime_prediction", "energy_prediction"]


def main() -> None:
    first, second = (json.loads(pathlib.Path(path).read_text())["layers"] for path in sys.argv[1:3])
    if [layer["layer_name"] for layer in first] != [layer["layer_name"] for layer in second]:
        sys.exit("the layers differ")
    worst = 0.0
    for a, b in zip(first, second):
        for field in FIELDS:
            if (a[field] is None) != (b[field] is None):
                sys.exit(f"{a['layer_name']}: {field} is in one answer only")
            if a[field]:
                worst = max(worst, abs(b[field] / a[field] - 1.0))
    if worst > 1e-5:
        sys.exit(f"the answers differ by {worst:.1e}")
    print(f"{len(first)} layers agree within {worst:.1e}")


if __name__ == "__main__":
    main()
