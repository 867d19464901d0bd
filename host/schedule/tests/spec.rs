//! A job as users write it: what is taken, what stands where nothing is written, and what an error says.

use pi_schedule::{Fold, Gap, Job, JobSpec, Misfire, MisfireRule, Overlap};

fn read(text: &str) -> JobSpec {
    toml::from_str(text).unwrap()
}

/// What is said of a job that cannot be.
fn said(text: &str) -> String {
    match toml::from_str::<JobSpec>(text) {
        Ok(spec) => Job::new("report", spec).unwrap_err().to_string(),
        Err(error) => error.message().to_owned(),
    }
}

#[test]
fn all_keys_are_taken() {
    let spec = read(
        r#"
        cron = "0 7 * * MON-FRI"
        zone = "Europe/Berlin"
        gap = "skip"
        fold = "second"
        jitter = "5m"
        misfire = { deadline = "1h" }
        overlap = { queue = 3 }
        timeout = "30m"
        retries = { attempts = 3, first = "10s", factor = 3, max = "5m", jitter = 0.2 }
        paused = true
        ping = "https://hc-ping.com/2f1c"
        keep = { days = 30, runs = 200 }
        "#,
    );
    let job = Job::new("report", spec.clone()).unwrap();
    assert_eq!(job.misfire(), MisfireRule::Deadline(std::time::Duration::from_secs(3_600)));
    assert_eq!((spec.overlap, spec.gap, spec.fold), (Overlap::Queue(3), Some(Gap::Skip), Some(Fold::Second)));
    assert_eq!(
        job.schedule().describe(),
        "At 07:00, on Monday, Tuesday, Wednesday, Thursday, and Friday. (Europe/Berlin)"
    );
    // Written out and read again it is the same.
    assert_eq!(toml::from_str::<JobSpec>(&toml::to_string(&spec).unwrap()).unwrap(), spec);
}

#[test]
fn what_is_not_written_has_a_default() {
    let job = Job::new("report", read("cron = \"@daily\"")).unwrap();
    assert_eq!((job.misfire(), job.overlap()), (MisfireRule::Latest, Overlap::Forbid));
    assert_eq!((job.timeout().as_secs(), job.retrying().attempts), (3_600, 0));
    assert_eq!((job.schedule().policies().gap, job.schedule().policies().fold), (Gap::Shift, Fold::First));
    let hourly = Job::new("report", read("cron = \"@hourly\"")).unwrap();
    assert_eq!((hourly.schedule().policies().gap, hourly.schedule().policies().fold), (Gap::Skip, Fold::Both));
    assert_eq!(read("every = \"1h\"\nmisfire = \"all\"\noverlap = \"queue\"").misfire, Misfire::All(10));
    assert_eq!(read("every = \"1h\"\nmisfire = { all = 3 }\noverlap = \"allow\"").overlap, Overlap::Allow(4));
}

#[test]
fn an_error_names_the_key_the_value_and_what_is_allowed() {
    let of = |rest: &str| said(&format!("cron = \"0 7 * * *\"\n{rest}"));
    assert_eq!(said(""), "a job needs exactly one of `cron`, `every` and `at`: none is there");
    assert_eq!(
        of("every = \"1h\""),
        "a job needs exactly one of `cron`, `every` and `at`: there are `cron` and `every`"
    );
    assert_eq!(
        said("cron = \"0 7 * * 8\""),
        "`cron`: day of week (field 5 of 5): expected 0 to 7 (0 and 7 are Sunday) or SUN to SAT, also with `#1` to `#5` or `L`: `8`"
    );
    assert_eq!(
        said("cron = \"0 0 30 2 *\""),
        "`cron` never fires: no date in 400 years fits its day of month, month and day of week: `0 0 30 2 *`"
    );
    assert_eq!(
        of("zone = \"Europe/Belin\""),
        "`zone`: there is no time zone `Europe/Belin` (did you mean `Europe/Berlin`?)"
    );
    assert_eq!(of("timeout = \"8d\""), "`timeout`: at least 1s and at most 7d: `8d`");
    assert_eq!(of("jitter = \"2d\""), "`jitter`: at least 0s and at most 1d: `2d`");
    assert_eq!(
        of("retries = { first = \"1 fortnight\" }"),
        "`retries.first`: this is no length of time; write it as in `90s`, `15m`, `1h30m`, `7d`: `1 fortnight`"
    );
    assert_eq!(of("retries = { attempts = 21 }"), "`retries.attempts`: expected 0 to 20: `21`");
    assert_eq!(of("retries = { factor = nan }"), "`retries.factor`: expected 1 to 10: `NaN`");
    assert_eq!(of("retries = { jitter = -0.5 }"), "`retries.jitter`: expected 0 to 1: `-0.5`");
    assert_eq!(of("retries = { first = \"1h\" }"), "`retries.max`: it is shorter than `retries.first`");
    assert_eq!(of("misfire = { all = 0 }"), "`misfire.all`: expected 1 to 1000: `0`");
    assert_eq!(of("misfire = { deadline = \"0s\" }"), "`misfire.deadline`: at least 1s and at most 3660d: `0s`");
    assert_eq!(of("overlap = { allow = 5000 }"), "`overlap.allow`: expected 1 to 1000: `5000`");
    assert_eq!(of("keep = { days = 1 }"), "`keep.days`: expected 2 to 3660: `1`");
    assert_eq!(of("ping = \"file:///etc/passwd\""), "`ping`: expected an address that begins with https:// or http://");
    assert_eq!(of("anchor = \"2026-01-01\""), "`anchor`: it belongs to `every`");
    assert_eq!(
        said("every = \"1h\"\ngap = \"skip\""),
        "`gap`: a fixed interval follows time as it passes and knows neither gaps nor folds"
    );
    assert_eq!(
        said("at = \"tomorrow\""),
        "`at`: this is no time; write `2026-12-24 18:00` by the clock of the zone, or `2026-12-24T18:00:00+01:00`: `tomorrow`"
    );
    assert_eq!(
        said("at = \"2026-03-08 02:30\"\nzone = \"America/New_York\"\ngap = \"skip\""),
        "`at` never fires: the clock of America/New_York leaves it out, and `gap` is \"skip\": `2026-03-08 02:30`"
    );
    assert_eq!(Job::new("a/b", read("every = \"1h\"")).unwrap_err().field(), "name");
}

#[test]
fn an_unknown_key_or_word_is_refused() {
    let of = |rest: &str| said(&format!("cron = \"0 7 * * *\"\n{rest}"));
    assert!(of("crom = \"\"").contains("unknown field `crom`"), "{}", of("crom = \"\""));
    assert!(of("retries = { attempt = 3 }").contains("unknown field `attempt`"));
    assert!(of("keep = { weeks = 3 }").contains("unknown field `weeks`"));
    assert!(of("gap = \"jump\"").contains("`shift` or `skip`"), "{}", of("gap = \"jump\""));
    assert_eq!(
        of("misfire = \"deadline\""),
        "`misfire` takes \"skip\", \"latest\", \"all\", { all = 20 } or { deadline = \"1h\" }: `deadline`"
    );
    assert!(of("misfire = { skip = 1 }").starts_with("`misfire` takes"));
    assert!(of("misfire = { all = 2, deadline = \"1h\" }").starts_with("`misfire` takes"));
    assert!(of("overlap = \"never\"").starts_with("`overlap` takes"));
    assert!(of("overlap = 3").contains("`overlap` takes"));
}

#[test]
fn the_keys_are_those_that_serde_knows() {
    let error = toml::from_str::<JobSpec>("x = 1").unwrap_err().message().to_owned();
    for key in JobSpec::KEYS {
        assert!(error.contains(&format!("`{key}`")), "{key} in {error}");
    }
    assert_eq!(error.matches('`').count() / 2, JobSpec::KEYS.len() + 1);
}

#[test]
fn a_changed_schedule_has_another_fingerprint() {
    let print = |text: &str| Job::new("report", read(text)).unwrap().fingerprint();
    let plain = print("cron = \"0 7 * * *\"");
    assert_eq!(plain, print("cron = \"0 7 * * *\"\nzone = \"UTC\"\ntimeout = \"5m\"\ngap = \"shift\""));
    assert_ne!(plain, print("cron = \"0 8 * * *\""));
    assert_ne!(plain, print("cron = \"0 7 * * *\"\nzone = \"Europe/Berlin\""));
    assert_ne!(plain, print("cron = \"0 7 * * *\"\ngap = \"skip\""));
}
