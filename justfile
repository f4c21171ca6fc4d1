# Recipes for those who have `just`; each is a line that can be typed without it.

# Predict a sample engine.
predict engine="sample_data/resnet18_trt_engine_info.json":
    cargo run --release -p host-trainer -- predict --trt-engine-path {{engine}} --result-csv-path prediction.csv

# All tests.
test:
    cargo test --workspace

# All that CI runs.
ci:
    .ci/run

# The same from nothing: fresh clone, empty home and caches.
ci-empty *arguments:
    .ci/empty {{arguments}}

# Write the sample engine infos anew.
sample-data:
    cargo run -p simulate --example sample_engines -- sample_data

# Train the shipped models anew from the measurements beside the repository.
models data="../shared/data":
    scripts/train_shipped_models {{data}}

# Gather the measured figures on their page anew, and make the site of all pages.
site:
    python3 scripts/figures.py
    .ci/site

# Fuzz one parser for some seconds.
fuzz target="engine_info" seconds="60":
    fuzz/run {{target}} {{seconds}}

# Time the Lasso beside scikit-learn; `python` is one that has host-trainer/tests/golden/lasso/requirements.txt.
bench-lasso python="python3":
    {{python}} host-trainer/benches/lasso_vs_sklearn.py

# Write the Lasso's golden file anew, with the same Python.
golden-lasso python="python3":
    {{python}} host-trainer/tests/golden/lasso/generate.py
