//! Times of whole networks at other clocks and on other boards, from tables alone: where no layers are known.

use boards::modes::Board;
use boards::power_law::{PowerLaw, PowerPoint, Top};
use boards::quantile;
use boards::time_law::{ClockPair, Shares, TimeLaw, TimePoint};
use boards::transfer::{Prior, SourceTime, Transfer, fixed_and_growing};
use serde::Serialize;
use shared::failure::{Failure, Kind};
use shared::units::{Millis, Watts};
use std::collections::BTreeMap;
use tables::Frame;

/// The time of a network at clocks.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AtClocks {
    /// The network.
    pub model: String,
    /// GPU clock, MHz.
    pub gpu_mhz: f64,
    /// Memory clock, MHz.
    pub emc_mhz: f64,
    /// Time of one inference, ms.
    pub runtime: f64,
    /// Lower bound of it.
    pub runtime_lower: f64,
    /// Upper bound of it.
    pub runtime_upper: f64,
    /// Mean power, W; none where none was measured.
    pub power: Option<f64>,
    /// `interpolated` or `extrapolated`.
    pub origin: &'static str,
}

/// The time of a network on another board.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OnTarget {
    /// The network.
    pub model: String,
    /// Side of its input, where the table gives it.
    pub size: Option<f64>,
    /// Time of one inference, ms.
    pub runtime: f64,
    /// Lower bound of it.
    pub runtime_lower: f64,
    /// Upper bound of it.
    pub runtime_upper: f64,
}

/// Predicts networks at the clocks of `wanted` (`model, gpu_mhz, emc_mhz`) from times measured at others (`measured`: the same,
/// `runtime` in ms, and `power` in W where known). `gpu_share`, the share of the GPU's clusters that are on, is 1 where a table
/// lacks it. The board's highest clocks and peaks are the prior; without one, the highest measured clocks.
///
/// # Errors
/// A missing column, a field that is no positive number, or a network that was not measured at any clocks: each names its place.
pub fn at_clocks(
    measured: &Frame,
    wanted: &Frame,
    board: Option<&Board>,
    level: f64,
) -> Result<Vec<AtClocks>, Failure> {
    let mut points: BTreeMap<&str, Vec<(TimePoint, Option<Watts>)>> = BTreeMap::new();
    for row in 0..measured.rows() {
        let point = TimePoint { clocks: clocks(measured, row)?, time: Millis(positive(measured, row, "runtime")?) };
        let power = if measured.has("power") { measured.number(row, "power")?.map(Watts) } else { None };
        points.entry(name(measured, row)?).or_default().push((point, power));
    }
    let all = || points.values().flatten().map(|(point, _)| point.clocks);
    let most = |of: fn(ClockPair) -> f64| all().map(of).fold(f64::MIN, f64::max);
    let peaks = board.map(|board| &board.peaks);
    let of_board = peaks.map(|peaks| ClockPair::whole(peaks.gpu_mhz, peaks.emc_mhz));
    let top = of_board.unwrap_or_else(|| ClockPair::whole(most(|c| c.gpu_mhz), most(|c| c.emc_mhz)));
    let z = quantile(f64::midpoint(1.0, level));
    let mut laws: BTreeMap<&str, (TimeLaw, Option<PowerLaw>)> = BTreeMap::new();
    for (network, points) in &points {
        let times: Vec<TimePoint> = points.iter().map(|(point, _)| *point).collect();
        let law = TimeLaw::fit(&times, Shares::common(top, peaks))
            .ok_or_else(|| Failure::data(format!("the times of {network} follow no law")).at(measured.path()))?;
        // Clocks of the memory change power as well; the law knows only the GPU's, and so only powers at one memory clock.
        let emc =
            points.iter().filter(|(_, power)| power.is_some()).map(|(p, _)| p.clocks.emc_mhz).fold(f64::MIN, f64::max);
        let power_point = |(point, power): &(TimePoint, Option<Watts>)| {
            let power = power.filter(|_| point.clocks.emc_mhz >= emc)?;
            Some(PowerPoint { gpu_mhz: point.clocks.gpu_mhz, time: point.time, power })
        };
        let powers: Vec<PowerPoint> = points.iter().filter_map(power_point).collect();
        let highest = ClockPair { emc_mhz: if powers.is_empty() { top.emc_mhz } else { emc }, ..top };
        let at_top = Top { gpu_mhz: top.gpu_mhz, time: law.at(highest).time };
        laws.insert(network, (law, PowerLaw::fit(&powers, at_top)));
    }
    let one = |row| {
        let (network, clocks) = (name(wanted, row)?, clocks(wanted, row)?);
        let (law, power) = laws.get(network).ok_or_else(|| {
            wanted.error_in(row, format!("`{network}` was not measured at any clocks, {}", measured.path().display()))
        })?;
        let at = law.at(clocks);
        let ratio = (z * at.log_sd).exp();
        Ok(AtClocks {
            model: network.to_owned(),
            gpu_mhz: clocks.gpu_mhz,
            emc_mhz: clocks.emc_mhz,
            runtime: at.time.0,
            runtime_lower: at.time.0 / ratio,
            runtime_upper: at.time.0 * ratio,
            power: power.as_ref().map(|law| law.at(clocks.gpu_mhz, at.time).power.0),
            origin: if at.extrapolated { "extrapolated" } else { "interpolated" },
        })
    };
    (0..wanted.rows()).map(one).collect()
}

/// Predicts every network of `source` (`model, runtime` in ms, `size` where known) on another board, of which `measured` holds
/// the times of some (the same columns). Where a network has several sizes, what does not grow with its pixels counts as fixed.
///
/// # Errors
/// A missing column, a field that is no positive number, a network measured on the target alone, or too many measurements.
pub fn on_target(
    source: &Frame,
    measured: Option<&Frame>,
    prior: &Prior,
    level: f64,
) -> Result<Vec<OnTarget>, Failure> {
    let rows = |frame: &Frame| -> Result<Vec<(String, Option<f64>, f64)>, Failure> {
        let size = |row| if frame.has("size") { frame.number(row, "size") } else { Ok(None) };
        (0..frame.rows())
            .map(|row| Ok((name(frame, row)?.to_owned(), size(row)?, positive(frame, row, "runtime")?)))
            .collect()
    };
    let known = rows(source)?;
    let mut by_network: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    known.iter().enumerate().for_each(|(place, (network, ..))| by_network.entry(network).or_default().push(place));
    let mut sources: Vec<Option<SourceTime>> = vec![None; known.len()];
    for (network, places) in by_network {
        let work = |place: &usize| known[*place].1.map(|size| (size * size, known[*place].2));
        let times: Option<Vec<(f64, f64)>> = places.iter().map(work).collect();
        let parts = times.filter(|times| times.len() > 1).map(|times| fixed_and_growing(&times));
        for (i, &place) in places.iter().enumerate() {
            let (fixed, growing) = parts.as_ref().map_or((0.0, known[place].2), |parts| parts[i]);
            sources[place] = Some(SourceTime { network: network.to_owned(), parts: vec![fixed, growing] });
        }
    }
    let sources: Vec<SourceTime> = sources.into_iter().flatten().collect();
    let mut pairs = Vec::new();
    if let Some(measured) = measured {
        for (row, (network, size, time)) in rows(measured)?.into_iter().enumerate() {
            let place = known.iter().position(|(other, other_size, _)| *other == network && *other_size == size);
            let place = place.ok_or_else(|| {
                measured
                    .error_in(row, format!("`{network}` is not among the source's times, {}", source.path().display()))
            })?;
            pairs.push((sources[place].clone(), Millis(time)));
        }
    }
    let transfer = Transfer::fit(prior, &pairs).map_err(|e| Failure::from_error(Kind::Data, e).at(source.path()))?;
    let z = quantile(f64::midpoint(1.0, level));
    let one = |((model, size, _), source): (&(String, Option<f64>, f64), &SourceTime)| {
        let predicted = transfer.predict(source);
        let ratio = (z * predicted.log_sd).exp();
        OnTarget {
            model: model.clone(),
            size: *size,
            runtime: predicted.time.0,
            runtime_lower: predicted.time.0 / ratio,
            runtime_upper: predicted.time.0 * ratio,
        }
    };
    Ok(known.iter().zip(&sources).map(one).collect())
}

fn name(frame: &Frame, row: usize) -> Result<&str, Failure> {
    frame.require("model")?;
    frame.text(row, "model")?.ok_or_else(|| frame.error_in(row, "`model` is empty"))
}

fn positive(frame: &Frame, row: usize, column: &str) -> Result<f64, Failure> {
    frame.require(column)?;
    let value = frame.required_number(row, column)?;
    if value > 0.0 { Ok(value) } else { Err(frame.error_in(row, format!("`{column}` is {value}, not positive"))) }
}

fn clocks(frame: &Frame, row: usize) -> Result<ClockPair, Failure> {
    let gpu_share = if frame.has("gpu_share") { positive(frame, row, "gpu_share")? } else { 1.0 };
    Ok(ClockPair { gpu_mhz: positive(frame, row, "gpu_mhz")?, emc_mhz: positive(frame, row, "emc_mhz")?, gpu_share })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn frame(text: &str) -> Frame {
        Frame::parse(Path::new("table.csv"), text.as_bytes()).expect("a table")
    }

    #[test]
    fn a_measured_point_is_kept_and_others_follow_the_clock() {
        let measured = frame("model,gpu_mhz,emc_mhz,runtime,power\na,1300,1866,10,12\na,650,1866,19,7\n");
        let wanted = frame("model,gpu_mhz,emc_mhz\na,1300,1866\na,900,1866\na,300,1866\n");
        let rows = at_clocks(&measured, &wanted, None, 0.9).expect("rows");
        assert!((rows[0].runtime / 10.0 - 1.0).abs() < 0.02);
        assert!(rows[1].runtime > 11.0 && rows[1].runtime < 16.0 && rows[1].runtime_lower < rows[1].runtime);
        assert!(rows[1].power.is_some_and(|power| power > 7.0 && power < 12.0));
        assert_eq!(
            rows.iter().map(|row| row.origin).collect::<Vec<_>>(),
            ["interpolated", "interpolated", "extrapolated"]
        );
        let failure = at_clocks(&measured, &frame("model,gpu_mhz,emc_mhz\nb,1,1\n"), None, 0.9).expect_err("unknown");
        assert!(failure.to_string().contains("`b` was not measured"), "{failure}");
    }

    #[test]
    fn a_board_twice_as_slow_is_found() {
        let source = frame("model,size,runtime\na,100,2\na,200,5\nb,100,3\nb,200,9\n");
        let measured = frame("model,size,runtime\na,100,4\na,200,10\n");
        let rows = on_target(&source, Some(&measured), &Prior::fixed_and_work(None, None), 0.9).expect("rows");
        assert!((rows[3].runtime / 18.0 - 1.0).abs() < 0.1, "{rows:?}");
        assert!(rows[3].runtime_lower < 18.0 && rows[3].runtime_upper > 18.0);
        let unknown = frame("model,size,runtime\nc,100,4\n");
        assert!(on_target(&source, Some(&unknown), &Prior::fixed_and_work(None, None), 0.9).is_err());
        assert_eq!(on_target(&source, None, &Prior::fixed_and_work(None, None), 0.9).expect("rows").len(), 4);
    }
}
