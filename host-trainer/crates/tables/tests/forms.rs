//! A table written as each shell, spreadsheet and country writes it reads equal.
#![allow(missing_docs)]

use proptest::prelude::*;
use std::path::Path;
use tables::Frame;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn a_table_reads_equal_in_every_form(
        rows in prop::collection::vec(("[a-zß][a-z+ ]{0,8}[a-z]", -9_000_000_i64..9_000_000, 0_u32..5_000_000), 1..12),
        separator in prop_oneof![
            Just(','), Just(';'), Just('\t'), Just('|')
        ],
        comma in any::<bool>(),
        end in prop_oneof![
            Just("\n"), Just("\r\n"), Just("\r")
        ],
        encoding in 0_usize..4,
        comment in any::<bool>(),
    ) {
        // The first row has a number that says its decimal sign for all.
        let first = ("first".to_owned(), 500, 7);
        let all: Vec<_> = std::iter::once(first).chain(rows).collect();
        let mut text = ["layer_name", "power", "size"].join(&separator.to_string()) + end;
        for (number, (name, thousandths, size)) in all.iter().enumerate() {
            if comment && number % 2 == 0 {
                text += &format!("# remark{end}{end}");
            }
            let sign = if *thousandths < 0 { "-" } else { "" };
            let mut power = format!("{sign}{}.{:03}", thousandths.abs() / 1000, thousandths.abs() % 1000);
            if comma {
                power = power.replace('.', ",");
                power = if separator == ',' { format!("\"{power}\"") } else { power };
            }
            text += &format!("{name}{separator}{power}{separator}{size}{end}");
        }
        let marked = format!("\u{feff}{text}");
        let content = match encoding {
            0 => text.into_bytes(),
            1 => marked.into_bytes(),
            2 => marked.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            _ => marked.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        };
        let frame = Frame::from_csv(Path::new("a.csv"), &content).expect("a table");
        prop_assert_eq!(frame.rows(), all.len());
        prop_assert_eq!(frame.notes().len(), usize::from(comma));
        for (row, (name, thousandths, size)) in all.iter().enumerate() {
            prop_assert_eq!(frame.text(row, "layer_name").expect("text"), Some(name.as_str()));
            prop_assert_eq!(frame.number(row, "power").expect("a number"), Some(*thousandths as f64 / 1000.0));
            prop_assert_eq!(frame.number(row, "size").expect("a number"), Some(f64::from(*size)));
        }
    }
}
