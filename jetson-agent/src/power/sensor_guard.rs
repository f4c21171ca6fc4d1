//! Setting the INA3221 for a run, and setting it back whatever happens.
//!
//! The old values are handed to a small process of our own before anything is changed, which writes them back. The sensor also
//! feeds the board's over-current limits, so it must not stay changed.

use super::SourceError;
use super::chip_settings::{conversion_of, is_enabled, settings};
use super::chips::Chip;
use super::hwmon::find_hwmon;
use super::restore::{Attributes, Helper, Sysfs};
use super::sysfs::{Root, read_text};
use shared::run_folder::{Rail, Total};
use shared::sensor::{ChipSettings, INA_AVERAGES};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One file that is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Change {
    path: PathBuf,
    old: String,
    new: String,
    /// Whether the run makes no sense without it. A driver may refuse the rest and keep its value; what stands then is recorded
    /// with the rails.
    needed: bool,
}

/// What is written into a chip's files, and what afterwards, both in this order.
#[derive(Debug, Default)]
struct Plan {
    changes: Vec<Change>,
    restores: Vec<(PathBuf, String)>,
}

/// Restores the sensors when dropped; its helper does when the process dies.
#[derive(Debug)]
pub struct SensorGuard {
    _helper: Helper,
    said: Vec<String>,
}

impl SensorGuard {
    /// Sets `samples` of every INA3221, and the shortest conversion times where there is an `update_interval`.
    ///
    /// # Errors
    /// When the number is none of the chip's, no chip is there, or a file cannot be written.
    pub fn averaging(root: &Root, samples: u32) -> Result<Self, SourceError> {
        if !INA_AVERAGES.contains(&samples) {
            return Err(lost(format!("{samples} is no averaging of an INA3221: {INA_AVERAGES:?}")));
        }
        let mut plan = Plan::default();
        for folder in root.entries("/sys/class/hwmon") {
            let chip = read_text(&folder.join("name")).and_then(|name| Chip::of(&name));
            if let Some(chip) = chip.filter(|chip| chip.takes_turns()) {
                plan.add(&folder, chip, None, samples, &Sysfs)?;
            }
        }
        if plan.changes.is_empty() {
            return Err(lost("there is no INA3221 under hwmon whose averaging could be set".into()));
        }
        Self::apply(&plan, Vec::new())
    }

    /// Sets the quickest useful setting: no averaging, the shortest conversions, and of a chip that measures a part of the
    /// board's total only the channels that do. Other chips stay as they are.
    ///
    /// # Errors
    /// When there is no chip that can be set, or `samples` cannot be written.
    pub fn fastest(root: &Root) -> Result<Self, SourceError> {
        let setup = find_hwmon(root)
            .and_then(|candidate| candidate.source.ok())
            .map(|source| source.setup().clone())
            .ok_or_else(|| lost("there is no INA3221 or INA238 under hwmon that could be set".into()))?;
        let counts = |index: usize| match &setup.total {
            Total::Rail(rail) => usize::from(*rail) == index,
            Total::Sum(rails) => rails.iter().any(|rail| usize::from(*rail) == index),
            Total::Unknown => true,
        };
        let mut chips: BTreeMap<PathBuf, Vec<u32>> = BTreeMap::new();
        for (_, rail) in setup.rails.iter().enumerate().filter(|(index, _)| counts(*index)) {
            if let Some((folder, channel)) = place_of(rail) {
                chips.entry(folder).or_default().push(channel);
            }
        }
        let (mut plan, mut before) = (Plan::default(), Vec::new());
        for (folder, channels) in chips {
            let Some(chip) = read_text(&folder.join("name")).and_then(|name| Chip::of(&name)) else { continue };
            // Most kernels' driver of the INA238 lets nothing be set.
            if chip.takes_turns() || chip.name == "ina238" && folder.join("samples").exists() {
                before.push((folder.clone(), chip, channels[0], settings(&folder, chip, channels[0])));
                plan.add(&folder, chip, Some(&channels), 1, &Sysfs)?;
            }
        }
        if plan.changes.is_empty() {
            return Err(lost("the chip that measures the total has no setting in this kernel".into()));
        }
        Self::apply(&plan, before)
    }

    /// What was set, in sentences for people.
    #[must_use]
    pub fn said(&self) -> &[String] {
        &self.said
    }

    fn apply(plan: &Plan, before: Vec<(PathBuf, &Chip, u32, ChipSettings)>) -> Result<Self, SourceError> {
        let mut guard =
            Self::start(&plan.restores).map_err(|e| lost(format!("cannot start the process that restores: {e}")))?;
        for change in &plan.changes {
            if let Err(e) = Sysfs.write(&change.path, &change.new) {
                let path = change.path.display();
                if change.needed {
                    return Err(lost(format!("{path}: {e}; setting the sensor needs root")));
                }
                guard.said.push(format!("{path} stays at {}: {e}", change.old));
            }
        }
        for (folder, chip, channel, before) in before {
            guard.said.push(describe(&folder, chip, &before, &settings(&folder, chip, channel)));
        }
        Ok(guard)
    }

    fn start(restores: &[(PathBuf, String)]) -> std::io::Result<Self> {
        let lines = restores.iter().map(|(path, value)| format!("{}\t{value}", path.display()));
        Ok(Self { _helper: Helper::start("restore-sensor", lines)?, said: Vec::new() })
    }
}

fn lost(message: String) -> SourceError {
    SourceError::Lost(message)
}

/// The folder and the channel of a rail under hwmon.
fn place_of(rail: &Rail) -> Option<(PathBuf, u32)> {
    let path = Path::new(&rail.place);
    let name = path.file_name()?.to_str()?;
    Some((path.parent()?.to_owned(), name.strip_prefix("curr")?.strip_suffix("_input")?.parse().ok()?))
}

impl Plan {
    /// Plans AVG, the shortest conversions and, if given, which channels stay on.
    ///
    /// `update_interval` 0 is the shortest conversion for any number of channels (kernel documentation `hwmon/ina3221.rst`), and it
    /// comes after `samples`, by which the driver divides it. What the file shows is rounded to milliseconds, so that writing it
    /// back may set another conversion. So the conversion time behind it is restored at the largest AVG, where a millisecond is
    /// fine enough; the value shown is written only if the file still shows another.
    fn add(
        &mut self,
        folder: &Path,
        chip: &Chip,
        channels: Option<&[u32]>,
        samples: u32,
        files: &impl Attributes,
    ) -> Result<(), SourceError> {
        const FINEST: u32 = INA_AVERAGES[INA_AVERAGES.len() - 1];
        let is_on = |channel: &u32| {
            let shown = files.read(&folder.join(format!("in{channel}_enable")));
            shown.map_or_else(|| is_enabled(folder, *channel), |on| on != "0")
        };
        let on = (1..=3).filter(is_on).count();
        if let Some(keep) = channels.filter(|_| chip.takes_turns()) {
            for channel in (1..=3).filter(|channel| !keep.contains(channel)).filter(is_on) {
                let path = folder.join(format!("in{channel}_enable"));
                if let Some(old) = files.read(&path) {
                    self.restores.push((path.clone(), old.clone()));
                    self.changes.push(Change { path, old, new: "0".into(), needed: false });
                }
            }
        }
        let path = folder.join("samples");
        let old = files.read(&path).ok_or_else(|| lost(format!("{}: cannot be read", path.display())))?;
        self.changes.push(Change { path: path.clone(), old: old.clone(), new: samples.to_string(), needed: true });
        let interval = folder.join("update_interval");
        let shown = files.read(&interval);
        if let Some(shown) = &shown {
            let known = shown.parse().ok().zip(old.parse().ok()).filter(|_| chip.takes_turns());
            if let Some((ms, averaging)) = known
                && let Some((conversion, _)) = conversion_of(ms, averaging, on)
            {
                let finest = 2.0 * conversion.0 * on as f64 * f64::from(FINEST) / 1e3;
                self.restores.push((path.clone(), FINEST.to_string()));
                self.restores.push((interval.clone(), format!("{finest:.0}")));
            }
            self.changes.push(Change { path: interval.clone(), old: shown.clone(), new: "0".into(), needed: false });
        }
        self.restores.push((path, old));
        self.restores.extend(shown.map(|shown| (interval, shown)));
        Ok(())
    }
}

fn describe(folder: &Path, chip: &Chip, before: &ChipSettings, after: &ChipSettings) -> String {
    let averaging = |settings: &ChipSettings| settings.averaging.map_or("unknown".into(), |n| n.to_string());
    let channels = |settings: &ChipSettings| {
        let list = settings.channels.iter().flatten().map(u32::to_string).collect::<Vec<_>>();
        if list.is_empty() { "none".to_owned() } else { list.join(", ") }
    };
    let chip = chip.name;
    let cycle = after.cycle(chip).map_or("unknown".into(), |cycle| format!("{:.2} ms", cycle.0 / 1e3));
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    format!(
        "{chip} ({name}): AVG {} → {}, channels {} → {}, a new value every {cycle}; all is restored after the run",
        averaging(before),
        averaging(after),
        channels(before),
        channels(after)
    )
}

#[cfg(test)]
mod tests {
    use super::super::restore::restore;
    use super::*;
    use proptest::prelude::*;
    use shared::sensor::INA_CONVERSIONS;

    /// The INA3221's driver, as `drivers/hwmon/ina3221.c` of Linux writes its register.
    #[derive(Debug, Clone, PartialEq)]
    struct Driver {
        averaging: u32,
        conversion: f64,
        enabled: [bool; 3],
        /// Whether `update_interval` is shown with AVG, as until Linux 5.19.
        with_averaging: bool,
    }

    impl Driver {
        fn channels(&self) -> f64 {
            self.enabled.iter().filter(|on| **on).count() as f64
        }
    }

    impl Attributes for Driver {
        fn read(&self, path: &Path) -> Option<String> {
            let averaging = if self.with_averaging { f64::from(self.averaging) } else { 1.0 };
            match path.file_name()?.to_str()? {
                "samples" => Some(self.averaging.to_string()),
                "update_interval" => {
                    Some(format!("{:.0}", (self.channels() * 2.0 * self.conversion * averaging / 1e3).round()))
                }
                name => {
                    let channel: usize = name.strip_prefix("in")?.strip_suffix("_enable")?.parse().ok()?;
                    Some(u8::from(self.enabled[channel - 1]).to_string())
                }
            }
        }

        fn write(&mut self, path: &Path, value: &str) -> std::io::Result<()> {
            let number: f64 = value.parse().expect("a number");
            match path.file_name().and_then(|name| name.to_str()).expect("a name") {
                "samples" => self.averaging = value.parse().expect("a number"),
                // Both kernels divide by AVG here.
                "update_interval" => {
                    let wanted = (number * 1000.0 / 2.0 / (self.channels() * f64::from(self.averaging))).round();
                    self.conversion = INA_CONVERSIONS
                        .iter()
                        .map(|time| time.0)
                        .min_by(|a, b| (a - wanted).abs().total_cmp(&(b - wanted).abs()))
                        .expect("eight");
                }
                name => {
                    let channel: usize = name[2..3].parse().expect("a channel");
                    self.enabled[channel - 1] = number != 0.0;
                }
            }
            Ok(())
        }
    }

    /// The quickest setting of channel 1, and back, as the guard and its helper do it.
    fn there_and_back(driver: &mut Driver) -> Driver {
        let mut plan = Plan::default();
        plan.add(Path::new("hwmon1"), Chip::of("ina3221").expect("a chip that is read"), Some(&[1]), 1, driver)
            .expect("plans");
        for change in &plan.changes {
            driver.write(&change.path, &change.new).expect("writes");
        }
        let fastest = driver.clone();
        restore(&plan.restores, driver).expect("restores");
        fastest
    }

    proptest! {
        /// Whatever the chip was set to through its driver, and whichever kernel it is.
        #[test]
        fn the_quickest_setting_is_set_and_everything_comes_back(
            averaging in 0_usize..8, conversion in 0_usize..8, second: bool, third: bool, with_averaging: bool,
        ) {
            let before = Driver {
                averaging: INA_AVERAGES[averaging],
                conversion: INA_CONVERSIONS[conversion].0,
                enabled: [true, second, third],
                with_averaging,
            };
            // Where the file's whole milliseconds fit several conversion times, the shortest comes back.
            let shown = before.read(Path::new("update_interval")).and_then(|shown| shown.parse().ok()).expect("a number");
            let found = conversion_of(shown, before.averaging, before.channels() as usize);
            prop_assume!(found.is_some_and(|(time, _)| time.0 == before.conversion));
            let mut driver = before.clone();
            let fastest = there_and_back(&mut driver);
            prop_assert_eq!(fastest.averaging, 1);
            prop_assert_eq!(fastest.conversion, 140.0);
            prop_assert_eq!(fastest.enabled, [true, false, false]);
            prop_assert_eq!(driver, before);
        }
    }
}
