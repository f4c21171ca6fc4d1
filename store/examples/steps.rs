//! Scratch.
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]
use std::path::Path;
use std::time::Instant;
use store::Store;
use store::work::{CommitOptions, WorkingCopy};
fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let root = Path::new(&args[1]);
    let start = Instant::now();
    match args[0].as_str() {
        "init" => {
            let store = Store::open(&args[2]).unwrap();
            std::fs::create_dir_all(root).unwrap();
            WorkingCopy::init(root, &args[2], store, "", "main").unwrap();
        }
        "commit" => {
            let mut copy = WorkingCopy::open(root).unwrap();
            let options =
                CommitOptions { message: "m".into(), author: "a".into(), program: "p".into(), ..Default::default() };
            let done = runtime.block_on(copy.commit(&options)).unwrap();
            eprintln!("{done:?}");
        }
        "push" => {
            let mut copy = WorkingCopy::open(root).unwrap();
            let done = runtime.block_on(copy.push(8)).unwrap();
            eprintln!("{done:?} {:?}", copy.store().traffic());
        }
        "pull" => {
            let mut copy = WorkingCopy::open(root).unwrap();
            let done = runtime.block_on(copy.pull(false, 8)).unwrap();
            eprintln!("{done:?}");
        }
        "status" => {
            let copy = WorkingCopy::open(root).unwrap();
            let done = runtime.block_on(copy.status()).unwrap();
            eprintln!("{} changes", done.changes.len());
        }
        "verify" => {
            let store = Store::open(&args[2]).unwrap();
            let done = runtime.block_on(store::snapshot::verify(&store, 8, &Default::default())).unwrap();
            eprintln!("{done:?}");
        }
        _ => panic!(),
    }
    eprintln!("{} {:.3} s", args[0], start.elapsed().as_secs_f64());
}
