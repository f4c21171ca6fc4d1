//! What holds for every chart, whatever it is given.

use super::*;
use maud::Markup;
use proptest::prelude::*;

/// Checks that tags nest and close, and that text holds no bare markup.
fn well_formed(markup: &str) -> Result<(), String> {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = markup;
    while let Some(start) = rest.find('<') {
        let end = rest[start..].find('>').ok_or("a tag does not end")? + start;
        let tag = &rest[start + 1..end];
        if let Some(name) = tag.strip_prefix('/') {
            let opened = open.pop().ok_or_else(|| format!("</{name}> closes nothing"))?;
            if opened != name {
                return Err(format!("</{name}> closes <{opened}>"));
            }
        } else {
            if !tag.matches('"').count().is_multiple_of(2) {
                return Err(format!("<{tag}> has an open quote"));
            }
            open.push(tag.split_whitespace().next().unwrap_or_default());
        }
        rest = &rest[end + 1..];
    }
    if open.is_empty() { Ok(()) } else { Err(format!("{open:?} stay open")) }
}

fn every_chart(name: &str, values: &[f64]) -> Vec<(&'static str, Markup)> {
    let points =
        || -> Vec<Point> { values.iter().zip(values.iter().rev()).map(|(x, y)| Point::named(name, *x, *y)).collect() };
    let spans = values.windows(3).enumerate().map(|(i, w)| Span {
        from: w[0],
        to: w[1],
        height: w[2],
        look: (i % 3 > 0).then_some(i),
        name: name.to_owned(),
    });
    let plot = |x: Axis, y: Axis| {
        Plot::new(name, name, name, x, y)
            .spans(spans.clone().collect())
            .points(name, points())
            .line(name, points(), true)
            .line("plain", points(), false)
            .guide(name, values.iter().map(|v| (*v, *v)).collect())
            .equality()
            .note(name)
    };
    let columns = values
        .chunks(3)
        .map(|part| Column { name: name.to_owned(), parts: part.iter().copied().enumerate().collect() });
    let bars = values.iter().map(|v| Bar { name: name.to_owned(), value: *v, range: Some((*v, v * 2.0)) }).collect();
    let shares = values.iter().map(|v| Share { name: name.to_owned(), amount: *v }).collect();
    let held =
        values.iter().map(|v| CoverageRow { name: name.to_owned(), held: v.abs() as u8 as usize, of: 255 }).collect();
    vec![
        ("linear", plot(Axis::linear(name), Axis::linear(name)).render()),
        ("log", plot(Axis::log(name), Axis::log(name)).wide().render()),
        (
            "columns",
            Columns::new(name, name, name, Axis::linear(name), name)
                .series(name)
                .series("b")
                .series("c")
                .columns(columns.collect())
                .render(),
        ),
        ("bars", Bars::new(name, name, name, Axis::linear(name), bars).render()),
        ("breakdown", Breakdown::new(name, name, name, name, shares).render()),
        ("coverage", Coverage::new(name, name, name, 90.0, held).render()),
        ("histogram", histogram(name, name, name, name, values, Some(3.0))),
    ]
}

fn numbers() -> impl Strategy<Value = f64> {
    let special =
        [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, f64::MAX, f64::MIN, f64::MIN_POSITIVE, 5e-324];
    prop_oneof![any::<f64>(), -10.0..10.0, prop::sample::select(special.to_vec())]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_numbers_and_any_text_render_to_sound_markup(
        values in prop::collection::vec(numbers(), 0..40),
        name in "\\PC{0,30}",
    ) {
        for (chart, markup) in every_chart(&name, &values) {
            let markup = markup.into_string();
            prop_assert!(well_formed(&markup).is_ok(), "{chart}: {:?}\n{markup}", well_formed(&markup));
            prop_assert!(!markup.contains("NaN") || name.contains("NaN"), "{chart}");
            prop_assert!(!markup.contains("\"inf") && !markup.contains("\"-inf"), "{chart}");
            prop_assert!(!markup.contains(" style=") && !markup.contains("<script"), "{chart}");
        }
    }
}

#[test]
fn hostile_names_stay_text() {
    let hostile = "</title><script>alert(1)</script>\" onload=\"x\u{1b}[2J";
    for (chart, markup) in every_chart(hostile, &[1.0, 2.0, 3.0, 4.0]) {
        let markup = markup.into_string();
        well_formed(&markup).unwrap_or_else(|e| panic!("{chart}: {e}"));
        assert!(!markup.contains("<script") && !markup.contains("\" onload"), "{chart}: {markup}");
        assert!(!markup.contains('\u{1b}'), "{chart}");
        assert!(markup.contains("role=\"img\"") && markup.contains("<desc"), "{chart}");
    }
}

#[test]
fn the_same_numbers_give_the_same_chart() {
    let once = || every_chart("x", &[3.0, 1.0, 2.0, 5.0]).into_iter().map(|(_, m)| m.into_string()).collect::<Vec<_>>();
    assert_eq!(once(), once());
}

#[test]
fn marks_are_capped_and_what_is_left_out_is_told() {
    let values: Vec<f64> = (0..20_000).map(f64::from).collect();
    for (chart, markup) in every_chart("x", &values) {
        assert!(markup.0.len() < 1_500_000, "{chart}: {} bytes", markup.0.len());
    }
    let chart = |x: f64| {
        let points = vec![Point::new(x, 1.0), Point::new(2.0, 2.0)];
        Plot::new("a", "a", "a", Axis::log("x"), Axis::linear("y")).points("s", points).render().into_string()
    };
    assert!(chart(-1.0).contains("One value is left out"));
    assert!(!chart(1.0).contains("left out"));
}

#[test]
fn points_stand_where_their_numbers_say() {
    let axis = || Axis::linear("v").including(0.0).including(10.0);
    let points = vec![Point::new(0.0, 0.0), Point::new(10.0, 10.0)];
    let svg = Plot::new("a", "a", "a", axis(), axis()).points("s", points).render().into_string();
    let place = |attribute: &str| -> Vec<f64> {
        let parts = svg.split("<circle ").skip(1);
        parts
            .map(|part| {
                let value = part.split(&format!("{attribute}=\"")).nth(1).and_then(|rest| rest.split('"').next());
                value.and_then(|v| v.parse().ok()).expect("a coordinate")
            })
            .collect()
    };
    let (x, y) = (place("cx"), place("cy"));
    assert!(x[1] > x[0] + 300.0, "{x:?}");
    assert!(y[1] < y[0] - 200.0, "{y:?}");
}

#[test]
fn a_breakdown_adds_up() {
    let shares = (0..12).map(|i| Share { name: format!("k{i}"), amount: f64::from(i + 1) }).collect();
    let svg = Breakdown::new("a", "a", "a", "mJ", shares).render().into_string();
    assert!(svg.contains("5 others") && svg.contains("78 mJ"), "{svg}");
}
