//! A meter's own clock on ours.

/// Maps a device's microseconds, which run on, to monotonic nanoseconds.
///
/// Bytes arrive late by whatever the USB and the scheduler add, never early, so the smallest difference between arrival
/// and device time seen is nearest to the truth. It may grow by 100 ppm, more than any crystal drifts. Bytes come in
/// blocks; the last reading of a block waited least, so it sets the mapping for the whole block. Stamps never go back.
#[derive(Debug, Clone, Default)]
pub struct DeviceClock {
    offset_ns: Option<i64>,
    last_device_us: i64,
    last_ns: u64,
}

impl DeviceClock {
    /// By how much a block is later than the mapping says, if at `arrival_ns` its last reading is of `device_us`; `None`
    /// before the first block.
    #[must_use]
    pub fn lateness_ns(&self, device_us: i64, arrival_ns: u64) -> Option<i64> {
        Some(difference(device_us, arrival_ns).saturating_sub(self.offset_ns?))
    }

    /// Takes note that a block arrived at `arrival_ns` whose last reading the device took at `device_us`.
    pub fn arrived(&mut self, device_us: i64, arrival_ns: u64) {
        let difference = difference(device_us, arrival_ns);
        self.offset_ns = Some(match self.offset_ns {
            Some(offset) if difference >= offset => {
                let drift = device_us.saturating_sub(self.last_device_us).max(0) / 10;
                offset.saturating_add(drift.min(difference.saturating_sub(offset)))
            }
            _ => difference,
        });
        self.last_device_us = device_us;
    }

    /// The mapping begins again: the device restarted, and `device_us` belongs to `arrival_ns`.
    pub fn restart(&mut self, device_us: i64, arrival_ns: u64) {
        self.offset_ns = Some(difference(device_us, arrival_ns));
        self.last_device_us = device_us;
    }

    /// The stamp of a reading that the device took at `device_us`, in a block of which note was taken.
    pub fn stamp(&mut self, device_us: i64) -> u64 {
        let offset = self.offset_ns.unwrap_or(0);
        let stamp = u64::try_from(device_us.saturating_mul(1_000).saturating_add(offset)).unwrap_or(0);
        self.last_ns = stamp.max(self.last_ns + 1);
        self.last_ns
    }
}

fn difference(device_us: i64, arrival_ns: u64) -> i64 {
    i64::try_from(arrival_ns).unwrap_or(i64::MAX).saturating_sub(device_us.saturating_mul(1_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_bytes_do_not_move_the_stamps() {
        let mut clock = DeviceClock::default();
        let mut worst = 0_i64;
        for i in 0..20_000_i64 {
            let device_us = i * 50;
            // Delivered in blocks of 20 ms, with a fixed delay of 1 ms.
            let arrival_ns = 5_000_000_000 + (device_us as u64 * 1_000).next_multiple_of(20_000_000) + 1_000_000;
            clock.arrived(device_us, arrival_ns);
            let stamp = clock.stamp(device_us);
            let truth = 5_000_000_000 + device_us * 1_000;
            if i > 1_000 {
                worst = worst.max((stamp as i64 - truth - 1_000_000).abs());
            }
        }
        // 100 ppm of the 20 ms between two prompt bytes is 2 µs.
        assert!(worst <= 2_000, "{worst}");
    }

    #[test]
    fn a_restart_begins_again_and_stamps_never_go_back() {
        let mut clock = DeviceClock::default();
        let mut last = 0;
        for i in 0..100 {
            clock.arrived(1_000_000 + i * 50, 9_000_000_000 + i as u64 * 50_000);
            let stamp = clock.stamp(1_000_000 + i * 50);
            assert!(stamp > last);
            last = stamp;
        }
        clock.restart(0, 10_000_000_000);
        for i in 0..100 {
            clock.arrived(i * 50, 10_000_000_000 + i as u64 * 50_000);
            let stamp = clock.stamp(i * 50);
            assert!(stamp > last);
            last = stamp;
        }
        assert!(last.abs_diff(10_000_000_000 + 99 * 50_000) < 100);
    }
}
