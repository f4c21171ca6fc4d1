//! Loads an HTTP server with engine infos over connections that stay open, and says how many it answered and how fast:
//! `serve_load ADDRESS CONNECTIONS REQUESTS FILE [same|distinct [FIRST]]`. One thread, so that it takes as little as it can of a machine
//! that the server needs. With `distinct`, every request's layers have other names and another batch, so that no two requests have
//! a layer in common; they are numbered from FIRST, so that no later load repeats an earlier one's.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

#[path = "serve/connection.rs"]
mod connection;

use connection::{Connection, post};

/// Marks in the body what each request has its own number in place of.
const MARK: &str = "000000";

struct Load {
    address: String,
    body: String,
    distinct: bool,
    next: AtomicU64,
    requests: u64,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, connections, requests, file, rest @ ..] = arguments.as_slice() else {
        eprintln!("usage: serve_load ADDRESS CONNECTIONS REQUESTS FILE [same|distinct [FIRST]]");
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
    let load =
        Load { address: address.clone(), body, distinct, next: AtomicU64::new(first), requests: first + requests };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.map(|runtime| runtime.block_on(run(Arc::new(load), connections))) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(e)) | Err(e) => {
            eprintln!("{e}");
            ExitCode::FAILURE
        }
    }
}

async fn run(load: Arc<Load>, connections: usize) -> std::io::Result<()> {
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
    println!(
        "connections {connections:4}  requests {:7}  failed {failed}  {:9.1} a second  p50 {:8.3} ms  p90 {:8.3} ms  p99 {:8.3} ms  most {:8.3} ms",
        times.len(),
        times.len() as f64 / took,
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
    loop {
        let number = load.next.fetch_add(1, Ordering::Relaxed);
        if number >= load.requests {
            return Ok((times, failed));
        }
        if load.distinct {
            request = post("/v1/predict", &load.body.replace(MARK, &format!("{number:06}")));
        }
        let started = Instant::now();
        failed += u64::from(!connection.ask(&request).await?);
        times.push(started.elapsed());
    }
}
