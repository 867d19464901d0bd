//! Pictures of curves: what is marked, what strangers' names become, and that no numbers break them.

use serde_json::json;

use super::*;

const BEGIN: u64 = 1_700_000_000_000;

fn metric(name: &str, values: &[Value]) -> Value {
    let points: Vec<Value> =
        values.iter().enumerate().map(|(at, value)| json!([BEGIN + at as u64 * 1_000, value])).collect();
    json!({ "name": name, "dimensions": { "service": "orders" }, "unit": "Count", "points": points })
}

fn drawn(metrics: &[Value], marks: &Marks) -> Vec<Plot> {
    plots(&series(metrics, Value::as_u64), marks)
}

#[test]
fn latency_and_health_of_a_probe_are_one_picture_with_its_marks() {
    let metrics = [
        metric("probe_latency", &[json!(3), json!(500), json!(4)]),
        metric("probe_healthy", &[json!(1), json!(0), json!(1)]),
    ];
    let marks = Marks {
        onset_ms: Some(BEGIN + 500),
        alarm_ms: Some(BEGIN + 900),
        acts: vec![(BEGIN + 1_200, "service_restart".into())],
        recovery_ms: Some(BEGIN + 2_000),
    };
    let plots = drawn(&metrics, &marks);
    assert_eq!(plots.len(), 1);
    let Plot { file, alternative, svg } = &plots[0];
    assert_eq!(file, "01-probe_latency-orders.svg");
    assert_eq!(
        alternative,
        "Line chart of probe_latency of orders (Count), 22:13:20 to 22:13:22: first 3, lowest 3, highest 500, last 4. 1 of 3 probes failed. onset at 22:13:20. alarm at 22:13:20. service_restart at 22:13:21. recovery at 22:13:22."
    );
    for text in
        ["<title id=\"t\">", "<desc id=\"d\">", "prefers-color-scheme:dark", "probe failed", "recovery 22:13:22"]
    {
        assert!(svg.contains(text), "{text}: {svg}");
    }
    roxmltree::Document::parse(svg).unwrap();
}

#[test]
fn a_strangers_name_is_text_and_no_path() {
    let hostile = "../../x</title><script>alert(1)</script>\u{202e}\"'&";
    let plots = drawn(&[metric(hostile, &[json!(1), json!(2)])], &Marks::default());
    assert_eq!(plots[0].file, "01-x-title-script-alert-1-script-orders.svg");
    let document = roxmltree::Document::parse(&plots[0].svg).unwrap();
    assert!(document.descendants().all(|node| !node.has_tag_name("script")));
    assert!(!plots[0].svg.contains('\u{202e}') && !plots[0].alternative.contains('\u{202e}'));
}

#[test]
fn names_of_marks_that_come_at_once_stand_in_rows_of_their_own() {
    let acts = (0..8).map(|at| (BEGIN + at * 10, "service_restart".into())).collect();
    let marks = Marks { onset_ms: Some(BEGIN), alarm_ms: Some(BEGIN + 5), acts, recovery_ms: Some(BEGIN + 90) };
    let all = marks.all();
    let placed = placed(&all, Window { first: BEGIN, last: BEGIN + 60_000 });
    let rows: std::collections::BTreeSet<i32> = placed.iter().map(|it| it.row).collect();
    assert_eq!(rows.len(), all.len());
    let apart = Marks { onset_ms: Some(BEGIN), recovery_ms: Some(BEGIN + 30_000), ..Marks::default() }.all();
    let placed = super::placed(&apart, Window { first: BEGIN, last: BEGIN + 60_000 });
    assert!(placed.iter().all(|it| it.row == 0));
}

#[test]
fn no_numbers_break_it() {
    for values in [
        vec![json!(0), json!(0)],
        vec![json!(f64::MAX), json!(f64::MIN)],
        vec![json!(f64::MIN), json!(f64::MIN)],
        vec![json!(f64::from_bits(1)), json!(0)],
        vec![json!(-1e16), json!(-1e16 - 2.0)],
        vec![json!(-1e300), json!(-1e300 * (1.0 + f64::EPSILON))],
        vec![json!(u64::MAX), json!(i64::MIN)],
        vec![json!(-1e-310), json!(1e300)],
        vec![json!(1e-300), json!(2e-300)],
        vec![json!(-5), json!(-7)],
        vec![json!(null), json!(1), json!("x"), json!(2)],
    ] {
        for plot in drawn(&[metric("m", &values)], &Marks::default()) {
            roxmltree::Document::parse(&plot.svg).unwrap();
            assert!(!plot.svg.contains("NaN") && !plot.svg.contains("inf"), "{values:?}");
        }
    }
    let of_all_times = json!({ "name": "m", "points": [[0, 1], [1, -1], [u64::MAX, 2]] });
    let marks = Marks { onset_ms: Some(0), alarm_ms: Some(u64::MAX), ..Marks::default() };
    assert_eq!(drawn(&[of_all_times], &marks).len(), 1);
    assert_eq!(drawn(&[metric("m", &[json!(1)]), metric("n", &[])], &Marks::default()), []);
}

#[test]
fn many_points_keep_their_peak_and_many_series_are_bounded() {
    let mut values = vec![json!(1); 50_000];
    values[33_333] = json!(99);
    let found = series(&[metric("m", &values)], Value::as_u64);
    let kept = thinned(&found[0].points);
    assert!(kept.len() <= POINTS_MAX && kept.iter().any(|point| point.1 == 99.0));
    let many: Vec<Value> = (0..40).map(|at| metric(&format!("m{at}"), &[json!(1), json!(at)])).collect();
    assert_eq!(drawn(&many, &Marks::default()).len(), PLOTS_MAX);
}
