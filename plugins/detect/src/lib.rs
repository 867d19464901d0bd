//! The plugin `detect`: the streaming detector of pi-signals as a tool. It imports nothing of the host.
//!
//! Here is only what turns JSON into points and scores into JSON; what is unusual is decided in `pi_signals::metric`.

use pi_sdk::{Content, Error, ToolPlugin, Value, json, json_content};
use pi_signals::metric::{Detector, seconds_of, windows};

/// Points that one call takes. More would fill the memory and the time of the call; a longer series is cut by its
/// owner, who knows where.
const POINTS_MAX: usize = 100_000;
/// Scores are rounded to so many parts of one: a result of the most points stays below a megabyte.
const SCORE_PARTS: f64 = 1e6;
/// What is quoted of a point that cannot be read.
const QUOTED_CHARACTERS_MAX: usize = 80;

struct Detect;

impl ToolPlugin for Detect {
    const MANIFEST: &'static str = include_str!("../plugin.json");

    fn call(name: &str, arguments: Value) -> Result<Vec<Content>, Error> {
        match name {
            "detect_anomalies" => Ok(json_content(&detect(&arguments).map_err(Error::InvalidArguments)?)),
            _ => Err(Error::NotFound(format!("the plugin `detect` has no tool `{name}`"))),
        }
    }
}

pi_sdk::tool!(Detect);

fn detect(arguments: &Value) -> Result<Value, String> {
    let given = arguments.get("points").and_then(Value::as_array).ok_or("`points` must be a list of [time, value]")?;
    if given.len() > POINTS_MAX {
        return Err(format!(
            "there are {} points, and one call takes {POINTS_MAX}\nhint: give the latest ones, or means over longer intervals",
            given.len()
        ));
    }
    let points = given
        .iter()
        .enumerate()
        .map(|(index, point)| read(point).map_err(|why| format!("point {index} is {}: {why}", quoted(point))))
        .collect::<Result<Vec<_>, String>>()?;
    // The order is stable: of several points at one time the first that stands here comes first.
    let mut order: Vec<usize> = (0..points.len()).collect();
    let time_of = |index: usize| points.get(index).map_or(0.0, |(time, _)| *time);
    order.sort_by(|a, b| time_of(*a).total_cmp(&time_of(*b)));
    let mut detector = Detector::new();
    let in_order: Vec<f64> = order
        .iter()
        .filter_map(|index| points.get(*index))
        .map(|(time, value)| value.map_or(0.0, |value| rounded(detector.push(*time, value))))
        .collect();
    let mut scores = vec![0.0; points.len()];
    for (index, score) in order.iter().zip(&in_order) {
        if let Some(place) = scores.get_mut(*index) {
            *place = *score;
        }
    }
    // A window is told in the words in which its points' times were given.
    let time = |position: usize| order.get(position).and_then(|index| given.get(*index)).and_then(|point| point.get(0));
    let windows: Vec<Value> = windows(&in_order)
        .iter()
        .map(|window| json!({ "from": time(window.first), "to": time(window.last), "score": window.score }))
        .collect();
    Ok(json!({ "scores": scores, "windows": windows }))
}

/// A point's time in seconds, and its value where there is one.
fn read(point: &Value) -> Result<(f64, Option<f64>), &'static str> {
    let Some([time, value]) = point.as_array().map(Vec::as_slice) else {
        return Err("it must be [time, value]");
    };
    let seconds = match time {
        Value::String(text) => seconds_of(text).ok_or("the time must be of RFC 3339, as `2026-03-26T10:00:00Z`")?,
        Value::Number(number) => number.as_f64().ok_or("the time is no number of seconds")?,
        _ => return Err("the time must be a text of RFC 3339 or a number of seconds since 1970"),
    };
    match value {
        Value::Null => Ok((seconds, None)),
        Value::Number(number) => Ok((seconds, number.as_f64())),
        _ => Err("the value must be a number, or null where there is none"),
    }
}

fn rounded(score: f64) -> f64 {
    (score * SCORE_PARTS).round() / SCORE_PARTS
}

fn quoted(point: &Value) -> String {
    let text = point.to_string();
    match text.char_indices().nth(QUOTED_CHARACTERS_MAX) {
        Some((end, _)) => format!("`{}...`", text.get(..end).unwrap_or_default()),
        None => format!("`{text}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series() -> Vec<Value> {
        let value = |at: usize| if at == 400 { 90.0 } else { 20.0 + (at * 7 % 11) as f64 / 10.0 };
        (0..420_usize).map(|at| json!([1_700_000_000 + at * 60, value(at)])).collect()
    }

    fn scores(result: &Value) -> Vec<f64> {
        result["scores"].as_array().unwrap().iter().map(|score| score.as_f64().unwrap()).collect()
    }

    #[test]
    fn spike_has_the_highest_score_and_a_window_in_its_own_words() {
        let result = detect(&json!({ "points": series() })).unwrap();
        let scores = scores(&result);
        assert_eq!(scores.len(), 420);
        assert!(scores[400] > 0.9 && scores[..400].iter().all(|score| *score < 0.5), "{result}");
        assert_eq!(result["windows"][0]["from"], 1_700_000_000 + 400 * 60);
        assert_eq!(result["windows"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn order_of_the_points_makes_no_difference_to_the_score_of_each() {
        let mut points = series();
        let straight = scores(&detect(&json!({ "points": points })).unwrap());
        points.reverse();
        let mut reversed = scores(&detect(&json!({ "points": points })).unwrap());
        reversed.reverse();
        assert_eq!(straight, reversed);
    }

    #[test]
    fn missing_value_scores_nothing_and_leaves_no_trace() {
        let with: Vec<Value> =
            series().into_iter().flat_map(|point| [point.clone(), json!([point[0], null])]).collect();
        let scores_with = scores(&detect(&json!({ "points": with })).unwrap());
        assert!(scores_with.iter().skip(1).step_by(2).all(|score| *score == 0.0));
        let without = scores(&detect(&json!({ "points": series() })).unwrap());
        assert_eq!(scores_with.into_iter().step_by(2).collect::<Vec<_>>(), without);
    }

    #[test]
    fn point_that_cannot_be_read_is_named() {
        let error = |points: Value| detect(&json!({ "points": points })).unwrap_err();
        assert_eq!(
            error(json!([[0, 1], ["soon", 1]])),
            "point 1 is `[\"soon\",1]`: the time must be of RFC 3339, as `2026-03-26T10:00:00Z`"
        );
        assert!(error(json!([[0, "NaN"]])).contains("the value must be a number"));
        assert!(error(json!([[0]])).contains("it must be [time, value]"));
        assert!(error(json!([["x".repeat(5000), 1]])).len() < 250);
        assert!(detect(&json!({})).is_err());
    }

    #[test]
    fn more_points_than_one_call_takes_are_refused_and_as_many_are_taken() {
        let points = |count: usize| json!({ "points": vec![json!([0, 1]); count] });
        assert_eq!(scores(&detect(&points(POINTS_MAX)).unwrap()).len(), POINTS_MAX);
        assert!(detect(&points(POINTS_MAX + 1)).unwrap_err().contains("one call takes 100000"));
        assert_eq!(detect(&points(0)).unwrap(), json!({ "scores": [], "windows": [] }));
    }
}
