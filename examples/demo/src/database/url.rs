//! The URL of a database: what is accepted, and how it is shown.

use anyhow::{Context, Result, bail};
use sqlx::any::AnyConnectOptions;
use url::Url;

/// Accepts a PostgreSQL URL.
pub(super) fn postgres(value: &str) -> Result<AnyConnectOptions> {
    let shown = without_password(value);
    let url = Url::parse(value).with_context(|| {
        format!(
            "--database-url {shown}: not a URL, expected postgres://user:password@host/database"
        )
    })?;
    if !matches!(url.scheme(), "postgres" | "postgresql") {
        bail!(
            "--database-url {shown}: unsupported scheme {:?}, expected postgres://user:password@host/database; without this option the demo uses SQLite",
            url.scheme()
        );
    }
    value.parse().with_context(|| format!("--database-url {shown}"))
}

/// The value as it may be shown to anybody.
pub(super) fn without_password(value: &str) -> String {
    let parsed = Url::parse(value).ok().filter(|url| {
        // Characters that a password should have had escaped end the host early, and what
        // follows of it looks like a path, a query or a fragment.
        url.has_host() && url.fragment().is_none() && !value_after_host(url).contains('@')
    });
    let Some(mut url) = parsed else {
        return without_anything_secret(value);
    };
    // Fails only for URLs that cannot have one.
    let _ = url.set_password(None);
    if url.query_pairs().any(|(key, _)| key == "password") {
        let others: Vec<_> = url
            .query_pairs()
            .filter(|(key, _)| key != "password")
            .map(|(key, value)| (key.into_owned(), value.into_owned()))
            .collect();
        url.set_query(None);
        if !others.is_empty() {
            url.query_pairs_mut().extend_pairs(others);
        }
    }
    url.to_string()
}

fn value_after_host(url: &Url) -> &str {
    &url[url::Position::BeforePath..]
}

/// Where the parts of the value are unknown, everything that may hold a password goes.
fn without_anything_secret(value: &str) -> String {
    let scheme = value.split_once("://").map(|(scheme, _)| scheme);
    let rest = value.rsplit_once('@').map(|(_, rest)| rest);
    match (scheme, rest) {
        _ if value.contains("password=") => format!("{}://...", scheme.unwrap_or("...")),
        (Some(scheme), Some(rest)) => format!("{scheme}://{rest}"),
        (None, Some(rest)) => rest.to_owned(),
        (_, None) => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_refused(value: &str, shown: &str) {
        let error = format!("{:#}", postgres(value).expect_err("refused"));
        assert!(error.starts_with(&format!("--database-url {shown}: ")), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn refusals_name_the_option_and_the_value_without_the_password() {
        check_refused("mysql://me:secret@host/orders", "mysql://me@host/orders");
        check_refused("nonsense", "nonsense");
        check_refused("me:secret@host", "host");
        check_refused(
            "postgres://me:secret:secret@host:port/orders",
            "postgres://host:port/orders",
        );
    }

    #[test]
    fn the_password_is_removed_wherever_it_may_stand() {
        for (value, shown) in [
            ("postgres://me:secret@host/orders", "postgres://me@host/orders"),
            ("postgres://host/orders?user=me&password=secret", "postgres://host/orders?user=me"),
            ("postgres://me:12#secret@host/orders", "postgres://host/orders"),
            ("postgres://me:12/secret@host/orders", "postgres://host/orders"),
            ("postgres://host:port/orders?password=sec@ret", "postgres://..."),
            (
                "postgres://me@host/orders?sslmode=disable",
                "postgres://me@host/orders?sslmode=disable",
            ),
        ] {
            assert_eq!(without_password(value), shown);
        }
    }
}
