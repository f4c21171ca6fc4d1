//! Promotes models on a server that is under load, and holds every answer against what was deployed meanwhile:
//! `serve_promotions ADDRESS CONNECTIONS PROMOTIONS ENGINE MODEL MODEL…`. The models, `DEVICE/KIND/TARGET@VERSION`, take turns; the
//! first of them is the one deployed at the start. Fails where a request failed, or an answer names models that were not deployed
//! at any moment between request sent and answer received.

#![allow(clippy::print_stdout, clippy::print_stderr)]

#[path = "serve/connection.rs"]
mod connection;

use connection::{Connection, post};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// An answer: the digest of the models that gave it, and when it was asked for and there.
struct Answered {
    digest: String,
    asked: Duration,
    there: Duration,
}

/// A set of models, and between which moments it was deployed at most: from the request that promoted it to the answer to the
/// request that promoted the next.
struct Stood {
    digest: String,
    from: Duration,
    to: Duration,
}

struct Load {
    address: String,
    request: Vec<u8>,
    started: Instant,
    over: AtomicBool,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, connections, promotions, engine, models @ ..] = arguments.as_slice() else {
        eprintln!("usage: serve_promotions ADDRESS CONNECTIONS PROMOTIONS ENGINE MODEL MODEL…");
        return ExitCode::from(2);
    };
    let (Ok(connections), Ok(promotions), Ok(engine), true) =
        (connections.parse(), promotions.parse(), std::fs::read_to_string(engine), models.len() > 1)
    else {
        eprintln!("give two numbers, a file, and two models or more");
        return ExitCode::from(2);
    };
    let load = Arc::new(Load {
        address: address.clone(),
        request: post("/v1/predict", &engine),
        started: Instant::now(),
        over: AtomicBool::new(false),
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.map(|runtime| runtime.block_on(run(&load, connections, promotions, models))) {
        Ok(Ok(true)) => ExitCode::SUCCESS,
        Ok(Ok(false)) => ExitCode::FAILURE,
        Ok(Err(e)) | Err(e) => {
            eprintln!("{e}");
            ExitCode::FAILURE
        }
    }
}

async fn run(load: &Arc<Load>, connections: usize, promotions: usize, models: &[String]) -> io::Result<bool> {
    let mut connection = Connection::open(&load.address).await?;
    if !connection.ask(&load.request).await? {
        return Err(io::Error::other("the server does not predict"));
    }
    let digest = digest_of(connection.body()).unwrap_or_default();
    let mut stood = vec![Stood { digest, from: Duration::ZERO, to: Duration::MAX }];
    let hands: Vec<_> = (0..connections).map(|_| tokio::spawn(hand(Arc::clone(load)))).collect();
    let (mut times, mut refused) = (Vec::new(), 0_u64);
    for number in 1..=promotions {
        let model = &models[number % models.len()];
        let body =
            serde_json::json!({ "model": model, "force": true, "reason": "a promotion during load" }).to_string();
        let from = load.started.elapsed();
        let done = connection.ask(&post("/v1/models/promote", &body)).await?;
        let to = load.started.elapsed();
        let answer = String::from_utf8_lossy(connection.body()).into_owned();
        let Some(digest) = digest_of(connection.body()).filter(|_| done) else {
            eprintln!("{model} was not promoted: {answer}");
            refused += 1;
            continue;
        };
        times.push(to - from);
        if let Some(last) = stood.last_mut() {
            last.to = to;
        }
        stood.push(Stood { digest, from, to: Duration::MAX });
    }
    load.over.store(true, Ordering::Relaxed);
    let (mut answers, mut failed) = (Vec::new(), 0_u64);
    for hand in hands {
        let (own, bad) = hand.await.map_err(io::Error::other)??;
        answers.extend(own);
        failed += bad;
    }
    let wrong = answers.iter().filter(|answer| !was_deployed(answer, &stood)).count();
    let mut by_models: BTreeMap<&str, usize> = BTreeMap::new();
    for answer in &answers {
        *by_models.entry(&answer.digest[..answer.digest.len().min(8)]).or_default() += 1;
    }
    times.sort_unstable();
    let at = |share: f64| {
        times.get(((times.len().max(1) - 1) as f64 * share) as usize).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
    };
    let took = load.started.elapsed().as_secs_f64();
    println!(
        "promotions {}  refused {refused}  p50 {:.1} ms  p99 {:.1} ms  in {took:.1} s over {connections} connections",
        times.len(),
        at(0.5),
        at(0.99)
    );
    println!(
        "requests {}  failed {failed}  answers by models that were not deployed {wrong}  {:.1} a second",
        answers.len() as u64 + failed,
        answers.len() as f64 / took
    );
    println!("answers by set of models: {by_models:?}");
    Ok(refused == 0 && failed == 0 && wrong == 0 && answers.len() > promotions && by_models.len() == models.len())
}

/// One connection: asks until it is over.
async fn hand(load: Arc<Load>) -> io::Result<(Vec<Answered>, u64)> {
    let mut connection = Connection::open(&load.address).await?;
    let (mut answers, mut failed) = (Vec::new(), 0);
    while !load.over.load(Ordering::Relaxed) {
        let asked = load.started.elapsed();
        let done = connection.ask(&load.request).await?;
        let there = load.started.elapsed();
        match digest_of(connection.body()).filter(|_| done) {
            Some(digest) => answers.push(Answered { digest, asked, there }),
            None => failed += 1,
        }
    }
    Ok((answers, failed))
}

/// The digest of the device's models that a document names.
fn digest_of(body: &[u8]) -> Option<String> {
    let document: Value = serde_json::from_slice(body).ok()?;
    document.get("digest")?.as_str().map(str::to_owned)
}

fn was_deployed(answer: &Answered, stood: &[Stood]) -> bool {
    // What came before or after the answer's time cannot have given it; of the rest there are few.
    let first = stood.partition_point(|stood| stood.to < answer.asked);
    stood[first..].iter().take_while(|stood| stood.from <= answer.there).any(|stood| stood.digest == answer.digest)
}
