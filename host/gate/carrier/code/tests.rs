//! What passes and what asks, language by language; and random texts, which never panic.

use super::{Language, Reads, read};

mod javascript;
mod line;
mod perl;
mod python;

/// Panics, with the code, unless each passes.
#[track_caller]
fn all_pass(language: Language, all: &[&str]) {
    let refused: Vec<&&str> = all.iter().filter(|code| read(language, code).is_none()).collect();
    assert!(refused.is_empty(), "{} asked: {refused:#?}", refused.len());
}

#[track_caller]
fn all_ask(language: Language, all: &[&str]) {
    let passed: Vec<&&str> = all.iter().filter(|code| read(language, code).is_some()).collect();
    assert!(passed.is_empty(), "{} passed: {passed:#?}", passed.len());
}

fn files(language: Language, code: &str) -> Vec<String> {
    read(language, code).unwrap_or_else(|| panic!("it asked: {code}")).files
}

#[test]
fn random_texts_are_read_without_panic_and_in_time() {
    const PARTS: &[&str] = &[
        "print", "(", ")", "[", "]", "{", "}", "\"", "'", "`", "${", "#{", "f'", "f\"\"\"", "\\", "\n", " ", ".", ",",
        "=", "import ", "from ", "sys", "lambda ", ":", "for ", " in ", "x", "0", "1.", "open", "const ", "=>", "/",
        "é", "#", "//", "/*", "*/", "!", "?.", "require", "%w(", "<<E", "s/", "y/", "|", "@{[", "$_", "=~", "do ",
        "end", "del ", "type", "path", "++", "of ", "new ", "function", "\t", ";", "@", "$", "&", "->", "::", "not ",
    ];
    let mut seed = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % below as u64).unwrap_or(0)
    };
    for _ in 0..40_000 {
        let code: String = (0..next(24)).map(|_| PARTS[next(PARTS.len())]).collect();
        for language in [Language::Python, Language::JavaScript, Language::Perl] {
            let _ = read(language, &code);
        }
    }
}

#[test]
fn long_and_deep_code_is_refused_or_read_in_time() {
    for part in ["(", "[", "f'{", "`${", "x=", "#{", "a[", "(a,", "x.", "f(x)[", "lambda:", "\"", "for x in ", "{a:"] {
        let code = part.repeat(16 * 1024 / part.len());
        for language in [Language::Python, Language::JavaScript, Language::Perl] {
            let _ = read(language, &code);
        }
    }
    let longest = format!("print('{}')", "x".repeat(16 * 1024 - 9));
    assert_eq!(read(Language::Python, &longest), Some(Reads::default()));
    assert_eq!(read(Language::Python, &format!("{longest} ")), None);
}
