//! NVIDIA's management library: the power of discrete GPUs.
//!
//! On a Jetson the library starts and finds a device, and then supports no reading: a device is used only after a power
//! reading has succeeded. Three figures are offered where the driver has them: the instantaneous power (field 186), the
//! average that the driver keeps over a second (field 185, or the plain reading), and the energy counter.

use super::{Candidate, PowerSource, SourceError, Unusable};
use crate::sys;
use nvml_wrapper::Nvml;
use nvml_wrapper::enums::device::SampleValue;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::structs::device::FieldId;
use nvml_wrapper::sys_exports::field_id::{NVML_FI_DEV_POWER_AVERAGE, NVML_FI_DEV_POWER_INSTANT};
use shared::run_folder::{PowerSetup, Rail, Sample, Sensor, Total};
use std::path::Path;

/// What a rail reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Figure {
    Instant,
    Average,
    Plain,
    Energy,
}

impl Figure {
    const ALL: [Self; 4] = [Self::Instant, Self::Average, Self::Plain, Self::Energy];

    fn label(self) -> &'static str {
        match self {
            Self::Instant => "instant",
            Self::Average => "average",
            Self::Plain => "power",
            Self::Energy => "energy counter",
        }
    }
}

struct Channel {
    device: u32,
    figure: Figure,
    last_energy: Option<(u64, u64)>,
    last_mw: f64,
}

struct NvmlSource {
    nvml: Nvml,
    setup: PowerSetup,
    channels: Vec<Channel>,
}

/// Opens NVML, from its usual place or from a given file. Nothing when the library is not there.
#[must_use]
pub fn find_nvml(library: Option<&Path>) -> Option<Candidate> {
    let mut builder = Nvml::builder();
    if let Some(path) = library {
        builder.lib_path(path.as_os_str());
    }
    let place = library.map_or_else(|| "libnvidia-ml.so".to_owned(), |path| path.display().to_string());
    let source = match builder.init() {
        Err(NvmlError::LibloadingError(_)) if library.is_none() => return None,
        Err(e) => Err(Unusable {
            why: format!("NVML does not start: {e}"),
            advice: "check the driver with nvidia-smi".into(),
        }),
        Ok(nvml) => open(nvml),
    };
    Some(Candidate { kind: "nvml", place, source: source.map(|s| Box::new(s) as Box<dyn PowerSource>) })
}

fn open(nvml: Nvml) -> Result<NvmlSource, Unusable> {
    let unusable = |why: String| Unusable {
        why,
        advice: "on a Jetson use the board's own sensors (hwmon); on a discrete GPU check nvidia-smi".into(),
    };
    let count = nvml.device_count().map_err(|e| unusable(e.to_string()))?;
    let (mut rails, mut channels, mut refusals) = (Vec::new(), Vec::new(), Vec::new());
    for index in 0..count {
        let name = nvml.device_by_index(index).and_then(|d| d.name()).unwrap_or_else(|_| "GPU".into());
        for figure in Figure::ALL {
            // The plain reading is the average or the instant again, under a name that does not tell which.
            if figure == Figure::Plain && channels.iter().any(|c: &Channel| c.device == index) {
                continue;
            }
            match milliwatts_or_energy(&nvml, index, figure) {
                Ok(_) => {
                    rails.push(Rail {
                        label: format!("GPU {index} {}", figure.label()),
                        place: name.clone(),
                        voltage_measured: false,
                        sensor: Sensor { known_from: Some("driver".into()), ..Sensor::default() },
                    });
                    channels.push(Channel { device: index, figure, last_energy: None, last_mw: 0.0 });
                }
                Err(e) => refusals.push(format!("GPU {index} {}: {e}", figure.label())),
            }
        }
    }
    // One figure a device counts, the best it offers.
    let firsts: Vec<u8> =
        (0..count).filter_map(|index| channels.iter().position(|c| c.device == index).map(|i| i as u8)).collect();
    let total = match firsts.as_slice() {
        [] => {
            return Err(unusable(if refusals.is_empty() {
                "no GPU".into()
            } else {
                format!("no power reading: {}", refusals.join("; "))
            }));
        }
        [only] => Total::Rail(*only),
        several => Total::Sum(several.to_vec()),
    };
    Ok(NvmlSource { nvml, setup: PowerSetup { source: "nvml".into(), rails, total, requested_hz: None }, channels })
}

/// Power in mW, or for the counter the energy in mJ.
fn milliwatts_or_energy(nvml: &Nvml, index: u32, figure: Figure) -> Result<u64, NvmlError> {
    let device = nvml.device_by_index(index)?;
    let field = |id: u32| -> Result<u64, NvmlError> {
        let values = device.field_values_for(&[FieldId(id)])?;
        match values.into_iter().next().ok_or(NvmlError::NotFound)??.value? {
            SampleValue::U32(value) => Ok(u64::from(value)),
            SampleValue::U64(value) => Ok(value),
            SampleValue::F64(value) => Ok(value as u64),
            SampleValue::I64(value) => u64::try_from(value).map_err(|_| NvmlError::NotFound),
        }
    };
    match figure {
        Figure::Instant => field(NVML_FI_DEV_POWER_INSTANT),
        Figure::Average => field(NVML_FI_DEV_POWER_AVERAGE),
        Figure::Plain => device.power_usage().map(u64::from),
        Figure::Energy => device.total_energy_consumption(),
    }
}

impl PowerSource for NvmlSource {
    fn setup(&self) -> &PowerSetup {
        &self.setup
    }

    fn read(&mut self, out: &mut Vec<Sample>) -> Result<(), SourceError> {
        for (rail, channel) in (0..).zip(&mut self.channels) {
            let value = milliwatts_or_energy(&self.nvml, channel.device, channel.figure).map_err(|e| match e {
                NvmlError::GpuLost | NvmlError::Uninitialized | NvmlError::DriverNotLoaded => {
                    SourceError::Lost(format!("GPU {}: {e}", channel.device))
                }
                other => SourceError::Transient(format!("GPU {}: {other}", channel.device)),
            })?;
            let t_ns = sys::monotonic_ns();
            let mw = if channel.figure == Figure::Energy {
                // mJ over s; the counter steps with the driver's own period, so it is read as a mean since its last step.
                match channel.last_energy {
                    Some((then, before)) if value > before => {
                        channel.last_mw = (value - before) as f64 * 1e9 / (t_ns - then).max(1) as f64;
                        channel.last_energy = Some((t_ns, value));
                    }
                    None => channel.last_energy = Some((t_ns, value)),
                    _ => {}
                }
                channel.last_mw
            } else {
                value as f64
            };
            // Power alone is known: 1 V nominal, so that milliamps are milliwatts.
            out.push(Sample { t_ns, rail, mv: 1_000.0, ma: mw as f32 });
        }
        Ok(())
    }
}
