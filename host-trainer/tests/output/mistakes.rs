//! What is said of mistyped commands, flags, values and files, and the exit code that goes with it.

use crate::fits::training_data;

#[test]
fn mistakes_are_named_with_what_was_meant() {
    let session = training_data();
    session.write("typo.toml", "[laso]\nalphas = 12\n");
    session.write("range.toml", "[lasso]\nfolds = 1\n");
    session.write("text/dense.csv", "model,batch_size,input_size,output_size,power,runtime\na,1,x,8,1,1\n");
    session.write("space.json", "{\"lasso.epz\": [1]}");
    for (name, arguments) in [
        ("command", "predikt"),
        ("flag", "fit --dta data --out models"),
        ("flag-missing", "fit --data data"),
        ("value", "fit --data data --out models --kind laso"),
        ("number", "align --sensor-lag-ms -1"),
        ("seconds", "serve --poll 0"),
        ("address", "serve --listen 0.0.0.0:0"),
        ("column", "fit --data data --out models --input-cols dense=input_sise"),
        ("layer-kind", "fit --data data --out models --input-cols dence=input_size"),
        ("target", "fit --data data --out models --input-cols dense.pover=input_size"),
        ("key", "fit --data data --out models --config typo.toml"),
        ("range", "fit --data data --out models --config range.toml"),
        ("hyperparams", "fit --data data --out models --kind lasso --hyperparams nowhere.json"),
        ("no-data", "fit --data nowhere --out models"),
        ("no-number", "fit --data text --out models"),
        ("device", "fit --data data --out models --device a/b"),
        ("no-models", "predict --trt-engine-path plan.toml --models nowhere"),
        ("onnxruntime", "predict --trt-engine-path plan.toml --onnxruntime nowhere.so"),
        ("grid", "tune --data data --grid space.json"),
        ("tune-layer-kind", "tune --data data --layer-kinds dence"),
        ("store", "models list --store ftp://somewhere"),
        ("table-columns", "fit --dbs-dir data --out models"),
        ("table", "fit --dbs-dir data --out models --input-cols a --output-cols b"),
    ] {
        session.check(&format!("mistake-{name}"), arguments);
    }
}
