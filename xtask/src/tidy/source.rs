//! Rules about the text of single files.

use super::{TextFile, Violation};

/// Text that must not be in Rust code. Split, so that this file does not break its own rule.
const FORBIDDEN: [(&str, &str); 3] = [
    (concat!("todo", "!("), "unfinished code is not kept"),
    (concat!("unimplemented", "!("), "unfinished code is not kept"),
    (concat!("#[", "ignore"), "a test that does not run is not kept"),
];

/// Where absolute paths of one machine begin; split for the same reason.
const MACHINE_FOLDERS: [&str; 3] =
    [concat!("/", "work/"), concat!("/", "root/"), concat!("/", "home/")];

pub(super) fn check(file: &TextFile) -> Vec<Violation> {
    let mut found = machine_paths(file);
    if file.path.extension().is_some_and(|extension| extension == "rs") {
        found.extend(rust(file));
    }
    found
}

fn rust(file: &TextFile) -> Vec<Violation> {
    let mut found = Vec::new();
    if !file.text.starts_with("//! ") {
        found.push(file.violation(1, "a file opens with a `//!` sentence that names its concept"));
    }
    if file.path.file_name().is_some_and(|name| name == "mod.rs") {
        found.push(file.violation(1, "a module is `foo.rs` beside `foo/`"));
    }
    let code = file.lines().filter(|(_, line)| !line.trim_start().starts_with("//"));
    for (number, line) in code {
        for (text, reason) in FORBIDDEN {
            if line.contains(text) {
                found.push(file.violation(number, format!("`{text}`: {reason}")));
            }
        }
    }
    found
}

fn machine_paths(file: &TextFile) -> Vec<Violation> {
    // `https://example.org/home/` and `assets/work/` are no absolute paths: those begin a word.
    let begins_a_word = |before: &str| {
        !before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '}' | '*'))
    };
    let mut found = Vec::new();
    for (number, line) in file.lines() {
        for folder in MACHINE_FOLDERS {
            if line.match_indices(folder).any(|(at, _)| begins_a_word(&line[..at])) {
                found.push(file.violation(number, format!("`{folder}` is a path of one machine")));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn lines(path: &str, text: &str, expected: &[usize]) {
        let file = TextFile { path: path.into(), text: text.into() };
        let found: Vec<_> = check(&file).iter().map(|violation| violation.line).collect();
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn a_file_opens_with_its_concept() {
        lines("a.rs", "//! One thing.\n", &[]);
        lines("a.rs", "use std::fmt;\n", &[1]);
        lines("a.rs", "", &[1]);
        lines("a.md", "text\n", &[]);
    }

    #[test]
    fn unfinished_code_is_found_and_comments_are_not_code() {
        lines("a.rs", concat!("//! One.\nfn f() { todo", "!() }\n"), &[2]);
        lines("a.rs", concat!("//! One.\n#[test]\n#[", "ignore]\n"), &[3]);
        lines("a.rs", concat!("//! One.\n// never todo", "!()\n"), &[]);
    }

    #[test]
    fn folders_of_modules_have_no_file_of_their_own() {
        lines("a/mod.rs", "//! One.\n", &[1]);
    }

    #[test]
    fn machine_paths_are_found_where_they_begin_a_word() {
        lines("a.md", concat!("see\n`/", "home/me/x`\n"), &[2]);
        lines("a.md", concat!("https://example.org/", "home/x assets/", "work/y\n"), &[]);
    }
}
