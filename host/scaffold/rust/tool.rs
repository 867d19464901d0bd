//! The tool `count`: the lines, words and bytes of a text file.

use pi_sdk::{Error, Json, files};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The file is read in parts of this size: the whole may be larger than the plugin's memory.
const PART_BYTES: u32 = 1 << 20;

#[derive(Deserialize, JsonSchema)]
struct Count {
    /// Absolute, or relative to the project's folder
    path: String,
}

#[derive(Serialize)]
struct Counted {
    path: String,
    lines: u64,
    words: u64,
    bytes: u64,
}

pi_sdk::tools! {
    read count(Count) "Count the lines, words and bytes of a text file";
}

fn count(arguments: Count) -> Result<Json<Counted>, Error> {
    let mut counted = Counted { path: arguments.path, lines: 0, words: 0, bytes: 0 };
    let mut is_in_word = false;
    loop {
        let part = files::read(&counted.path, counted.bytes, PART_BYTES)?;
        if part.is_empty() {
            return Ok(Json(counted));
        }
        for byte in &part {
            let is_blank = byte.is_ascii_whitespace();
            counted.lines += u64::from(*byte == b'\n');
            counted.words += u64::from(!is_blank && !is_in_word);
            is_in_word = !is_blank;
        }
        counted.bytes += part.len() as u64;
    }
}
