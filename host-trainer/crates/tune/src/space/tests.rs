//! Whatever a file says, it is a space that holds together or it is refused in a sentence.

use super::*;
use proptest::prelude::*;
use toml::Table;

fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        prop_oneof![any::<i64>(), -20..20i64, Just(i64::MIN), Just(i64::MAX)].prop_map(Value::Integer),
        prop_oneof![any::<f64>(), -2.0..2.0, Just(f64::MAX), Just(f64::MIN_POSITIVE)].prop_map(Value::Float),
    ]
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![number(), "[a-c.]{0,3}".prop_map(Value::String), any::<bool>().prop_map(Value::Boolean)]
}

fn table(entries: Vec<(&str, Option<Value>)>) -> Value {
    Value::Table(entries.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
}

fn range() -> impl Strategy<Value = Value> {
    let log = proptest::option::of(any::<bool>().prop_map(Value::Boolean));
    let steps = proptest::option::of((0..9i64).prop_map(Value::Integer));
    (number(), number(), log, steps).prop_map(|(low, high, log, steps)| {
        table(vec![("low", Some(low)), ("high", Some(high)), ("log", log), ("steps", steps)])
    })
}

fn option() -> impl Strategy<Value = Value> {
    let choices = || proptest::collection::vec(scalar(), 0..4).prop_map(Value::Array);
    let length = prop_oneof![
        (0..4i64, 0..5i64).prop_map(|(a, b)| Value::Array(vec![Value::Integer(a), Value::Integer(b)])),
        "[a-c]".prop_map(Value::String),
        scalar(),
    ];
    prop_oneof![
        scalar(),
        choices(),
        choices().prop_map(|choices| table(vec![("choices", Some(choices))])),
        range(),
        (range(), length).prop_map(|(list, length)| table(vec![("list", Some(list)), ("length", Some(length))])),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_is_read_holds_together(
        options in proptest::collection::btree_map("[a-c]", option(), 0..4),
        seed in any::<u64>(),
    ) {
        let given: Table = options.into_iter().collect();
        match Space::from_table(&given) {
            Err(refusal) => prop_assert!(!refusal.is_empty()),
            Ok(space) => {
                prop_assert_eq!(&Space::from_table(&space.to_table()).expect("what was written"), &space);
                let mut stream = SplitMix64::keyed(&[seed]);
                let point = space.random(&mut stream);
                prop_assert_eq!(point.len(), space.axes().len());
                let parameters = space.parameters(&point);
                let back = space.point(&parameters).expect("what the space gave");
                prop_assert_eq!(back.len(), point.len());
                if let Ok(grid) = space.grid() {
                    prop_assert!(!grid.is_empty());
                    let last = grid.parameters(grid.len() - 1);
                    prop_assert!(grid.parameters(0).keys().eq(last.keys()));
                }
            }
        }
    }

    #[test]
    fn no_text_is_too_much(text in "[\\[\\]{}=,.\"a-cE_0-9\n -]{0,60}", json in any::<bool>()) {
        if let Err(refusal) = Space::from_grid(&text, json) {
            prop_assert!(!refusal.is_empty());
        }
    }
}
