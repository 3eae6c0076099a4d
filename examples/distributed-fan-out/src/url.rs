//! The URL of a server as it may be shown to anybody.

use url::Url;

/// Without a password, or without anything where one could be anywhere.
pub(crate) fn shown(value: &str) -> String {
    match Url::parse(value) {
        // What a password should have had escaped ends the host early, and the rest of it is taken
        // for a path.
        Ok(url) if url.has_host() && !url[url::Position::AfterPort..].contains('@') => {
            let user = if url.username().is_empty() { "" } else { &format!("{}@", url.username()) };
            let host = &url[url::Position::BeforeHost..url::Position::AfterPath];
            format!("{}://{user}{host}", url.scheme())
        }
        _ if value.contains(['@', '=']) => "…".to_owned(),
        _ => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        for (value, expected) in [
            ("redis://me:secret@host:6379/1", "redis://me@host:6379/1"),
            ("redis://:secret@host/", "redis://host/"),
            ("redis://me:12/secret@host/", "…"),
            ("redis+unix:///run/redis?pass=secret", "…"),
            ("redis+unix:///run/redis", "redis+unix:///run/redis"),
            ("me:secret@host", "…"),
            ("nonsense", "nonsense"),
        ] {
            assert_eq!(shown(value), expected);
        }
    }
}
