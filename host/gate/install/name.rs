//! Names of packages as their registries compare them.

use super::Source;

/// The name as the registry of `ecosystem` compares it, so that two spellings of one package are equal.
#[must_use]
pub fn normalised(ecosystem: &str, name: &str) -> String {
    let name = name.trim();
    match ecosystem {
        // PEP 503: runs of `-`, `_` and `.` are one `-`.
        "PyPI" => {
            let mut out = String::with_capacity(name.len());
            for c in name.chars() {
                let c = if matches!(c, '_' | '.') { '-' } else { c };
                if c != '-' || !out.ends_with('-') {
                    out.extend(c.to_lowercase());
                }
            }
            out
        }
        // Old packages of npm have capitals in their names, and differ by them; crates.io refuses a name
        // that differs from another by case or by `-` and `_`, but shows it as it was published.
        "NuGet" | "Packagist" | "Hex" | "Pub" | "Homebrew" | "Debian" | "VSCode" | "Chocolatey" | "Scoop"
        | "winget" | "Conda" => name.to_lowercase(),
        _ => name.to_owned(),
    }
}

/// The name that a plan or a list shows.
pub(super) fn kept(ecosystem: &str, name: &str, source: &Source) -> String {
    let is_address = match source {
        Source::Git(place) | Source::Url(place) | Source::Path(place) => place == name || name.contains(['/', ':']),
        Source::Registry | Source::OtherRegistry(_) | Source::Image(_) => false,
    };
    // NuGet compares without regard to case, and advisories name a package as it was published: what was
    // written is kept, and whoever compares calls `normalised` on both.
    if is_address || ecosystem == "NuGet" { name.to_owned() } else { normalised(ecosystem, name) }
}

#[cfg(test)]
mod tests {
    use super::normalised;

    #[test]
    fn spellings_of_one_package_are_equal() {
        assert_eq!(normalised("PyPI", "Zope.Interface"), "zope-interface");
        assert_eq!(normalised("PyPI", "a-_.b"), "a-b");
        assert_eq!(normalised("NuGet", "Newtonsoft.Json"), "newtonsoft.json");
        assert_eq!(normalised("Packagist", "Symfony/Console"), "symfony/console");
    }

    #[test]
    fn capitals_count_where_the_registry_counts_them() {
        assert_eq!(normalised("npm", "JSONStream"), "JSONStream");
        assert_eq!(normalised("Maven", "org.A:b"), "org.A:b");
        assert_eq!(normalised("Go", "github.com/BurntSushi/toml"), "github.com/BurntSushi/toml");
    }
}
