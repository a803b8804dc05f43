//! A headless Chromium, driven over W3C `WebDriver` by plain HTTP to chromedriver.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::Command,
    time::Duration,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::{Process, SOON, free_port, ports, wait};

/// Longest wait for one answer of chromedriver: it starts a browser on a busy machine.
const ANSWER: Duration = Duration::from_mins(1);

/// Under this key `WebDriver` hands out elements (its specification, 12.2).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with one page. Closed when dropped.
pub struct Browser {
    driver: Process,
    port: u16,
    session: String,
}

impl Browser {
    /// Starts chromedriver and a browser that keeps its files in the folder.
    pub fn start(folder: &Path) -> Self {
        let port = free_port();
        let mut command = Command::new("chromedriver");
        command.arg(format!("--port={port}")).env("HOME", folder);
        let driver = Process::spawn(command, folder.join("chromedriver.log"));
        let mut browser = Self { driver, port, session: String::new() };
        browser.driver.until("chromedriver", || ports::is_taken(port).then_some(()));
        let profile = format!("--user-data-dir={}", folder.join("browser").display());
        // It loads one page of ours: as root, as in a container, its sandbox cannot be had.
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--window-size=1280,900",
            &profile,
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }}});
        let started = browser.call("POST", "/session", &wanted);
        let session = started["sessionId"].as_str().expect("a session");
        session.clone_into(&mut browser.session);
        browser
    }

    /// Opens a page and waits until it is loaded.
    pub fn goto(&self, address: &str) {
        self.post("url", &json!({"url": address}));
    }

    /// The value of a function body.
    pub fn run(&self, script: &str) -> Value {
        self.post("execute/sync", &json!({"script": script, "args": []}))
    }

    /// Text of the element with this id.
    pub fn text(&self, id: &str) -> String {
        let script = format!("return document.getElementById('{id}').textContent.trim()");
        self.run(&script).as_str().expect("a text").to_owned()
    }

    /// The texts of all elements that this selector finds, in their order.
    pub fn texts(&self, selector: &str) -> Vec<String> {
        let script = format!(
            "return [...document.querySelectorAll('{selector}')].map((e) => e.textContent.trim())"
        );
        serde_json::from_value(self.run(&script)).expect("texts")
    }

    /// Whether a person sees the element.
    pub fn is_shown(&self, id: &str) -> bool {
        let script = format!("return document.getElementById('{id}').checkVisibility()");
        self.run(&script).as_bool().expect("yes or no")
    }

    /// Clicks as a person does: it must be there, in view and under nothing else.
    pub fn click(&self, selector: &str) {
        let element = self.find(selector);
        self.post(&format!("element/{element}/click"), &json!({}));
    }

    /// Types into an element.
    pub fn type_into(&self, selector: &str, text: &str) {
        let element = self.find(selector);
        self.post(&format!("element/{element}/value"), &json!({"text": text}));
    }

    /// A command of Chromium's own protocol for developers' tools.
    pub fn devtools(&self, command: &str, parameters: &Value) {
        self.post("goog/cdp/execute", &json!({"cmd": command, "params": parameters}));
    }

    /// What is in view, as a PNG.
    pub fn screenshot(&self) -> Vec<u8> {
        let path = format!("/session/{}/screenshot", self.session);
        let picture = self.call("GET", &path, &json!({}));
        BASE64_STANDARD.decode(picture.as_str().expect("a text")).expect("base64")
    }

    /// What the page wrote to its console since this was last asked.
    pub fn console(&self) -> Vec<String> {
        let log = self.post("se/log", &json!({"type": "browser"}));
        let entries = log.as_array().expect("a list");
        entries.iter().map(|entry| entry["message"].to_string()).collect()
    }

    /// The addresses that the page has asked for since this was last asked. What the browser's own
    /// first page loads is not the page's.
    pub fn requests(&self) -> Vec<String> {
        let log = self.post("se/log", &json!({"type": "performance"}));
        let message = |entry: &Value| -> Value {
            let text = entry["message"].as_str().expect("JSON as text");
            serde_json::from_str(text).expect("JSON")
        };
        let messages = log.as_array().expect("a list").iter().map(message);
        let sent = messages
            .map(|event| event["message"].clone())
            .filter(|event| event["method"] == "Network.requestWillBeSent")
            .map(|event| event["params"].clone());
        let text = |value: &Value| value.as_str().expect("an address").to_owned();
        sent.filter(|request| !text(&request["documentURL"]).starts_with("chrome:"))
            .map(|request| text(&request["request"]["url"]))
            .collect()
    }

    /// Waits until the page is as wanted.
    pub fn wait_until(&self, what: &str, reached: impl Fn(&Self) -> bool) {
        let message =
            || format!("{what}; the page says\n{}", self.run("return document.body.innerText"));
        wait::until_within(SOON, message, || reached(self).then_some(()));
    }

    fn find(&self, selector: &str) -> String {
        let wanted = json!({"using": "css selector", "value": selector});
        self.post("element", &wanted)[ELEMENT].as_str().expect("an element").to_owned()
    }

    fn post(&self, command: &str, body: &Value) -> Value {
        self.call("POST", &format!("/session/{}/{command}", self.session), body)
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.send(method, path, body).unwrap_or_else(|error| {
            panic!("{method} {path}: {error}\n{}", self.driver.tail());
        });
        let value = answer["value"].clone();
        assert_eq!(value["error"], Value::Null, "{method} {path} {body}: {value:#}");
        value
    }

    fn send(&self, method: &str, path: &str, body: &Value) -> std::io::Result<Value> {
        let body = body.to_string();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(ANSWER))?;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            self.port,
            body.len()
        );
        stream.write_all(format!("{head}{body}").as_bytes())?;
        // chromedriver leaves the connection open, also where it is asked to close it.
        let mut answer = BufReader::new(stream);
        let (mut length, mut line) = (0, String::new());
        while answer.read_line(&mut line)? > 2 {
            let (name, value) = line.split_once(':').unwrap_or_default();
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().map_err(std::io::Error::other)?;
            }
            line.clear();
        }
        let mut body = vec![0; length];
        answer.read_exact(&mut body)?;
        Ok(serde_json::from_slice(&body)?)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ends the browser; chromedriver itself is a process of the test's.
        let _ = self.send("DELETE", &format!("/session/{}", self.session), &json!({}));
    }
}
