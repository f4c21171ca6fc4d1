//! `fit`, `evaluate`, `tune`, `studies` and `report`, on layers that follow a law.

use crate::session::Session;
use std::fmt::Write as _;

/// Fully connected layers of six networks, one of which the defaults keep back for testing.
pub(crate) fn training_data() -> Session {
    let session = Session::new();
    let mut text = String::from("model,batch_size,input_size,output_size,power,runtime,layer_name\n");
    for (number, network) in ["a", "b", "c", "d", "e", "vgg16"].into_iter().enumerate() {
        for layer in 1..=6usize {
            let (input, output) = (64 * layer * (number + 1), 32 * (1 + layer * 7 % 5));
            let noise = 1.0 + 0.05 * ((layer * 31 + number * 17) % 7) as f64 / 7.0;
            let runtime = (0.01 + (input * output) as f64 * 1e-7) * noise;
            writeln!(text, "{network},1,{input},{output},{},{runtime},d{layer}", 5_000_000 + 1000 * input)
                .expect("text");
        }
    }
    session.write("data/dense.csv", text);
    session.write("plan.toml", "[lasso]\nalphas = 12\nfolds = 3\n[evaluation]\nfolds = 3\n");
    session.write("space.toml", "lasso.models.dense.runtime.degree = [1, 2]\nlasso.eps = [1e-4, 1e-3]\n");
    session
}

const FIT: &str = "fit --data data --config plan.toml --out models";

#[test]
fn fit() {
    let session = training_data();
    session.check("fit-dry-run", &format!("{FIT} --dry-run"));
    session.check("fit", FIT);
    session.check("fit-csv", &format!("{FIT} --format csv"));
    session.check("fit-json", &format!("{FIT} --format json"));
    session.check("fit-test-models", &format!("{FIT} --test-models a,unheard"));
    session.check("fit-no-test-models", &format!("{FIT} --test-models none --device board --quiet"));
    session.check("fit-everything-held-back", &format!("{FIT} --test-models a,b,c,d,e,vgg16"));
    session.check("fit-input-cols", &format!("{FIT} --input-cols dense.power=input_size --dry-run"));
    session.check("fit-register", &format!("{FIT} --register --store store --data-revision r1 --quiet"));
}

#[test]
fn evaluate() {
    let session = training_data();
    session.prepare(FIT);
    session.prepare("fit --data data --config plan.toml --out others --kind physics");
    let evaluate = "evaluate --data data --models models";
    session.check("evaluate", evaluate);
    session.check("evaluate-csv", &format!("{evaluate} --format csv"));
    session.check("evaluate-json", &format!("{evaluate} --format json"));
    session.check("evaluate-by-network", &format!("{evaluate} --by-network"));
    session.check("evaluate-several", &format!("{evaluate} --models others"));
    session.check("evaluate-several-csv", &format!("{evaluate} --models others --format csv"));
    session.check("evaluate-other-device", &format!("{evaluate} --device board"));
}

#[test]
fn evaluate_a_kind() {
    let session = training_data();
    session.prepare(FIT);
    let kind = "evaluate --data data --kind lasso --config plan.toml";
    session.check("evaluate-leave-one-out", "evaluate --data data --leave-one-network-out --config plan.toml");
    for format in ["human", "csv", "json"] {
        let check = |name: &str, options: &str| {
            let name = if format == "human" { name.to_owned() } else { format!("{name}-{format}") };
            session.check(&name, &format!("{options} --format {format}"));
        };
        check("evaluate-importance", "evaluate --data data --models models --importance --repeats 2");
        check("evaluate-leave-one-column-out", &format!("{kind} --leave-one-column-out"));
        check("evaluate-learning-curve", &format!("{kind} --learning-curve --repeats 2"));
    }
}

#[test]
fn tune_and_studies() {
    let session = training_data();
    let tune = "tune --data data --config plan.toml --grid space.toml --layer-kinds dense --study-id one --quiet";
    session.check("tune", &format!("{tune} --export best.toml"));
    let plan = std::fs::read_to_string(session.path("best.toml")).expect("the plan");
    session.compare("tune-export", &plan);
    session.check("tune-csv", &format!("{tune} --format csv"));
    session.check("tune-out", &format!("{tune} --out models"));
    session.check("tune-other", &tune.replace("--layer-kinds dense", "--layer-kinds network"));
    for format in ["human", "csv", "json"] {
        session.check(&format!("studies-list-{format}"), &format!("studies list --format {format}"));
        session.check(&format!("studies-show-{format}"), &format!("studies show one --format {format}"));
    }
    session.check("report-study-alone", "report --study one --out report.html");
    session.check("report-study-unknown", "report --study two --out report.html");
    session.check("studies-unknown", "studies show two");
    session.check("studies-delete", "studies delete one");
    session.check("tune-jobs", &format!("{tune} --jobs 0"));
    session.check("tune-samples", &format!("{tune} --samples 0"));
}

#[test]
fn report() {
    let session = training_data();
    session.prepare(FIT);
    session.check("report", "report --data data --models models --out report.html");
    session.check("report-study", "report --data data --models models --out report.html --study one");
}
