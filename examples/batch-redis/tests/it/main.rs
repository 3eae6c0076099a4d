//! Runs the program as a user does.

use std::process::{Command, Output, Stdio};

use floodway_test_support::Redis;

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_floodway-batch-redis"))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("starts")
}

fn check_said(bytes: &[u8], parts: &[&str]) {
    let said = String::from_utf8_lossy(bytes);
    for part in parts {
        assert!(said.contains(part), "{part:?} is not in:\n{said}");
    }
    assert!(!said.contains("secret"), "{said}");
    assert!(!said.contains('\u{1b}'), "control sequences without a terminal");
}

/// That all commands were done, each once, is checked by the program itself.
#[test]
fn every_command_has_its_own_answer() {
    let Some(redis) = Redis::start() else {
        return;
    };
    for url in [redis.url(), redis.unix_url()] {
        let arguments = ["--redis-url", &url, "--commands", "900", "--bad-commands", "7"];
        let load = ["--callers", "40", "--in-flight", "3", "--fixed", "5", "--seconds", "600"];
        let output = run(&[&arguments[..], &load].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        check_said(
            &output.stdout,
            &[
                "unbatched",
                "commands/batch",
                "at most 5",
                "7 bad commands",
                "893 others",
                "integer",
            ],
        );
    }
}

#[test]
fn without_a_url_it_says_how_to_get_one() {
    let output = run(&[]);
    assert!(!output.status.success());
    check_said(&output.stderr, &["--redis-url", "redis-server --port", "redis://127.0.0.1:6379/"]);
}

#[test]
fn what_the_user_did_wrong_is_named_with_the_value() {
    for (arguments, parts) in [
        (&["--callers", "0"][..], &["--callers", "'0'"][..]),
        (&["--redis-url", "nonsense"], &["--redis-url nonsense: ", "redis://"]),
        (
            &["--redis-url", "redis://me:secret@127.0.0.1:1/"],
            &["--redis-url redis://me@127.0.0.1:1/: cannot connect: "],
        ),
    ] {
        let output = run(arguments);
        assert!(!output.status.success());
        check_said(&output.stderr, parts);
    }
}
