//! Loads an HTTP server with engine infos over connections that stay open, and says how many it answered and how fast:
//! `serve_load ADDRESS CONNECTIONS REQUESTS FILE [same|distinct]`. One thread, so that it takes as little as it can of a machine
//! that the server needs. With `distinct`, every request's layers
//! have other names and another batch, so that no two requests have a layer in common.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

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
        eprintln!("usage: serve_load ADDRESS CONNECTIONS REQUESTS FILE [same|distinct]");
        return ExitCode::from(2);
    };
    let (Ok(connections), Ok(requests), Ok(body)) =
        (connections.parse(), requests.parse(), std::fs::read_to_string(file))
    else {
        eprintln!("give two numbers and a file");
        return ExitCode::from(2);
    };
    let distinct = rest.first().is_some_and(|word| word == "distinct");
    let marked = |text: &str, before: &str| text.replace(before, &format!("{before}{MARK}"));
    let body = match distinct {
        true => marked(&marked(&body, "\"Name\":\""), "\"Dimensions\":[")
            .replace(&format!("[{MARK}1,"), &format!("[1{MARK},")),
        false => body,
    };
    let load = Load { address: address.clone(), body, distinct, next: AtomicU64::new(0), requests };
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
    let mut stream = TcpStream::connect(&load.address).await?;
    stream.set_nodelay(true)?;
    let (mut times, mut failed) = (Vec::new(), 0);
    let mut answer = Vec::with_capacity(64 << 10);
    let head = |length: usize| {
        format!(
            "POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        )
    };
    let mut request = (head(load.body.len()) + &load.body).into_bytes();
    loop {
        let number = load.next.fetch_add(1, Ordering::Relaxed);
        if number >= load.requests {
            return Ok((times, failed));
        }
        if load.distinct {
            let body = load.body.replace(MARK, &format!("{number:06}"));
            request = (head(body.len()) + &body).into_bytes();
        }
        let started = Instant::now();
        stream.write_all(&request).await?;
        if !read_answer(&mut stream, &mut answer).await? {
            failed += 1;
        }
        times.push(started.elapsed());
    }
}

/// Reads one answer; whether it is a 200.
async fn read_answer(stream: &mut TcpStream, answer: &mut Vec<u8>) -> std::io::Result<bool> {
    answer.clear();
    let mut whole = None;
    loop {
        if stream.read_buf(answer).await? == 0 {
            return Err(std::io::Error::other("the server closed the connection"));
        }
        if whole.is_none()
            && let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n")
        {
            let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
            let length = head.split("content-length:").nth(1).and_then(|rest| rest.trim().split('\r').next());
            let length: usize = length.and_then(|length| length.trim().parse().ok()).unwrap_or(0);
            whole = Some(end + 4 + length);
        }
        if whole.is_some_and(|whole| answer.len() >= whole) {
            return Ok(answer.starts_with(b"HTTP/1.1 200"));
        }
    }
}
