//! Power by time.

use super::value::{Value, chosen_time, nothing_read};
use crate::columns::Column;
use crate::sheet::{Sheet, Table};
use crate::timing::{Timed, in_time};
use csv::StringRecord;
use shared::failure::Failure;
use shared::run_folder::PowerReading;
use shared::text::{Moment, Quantity};
use shared::units::{Milliamps, Millivolts};
use std::collections::BTreeSet;

/// What a power file needs, for messages.
const POWER_HELP: &str = "a power file has a time (`timestamp`, `Time (s)`, `t_ms`) and a power (`power (W)`, `mW`), or a voltage and a \
     current (`V` and `A`, `Voltage (V)` and `Current (mA)`); without a header its three columns are `t_us,V,A`";
/// More than this no board takes, in W: a power without a unit above it is in another unit than its header leads to believe.
const MOST_WATTS: f64 = 2000.0;

/// Where a row's power stands.
#[derive(Debug, Clone)]
enum Measure {
    /// The product of a voltage and a current.
    Pair(Value, Value),
    /// A power.
    Alone(Value),
    /// A current at a voltage that the user gives.
    At(f64, Value),
}

impl Measure {
    fn values(&mut self) -> Vec<&mut Value> {
        match self {
            Self::Pair(volts, amps) => vec![volts, amps],
            Self::Alone(value) | Self::At(_, value) => vec![value],
        }
    }

    /// Voltage and current of a row. A power alone is written as that many milliamperes at one volt.
    fn read(&self, record: &StringRecord) -> Result<(Millivolts, Milliamps), String> {
        let value = |value: &Value| value.read(record).ok_or_else(|| value.refusal(record));
        let (mv, ma) = match self {
            Self::Pair(volts, amps) => (value(volts)?, value(amps)?),
            Self::Alone(power) => (1e3, value(power)?),
            Self::At(volts, amps) => (volts * 1e3, value(amps)?),
        };
        Ok((Millivolts(mv), Milliamps(ma)))
    }
}

/// Reads power by time: CSV with a header, in any encoding, with any separator and decimal sign of [`shared::text`]. Columns are
/// found by their meaning, whether jtop, Joulescope, a Power Profiler Kit, Otii, `nvidia-smi` or a logger of one's own wrote
/// them. Without a header the three columns are `t_us,V,A`, as home-made meters write, or those of EdgeProfiler's log.
/// `volts` is the supply's voltage for a file that has only a current.
///
/// ```
/// let table = ingest::tables::power(b"Time (ms);Spannung (V);Strom (mA)\n0;5,0;1200\n100;5,0;1300,5\n", None)?;
/// assert_eq!((table.rows.len(), table.diagnostics.bad), (2, 0));
/// assert!((table.rows[1].power().0 - 6.5025).abs() < 1e-12);
/// assert_eq!(table.rows[1].wall_ns, 100_000_000);
/// # Ok::<(), shared::failure::Failure>(())
/// ```
///
/// # Errors
/// Columns that are missing, that may be meant in several ways, or whose unit is not known; a file of which no row can be read.
/// Each names the columns found and what would be accepted.
pub fn power(content: &[u8], volts: Option<f64>) -> Result<Table<PowerReading>, Failure> {
    let (mut sheet, (mut times, mut measure)) = table(content, volts)?;
    let value_places: Vec<usize> = measure.values().iter().map(|value| value.column.place).collect();
    let time_places: Vec<usize> = times.iter().map(|column| column.place).collect();
    let places = [value_places.as_slice(), &time_places].concat();
    let signs = sheet.signs(&places);
    measure.values().into_iter().zip(&signs).for_each(|(value, sign)| value.sign = *sign);
    let mut time = chosen_time(&sheet, &mut times, &signs[value_places.len()..]);
    sheet.form.columns = std::iter::once(&time.column)
        .chain(measure.values().iter().map(|v| &v.column))
        .map(|c| c.header.clone())
        .collect();
    one_device(&sheet, &mut measure)?;
    let (mut rows, mut stamps, mut places_of_rows) = (Vec::new(), Vec::new(), Vec::new());
    let mut refused = None;
    let diagnostics = sheet.for_each(&places, |record| {
        let field = time.field(record);
        let wall_ns = time.read(&field).ok_or_else(|| {
            let (message, help) = time.refusal(&field);
            refused.get_or_insert_with(|| (message.clone(), help));
            message
        })?;
        let (voltage, current) = measure.read(record)?;
        rows.push(PowerReading { wall_ns, voltage, current });
        stamps.push(Some(wall_ns));
        places_of_rows.push(record.position().map_or(0, csv::Position::byte));
        Ok(())
    })?;
    if rows.is_empty() {
        return Err(nothing_read(&sheet, &diagnostics.named, refused, POWER_HELP));
    }
    refuse_other_units(&sheet, &mut measure, &rows)?;
    let line = |row: usize| sheet.line_at(places_of_rows[row]) as u64;
    let Timed { readings, times } = in_time(&stamps, &rows, time.scale(), None, line)?;
    Ok(Table { rows: readings, diagnostics, form: sheet.form, notes: sheet.notes, times })
}

/// Lines above a header in which a meter may write what it is.
const PREAMBLE: usize = 50;
/// Longest such lines, in bytes.
const PREAMBLE_BYTES: usize = 1 << 14;

/// The file with its columns. Lines above the header are passed over if the columns below are found.
fn table(content: &[u8], volts: Option<f64>) -> Result<(Sheet<'_>, (Vec<Column>, Measure)), Failure> {
    let sheet = Sheet::new(content)?;
    let refusal = match power_columns(&sheet, volts) {
        Ok(columns) => return Ok((sheet, columns)),
        Err(refusal) => refusal,
    };
    let head = &content[..content.len().min(PREAMBLE_BYTES)];
    let has_columns = |lines: &usize| {
        Sheet::below(head, *lines).is_ok_and(|sheet| sheet.has_header && power_columns(&sheet, volts).is_ok())
    };
    let Some(lines) = (1..=PREAMBLE).find(has_columns) else { return Err(refusal) };
    let sheet = Sheet::below(content, lines)?;
    let columns = power_columns(&sheet, volts)?;
    Ok((sheet, columns))
}

/// The columns of time, the likeliest first, and of power.
fn power_columns(sheet: &Sheet<'_>, volts: Option<f64>) -> Result<(Vec<Column>, Measure), Failure> {
    if !sheet.has_header {
        return headless(sheet);
    }
    let only = |quantity, word: &str| {
        sheet.columns.only(quantity).map_err(|names| {
            let message = format!("has several columns of {word} that may be meant: `{}`", names.join("`, `"));
            sheet.refuse(&message, format!("keep one of them, or call it `{word}` with its unit in brackets"))
        })
    };
    let (voltage, current, power) =
        (only(Quantity::Voltage, "voltage"), only(Quantity::Current, "current"), only(Quantity::Power, "power"));
    let pair = voltage.as_ref().ok().cloned().flatten().zip(current.as_ref().ok().cloned().flatten());
    let alone = power.as_ref().ok().cloned().flatten();
    let measure = match (pair, alone) {
        (Some((volts, amps)), alone) if alone.as_ref().is_none_or(|p| volts.rank.max(amps.rank) <= p.rank) => {
            Measure::Pair(Value::new(volts), Value::new(amps))
        }
        (_, Some(power)) => Measure::Alone(Value::new(power)),
        _ => match (voltage?, current?, volts) {
            (None, Some(current), Some(volts)) => Measure::At(volts, Value::new(current)),
            (None, Some(current), None) => {
                let message = format!("has a current (`{}`) and neither a voltage nor a power", current.header);
                return Err(sheet.refuse(&message, "give the supply's voltage by --supply-v, or a column of voltage"));
            }
            _ => {
                power?;
                return Err(sheet.refuse("has no column of power that is understood", POWER_HELP));
            }
        },
    };
    let mut times = sheet.columns.of(Quantity::Time);
    if times.is_empty() {
        return Err(sheet.refuse("has no column of time that is understood", POWER_HELP));
    }
    times.truncate(8);
    Ok((times, measure))
}

/// What the columns of a file without a header are.
fn headless(sheet: &Sheet<'_>) -> Result<(Vec<Column>, Measure), Failure> {
    let column = |place: usize, name: &str, exponent: i32| Column {
        place,
        header: format!("column {}", place + 1),
        name: name.to_owned(),
        rank: 0,
        exponent: Some(exponent),
        assumed: false,
    };
    let first = sheet.first_row();
    let is_stamp = first.first().is_some_and(|field| shared::run_folder::stamp::parse_stamp(field).is_some());
    let exponent = if is_stamp { -3 } else { 0 };
    let other_time = first
        .first()
        .is_some_and(|field| !is_stamp && (Moment::of(field).is_some() || Moment::of_day(field).is_some()));
    if first.len() != 3 || other_time {
        return Err(
            sheet.refuse("does not say what its columns are", format!("put their names in a first line: {POWER_HELP}"))
        );
    }
    // A label, so that numbers of the size of an epoch stay what the meter counts.
    let time = Column { header: "column 1 (us)".into(), ..column(0, "t", -6) };
    let measure = Measure::Pair(Value::new(column(1, "v", exponent)), Value::new(column(2, "a", exponent)));
    Ok((vec![time], measure))
}

/// Refuses readings of several devices one under the other, which `nvidia-smi` writes for several GPUs.
fn one_device(sheet: &Sheet<'_>, measure: &mut Measure) -> Result<(), Failure> {
    let is_smi = measure.values().iter().any(|value| value.column.name.starts_with("power draw"));
    let place = sheet.columns.named(&["uuid", "gpu uuid", "pci bus id", "gpu bus id", "index", "serial"]);
    let Some(place) = place.filter(|_| is_smi) else { return Ok(()) };
    let mut devices = BTreeSet::new();
    sheet.for_each(&[place], |record| {
        if devices.len() < 8 {
            devices.extend(record.get(place).filter(|device| !device.is_empty()).map(str::to_owned));
        }
        Ok(())
    })?;
    if devices.len() < 2 {
        return Ok(());
    }
    let names: Vec<String> = devices.into_iter().collect();
    let message =
        format!("holds readings of several devices by `{}`: {}", sheet.columns.header(place), names.join(", "));
    Err(Failure::data(message).help("keep the rows of one, such as those of `nvidia-smi --id=0`"))
}

/// Refuses a power that no board takes, where no header names the unit.
fn refuse_other_units(sheet: &Sheet<'_>, measure: &mut Measure, rows: &[PowerReading]) -> Result<(), Failure> {
    let assumed: Vec<String> =
        measure.values().iter().filter(|v| v.column.assumed).map(|v| v.column.header.clone()).collect();
    let mut watts: Vec<f64> = rows.iter().map(|row| row.power().0.abs()).collect();
    let middle = watts.len() / 2;
    let (_, median, _) = watts.select_nth_unstable_by(middle, f64::total_cmp);
    if assumed.is_empty() || *median <= MOST_WATTS {
        return Ok(());
    }
    let message =
        format!("would be {median:.0} W in volts, amperes and watts: `{}` names no unit", assumed.join("`, `"));
    Err(sheet.refuse(&message, format!("name the unit in the header, such as `{} (mW)` or `(mA)`", assumed[0])))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watts(text: &str) -> Vec<f64> {
        let table = power(text.as_bytes(), None).unwrap_or_else(|failure| panic!("{text}: {}", failure.report(true)));
        table.rows.iter().map(|r| (r.power().0 * 1e9).round() / 1e9).collect()
    }

    fn refusal(text: &str) -> String {
        power(text.as_bytes(), None).expect_err(text).report(true)
    }

    #[test]
    fn power_in_several_shapes() {
        assert_eq!(watts("t_us,V,A\n0,5.0,1.2\n100,5.0,1.3\n"), [6.0, 6.5]);
        assert_eq!(watts("100,5.0,1.3\n0,5.0,1.2\n"), [6.0, 6.5]);
        assert_eq!(watts("timestamp,mW\n20250128-13:38:25.5,6000\nx,1\n"), [6.0]);
        assert_eq!(watts("20240501-10:00:00.000000,5000.0,1200.0\n"), [6.0]);
        assert!(power(b"a,b\n1,2\n", None).is_err());
    }

    /// What each tool writes, as its own exporter or documentation has it, read as 6 W and 6.5 W half a second apart.
    #[test]
    fn files_of_known_tools_are_read_by_their_headers() {
        for text in [
            // Joulescope UI 0.9 to 1.x, minute server, and the three forms of downsample_logging.
            "#time,current,voltage,power,charge,energy\n0.0,1.2,5,6,0,0\n0.5,1.3,5,6.5,0,0\n",
            "time,current,voltage,power,charge,energy\n0.0,1.2,5,6,0,0\n0.5,1.3,5,6.5,0,0\n",
            "#= header=time,current,voltage,power,charge,energy\n#= units=s,A,V,W,C,J\n#= start_time=1.5e9\n\
             0.0,1.2,5,6,0,0\n#& 20240501_100000 EVENT : x\n0.5,1.3,5,6.5,0,0\n",
            // Otii.
            "\"Wall-clock time (UTC)\",\"Arc Main Current (A)\",\"Arc Main Voltage (V)\",\"Arc Main Energy (J)\"\n\
             \"2024-05-01T10:00:00.000Z\",\"1.2\",\"5\",\"0\"\n\"2024-05-01T10:00:00.500Z\",\"1.3\",\"5\",\"3\"\n",
            "Timestamp,Arc Main Current (A),Arc Main Voltage (V)\n0.0,1.2,5\n0.5,1.3,5\n",
            // jtop 4 and 3.
            "time,uptime,CPU1,GPU,Power VDD_CPU_GPU_CV,Power VDD_SOC,Power TOT,jetson_clocks,nvp model\n\
             2024-05-01 10:00:00.000000,\"1 day, 3:22:11\",1,99,900,800,6000,OFF,15W\n\
             2024-05-01 10:00:00.500000,\"1 day, 3:22:11\",1,99,900,800,6500,OFF,15W\n",
            "time,uptime,CPU1,GPU,power cur,power avg\n2024-05-01 10:00:00,1:00:00,9,9,6000,1\n\
             2024-05-01 10:00:00.5,1:00:00,9,9,6500,1\n",
            // nvidia-smi --format=csv and csv,nounits.
            "timestamp, index, power.draw [W], power.limit [W]\n2024/05/01 10:00:00.000, 0, 6.00 W, 60.00 W\n\
             2024/05/01 10:00:00.500, 0, 6.50 W, 60.00 W\n",
            "timestamp, power.draw.instant [W], power.draw.average [W]\n2024/05/01 10:00:00.000, 6.00, 9\n\
             2024/05/01 10:00:00.500, 6.50, 9\n",
            // Loggers of an INA219 or INA226.
            "Time (ms),Bus Voltage (V),Shunt Voltage (mV),Load Voltage (V),Current (mA),Power (mW)\n0,5,12,5.012,1200,6000\n\
             500,5,13,5.013,1300,6500\n",
            "millis,bus_voltage_mV,current_mA\n0,5000,1200\n500,5000,1300\n",
            "Date;Time;Voltage [V];Current [A]\n2024-05-01;10:00:00;5,0;1,2\n2024-05-01;10:00:00,5;5,0;1,3\n",
            "Time / s,U / V,I / \u{b5}A\n0,5,1200000\n0.5,5,1300000\n",
            "time\tvoltage\tcurrent\nms\tV\tmA\n0\t5\t1200\n500\t5\t1300\n",
            "elapsed_s|power_w\n0|6\n0.5|6.5\n",
        ] {
            assert_eq!(watts(text), [6.0, 6.5], "{text}");
            let table = power(text.as_bytes(), None).expect("readings");
            assert_eq!(table.rows[1].wall_ns - table.rows[0].wall_ns, 500_000_000, "{text}");
            assert_eq!((table.diagnostics.bad, table.notes.as_slice()), (0, [].as_slice()), "{text}");
        }
    }

    #[test]
    fn a_current_alone_is_read_at_a_given_voltage() {
        let ppk = "Timestamp(ms),Current(uA),D0-D7\n0.00,1200000.5,00000000\n0.01,1300000,00000000\n";
        assert!(refusal(ppk).contains("--supply-v"));
        let table = power(ppk.as_bytes(), Some(5.0)).expect("readings");
        assert!((table.rows[0].power().0 - 6.000_002_5).abs() < 1e-9);
        assert_eq!(table.rows[1].wall_ns, 10_000);
    }

    #[test]
    fn a_refusal_names_what_was_found_and_what_is_meant() {
        for (text, expected) in [
            ("x,y\n1,2\n", &["`x`, `y`", "commas", "UTF-8", "Voltage (V)"][..]),
            ("zeit;mW\n1;2\n", &["no column of time", "`zeit`", "semicolons"]),
            ("timestamp,mW\n0.5,6000\n", &["line 2", "`timestamp` is `0.5`", "timestamp (ms)"]),
            ("timestamp,mW\n05/01/2024 10:00,6000\n", &["05/01/2024", "2024-05-01T10:00:00.000Z"]),
            ("t_s,V1 (V),V2 (V),A1 (A)\n0,1,2,3\n", &["several columns of voltage", "`V1 (V)`, `V2 (V)`"]),
            ("time,power\n0,6000\n1,6000\n", &["6000 W", "`power` names no unit", "power (mW)"]),
            ("t_ms,mW\n0,6000,5\n", &["line 2 has 3 fields where the header has 2", "decimal comma"]),
            ("t_ms;mW\n0;6,000\n", &["`6,000`"]),
            ("timestamp, index, power.draw [W]\n2024/05/01 10:00:00, 0, 6 W\n2024/05/01 10:00:00, 1, 7 W\n", &["0, 1"]),
            ("timestamp, power.draw [W]\n2024/05/01 10:00:00, [N/A]\n", &["`[N/A]`"]),
            ("t_ms,mW\n", &["no rows"]),
            ("", &["empty"]),
            ("0.5,1.2,5,6,0,0\n", &["no header", "6 columns", "first line"]),
        ] {
            let report = refusal(text);
            assert!(expected.iter().all(|part| report.contains(part)), "{text}: {report}");
        }
    }

    #[test]
    fn lines_above_the_header_are_passed_over_and_named() {
        for preamble in ["Meter XY\nSerial 123\n\n", "Device:,INA219\nRate:,100\n", "Model;7;8\n\n\n"] {
            let table = power(format!("{preamble}t_ms,mW\n0,6000\n100,?\n").as_bytes(), None).expect("readings");
            let line = preamble.matches('\n').count() + 1;
            assert_eq!(table.rows.len(), 1);
            assert!(table.diagnostics.named[0].starts_with(&format!("line {} ", line + 2)), "{:?}", table.diagnostics);
            assert!(table.notes[0].contains(&format!("named on line {line};")), "{:?}", table.notes);
        }
        assert_eq!(watts("date,mW\n2024-05-01 10:00:00,6000\n"), [6.0]);
        assert_eq!(watts("Zeit (s);Leistung (W)\n0,0;6,5\n"), [6.5]);
        assert!(refusal("t_ms mW\n0 6000\n").contains("not by blanks"));
        assert!(refusal("\u{89}PNG\r\n\u{1a}\n\0\0\0\rIHDR").contains("is not a text file"));
        assert!(refusal("Date,mW\n05/01/2024 10:00:00,6000\n").contains("`Date` is `05/01/2024 10:00:00`"));
    }

    #[test]
    fn rows_that_cannot_be_read_are_counted_with_their_lines() {
        let table = power(
            b"# x\r\nt_ms,mW,note\r\n0,6000,25 \xb0C\r\n\r\n100,?,\r\n# remark\r\n200,6000,a, b\r\n,1,\r\n",
            None,
        );
        let table = table.expect("readings");
        assert_eq!((table.rows.len(), table.diagnostics.bad), (2, 2));
        assert_eq!(table.diagnostics.named[0], "line 5 has a `mW` that is not a number: `?`");
        assert!(table.diagnostics.named[1].starts_with("line 8 "), "{:?}", table.diagnostics);
        assert_eq!(table.notes, ["a byte on line 3 is not UTF-8 and is read as U+FFFD"]);
    }
}
