//! URLs without what is secret about them.

/// `url` without user, password and options, for errors.
pub(super) fn without_secrets(url: &str) -> String {
    // A password with an unescaped slash makes a URL malformed, so everything before the last `@` goes.
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    if scheme.is_empty() { rest.to_owned() } else { format!("{scheme}://{rest}") }
}

#[cfg(test)]
mod tests {
    use super::without_secrets;

    #[test]
    fn passwords_are_not_shown() {
        for (url, shown) in [
            ("redis://:secret@host:6379/0", "redis://host:6379/0"),
            ("redis://me:sec/r@et@host:6379/0", "redis://host:6379/0"),
            ("redis+unix:///run/redis?pass=secret", "redis+unix:///run/redis"),
            ("secret@host", "host"),
            ("postgres://host/db?password=secret", "postgres://host/db"),
        ] {
            assert_eq!(without_secrets(url), shown, "{url}");
        }
    }
}
