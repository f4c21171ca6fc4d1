//! Loads an HTTP server with engine infos over connections that stay open, and says how many it answered and how fast:
//! `serve_load ADDRESS CONNECTIONS REQUESTS FILE [same|distinct [FIRST [RATE]]]`. One thread, so that it takes as little as it can of a
//! machine that the server needs. With `distinct`, every request's layers have other names and another batch, so that no two requests
//! have a layer in common; they are numbered from FIRST, so that no later load repeats an earlier one's.
//!
//! Without RATE each connection asks again as soon as it is answered (closed loop). With RATE, requests fall due that many times a second,
//! evenly, whether earlier ones are answered or not (open loop, the fixed request rate of Triton's `perf_analyzer`); one that finds no free
//! connection waits, and every time counts from the moment at which the request was due. A rate is kept where nothing failed and requests
//! were answered at 99 % of it or more. A second thread sleeps until each is due, since the timers of the first have whole milliseconds.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, mpsc};

#[path = "serve/connection.rs"]
mod connection;

use connection::{Connection, post};

/// Marks in the body what each request has its own number in place of.
const MARK: &str = "000000";

/// Answers a second that a kept rate has at least, as a share of the rate.
const KEPT: f64 = 0.99;

struct Load {
    address: String,
    body: String,
    distinct: bool,
    next: Next,
}

/// Where the connections take the number of their next request from.
enum Next {
    /// Requests until a last one, each when a connection is free.
    Free { next: AtomicU64, end: u64 },
    /// Requests that fall due at some rate.
    Due(Mutex<mpsc::UnboundedReceiver<(u64, Instant)>>),
}

impl Next {
    /// Requests from `first`, `count` of them, due `rate` times a second.
    fn due(first: u64, count: u64, rate: f64) -> Self {
        let (send, receive) = mpsc::unbounded_channel();
        let started = Instant::now();
        std::thread::spawn(move || {
            for number in 0..count {
                let due = started + Duration::from_secs_f64(number as f64 / rate);
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                if send.send((first + number, due)).is_err() {
                    return;
                }
            }
        });
        Self::Due(Mutex::new(receive))
    }

    /// The number of the next request and the moment from which its time counts; none after the last.
    async fn take(&self) -> Option<(u64, Instant)> {
        match self {
            Self::Free { next, end } => {
                let number = next.fetch_add(1, Ordering::Relaxed);
                (number < *end).then(|| (number, Instant::now()))
            }
            Self::Due(due) => due.lock().await.recv().await,
        }
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, connections, requests, file, rest @ ..] = arguments.as_slice() else {
        eprintln!("usage: serve_load ADDRESS CONNECTIONS REQUESTS FILE [same|distinct [FIRST [RATE]]]");
        return ExitCode::from(2);
    };
    let (Ok(connections), Ok(requests), Ok(body)) =
        (connections.parse(), requests.parse::<u64>(), std::fs::read_to_string(file))
    else {
        eprintln!("give two numbers and a file");
        return ExitCode::from(2);
    };
    let distinct = rest.first().is_some_and(|word| word == "distinct");
    let first: u64 = rest.get(1).and_then(|first| first.parse().ok()).unwrap_or(0);
    let marked = |text: &str, before: &str| text.replace(before, &format!("{before}{MARK}"));
    let body = match distinct {
        true => marked(&marked(&body, "\"Name\":\""), "\"Dimensions\":[")
            .replace(&format!("[{MARK}1,"), &format!("[1{MARK},")),
        false => body,
    };
    let rate: Option<f64> = rest.get(2).and_then(|rate| rate.parse().ok()).filter(|rate| *rate > 0.0);
    if rest.len() > 2 && rate.is_none() {
        eprintln!("give a rate above 0");
        return ExitCode::from(2);
    }
    let next = match rate {
        Some(rate) => Next::due(first, requests, rate),
        None => Next::Free { next: AtomicU64::new(first), end: first + requests },
    };
    let load = Load { address: address.clone(), body, distinct, next };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.map(|runtime| runtime.block_on(run(Arc::new(load), connections, rate))) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(e)) | Err(e) => {
            eprintln!("{e}");
            ExitCode::FAILURE
        }
    }
}

async fn run(load: Arc<Load>, connections: usize, rate: Option<f64>) -> std::io::Result<()> {
    let started = Instant::now();
    let hands: Vec<_> = (0..connections).map(|_| tokio::spawn(hand(Arc::clone(&load)))).collect();
    let (mut times, mut failed) = (Vec::new(), 0_u64);
    for hand in hands {
        let (own, bad) = hand.await.map_err(std::io::Error::other)??;
        times.extend(own);
        failed += bad;
    }
    let took = started.elapsed().as_secs_f64();
    if times.is_empty() {
        return Err(std::io::Error::other("nothing was asked"));
    }
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    let answered = times.len() as f64 / took;
    let kept = rate.map_or_else(String::new, |rate| {
        let kept = failed == 0 && answered >= KEPT * rate;
        format!("  rate {rate} {}", if kept { "kept" } else { "missed" })
    });
    println!(
        "connections {connections:4}  requests {:7}  failed {failed}  {answered:9.1} a second  p50 {:8.3} ms  p90 {:8.3} ms  p99 {:8.3} ms  most {:8.3} ms{kept}",
        times.len(),
        at(0.5),
        at(0.9),
        at(0.99),
        at(1.0)
    );
    Ok(())
}

/// One connection: asks again and again, and gives the times that answers took.
async fn hand(load: Arc<Load>) -> std::io::Result<(Vec<Duration>, u64)> {
    let mut connection = Connection::open(&load.address).await?;
    let (mut times, mut failed) = (Vec::new(), 0);
    let mut request = post("/v1/predict", &load.body);
    while let Some((number, mut started)) = load.next.take().await {
        if load.distinct {
            request = post("/v1/predict", &load.body.replace(MARK, &format!("{number:06}")));
        }
        if matches!(load.next, Next::Free { .. }) {
            // Making the request is this program's time.
            started = Instant::now();
        }
        failed += u64::from(!connection.ask(&request).await?);
        times.push(started.elapsed());
    }
    Ok((times, failed))
}
