"""Reads what the programs wrote with readers of others: every CSV below a folder with pandas, metrics with Prometheus' own parsers,
the API's document with an OpenAPI validator. Prints what it read; ends with 1 at the first thing that a reader refuses.

    read_answers.py csv FOLDER
    read_answers.py metrics TEXT_FILE OPENMETRICS_FILE
    read_answers.py openapi FILE.json
"""

import csv
import json
import sys
from pathlib import Path


def read_tables(folder: Path) -> None:
    import pandas

    files = sorted(folder.rglob("*.csv"))
    if not files:
        sys.exit(f"{folder}: no CSV was written")
    for file in files:
        table = pandas.read_csv(file)
        with file.open(newline="", encoding="utf-8") as opened:
            header, *rows = list(csv.reader(opened))
        name = file.relative_to(folder)
        if list(table.columns) != header or len(set(header)) != len(header) or not all(header):
            sys.exit(f"{name}: pandas reads the columns {list(table.columns)}, the file says {header}")
        if len(table) != len(rows):
            sys.exit(f"{name}: pandas reads {len(table)} rows, there are {len(rows)}")
        # In the text: pandas takes a hash such as 12345e678901 for a figure beyond all bounds. "none" is the name of a pruner.
        wrong = {"inf", "-inf", "+inf", "infinity", "nan", "-nan", "null", "-0", "-0.0"}
        for number, row in enumerate(rows, start=2):
            if found := wrong.intersection(cell.strip().lower() for cell in row):
                sys.exit(f"{name}: line {number} has {found.pop()!r} in place of a figure")
        numbers = len(table.select_dtypes("number").columns)
        print(f"{name}: {len(table)} rows, {len(header)} columns, {numbers} of them numbers")


def read_metrics(text: Path, open_metrics: Path) -> None:
    from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_open_metrics
    from prometheus_client.parser import text_string_to_metric_families as read_text

    def samples(families):
        # `…_created` stands in OpenMetrics alone.
        found = {}
        for family in families:
            for sample in family.samples:
                found[sample.name, tuple(sorted(sample.labels.items()))] = sample.value
        return found

    of_text = samples(read_text(text.read_text(encoding="utf-8")))
    of_open_metrics = samples(read_open_metrics(open_metrics.read_text(encoding="utf-8")))
    if not of_text or {name for name, _ in of_text} != {name for name, _ in of_open_metrics}:
        sys.exit(f"the two formats differ: {sorted({n for n, _ in of_text} ^ {n for n, _ in of_open_metrics})}")
    print(f"metrics: {len(of_text)} samples in the text format, {len(of_open_metrics)} in OpenMetrics")


def read_document(file: Path) -> None:
    from openapi_spec_validator import validate

    document = json.loads(file.read_text(encoding="utf-8"))
    validate(document)
    methods = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
    operations = [
        operation for item in document["paths"].values() for method, operation in item.items() if method in methods
    ]
    ids = {operation["operationId"] for operation in operations}
    if len(ids) != len(operations):
        sys.exit(f"{len(operations)} operations have {len(ids)} ids")
    print(f"OpenAPI {document['openapi']}: {len(operations)} operations, each with an id of its own")


match sys.argv[1:]:
    case ["csv", folder]:
        read_tables(Path(folder))
    case ["metrics", text, open_metrics]:
        read_metrics(Path(text), Path(open_metrics))
    case ["openapi", file]:
        read_document(Path(file))
    case _:
        sys.exit(__doc__)
