# shellcheck shell=bash
# A small study for engines that are real: its data, and what its trials must be. $program is the `host-trainer` to use, and the working
# folder is the study's.

# study NAME OPTION…: eight trials of perceptrons.
study() {
    "${program:?}" --quiet tune --dbs-dir dbs --input-cols a,b --output-cols y --epochs 40 --trials 8 --pruner median --lease 5 \
        --study-id "$1" "${@:2}"
}

# finished NAME: trials that are.
finished() { "$program" --quiet studies show "$1" --no-engine --format csv | grep --count -E '^[0-9]+,(complete|pruned),' || true; }

# same_study NAME: its trials have the values of the same study by one process here.
same_study() {
    study "$1" --shared-db one.sqlite --format json >one.json
    "$program" --quiet studies show "$1" --no-engine --format json >engine.json
    python3 - <<'PY'
import json

def essence(name):
    trials = json.load(open(name))["history"]
    return [[t["number"], t["state"], t["parameters"], t["value"], t["steps"]] for t in trials]

one, engine = essence("one.json"), essence("engine.json")
assert len(one) == 8 and one == engine, (one, engine)
PY
}
