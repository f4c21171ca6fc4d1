//! Whatever an `nvpmodel.conf` holds: it is read into modes whose numbers do not repeat and whose clocks are positive, and what a
//! device is named after it is a name.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shared::device::DeviceName;
use shared::power_modes::PowerModes;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let all = PowerModes::parse(&text);
    assert!(all.modes.len() <= shared::limits::POWER_MODES && all.diagnostics.len() <= 21);
    for (place, mode) in all.modes.iter().enumerate() {
        assert!(all.modes[..place].iter().all(|other| other.id != mode.id));
        let clocks = [mode.gpu_mhz, mode.emc_mhz, mode.cpu_mhz, mode.dla_mhz];
        assert!(clocks.into_iter().flatten().all(|mhz| mhz.is_finite() && mhz > 0.0));
        assert!(all.numbered(mode.id) == Some(mode));
        let name = DeviceName::cleaned("board", Some(&mode.name)).expect("a board is a name");
        assert_eq!(name.to_string().parse(), Ok(name));
    }
    let json = serde_json::to_vec(&all).expect("serialises");
    assert_eq!(serde_json::from_slice::<PowerModes>(&json).expect("reads"), all);
});
