//! What is said to whoever asks for what cannot be.

use crate::support::{check_said, program};

#[test]
fn without_a_url_it_says_how_to_get_one() {
    for arguments in [&[][..], &["worker"]] {
        let output = program(arguments).output().expect("starts");
        assert_eq!(output.status.code(), Some(1));
        let parts = ["--redis-url", "redis-server --port", "redis://127.0.0.1:6379/"];
        check_said(&output.stderr, &parts);
    }
}

#[test]
fn what_the_user_did_wrong_is_named_with_the_value() {
    for (arguments, parts) in [
        (&["--items", "0"][..], &["--items", "'0'"][..]),
        (&["--work", "cpu:2ms"], &["--work", "cpu:2ms", "io:2ms"]),
        (&["--kill-every", "soon"], &["--kill-every", "soon"]),
        (&["--items", "5", "--lethal", "6"], &["--lethal 6", "--items 5"]),
        (&["--redis-url", "nonsense"], &["--redis-url nonsense: ", "redis://"]),
        (
            &["--redis-url", "redis://me:secret@127.0.0.1:1/"],
            &["--redis-url redis://me@127.0.0.1:1/: cannot connect: "],
        ),
        (
            &["worker", "--redis-url", "redis://me:secret@127.0.0.1:1/"],
            &["--redis-url redis://me@127.0.0.1:1/: cannot connect: "],
        ),
    ] {
        let output = program(arguments).output().expect("starts");
        assert!(!output.status.success());
        check_said(&output.stderr, parts);
    }
}
