//! What holds of every picture, whatever it is drawn from: it ends, is well-formed, small enough, the same each time, and safe to
//! put into a page.

#![allow(clippy::unwrap_used, reason = "a test ends at the first thing that goes wrong")]

use pi_plot::*;
use proptest::prelude::*;
use serde_json::{Value, json};

const HOSTILE: &str = "</svg><script>alert(1)</script>\u{202e}evil\u{0}\n[x](javascript:1) \"'& 🦀語 z\u{0301}\u{0301}";

fn chart(value: Value) -> Chart {
    serde_json::from_value(value).unwrap()
}

fn drawn(chart: &Chart) -> Picture {
    checked(draw(chart, &Look::default()).unwrap())
}

/// What must hold of all pictures.
fn checked(picture: Picture) -> Picture {
    assert!(picture.svg.len() <= BYTES_MAX, "{} bytes", picture.svg.len());
    let document = roxmltree::Document::parse(&picture.svg).unwrap();
    let root = document.root_element();
    assert_eq!(root.attribute("role"), Some("img"));
    for id in root.attribute("aria-labelledby").unwrap().split(' ') {
        assert!(document.descendants().any(|node| node.attribute("id") == Some(id)), "{id}");
    }
    let allowed = ["svg", "title", "desc", "style", "defs", "pattern", "rect", "path", "circle", "text"];
    for node in document.descendants().filter(roxmltree::Node::is_element) {
        assert!(allowed.contains(&node.tag_name().name()), "{node:?}");
        for attribute in node.attributes() {
            assert!(!attribute.name().starts_with("on") && attribute.name() != "href");
            assert!(!attribute.value().contains("NaN") && !attribute.value().contains("inf"), "{attribute:?}");
        }
    }
    for text in [&picture.svg, &picture.alternative, &picture.title] {
        assert!(!text.chars().any(|c| c == '\u{202e}' || c == '\u{301}' || (c.is_control() && c != '\n')), "{text}");
    }
    assert!(!picture.alternative.is_empty() && !picture.alternative.contains(['[', ']', '\n', '<', '>', '`', '|']));
    assert!(picture.alternative.chars().count() <= 901);
    picture
}

fn with_text(text: &str) -> Vec<Chart> {
    let times: Vec<f64> = (0..5).map(|at| 1.7e9 + f64::from(at) * 60.0).collect();
    vec![
        chart(json!({ "kind": "line", "title": text, "subtitle": text, "unit": text, "series": [
            { "label": text, "times": times, "values": [1, 2, null, 9, 3], "low": [0, 0, 0, 0, 0], "high": [4, 4, 4, 4, 4], "marked": [3] },
            { "label": text, "times": times, "values": [2, 1, 2, 1, 2] }],
            "annotations": [{ "at": times[1], "label": text, "kind": "onset" }], "intervals": [{ "from": times[2], "to": times[4], "label": text }],
            "levels": [{ "value": 5, "label": text }] })),
        chart(json!({ "kind": "contributors", "title": text, "subtitle": text, "unit": text, "items": [
            { "dimension": text, "value": text, "before": 5, "after": 2, "share": 0.7 }, { "value": text, "before": 1, "after": 3 }] })),
        chart(
            json!({ "kind": "histogram", "title": text, "subtitle": text, "unit": text, "categories": [text, text], "before": [1, 0], "after": [0, 2], "before_label": text, "after_label": text }),
        ),
        chart(
            json!({ "kind": "heatmap", "title": text, "subtitle": text, "unit": text, "values": vec![vec![3.5; 24]; 7], "marked": [[1, 2]] }),
        ),
        chart(
            json!({ "kind": "null_matrix", "title": text, "subtitle": text, "columns": [text], "times": times, "shares": [[0, 0.5, 1, null, 0]], "marked": [[0, 2]] }),
        ),
        chart(json!({ "kind": "schema_diff", "title": text, "subtitle": text, "tables": [
            { "name": text, "change": "renamed", "from": text, "columns": [{ "name": text, "change": "changed", "before": text, "after": text, "breaking": true }], "unchanged": 3, "breaking": true },
            { "name": text, "change": "removed" }] })),
        chart(json!({ "kind": "sparkline", "title": text, "unit": text, "values": [1, 5, null, 2], "marked": [1] })),
    ]
}

#[test]
fn hostile_long_and_empty_texts_stay_text() {
    for text in [HOSTILE, &"x".repeat(10_000), &HOSTILE.repeat(300), "", " "] {
        let charts = with_text(text);
        assert_eq!(charts.len(), Chart::KINDS.len());
        for chart in charts {
            let picture = drawn(&chart);
            assert!(picture.svg.len() < 60_000, "{}", picture.svg.len());
            let (bytes, _) = png(&chart, &Look::default(), 1).unwrap();
            assert!(bytes.starts_with(b"\x89PNG") && bytes.len() <= BYTES_MAX);
        }
    }
}

#[test]
fn the_same_data_give_the_same_bytes_and_no_two_pictures_share_a_name_inside() {
    for chart in with_text("orders") {
        assert_eq!(drawn(&chart), drawn(&chart));
        let look = Look { theme: Theme::Dark, ..Look::default() };
        let (one, picture) = png(&chart, &look, 2).unwrap();
        assert_eq!(one, png(&chart, &look, 2).unwrap().0);
        assert!(!picture.svg.contains("<style") && picture.svg.contains("#0d1117"));
    }
    let id = |chart: &Chart| drawn(chart).svg.split("aria-labelledby=\"").nth(1).unwrap()[..14].to_owned();
    let ids: std::collections::BTreeSet<String> = with_text("a").iter().chain(&with_text("b")).map(id).collect();
    assert_eq!(ids.len(), 2 * Chart::KINDS.len());
}

#[test]
fn one_file_serves_light_and_dark_paper() {
    for chart in with_text("orders") {
        let svg = drawn(&chart).svg;
        let (light, dark) = svg.split_once("@media (prefers-color-scheme:dark)").unwrap();
        assert!(light.contains("--paper:#ffffff") && dark.contains("--paper:#0d1117"));
    }
}

#[test]
fn letters_are_drawn_into_a_bitmap_without_fonts_of_the_system() {
    let picture = |title: &str| png(&chart(json!({ "kind": "line", "title": title })), &Look::default(), 1).unwrap().0;
    assert_ne!(picture("orders"), picture("border"));
}

#[test]
fn alternative_text_tells_the_numbers_that_matter() {
    let told: Vec<String> = with_text("orders").iter().map(|chart| alternative(chart).unwrap()).collect();
    assert_eq!(
        told[0],
        "Line chart “orders”, 2023-11-14 22:13:20 to 2023-11-14 22:17:20 UTC: orders lowest 1 orders at 2023-11-14 22:13:20, highest 9 orders at 2023-11-14 22:16:20, last 3 orders; orders lowest 1 orders at 2023-11-14 22:14:20, highest 2 orders at 2023-11-14 22:13:20, last 2 orders. 1 point is unusual: 9 orders at 2023-11-14 22:16:20. orders from 2023-11-14 22:15:20 to 2023-11-14 22:17:20. Marked: orders at 2023-11-14 22:14:20."
    );
    assert_eq!(
        told[1],
        "Contributor bars “orders”: orders = orders −3 orders (5 orders to 2 orders, 70 % of the change); orders +2 orders (1 orders to 3 orders)."
    );
    assert_eq!(
        told[2],
        "Histogram “orders” in 2 bins, orders and orders: most in orders before (100 %) and in orders after (100 %). The largest change is in orders, from 100 % to 0 %."
    );
    assert_eq!(
        told[4],
        "Null matrix “orders”: 1 column from 2023-11-14 22:13:20 to 2023-11-14 22:17:20; most is missing in orders at 2023-11-14 22:15:20, 100 %. 1 cell is unusual, the first in orders at 2023-11-14 22:15:20."
    );
    assert_eq!(
        told[5],
        "Schema changes “orders”: 2 tables and 1 column. table orders renamed to orders; orders.orders from orders to orders, which breaks what depends on it; table orders removed."
    );
    assert_eq!(told[6], "Sparkline “orders”: lowest 1 orders, highest 5 orders, last 2 orders; 1 value is unusual.");
}

#[test]
fn the_most_points_that_are_allowed_keep_below_a_megabyte() {
    let count = 33_000;
    let noise = |at: usize| f64::from(u32::try_from(at.wrapping_mul(2_654_435_761) % 100_003).unwrap());
    for has_gaps in [false, true] {
        let series = (0..6).map(|row| Series {
            times: (0..count).map(|at| Moment::Seconds(at as f64)).collect(),
            values: (0..count).map(|at| if has_gaps && at % 2 == 1 { None } else { Some(noise(at + row)) }).collect(),
            low: (0..count).map(|at| Some(noise(at) - 9e4)).collect(),
            high: (0..count).map(|at| Some(noise(at) + 9e4)).collect(),
            marked: (0..count).collect(),
            ..Series::default()
        });
        let chart = Chart::Line(Line { series: series.collect(), ..Line::default() });
        checked(draw(&chart, &Look { width: Some(WIDTH_MAX), ..Look::default() }).unwrap());
    }
}

#[test]
fn what_makes_no_sense_is_named_with_what_is_allowed() {
    let error = |value: Value| draw(&chart(value), &Look::default()).unwrap_err().to_string();
    assert_eq!(
        error(json!({ "kind": "line", "series": [{ "times": [1, 2], "values": [1] }] })),
        "`series[0].values`: 1 entries for 2 times; give one for each, null where there is none"
    );
    assert_eq!(
        error(json!({ "kind": "line", "series": [{ "times": [1], "values": [1], "marked": [7] }] })),
        "`series[0].marked[0]`: 7 is no position; there are 1 values, the first is 0"
    );
    assert_eq!(
        error(json!({ "kind": "line", "series": vec![json!({}); 7] })),
        "`series`: 7 entries; at most 6 are allowed"
    );
    assert_eq!(
        error(json!({ "kind": "histogram", "edges": [1, 2], "after": [1, 2] })),
        "`edges`: 2 entries for 2 bins; there must be one more than bins"
    );
    assert_eq!(
        error(json!({ "kind": "histogram", "edges": [1, 3, 2], "after": [1, 2] })),
        "`edges[2]`: edges must ascend"
    );
    assert_eq!(
        error(json!({ "kind": "heatmap", "values": [[1]] })),
        "`values`: 1 lists; there must be 7, one for each weekday, Monday first"
    );
    assert!(
        error(json!({ "kind": "null_matrix", "columns": ["a"], "times": [2, 1], "shares": [[0, 0]] }))
            .contains("`times[1]`")
    );
    let look = Look { width: Some(99_999), ..Look::default() };
    assert_eq!(
        draw(&Chart::Line(Line::default()), &look).unwrap_err().to_string(),
        "`width`: 99999 pixels; 320 to 1200 are allowed"
    );
}

#[test]
fn values_that_are_no_numbers_are_left_out_and_said() {
    let values = vec![Some(1.0), Some(f64::NAN), Some(f64::INFINITY), Some(2.0)];
    let times: Vec<Moment> = (0..4).map(|at| Moment::Seconds(f64::from(at) * 60.0)).collect();
    let picture = drawn(&Chart::Line(Line {
        series: vec![Series { times, values: values.clone(), ..Series::default() }],
        ..Line::default()
    }));
    assert_eq!(picture.notes, ["2 values left out: no finite number"]);
    assert!(picture.svg.contains("2 values left out"));
    let picture = drawn(&Chart::Sparkline(Sparkline { values, ..Sparkline::default() }));
    assert_eq!(picture.notes, ["2 values left out: no finite number"]);
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>(),
        -1e3..1e3,
        Just(0.0),
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(f64::MAX),
        Just(f64::MIN),
        Just(5e-324),
        Just(1.0),
        Just(1.0 + f64::EPSILON)
    ]
}

fn numbers(most: usize) -> impl Strategy<Value = Vec<Option<f64>>> {
    prop::collection::vec(prop::option::weighted(0.85, number()), 0..most)
}

fn look() -> impl Strategy<Value = Look> {
    (WIDTH_MIN..=WIDTH_MAX, HEIGHT_MIN..=HEIGHT_MAX).prop_map(|(width, height)| Look {
        width: Some(width),
        height: Some(height),
        theme: Theme::Auto,
    })
}

/// Either a picture of which all holds, or an error that names a field.
fn holds(chart: &Chart, look: &Look) {
    match draw(chart, look) {
        Ok(picture) => drop(checked(picture)),
        Err(Error::Invalid { field, .. }) => assert!(!field.is_empty()),
        Err(error @ Error::Failed(_)) => panic!("{error}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_line_ends(values in numbers(80), edges in numbers(80), at in prop::collection::vec(prop_oneof![-3e11..3e11, 1.7e9..1.8e9, any::<f64>()], 0..80), level in number(), mark in number(), unit in "(bytes|seconds|percent|EUR|x|fraction|milliseconds)?", look in look(), from_zero: Option<bool>) {
        let count = values.len().min(at.len()).min(edges.len());
        let times: Vec<Moment> = at[..count].iter().map(|it| Moment::Seconds(*it)).collect();
        let series = Series { times, values: values[..count].to_vec(), low: edges[..count].to_vec(), high: values[..count].to_vec(), marked: (0..count).step_by(3).collect(), ..Series::default() };
        let annotations = vec![Annotation { at: Moment::Seconds(mark), label: String::new(), kind: MarkKind::Action }];
        let line = Line { unit: Unit::from(unit), series: vec![series], levels: vec![Level { value: level, label: String::new() }], annotations, from_zero, ..Line::default() };
        holds(&Chart::Line(Line { annotations: Vec::new(), ..line.clone() }), &look);
        holds(&Chart::Line(line), &look);
    }

    #[test]
    fn any_line_at_real_times_is_drawn(values in numbers(60), step in prop_oneof![Just(0.0), Just(1e-7), 0.001..1e9], zone in "(UTC|Europe/Berlin|America/Santiago|Australia/Lord_Howe|Pacific/Apia|Africa/Cairo)", look in look()) {
        let times = (0..values.len()).map(|at| Moment::Seconds(1.7e9 + at as f64 * step)).collect();
        let line = Line { zone: Some(zone), series: vec![Series { times, values, ..Series::default() }], ..Line::default() };
        checked(draw(&Chart::Line(line), &look).unwrap());
    }

    #[test]
    fn any_bars_end(before in numbers(30), after in numbers(30), share in number(), look in look()) {
        let items = before.iter().zip(&after).map(|(before, after)| Contributor { value: "x".into(), before: *before, after: *after, share: Some(share), ..Contributor::default() });
        checked(draw(&Chart::Contributors(Contributors { items: items.collect(), ..Contributors::default() }), &look).unwrap());
        let rows = |values: &[Option<f64>]| values.iter().map(|it| it.unwrap_or(0.0)).collect::<Vec<f64>>();
        let count = before.len().min(after.len());
        let edges = (0..=count).map(|at| share.clamp(-1e300, 1e300) + at as f64).collect();
        holds(&Chart::Histogram(Histogram { edges, before: rows(&before[..count]), after: rows(&after[..count]), ..Histogram::default() }), &look);
        let categories = vec!["name".to_owned(); count];
        checked(draw(&Chart::Histogram(Histogram { categories, after: rows(&after[..count]), ..Histogram::default() }), &look).unwrap());
    }

    #[test]
    fn any_grid_ends(values in prop::collection::vec(prop::option::of(number()), 168), count in 1_usize..60, look in look()) {
        let rows: Vec<Vec<Option<f64>>> = values.chunks(24).map(<[Option<f64>]>::to_vec).collect();
        checked(draw(&Chart::Heatmap(Heatmap { values: rows, ..Heatmap::default() }), &look).unwrap());
        let shares: Vec<Vec<Option<f64>>> = values.chunks_exact(count).take(40).map(<[Option<f64>]>::to_vec).collect();
        let matrix = NullMatrix { columns: vec!["c".into(); shares.len()], times: (0..count).map(|at| Moment::Seconds(at as f64 * 86_400.0)).collect(), shares, ..NullMatrix::default() };
        checked(draw(&Chart::NullMatrix(matrix), &look).unwrap());
    }

    #[test]
    fn any_sparkline_ends(values in numbers(400), marked in prop::collection::vec(0_usize..400, 0..5), width in 40_u32..=600, height in 16_u32..=120) {
        holds(&Chart::Sparkline(Sparkline { values, marked, ..Sparkline::default() }), &Look { width: Some(width), height: Some(height), theme: Theme::Light });
    }

    #[test]
    fn any_text_stays_text(text in "\\PC{0,60}|.{0,60}") {
        for chart in with_text(&text) {
            drawn(&chart);
        }
    }
}
