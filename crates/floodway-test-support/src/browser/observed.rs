//! What a page did without having been asked: messages on the console, requests.

use serde_json::Value;

/// What a page or the browser said on the console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// `error`, `warning`, `info`, `log` and others; `exception` for what nobody caught.
    pub level: String,
    /// The text.
    pub text: String,
}

#[derive(Debug, Default)]
pub(super) struct Observed {
    pub(super) messages: Vec<Message>,
    pub(super) requests: Vec<String>,
}

impl Observed {
    /// Takes note of an event.
    pub(super) fn note(&mut self, event: &Value) {
        let parameters = &event["params"];
        match event["method"].as_str() {
            Some("Runtime.consoleAPICalled") => {
                let arguments = parameters["args"].as_array().into_iter().flatten();
                let words: Vec<_> = arguments.map(said).collect();
                self.say(&parameters["type"], words.join(" "));
            }
            Some("Runtime.exceptionThrown") => {
                let text = thrown(&parameters["exceptionDetails"]).unwrap_or_default();
                self.say(&"exception".into(), text);
            }
            // What the browser itself says: a file that is missing, a policy that was violated.
            Some("Log.entryAdded") => {
                let entry = &parameters["entry"];
                let words = [&entry["text"], &entry["url"]].map(|word| word.as_str().unwrap_or(""));
                self.say(&entry["level"], words.join(" "));
            }
            Some("Network.requestWillBeSent") => {
                let url = parameters["request"]["url"].as_str();
                self.requests.extend(url.map(str::to_owned));
            }
            _ => {}
        }
    }

    fn say(&mut self, level: &Value, text: String) {
        let level = level.as_str().unwrap_or("log").to_owned();
        self.messages.push(Message { level, text });
    }
}

/// What an exception says, if there is one.
pub(super) fn thrown(details: &Value) -> Option<String> {
    let text = details["text"].as_str()?;
    let description = details["exception"]["description"].as_str().unwrap_or_default();
    Some(format!("{text} {description}"))
}

fn said(argument: &Value) -> String {
    match argument["description"].as_str() {
        Some(description) => description.to_owned(),
        None => match &argument["value"] {
            Value::String(text) => text.clone(),
            value => value.to_string(),
        },
    }
}
