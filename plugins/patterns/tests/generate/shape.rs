//! The five schemas, their rows, and the changes.

use pi_catalog::finding::Finding;

use super::database::Sqlite;

const DAY_S: i64 = 86_400;

/// A source of random numbers that is the same everywhere (splitmix64).
#[derive(Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.bits() % end.max(1) as u64) as usize
    }

    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    pub(crate) fn normal(&mut self) -> f64 {
        let (a, b) = (self.unit().max(1e-300), self.unit());
        (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
    }

    pub(crate) fn weighted(&mut self, weights: &[f64]) -> usize {
        let mut left = self.unit() * weights.iter().sum::<f64>();
        for (at, weight) in weights.iter().enumerate() {
            left -= weight;
            if left <= 0.0 {
                return at;
            }
        }
        weights.len() - 1
    }
}

/// What things are called in a schema.
struct Names {
    facts: &'static str,
    things: &'static str,
    thing_id: &'static str,
    time: &'static str,
    load: &'static str,
    number: &'static str,
    channel: (&'static str, &'static [&'static str]),
    country: (&'static str, &'static [&'static str]),
    category: (&'static str, &'static [&'static str]),
    amount: &'static str,
    score: &'static str,
    quantity: &'static str,
    code: &'static str,
    email: &'static str,
    states: &'static [&'static str],
}

const SCHEMAS: [Names; 5] = [
    Names {
        facts: "orders",
        things: "products",
        thing_id: "product_id",
        time: "ordered_at",
        load: "loaded_at",
        number: "order_no",
        channel: ("channel", &["web", "app", "store", "phone"]),
        country: ("country", &["CH", "DE", "AT", "FR", "IT"]),
        category: ("category", &["shoes", "shirts", "hats", "bags"]),
        amount: "total",
        score: "discount",
        quantity: "weight_g",
        code: "voucher",
        email: "contact_email",
        states: &["pending", "shipped", "delivered"],
    },
    Names {
        facts: "readings",
        things: "devices",
        thing_id: "device_id",
        time: "measured_at",
        load: "ingested_at",
        number: "reading_no",
        channel: ("firmware", &["1.0", "1.1", "2.0"]),
        country: ("site", &["north", "south", "east", "west", "harbour", "roof"]),
        category: ("model", &["a1", "b2", "c3", "d4", "e5"]),
        amount: "power_w",
        score: "temperature",
        quantity: "pulses",
        code: "batch",
        email: "operator_note",
        states: &["raw", "checked", "final"],
    },
    Names {
        facts: "subscription_events",
        things: "customers",
        thing_id: "customer_id",
        time: "occurred_at",
        load: "imported_at",
        number: "event_no",
        channel: ("plan", &["free", "basic", "plus", "team"]),
        country: ("region", &["emea", "amer", "apac"]),
        category: ("segment", &["small", "middle", "large"]),
        amount: "fee",
        score: "engagement",
        quantity: "seats_used",
        code: "campaign",
        email: "referrer",
        states: &["open", "invoiced", "paid"],
    },
    Names {
        facts: "shipments",
        things: "carriers",
        thing_id: "carrier_id",
        time: "dispatched_at",
        load: "synced_at",
        number: "shipment_no",
        channel: ("mode", &["road", "rail", "air", "sea"]),
        country: ("hub", &["ZRH", "BSL", "GVA", "MXP", "LYS"]),
        category: ("service", &["express", "standard", "bulk"]),
        amount: "cost",
        score: "detour_km",
        quantity: "parcels_kg",
        code: "route",
        email: "remark",
        states: &["planned", "moving", "arrived"],
    },
    Names {
        facts: "payments",
        things: "merchants",
        thing_id: "merchant_id",
        time: "created_at",
        load: "recorded_at",
        number: "payment_no",
        channel: ("scheme", &["visa", "mastercard", "twint", "sepa"]),
        country: ("currency", &["CHF", "EUR", "USD", "GBP"]),
        category: ("sector", &["food", "travel", "retail", "health"]),
        amount: "amount",
        score: "risk",
        quantity: "retry_ms",
        code: "terminal",
        email: "payer_note",
        states: &["authorised", "captured", "settled"],
    },
];

/// A kind of change: what it is called, and the findings that tell of it.
pub(crate) struct Change {
    pub(crate) name: &'static str,
    /// Kinds that say it.
    kinds: &'static [&'static str],
    /// Where: a column of the facts by its part, `things`, or nothing for the table.
    place: &'static str,
    /// Newest days that have it.
    days: i64,
}

const fn change(name: &'static str, kinds: &'static [&'static str], place: &'static str, days: i64) -> Change {
    Change { name, kinds, place, days }
}

pub(crate) const CHANGES: [Change; 40] = [
    change("volume_drop", &["volume_dropped"], "", 1),
    change("volume_spike", &["volume_rose"], "", 1),
    change("volume_lower_for_days", &["volume_dropped"], "", 4),
    change("no_rows", &["data_stale"], "", 1),
    change("half_day", &["volume_dropped", "hours_shifted"], "", 1),
    change("nulls_rise", &["nulls_rose"], "email", 1),
    change("nulls_all", &["nulls_rose"], "score", 1),
    change("blanks", &["blanks_rose"], "code", 1),
    change("zeros", &["zeros_rose"], "amount", 1),
    change("negatives", &["negatives_rose"], "amount", 1),
    change("text_in_numbers", &["unreadable_rose"], "amount", 1),
    change("unit_changed", &["mean_rose"], "amount", 1),
    change("price_drifts", &["mean_rose", "distribution_drifted"], "amount", 3),
    change("sensor_drifts", &["mean_rose", "mean_fell", "distribution_drifted"], "score", 2),
    change("noise_grows", &["spread_rose", "distribution_drifted"], "score", 2),
    change("outlier", &["maximum_rose", "mean_rose", "spread_rose"], "amount", 1),
    change("truncated", &["length_fell", "format_new"], "code", 1),
    change("rows_twice", &["duplicates_appeared", "keys_repeated"], "any", 1),
    change("day_copied", &["bucket_copied", "keys_repeated"], "any", 1),
    change("key_repeated", &["keys_repeated"], "number", 1),
    change("category_vanished", &["category_vanished"], "channel", 1),
    change("category_new", &["category_new"], "country", 1),
    change("category_renamed", &["category_renamed"], "channel", 1),
    change("mix_shifts", &["category_shifted"], "country", 2),
    change("column_constant", &["column_constant"], "country", 1),
    change("format_new", &["format_new"], "code", 1),
    change("orphans", &["orphans_appeared"], "thing_id", 1),
    change("dependency_breaks", &["dependency_broken"], "category", 1),
    change("hours_shift", &["hours_shifted"], "", 1),
    change("one_thing_dominates", &["top_value_grew", "distinct_fell"], "thing_id", 1),
    change("loads_late", &["loads_late"], "load", 1),
    change("loads_before_event", &["moments_backwards"], "load", 1),
    change("past_deleted", &["past_deleted"], "", 1),
    change("past_grown", &["past_grown"], "", 1),
    change("moments_ahead", &["moments_ahead"], "time", 1),
    change("moments_missing", &["moments_missing"], "time", 1),
    change("things_fewer", &["rows_fell"], "things", 1),
    change("things_gone", &["table_emptied"], "things", 1),
    change("things_nulls", &["nulls_rose"], "things", 1),
    change("things_price", &["mean_rose"], "things", 1),
];

/// A row before it is written.
#[derive(Clone)]
struct Row {
    second: i64,
    lag_s: i64,
    number: String,
    thing: i64,
    channel: String,
    country: String,
    category: String,
    amount: rusqlite::types::Value,
    score: Option<f64>,
    quantity: i64,
    code: Option<String>,
    email: Option<String>,
    /// The age in days at which it reaches its next states.
    patience: f64,
}

/// A database that is the same whenever it is made of the same seed.
pub(crate) struct Plan {
    pub(crate) seed: u64,
    names: &'static Names,
    rows_a_day: f64,
    pub(crate) history: i64,
    first_day: i64,
    things: usize,
    growth: f64,
    weekend: f64,
    noise: f64,
    /// How many times the rows of another day the first of a month has.
    month_start: f64,
    /// By what part of itself the first channel grows a day.
    channel_drift: f64,
    /// How strong changes are that may be weaker: one for what they are, a half for half of it.
    strength: f64,
    categories: Vec<usize>,
    weights: Vec<f64>,
    spread: f64,
}

impl Plan {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut slow = Random::new(seed ^ 0x51);
        let names = &SCHEMAS[(seed % 5) as usize];
        let things = 40 + random.below(120);
        Self {
            seed,
            names,
            rows_a_day: [150.0, 300.0, 700.0][random.below(3)] * random.between(0.8, 1.2),
            history: 80 + random.below(60) as i64,
            // Away from the days on which much of the world does not work.
            first_day: pi_signals_days(2025, 1 + random.below(4) as i64, 8 + random.below(18) as i64),
            things,
            growth: random.between(-0.001, 0.005),
            weekend: if names.facts == "readings" { 1.0 } else { random.between(0.3, 1.2) },
            noise: random.between(0.03, 0.08),
            month_start: if slow.unit() < 0.3 { slow.between(1.4, 2.0) } else { 1.0 },
            channel_drift: slow.between(0.0, 0.006),
            strength: 1.0,
            categories: (0..things).map(|_| random.below(names.category.1.len())).collect(),
            weights: (0..things).map(|_| (0.7 * random.normal()).exp()).collect(),
            spread: random.between(0.3, 0.9),
        }
    }

    /// The same with few rows and a short history, which is looked at in less than a second.
    pub(crate) fn small(seed: u64) -> Self {
        Self { rows_a_day: 140.0, history: 48, ..Self::new(seed) }
    }

    pub(crate) fn with_strength(self, strength: f64) -> Self {
        Self { strength, ..self }
    }

    fn last_day(&self) -> i64 {
        self.first_day + self.history
    }

    /// Early in the morning after the last day that is there.
    pub(crate) fn now_ms(&self, is_after: bool) -> i64 {
        (self.last_day() + i64::from(is_after)) * DAY_S * 1000 + 6 * 3_600_000
    }

    /// Whether a finding tells of a change.
    pub(crate) fn matches(&self, change: &Change, finding: &Finding) -> bool {
        let names = self.names;
        let column = finding.subject.column.as_deref();
        let table = if change.place == "things" { names.things } else { names.facts };
        let is_place = match change.place {
            "" => column.is_none(),
            "things" | "any" => true,
            "email" => column == Some(names.email),
            "score" => column == Some(names.score),
            "code" => column == Some(names.code),
            "amount" => column == Some(names.amount),
            "number" => column == Some(names.number),
            "channel" => column == Some(names.channel.0),
            "country" => column == Some(names.country.0),
            "category" => column == Some(names.category.0),
            "thing_id" => column == Some(names.thing_id),
            "load" => column == Some(names.load),
            "time" => column == Some(names.time),
            other => panic!("no such place: {other}"),
        };
        finding.subject.table == table && is_place && change.kinds.contains(&finding.kind.as_str())
    }

    /// All but the newest day.
    pub(crate) fn fill(&self, database: &mut Sqlite, change: Option<&Change>) {
        let n = self.names;
        database.run(&format!(
            "CREATE TABLE {things} (id INTEGER PRIMARY KEY, label TEXT, {category} TEXT, price REAL, origin TEXT);
             CREATE TABLE {facts} (id INTEGER PRIMARY KEY, {number} TEXT, {time} TEXT, {load} TEXT, {thing} INTEGER REFERENCES {things}(id),
               {channel} TEXT, {country} TEXT, {category} TEXT, {amount} REAL, {score} REAL, {quantity} INTEGER, {code} TEXT, {email} TEXT, status TEXT, finished_at TEXT)",
            things = n.things, facts = n.facts, number = n.number, time = n.time, load = n.load, thing = n.thing_id,
            channel = n.channel.0, country = n.country.0, category = n.category.0, amount = n.amount, score = n.score, quantity = n.quantity,
            code = n.code, email = n.email
        ));
        let mut random = Random::new(self.seed ^ 0xabcd);
        for thing in 0..self.things {
            let price = (3.0 + 0.6 * random.normal()).exp();
            let origin = ["near", "far", "unknown"][random.weighted(&[5.0, 3.0, 1.0])];
            let category = n.category.1[self.categories[thing]];
            database
                .connection
                .execute(
                    &format!("INSERT INTO {} VALUES (?1, ?2, ?3, ?4, ?5)", n.things),
                    rusqlite::params![thing as i64 + 1, format!("thing {thing}"), category, price, origin],
                )
                .unwrap();
        }
        let mut rows = Vec::new();
        for day in self.first_day..self.last_day() {
            let is_changed = change.is_some_and(|change| day > self.last_day() - change.days);
            rows.extend(self.rows_of(day, change.filter(|_| is_changed)));
        }
        self.write(database, &rows);
        self.move_on(database, self.last_day());
    }

    /// The newest day, and what else the change does.
    pub(crate) fn add(&self, database: &mut Sqlite, change: Option<&Change>) {
        let n = self.names;
        let day = self.last_day();
        let mut rows = self.rows_of(day, change);
        let mut random = Random::new(self.seed ^ 0x77);
        let name = change.map_or("", |change| change.name);
        match name {
            "rows_twice" => {
                let again: Vec<Row> = rows.iter().filter(|_| random.unit() < 0.2 * self.strength).cloned().collect();
                rows.extend(again);
            }
            "day_copied" => {
                rows = self.rows_of(day - 1, None);
                rows.iter_mut().for_each(|row| row.second += DAY_S);
            }
            "key_repeated" => {
                for at in 0..(rows.len() as f64 / 12.0 * self.strength) as usize {
                    rows[at * 10 + 1].number = rows[at * 10].number.clone();
                }
            }
            "past_grown" => {
                let more = self.rows_of(day - 12, None);
                rows.extend(more.into_iter().map(|row| Row {
                    number: format!("{}x", row.number),
                    second: row.second + 1,
                    ..row
                }));
            }
            _ => {}
        }
        self.write(database, &rows);
        self.move_on(database, day + 1);
        let run = |sql: String| database.run(&sql);
        match name {
            "past_deleted" => run(format!(
                "DELETE FROM {} WHERE {} >= '{}' AND {1} < '{}' AND id % 3 > 0",
                n.facts,
                n.time,
                date(day - 20),
                date(day - 15)
            )),
            "moments_ahead" => {
                run(format!("UPDATE {} SET {} = '9999-12-31 00:00:00' WHERE id % 1000 = 7", n.facts, n.time))
            }
            "moments_missing" => run(format!("UPDATE {} SET {} = NULL WHERE id % 700 = 7", n.facts, n.time)),
            "things_fewer" => run(format!("DELETE FROM {} WHERE id % 3 = 0", n.things)),
            "things_gone" => run(format!("DELETE FROM {}", n.things)),
            "things_nulls" => run(format!("UPDATE {} SET price = NULL WHERE id % 3 = 0", n.things)),
            "things_price" => run(format!("UPDATE {} SET price = price * 2", n.things)),
            _ => {}
        }
    }

    /// A status moves on and columns are filled as rows get older.
    fn move_on(&self, database: &Sqlite, day: i64) {
        let n = self.names;
        let (first, second) = (date(day - 1), date(day - 3));
        database.run(&format!(
            "UPDATE {f} SET status = CASE WHEN {t} >= '{first}' THEN '{a}' WHEN {t} >= '{second}' AND id % 3 > 0 THEN '{b}' ELSE '{c}' END,
               finished_at = CASE WHEN {t} >= '{second}' THEN NULL ELSE datetime({t}, '+2 days') END WHERE {t} >= '{older}'",
            f = n.facts, t = n.time, a = n.states[0], b = n.states[1], c = n.states[2], older = if day == self.last_day() { date(0) } else { date(day - 8) }
        ));
    }

    fn rows_of(&self, day: i64, change: Option<&Change>) -> Vec<Row> {
        let n = self.names;
        let mut random = Random::new(self.seed.wrapping_mul(1_000_003).wrapping_add(day as u64));
        let name = change.map_or("", |change| change.name);
        let strength = self.strength;
        let age = (day - self.first_day) as f64;
        // 1970 began on a Thursday: 2 and 3 are the weekend.
        let weekday = if matches!(day.rem_euclid(7), 2 | 3) { self.weekend } else { 1.0 };
        let is_promotion = random.unit() < 0.02;
        let promotion = if is_promotion { random.between(1.3, 1.8) } else { 1.0 };
        let month = if pi_signals::instant::date_of(day).2 == 1 { self.month_start } else { 1.0 };
        let level = self.rows_a_day
            * weekday
            * month
            * (1.0 + self.growth * age)
            * promotion
            * (self.noise * random.normal()).exp();
        let level = match name {
            "volume_drop" => level * (1.0 - 0.6 * strength),
            "volume_spike" => level * (1.0 + 1.5 * strength),
            "volume_lower_for_days" => level * (1.0 - 0.45 * strength),
            "no_rows" => 0.0,
            _ => level,
        };
        let count = (level + level.sqrt() * random.normal()).round().max(0.0) as usize;
        let price = if is_promotion { 0.85 } else { 1.0 } * (0.02 * random.normal()).exp();
        let channels: Vec<f64> = (0..n.channel.1.len())
            .map(|at| {
                let drift = if at == 0 { 1.0 + self.channel_drift * age } else { 1.0 };
                drift / (at as f64 + 1.0) * (0.08 * random.normal()).exp()
            })
            .collect();
        let countries: Vec<f64> = (0..n.country.1.len())
            .map(|at| {
                (if name == "mix_shifts" && at == 1 { 1.0 + 3.0 * strength } else { 1.0 }) / (at as f64 + 1.3)
                    * (0.08 * random.normal()).exp()
            })
            .collect();
        let drift = 0.1 * random.normal();
        let mut rows = Vec::with_capacity(count);
        for at in 0..count {
            let hour = loop {
                let hour = random.between(0.0, 24.0);
                if random.unit() < 0.15 + 0.85 * (-(hour - 14.0).powi(2) / 30.0).exp() {
                    break hour;
                }
            };
            let hour = if name == "hours_shift" { (hour + 8.0 * strength) % 24.0 } else { hour };
            let mut thing = random.weighted(&self.weights);
            if name == "one_thing_dominates" && random.unit() < 0.35 * strength {
                thing = 3;
            }
            let mut amount = price * (3.5 + self.spread * random.normal()).exp();
            let mut score = 20.0 + drift + 4.0 * random.normal();
            match name {
                "unit_changed" => amount *= 100.0,
                "price_drifts" => amount *= 1.0 + 0.3 * strength,
                "sensor_drifts" => score += 3.0 * strength,
                "noise_grows" => score = 20.0 + (4.0 + 6.0 * strength) * random.normal(),
                "outlier" if at == 5 => amount *= 3_000.0 * strength,
                "zeros" if random.unit() < 0.15 * strength => amount = 0.0,
                "negatives" if random.unit() < 0.1 * strength => amount = -amount,
                _ => {}
            }
            let amount = if name == "text_in_numbers" && random.unit() < 0.08 * strength {
                "n/a".to_owned().into()
            } else {
                ((amount * 100.0).round() / 100.0).into()
            };
            let channel = match n.channel.1[random.weighted(&channels)] {
                gone if name == "category_vanished" && gone == n.channel.1[1] => n.channel.1[0].to_owned(),
                old if name == "category_renamed" && old == n.channel.1[1] => format!("{}-2", old.to_uppercase()),
                channel => channel.to_owned(),
            };
            let mut country = n.country.1[random.weighted(&countries)].to_owned();
            if name == "category_new" && random.unit() < 0.12 * strength {
                country = "XK".to_owned();
            }
            if name == "column_constant" {
                country = n.country.1[0].to_owned();
            }
            let mut category = n.category.1[self.categories[thing]].to_owned();
            if name == "dependency_breaks" && random.unit() < 0.15 * strength {
                category = n.category.1[(self.categories[thing] + 1) % n.category.1.len()].to_owned();
            }
            let digits = random.below(9000) + 1000;
            let letter = |at: usize| (b'A' + (at % 26) as u8) as char;
            let (a, b) = (letter(random.below(26)), letter(random.below(26)));
            let mut code = Some(format!("{a}{b}-{digits}"));
            match name {
                "blanks" if random.unit() < 0.2 * strength => code = Some(String::new()),
                "truncated" => code = Some(format!("{a}{b}")),
                "format_new" if random.unit() < 0.2 * strength => code = Some(format!("{digits}/{a}")),
                _ => {}
            }
            let missing = if name == "nulls_rise" { 0.05 + 0.35 * strength } else { 0.05 };
            let lag_s = (-300.0 * random.unit().max(1e-12).ln()) as i64 + 60;
            let lag_s = match name {
                "loads_late" => lag_s + (6.0 * 3_600.0 * strength) as i64,
                "loads_before_event" if random.unit() < 0.08 * strength => -3_600,
                _ => lag_s,
            };
            let orphan = name == "orphans" && random.unit() < 0.05 * strength;
            rows.push(Row {
                second: day * DAY_S + (hour * 3_600.0) as i64,
                lag_s,
                number: format!("N{day}-{at:05}"),
                thing: if orphan { 100_000 + random.below(1_000) as i64 } else { thing as i64 + 1 },
                channel,
                country,
                category,
                amount,
                score: (name != "nulls_all").then_some((score * 100.0).round() / 100.0),
                quantity: 100 + (300.0 * (0.5 * random.normal()).exp()) as i64,
                code,
                email: (random.unit() >= missing).then(|| format!("somebody{}@example.org", random.below(100_000))),
                patience: random.unit(),
            });
        }
        if name == "half_day" {
            let end = ((24.0 - 11.0 * strength) * 3_600.0) as i64;
            rows.retain(|row| row.second.rem_euclid(DAY_S) < end);
        }
        rows
    }

    fn write(&self, database: &mut Sqlite, rows: &[Row]) {
        let transaction = database.connection.transaction().unwrap();
        {
            let sql = format!(
                "INSERT INTO {} VALUES (NULL, ?1, datetime(?2, 'unixepoch'), datetime(?3, 'unixepoch'), ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, NULL, NULL)",
                self.names.facts
            );
            let mut statement = transaction.prepare(&sql).unwrap();
            for row in rows {
                statement
                    .execute(rusqlite::params![
                        row.number,
                        row.second,
                        row.second + row.lag_s,
                        row.thing,
                        row.channel,
                        row.country,
                        row.category,
                        row.amount,
                        row.score,
                        row.quantity,
                        row.code,
                        row.email
                    ])
                    .unwrap();
            }
        }
        transaction.commit().unwrap();
    }
}

fn date(day: i64) -> String {
    let (year, month, day) = pi_signals::instant::date_of(day);
    format!("{year:04}-{month:02}-{day:02}")
}

fn pi_signals_days(year: i64, month: i64, day: i64) -> i64 {
    pi_signals::instant::days_of(year, month, day).unwrap()
}
