//! Formulas over a row of features, evaluated alike in memory and in an ONNX graph.
//!
//! Only operations that IEEE 754 rounds correctly are used, so that both give the same bits and no tree takes another
//! branch in the graph than in memory.

use onnx::{GraphBuilder, Value};
use shared::engine::Number;

/// A formula. Columns are those of the row of features.
#[derive(Debug, Clone, PartialEq)]
pub enum Formula {
    /// A feature.
    Column(usize),
    /// A number.
    Constant(f64),
    /// a · b
    Product(Box<Formula>, Box<Formula>),
    /// a / b
    Quotient(Box<Formula>, Box<Formula>),
    /// a + b
    Sum(Box<Formula>, Box<Formula>),
    /// a − b
    Difference(Box<Formula>, Box<Formula>),
    /// √a
    Root(Box<Formula>),
    /// ⌈a / step⌉ · step
    RoundUp(Box<Formula>, f64),
    /// 1 where a > bound, else 0
    Above(Box<Formula>, f64),
}

impl Formula {
    /// The value for a row.
    pub fn value(&self, row: &[f64]) -> f64 {
        match self {
            Self::Column(index) => row[*index],
            Self::Constant(number) => *number,
            Self::Product(a, b) => a.value(row) * b.value(row),
            Self::Quotient(a, b) => a.value(row) / b.value(row),
            Self::Sum(a, b) => a.value(row) + b.value(row),
            Self::Difference(a, b) => a.value(row) - b.value(row),
            Self::Root(a) => a.value(row).sqrt(),
            Self::RoundUp(a, step) => (a.value(row) / step).ceil() * step,
            Self::Above(a, bound) => f64::from(u8::from(a.value(row) > *bound)),
        }
    }

    /// Rounded up to a multiple of `step`.
    pub fn rounded_up(self, step: f64) -> Self {
        Self::RoundUp(Box::new(self), step)
    }

    /// 1 where it lies above a bound.
    pub fn above(self, bound: f64) -> Self {
        Self::Above(Box::new(self), bound)
    }

    /// Its square root.
    pub fn root(self) -> Self {
        Self::Root(Box::new(self))
    }
}

impl Number for Formula {
    fn zero() -> Self {
        Self::Constant(0.0)
    }

    fn sqrt(self) -> Self {
        self.root()
    }
}

macro_rules! operator {
    ($trait:ident, $method:ident, $variant:ident) => {
        impl std::ops::$trait for Formula {
            type Output = Formula;

            fn $method(self, other: Formula) -> Formula {
                Formula::$variant(Box::new(self), Box::new(other))
            }
        }
    };
}
operator!(Mul, mul, Product);
operator!(Div, div, Quotient);
operator!(Add, add, Sum);
operator!(Sub, sub, Difference);

/// Writes formulas into a graph, each part that several share only once.
#[derive(Debug)]
pub struct FormulaExport<'a> {
    features: &'a Value,
    written: Vec<(Formula, Value)>,
}

impl<'a> FormulaExport<'a> {
    /// Formulas over the columns of `features` (`rows × features`, double).
    pub fn new(features: &'a Value) -> Self {
        Self { features, written: Vec::new() }
    }

    /// A column of values (`rows × 1`, double). A formula without any column gives a constant of `1 × 1`.
    pub fn write(&mut self, graph: &mut GraphBuilder, formula: &Formula) -> Value {
        if let Some((_, value)) = self.written.iter().find(|(known, _)| known == formula) {
            return value.clone();
        }
        let value = match formula {
            Formula::Column(index) => graph.columns(self.features, &[*index]),
            Formula::Constant(number) => graph.doubles(&[*number], &[1, 1]),
            Formula::Product(a, b) => self.binary(graph, "Mul", a, b),
            Formula::Quotient(a, b) => self.binary(graph, "Div", a, b),
            Formula::Sum(a, b) => self.binary(graph, "Add", a, b),
            Formula::Difference(a, b) => self.binary(graph, "Sub", a, b),
            Formula::Root(a) => {
                let a = self.write(graph, a);
                graph.apply("Sqrt", &[&a], vec![])
            }
            Formula::RoundUp(a, step) => {
                let a = self.write(graph, a);
                let step = graph.doubles(&[*step], &[1, 1]);
                let steps = graph.apply("Div", &[&a, &step], vec![]);
                let whole = graph.apply("Ceil", &[&steps], vec![]);
                graph.apply("Mul", &[&whole, &step], vec![])
            }
            Formula::Above(a, bound) => {
                let a = self.write(graph, a);
                let bound = graph.doubles(&[*bound], &[1, 1]);
                let above = graph.apply("Greater", &[&a, &bound], vec![]);
                graph.to_double(&above)
            }
        };
        self.written.push((formula.clone(), value.clone()));
        value
    }

    fn binary(&mut self, graph: &mut GraphBuilder, operator: &str, a: &Formula, b: &Formula) -> Value {
        let (a, b) = (self.write(graph, a), self.write(graph, b));
        graph.apply(operator, &[&a, &b], vec![])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use onnx::Model;

    #[test]
    fn the_graph_computes_what_memory_computes() {
        let (x, y) = (Formula::Column(0), Formula::Column(1));
        let formula = (x.clone() * y.clone()).rounded_up(32.0) / (y.clone() + Formula::Constant(0.1)).root()
            - x.clone().above(3.0) * x;
        let mut graph = GraphBuilder::new();
        let input = graph.input();
        let output = FormulaExport::new(&input).write(&mut graph, &formula);
        let model = Model::load(&graph.finish(&output, "runtime", 2, &[])).expect("loads");
        let rows = [[3.0_f32, 7.0], [3.5, 11.0], [100.0, 0.3], [0.0, 0.0]];
        let answers = model.predict(&rows.concat()).expect("runs");
        for (row, answer) in rows.iter().zip(answers) {
            let expected = formula.value(&row.map(f64::from));
            assert_eq!(answer, expected as f32);
        }
    }
}
