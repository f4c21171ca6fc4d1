//! The sizes by which one architecture becomes a family.

/// The sizes of a network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sizes {
    /// Images per inference.
    pub batch: u32,
    /// Height and width of the input in pixels.
    pub side: u32,
    /// Factor of the numbers of channels.
    pub width: f64,
}

impl Sizes {
    /// One image of this side at the published numbers of channels.
    #[must_use]
    pub const fn of_side(side: u32) -> Self {
        Self { batch: 1, side, width: 1.0 }
    }

    /// Channels times the width, as a multiple of 8 that is not smaller by more than a tenth (Howard et al., 2019); unchanged at
    /// width 1.
    ///
    /// ```
    /// let half = networks::Sizes { width: 0.5, ..networks::Sizes::of_side(224) };
    /// assert_eq!((half.channels(64), half.channels(24), half.channels(3)), (32, 16, 8));
    /// ```
    #[must_use]
    pub fn channels(&self, published: u64) -> u64 {
        if self.width == 1.0 { published } else { multiple_of_8(published as f64 * self.width) }
    }

    /// Dimensions of an input of images.
    pub(crate) fn images(&self, channels: u64) -> [u64; 4] {
        [u64::from(self.batch.max(1)), channels, u64::from(self.side), u64::from(self.side)]
    }
}

/// The nearest multiple of 8, at least 8 and nine tenths of the number.
pub(crate) fn multiple_of_8(channels: f64) -> u64 {
    let nearest = (((channels + 4.0) / 8.0).floor() * 8.0).max(8.0);
    (if nearest < 0.9 * channels { nearest + 8.0 } else { nearest }) as u64
}
