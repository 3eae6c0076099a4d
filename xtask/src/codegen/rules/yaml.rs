//! YAML as far as Prometheus' rules and their tests need it, laid out for people.

use std::fmt::Write;

/// A part of a document.
pub(super) enum Node {
    /// A text on the line of its key.
    Text(String),
    /// A number on the line of its key.
    Number(&'static str),
    /// A text of several lines that are kept.
    Lines(String),
    /// A sentence, wrapped.
    Prose(String),
    List(Vec<Self>),
    Map(Vec<(&'static str, Self)>),
}

/// Columns after which prose is wrapped.
const WIDTH: usize = 96;

pub(super) fn text(text: impl Into<String>) -> Node {
    Node::Text(text.into())
}

/// The document, below a comment.
pub(super) fn document(comment: &str, root: &Node) -> String {
    let mut out = String::new();
    for line in comment.lines() {
        let _ = writeln!(out, "{}", format!("# {line}").trim_end());
    }
    block(&mut out, 0, root);
    out
}

/// Lines of a node that begins on a line of its own, indented by `depth` spaces.
fn block(out: &mut String, depth: usize, node: &Node) {
    let indent = " ".repeat(depth);
    match node {
        Node::Text(line) => {
            let _ = writeln!(out, "{indent}{}", scalar(line));
        }
        Node::Number(number) => {
            let _ = writeln!(out, "{indent}{number}");
        }
        Node::Lines(lines) | Node::Prose(lines) => {
            let wrapped = matches!(node, Node::Prose(_)).then(|| wrap(lines, WIDTH - depth));
            for line in wrapped.as_deref().unwrap_or(lines).lines() {
                let _ = writeln!(out, "{indent}{line}");
            }
        }
        Node::List(items) => {
            for (item, number) in items.iter().zip(0..) {
                let mut inner = String::new();
                block(&mut inner, depth + 2, item);
                // Long entries are easier to tell apart with air between them.
                if number > 0 && inner.lines().count() > 2 {
                    out.push('\n');
                }
                out.push_str(&indent);
                out.push_str("- ");
                out.push_str(&inner[depth + 2..]);
            }
        }
        Node::Map(entries) => {
            for (key, value) in entries {
                entry(out, depth, key, value);
            }
        }
    }
}

fn entry(out: &mut String, depth: usize, key: &str, value: &Node) {
    let _ = write!(out, "{}{key}:", " ".repeat(depth));
    match value {
        Node::Text(line) => {
            let _ = writeln!(out, " {}", scalar(line));
            return;
        }
        Node::Number(number) => {
            let _ = writeln!(out, " {number}");
            return;
        }
        Node::Lines(lines) if !lines.contains('\n') => {
            let _ = writeln!(out, " {}", scalar(lines));
            return;
        }
        Node::List(items) if items.is_empty() => {
            out.push_str(" []\n");
            return;
        }
        Node::Lines(_) => out.push_str(" |-\n"),
        Node::Prose(_) => out.push_str(" >-\n"),
        Node::List(_) | Node::Map(_) => out.push('\n'),
    }
    block(out, depth + 2, value);
}

/// A text on one line, quoted where YAML would take it for something else.
fn scalar(line: &str) -> String {
    // Digits might begin a number; behind a letter, only these two would end the text.
    let plain = line.starts_with(|c: char| c.is_ascii_alphabetic())
        && ![": ", " #"].iter().any(|end| line.contains(end))
        && !line.ends_with(':');
    if plain || is_duration(line) {
        line.to_owned()
    } else {
        format!("'{}'", line.replace('\'', "''"))
    }
}

fn is_duration(text: &str) -> bool {
    let Some((unit_at, _)) = text.char_indices().next_back() else {
        return false;
    };
    let (digits, unit) = text.split_at(unit_at);
    matches!(unit, "s" | "m" | "h" | "d") && digits.parse::<u32>().is_ok()
}

fn wrap(prose: &str, width: usize) -> String {
    let mut lines = String::new();
    let mut used = 0;
    let mut rest = prose;
    while !rest.is_empty() {
        // A template is one word, whatever is in it.
        let from = if rest.starts_with("{{") { rest.find("}}").unwrap_or(0) } else { 0 };
        let end = rest[from..].find(' ').map_or(rest.len(), |at| from + at);
        let word = &rest[..end];
        rest = rest[end..].trim_start();
        if used > 0 && used + 1 + word.len() > width {
            lines.push('\n');
            used = 0;
        } else if used > 0 {
            lines.push(' ');
            used += 1;
        }
        lines.push_str(word);
        used += word.len();
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_laid_out() {
        let rule = |name: &str| {
            Node::Map(vec![
                ("alert", text(name)),
                ("expr", Node::Lines("a\nand\nb".into())),
                ("labels", Node::Map(vec![("severity", text("info"))])),
                ("description", Node::Prose(format!("{} end", "word ".repeat(20).trim()))),
                ("none", Node::List(Vec::new())),
            ])
        };
        let root = Node::Map(vec![("rules", Node::List(vec![rule("A"), rule("1's")]))]);
        let words = "word ".repeat(17);
        let one = |name: &str| {
            format!(
                "  - alert: {name}\n    expr: |-\n      a\n      and\n      b\n    labels:\n      \
                 severity: info\n    description: >-\n      {} word\n      word word end\n    \
                 none: []\n",
                words.trim()
            )
        };
        let expected = format!("# One.\n# Two.\nrules:\n{}\n{}", one("A"), one("'1''s'"));
        assert_eq!(document("One.\nTwo.", &root), expected);
    }

    #[test]
    fn what_yaml_would_misread_is_quoted() {
        for plain in ["5m", "a:8080", "floodway_x{a=\"b\"} > 1", "sum by (job) (up)"] {
            assert_eq!(scalar(plain), plain);
        }
        for quoted in ["1", "0x20", "{{ $value }}", "a: b", "[x]", "", "a #b"] {
            assert_eq!(scalar(quoted), format!("'{quoted}'"));
        }
    }
}
