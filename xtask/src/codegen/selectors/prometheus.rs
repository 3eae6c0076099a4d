//! The rule files of Prometheus select what exists, as panels do.

use std::{collections::BTreeSet, fs, path::Path};

use yaml_rust2::{Yaml, YamlLoader};

use super::check_with;
use crate::workspace;

const FOLDER: &str = "dashboards/prometheus";

/// All texts under `key`, at any depth.
fn texts(yaml: &Yaml, key: &str, found: &mut Vec<String>) {
    match yaml {
        Yaml::Array(items) => items.iter().for_each(|item| texts(item, key, found)),
        Yaml::Hash(entries) => {
            for (name, value) in entries {
                match value {
                    Yaml::String(text) if name.as_str() == Some(key) => found.push(text.clone()),
                    other => texts(other, key, found),
                }
            }
        }
        _ => {}
    }
}

/// Checks the `expr` of all `files`, which may use what any of them records.
fn check(files: &[String]) -> Result<usize, String> {
    let mut expressions = Vec::new();
    let mut recorded = Vec::new();
    for file in files {
        for document in YamlLoader::load_from_str(file).map_err(|error| error.to_string())? {
            texts(&document, "expr", &mut expressions);
            texts(&document, "record", &mut recorded);
        }
    }
    let recorded: BTreeSet<_> = recorded.into_iter().collect();
    expressions.iter().try_for_each(|expr| check_with(expr, &recorded))?;
    Ok(expressions.len())
}

fn read(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    let yaml = paths.filter(|path| path.extension().is_some_and(|extension| extension == "yml"));
    yaml.map(|path| fs::read_to_string(path).unwrap()).collect()
}

#[test]
fn rules_select_what_exists() {
    let files = read(&workspace::root().join(FOLDER));
    let expressions = check(&files).unwrap();
    assert!(files.is_empty() || expressions > 0, "no rule in {FOLDER}");
}

#[test]
fn a_rule_may_use_what_another_records_and_nothing_else() {
    let recording =
        "groups: [{name: a, rules: [{record: job:r, expr: 'sum(floodway_pool_limit)'}]}]";
    let alert =
        "groups:\n- rules:\n  - alert: A\n    expr: >\n      job:r > 1\n      and vector(1)";
    assert_eq!(check(&[alert.into(), recording.into()]), Ok(2));
    check(&[alert.into()]).unwrap_err();
    check(&[recording.replace("pool", "pol")]).unwrap_err();
    check(&["a: [".into()]).unwrap_err();
}
