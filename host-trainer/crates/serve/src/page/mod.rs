//! The page for people, rendered here from the same state as the API.
//!
//! Every view is a function of values to markup. Text from outside goes through maud, which escapes it. Everything works
//! without a script; `assets/page.js` spares round trips and lets pages follow the server's events. Nothing is loaded from
//! elsewhere.
//!
//! `*_handlers` and `sign_in` answer requests; the other modules are views and what they are made of.

mod alias_view;
mod assets;
mod batch_form;
mod batch_handlers;
mod batch_view;
mod batches_view;
mod compare;
mod engine;
mod engine_charts;
mod engine_handlers;
mod engine_view;
pub(crate) mod error_page;
mod form_fields;
mod form_select;
mod frame;
mod layer_rows;
mod layer_table;
mod layout;
mod model_handlers;
mod models_view;
mod modes_form;
mod modes_handlers;
mod modes_query;
mod modes_view;
mod multipart;
mod promotion_view;
mod routes;
mod sign_in;
mod sign_in_form;
mod studies_view;
mod study_handlers;
mod study_view;
#[cfg(test)]
mod tests;
mod upload_form;
mod work;

pub(crate) use routes::routes;
