//! Runs the program as a user does.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
};

use tempfile::TempDir;

/// A folder with a file to process.
struct Work {
    folder: TempDir,
    input: PathBuf,
}

impl Work {
    fn new(lines: u64) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let input = folder.path().join("input.csv");
        let line = |id: u64| match id % 500 {
            499 => format!("{id},7,n/a,without an amount\n"),
            _ => format!("{id},7,{},order {id}\n", id * 3),
        };
        fs::write(&input, (0..lines).map(line).collect::<String>()).expect("written");
        Self { folder, input }
    }

    fn output(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, output: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_floodway-bulk-process"));
        command.arg(&self.input).arg("--output").arg(output).args(arguments).stdin(Stdio::null());
        command
    }

    fn run(&self, output: &Path, arguments: &[&str]) -> Output {
        self.command(output, arguments).output().expect("starts")
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The line to go on from, as the program prints it.
fn resume_point(said: &str) -> String {
    let (_, rest) = said.split_once("--resume-from ").expect(said);
    rest.split_whitespace().next().expect("a number").to_owned()
}

fn lines(path: &Path) -> usize {
    fs::read_to_string(path).expect("readable").lines().count()
}

#[test]
fn a_run_that_is_stopped_goes_on_where_it_was() {
    let work = Work::new(5_000);
    let (whole, parts) = (work.output("whole"), work.output("parts"));
    let one = work.run(&whole, &[]);
    assert_eq!(one.status.code(), Some(0), "{}", said(&one));
    assert!(said(&one).contains("5000 of 5000 lines"), "{}", said(&one));
    assert!(said(&one).contains("10 malformed"), "{}", said(&one));
    assert_eq!(lines(&whole), 5_000);

    let first = work.run(&parts, &["--stop-after", "1500"]);
    assert_eq!(first.status.code(), Some(130), "{}", said(&first));
    let next = resume_point(&said(&first));
    let done: usize = next.parse().expect("a number");
    assert!((1_500..5_000).contains(&done), "{done}");
    assert_eq!(lines(&parts), done);

    // As if it had been killed while it wrote a line.
    let mut torn = fs::read(&parts).expect("readable");
    torn.extend(b"1500,45");
    fs::write(&parts, torn).expect("writable");

    let second = work.run(&parts, &["--resume-from", &next]);
    assert_eq!(second.status.code(), Some(0), "{}", said(&second));
    assert!(fs::read(&parts).expect("readable") == fs::read(&whole).expect("readable"));
}

#[test]
fn ctrl_c_ends_it_with_a_place_to_go_on_from() {
    /// A failed test leaves no process behind.
    struct Running(Child);
    impl Drop for Running {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    // Far more than is done between the first result and the signal.
    let work = Work::new(300_000);
    let output = work.output("output");
    let child = work.command(&output, &[]).stdout(Stdio::piped()).spawn().expect("starts");
    let mut running = Running(child);
    while fs::metadata(&output).map_or(0, |output| output.len()) == 0 {
        assert!(running.0.try_wait().expect("it runs").is_none(), "ended without a result");
        thread::yield_now();
    }
    let id = running.0.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().expect("installed").success());

    let mut said = String::new();
    let mut stdout = running.0.stdout.take().expect("piped");
    std::io::Read::read_to_string(&mut stdout, &mut said).expect("text");
    assert_eq!(running.0.wait().expect("ends").code(), Some(130), "{said}");
    assert!(said.contains("Stopped: cancelled."), "{said}");
    let next = resume_point(&said);
    assert_eq!(lines(&output).to_string(), next, "{said}");
}

#[test]
fn too_many_malformed_lines_end_it() {
    let work = Work::new(2_000);
    let output = work.output("output");
    let ended = work.run(&output, &["--tolerance", "0.001"]);
    assert_eq!(ended.status.code(), Some(1), "{}", said(&ended));
    assert!(said(&ended).contains("too many items failed"), "{}", said(&ended));
}

#[test]
fn what_cannot_be_done_is_said_with_its_file() {
    let work = Work::new(10);
    let output = work.output("output");
    let error = |arguments: &[&str]| {
        let ended = work.run(&output, arguments);
        assert_eq!(ended.status.code(), Some(1));
        String::from_utf8_lossy(&ended.stderr).into_owned()
    };
    let nothing_there = error(&["--resume-from", "5"]);
    assert!(nothing_there.contains("has only 0 lines to go on from"), "{nothing_there}");
    let too_far = error(&["--resume-from", "11"]);
    assert!(too_far.contains("input.csv has only 10 lines"), "{too_far}");
}
