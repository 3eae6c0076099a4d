//! The types of Grafana's Foundation SDK read every dashboard and lose nothing of it.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

use crate::services::python;

/// A dashboard's JSON, changed as a mistake would.
type Mistake = fn(&mut Value);

/// A Python that has the SDK; `None`, after saying so, if there is none.
fn python() -> Option<PathBuf> {
    let python = python::installed();
    if python.is_none() {
        assert!(!floodway_test_support::required(), "the Foundation SDK is not installed");
        println!("skipped: no Foundation SDK (run `cargo xtask test --install-services`)");
    }
    python
}

/// What `foundation.py` says about `dashboard`: nothing, or which paths do not come back.
fn round_trip(python: &Path, dashboard: &Value) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("dashboard.json");
    std::fs::write(&file, dashboard.to_string()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/codegen/dashboard/foundation.py");
    let output = Command::new(python).arg(script).arg(&file).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    // Whatever else goes wrong, such as a traceback, has nothing to say on standard output.
    assert_eq!(output.status.success(), said.is_empty(), "{error}");
    said
}

#[test]
fn the_foundation_sdk_loses_nothing() {
    let Some(python) = python() else { return };
    super::check(|dashboard| assert_eq!(round_trip(&python, dashboard), ""));
}

/// Renames the field `from` of the object at `pointer`.
fn rename(dashboard: &mut Value, pointer: &str, from: &str, to: &str) {
    let object = dashboard.pointer_mut(pointer).unwrap().as_object_mut().unwrap();
    let value = object.remove(from).unwrap();
    object.insert(to.to_owned(), value);
}

#[test]
fn the_foundation_sdk_sees_mistakes() {
    let Some(python) = python() else { return };
    let mistakes: [(&str, Mistake); 6] = [
        ("$.panels[1].gridpos is lost", |it| rename(it, "/panels/1", "gridPos", "gridpos")),
        ("$.panels[1].targets[0].legend is lost", |it| {
            rename(it, "/panels/1/targets/0", "legendFormat", "legend");
        }),
        ("$.panels[1].fieldConfig.defaults.noValues is lost", |it| {
            rename(it, "/panels/1/fieldConfig/defaults", "noValue", "noValues");
        }),
        ("$.panels[1].options.graphMod is lost", |it| {
            rename(it, "/panels/1/options", "graphMode", "graphMod");
        }),
        ("$.templating.list[1].multy is lost", |it| {
            rename(it, "/templating/list/1", "multi", "multy");
        }),
        ("$.annotations.list[0].expression is lost", |it| {
            rename(it, "/annotations/list/0", "expr", "expression");
        }),
    ];
    let dashboard = json!(super::super::overview::dashboard());
    for (said, make) in mistakes {
        let mut mistaken = dashboard.clone();
        make(&mut mistaken);
        let lost = round_trip(&python, &mistaken);
        assert!(lost.contains(said), "{said}: {lost}");
        assert_eq!(lost.lines().count(), 1, "{lost}");
    }
}
