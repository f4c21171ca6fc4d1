//! `host-trainer networks write`.

use clap::{Args, ValueEnum};
use networks::{Architecture, NumberFormat, Sizes, WeightStorage, WriteOptions};
use shared::failure::Failure;
use shared::fs::write_atomic_with;
use shared::near::near;
use shared::printer::Printer;
use std::path::PathBuf;

/// Write networks as ONNX files with random weights.
#[derive(Debug, Args)]
pub(super) struct Write {
    /// Names of networks, or `all`; `networks list` shows them.
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
    /// Folder that receives the files.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Images per inference.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=4096))]
    batch: u32,
    /// Height and width of the input in pixels [default: as published].
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(1..=4096))]
    side: Option<u32>,
    /// Factor of the numbers of channels.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = factor)]
    width: f64,
    /// Number format: fp32, fp16, or int8 by Q/DQ operators.
    #[arg(long, value_enum, default_value_t)]
    precision: FormatName,
    /// Weights in the file, or their shapes alone: ONNX Runtime takes both, and files of shapes have kilobytes.
    #[arg(long, value_enum, default_value_t)]
    weights: StorageName,
    /// Seed of the weights.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum FormatName {
    /// 32-bit floating point.
    #[default]
    Fp32,
    /// 16-bit floating point.
    Fp16,
    /// 8-bit integers in convolutions and dense layers.
    Int8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum StorageName {
    /// Random numbers.
    #[default]
    Stored,
    /// Made when the file is loaded.
    Shape,
}

fn factor(text: &str) -> Result<f64, String> {
    let width = text.parse::<f64>().ok().filter(|width| (0.05..=8.0).contains(width));
    width.ok_or_else(|| "must be a number from 0.05 to 8".into())
}

impl Write {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        let options = WriteOptions {
            format: match self.precision {
                FormatName::Fp32 => NumberFormat::Fp32,
                FormatName::Fp16 => NumberFormat::Fp16,
                FormatName::Int8 => NumberFormat::Int8,
            },
            storage: match self.weights {
                StorageName::Stored => WeightStorage::Stored,
                StorageName::Shape => WeightStorage::Shape,
            },
            seed: self.seed,
        };
        // All are checked before the first is written.
        let mut files = Vec::new();
        for architecture in self.architectures()? {
            let side = self.side.unwrap_or(architecture.side);
            architecture.check_side(side).map_err(Failure::usage)?;
            files.push((architecture, Sizes { batch: self.batch, side, width: self.width }));
        }
        for (architecture, sizes) in files {
            let path = self.out.join(format!("{}.onnx", architecture.name));
            let file = architecture.file(&sizes, &options);
            write_atomic_with(&path, |out| file.write(out))?;
            let million = file.parameters() as f64 / 1e6;
            let mib = file.size() as f64 / f64::from(1 << 20);
            printer.say(format!("wrote {}: {million:.2} million weights, {mib:.2} MiB", path.display()));
        }
        Ok(())
    }

    fn architectures(&self) -> Result<Vec<&'static Architecture>, Failure> {
        if self.names.iter().any(|name| name == "all") {
            return Ok(networks::ARCHITECTURES.iter().collect());
        }
        let known: Vec<&str> = networks::ARCHITECTURES.iter().map(|architecture| architecture.name).collect();
        let of = |name: &String| {
            Architecture::named(name).ok_or_else(|| {
                Failure::usage(format!("no network is called `{name}`{}", near(name, &known)))
                    .help("`host-trainer networks list` shows all")
            })
        };
        self.names.iter().map(of).collect()
    }
}
