//! `watch` and `export`: on a terminal, in a pipe, over HTTP.

use crate::support::{agent, code, orin_nano, run, stderr, wait_until};
use crate::terminal::Terminal;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("temporary folder")
}

fn watch(folder: &Path, options: &[&str]) -> Command {
    let mut agent = agent(folder);
    agent.args(["watch", "--source", "simulated", "--no-realtime", "--interval", "200ms"]).args(options);
    agent
}

const ENTER: &str = "\x1b[?1049h";
const LEAVE: &str = "\x1b[?1049l";

#[test]
fn a_terminal_gets_a_screen_and_then_itself_back() {
    let home = folder();
    for (columns, rows) in [(80, 24), (160, 40)] {
        let terminal = Terminal::start(&mut watch(home.path(), &["--for", "1s"]), columns, rows);
        let (code, output, same) = terminal.finish();
        assert_eq!((code, same), (Some(0), true), "{output}");
        assert!(output.starts_with(ENTER) && output.matches(ENTER).count() == 1, "{output}");
        let (screens, after) = output.split_once(LEAVE).expect("it leaves the screen");
        assert!(screens.ends_with("\x1b[?25h"), "the cursor comes back");
        let frames: Vec<&str> = screens.split("\x1b[H").skip(1).collect();
        assert!(frames.len() >= 3, "{}", frames.len());
        for frame in frames {
            let lines: Vec<String> =
                frame.split("\r\n").map(|line| without_escapes(line.trim_end_matches('\r'))).collect();
            assert!(lines.len() <= usize::from(rows), "{} lines", lines.len());
            for line in &lines {
                assert_eq!(line.chars().count(), usize::from(columns), "{line}");
            }
            assert!(lines.iter().any(|line| line.contains("VDD_IN")) && lines[0].contains("simulated"));
        }
        // What was seen last stays, and is text alone.
        assert!(after.contains("VDD_IN") && !after.contains('\x1b'), "{after}");
    }
}

fn without_escapes(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('\x1b') {
        text += before;
        let end = after.find(|c: char| c.is_ascii_alphabetic()).map_or(after.len(), |end| end + 1);
        rest = &after[end..];
    }
    text + rest
}

#[test]
fn q_and_ctrl_c_end_it_and_restore_the_terminal() {
    let home = folder();
    for keys in [&b"q"[..], b"\x03"] {
        let mut terminal = Terminal::start(&mut watch(home.path(), &[]), 100, 30);
        terminal.wait_for("VDD_IN");
        terminal.press(keys);
        let (code, output, same) = terminal.finish();
        assert_eq!((code, same), (Some(0), true), "{output}");
        assert_eq!((output.matches(ENTER).count(), output.matches(LEAVE).count()), (1, 1));
    }
}

#[test]
fn a_source_that_fails_leaves_the_terminal_as_it_was() {
    let home = folder();
    let mut command = agent(home.path());
    let (code, output, same) = Terminal::start(command.arg("watch"), 80, 24).finish();
    assert_eq!((code, same), (Some(4), true), "{output}");
    let (_, after) = output.split_once(LEAVE).expect("it leaves the screen");
    assert!(after.contains("error: ") && after.contains("--source serial"), "{after}");
}

#[test]
fn a_pipe_gets_lines_and_json_lines_that_add_up() {
    let home = folder();
    let output = run(&mut watch(home.path(), &["--for", "1s"]));
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(text.lines().count() >= 3 && !text.contains('\x1b'), "{text}");
    assert!(text.lines().all(|line| line.contains("total ") && line.contains(" readings/s")), "{text}");

    let output = run(&mut watch(home.path(), &["--for", "2s", "--rate", "1000", "--json"]));
    let views: Vec<Value> = String::from_utf8(output.stdout)
        .expect("text")
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert!(views.len() >= 6, "{}", views.len());
    let number = |value: &Value| value.as_f64().unwrap_or_else(|| panic!("{value} is not a number"));
    let joules: Vec<f64> = views.iter().map(|view| number(&view["total"]["joules"])).collect();
    assert!(joules.windows(2).all(|pair| pair[0] < pair[1]), "{joules:?}");
    let last = views.last().expect("views");
    // Idle for the first four seconds.
    assert!((number(&last["total"]["mean_watts"]) - 4.2).abs() < 0.1, "{last}");
    assert!((number(&last["total"]["joules"]) / number(&last["elapsed_seconds"]) - 4.2).abs() < 0.6, "{last}");
    assert!(number(&last["sampling"]["effective_hz"]) > 0.0 && number(&last["agent_cpu_seconds"]) > 0.0);
    assert_eq!(last["throttling"], serde_json::json!([]));
}

#[test]
fn a_reader_that_goes_away_ends_it() {
    let home = folder();
    let mut child = watch(home.path(), &[]).stdout(Stdio::piped()).spawn().expect("starts");
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
    stdout.read_line(&mut line).expect("a line");
    drop(stdout);
    assert_eq!(child.wait().expect("waits").code(), Some(0));
}

/// A server, which ends with the test.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("starts");
        let mut said = BufReader::new(child.stderr.take().expect("piped"));
        let mut line = String::new();
        while !line.contains("http://") {
            line.clear();
            assert!(said.read_line(&mut line).expect("reads") > 0, "it ended");
        }
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next()).expect("an address");
        Self { child, address: address.to_owned() }
    }

    fn get(&self, headers: &str) -> String {
        get(&self.address, headers)
    }

    /// The page, when there is one.
    fn page(&mut self, headers: &str) -> String {
        let mut page = String::new();
        let address = &self.address;
        wait_until(&mut self.child, "there are metrics", || {
            page = get(address, headers);
            page.starts_with("HTTP/1.1 200")
        });
        page
    }
}

fn get(address: &str, headers: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("connects");
    stream.write_all(format!("GET /metrics HTTP/1.1\r\nHost: x\r\n{headers}\r\n").as_bytes()).expect("writes");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("reads");
    answer
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Metrics of a board with everything that the agent reads.
fn full_page() -> String {
    let home = folder();
    orin_nano(home.path());
    let root = home.path().to_str().expect("UTF-8");
    let options = ["--root", root, "export", "--listen", "127.0.0.1:0", "--interval", "200ms"];
    let mut server = Server::start(agent(home.path()).args(options));
    server.page("")
}

fn names(page: &str) -> BTreeSet<&str> {
    let samples = page.lines().filter(|line| line.starts_with("jetson_"));
    samples.filter_map(|line| line.split(['{', ' ']).next()).collect()
}

#[test]
fn metrics_of_a_board_are_served() {
    let page = full_page();
    for sample in [
        "jetson_rail_power_watts{rail=\"VDD_IN\"} 5.488",
        "jetson_rail_voltage_volts{rail=\"VDD_CPU_GPU_CV\"} 5\n",
        "jetson_temperature_celsius{zone=\"cpu-thermal\"} 48.125\n",
        "jetson_clock_frequency_hertz{unit=\"gpu\"} 1020000000\n",
        "jetson_gpu_utilization_ratio 0.73\n",
        "jetson_throttle_events_total{counter=\"oc1\"} 0\n",
        "model=\"NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super\",power_mode=\"MAXN_SUPER\",source=\"hwmon\"",
    ] {
        assert!(page.contains(sample), "{sample}:\n{page}");
    }
    assert!(page.contains("Content-Type: text/plain; version=0.0.4"), "{page}");
}

#[test]
fn every_metric_of_the_dashboard_is_served_and_every_metric_is_on_it() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/grafana/jetson-agent.json");
    let dashboard: Value = serde_json::from_str(&std::fs::read_to_string(path).expect("reads")).expect("JSON");
    let mut used = BTreeSet::new();
    let panels = dashboard["panels"].as_array().expect("panels");
    for target in panels.iter().flat_map(|panel| panel["targets"].as_array().expect("targets")) {
        let expression = target["expr"].as_str().expect("an expression");
        let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let found: Vec<&str> = words.filter(|word| word.starts_with("jetson_")).collect();
        assert!(!found.is_empty(), "{expression}");
        used.extend(found);
    }
    let page = full_page();
    let served = names(&page);
    let absent: Vec<&&str> = used.difference(&served).collect();
    assert!(absent.is_empty(), "the dashboard shows what is not served: {absent:?}");
    let unseen: Vec<&&str> = served.difference(&used).filter(|name| **name != "jetson_sensor_readings_total").collect();
    assert!(unseen.is_empty(), "no panel shows {unseen:?}");
}

#[test]
fn a_token_is_needed_where_others_can_read_and_is_no_argument() {
    let home = folder();
    let export = |options: &[&str]| {
        let mut agent = agent(home.path());
        agent.args(["export", "--source", "simulated", "--interval", "200ms", "--listen"]).args(options);
        agent
    };
    let refused = run(&mut export(&["0.0.0.0:0"]));
    assert_eq!(code(&refused), 2);
    assert!(stderr(&refused).contains("--token-file"), "{}", stderr(&refused));
    let short = run(export(&["127.0.0.1:0"]).env("JETSON_AGENT_TOKEN", "short"));
    assert!(
        code(&short) == 2 && stderr(&short).contains("JETSON_AGENT_TOKEN: the token is shorter"),
        "{}",
        stderr(&short)
    );

    std::fs::write(home.path().join("token"), "0123456789abcdef\n").expect("writes");
    let mut server = Server::start(&mut export(&["127.0.0.1:0", "--token-file", "token"]));
    assert!(server.page("Authorization: Bearer 0123456789abcdef\r\n").contains("jetson_board_power_watts"));
    for other in ["", "Authorization: Bearer 0123456789abcdeF\r\n"] {
        let answer = server.get(other);
        assert!(answer.starts_with("HTTP/1.1 401") && !answer.contains("jetson_"), "{answer}");
    }
    let mut by_environment = export(&["127.0.0.1:0"]);
    let mut server = Server::start(by_environment.env("JETSON_AGENT_TOKEN", "fedcba9876543210"));
    assert!(server.page("Authorization: Bearer fedcba9876543210\r\n").contains("jetson_"));
    assert!(server.get("").starts_with("HTTP/1.1 401"));

    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("listens");
    let address = taken.local_addr().expect("an address").to_string();
    let refused = run(&mut export(&[&address]));
    assert!(code(&refused) == 5 && stderr(&refused).contains("another program has this port"), "{}", stderr(&refused));
}

#[test]
fn watch_serves_what_it_shows() {
    let home = folder();
    let mut server = Server::start(&mut watch(home.path(), &["--json", "--prometheus", "127.0.0.1:0"]));
    assert!(server.page("").contains("jetson_rail_power_watts{rail=\"VDD_IN\"}"));
}
