//! A plan of measurements: which networks and layers, in which order.

use super::costs::{Costs, IDLE_S, LAYERS_PER_FILE};
use super::cover::{Candidate, Cover};
use super::grid;
use super::members::{Member, members};
use super::points::{Columns, NEAR, Point, similarity};
use super::request::{PlanRequest, Strategy};
use super::singles::{is_small, single, spec};
use super::targets::{Goal, Speed, Wanted, goals, times_ms};
use graph::{Build, read_engine};
use learn::features::LayerSpec;
use learn::training;
use networks::{NumberFormat, OnnxFile, SingleLayer, WeightStorage, WriteOptions, layers_file};
use shared::campaign::{CampaignPlan, Expectation, FORMAT_VERSION, ItemKind, MODELS_FOLDER, PLAN_FILE, PlanItem};
use shared::engine::Precision;
use shared::failure::Failure;
use shared::fs::{write_atomic, write_atomic_with};
use shared::random::SplitMix64;
use std::collections::BTreeSet;
use std::path::Path;

/// Share of the time for networks that models learn from, and for those that are kept back to judge them.
const NETWORKS: (f64, f64) = (0.35, 0.15);
/// Fewest and most networks that are kept back.
const HELD_OUT: (usize, usize) = (2, 8);
/// Weight of the user's networks, of the families of networks and of the grid; without networks of the user, of the latter two.
const WEIGHTS: (f64, f64, f64) = (0.8, 0.15, 0.05);
const WEIGHTS_WITHOUT: (f64, f64) = (0.8, 0.2);
/// Layers of the grid that are candidates, and those that are goals.
const GRID: (usize, usize) = (1_500, 300);
/// A plan with the files that it names.
#[derive(Debug)]
pub struct Planned {
    /// The plan.
    pub plan: CampaignPlan,
    /// What a reader should know.
    pub notes: Vec<String>,
    files: Vec<(OnnxFile, String)>,
}

impl Planned {
    /// Writes the plan's folder; `plan.json` comes last, so that a folder without it is not a plan.
    ///
    /// # Errors
    /// When the folder holds a plan, or cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), Failure> {
        if folder.join(PLAN_FILE).exists() {
            return Err(Failure::usage("already holds a plan")
                .at(folder)
                .help("choose another folder with --out, or remove this one"));
        }
        for (item, (file, engine_info)) in self.plan.items.iter().zip(&self.files) {
            write_atomic_with(&folder.join(&item.onnx), |out| file.write(out))?;
            write_atomic(&folder.join(&item.engine_info), engine_info.as_bytes())?;
        }
        self.plan.write(folder)
    }
}

/// Chooses what to measure.
///
/// ```
/// use campaign::{PlanRequest, Strategy, plan};
/// use networks::WeightStorage;
///
/// let board = "cpu".parse()?;
/// let options = graph::Options { precision: graph::Build::Fp32, ..graph::Options::default() };
/// let request = PlanRequest {
///     board: &board,
///     modes: &[],
///     networks: &[],
///     options: &options,
///     time_s: 60.0,
///     power: false,
///     have: None,
///     models: None,
///     strategy: Strategy::Plan,
///     seed: 1,
///     weights: WeightStorage::Shape,
///     overhead_s: 1.0,
/// };
/// let planned = plan(&request)?;
/// assert!(planned.plan.expected_s() <= 60.0);
/// assert!(planned.plan.items.iter().filter(|item| item.held_out).count() >= 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Networks or tables that cannot be read, a number format that boards are not measured in, or a time in which nothing can be
/// measured.
pub fn plan(request: &PlanRequest<'_>) -> Result<Planned, Failure> {
    let columns = Columns::all();
    let scene = Scene::of(request, &columns)?;
    let mut cover = Cover::new(&scene.goals.iter().map(|goal| goal.weight).collect::<Vec<_>>());
    cover.add(&Candidate { cost: 1.0, similar: scene.similar(&scene.have) });
    let per_mode = request.time_s / request.modes.len().max(1) as f64;
    let budget = per_mode - if request.power { IDLE_S.0 } else { 0.0 };
    let costs = Costs::of(request, per_mode);
    let mut random = SplitMix64::keyed(&[request.seed, 3]);

    let chosen_networks = scene.networks(request, &costs, &mut cover, budget * NETWORKS.0, &mut random);
    let held_out = scene.held_out(&costs, &chosen_networks, budget * NETWORKS.1, &mut random);
    let cost_of = |index: &usize| costs.network(&scene.members[*index]);
    let spent: f64 = chosen_networks.iter().map(|(index, _)| cost_of(index)).chain(held_out.iter().map(cost_of)).sum();
    let chosen_layers = scene.layers(request, &costs, &mut cover, budget - spent, &mut random);
    if chosen_networks.is_empty() && chosen_layers.is_empty() {
        let least = costs.item(0.0) + if request.power { IDLE_S.0 } else { 0.0 };
        let why = if cover.covered() > 0.99 {
            "every layer lies near one that was measured: there is nothing left to measure".to_owned()
        } else {
            format!("nothing can be measured in {:.0} s; one item takes {least:.0} s", request.time_s)
        };
        return Err(Failure::usage(why).help("give more time with --time, or further networks with --for"));
    }
    Ok(scene.assemble(request, &costs, &chosen_networks, &held_out, &chosen_layers))
}

/// Everything that a plan is chosen from, and what it is chosen for.
struct Scene<'a> {
    columns: &'a Columns,
    members: Vec<Member>,
    singles: Vec<SingleLayer>,
    precision: Option<Precision>,
    goals: Vec<Goal>,
    /// How many of the goals, the first ones, are those whose coverage is reported.
    reported: usize,
    have: Vec<Point>,
    speed: Speed,
    notes: Vec<String>,
}

impl<'a> Scene<'a> {
    fn of(request: &PlanRequest<'_>, columns: &'a Columns) -> Result<Self, Failure> {
        let precision = match request.options.precision {
            Build::Fp32 => Precision::Fp32,
            Build::Fp16 | Build::Best => Precision::Fp16,
            Build::Int8 => Precision::Int8,
            Build::Bf16 => {
                return Err(Failure::usage("boards are not measured in bf16").help("choose fp32, fp16, int8 or best"));
            }
        };
        let speed = if request.board.board() == "cpu" { Speed::CPU } else { Speed::GPU };
        let members = members(request.options.precision, request.seed)?;
        let mut notes = Vec::new();
        let mut wanted = Vec::new();
        for path in request.networks {
            let opened = read_engine(path, request.options)?;
            let network = Wanted::of(&opened.engine);
            if network.layers.is_empty() {
                return Err(Failure::data("holds no layer that a table describes").at(path));
            }
            if network.without_row > 0 {
                notes.push(format!("{}: {} layers are in no table", path.display(), network.without_row));
            }
            wanted.push(network.layers);
        }
        let times = |layers: &[LayerSpec]| times_ms(layers, request.models, &speed);
        let timed = |networks: &[Vec<LayerSpec>]| -> Result<Vec<Vec<f64>>, Failure> {
            networks.iter().map(|layers| times(layers)).collect()
        };
        let drawn = grid::draw(GRID.0, request.seed);
        let specs = |singles: &[SingleLayer]| -> Vec<LayerSpec> {
            singles.iter().map(|single| spec(single, Some(precision))).collect()
        };
        let of_grid: Vec<Vec<LayerSpec>> = specs(&drawn[..GRID.1]).into_iter().map(|layer| vec![layer]).collect();
        let of_families: Vec<Vec<LayerSpec>> = members.iter().map(|member| member.layers.clone()).collect();
        let (families, grid_weight) = if wanted.is_empty() { WEIGHTS_WITHOUT } else { (WEIGHTS.1, WEIGHTS.2) };
        let mut all = Vec::new();
        let mut reported = 0;
        for (networks, weight) in [(&wanted, WEIGHTS.0), (&of_families, families), (&of_grid, grid_weight)] {
            let timed = timed(networks)?;
            let with_times = networks.iter().map(Vec::as_slice).zip(timed);
            all.extend(goals(with_times, weight, columns));
            if reported == 0 {
                reported = all.len();
            }
        }
        // Whatever a network has that can be measured alone, and the grid.
        let mut known = BTreeSet::new();
        let own: Vec<SingleLayer> = match request.strategy {
            Strategy::Grid => Vec::new(),
            Strategy::Plan | Strategy::Random => all.iter().filter_map(|goal| single(&goal.layer)).collect(),
        };
        let small = drawn.into_iter().filter(|layer| is_small(&spec(layer, Some(precision))));
        let singles = own.into_iter().chain(small).filter(|layer| known.insert(*layer)).collect();
        let have = match request.have {
            Some(folder) => {
                let data = training::read(folder)?;
                data.tables.values().flatten().map(|row| columns.point(&row.spec)).collect()
            }
            None => Vec::new(),
        };
        Ok(Self { columns, members, singles, precision: Some(precision), goals: all, reported, have, speed, notes })
    }

    /// How similar some layers are to each goal: that of the nearest.
    fn similar(&self, points: &[Point]) -> Vec<(usize, f64)> {
        let nearest =
            |goal: &Goal| points.iter().map(|point| point.distance(&goal.point)).fold(f64::INFINITY, f64::min);
        let each = self.goals.iter().map(|goal| similarity(nearest(goal))).enumerate();
        each.filter(|(_, similarity)| *similarity > 0.0).collect()
    }

    fn point(&self, layer: &SingleLayer) -> Point {
        self.columns.point(&spec(layer, self.precision))
    }

    fn points(&self, layers: &[LayerSpec]) -> Vec<Point> {
        let mut points: Vec<Point> = Vec::new();
        for point in layers.iter().map(|layer| self.columns.point(layer)) {
            if !points.contains(&point) {
                points.push(point);
            }
        }
        points
    }

    /// Chooses networks, each with what it adds.
    fn networks(
        &self,
        request: &PlanRequest<'_>,
        costs: &Costs,
        cover: &mut Cover,
        budget: f64,
        random: &mut SplitMix64,
    ) -> Vec<(usize, f64)> {
        if request.strategy == Strategy::Grid {
            return Vec::new();
        }
        let candidate = |member: &Member| {
            let similar = self.similar(&self.points(&member.layers));
            Candidate { cost: costs.network(member), similar }
        };
        let candidates: Vec<Candidate> = self.members.iter().map(candidate).collect();
        choose(request.strategy, &candidates, cover, budget, random)
    }

    /// Chooses networks to judge models by: of architectures that models do not learn from as far as there are any.
    fn held_out(&self, costs: &Costs, chosen: &[(usize, f64)], budget: f64, random: &mut SplitMix64) -> Vec<usize> {
        let learnt: BTreeSet<&str> = chosen.iter().map(|(index, _)| self.members[*index].architecture.name).collect();
        let mut open: Vec<usize> =
            (0..self.members.len()).filter(|index| !chosen.iter().any(|(taken, _)| taken == index)).collect();
        random.shuffle(&mut open);
        open.sort_by_key(|index| learnt.contains(self.members[*index].architecture.name));
        let (mut left, mut found, mut names) = (budget, Vec::new(), BTreeSet::new());
        for index in &open {
            let cost = costs.network(&self.members[*index]);
            if cost <= left && found.len() < HELD_OUT.1 && names.insert(self.members[*index].architecture.name) {
                left -= cost;
                found.push(*index);
            }
        }
        // In a short time the cheapest have to do.
        open.sort_by(|a, b| costs.network(&self.members[*a]).total_cmp(&costs.network(&self.members[*b])));
        for index in open {
            if found.len() < HELD_OUT.0 && !found.contains(&index) {
                found.push(index);
            }
        }
        found
    }

    /// Chooses single layers, each with what it adds.
    fn layers(
        &self,
        request: &PlanRequest<'_>,
        costs: &Costs,
        cover: &mut Cover,
        budget: f64,
        random: &mut SplitMix64,
    ) -> Vec<(usize, f64)> {
        let candidate = |layer: &SingleLayer| {
            let time = self.speed.time_ms(&spec(layer, self.precision));
            Candidate { cost: costs.layer(time), similar: self.similar(&[self.point(layer)]) }
        };
        let candidates: Vec<Candidate> = self.singles.iter().map(candidate).collect();
        choose(request.strategy, &candidates, cover, budget, random)
    }

    /// Share of the run time of the reported goals that lies near some layers.
    fn near_share(&self, points: &[&Point]) -> f64 {
        let goals = &self.goals[..self.reported];
        let all: f64 = goals.iter().map(|goal| goal.weight).sum();
        let near = |goal: &&Goal| points.iter().any(|point| point.distance(&goal.point) <= NEAR);
        let covered: f64 = goals.iter().filter(near).map(|goal| goal.weight).sum();
        if all > 0.0 { covered / all } else { 0.0 }
    }

    fn assemble(
        self,
        request: &PlanRequest<'_>,
        costs: &Costs,
        networks: &[(usize, f64)],
        held_out: &[usize],
        chosen_layers: &[(usize, f64)],
    ) -> Planned {
        let mut plan = CampaignPlan {
            format_version: FORMAT_VERSION,
            program: concat!("host-trainer ", env!("CARGO_PKG_VERSION")).to_owned(),
            board: request.board.board().to_owned(),
            modes: request.modes.to_vec(),
            power: request.power,
            time_s: request.time_s,
            seed: request.seed,
            strategy: request.strategy.name().to_owned(),
            expectation: Expectation::default(),
            items: Vec::new(),
        };
        let format = if request.options.precision == Build::Int8 { NumberFormat::Int8 } else { NumberFormat::Fp32 };
        let write = WriteOptions { format, storage: request.weights, seed: request.seed };
        let mut files = Vec::new();
        let mut add = |(id, kind, held_out): (String, ItemKind, bool),
                       (file, engine_info): (OnnxFile, String),
                       (inference_ms, gain): (f64, f64)| {
            let expected_s = costs.item(inference_ms);
            plan.items.push(PlanItem {
                onnx: format!("{MODELS_FOLDER}/{id}.onnx"),
                engine_info: format!("{MODELS_FOLDER}/{id}.json"),
                id,
                kind,
                precision: request.options.precision.name().to_owned(),
                pass_s: costs.pass_s,
                inferences: costs.inferences(inference_ms),
                expected_s: brief(expected_s),
                gain: brief(gain),
                held_out,
            });
            files.push((file, engine_info));
        };
        // One to judge by after each of the first networks, so that an early end can be judged too.
        let mut judges = held_out.iter().map(|index| (*index, 0.0, true));
        let mut order: Vec<(usize, f64, bool)> = Vec::new();
        for (index, gain) in networks {
            order.push((*index, *gain, false));
            order.extend(judges.next());
        }
        order.extend(judges);
        for (index, gain, held_out) in order {
            let member = &self.members[index];
            let name = (member.name(), ItemKind::Network, held_out);
            add(name, (member.file(&write), member.engine_info.clone()), (costs.inference_ms(&member.layers), gain));
        }
        let per_file = if request.power { 1 } else { LAYERS_PER_FILE };
        for (number, group) in (1..).zip(chosen_layers.chunks(per_file)) {
            let group_layers: Vec<SingleLayer> = group.iter().map(|(index, _)| self.singles[*index]).collect();
            let (kind, word) = if request.power { (ItemKind::Loop, "loop") } else { (ItemKind::Layers, "layers") };
            let id = format!("{word}-{number:03}");
            let shapes = WriteOptions { storage: WeightStorage::Shape, ..write };
            let read = graph::engine_info_of(&layers_file(&id, &group_layers, &shapes).bytes(), request.options);
            let specs: Vec<LayerSpec> = group_layers.iter().map(|layer| spec(layer, self.precision)).collect();
            let gain = group.iter().map(|(_, gain)| gain).sum();
            // Our own reader takes our own files.
            let Ok(read) = read else { continue };
            let file = layers_file(&id, &group_layers, &write);
            add((id, kind, false), (file, read.json), (costs.inference_ms(&specs), gain));
        }
        let measured: Vec<Point> = networks
            .iter()
            .flat_map(|(index, _)| self.points(&self.members[*index].layers))
            .chain(chosen_layers.iter().map(|(index, _)| self.point(&self.singles[*index])))
            .collect();
        plan.expectation = Expectation {
            layers: self.reported as u64,
            covered_before: brief(self.near_share(&self.have.iter().collect::<Vec<_>>())),
            covered_after: brief(self.near_share(&self.have.iter().chain(&measured).collect::<Vec<_>>())),
            near_ratio: brief(NEAR.exp()),
        };
        Planned { plan, notes: self.notes, files }
    }
}

/// A number for a file that people read: to the sixth decimal, which JSON keeps exactly.
fn brief(value: f64) -> f64 {
    // Without the sign of zero.
    (value * 1e6).round() / 1e6 + 0.0
}

/// Chooses candidates by a strategy, each with what it adds.
fn choose(
    strategy: Strategy,
    candidates: &[Candidate],
    cover: &mut Cover,
    budget: f64,
    random: &mut SplitMix64,
) -> Vec<(usize, f64)> {
    if strategy == Strategy::Plan {
        return cover.choose(candidates, budget).into_iter().map(|choice| (choice.candidate, choice.gain)).collect();
    }
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    random.shuffle(&mut order);
    let (mut left, mut chosen) = (budget, Vec::new());
    for index in order {
        let candidate = &candidates[index];
        if candidate.cost <= left {
            left -= candidate.cost;
            chosen.push((index, cover.gain(candidate)));
            cover.add(candidate);
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use graph::Options;
    use shared::device::DeviceName;

    fn planned(change: impl FnOnce(&mut PlanRequest<'_>)) -> Result<Planned, Failure> {
        planned_in(&[], change)
    }

    fn planned_in(modes: &[String], change: impl FnOnce(&mut PlanRequest<'_>)) -> Result<Planned, Failure> {
        let board: DeviceName = "cpu".parse().expect("a board");
        let options = Options { precision: Build::Fp32, ..Options::default() };
        let mut request = PlanRequest {
            board: &board,
            modes,
            networks: &[],
            options: &options,
            time_s: 120.0,
            power: false,
            have: None,
            models: None,
            strategy: Strategy::Plan,
            seed: 1,
            weights: WeightStorage::Shape,
            overhead_s: 1.0,
        };
        change(&mut request);
        plan(&request)
    }

    #[test]
    fn a_seed_makes_one_plan_and_the_time_holds() {
        let first = planned(|_| ()).expect("a plan");
        assert_eq!(first.plan, planned(|_| ()).expect("a plan").plan);
        assert_ne!(first.plan.items, planned(|request| request.seed = 2).expect("a plan").plan.items);
        let plan = &first.plan;
        assert!(plan.expected_s() <= 120.0, "{}", plan.expected_s());
        let expectation = plan.expectation;
        assert!(expectation.covered_before == 0.0 && expectation.covered_after > 0.3, "{expectation:?}");
        let of_kind = |kind| plan.items.iter().filter(|item| item.kind == kind).count();
        assert!(of_kind(ItemKind::Network) >= 3 && of_kind(ItemKind::Layers) >= 3);
        // Whole networks first.
        let last_network = plan.items.iter().rposition(|item| item.kind == ItemKind::Network);
        let first_layers = plan.items.iter().position(|item| item.kind == ItemKind::Layers);
        assert!(last_network < first_layers);
    }

    #[test]
    fn more_time_covers_more_and_the_plan_covers_more_than_chance() {
        let after = |time_s, strategy| {
            let planned = planned(|request| (request.time_s, request.strategy) = (time_s, strategy)).expect("a plan");
            planned.plan.expectation.covered_after
        };
        let short = after(60.0, Strategy::Plan);
        assert!(after(240.0, Strategy::Plan) > short);
        assert!(after(60.0, Strategy::Random) < short && after(60.0, Strategy::Grid) < short);
    }

    #[test]
    fn power_makes_loops_and_modes_share_the_time() {
        let modes = ["15W".to_owned(), "MAXN".to_owned()];
        let planned = planned_in(&modes, |request| (request.power, request.time_s) = (true, 900.0));
        let plan = planned.expect("a plan").plan;
        assert!(plan.items.iter().any(|item| item.kind == ItemKind::Loop));
        assert!(plan.items.iter().all(|item| item.kind != ItemKind::Layers));
        assert!(plan.expected_s() <= 900.0 && plan.modes().len() == 2);
    }

    #[test]
    fn a_plan_is_written_once_and_read_back() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let planned = planned(|request| request.time_s = 30.0).expect("a plan");
        planned.write(folder.path()).expect("writes");
        assert_eq!(CampaignPlan::read(folder.path()).expect("reads"), planned.plan);
        for item in &planned.plan.items {
            assert!(folder.path().join(&item.onnx).is_file());
            let (engine, _) = shared::engine::read(&folder.path().join(&item.engine_info)).expect("an engine info");
            assert!(!engine.layers.is_empty());
        }
        assert!(planned.write(folder.path()).expect_err("a second time").message.contains("already"));
    }

    #[test]
    fn too_little_time_is_refused() {
        let refused = planned(|request| request.time_s = 0.5).expect_err("no time");
        assert!(refused.message.contains("nothing can be measured"), "{refused}");
    }
}
