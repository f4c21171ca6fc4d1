//! Terms: products of input columns, each column raw or as log(1+x), and the design matrix they give.
//!
//! The full set is every monomial up to a total degree, in the order of scikit-learn's `PolynomialFeatures`: the constant,
//! then degree by degree, within a degree in lexicographic order of the column indices (`a, b, …, aa, ab, …, bb, …`).

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::design::Design;

/// Most terms one set may hold. Degree 4 of 20 columns has 10,626; a Gram matrix of this many terms takes 3.2 GB.
pub const MAX_TERMS: usize = 20_000;

/// Why terms cannot be made or evaluated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TermError {
    /// The set would hold more than [`MAX_TERMS`].
    #[error("degree {degree} over {columns} columns gives more than {MAX_TERMS} terms")]
    TooMany {
        /// Columns of the input.
        columns: usize,
        /// Total degree.
        degree: u32,
    },
    /// A term names a column that the input does not have.
    #[error("a term uses column {column}, the input has {columns}")]
    NoSuchColumn {
        /// The column named.
        column: usize,
        /// Columns of the input.
        columns: usize,
    },
}

/// One factor of a term: a column, as it is or as log(1+x).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Factor {
    /// Index of the input column.
    pub column: usize,
    /// Whether the column enters as log(1+x).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub log1p: bool,
}

impl Factor {
    fn value(self, row: &[f64]) -> f64 {
        if self.log1p { row[self.column].ln_1p() } else { row[self.column] }
    }
}

/// A product of factors; without any it is the constant 1.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Term {
    /// The factors, with repetition: x² is twice the same.
    pub factors: Vec<Factor>,
}

impl Term {
    /// The constant 1.
    #[must_use]
    pub fn constant() -> Self {
        Self { factors: Vec::new() }
    }

    /// The product of these columns as they are, whatever the other terms do with the logarithm.
    #[must_use]
    pub fn raw_product(columns: &[usize]) -> Self {
        Self { factors: columns.iter().map(|&column| Factor { column, log1p: false }).collect() }
    }

    /// The term's value for one row of input columns.
    ///
    /// # Panics
    /// Where the row is shorter than a factor's column index.
    #[must_use]
    pub fn value(&self, row: &[f64]) -> f64 {
        self.factors.iter().rev().fold(1.0, |product, factor| product * factor.value(row))
    }

    /// The term as text over the columns' names, such as `log1p(a)·b²`, and `1` for the constant.
    ///
    /// # Panics
    /// Where there are fewer names than a factor's column index.
    #[must_use]
    pub fn name<S: AsRef<str>>(&self, columns: &[S]) -> String {
        if self.factors.is_empty() {
            return "1".into();
        }
        let mut parts = Vec::new();
        for run in self.factors.chunk_by(PartialEq::eq) {
            let column = columns[run[0].column].as_ref();
            let base = if run[0].log1p { format!("log1p({column})") } else { column.to_owned() };
            parts.push(if run.len() == 1 { base } else { format!("{base}^{}", run.len()) });
        }
        parts.join("·")
    }
}

/// All monomials of total degree up to `degree` over `columns` columns, the constant first, in the order of
/// scikit-learn's `PolynomialFeatures`. With `log1p`, every column enters as log(1+x).
///
/// # Errors
/// [`TermError::TooMany`] where the set would exceed [`MAX_TERMS`].
pub fn polynomial(columns: usize, degree: u32, log1p: bool) -> Result<Vec<Term>, TermError> {
    let count = count(columns, degree).filter(|&count| count <= MAX_TERMS);
    let Some(count) = count else { return Err(TermError::TooMany { columns, degree }) };
    let mut terms = Vec::with_capacity(count);
    terms.push(Term::constant());
    // Each degree extends every term of the degree below with the columns not before its last one.
    let mut below = 0..1;
    for _ in 0..degree {
        let start = terms.len();
        for index in below {
            let first = terms[index].factors.last().map_or(0, |factor| factor.column);
            for column in first..columns {
                let mut factors = terms[index].factors.clone();
                factors.push(Factor { column, log1p });
                terms.push(Term { factors });
            }
        }
        below = start..terms.len();
    }
    Ok(terms)
}

/// C(columns + degree, degree), unless it overflows or is far beyond any cap.
fn count(columns: usize, degree: u32) -> Option<usize> {
    let mut count: usize = 1;
    for i in 1..=degree as usize {
        count = count.checked_mul(columns.checked_add(i)?)? / i;
        if count > 100 * MAX_TERMS {
            return None;
        }
        if columns == 0 {
            return Some(1);
        }
    }
    Some(count)
}

/// The design matrix of these terms over the input's rows: one column a term, in the order given.
///
/// # Errors
/// [`TermError::NoSuchColumn`] where a term names a column the input lacks.
pub fn expand(input: &Design, terms: &[Term]) -> Result<Design, TermError> {
    let columns = input.columns();
    let mut logged = vec![None; columns];
    for factor in terms.iter().flat_map(|term| &term.factors) {
        let column = factor.column;
        if column >= columns {
            return Err(TermError::NoSuchColumn { column, columns });
        }
        // The logarithm is the dear part: once a column, not once a term.
        if factor.log1p && logged[column].is_none() {
            logged[column] = Some(input.column(column).iter().map(|x| x.ln_1p()).collect::<Vec<_>>());
        }
    }
    let source = |factor: &Factor| match &logged[factor.column] {
        Some(values) if factor.log1p => values.as_slice(),
        _ => input.column(factor.column),
    };
    let rows = input.rows();
    let mut values = vec![1.0; rows * terms.len()];
    if rows > 0 {
        values.par_chunks_exact_mut(rows).zip(terms).for_each(|(out, term)| {
            // Last factor first, as `PolynomialFeatures` multiplies: the same rounding.
            for factor in term.factors.iter().rev() {
                out.iter_mut().zip(source(factor)).for_each(|(product, x)| *product *= x);
            }
        });
    }
    Ok(Design::from_column_major(rows, terms.len(), values).unwrap_or_else(|_| unreachable!("sized above")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_order_is_that_of_polynomial_features() {
        let names: Vec<String> =
            polynomial(3, 2, false).expect("ten terms").iter().map(|term| term.name(&["a", "b", "c"])).collect();
        assert_eq!(names, ["1", "a", "b", "c", "a^2", "a·b", "a·c", "b^2", "b·c", "c^2"]);
        let cubic = polynomial(2, 3, true).expect("ten terms");
        assert_eq!(cubic.last().expect("not empty").name(&["a", "b"]), "log1p(b)^3");
        assert_eq!(cubic[7].name(&["a", "b"]), "log1p(a)^2·log1p(b)");
    }

    #[test]
    fn the_reference_convolution_has_560_terms() {
        assert_eq!(polynomial(13, 3, false).expect("within the cap").len(), 560);
        assert_eq!(polynomial(13, 0, false).expect("within the cap").len(), 1);
        assert_eq!(polynomial(0, 3, false).expect("within the cap").len(), 1);
    }

    #[test]
    fn a_set_beyond_the_cap_is_refused_before_it_is_made() {
        for (columns, degree) in [(100, 4), (usize::MAX, 2), (1_000_000, 1), (40, u32::MAX)] {
            assert_eq!(polynomial(columns, degree, false), Err(TermError::TooMany { columns, degree }));
        }
    }

    #[test]
    fn a_missing_column_is_refused() {
        let input = Design::from_columns(&[[1.0], [2.0]]).expect("two columns");
        assert_eq!(
            expand(&input, &[Term::raw_product(&[0, 2])]),
            Err(TermError::NoSuchColumn { column: 2, columns: 2 })
        );
    }

    #[test]
    fn terms_survive_json() {
        let terms = vec![
            Term::constant(),
            Term::raw_product(&[0, 1, 1]),
            Term { factors: vec![Factor { column: 2, log1p: true }] },
        ];
        let text = serde_json::to_string(&terms).expect("plain data");
        assert_eq!(text, r#"[[],[{"column":0},{"column":1},{"column":1}],[{"column":2,"log1p":true}]]"#);
        assert_eq!(serde_json::from_str::<Vec<Term>>(&text).expect("what was written"), terms);
    }

    proptest! {
        #[test]
        fn expansion_equals_the_value_row_by_row(
            rows in proptest::collection::vec(proptest::array::uniform4(0.0..1e3f64), 0..6),
            log1p: bool,
        ) {
            let input = Design::from_rows(&rows).expect("equal rows");
            let mut terms = polynomial(if rows.is_empty() { 0 } else { 4 }, 3, log1p).expect("35 terms");
            if !rows.is_empty() {
                terms.push(Term::raw_product(&[3, 0, 1, 1]));
            }
            let design = expand(&input, &terms).expect("columns exist");
            prop_assert_eq!(design.rows(), rows.len());
            for (index, row) in rows.iter().enumerate() {
                for (column, term) in terms.iter().enumerate() {
                    prop_assert_eq!(design.column(column)[index].to_bits(), term.value(row).to_bits());
                }
            }
        }
    }
}
