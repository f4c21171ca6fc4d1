//! The table of `docs/sensors.md` is what the simulator gives.
#![allow(missing_docs)]

use shared::random::Random;
use shared::run_folder::Sample;
use simulate::{Reader, SensorFilter, SensorModel};
use std::fmt::Write;

const MS: u64 = 1_000_000;

/// What a program reads at some instants, without noise and rounding.
fn readings(model: &SensorModel, before_w: f64, pieces: &[(u64, f64)], reads: &[u64]) -> Vec<Option<f64>> {
    let model = SensorModel { bus_mv: model.bus_mv, ..SensorModel::plain(model.family) };
    let mut filter = SensorFilter::new(model, 0, before_w, Random::new(7));
    let mut reader = Reader::new(&model, Random::new(7));
    let (mut end, mut out, mut reads) = (0, Vec::new(), reads.iter().copied().peekable());
    for (length, watts) in pieces {
        end += length;
        while filter.now_ns() < end {
            let next = reads.peek().map_or(end, |read| (*read).min(end));
            filter.advance(next, *watts, &mut |_, _, _| {});
            if reads.next_if_eq(&next).is_some() {
                out.push(reader.read(next, filter.register()).map(|sample: Sample| sample.power().0));
            }
        }
    }
    out
}

fn table() -> String {
    let mut out = String::from(
        "| sensor | new value every | sees | mean delay | 1 ms after the step | 10 ms | 100 ms | 500 ms | 2 s | swing while layers swing by 5 W |\n\
         |---|---|---|---|---|---|---|---|---|---|\n",
    );
    for (name, what) in [
        ("ina3221-boot", "INA3221 as JetPack boots an Orin: AVG 512"),
        ("ina3221-reset", "INA3221 after a reset: AVG 1, 1.1 ms conversions, three channels"),
        ("ina3221-avg1", "INA3221 with `--sensor-averaging 1`: AVG 1, 140 µs, three channels"),
        ("ina3221-fastest", "INA3221 with `--sensor fast`: AVG 1, 140 µs, one channel"),
        ("ina226", "INA226, AVG 4, 140 µs"),
        ("ina238", "INA238 as Linux sets it: AVG 16, 1.05 ms"),
        ("nvml", "NVML on an A100 or H100"),
        ("ideal", "meter at 20 kHz"),
    ] {
        let model = SensorModel::named(name).expect("has a name");
        let family = model.family;
        let idle = 1_000 * MS;
        let at = [1, 10, 100, 500, 2_000].map(|ms| idle + ms * MS);
        let step = readings(&model, 5.0, &[(idle, 5.0), (3_000 * MS, 10.0)], &at);
        // Layers of 150 µs, at 5 and 10 W in turn, for ten seconds; the last second is read every 0.1 ms.
        let layers: Vec<(u64, f64)> = (0..66_667).map(|i| (150_000, if i % 2 == 0 { 5.0 } else { 10.0 })).collect();
        let every: Vec<u64> = (0..10_000).map(|i| 9_000 * MS + i * 100_000).collect();
        let swing = readings(&model, 7.5, &layers, &every);
        let (low, high) = swing.iter().flatten().fold((f64::MAX, f64::MIN), |(l, h), w| (l.min(*w), h.max(*w)));
        let _ = write!(
            out,
            "| {what} | {:.2} ms | {:.0} % | {:.2} ms |",
            family.refresh().0 / 1e3,
            family.duty() * 1e2,
            family.mean_delay().0 / 1e3
        );
        for watts in step {
            let _ = write!(out, " {:.2} W |", watts.expect("a power"));
        }
        let _ = writeln!(out, " {:.2} W |", high - low);
    }
    out
}

#[test]
fn the_page_shows_what_the_simulator_gives() {
    let page = include_str!("../../docs/sensors.md");
    let table = table();
    assert!(page.contains(&table), "docs/sensors.md needs this table:\n{table}");
}
