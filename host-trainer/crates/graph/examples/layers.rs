//! Lists the layers of an ONNX graph as JSON: `cargo run -p graph --example layers MODEL.onnx [PRECISION]`.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use graph::{Options, engine_info};
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(model) = arguments.next() else {
        eprintln!("usage: layers MODEL.onnx [PRECISION]");
        return ExitCode::from(2);
    };
    let precision = match arguments.next().map(|text| text.parse()).transpose() {
        Ok(precision) => precision.unwrap_or_default(),
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(2);
        }
    };
    match engine_info(Path::new(&model), &Options { precision, ..Options::default() }) {
        Ok(answer) => {
            println!("{}", answer.document());
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("{}", failure.report(true));
            failure.kind.into()
        }
    }
}
