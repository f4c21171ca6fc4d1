//! The devices of a board whose clocks are known.

use crate::model::{Device, devices};
use crate::predict::{Models, open_models};
use boards::modes::{KnownMode, board, modes_of, plain_mode};
use boards::time_law::{ClockPair, Shares};
use shared::device::{Clocks, DeviceName, module_of};
use shared::failure::Failure;
use shared::near::near;
use std::path::Path;
use std::sync::Arc;

/// A device of a board, with its clocks.
#[derive(Debug)]
pub struct Anchor {
    /// Its models.
    pub models: Arc<Models>,
    /// Its power mode, where the name says.
    pub mode: Option<String>,
    /// Its clocks.
    pub clocks: ClockPair,
}

/// All anchors of a board; never empty.
#[derive(Debug)]
pub struct Anchors {
    /// The board.
    pub board: String,
    /// The anchors, the one asked for first.
    pub all: Vec<Anchor>,
    /// Devices of the board whose clocks are unknown.
    pub without_clocks: Vec<String>,
}

impl Anchors {
    /// The anchors of the board of a device in a folder of models; the folder's default device if none is named. The name may
    /// be that of the board alone. `own_mode` is the mode in which the device was measured, where nothing recorded it.
    ///
    /// # Errors
    /// A folder without models, a device that it does not hold, or one of a board of which no device's clocks are known.
    pub fn open(folder: &Path, device: Option<&str>, own_mode: Option<&str>) -> Result<Self, Failure> {
        let known = devices(folder)?;
        let of_board = |name: &str, board: &str| board_of(name) == board;
        // The board alone stands for any of its devices.
        let any_of = |name: &&str| !name.contains('@') && !known.iter().any(|known| known == *name);
        let first =
            device.filter(any_of).and_then(|name| known.iter().find(|known| of_board(known, &board_of(name))).cloned());
        let first = match first {
            Some(name) => open_models(folder, Some(&name))?,
            None => open_models(folder, device)?,
        };
        let board = board_of(&first.device().name);
        let mut models = vec![Arc::new(first)];
        for name in &known {
            if *name != models[0].device().name && of_board(name, &board) {
                models.push(Arc::new(Models::open(folder, name)?));
            }
        }
        Self::of(models, own_mode)
    }

    /// The anchors of the board of a device among models of any boards: that device first; `own_mode` as in [`Anchors::open`].
    ///
    /// # Errors
    /// As [`Anchors::of`].
    pub fn among(
        models: impl IntoIterator<Item = Arc<Models>>,
        device: &str,
        own_mode: Option<&str>,
    ) -> Result<Self, Failure> {
        let board = board_of(device);
        let of_board = models.into_iter().filter(|models| board_of(&models.device().name) == board);
        let (first, others): (Vec<_>, Vec<_>) = of_board.partition(|models| models.device().name == device);
        Self::of(first.into_iter().chain(others).collect(), own_mode)
    }

    /// The anchors among models of one board, in the order given; `own_mode` as in [`Anchors::open`].
    ///
    /// # Errors
    /// None, or none whose clocks are known.
    pub fn of(models: Vec<Arc<Models>>, own_mode: Option<&str>) -> Result<Self, Failure> {
        let (mut all, mut without_clocks, mut board) = (Vec::new(), Vec::new(), String::new());
        if let (Some(mode), Some(first)) = (own_mode, models.first()) {
            check_mode(mode, &first.device().name)?;
        }
        for (place, models) in models.into_iter().enumerate() {
            let name = &models.device().name;
            if board.is_empty() {
                board = board_of(name);
            }
            let mode = mode_in(name).or_else(|| own_mode.filter(|_| place == 0).map(str::to_owned));
            match clocks_of(models.device(), &board, mode.as_deref()) {
                Some(clocks) => {
                    all.push(Anchor { models, mode, clocks });
                }
                None => without_clocks.push(name.clone()),
            }
        }
        if all.is_empty() {
            let message = format!("the clocks of {} are not known", without_clocks.join(", "));
            return Err(Failure::data(message).help(
                "say in which mode the models were measured by --own-mode, or record clocks in devices.json beside the training tables",
            ));
        }
        Ok(Self { board, all, without_clocks })
    }
}

/// The board of a device, by its short name where it is a public module under any of its names.
fn board_of(device: &str) -> String {
    let name = device.split_once('@').map_or(device, |(board, _)| board);
    let public = board(name).map(|board| board.name);
    public.or_else(|| module_of(None, Some(name)).map(|module| module.name)).unwrap_or(name).to_owned()
}

/// The power mode in a device's name.
fn mode_in(device: &str) -> Option<String> {
    device.parse::<DeviceName>().ok()?.mode().map(str::to_owned)
}

/// A board as one picks it: the devices from which its modes are predicted together, or one whose clocks are not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoardChoice {
    /// The board's name; the device's, where its clocks are not known.
    pub name: String,
    /// Its devices.
    pub devices: Vec<String>,
    /// Whether the clocks of its devices are known.
    pub has_clocks: bool,
}

/// The boards of some devices, in the devices' order.
#[must_use]
pub fn board_choices<'a>(devices: impl IntoIterator<Item = &'a Device>) -> Vec<BoardChoice> {
    let mut boards: Vec<BoardChoice> = Vec::new();
    for device in devices {
        let board = board_of(&device.name);
        let has_clocks = clocks_of(device, &board, mode_in(&device.name).as_deref()).is_some();
        let name = if has_clocks { board } else { device.name.clone() };
        match boards.iter_mut().find(|known| has_clocks && known.has_clocks && known.name == name) {
            Some(known) => known.devices.push(device.name.clone()),
            None => boards.push(BoardChoice { name, devices: vec![device.name.clone()], has_clocks }),
        }
    }
    boards
}

/// The public power modes of a device's board; empty for a board that is not public.
#[must_use]
pub fn public_modes(device: &str) -> Vec<KnownMode> {
    modes_of(&board_of(device), None)
}

/// Checks that a public board has a mode.
fn check_mode(mode: &str, device: &str) -> Result<(), Failure> {
    let name = board_of(device);
    match board(&name) {
        Some(board) if board.mode(mode).is_some() => Ok(()),
        Some(board) => {
            let names: Vec<&str> = board.modes.iter().map(|mode| mode.name).collect();
            Err(Failure::usage(format!("{name} has no power mode {mode}{}", near(mode, &names))))
        }
        None => Err(Failure::usage(format!(
            "the modes of {name} are not known, so that --own-mode says nothing of its clocks"
        ))
        .help("record its clocks in devices.json beside the training tables")),
    }
}

/// The clocks of a device of a board in a mode: as recorded, else those of the mode in the public table.
fn clocks_of(device: &Device, board_name: &str, mode: Option<&str>) -> Option<ClockPair> {
    let recorded = device.hardware.as_ref().map_or_else(Clocks::default, |hardware| hardware.clocks);
    let public = mode.and_then(|mode| Some((board(board_name)?, board(board_name)?.mode(mode)?)));
    let clocks = recorded.or(public.map(|(_, mode)| mode.clocks()).unwrap_or_default());
    let gpu_share = public.and_then(|(board, mode)| board.share_in(mode)).unwrap_or(1.0);
    Some(ClockPair { gpu_mhz: clocks.gpu_mhz?, emc_mhz: clocks.emc_mhz?, gpu_share })
}

impl Anchors {
    /// The highest clocks of the board: of the public table, else of its anchors.
    #[must_use]
    pub fn top(&self) -> ClockPair {
        if let Some(board) = board(&self.board) {
            return ClockPair::whole(board.peaks.gpu_mhz, board.peaks.emc_mhz);
        }
        let most =
            |of: fn(&ClockPair) -> f64| self.all.iter().map(|anchor| of(&anchor.clocks)).fold(f64::MIN, f64::max);
        ClockPair::whole(most(|c| c.gpu_mhz), most(|c| c.emc_mhz))
    }

    /// What is believed of a network's times before anything is compared.
    #[must_use]
    pub fn shares(&self) -> Shares {
        Shares::common(self.top(), board(&self.board).map(|board| &board.peaks))
    }

    /// The modes of the board that are known by name and by clocks: those of the anchors, then those of the public table.
    #[must_use]
    pub fn modes(&self) -> Vec<KnownMode> {
        let own = self.all.iter().filter_map(|anchor| {
            let recorded = anchor.models.device().hardware.as_ref().map_or_else(Clocks::default, |known| known.clocks);
            let clocks =
                Clocks { gpu_mhz: Some(anchor.clocks.gpu_mhz), emc_mhz: Some(anchor.clocks.emc_mhz), ..recorded };
            let name = anchor.mode.clone()?;
            let gpu_share = Some(anchor.clocks.gpu_share);
            let source = if recorded.is_unknown() { "" } else { "recorded with the measurements" };
            Some(KnownMode { name, watts: None, clocks, gpu_share, source: source.to_owned() })
        });
        let mut modes: Vec<KnownMode> = own.collect();
        for public in modes_of(&self.board, None) {
            match modes.iter_mut().find(|mode| plain_mode(&mode.name) == plain_mode(&public.name)) {
                Some(known) => {
                    known.watts = public.watts;
                    known.clocks = known.clocks.or(public.clocks);
                    // Clocks that nobody recorded are those of the mode's name.
                    if known.source.is_empty() {
                        known.source = public.source;
                    }
                }
                None => modes.push(public),
            }
        }
        modes
    }
}
