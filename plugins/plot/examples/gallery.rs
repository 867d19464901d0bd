//! Every chart, in light and dark, as SVG and PNG: `cargo run -p pi-plot --example gallery -- OUTDIR`.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

use pi_plot::*;

const DAY: f64 = 86_400.0;
/// 2026-03-02, a Monday.
const BEGIN: f64 = 1_772_409_600.0;

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::args().nth(1).ok_or("say where to: gallery OUTDIR")?);
    fs::create_dir_all(&out)?;
    let mut page = "<!doctype html><meta charset=utf-8><meta name=color-scheme content='light dark'><title>Gallery</title><style>body{font:14px system-ui;margin:20px}img{display:block;margin:14px 0}</style>".to_owned();
    for (name, chart, width) in charts() {
        let look = Look { width, ..Look::default() };
        let picture = draw(&chart, &look)?;
        fs::write(out.join(format!("{name}.svg")), &picture.svg)?;
        page.push_str(&format!("<img src='{name}.svg' alt=''><p>{}</p>", picture.alternative.replace('&', "&amp;")));
        println!("{name}: {} bytes of SVG. {}", picture.svg.len(), picture.alternative);
        for (suffix, theme) in [("light", Theme::Light), ("dark", Theme::Dark)] {
            let (bytes, _) = png(&chart, &Look { theme, ..look }, 2)?;
            fs::write(out.join(format!("{name}.{suffix}.png")), bytes)?;
        }
    }
    fs::write(out.join("index.html"), page)?;
    Ok(())
}

fn charts() -> Vec<(&'static str, Chart, Option<u32>)> {
    let line = |chart| Chart::Line(chart);
    vec![
        ("line-band", line(band()), None),
        ("line-narrow", line(band()), Some(320)),
        ("line-incident", line(incident()), None),
        ("line-several", line(several()), None),
        ("line-gaps", line(gaps()), None),
        ("line-many", line(many()), Some(1_200)),
        (
            "line-one",
            line(Line {
                title: "One point".into(),
                series: vec![Series { times: vec![BEGIN.into()], values: vec![Some(42.0)], ..Series::default() }],
                ..Line::default()
            }),
            None,
        ),
        ("line-none", line(Line { title: "No point".into(), ..Line::default() }), None),
        ("line-equal", line(Line { title: "All equal".into(), unit: Unit::Percent, ..plain(&[97.5; 20]) }), None),
        (
            "line-huge",
            line(Line {
                title: "Huge and negative".into(),
                ..plain(&[1e308, -1e308, 5.0, f64::NAN, f64::INFINITY, 3e307])
            }),
            None,
        ),
        ("line-hostile", line(hostile()), None),
        ("contributors", Chart::Contributors(contributors()), None),
        ("contributors-narrow", Chart::Contributors(contributors()), Some(320)),
        ("histogram-bins", Chart::Histogram(bins(24)), None),
        ("histogram-fine", Chart::Histogram(bins(90)), None),
        ("histogram-categories", Chart::Histogram(categories()), None),
        ("heatmap", Chart::Heatmap(heatmap(false)), None),
        ("heatmap-signed", Chart::Heatmap(heatmap(true)), None),
        ("heatmap-narrow", Chart::Heatmap(heatmap(false)), Some(400)),
        ("null-matrix", Chart::NullMatrix(nulls(21)), None),
        ("null-matrix-long", Chart::NullMatrix(nulls(300)), None),
        ("schema-diff", Chart::SchemaDiff(schema()), None),
        ("schema-diff-narrow", Chart::SchemaDiff(schema()), Some(360)),
        ("sparkline", Chart::Sparkline(sparkline()), None),
    ]
}

/// Noise that is the same in every run, -1 to 1.
fn noise(at: usize) -> f64 {
    let mixed = (at as u64).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (mixed >> 40) as f64 / (1u64 << 23) as f64 - 1.0
}

fn plain(values: &[f64]) -> Line {
    let times = (0..values.len()).map(|at| (BEGIN + at as f64 * DAY).into()).collect();
    Line {
        series: vec![Series {
            label: "value".into(),
            times,
            values: values.iter().copied().map(Some).collect(),
            ..Series::default()
        }],
        ..Line::default()
    }
}

fn band() -> Line {
    let week = [1.0, 1.02, 1.05, 1.1, 1.25, 0.7, 0.6];
    let usual = |at: usize| 12_000.0 * week[at % 7] * (1.0 + at as f64 * 0.002);
    let values = (0..56).map(|at| {
        Some(
            usual(at)
                * (1.0 + noise(at) * 0.05)
                * if at >= 53 {
                    0.55
                } else if at == 24 {
                    1.9
                } else {
                    1.0
                },
        )
    });
    Line {
        title: "Rows loaded into public.orders per day".into(),
        subtitle: "56 days; expected from the same weekday of the weeks before".into(),
        zone: Some("Europe/Berlin".into()),
        series: vec![Series {
            label: "rows".into(),
            times: (0..56)
                .map(|at| (BEGIN - 3_600.0 + at as f64 * DAY - if at >= 28 { 3_600.0 } else { 0.0 }).into())
                .collect(),
            values: values.collect(),
            low: (0..56).map(|at| Some(usual(at) * 0.88)).collect(),
            high: (0..56).map(|at| Some(usual(at) * 1.12)).collect(),
            marked: vec![24, 53, 54, 55],
        }],
        annotations: vec![Annotation { at: "2026-04-24".into(), label: "volume drops".into(), kind: MarkKind::Onset }],
        ..Line::default()
    }
}

fn incident() -> Line {
    let values = (0..240).map(|at| {
        let sick = (100..180).contains(&at);
        Some(if sick { 900.0 + noise(at) * 350.0 } else { 120.0 + noise(at) * 30.0 })
    });
    let at = |point: usize| Moment::from(BEGIN + 50_000.0 + point as f64 * 5.0);
    Line {
        title: "Latency of the probe of orders".into(),
        unit: Unit::Milliseconds,
        series: vec![Series {
            label: "latency".into(),
            times: (0..240).map(at).collect(),
            values: values.collect(),
            ..Series::default()
        }],
        annotations: vec![
            Annotation { at: at(100), label: "onset 13:53:20".into(), kind: MarkKind::Onset },
            Annotation { at: at(106), label: "alarm".into(), kind: MarkKind::Alarm },
            Annotation { at: at(130), label: "service_restart".into(), kind: MarkKind::Action },
            Annotation { at: at(160), label: "scale out to 4 instances".into(), kind: MarkKind::Action },
            Annotation { at: at(181), label: "recovery".into(), kind: MarkKind::Recovery },
        ],
        levels: vec![Level { value: 500.0, label: "objective".into() }],
        ..Line::default()
    }
}

fn several() -> Line {
    let names =
        ["web", "app", "marketplace", "partner shops in Scandinavia and the Baltic countries", "phone", "store"];
    let series = names.iter().enumerate().map(|(row, name)| Series {
        label: (*name).into(),
        times: (0..120).map(|at| (BEGIN - 60.0 * DAY + at as f64 * DAY).into()).collect(),
        values: (0..120)
            .map(|at| {
                Some(
                    (6 - row) as f64 * 9_000.0 * (1.0 + 0.3 * (at as f64 / 14.0 + row as f64).sin())
                        + noise(at + row * 500) * 2_500.0,
                )
            })
            .collect(),
        ..Series::default()
    });
    Line {
        title: "Revenue by channel".into(),
        unit: Unit::Currency("EUR".into()),
        series: series.collect(),
        ..Line::default()
    }
}

fn gaps() -> Line {
    let is_gap = |at: usize| (30..42).contains(&at) || (70..73).contains(&at) || at == 90;
    let values = (0..168).map(|at| {
        if is_gap(at) {
            None
        } else {
            Some(
                3.4e9
                    + 8e8 * ((at % 24) as f64 / 24.0 * std::f64::consts::TAU).sin()
                    + noise(at) * 1e8
                    + if at > 140 { 1.6e9 } else { 0.0 },
            )
        }
    });
    Line {
        title: "Size of temporary files".into(),
        unit: Unit::Bytes,
        series: vec![Series {
            label: "bytes".into(),
            times: (0..168).map(|at| (BEGIN + at as f64 * 3_600.0).into()).collect(),
            values: values.collect(),
            ..Series::default()
        }],
        intervals: vec![Interval {
            from: (BEGIN + 141.0 * 3_600.0).into(),
            to: (BEGIN + 167.0 * 3_600.0).into(),
            label: "new level since Saturday 21:00".into(),
        }],
        ..Line::default()
    }
}

fn many() -> Line {
    let values = (0..50_000).map(|at| {
        Some(50.0 + 20.0 * (at as f64 / 4_000.0).sin() + noise(at) * 6.0 + if at == 31_234 { 90.0 } else { 0.0 })
    });
    Line {
        title: "50,000 points with one peak".into(),
        unit: Unit::Named("requests/s".into()),
        series: vec![Series {
            label: "requests".into(),
            times: (0..50_000).map(|at| (BEGIN + at as f64 * 60.0).into()).collect(),
            values: values.collect(),
            marked: vec![31_234],
            ..Series::default()
        }],
        ..Line::default()
    }
}

fn hostile() -> Line {
    let label = format!("</svg><script>alert(1)</script>\u{202e}evil\u{0}\n🦀語{}", "x".repeat(10_000));
    let mut line = plain(&[3.0, 4.0, 2.0, 8.0]);
    line.title = label.clone();
    line.subtitle = "\"'&<>]]> ![x](http://example.org)".into();
    line.unit = Unit::Named(label.clone());
    for one in &mut line.series {
        one.label.clone_from(&label);
        one.marked = vec![3];
    }
    line.annotations = vec![Annotation { at: (BEGIN + 2.0 * DAY).into(), label, kind: MarkKind::Note }];
    line
}

fn contributors() -> Contributors {
    let item = |dimension: &str, value: &str, before: f64, after: f64| Contributor {
        dimension: dimension.into(),
        value: value.into(),
        before: Some(before),
        after: Some(after),
        share: Some((after - before) / -4_180.0),
    };
    Contributors {
        title: "Why orders per day fell from 12,300 to 8,120".into(),
        subtitle: "Mean of the last 3 days against the 28 days before".into(),
        items: vec![
            item("country", "DE", 5_200.0, 2_100.0),
            item("country", "AT", 900.0, 310.0),
            item("payment_method", "invoice with a very long name that nobody reads", 1_400.0, 870.0),
            item("device", "mobile", 4_100.0, 3_900.0),
            item("country", "FR", 700.0, 940.0),
            Contributor {
                dimension: "channel".into(),
                value: "(null)".into(),
                before: None,
                after: Some(120.0),
                share: None,
            },
        ],
        ..Contributors::default()
    }
}

fn bins(count: usize) -> Histogram {
    let bell = |middle: f64| {
        (0..count)
            .map(|at| {
                (10_000.0
                    * (-((at as f64 / count as f64 - middle) / 0.14).powi(2)).exp()
                    * (1.0 + noise(at + count) * 0.1))
                    .round()
            })
            .collect()
    };
    Histogram {
        title: "Price of an order".into(),
        subtitle: "last 7 days against the 28 days before".into(),
        unit: Unit::Currency("EUR".into()),
        edges: (0..=count).map(|at| at as f64 * 120.0 / count as f64).collect(),
        before: bell(0.4),
        after: bell(0.55),
        before_label: "28 days before".into(),
        after_label: "last 7 days".into(),
        ..Histogram::default()
    }
}

fn categories() -> Histogram {
    let names = ["card", "paypal", "invoice", "direct debit", "gift card", "apple pay", "(null)"];
    Histogram {
        title: "payments.method".into(),
        categories: names.map(Into::into).to_vec(),
        before: vec![5_200.0, 3_100.0, 1_900.0, 800.0, 120.0, 0.0, 4.0],
        after: vec![4_900.0, 3_300.0, 0.0, 790.0, 110.0, 1_400.0, 610.0],
        ..Histogram::default()
    }
}

fn heatmap(is_signed: bool) -> Heatmap {
    let value = |day: usize, hour: usize| {
        let day_part = (-((hour as f64 - 14.0) / 5.0).powi(2)).exp();
        let base = 40.0 + 900.0 * day_part * if day >= 5 { 0.45 } else { 1.0 } + noise(day * 24 + hour) * 30.0;
        if day == 6 && hour == 3 { None } else { Some(if is_signed { base - 450.0 } else { base }) }
    };
    Heatmap {
        title: if is_signed { "Orders against the mean".into() } else { "Orders by hour and weekday".into() },
        subtitle: "last 8 weeks, Europe/Berlin".into(),
        values: (0..7).map(|day| (0..24).map(|hour| value(day, hour)).collect()).collect(),
        marked: if is_signed { Vec::new() } else { vec![(2, 9), (2, 10)] },
        ..Heatmap::default()
    }
}

fn nulls(count: usize) -> NullMatrix {
    let columns =
        ["order_id", "customer_id", "email", "shipping_address_line_2_with_a_long_name", "coupon", "campaign_source"];
    let share = |row: usize, at: usize| match (row, at) {
        (_, at) if at == count / 3 => None,
        (2, at) if at >= count * 3 / 4 => Some(0.42 + noise(at) * 0.05),
        (5, at) if at >= count / 2 => Some(1.0),
        (3, at) => Some(0.61 + noise(at) * 0.03),
        (4, at) => Some(0.87 + noise(at) * 0.02),
        (1, 5) => Some(0.004),
        _ => Some(0.0),
    };
    NullMatrix {
        title: "Missing values in public.orders".into(),
        subtitle: "share of each day's rows".into(),
        columns: columns.map(Into::into).to_vec(),
        times: (0..count).map(|at| (BEGIN + at as f64 * DAY).into()).collect(),
        shares: (0..columns.len()).map(|row| (0..count).map(|at| share(row, at)).collect()).collect(),
        marked: vec![(2, count * 3 / 4), (5, count / 2)],
        ..NullMatrix::default()
    }
}

fn schema() -> SchemaDiff {
    let text = |text: &str| Some(text.to_owned());
    let column = |name: &str, change, before, after, breaking| ColumnChange {
        name: name.into(),
        change,
        before,
        after,
        breaking,
        ..ColumnChange::default()
    };
    SchemaDiff {
        title: "Schema of shop since 22 April".into(),
        subtitle: "2 views and 1 materialised view depend on what changed".into(),
        tables: vec![
            TableChange {
                name: "public.orders".into(),
                columns: vec![
                    ColumnChange {
                        name: "customer_reference".into(),
                        change: Change::Renamed,
                        from: text("customer_ref"),
                        after: text("text"),
                        breaking: true,
                        ..ColumnChange::default()
                    },
                    column("total", Change::Changed, text("numeric(10,2)"), text("double precision"), true),
                    column("coupon_id", Change::Added, None, text("bigint null"), false),
                    column("legacy_flag", Change::Removed, text("boolean"), None, true),
                ],
                unchanged: 14,
                ..TableChange::default()
            },
            TableChange {
                name: "public.loyalty_points".into(),
                change: Change::Added,
                columns: vec![
                    column("customer_id", Change::Added, None, text("bigint"), false),
                    column("points", Change::Added, None, text("integer"), false),
                    column("valid_until", Change::Added, None, text("date"), false),
                ],
                ..TableChange::default()
            },
            TableChange { name: "public.tmp_import_2025".into(), change: Change::Removed, ..TableChange::default() },
            TableChange {
                name: "public.shipments".into(),
                change: Change::Renamed,
                from: text("public.deliveries"),
                breaking: true,
                unchanged: 9,
                ..TableChange::default()
            },
            TableChange {
                name: "analytics.daily_revenue_by_country_and_category_of_the_product".into(),
                columns: vec![column(
                    "a_column_with_a_name_that_is_much_longer_than_the_card",
                    Change::Changed,
                    text("timestamp without time zone"),
                    text("timestamp with time zone"),
                    false,
                )],
                unchanged: 3,
                ..TableChange::default()
            },
        ],
    }
}

fn sparkline() -> Sparkline {
    Sparkline {
        title: "Rows per day".into(),
        values: (0..60)
            .map(|at| {
                if (20..23).contains(&at) {
                    None
                } else {
                    Some(100.0 + noise(at) * 9.0 + at as f64 * 0.4 - if at == 45 { 60.0 } else { 0.0 })
                }
            })
            .collect(),
        marked: vec![45],
        ..Sparkline::default()
    }
}
