//! How tools spell the columns of time, voltage, current and power: one table for all of them, and rules for the rest.

use shared::text::{Label, Quantity, Unit};

use Quantity::{Current, Power, Time, Voltage};

/// A name without its unit, what the column holds, how likely it is the one that is meant (0 before all others), and the power of
/// ten of the SI unit that it is in when the header carries none; none where that is not known.
type Spelling = (&'static str, Quantity, u8, Option<i32>);

/// The names that tools write. Words are in lower case; a name of no words is a unit alone.
const SPELLINGS: &[Spelling] = &[
    ("timestamp", Time, 0, None),
    ("time stamp", Time, 0, None),
    ("datetime", Time, 0, None),
    ("date time", Time, 0, None),
    // Otii.
    ("wall clock time utc", Time, 0, None),
    ("wall clock time", Time, 0, None),
    ("t", Time, 1, None),
    ("ts", Time, 1, None),
    // Joulescope, jtop.
    ("time", Time, 2, Some(0)),
    ("epoch", Time, 2, None),
    ("unix time", Time, 2, None),
    ("unix timestamp", Time, 2, None),
    ("utc", Time, 3, None),
    ("utc time", Time, 3, None),
    ("local time", Time, 3, None),
    ("elapsed", Time, 3, None),
    ("elapsed time", Time, 3, None),
    ("relative time", Time, 3, None),
    ("host time", Time, 3, None),
    ("sample time", Time, 3, None),
    ("", Time, 4, None),
    // With the time of day, or beside a column of it.
    ("date", Time, 5, None),
    ("", Voltage, 0, None),
    ("voltage", Voltage, 0, Some(0)),
    ("main voltage", Voltage, 0, Some(0)),
    ("arc main voltage", Voltage, 0, Some(0)),
    ("ace main voltage", Voltage, 0, Some(0)),
    // Loggers of an INA: the bus is what its power is of.
    ("bus voltage", Voltage, 1, Some(0)),
    ("vbus", Voltage, 1, Some(0)),
    ("input voltage", Voltage, 2, Some(0)),
    ("supply voltage", Voltage, 2, Some(0)),
    ("load voltage", Voltage, 3, Some(0)),
    ("", Current, 0, None),
    ("current", Current, 0, Some(0)),
    ("i", Current, 0, Some(0)),
    ("main current", Current, 0, Some(0)),
    ("arc main current", Current, 0, Some(0)),
    ("ace main current", Current, 0, Some(0)),
    ("bus current", Current, 1, Some(0)),
    ("input current", Current, 2, Some(0)),
    ("load current", Current, 3, Some(0)),
    ("", Power, 0, None),
    ("power", Power, 0, Some(0)),
    ("p", Power, 0, Some(0)),
    ("main power", Power, 0, Some(0)),
    ("arc main power", Power, 0, Some(0)),
    ("ace main power", Power, 0, Some(0)),
    // jtop 4 and jtop 3 (whose `power avg` is a mean since it was started).
    ("power tot", Power, 0, Some(-3)),
    ("power cur", Power, 0, Some(-3)),
    // nvidia-smi.
    ("power draw", Power, 0, None),
    ("power draw instant", Power, 1, None),
    ("total power", Power, 1, Some(0)),
    ("power total", Power, 1, Some(0)),
    ("board power", Power, 1, Some(0)),
    ("total", Power, 1, None),
    // Inputs of whole boards, as rails of tegrastats.
    ("vdd in", Power, 1, None),
    ("pom 5v in", Power, 1, None),
    ("input power", Power, 2, Some(0)),
];
/// The rank of a column that only its unit says what it is.
const BY_UNIT: u8 = 5;
/// What is added for a mean over a longer time than a reading.
const MEAN: u8 = 2;
/// Words of columns that are no readings.
const NO_READING: &[&str] = &[
    "limit",
    "max",
    "min",
    "maximum",
    "minimum",
    "peak",
    "std",
    "stddev",
    "cap",
    "threshold",
    "p2p",
    "energy",
    "charge",
    "shunt",
    "rated",
    "error",
    "setpoint",
    "target",
    "offset",
    "uptime",
];
/// Words of columns that are means.
const MEANS: &[&str] = &["avg", "average", "mean"];
/// Words without which a column in a unit of time is a duration.
const TIMES: &[&str] = &[
    "time",
    "timestamp",
    "t",
    "ts",
    "elapsed",
    "epoch",
    "clock",
    "date",
    "end",
    "millis",
    "micros",
    // In other languages.
    "zeit",
    "temps",
    "tiempo",
    "tempo",
    "tijd",
];

/// A column that holds a quantity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    /// Its place, from 0.
    pub(crate) place: usize,
    /// Its name as the file has it.
    pub(crate) header: String,
    /// Its name without the unit.
    pub(crate) name: String,
    /// How likely it is the one meant; 0 before all others.
    pub(crate) rank: u8,
    /// The power of ten of the SI unit that it is in.
    pub(crate) exponent: Option<i32>,
    /// Whether the unit is that of the SI since the header names none.
    pub(crate) assumed: bool,
}

/// The columns of a table.
#[derive(Debug, Clone, Default)]
pub(crate) struct Columns {
    headers: Vec<String>,
    labels: Vec<Label>,
}

impl Columns {
    /// Takes the names of a header apart.
    pub(crate) fn new(headers: Vec<String>) -> Self {
        let labels = headers.iter().map(|header| Label::of(header)).collect();
        Self { headers, labels }
    }

    /// Takes the second line of a header into account, which some tools put the units in. Whether it was one.
    pub(crate) fn take_units(&mut self, row: &[&str]) -> bool {
        let unit = |field: &str| Unit::of(field.trim_matches(['(', ')', '[', ']']));
        // One may be the letter of a layer's name.
        let units = row.iter().filter(|field| unit(field).is_some()).count();
        let is_units = units > 1 && !row.iter().any(|field| field.contains(|c: char| c.is_ascii_digit()));
        if is_units {
            for (label, field) in self.labels.iter_mut().zip(row) {
                label.unit = label.unit.or(unit(field));
            }
        }
        is_units
    }

    /// Number of columns.
    pub(crate) fn len(&self) -> usize {
        self.headers.len()
    }

    /// The name of a column as the file has it.
    pub(crate) fn header(&self, place: usize) -> &str {
        self.headers.get(place).map_or("", String::as_str)
    }

    /// All names, for messages.
    pub(crate) fn list(&self) -> String {
        const SHOWN: usize = 20;
        let shown: Vec<String> = self.headers.iter().take(SHOWN).map(|h| format!("`{h}`")).collect();
        let more = self.headers.len().saturating_sub(SHOWN);
        let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{}{rest}", shown.join(", "))
    }

    /// The place of a column by its words.
    pub(crate) fn named(&self, names: &[&str]) -> Option<usize> {
        names.iter().find_map(|name| self.labels.iter().position(|label| label.unit.is_none() && label.name == *name))
    }

    /// The columns that may hold a quantity, the likeliest first.
    pub(crate) fn of(&self, quantity: Quantity) -> Vec<Column> {
        // Otii counts seconds in all that it exports.
        let is_otii = self.labels.iter().any(|l| l.name.ends_with("main current") || l.name.ends_with("main voltage"));
        let column = |(place, label): (usize, &Label)| {
            let (rank, exponent, assumed) = judged(label, quantity)?;
            let exponent = exponent.or((quantity == Time && label.name == "timestamp" && is_otii).then_some(0));
            let (header, name) = (self.headers[place].clone(), label.name.clone());
            Some(Column { place, header, name, rank, exponent, assumed })
        };
        let mut columns: Vec<Column> = self.labels.iter().enumerate().filter_map(column).collect();
        columns.sort_by_key(|column| column.rank);
        columns
    }

    /// The column of run times: a duration with its unit, or one that EdgeProfiler has in ms.
    pub(crate) fn duration(&self) -> Option<Column> {
        const NAMES: [&str; 12] = [
            "runtime",
            "layer run time",
            "run time",
            "layer runtime",
            "duration",
            "latency",
            "average",
            "mean",
            "layer time",
            "layer latency",
            "avg",
            "",
        ];
        let known = |name: &str| {
            self.labels.iter().position(|label| {
                let unit = label.unit.map_or(name.contains("run"), |unit| unit.quantity == Time);
                label.name == name && unit
            })
        };
        let place = NAMES.iter().find_map(|name| known(name))?;
        let exponent = self.labels[place].unit.map_or(-3, |unit| unit.exponent);
        let (header, name) = (self.headers[place].clone(), self.labels[place].name.clone());
        Some(Column { place, header, name, rank: 0, exponent: Some(exponent), assumed: false })
    }

    /// The column that holds a quantity; several that may be meant equally are an error that names them.
    pub(crate) fn only(&self, quantity: Quantity) -> Result<Option<Column>, Vec<String>> {
        let mut columns = self.of(quantity);
        let Some(best) = columns.first().map(|column| column.rank) else { return Ok(None) };
        columns.retain(|column| column.rank == best);
        // The same in two units is no second reading.
        let is_other = |c: &Column| c.name != columns[0].name || c.exponent == columns[0].exponent;
        if columns[1..].iter().any(is_other) {
            return Err(columns.into_iter().map(|column| column.header).collect());
        }
        Ok(columns.into_iter().next())
    }
}

/// Rank of a column for a quantity, its unit's power of ten, and whether that is assumed; none where it does not hold it.
fn judged(label: &Label, quantity: Quantity) -> Option<(u8, Option<i32>, bool)> {
    let spelling = SPELLINGS.iter().find(|(name, of, ..)| *name == label.name && *of == quantity);
    let has = |words: &[&str]| label.name.split(' ').any(|word| words.contains(&word));
    match (label.unit, spelling) {
        (Some(unit), _) if unit.quantity != quantity => None,
        (Some(unit), Some((_, _, rank, _))) => Some((*rank, Some(unit.exponent), false)),
        (Some(unit), None) => {
            let is_duration = quantity == Time && !has(TIMES);
            let mean = if has(MEANS) { MEAN } else { 0 };
            (!has(NO_READING) && !is_duration).then_some((BY_UNIT + mean, Some(unit.exponent), false))
        }
        (None, Some((_, Time, rank, exponent))) => Some((*rank, *exponent, false)),
        (None, Some((_, _, rank, Some(exponent)))) => Some((*rank, Some(*exponent), *exponent == 0)),
        (None, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(header: &str, quantity: Quantity) -> Option<(String, Option<i32>)> {
        let columns = Columns::new(header.split(',').map(str::to_owned).collect());
        columns.only(quantity).expect("one").map(|column| (column.header, column.exponent))
    }

    fn at(header: &str, exponent: i32) -> Option<(String, Option<i32>)> {
        Some((header.to_owned(), Some(exponent)))
    }

    #[test]
    fn readings_are_told_from_limits_means_and_shunts() {
        let ina =
            "Time (ms),Shunt Voltage (mV),Bus Voltage (V),Load Voltage (V),Current (mA),Max Current (mA),Power (mW)";
        assert_eq!(chosen(ina, Voltage), at("Bus Voltage (V)", 0));
        assert_eq!(chosen(ina, Current), at("Current (mA)", -3));
        assert_eq!(chosen(ina, Power), at("Power (mW)", -3));
        let smi = "timestamp,clocks.current.sm [MHz],power.limit [W],power.draw.average [W],power.draw [W]";
        assert_eq!(chosen(smi, Power), at("power.draw [W]", 0));
        assert_eq!(chosen(smi, Current), None);
        let jtop = "time,uptime,CPU1,Power VDD_CPU_GPU_CV,Power TOT,nvp model";
        assert_eq!(chosen(jtop, Power), at("Power TOT", -3));
        assert_eq!(chosen("power cur,power avg", Power), at("power cur", -3));
        assert_eq!(chosen("mV,V,mA", Voltage), at("mV", -3));
        assert_eq!(chosen("VDD_SOC (mW),VDD_IN (mW)", Power), at("VDD_IN (mW)", -3));
        assert_eq!(chosen("inference_ms,gpu_ms", Time), None);
    }

    #[test]
    fn several_of_one_kind_are_named() {
        let columns = Columns::new(["V1 (V)", "V2 (V)", "V1 (A)"].map(str::to_owned).to_vec());
        assert_eq!(columns.only(Voltage), Err(vec!["V1 (V)".to_owned(), "V2 (V)".to_owned()]));
        assert!(columns.only(Current).is_ok_and(|column| column.is_some()));
    }

    #[test]
    fn units_may_stand_below_the_names() {
        let mut columns = Columns::new(["time", "voltage", "current", "note"].map(str::to_owned).to_vec());
        assert!(!columns.take_units(&["0", "5", "1", "V"]));
        assert!(columns.take_units(&["ms", "(V)", "[mA]", ""]));
        assert_eq!(columns.of(Time)[0].exponent, Some(-3));
        assert_eq!(columns.of(Current)[0].exponent, Some(-3));
    }
}
