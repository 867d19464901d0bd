//! Where in a JSON text something stands. serde_json says line and column; people look for `metrics[3].points[7]`.
//!
//! Read only after an error, so that reading what is well formed costs nothing for it.

/// One level of nesting.
enum Level {
    List(usize),
    Object(String),
}

/// The path of the value at a line and a column (both counted from 1, as serde_json does).
pub(super) fn path_at(text: &str, line: usize, column: usize) -> String {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    // The column is that of the last byte that was read: what stands there belongs to the value still.
    let end = (start + column.saturating_sub(1)).min(text.len());
    let bytes = text.as_bytes();
    let mut levels: Vec<Level> = Vec::new();
    let mut at = 0;
    while at < end {
        match bytes.get(at) {
            Some(b'{') => levels.push(Level::Object(String::new())),
            Some(b'[') => levels.push(Level::List(0)),
            Some(b'}' | b']') => {
                levels.pop();
            }
            Some(b',') => match levels.last_mut() {
                Some(Level::List(index)) => *index += 1,
                Some(Level::Object(key)) => key.clear(),
                None => {}
            },
            Some(b'"') => {
                let close = end_of_string(bytes, at);
                if let (Some(Level::Object(key)), Some(inner)) = (levels.last_mut(), text.get(at + 1..close))
                    && key.is_empty()
                {
                    inner.clone_into(key);
                }
                at = close;
            }
            _ => {}
        }
        at += 1;
    }
    let mut path = String::new();
    for level in &levels {
        match level {
            Level::List(index) => path.push_str(&format!("[{index}]")),
            Level::Object(key) if key.is_empty() => {}
            Level::Object(key) => {
                path.push_str(if path.is_empty() { "" } else { "." });
                path.push_str(key);
            }
        }
    }
    if path.is_empty() || path == "[0]" { ".".into() } else { path }
}

/// The text with null for each bare NaN and Infinity; `None` if there is none.
pub(super) fn without_nan(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut clean = String::with_capacity(text.len() + 64);
    let (mut at, mut copied) = (0, 0);
    while at < bytes.len() {
        if bytes.get(at) == Some(&b'"') {
            at = end_of_string(bytes, at) + 1;
            continue;
        }
        let words = ["NaN", "-NaN", "Infinity", "-Infinity"];
        match words.iter().find(|word| bytes.get(at..at + word.len()) == Some(word.as_bytes())) {
            Some(word) => {
                clean.push_str(text.get(copied..at)?);
                clean.push_str("null");
                at += word.len();
                copied = at;
            }
            None => at += 1,
        }
    }
    if copied == 0 {
        return None;
    }
    clean.push_str(text.get(copied..)?);
    Some(clean)
}

/// The index of the quote that closes the string which opens at `at`, or the end of the text.
fn end_of_string(bytes: &[u8], at: usize) -> usize {
    let mut at = at + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}
