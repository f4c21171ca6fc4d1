//! Which layers a network's total is the sum of.

use super::data::{NetworkTotal, Row, TrainingData};
use shared::engine::Table;
use shared::units::{Millijoules, Millis, Watts};
use std::collections::BTreeMap;

/// A network's total with the layers it is the sum of, each by table and number in it.
#[derive(Debug, Clone)]
pub struct Total<'a> {
    /// What was measured.
    pub measured: &'a NetworkTotal,
    /// The layers: those of the total's batch size, or all of the network's where none has that size.
    pub layers: Vec<(Table, usize)>,
}

impl NetworkTotal {
    /// Time of one inference.
    #[must_use]
    pub fn runtime(&self) -> Option<Millis> {
        self.runtime
    }

    /// Mean power, as measured or as it follows from energy and time.
    #[must_use]
    pub fn power(&self) -> Option<Watts> {
        self.power.or_else(|| Some(self.energy? / self.runtime?))
    }

    /// Energy of one inference, as measured or as it follows from power and time.
    #[must_use]
    pub fn energy(&self) -> Option<Millijoules> {
        self.energy.or_else(|| Some(self.power? * self.runtime?))
    }
}

impl TrainingData {
    /// The totals of a device, with their layers, in order. Totals of networks without layers are left out.
    #[must_use]
    pub fn totals_of(&self, device: &str) -> Vec<Total<'_>> {
        let mut layers: BTreeMap<&str, Vec<(Table, usize, &Row)>> = BTreeMap::new();
        for (table, rows) in &self.tables {
            for (number, row) in rows.iter().enumerate().filter(|(_, row)| row.is_of(device)) {
                layers.entry(&row.network).or_default().push((*table, number, row));
            }
        }
        let total = |measured| {
            let measured: &NetworkTotal = measured;
            let all = layers.get(measured.network.as_str())?;
            let same = |row: &Row| row.spec.batch() == measured.batch_size;
            let batched = all.iter().any(|(.., row)| same(row));
            let chosen = all.iter().filter(|(.., row)| !batched || same(row));
            Some(Total { measured, layers: chosen.map(|(table, number, _)| (*table, *number)).collect() })
        };
        let of_device = self.totals.iter().filter(|t| t.device.as_deref().is_none_or(|name| name == device));
        of_device.filter_map(total).collect()
    }
}
