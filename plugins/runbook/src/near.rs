//! The known word that is meant, where another was written.

/// Letters that may differ.
const DISTANCE_MAX: usize = 3;

/// A hint for a word that is not known.
pub(crate) fn hint<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    // A long text is no slip of the pen, and comparing it would take time.
    let wrong: String = wrong.chars().take(64).collect();
    let nearest = known.iter().map(|word| (strsim::damerau_levenshtein(&wrong, word), *word)).min();
    match nearest {
        Some((distance, word)) if distance <= DISTANCE_MAX && distance < word.chars().count() => {
            format!("did you mean `{word}`?")
        }
        _ if known.is_empty() => "there are none".into(),
        _ => format!("there are {}", known.join(", ")),
    }
}

/// A word of a file as it stands in a message: short, and on one line.
pub(crate) fn shown(text: &str) -> String {
    let cut: String = text.chars().take(64).collect();
    let dots = if cut.len() < text.len() { "..." } else { "" };
    cut.escape_debug().to_string().replace("\\\"", "\"").replace("\\'", "'") + dots
}
