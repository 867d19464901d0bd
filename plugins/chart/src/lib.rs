//! The plugin `chart`: the charts of pi-plot as a tool. It imports nothing of the host.
//!
//! Here is only what turns a call's arguments into a chart, and names the field that is wrong; what is drawn is decided in `pi_plot`.

use pi_plot::{Chart, Look, Theme};
use pi_sdk::{Blob, Content, Error, ToolPlugin, Value, json};
use serde::de::DeserializeOwned;
use serde_json::Map;

/// Pixels of a PNG for each pixel of the chart, where the call says nothing: sharp on screens with fine pixels.
const SCALE_DEFAULT: u64 = 2;

struct Charts;

impl ToolPlugin for Charts {
    const MANIFEST: &'static str = include_str!("../plugin.json");

    fn call(name: &str, arguments: Value) -> Result<Vec<Content>, Error> {
        match name {
            "chart" => chart(arguments),
            _ => Err(Error::NotFound(format!("the plugin `chart` has no tool `{name}`"))),
        }
    }
}

pi_sdk::tool!(Charts);

/// What is asked for besides the chart itself.
struct Wish {
    look: Look,
    is_png: bool,
    scale: u32,
}

fn chart(arguments: Value) -> Result<Vec<Content>, Error> {
    let Value::Object(mut fields) = arguments else {
        return Err(Error::InvalidArguments("the arguments must be an object".to_owned()));
    };
    let wish = wish(&mut fields).map_err(Error::InvalidArguments)?;
    let chart = read(fields).map_err(Error::InvalidArguments)?;
    let (mime, bytes, picture) = if wish.is_png {
        let (bytes, picture) = pi_plot::png(&chart, &wish.look, wish.scale).map_err(|error| refused(&error))?;
        ("image/png", bytes, picture)
    } else {
        let picture = pi_plot::draw(&chart, &wish.look).map_err(|error| refused(&error))?;
        ("image/svg+xml", picture.svg.clone().into_bytes(), picture)
    };
    let told = json!({
        "alternative": picture.alternative,
        "title": picture.title,
        "notes": picture.notes,
        "width": picture.width,
        "height": picture.height,
    });
    Ok(vec![Content::Blob(Blob { mime: mime.to_owned(), bytes }), Content::Json(told.to_string())])
}

fn refused(error: &pi_plot::Error) -> Error {
    match error {
        pi_plot::Error::Invalid { .. } => Error::InvalidArguments(error.to_string()),
        pi_plot::Error::Failed(_) => Error::Failed(error.to_string()),
    }
}

/// Take format, theme and size out of the arguments.
fn wish(fields: &mut Map<String, Value>) -> Result<Wish, String> {
    let is_png = match fields.remove("format") {
        None => false,
        Some(Value::String(format)) if format == "svg" => false,
        Some(Value::String(format)) if format == "png" => true,
        Some(_) => return Err("`format`: `svg` or `png` is allowed".to_owned()),
    };
    let theme = match fields.remove("theme") {
        None => Theme::Auto,
        Some(given) => {
            serde_json::from_value(given).map_err(|_| "`theme`: `auto`, `light` or `dark` is allowed".to_owned())?
        }
    };
    let mut pixels = |field: &str| match fields.remove(field) {
        None | Some(Value::Null) => Ok(None),
        Some(given) => match given.as_u64().and_then(|it| u32::try_from(it).ok()) {
            Some(pixels) => Ok(Some(pixels)),
            None => Err(format!("`{field}`: a whole number of pixels is allowed")),
        },
    };
    let look = Look { width: pixels("width")?, height: pixels("height")?, theme };
    let scale = pixels("scale")?.unwrap_or(SCALE_DEFAULT as u32);
    Ok(Wish { look, is_png, scale })
}

fn read(mut fields: Map<String, Value>) -> Result<Chart, String> {
    let kinds = || Chart::KINDS.map(|kind| format!("`{kind}`")).join(", ");
    let kind = match fields.remove("kind") {
        Some(Value::String(kind)) => kind,
        _ => return Err(format!("`kind`: one of {} is needed", kinds())),
    };
    match kind.as_str() {
        "line" => of(fields).map(Chart::Line),
        "contributors" => of(fields).map(Chart::Contributors),
        "histogram" => of(fields).map(Chart::Histogram),
        "heatmap" => of(fields).map(Chart::Heatmap),
        "null_matrix" => of(fields).map(Chart::NullMatrix),
        "schema_diff" => of(fields).map(Chart::SchemaDiff),
        "sparkline" => of(fields).map(Chart::Sparkline),
        _ => Err(format!("`kind`: one of {} is allowed", kinds())),
    }
}

/// The fields as the data of one kind; an error names the path to the field.
fn of<T: DeserializeOwned>(fields: Map<String, Value>) -> Result<T, String> {
    serde_path_to_error::deserialize(Value::Object(fields)).map_err(|error| {
        let path = error.path().to_string();
        let path = if path == "." { "the arguments".to_owned() } else { format!("`{path}`") };
        format!("{path}: {}", error.inner())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> Value {
        json!({
            "kind": "line", "title": "Rows per day", "zone": "Europe/Berlin",
            "series": [{ "label": "rows", "times": ["2026-03-01", "2026-03-02", "2026-03-03"], "values": [5, null, 70], "marked": [2] }],
            "annotations": [{ "at": "2026-03-02", "kind": "onset" }],
        })
    }

    fn with(mut value: Value, field: &str, set: Value) -> Value {
        value[field] = set;
        value
    }

    fn picture(arguments: Value) -> (String, Vec<u8>, Value) {
        let mut contents = Charts::call("chart", arguments).unwrap().into_iter();
        let (Some(Content::Blob(blob)), Some(Content::Json(told)), None) =
            (contents.next(), contents.next(), contents.next())
        else {
            panic!("a picture and what is said of it");
        };
        (blob.mime, blob.bytes, serde_json::from_str(&told).unwrap())
    }

    fn error(arguments: Value) -> String {
        match Charts::call("chart", arguments).unwrap_err() {
            Error::InvalidArguments(why) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn line_is_a_picture_with_its_alternative_text() {
        let (mime, bytes, told) = picture(line());
        assert_eq!(mime, "image/svg+xml");
        let svg = String::from_utf8(bytes).unwrap();
        assert!(svg.starts_with("<svg ") && svg.contains("prefers-color-scheme:dark"));
        assert_eq!(
            told["alternative"],
            "Line chart “Rows per day”, 2026-03-01 to 2026-03-03: lowest 5 at 2026-03-01, highest 70 at 2026-03-03, last 70. 1 point is unusual: 70 at 2026-03-03. Marked: onset at 2026-03-02 00:00."
        );
        assert_eq!((&told["width"], &told["height"]), (&json!(760), &json!(300)));
    }

    #[test]
    fn png_is_a_bitmap_in_the_theme_and_scale_that_were_asked_for() {
        let of = |theme: &str| picture(with(with(line(), "format", json!("png")), "theme", json!(theme)));
        let (mime, bytes, _) = of("dark");
        assert_eq!(mime, "image/png");
        assert!(bytes.starts_with(b"\x89PNG\r\n"));
        assert_eq!(bytes[16..24], [0, 0, 5, 240, 0, 0, 2, 88], "1520 x 600");
        assert_ne!(bytes, of("light").1);
    }

    #[test]
    fn wrong_field_is_named_with_what_is_allowed() {
        assert!(error(json!({})).starts_with("`kind`: one of `line`, `contributors`,"));
        assert!(error(json!({ "kind": "pie" })).contains("`sparkline` is allowed"));
        assert_eq!(error(with(line(), "format", json!("gif"))), "`format`: `svg` or `png` is allowed");
        assert_eq!(error(with(line(), "theme", json!(1))), "`theme`: `auto`, `light` or `dark` is allowed");
        assert_eq!(error(with(line(), "width", json!(10))), "`width`: 10 pixels; 320 to 1200 are allowed");
        assert_eq!(error(with(line(), "width", json!("wide"))), "`width`: a whole number of pixels is allowed");
        assert!(error(with(line(), "bands", json!([]))).contains("unknown field `bands`, expected one of `title`"));
        let wrong = error(with(line(), "series", json!([{ "values": [1, "two"] }])));
        assert!(wrong.starts_with("`series[0].values[1]`: invalid type: string"), "{wrong}");
        assert!(error(with(line(), "zone", json!("Mars"))).starts_with("`zone`: `Mars` is no time zone"));
        let png = with(with(line(), "format", json!("png")), "scale", json!(9));
        assert_eq!(error(png), "`scale`: 9; 1 to 3 are allowed");
    }

    #[test]
    fn every_kind_and_every_field_of_the_charts_stands_in_the_schema() {
        let manifest: Value = serde_json::from_str(Charts::MANIFEST).unwrap();
        let schema = &manifest["tools"][0]["input_schema"]["properties"];
        assert_eq!(schema["kind"]["enum"], json!(Chart::KINDS));
        let every: [Value; 7] = [
            serde_json::to_value(pi_plot::Line::default()).unwrap(),
            serde_json::to_value(pi_plot::Contributors::default()).unwrap(),
            serde_json::to_value(pi_plot::Histogram::default()).unwrap(),
            serde_json::to_value(pi_plot::Heatmap::default()).unwrap(),
            serde_json::to_value(pi_plot::NullMatrix::default()).unwrap(),
            serde_json::to_value(pi_plot::SchemaDiff::default()).unwrap(),
            serde_json::to_value(pi_plot::Sparkline::default()).unwrap(),
        ];
        for field in every.iter().flat_map(|it| it.as_object().unwrap().keys()) {
            assert!(schema[field]["description"].is_string(), "{field}");
        }
    }

    #[test]
    fn another_tool_is_not_found() {
        assert!(matches!(Charts::call("draw", json!({})), Err(Error::NotFound(_))));
    }
}
