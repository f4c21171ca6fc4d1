//! From a run's logs to the power and energy of each layer, each with its uncertainty.
//!
//! [`files::find`] finds runs, [`run::analyse`] reads one and attributes its power, [`write::write_mapping`] writes its rows.
//! On the way:
//!
//! | step | modules |
//! |---|---|
//! | which log is read | `sources`: the agent's sample log, or text |
//! | the sensor | [`survey`]: period, quantum, step response; [`renewals`]: readings that are new |
//! | the load over time | [`batch`]: inferences; [`execution_order`], [`stamps`]; [`timeline`]: pieces of constant load |
//! | the sensor's response | [`families`]: what a chip may do; `phase_test`: whether readings show one; `search`: the one that predicts readings best; [`response`] |
//! | the fit | `cursor`, [`weights`]: what a reading saw; [`normal_equations`], [`solve`]; `nuisance`: what is known roughly |
//! | further runs | `experiment`: what runs that differ in one thing say, in the same fit |
//! | its checks | `misfit`: residuals against what ran, parts of the run against each other |
//! | what it comes to | [`evidence`], [`quality`]: the report; `groups`, `together`; [`idle`]; [`summary`]: its figures in words |
//! | other ways | [`window`]: EdgeProfiler's rule; [`share`]: by run time; [`totals`]: from several networks |

mod aliasing;
pub mod attribute;
pub mod batch;
mod calibration;
mod choice;
pub mod clock;
mod cursor;
pub mod engine_match;
pub mod evidence;
pub mod excerpt;
pub mod execution_order;
mod experiment;
mod facts;
pub mod families;
pub mod files;
pub mod folder;
mod found;
mod groups;
pub mod idle;
pub mod input;
mod lagged;
pub mod layer_clock;
pub mod layer_times;
mod level;
pub mod linalg;
pub mod log_inferences;
pub mod mapping;
pub mod method;
mod misfit;
pub mod normal_equations;
mod nuisance;
pub mod parquet;
mod phase_test;
pub mod pieces;
pub mod quality;
mod reading_buffer;
pub mod refresh;
pub mod renewals;
mod report;
pub mod response;
pub mod run;
mod search;
pub mod share;
pub mod solve;
mod sources;
pub mod span;
pub mod stamps;
pub mod statistics;
pub mod step;
pub mod summary;
pub mod survey;
#[cfg(test)]
mod test_logs;
pub mod text_inferences;
pub mod timeline;
mod together;
pub mod totals;
pub mod trace;
pub mod weights;
pub mod window;
pub mod write;
