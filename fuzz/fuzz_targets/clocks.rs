//! Whatever a clock shows: time that is read from it never goes back, every row has its place, and stretches without a gap are
//! no longer than the rhythm of their rows explains.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shared::clock::{Counter, Scale, read_series};

fuzz_target!(|data: &[u8]| {
    let Some((&kind, rest)) = data.split_first() else { return };
    let scale = match kind % 5 {
        0 => Scale::Wall,
        1 => Scale::Cyclic { range_ns: 86_400_000_000_000 },
        2 => Scale::Counter { unit_ns: 1_000_000_000 },
        3 => Scale::Counter { unit_ns: 1_000 },
        _ => Scale::Counter { unit_ns: 1 },
    };
    // Steps of a size that the first byte of each tells, now and then an absolute stamp or none.
    let (mut now, mut stamps) = (1_694_685_600_000_000_000_i64, Vec::new());
    for step in rest.chunks_exact(3) {
        let size = i64::from(i16::from_le_bytes([step[1], step[2]]));
        match step[0] % 32 {
            30 => stamps.push(None),
            31 => stamps.push(Some(size)),
            power => {
                now = now.saturating_add(size.saturating_mul(1 << power));
                stamps.push(Some(now));
            }
        }
    }
    let given = (kind & 0x80 != 0).then_some(1_000_000_000);
    if let Ok(series) = read_series(&stamps, scale, given) {
        assert_eq!(series.rows.len(), series.times_ns.len());
        assert!(series.rows.len() + series.unstamped >= stamps.len());
        assert!(series.times_ns.windows(2).all(|pair| pair[0] <= pair[1]));
        assert!(series.changes.iter().all(|change| change.at < series.rows.len()));
        let mut end = 0;
        for stretch in series.stretches() {
            assert!(stretch.start == end && stretch.end >= stretch.start);
            end = stretch.end;
        }
        assert_eq!(end, series.rows.len());
    }
    if let [from, to, about] = stamps.iter().flatten().take(3).copied().collect::<Vec<_>>()[..] {
        assert!(Counter { range: 1 << (kind % 60) }.elapsed(from, to, about) >= 0);
    }
});
