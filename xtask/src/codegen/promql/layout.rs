//! Lines of an expression as they are written into files that people read.

use super::Expr;

impl Expr {
    /// The lines, in which calls that would make a long one are broken behind their parenthesis.
    pub(in crate::codegen) fn laid_out(&self) -> String {
        let lines: Vec<_> = self.0.lines().map(|line| broken(line, 0)).collect();
        lines.join("\n")
    }
}

/// Columns that a line of a rule may have.
pub(super) const WIDTH: usize = 88;

/// `line`, with what is in its widest parentheses on lines of its own if it is long.
fn broken(line: &str, depth: usize) -> String {
    let content = line.trim_start();
    let depth = depth + (line.len() - content.len());
    let indent = " ".repeat(depth);
    let widest = (depth + content.len() > WIDTH).then(|| widest_parentheses(content)).flatten();
    let Some((open, close)) = widest else {
        return format!("{indent}{content}");
    };
    let inner = broken(&content[open + 1..close], depth + 2);
    format!("{indent}{}\n{inner}\n{indent}{}", &content[..=open], &content[close..])
}

fn widest_parentheses(text: &str) -> Option<(usize, usize)> {
    let mut open = Vec::new();
    let mut widest: Option<(usize, usize)> = None;
    for (at, character) in text.char_indices() {
        match character {
            '(' => open.push(at),
            ')' => {
                let begin = open.pop()?;
                if widest.is_none_or(|(from, to)| to - from < at - begin) {
                    widest = Some((begin, at));
                }
            }
            _ => {}
        }
    }
    widest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_long_lines_are_broken() {
        let short = "sum by (job) (rate(x[5m])) > 1";
        let long = "min by (job) (sum by (job, instance, limiter, direction) (rate(x_total{a=\"b\"}[10m]))) > 1";
        let expected = "min by (job) (\n  sum by (job, instance, limiter, direction) \
            (rate(x_total{a=\"b\"}[10m]))\n) > 1";
        assert_eq!(
            Expr(format!("{short}\nand\n{long}")).laid_out(),
            format!("{short}\nand\n{expected}")
        );
    }
}
