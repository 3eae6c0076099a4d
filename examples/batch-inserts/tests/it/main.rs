//! Runs the program as a user does.

use std::{
    fs,
    process::{Child, Command, Output, Stdio},
    thread,
};

use floodway_test_support::Postgres;

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_floodway-batch-inserts"));
    command.args(arguments).stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    command(arguments).output().expect("starts")
}

fn check_said(bytes: &[u8], parts: &[&str]) {
    let said = String::from_utf8_lossy(bytes);
    for part in parts {
        assert!(said.contains(part), "{part:?} is not in:\n{said}");
    }
    assert!(!said.contains("secret"), "{said}");
    assert!(!said.contains('\u{1b}'), "control sequences without a terminal");
}

/// 397 of 400 rows are stored whatever the three bad ones are batched with. That they are in the
/// table is checked by the program itself.
fn check_bad_rows(more: &[&str]) {
    let arguments =
        ["--rows", "400", "--callers", "40", "--bad-rows", "3", "--fixed", "7", "--seconds", "600"];
    let output = run(&[&arguments[..], more].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    check_said(
        &output.stdout,
        &["unbatched", "rows/batch", "at most 7", "3 bad rows were refused", "397 others", "cents"],
    );
}

#[test]
fn sqlite_stores_all_but_the_bad_rows() {
    check_bad_rows(&["--embedded"]);
}

#[test]
fn where_nothing_was_stored_nothing_is_compared() {
    let output = run(&["--rows", "6", "--bad-rows", "6", "--callers", "3"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    check_said(&output.stdout, &["6 bad rows were refused", "0 others"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(!said.contains("NaN") && !said.contains("times as many"), "{said}");
}

#[test]
fn postgres_stores_all_but_the_bad_rows() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    for statement in ["unnest", "values"] {
        let url = postgres.url();
        check_bad_rows(&["--database", &url, "--statement", statement]);
    }
}

#[test]
fn what_the_user_did_wrong_is_named_with_the_value() {
    for (arguments, parts) in [
        (&["--callers", "0"][..], &["--callers", "'0'"][..]),
        (&["--rows", "5", "--bad-rows", "6"], &["--bad-rows 6", "--rows 5"]),
        (&["--database", "nonsense"], &["--database nonsense: ", "postgres://"]),
        (&["--database", "mysql://me:secret@h/x"], &["--database mysql://me@h/x: ", "\"mysql\""]),
        (
            &["--database", "postgres://me:secret@127.0.0.1:1/shop"],
            &["--database postgres://me@127.0.0.1:1/shop: cannot connect: "],
        ),
    ] {
        let output = run(arguments);
        assert!(!output.status.success());
        check_said(&output.stderr, parts);
    }
}

#[test]
fn ctrl_c_ends_it_and_leaves_nothing_behind() {
    /// A failed test leaves no process behind.
    struct Running(Child);
    impl Drop for Running {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    let folder = tempfile::tempdir().expect("a temporary folder");
    let is_empty = || fs::read_dir(folder.path()).expect("readable").next().is_none();
    let mut command = command(&["--seconds", "600", "--rows", "10000000"]);
    let child = command.env("TMPDIR", folder.path()).spawn().expect("starts");
    let mut running = Running(child);
    while is_empty() {
        assert!(running.0.try_wait().expect("it runs").is_none(), "ended");
        thread::yield_now();
    }
    let id = running.0.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().expect("installed").success());
    assert_eq!(running.0.wait().expect("ends").code(), Some(130));
    assert!(is_empty(), "the database is still there");
}
