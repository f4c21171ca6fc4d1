//! The same table, written as each shell, spreadsheet and country writes it, reads equal.
#![allow(missing_docs)]

use ingest::{Table, tables, trtexec};
use proptest::prelude::*;
use shared::run_folder::PowerReading;

/// How a table is written.
#[derive(Debug, Clone, Copy)]
struct Writing {
    separator: char,
    decimal: char,
    group: Option<char>,
    end: &'static str,
    quoted: bool,
    comment: bool,
    encoding: usize,
}

impl Writing {
    /// A number with three decimals.
    fn number(self, thousandths: i64) -> String {
        let (whole, fraction) = (thousandths.abs() / 1000, thousandths.abs() % 1000);
        let digits = whole.to_string();
        let mut text = String::from(if thousandths < 0 { "-" } else { "" });
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at) % 3 == 0 {
                text.extend(self.group);
            }
            text.push(digit);
        }
        format!("{text}{}{fraction:03}", self.decimal)
    }

    fn line(self, fields: &[String]) -> String {
        let field = |text: &String| {
            if self.quoted || text.contains(self.separator) { format!("\"{text}\"") } else { text.clone() }
        };
        fields.iter().map(field).collect::<Vec<_>>().join(&self.separator.to_string()) + self.end
    }

    fn file(self, lines: &[Vec<String>]) -> Vec<u8> {
        let mut text = String::new();
        for (number, line) in lines.iter().enumerate() {
            if self.comment && number % 3 == 0 {
                text += &format!("# remark {number}{}{}", self.separator, self.end);
            }
            text += &self.line(line);
        }
        self.encoded(&text)
    }

    fn encoded(self, text: &str) -> Vec<u8> {
        let marked = format!("\u{feff}{text}");
        match self.encoding {
            0 => text.as_bytes().to_vec(),
            1 => marked.into_bytes(),
            2 => marked.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            3 => marked.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            4 => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            _ => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        }
    }
}

const PLAIN: Writing =
    Writing { separator: ',', decimal: '.', group: None, end: "\n", quoted: false, comment: false, encoding: 0 };

fn writing() -> impl Strategy<Value = Writing> {
    let signs = prop_oneof![
        Just(('.', None)),
        Just((',', None)),
        Just(('.', Some(','))),
        Just((',', Some('.'))),
        Just((',', Some(' '))),
        Just(('.', Some('\''))),
    ];
    let separator = prop_oneof![Just(','), Just(';'), Just('\t'), Just('|')];
    let end = prop_oneof![Just("\n"), Just("\r\n"), Just("\r")];
    (separator, signs, end, any::<bool>(), any::<bool>(), 0_usize..6).prop_map(
        |(separator, (decimal, group), end, quoted, comment, encoding)| Writing {
            separator,
            decimal,
            group,
            end,
            quoted,
            comment,
            encoding,
        },
    )
}

fn power_file(form: Writing, header: [&str; 3], rows: &[(i64, i64)]) -> Vec<u8> {
    let mut lines = vec![header.map(str::to_owned).to_vec()];
    // The first row has a number that says its decimal sign for all.
    let first = (0, vec![form.number(500), form.number(12), form.number(12)]);
    let row = |(number, (mv, ma)): (usize, &(i64, i64))| {
        let t = 1_000 * (number as i64 + 1) + 250;
        (number, vec![form.number(t), form.number(*mv), form.number(*ma)])
    };
    lines.extend(std::iter::once(first).chain(rows.iter().enumerate().map(row)).map(|(_, line)| line));
    form.file(&lines)
}

fn read(content: &[u8]) -> Table<PowerReading> {
    tables::power(content, None).unwrap_or_else(|failure| panic!("{}", failure.report(true)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn power_reads_equal_in_every_form(
        form in writing(),
        rows in prop::collection::vec((0_i64..60_000_000, -5_000_000_i64..50_000_000), 1..20),
        header in prop_oneof![
            Just(["t_ms", "mV", "mA"]),
            Just(["Time (ms)", "Bus Voltage [mV]", "Current (mA)"]),
            Just(["elapsed_ms", "voltage_mv", "current_ma"]),
            Just(["Timestamp / ms", "Spannung / mV", "Größe I / mA"]),
        ],
    ) {
        let expected = read(&power_file(PLAIN, ["t_ms", "mV", "mA"], &rows));
        prop_assert_eq!(expected.rows.len(), rows.len() + 1);
        let found = read(&power_file(form, header, &rows));
        prop_assert_eq!(&found.rows, &expected.rows, "{:?}", form);
        prop_assert_eq!((found.diagnostics.bad, found.notes.len()), (0, 0));
    }

    #[test]
    fn units_do_not_change_a_reading(rows in prop::collection::vec((0_i64..60_000_000, 0_i64..50_000_000), 1..20)) {
        let expected = read(&power_file(PLAIN, ["t_ms", "mV", "mA"], &rows));
        for (header, scale) in [(["t_s", "V", "A"], 1000.0), (["time (us)", "uV", "µA"], 1e-3), (["t_ns", "kV", "kA"], 1e6)] {
            let time = if header[0] == "t_s" { 1e-3 } else if header[0] == "t_ns" { 1e6 } else { 1e3 };
            let mut text = header.join(",") + "\n";
            for reading in &expected.rows {
                let ms = reading.wall_ns as f64 * 1e-6;
                text += &format!("{},{},{}\n", ms * time, reading.voltage.0 / scale, reading.current.0 / scale);
            }
            let found = read(text.as_bytes());
            for (a, b) in found.rows.iter().zip(&expected.rows) {
                prop_assert!((a.wall_ns - b.wall_ns).abs() <= 1, "{a:?} {b:?}");
                prop_assert!((a.power().0 - b.power().0).abs() <= 1e-9 * b.power().0.abs(), "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn layers_read_equal_in_every_form(
        form in writing(),
        rows in prop::collection::vec(("[a-zß] ?[a-z+]{1,8}", 1_i64..5_000_000), 1..20),
    ) {
        let file = |form: Writing| {
            let mut lines = vec![["layer_name", "runtime_ms", "t_ms"].map(str::to_owned).to_vec()];
            lines.push(vec!["first".to_owned(), form.number(500), form.number(12)]);
            for (number, (name, ms)) in rows.iter().enumerate() {
                lines.push(vec![name.clone(), form.number(*ms), form.number(1_714_557_600_000_125 + number as i64)]);
            }
            form.file(&lines)
        };
        let read = |content: &[u8]| tables::layers(content).unwrap_or_else(|failure| panic!("{}", failure.report(true)));
        let (expected, found) = (read(&file(PLAIN)), read(&file(form)));
        prop_assert_eq!(found.rows, expected.rows, "{:?}", form);
        prop_assert_eq!(found.diagnostics.bad, 0);
    }

    #[test]
    fn a_profile_reads_equal_in_every_encoding(
        encoding in 0_usize..6,
        layers in prop::collection::vec(("[a-zé]{1,8}", "[\u{1}-\u{1f}]{0,2}", 0_u32..1000), 1..10),
    ) {
        let form = Writing { encoding, ..PLAIN };
        let mut text = String::from("[{\"count\": 7}");
        for (name, control, ms) in &layers {
            text += &format!(",\n{{\"name\": \"{name}{control}\", \"averageMs\": {ms}, \"medianMs\": nan, \"percentage\": -nan}}");
        }
        let (found, count) = trtexec::profile(&form.encoded(&(text + "]"))).expect("a profile");
        let expected: Vec<(String, f64)> = layers.iter().map(|(n, c, ms)| (format!("{n}{c}"), f64::from(*ms))).collect();
        prop_assert_eq!(found.into_iter().map(|l| (l.name, l.runs[0].0)).collect::<Vec<_>>(), expected);
        prop_assert_eq!(count, 7);
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), head in "(t_ms|time|timestamp)[,;]mW\n|") {
        let content = [head.as_bytes(), &bytes].concat();
        let _ = (tables::power(&content, Some(5.0)), tables::layers(&content), trtexec::profile(&content), trtexec::times(&content));
    }
}
