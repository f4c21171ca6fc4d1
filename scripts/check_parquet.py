"""Compares our Parquet with pyarrow's and pandas', in both directions. Usage: check_parquet.py HOST_TRAINER

1. Tables that `align --parquet` and `dataset --format parquet` write: pyarrow and pandas read from them what they read from our CSV.
2. Tables that pandas and pyarrow write, in every compression, encoding and page format that they offer: `evaluate` finds in them
   what it finds in the CSV that pandas writes.
Needs pandas and pyarrow (scripts/requirements.txt).
"""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import pandas
import pyarrow
import pyarrow.parquet

ENGINE = pathlib.Path(__file__).parent.parent / "sample_data" / "lenet_trt_engine_info.json"
MAPPING = ("cycle,layer_name,layer_type,layer_power_including_idle_power_micro_watt,"
           "layer_power_excluding_idle_power_micro_watt,layer_run_time\n")


def run(program, *arguments):
    done = subprocess.run([program, "--quiet", *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, arguments))}: {done.stderr}")
    return done.stdout


def same(csv, parquet, numbers):
    """The table of a CSV file and of a Parquet file, as pandas reads both, and with the types that we promise."""
    table = pyarrow.parquet.read_table(parquet)
    expected = pandas.read_csv(csv, keep_default_na=False, na_values=[""])
    found = table.to_pandas()
    assert list(found.columns) == list(expected.columns), (list(found.columns), list(expected.columns))
    for column in expected.columns:
        kind = table.schema.field(column).type
        text = pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind) or pyarrow.types.is_string_view(kind)
        assert text or pyarrow.types.is_int64(kind) or pyarrow.types.is_float64(kind), (column, kind)
        assert column not in numbers or not text, (column, kind)
        for a, b in zip(expected[column], found[column]):
            empty = pandas.isna(a), pandas.isna(b)
            assert empty == (True, True) or (not any(empty) and a == b), (column, a, b)
    # pandas by its own path, too.
    pandas.testing.assert_frame_equal(pandas.read_parquet(parquet), found)
    return len(found)


def preprocessed(folder):
    """A network of measured layers: powers in whole and fractional µW, a layer without power, a name that CSV has to quote."""
    engine = json.loads(ENGINE.read_text())
    layers = engine["Layers"]
    layers[0]["Name"] = 'first, "quoted" – é'
    network = folder / "lenet"
    network.mkdir(parents=True)
    (network / "trt_engine_info.json").write_text(json.dumps(engine))
    rows = []
    for cycle in range(1, 13):
        for i, layer in enumerate(layers):
            power = f"{6_000_000 + i / 3:.6f},{2_000_000 + i}.0" if i != 1 or cycle == 1 else ","
            name = layer["Name"].replace('"', '""')
            rows.append(f'{cycle},"{name}",{layer["LayerType"]},{power},{0.1 + i / 7 + cycle / 1000}\n')
    (network / "power_runtime_mapping_layerwise.csv").write_text(MAPPING + "".join(rows))


def ours(program, work):
    preprocessed(work / "preprocessed")
    for form in ("csv", "parquet"):
        run(program, "dataset", "--preprocessed-data-dir", work / "preprocessed", "--result-dir", work / form,
            "--per-layer-measurements", 1, "--format", form)
    tables = sorted(path.relative_to(work / "parquet") for path in (work / "parquet").rglob("*.parquet"))
    assert len(tables) >= 4, tables
    assert not [path for path in (work / "parquet").rglob("*.csv") if not path.stem.endswith("_stats")]
    for table in tables:
        rows = same(work / "csv" / table.with_suffix(".csv"), work / "parquet" / table, {"batch_size", "power", "runtime"})
        print(f"{table}: {rows} rows as in CSV")
    # What `align` writes, from a run of two layers.
    raw = work / "raw" / "net"
    (raw / "trt_profiling").mkdir(parents=True)
    entries = {name: [[0.5, f"20250128-13:38:25.{1000 * (2 * k + i):06}"] for k in range(300)]
               for i, name in enumerate(['a, "b"', "c"], start=1)}
    (raw / "trt_profiling" / "trt_layer_latency.json").write_text(json.dumps(entries))
    (raw / "net_power_log.log").write_text("".join(f"20250128-13:38:25.{500 * k:06},5000.0,{1200 + k % 7}.0\n" for k in range(1300)))
    run(program, "align", "--raw-data-dir", work / "raw", "--result-dir", work / "aligned", "--method", "window", "--parquet")
    mapping = work / "aligned" / "net" / "power_runtime_mapping_layerwise.csv"
    print(f"align: {same(mapping, mapping.with_suffix('.parquet'), {'cycle', 'layer_run_time'})} rows as in CSV")


def theirs(program, work):
    rows = []
    for network in range(6):
        for layer in range(12):
            features = 64 * (layer + 1) + network
            rows.append({"model": f"n{network}", "batch_size": 1, "input_size": features, "output_size": 10 + layer,
                         "power": 5e6 + 1e3 * features, "runtime": None if layer == 3 else features / 1e4 + 0.01,
                         "layer_name": f"fc, {layer}", "precision": "fp16", "weights": None if layer % 2 else features * (10 + layer)})
    frame = pandas.DataFrame(rows).astype({"weights": "Int64", "layer_name": "string"})

    def evaluated(name, write):
        folder = work / name
        folder.mkdir()
        write(folder)
        return run(program, "evaluate", "--data", folder, "--leave-one-network-out", "--kind", "linear", "--format", "json")

    expected = evaluated("their-csv", lambda folder: frame.to_csv(folder / "dense.csv", index=False))
    table = pyarrow.Table.from_pandas(frame, preserve_index=False)
    with_batches = lambda kind: table.set_column(table.schema.get_field_index("batch_size"), "batch_size",
                                                 pyarrow.array([1] * len(frame), kind))
    writers = {"pandas": lambda path: frame.to_parquet(path, index=False)}
    for codec in ("none", "snappy", "gzip", "zstd", "brotli", "lz4"):
        writers[codec] = lambda path, codec=codec: pyarrow.parquet.write_table(table, path, compression=codec)
    writers |= {
        "version 1": lambda path: pyarrow.parquet.write_table(table, path, version="1.0"),
        "pages of version 2": lambda path: pyarrow.parquet.write_table(table, path, data_page_version="2.0"),
        "no dictionaries": lambda path: pyarrow.parquet.write_table(table, path, use_dictionary=False),
        "deltas": lambda path: pyarrow.parquet.write_table(
            table, path, use_dictionary=False, column_encoding={"input_size": "DELTA_BINARY_PACKED", "layer_name": "DELTA_BYTE_ARRAY"}),
        "many groups": lambda path: pyarrow.parquet.write_table(table, path, row_group_size=7, data_page_size=64),
        "integers of 32 bits": lambda path: pyarrow.parquet.write_table(with_batches(pyarrow.int32()), path),
        "integers without a sign": lambda path: pyarrow.parquet.write_table(with_batches(pyarrow.uint64()), path),
    }
    for name, write in writers.items():
        found = evaluated(f"their {name}", lambda folder, write=write: write(folder / "dense.parquet"))
        assert found == expected, f"{name}: {found} instead of {expected}"
    print(f"{len(writers)} ways in which pandas and pyarrow write Parquet: {len(frame)} rows as in CSV")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    program = shutil.which(sys.argv[1]) or sys.exit(f"{sys.argv[1]} is not a program")
    with tempfile.TemporaryDirectory() as folder:
        for part in (ours, theirs):
            part(program, pathlib.Path(folder))
