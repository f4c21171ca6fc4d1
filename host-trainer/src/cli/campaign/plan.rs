//! `host-trainer campaign plan`.

use crate::output::{Csv, Format, figure, render, write};
use campaign::{PlanRequest, Planned, Strategy, plan};
use clap::{Args, ValueEnum};
use graph::{Build, Options};
use learn::predict::open_models;
use networks::WeightStorage;
use shared::campaign::{CampaignPlan, ItemKind, PlanItem};
use shared::device::DeviceName;
use shared::failure::Failure;
use shared::printer::Printer;
use std::path::PathBuf;
use std::time::Duration;

/// Choose networks and layers to measure on a board, and write them as a folder for `jetson-agent campaign`.
#[derive(Debug, Args)]
pub(super) struct PlanCommand {
    /// Board, such as orin-nano, without a power mode. `cpu` is the processor of any machine, through ONNX Runtime.
    #[arg(long, value_name = "BOARD", value_parser = board)]
    board: DeviceName,
    /// Your network, an ONNX graph or an engine info: the plan covers its layers first. May be repeated.
    #[arg(long = "for", value_name = "FILE")]
    networks: Vec<PathBuf>,
    /// How long measuring may take, in all modes together.
    #[arg(long, value_name = "TIME", default_value = "2h", value_parser = command_line::duration)]
    time: Duration,
    /// Power modes to measure in, by name [default: as the board stands].
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    modes: Vec<String>,
    /// Training tables that are there already: what lies near their layers is not measured again.
    #[arg(long, value_name = "DIR")]
    have: Option<PathBuf>,
    /// Folder that receives the plan.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Number format that engines are built for: fp32, fp16, int8 or best [default: fp16; fp32 for cpu].
    #[arg(long, value_name = "PRECISION")]
    precision: Option<Build>,
    /// Measure run times alone. Always so for cpu.
    #[arg(long)]
    no_power: bool,
    /// Folder of models that share out the run time of your networks among their layers [default: a rough machine].
    #[arg(long, value_name = "DIR")]
    models: Option<PathBuf>,
    /// Device of those models [default: the folder's default device].
    #[arg(long, value_name = "NAME", requires = "models")]
    device: Option<String>,
    /// What an item takes besides its measurements, to build an engine above all [default: 20s; 1s for cpu].
    #[arg(long, value_name = "TIME", value_parser = command_line::duration)]
    overhead: Option<Duration>,
    /// How files keep weights: stored, or their shapes alone, which ONNX Runtime takes [default: stored; shape for cpu].
    #[arg(long, value_enum)]
    weights: Option<StorageName>,
    /// How items are chosen; random and grid are for comparison.
    #[arg(long, value_enum, default_value_t)]
    strategy: StrategyName,
    /// Seed of all that is drawn.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Format of the list of items on stdout.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StorageName {
    /// Random numbers.
    Stored,
    /// Made when the file is loaded.
    Shape,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum StrategyName {
    /// What covers the layers of your networks best for its time.
    #[default]
    Plan,
    /// Networks and layers at random.
    Random,
    /// Layers of a grid at random.
    Grid,
}

fn board(text: &str) -> Result<DeviceName, String> {
    let name: DeviceName = text.parse().map_err(|e: shared::device::DeviceNameError| e.to_string())?;
    match name.mode() {
        None => Ok(name),
        Some(mode) => Err(format!("name the board alone, and the mode by --modes {mode}")),
    }
}

impl PlanCommand {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        let is_cpu = self.board.board() == "cpu";
        let precision = self.precision.unwrap_or(if is_cpu { Build::Fp32 } else { Build::Fp16 });
        let options = Options { precision, ..Options::default() };
        let models = self.models.as_deref().map(|folder| open_models(folder, self.device.as_deref())).transpose()?;
        let stored = self.weights.map_or(!is_cpu, |storage| storage == StorageName::Stored);
        let overhead_s = self.overhead.map_or(if is_cpu { 1.0 } else { 20.0 }, |time| time.as_secs_f64());
        let request = PlanRequest {
            board: &self.board,
            modes: &self.modes,
            networks: &self.networks,
            options: &options,
            time_s: self.time.as_secs_f64(),
            power: !self.no_power && !is_cpu,
            have: self.have.as_deref(),
            models: models.as_ref(),
            strategy: match self.strategy {
                StrategyName::Plan => Strategy::Plan,
                StrategyName::Random => Strategy::Random,
                StrategyName::Grid => Strategy::Grid,
            },
            seed: self.seed,
            weights: if stored { WeightStorage::Stored } else { WeightStorage::Shape },
            overhead_s,
        };
        let planned = plan(&request)?;
        planned.notes.iter().for_each(|note| printer.warn(note));
        planned.write(&self.out)?;
        self.say(&planned, printer);
        show(&planned.plan, self.format, printer)
    }

    /// What the plan is expected to reach, and the next step.
    fn say(&self, planned: &Planned, printer: &Printer) {
        let plan = &planned.plan;
        let count = |kind: ItemKind| plan.items.iter().filter(|item| item.kind == kind).count();
        let held_out = plan.items.iter().filter(|item| item.held_out).count();
        printer.say(format!(
            "{} networks, {held_out} of them to judge the models by, and {} files of single layers: {} in {}",
            count(ItemKind::Network),
            count(ItemKind::Layers) + count(ItemKind::Loop),
            in_words(plan.expected_s()),
            if plan.modes.is_empty() { "one mode".to_owned() } else { format!("{} modes", plan.modes.len()) }
        ));
        let expectation = plan.expectation;
        let whose = if self.networks.is_empty() { "the known families of networks" } else { "your networks" };
        printer.say(format!(
            "near a measured layer (sizes within a factor of {:.2} on average): {:.0} % of the run time of {whose}, {:.0} % before",
            expectation.near_ratio,
            100.0 * expectation.covered_after,
            100.0 * expectation.covered_before,
        ));
        let folder = self.out.display();
        let measure = match plan.board.as_str() {
            "cpu" => format!("`jetson-agent campaign {folder}` on the machine"),
            _ => format!("`host-trainer campaign run --on USER@BOARD {folder}`"),
        };
        printer.say(format!("next: {measure}, then `host-trainer campaign learn {folder}`"));
    }
}

fn show(plan: &CampaignPlan, format: Format, printer: &Printer) -> Result<(), Failure> {
    let kind = |item: &PlanItem| match item.kind {
        ItemKind::Network => "network",
        ItemKind::Layers => "layers",
        ItemKind::Loop => "loop",
    };
    let cells = |item: &PlanItem, decimals: usize| {
        vec![
            item.id.clone(),
            kind(item).to_owned(),
            if item.held_out { "judge" } else { "learn" }.to_owned(),
            figure(Some(item.expected_s), 1),
            figure(Some(100.0 * item.gain), decimals),
        ]
    };
    let header = ["item", "kind", "use", "expected_s", "gain_percent"];
    write(
        printer,
        format,
        plan,
        || Csv::text(header, plan.items.iter().map(|item| cells(item, 6))),
        || render(&["item", "kind", "use", "s", "gain %"], plan.items.iter().map(|item| cells(item, 2)).collect(), 3),
    )
}

/// A time for people: seconds below two minutes, else minutes.
fn in_words(seconds: f64) -> String {
    if seconds < 120.0 { format!("{seconds:.0} s") } else { format!("{:.0} min", seconds / 60.0) }
}
