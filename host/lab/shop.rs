//! A small shop's database, as it grew for months up to this moment, and what happens to it over night: what an analyst
//! should notice by itself.

use std::fmt::Write as _;
use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};

use super::Dice;

/// Days of history.
const DAYS: u64 = 120;
/// Days that pass between the looks.
pub const AWAY_DAYS: u64 = 5;
const DAY_MS: u64 = 86_400_000;
const PRODUCTS: u64 = 60;
const CUSTOMERS: u64 = 400;
/// Rows of one statement.
const ROWS_AT_ONCE: usize = 400;

const TABLES: &str = "
CREATE TABLE categories (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT NOT NULL, category_id INTEGER NOT NULL REFERENCES categories(id), list_price REAL NOT NULL);
CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL, country TEXT NOT NULL, joined_at TEXT NOT NULL);
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers(id), ordered_at TEXT NOT NULL, channel TEXT NOT NULL, total REAL NOT NULL);
CREATE TABLE order_items (id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL REFERENCES orders(id), product_id INTEGER NOT NULL REFERENCES products(id), added_at TEXT NOT NULL, quantity INTEGER NOT NULL, unit_price REAL NOT NULL);
CREATE TABLE payments (id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL REFERENCES orders(id), paid_at TEXT NOT NULL, method TEXT NOT NULL, amount REAL NOT NULL);
CREATE TABLE shipments (id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL REFERENCES orders(id), loaded_at TEXT NOT NULL, carrier TEXT NOT NULL, weight_kg REAL NOT NULL);
CREATE INDEX order_items_order ON order_items(order_id);
";

/// Something that happens to the shop, and how a report is known to tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    pub name: &'static str,
    /// Words that a finding about it has, all of them.
    pub words: &'static [&'static str],
    sql: &'static str,
}

/// What happens over night. `now` is replaced by the moment, in quotes.
pub const CHANGES: &[Change] = &[
    Change {
        name: "a column was renamed",
        words: &["customers", "country_code"],
        sql: "ALTER TABLE customers RENAME COLUMN country TO country_code",
    },
    Change {
        name: "a category vanished",
        words: &["orders", "channel", "phone"],
        sql: "UPDATE orders SET channel = 'web' WHERE channel = 'phone' AND ordered_at >= datetime(:now, '-3 days', 'start of day')",
    },
    Change {
        name: "loads are late",
        words: &["shipments"],
        sql: "DELETE FROM shipments WHERE loaded_at >= datetime(:now, '-3 days', 'start of day')",
    },
    Change {
        name: "a day was loaded twice",
        words: &["payments"],
        sql: "INSERT INTO payments (order_id, paid_at, method, amount) SELECT order_id, paid_at, method, amount FROM payments \
              WHERE paid_at >= datetime(:now, '-1 days', 'start of day') AND paid_at < datetime(:now, 'start of day')",
    },
    Change {
        name: "prices drifted",
        words: &["order_items", "unit_price"],
        sql: "UPDATE order_items SET unit_price = round(unit_price * 1.4, 2) WHERE added_at >= datetime(:now, '-4 days', 'start of day')",
    },
    Change {
        name: "keys lead nowhere",
        words: &["order_items", "product_id"],
        sql: "UPDATE order_items SET product_id = 100000 + id WHERE id % 5 = 0 AND added_at >= datetime(:now, '-2 days', 'start of day')",
    },
];

#[derive(Debug, thiserror::Error)]
#[error("the shop's database cannot be written: {0}")]
pub struct ShopError(#[from] sqlx::Error);

/// Write the database with its history, as it was [`AWAY_DAYS`] before `now_ms`.
///
/// # Errors
/// The file cannot be written.
pub async fn generate(file: &Path, seed: u64, now_ms: u64) -> Result<(), ShopError> {
    let rows = rows(&Dice::new(seed), now_ms, 0, left_ms(now_ms));
    run(file, &format!("BEGIN;{TABLES}{rows}COMMIT;")).await
}

/// Let the days since then pass, and everything of [`CHANGES`] happen in them.
///
/// # Errors
/// The file cannot be written.
pub async fn change(file: &Path, seed: u64, now_ms: u64) -> Result<(), ShopError> {
    let now = format!("'{}'", moment(now_ms));
    let mut script = rows(&Dice::new(seed), now_ms, left_ms(now_ms), now_ms);
    for change in CHANGES {
        let _ = write!(script, "{};", change.sql.replace(":now", &now));
    }
    run(file, &format!("BEGIN;{script}COMMIT;")).await
}

/// The end of the last day before the analyst was away.
fn left_ms(now_ms: u64) -> u64 {
    (now_ms - now_ms % DAY_MS).saturating_sub(AWAY_DAYS * DAY_MS)
}

async fn run(file: &Path, script: &str) -> Result<(), ShopError> {
    // Keys may lead nowhere here, as in a database that does not watch them.
    let options = SqliteConnectOptions::new().filename(file).create_if_missing(true).foreign_keys(false);
    let mut connection = options.connect().await?;
    connection.execute(AssertSqlSafe(script.to_owned())).await?;
    connection.close().await?;
    Ok(())
}

/// `2026-11-24 08:15:00`, as SQLite's own functions write it.
fn moment(time_ms: u64) -> String {
    crate::clock::rfc3339(time_ms).chars().take(19).map(|c| if c == 'T' { ' ' } else { c }).collect()
}

/// Values of a table, in statements of bounded length.
struct Rows {
    table: &'static str,
    rows: Vec<String>,
}

impl Rows {
    fn new(table: &'static str) -> Self {
        Self { table, rows: Vec::new() }
    }

    fn put(&mut self, is_within: bool, row: String) {
        if is_within {
            self.rows.push(row);
        }
    }

    fn write(&self, script: &mut String) {
        for part in self.rows.chunks(ROWS_AT_ONCE) {
            let _ = write!(script, "INSERT INTO {} VALUES {};", self.table, part.join(","));
        }
    }
}

/// What was written after `from_ms` and up to `to_ms`; the same seed and the same moment make the same rows.
fn rows(dice: &Dice, now_ms: u64, from_ms: u64, to_ms: u64) -> String {
    let is_within = |time_ms: u64| time_ms > from_ms && time_ms <= to_ms;
    let mut script = String::new();
    let mut dice = dice.fork("shop");
    let categories = ["garden", "kitchen", "office", "sport", "toys", "travel"];
    let mut table = Rows::new("categories");
    for (index, name) in categories.iter().enumerate() {
        table.put(from_ms == 0, format!("({}, '{name}')", index + 1));
    }
    table.write(&mut script);
    let mut table = Rows::new("products");
    let mut prices = Vec::new();
    for id in 1..=PRODUCTS {
        let price = (dice.between(300, 9_000) as f64) / 100.0;
        prices.push(price);
        let category = 1 + id % 6;
        let name = categories.get(usize::try_from(category - 1).unwrap_or(0)).unwrap_or(&"other");
        table.put(from_ms == 0, format!("({id}, '{name} article {id}', {category}, {price})"));
    }
    table.write(&mut script);
    let start_ms = (now_ms - now_ms % DAY_MS).saturating_sub(DAYS * DAY_MS);
    let mut table = Rows::new("customers");
    for id in 1..=CUSTOMERS {
        let country = dice.pick(&["AT", "CH", "CH", "DE", "DE", "DE", "FR", "IT"]);
        let joined = moment(start_ms.saturating_sub(dice.between(0, 700) * DAY_MS));
        table
            .put(from_ms == 0, format!("({id}, 'customer {id}', 'customer{id}@example.com', '{country}', '{joined}')"));
    }
    table.write(&mut script);
    let (mut orders, mut items) = (Rows::new("orders"), Rows::new("order_items"));
    let (mut payments, mut shipments) = (Rows::new("payments"), Rows::new("shipments"));
    let (mut order, mut item) = (0, 0);
    for day in 0..=DAYS {
        let day_ms = start_ms + day * DAY_MS;
        // The first of January 1970 was a Thursday; people order less at the weekend.
        let is_weekend = [2, 3].contains(&(day_ms / DAY_MS % 7));
        let count = if is_weekend { dice.between(34, 42) } else { dice.between(54, 66) };
        for number in 0..count {
            // From seven to eleven in the evening, in order.
            let ordered_ms = day_ms + 25_200_000 + (number * 57_600_000 + dice.between(0, 50_000_000 / count)) / count;
            if ordered_ms > now_ms {
                break;
            }
            order += 1;
            let channel = dice.pick(&["web", "web", "web", "web", "app", "app", "app", "phone", "phone", "store"]);
            let mut total = 0.0;
            for _ in 0..dice.between(1, 4) {
                item += 1;
                let product = dice.between(1, PRODUCTS);
                let list = prices.get(usize::try_from(product - 1).unwrap_or(0)).copied().unwrap_or(10.0);
                let price = (list * (dice.between(95, 105) as f64)).round() / 100.0;
                let quantity = dice.between(1, 3);
                total += price * quantity as f64;
                let added = moment(ordered_ms.saturating_sub(dice.between(0, 900_000)));
                items.put(
                    is_within(ordered_ms),
                    format!("({item}, {order}, {product}, '{added}', {quantity}, {price})"),
                );
            }
            let (customer, at) = (dice.between(1, CUSTOMERS), moment(ordered_ms));
            let total = (total * 100.0).round() / 100.0;
            orders.put(is_within(ordered_ms), format!("({order}, {customer}, '{at}', '{channel}', {total})"));
            let paid_ms = ordered_ms + dice.between(5_000, 600_000);
            let method = dice.pick(&["card", "card", "invoice", "wallet"]);
            payments.put(is_within(paid_ms), format!("({order}, {order}, '{}', '{method}', {total})", moment(paid_ms)));
            let loaded_ms = ordered_ms + dice.between(3_600_000, 14_400_000);
            let carrier = dice.pick(&["north", "north", "post", "rapid"]);
            let weight = (dice.between(20, 900) as f64) / 100.0;
            let row = format!("({order}, {order}, '{}', '{carrier}', {weight})", moment(loaded_ms));
            shipments.put(is_within(loaded_ms), row);
        }
    }
    for table in [&orders, &items, &payments, &shipments] {
        table.write(&mut script);
    }
    script
}

/// What of [`CHANGES`] the findings of a report tell: for each, the number of the finding, from 1 on.
#[must_use]
pub fn told(findings: &[String]) -> Vec<(&'static Change, Option<usize>)> {
    let number = |change: &Change| {
        findings
            .iter()
            .position(|finding| change.words.iter().all(|word| finding.contains(word)))
            .map(|index| index + 1)
    };
    CHANGES.iter().map(|change| (change, number(change))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_795_000_000_000;

    #[tokio::test]
    async fn the_shop_grows_to_the_moment_and_everything_happens_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("shop.db");
        generate(&file, 7, NOW_MS).await.unwrap();
        let mut connection = SqliteConnectOptions::new().filename(&file).connect().await.unwrap();
        let newest: String =
            sqlx::query_scalar("SELECT max(ordered_at) FROM orders").fetch_one(&mut connection).await.unwrap();
        assert!(newest <= moment(left_ms(NOW_MS)) && newest > moment(left_ms(NOW_MS) - DAY_MS), "{newest}");
        let before: i64 = sqlx::query_scalar("SELECT count(*) FROM payments").fetch_one(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        change(&file, 7, NOW_MS).await.unwrap();
        let mut connection = SqliteConnectOptions::new().filename(&file).connect().await.unwrap();
        for (sql, is_right) in [
            ("SELECT count(*) FROM payments", &(|n| n > before) as &dyn Fn(i64) -> bool),
            ("SELECT count(*) FROM orders WHERE ordered_at > '2026-11-17'", &|n| n > 10),
            ("SELECT count(*) FROM order_items WHERE product_id > 1000", &|n| n > 10),
            ("SELECT count(country_code) FROM customers", &|n| n == 400),
        ] {
            let number: i64 = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
            assert!(is_right(number), "{sql}: {number}");
        }
    }
}
