//! The models of one device carried over to another, by none or a few measurements on the other.
//!
//! A layer's time on the source splits into its launch, no more than the source's roofline says, and its work. Networks
//! measured on the target tell by what each part is multiplied ([`boards::transfer`]); before that, the boards' peaks do. The
//! factors become part of the models' graphs, so that the target's models stand alone. Power is not carried over: nothing
//! public says how it differs between boards.

use crate::model::{Artefact, CARD_FILE, Device, Interval, Target, TransferRecord, model_folder};
use crate::predict::Models;
use crate::training::TrainingData;
use boards::modes::{Peaks, board};
use boards::quantile;
use boards::transfer::{Prior, SourceTime, Transfer};
use onnx::{Model, Rescaling, rescale};
use shared::device::{Clocks, DeviceName, Hardware};
use shared::engine::Table;
use shared::failure::{Failure, Kind};
use shared::units::Millis;
use std::collections::BTreeMap;
use std::path::Path;

/// A network on both devices.
#[derive(Debug, Clone, PartialEq)]
pub struct NetworkPair {
    /// Its name.
    pub network: String,
    /// Launch and work on the source, ms, as its models predict them.
    pub source: SourceTime,
    /// Measured on the target.
    pub measured: Millis,
}

/// Models carried over.
#[derive(Debug)]
pub struct Carried {
    /// The target.
    pub device: Device,
    /// Its run-time models.
    pub artefacts: Vec<Artefact>,
    /// The networks behind the factors.
    pub pairs: Vec<NetworkPair>,
    /// Each network's log ratio of measured to predicted where the network itself was left out.
    pub left_out: Vec<(String, f64)>,
}

/// What is carried over, and whereto.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Folder of models.
    pub models: &'a Path,
    /// The source, a device in it.
    pub from: &'a str,
    /// The target's name.
    pub to: &'a str,
    /// Measurements of the target: layers with their sizes and the networks' totals, or layers with run times.
    pub data: Option<&'a TrainingData>,
    /// The probability of intervals.
    pub level: f64,
}

/// Carries the run-time models of a device over to another.
///
/// # Errors
/// A source that cannot be read, or that has no run-time model, or measurements that are not sound.
pub fn carry(request: &Request<'_>) -> Result<Carried, Failure> {
    let Request { models: folder, from, to, data, level } = *request;
    let models = crate::predict::open_models(folder, Some(from))?;
    let source = models.device().clone();
    let launch_ms = source.roofline.as_ref().map_or(0.0, |roofline| roofline.launch_ms);
    let pairs = data.map_or(Ok(Vec::new()), |data| pairs(&models, data, to, launch_ms))?;
    let hardware = data.and_then(|data| data.hardware.get(data.name_of(to))).cloned();
    let (from_peaks, to_peaks) = (peaks(from, source.hardware.as_ref()), peaks(to, hardware.as_ref()));
    let prior = Prior::fixed_and_work(from_peaks.as_ref(), to_peaks.as_ref());
    let measured: Vec<(SourceTime, Millis)> = pairs.iter().map(|pair| (pair.source.clone(), pair.measured)).collect();
    let failure = |e| Failure::from_error(Kind::Data, e).help("see the totals' run times in networks.csv");
    let transfer = Transfer::fit(&prior, &measured).map_err(failure)?;
    let mut left_out = Vec::new();
    for (place, pair) in pairs.iter().enumerate().filter(|_| pairs.len() > 1) {
        let mut others = measured.clone();
        others.remove(place);
        let predicted = Transfer::fit(&prior, &others).map_err(failure)?.predict(&pair.source);
        left_out.push((pair.network.clone(), (pair.measured.0 / predicted.time.0).ln()));
    }
    let factors = transfer.factors();
    // A network that was not measured: like none of those, and as far on average as those were.
    let typical = pairs.iter().map(|pair| &pair.source.parts).fold([0.0, 0.0], |sum, p| [sum[0] + p[0], sum[1] + p[1]]);
    let typical = if typical[0] + typical[1] > 0.0 { typical.to_vec() } else { vec![0.1, 0.9] };
    let scale = (pairs.len() as f64).max(1.0);
    let unseen = SourceTime { network: String::new(), parts: typical.iter().map(|part| part / scale).collect() };
    let log_sd = transfer.predict(&unseen).log_sd;
    let record = TransferRecord {
        from: from.to_owned(),
        measurements: pairs.len(),
        launch_ms,
        launch_factor: factors[0].0,
        work_factor: factors[1].0,
        log_sd,
        prior: match (&from_peaks, &to_peaks) {
            (Some(a), Some(b)) => format!("peaks of both boards: {}; {}", a.source, b.source),
            _ => "none: the peaks of one of the boards are not known".to_owned(),
        },
    };
    let artefacts = artefacts(&models, folder, from, to, hardware.as_ref(), &record)?;
    if artefacts.is_empty() {
        return Err(Failure::data(format!("{from} has no model of run time that could be carried over")).at(folder));
    }
    let device = target(&source, to, hardware, record, level);
    Ok(Carried { device, artefacts, pairs, left_out })
}

/// The peaks of a device's board with the clusters that its mode has on, at its clocks: as recorded, else those of its mode, else the
/// highest.
fn peaks(device: &str, hardware: Option<&Hardware>) -> Option<Peaks> {
    let name: DeviceName = device.parse().ok()?;
    let board = board(name.board())?;
    let mode = name.mode().and_then(|mode| board.mode(mode));
    let peaks = mode.map_or(board.peaks, |mode| board.peaks_in(mode));
    Some(peaks.at(hardware.map_or_else(Clocks::default, |hardware| hardware.clocks)))
}

/// The networks of the target that have a time of their own, or times of all their layers, with their times on the source.
fn pairs(models: &Models, data: &TrainingData, to: &str, launch_ms: f64) -> Result<Vec<NetworkPair>, Failure> {
    let target = data.name_of(to);
    type Measured = (Vec<(Table, usize)>, Option<Millis>);
    let mut networks: BTreeMap<String, Measured> = BTreeMap::new();
    for total in data.totals_of(target) {
        if let Some(time) = total.measured.runtime() {
            let name = match total.measured.batch_size {
                1.0 => total.measured.network.clone(),
                batch => format!("{} at batch {batch}", total.measured.network),
            };
            networks.insert(name, (total.layers, Some(time)));
        }
    }
    let with_totals: Vec<&str> = data.totals.iter().map(|total| total.network.as_str()).collect();
    for (table, rows) in &data.tables {
        for (number, row) in rows.iter().enumerate().filter(|(_, row)| row.is_of(target)) {
            if !with_totals.contains(&row.network.as_str()) {
                networks.entry(row.network.clone()).or_default().0.push((*table, number));
            }
        }
    }
    let mut pairs = Vec::new();
    for (network, (layers, total)) in networks {
        let rows: Vec<_> = layers.iter().map(|(table, number)| &data.tables[table][*number]).collect();
        let sum =
            || rows.iter().map(|row| row.runtime).collect::<Option<Vec<Millis>>>().map(|all| all.into_iter().sum());
        let Some(measured) = total.or_else(sum) else { continue };
        let specs: Vec<_> = rows.iter().map(|row| &row.spec).collect();
        let predicted = models.predict_target(Target::Runtime, &specs)?;
        let Some(times) = predicted.into_iter().map(|e| e.map(|e| e.value)).collect::<Option<Vec<f64>>>() else {
            continue;
        };
        let launch: f64 = times.iter().map(|time| time.min(launch_ms)).sum();
        let work = times.iter().sum::<f64>() - launch;
        let source = SourceTime { network: network.clone(), parts: vec![launch, work.max(0.0)] };
        if source.total().0 > 0.0 && measured.0 > 0.0 {
            pairs.push(NetworkPair { network, source, measured });
        }
    }
    Ok(pairs)
}

/// The source's run-time models with the factors in their graphs.
fn artefacts(
    models: &Models,
    folder: &Path,
    from: &str,
    to: &str,
    hardware: Option<&Hardware>,
    record: &TransferRecord,
) -> Result<Vec<Artefact>, Failure> {
    let rescaling =
        Rescaling { limit: record.launch_ms as f32, low: record.launch_factor as f32, high: record.work_factor as f32 };
    let mut carried = Vec::new();
    for table in Table::ALL {
        let place = model_folder(folder, &models.device().name, table, Target::Runtime);
        if !place.join(CARD_FILE).exists() {
            continue;
        }
        let mut artefact = Artefact::read(&place)?;
        artefact.load(&place)?;
        let wrong = |e: onnx::OnnxError| Failure::data(e.to_string()).at(&place);
        artefact.onnx = rescale(&artefact.onnx, rescaling, &[("device", to.to_owned())]).map_err(wrong)?;
        let card = &mut artefact.card;
        let inputs: Vec<f32> = card.self_test.inputs.iter().flatten().copied().collect();
        card.self_test.outputs = Model::load(&artefact.onnx).and_then(|model| model.predict(&inputs)).map_err(wrong)?;
        card.onnx_sha256 = shared::digest::sha256(&artefact.onnx);
        to.clone_into(&mut card.device);
        card.hardware = hardware.cloned();
        // How well a layer fares is as for the source.
        card.interval = card.interval.map(|own| widened(own, record));
        card.notes.push(format!(
            "carried over from {from} by {} networks measured on {to}; scores on this card are those on {from}",
            record.measurements
        ));
        carried.push(artefact);
    }
    Ok(carried)
}

/// The bounds of a prediction on the source, with the factors' error on top.
fn widened(own: Interval, record: &TransferRecord) -> Interval {
    let level_z = quantile(f64::midpoint(1.0, own.level));
    let ratio = (own.upper_ratio.ln() / level_z).hypot(record.log_sd) * level_z;
    Interval { lower_ratio: (-ratio).exp(), upper_ratio: ratio.exp(), ..own }
}

fn target(source: &Device, to: &str, hardware: Option<Hardware>, record: TransferRecord, level: f64) -> Device {
    let z = |level: f64| quantile(f64::midpoint(1.0, level));
    let source_sd = source.runtime_total.map(|own| own.upper_ratio.ln() / z(own.level));
    let measured_networks = record.measurements;
    let interval = source_sd.map(|sd| {
        // Measured networks count with the source's error in their ratios, so that only the larger of both is left.
        let total = if measured_networks >= 3 { sd.max(record.log_sd) } else { sd.hypot(record.log_sd) };
        let ratio = total * z(level);
        Interval {
            level,
            lower_ratio: (-ratio).exp(),
            upper_ratio: ratio.exp(),
            rows: measured_networks,
            networks: measured_networks,
        }
    });
    let mut roofline = source.roofline.clone();
    if let Some(roofline) = &mut roofline {
        roofline.launch_ms *= record.launch_factor;
        roofline.ms_per_megabyte *= record.work_factor;
        roofline.ms_per_gmac.values_mut().for_each(|rate| *rate *= record.work_factor);
        roofline.unseen_kind = roofline.unseen_kind.map(|own| widened(own, &record));
    }
    let mut notes = vec![format!(
        "run times are those of {} times {:.2} for launches and {:.2} for work, by {} networks measured on {to}",
        record.from, record.launch_factor, record.work_factor, record.measurements
    )];
    notes.push(format!("power is not carried over from {}: neither power nor energy is predicted", record.from));
    Device {
        name: to.to_owned(),
        roofline,
        median_power_w: None,
        runtime_total: interval,
        energy_total: None,
        power_total: None,
        networks: source.networks.clone(),
        notes,
        hardware,
        transfer: Some(record),
    }
}
