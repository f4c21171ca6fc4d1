# shellcheck shell=bash
# A small batch for engines that are real: its data and configuration, and what its results must be. $program is the `host-trainer`
# to use, and the working folder is the batch's.

batch() { "${program:?}" --quiet batch "$@"; }

# make_batch CLASSES: a table, and a configuration with so many models on it.
make_batch() {
    python3 - "$1" <<'PY'
import os, sqlite3, sys

os.makedirs("dbs")
database = sqlite3.connect("dbs/a.db")
database.execute("CREATE TABLE training_data (image_tag TEXT, a REAL, b REAL, y REAL)")
rows = [("echo", 1.0 + i % 7, 2.0 + i % 11, (1.0 + i % 7) * (2.0 + i % 11)) for i in range(60)]
database.executemany("INSERT INTO training_data VALUES (?, ?, ?, ?)", rows)
database.commit()
classes = "".join(f"[models.class{n}.net]\nmlp = {{ hidden = [{3 + n}], members = 1 }}\n" for n in range(int(sys.argv[1])))
open("batch.toml", "w").write(
    '[datasets.functions]\nkind = "table"\npath = "dbs"\ninputs = ["a", "b"]\noutputs = ["y"]\n' + classes
    + "[training.t]\nepochs = 20000\nearly_stop = false\n")
PY
}

# state NAME: tasks that stand so, as `show` says.
state() { batch show 1 --format csv | awk -F, -v name="$1" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) column = i } NR == 2 { print $column }'; }

# same_by_one_process TASKS: the same batch again, by one process here; each task has one result, and both have the same ones.
same_by_one_process() {
    batch generate --no-trial --batches local --models "*=10"
    [ $# = 1 ] || batch add --batches local --to 1 "${@:2}"
    batch work 1 --batches local --jobs 2
    local place
    for place in batches local; do
        batch results 1 --batches "$place" --format json | python3 -c '
import json, sys
results = json.load(sys.stdin)
names = [result["task"] for result in results]
assert len(names) == len(set(names)) == int(sys.argv[1]), len(names)
print("\n".join(sorted(json.dumps([r["task"], r["score"], r["files"], r["losses"]]) for r in results)))' "$1" >"$place.results"
    done
    cmp batches.results local.results
}
