use super::*;
use proptest::prelude::*;

const SPACE: &str = r#"
"hybrid.learning_rate" = { low = 0.01, high = 0.5, log = true }
"hybrid.leaves" = { low = 2, high = 64 }
kind = ["physics", "hybrid", "lasso"]
"a.widths" = { list = { low = 4, high = 40 }, length = [1, 3] }
"a.dropouts" = { list = { low = 0.01, high = 0.25 }, length = "a.widths" }
"#;

fn space() -> Space {
    Space::from_table(&toml::from_str(SPACE).expect("TOML")).expect("a space")
}

/// A history of trials that follow one another without waiting.
fn history(space: &Space, seed: u64, values: &[f64]) -> Vec<Observation> {
    let mut earlier = Vec::new();
    for (number, value) in values.iter().enumerate() {
        let situation = Situation { seed, number: number as u64, earlier: &earlier, pending: &[] };
        let parameters = propose(Sampler::Tpe, space, situation).expect("parameters");
        let point = space.point(&parameters).expect("a point of the space");
        let result = if number % 5 == 4 { TrialResult::Pruned(1, *value) } else { TrialResult::Complete(*value) };
        earlier.push(Observation { point, result });
    }
    earlier
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_the_history_parameters_lie_in_the_space(
        seed in any::<u64>(), values in proptest::collection::vec(-1e9..1e9, 0..40)
    ) {
        let space = space();
        // `point` refuses what is not of the space.
        let earlier = history(&space, seed, &values);
        let again = history(&space, seed, &values);
        prop_assert_eq!(&earlier, &again, "the same seed, the same proposals");
        let number = values.len() as u64;
        let proposed = |seed, pending: &[Point]| {
            propose(Sampler::Tpe, &space, Situation { seed, number, earlier: &earlier, pending }).expect("parameters")
        };
        let first = proposed(seed, &[]);
        let point = space.point(&first).expect("of the space");
        prop_assert_eq!(space.parameters(&point), first.clone(), "values survive the way to coordinates and back");
        prop_assert_ne!(&first, &proposed(seed ^ 1, &[]));
        prop_assert_eq!(first["a.widths"].as_array().map(Vec::len), first["a.dropouts"].as_array().map(Vec::len));
        let second = proposed(seed, &[point]);
        prop_assert!(space.point(&second).is_some());
    }

    #[test]
    fn text_keeps_every_value(seed in any::<u64>()) {
        let space = space();
        let parameters = space.parameters(&space.random(&mut SplitMix64::keyed(&[seed])));
        let text = toml::to_string(&parameters).expect("TOML");
        prop_assert_eq!(toml::from_str::<Parameters>(&text).expect("TOML"), parameters);
    }
}

#[test]
fn tpe_gathers_where_trials_did_well() {
    let table = toml::from_str("x = { low = -1.0, high = 1.0 }\ny = { low = -1.0, high = 1.0 }").expect("TOML");
    let space = Space::from_table(&table).expect("a space");
    let best = |sampler: Sampler, seed: u64| {
        let mut earlier: Vec<Observation> = Vec::new();
        let mut best = f64::INFINITY;
        for number in 0..80 {
            let situation = Situation { seed, number, earlier: &earlier, pending: &[] };
            let parameters = propose(sampler, &space, situation).expect("parameters");
            let at = |name: &str| parameters[name].as_float().expect("a float");
            let value = (at("x") - 0.3).powi(2) + (at("y") + 0.4).powi(2);
            best = f64::min(best, value);
            let point = space.point(&parameters).expect("a point");
            earlier.push(Observation { point, result: TrialResult::Complete(value) });
        }
        best
    };
    let mean = |sampler| (0..5).map(|seed| best(sampler, seed)).sum::<f64>() / 5.0;
    let (tpe, random) = (mean(Sampler::Tpe), mean(Sampler::Random));
    assert!(tpe < 0.5 * random, "TPE {tpe}, random {random}");
}

#[test]
fn a_grid_tries_every_combination_once() {
    let table = toml::from_str(
        "a = [1, 2, 3]\nb = { low = 1, high = 2 }\nc = { low = 0.1, high = 10.0, log = true, steps = 3 }",
    );
    let space = Space::from_table(&table.expect("TOML")).expect("a space");
    let grid = space.grid().expect("countable");
    assert_eq!(grid.len(), 18);
    let mut seen: Vec<String> = (0..18).map(|n| toml::to_string(&grid.parameters(n)).expect("TOML")).collect();
    assert!(seen[1].contains("c = 1.0"), "{}", seen[1]);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 18);
    let refused = super::tests::space().grid().expect_err("no grid");
    assert!(refused.contains("steps") || refused.contains("choices"), "{refused}");
}

#[test]
fn wrong_spaces_are_refused_by_name() {
    for (text, expected) in [
        ("x = { low = 2, high = 1 }", "`x`: `low` is above `high`"),
        ("x = { low = 0.0, high = 1.0, log = true }", "above 0"),
        ("x = { low = 1, high = 2, lgo = true }", "unknown key `lgo`"),
        ("x = { low = 1 }", "`low` and `high`"),
        ("x = []", "nothing to choose from"),
        ("x = [1, 1]", "twice"),
        ("x = { list = { low = 1, high = 2 }, length = \"z\" }", "no option `z`"),
        ("x = { list = { low = 1, high = 2 }, length = [3, 2] }", "shortest"),
        ("x = { low = 1, high = inf }", "finite"),
        ("\"a.b\" = 1\n[a]\nb = 2", "twice"),
    ] {
        let refused = Space::from_table(&toml::from_str(text).expect("TOML")).expect_err(text);
        assert!(refused.contains(expected), "{text}: {refused}");
    }
}

#[test]
fn grid_files_of_the_reference_are_read_and_unknown_keys_refused() {
    let grid = Space::from_grid(r#"{"EPOCHS": 5, "LEARNING_RATE": [0.1, 0.01], "DENSE_WIDTH": [32, 64]}"#, true);
    let grid = grid.expect("a space").grid().expect("countable");
    assert_eq!(grid.len(), 4);
    let text = toml::to_string(&grid.parameters(0)).expect("TOML");
    assert_eq!(text, "\"mlp.epochs\" = 5\n\"mlp.hidden\" = [32]\n\"mlp.learning_rate\" = 0.1\n");
    let refused = Space::from_grid(r#"{"LEARNING_RAT": [0.1]}"#, true).expect_err("unknown");
    assert!(refused.contains("did you mean `LEARNING_RATE`?"), "{refused}");
    assert!(Space::from_grid("{\"EPOCHS\": null}", true).is_err());
    assert!(Space::from_grid("kind = [\"lasso\", \"hybrid\"]\n", false).is_ok());
}

#[test]
fn a_space_survives_being_written() {
    assert_eq!(Space::from_table(&space().to_table()).expect("a space"), space());
}
