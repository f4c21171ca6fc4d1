//! The tables that one kind of content takes in a database.

/// The tables that one kind of content takes in a database.
#[derive(Debug, Clone, Copy)]
pub struct Schema {
    /// What messages call the content, in the plural: `studies`.
    pub content: &'static str,
    /// The table by which the content is known.
    pub table: &'static str,
    /// A query that fails on a table of that name that is another program's.
    pub probe: &'static str,
    /// Statements that make the tables and indexes where they are not there.
    pub tables: &'static [&'static str],
}
