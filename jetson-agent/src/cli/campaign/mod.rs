//! `campaign`.

mod answer;
mod args;
mod items;
mod limit;
mod run;
mod session;
mod steady;

pub(super) use args::CampaignArgs;
