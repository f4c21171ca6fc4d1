//! The pickers of board, power mode, batches and limit.

use super::layout::number;
use super::modes_query::{ModesQuery, PROBABILITY};
use boards::choice::Goal;
use boards::modes::KnownMode;
use learn::what_if::BoardChoice;
use maud::{Markup, html};
use shared::failure::printable;

/// What the pickers offer.
#[derive(Debug)]
pub(super) struct Pickers<'a> {
    /// The engine's id.
    pub(super) id: &'a str,
    /// The boards of the loaded models.
    pub(super) boards: &'a [BoardChoice],
    /// The modes of the board, for a prediction.
    pub(super) modes: &'a [KnownMode],
    /// The modes in which the device may have been measured; empty where that was recorded, or the board is not public.
    pub(super) own_modes: &'a [KnownMode],
    /// What was picked.
    pub(super) query: &'a ModesQuery,
}

impl Pickers<'_> {
    /// The form. It works without a script; with one, another board shows its modes at once.
    pub(super) fn render(&self) -> Markup {
        let query = self.query;
        html! {
            form.card method="get" action=(format!("/engines/{}/modes", self.id)) {
                h2 { "Board and power mode" }
                p.small.muted { "A limit of time has to be met with a probability of " (number(Some(100.0 * PROBABILITY), 0)) " %." }
                input type="hidden" name="of" value=(printable(&query.device));
                @if query.profile > 0 { input type="hidden" name="profile" value=(query.profile); }
                div.inline {
                    div.field { label for="device" { "Board" } select #device name="device" data-go {
                        @for board in self.boards { (self.board(board)) }
                    } }
                    @if !self.own_modes.is_empty() {
                        div.field { label for="own_mode" { "Measured in" } select #own_mode name="own_mode" {
                            option value="" { "not recorded" }
                            @for mode in self.own_modes { (option(mode, &query.own_mode)) }
                        } }
                    }
                    div.field { label for="mode" { "Power mode" } select #mode name="mode" {
                        option value="" { "all modes" }
                        @for mode in self.modes { (option(mode, &query.mode)) }
                    } }
                    div.field { label for="batch" { "Batches" } input #batch type="text" name="batch" value=(printable(&query.batch)) maxlength="60" autocomplete="off" placeholder="the engine's"; }
                    div.field { label for="limit" { "At most" } input #limit type="text" name="limit" value=(printable(&query.limit)) maxlength="20" autocomplete="off" placeholder="20 ms"; }
                    div.field { label for="goal" { "Choose for" } select #goal name="goal" {
                        option value="" { "energy, if known" }
                        @for goal in Goal::ALL { option value=(goal.name()) selected[query.goal == goal.name()] { (goal.name()) } }
                    } }
                    button.primary type="submit" { "Predict" }
                }
            }
        }
    }

    fn board(&self, board: &BoardChoice) -> Markup {
        let picked = board.devices.contains(&self.query.device);
        let device = if picked { Some(&self.query.device) } else { board.devices.first() };
        html! { option value=[device.map(|device| printable(device))] selected[picked] { (printable(&board.name)) } }
    }
}

/// A mode with its clocks.
fn option(mode: &KnownMode, picked: &str) -> Markup {
    let clocks = match (mode.clocks.gpu_mhz, mode.clocks.emc_mhz) {
        (None, None) => " (clocks not known)".to_owned(),
        (gpu, emc) => format!(" (GPU {}, EMC {} MHz)", number(gpu, 0), number(emc, 0)),
    };
    html! { option value=(printable(&mode.name)) selected[mode.name == picked] { (printable(&mode.name)) (clocks) } }
}
