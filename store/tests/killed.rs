//! A client that is killed at random moments: whatever it was told had been pushed is whole, and nobody ever sees half a push.
//!
//! The test starts itself as the client, so that a real process dies of a real SIGKILL.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use store::Store;
use store::conformance::read_all;
use store::snapshot::verify;
use store::work::{CommitOptions, Progress, Pulled, WorkingCopy};

/// The client is told its folder by it.
const CLIENT: &str = "LAYERJOULE_TEST_CLIENT";

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    match std::env::var_os(CLIENT) {
        Some(folder) => runtime.block_on(client(Path::new(&folder))),
        None => {
            // `cargo test NAME` runs other tests: this one has only one name.
            let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
            if wanted.is_none_or(|name| "killed".contains(&name)) {
                runtime.block_on(killed());
            }
        }
    }
}

fn options(message: String) -> CommitOptions {
    CommitOptions { message, author: "client".into(), program: "test".into(), ..CommitOptions::default() }
}

/// Writes, commits and pushes for ever; notes every push that was acknowledged.
async fn client(folder: &Path) {
    let root = folder.join("client");
    let mut copy = WorkingCopy::open(&root).unwrap();
    let mut acknowledged = fs::File::options().create(true).append(true).open(folder.join("acknowledged")).unwrap();
    // What a client before it has committed is pushed first.
    if copy.state().head().is_some() {
        copy.push(4).await.unwrap();
    }
    for number in 0_u64.. {
        let stamp = format!("{}-{number}", std::process::id());
        fs::write(root.join("counter"), &stamp).unwrap();
        for file in 0..8 {
            let path = root.join(format!("runs/{}/sample-{file}.csv", std::process::id() % 5));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, format!("{stamp} {file}\n").repeat(200 * (file + 1))).unwrap();
        }
        let Some(digest) = copy.commit(&options(stamp)).await.unwrap() else { continue };
        copy.push(4).await.unwrap();
        writeln!(acknowledged, "{digest}").unwrap();
    }
}

async fn killed() {
    const KILLS: u32 = 200;
    let folder = tempfile::tempdir().unwrap();
    let url = folder.path().join("store").display().to_string();
    let store = Store::open(&url).unwrap();
    store.make().await.unwrap();
    fs::create_dir_all(folder.path().join("client")).unwrap();
    drop(WorkingCopy::init(&folder.path().join("client"), &url, store.clone(), "", "main").unwrap());
    let observer = folder.path().join("observer");
    fs::create_dir_all(&observer).unwrap();
    drop(WorkingCopy::init(&observer, &url, store.clone(), "", "main").unwrap());
    let spawn = || {
        Command::new(std::env::current_exe().unwrap())
            .env(CLIENT, folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    // How long a few pushes take on this machine as busy as it is: the kills are spread over that time.
    let (started, mut child) = (Instant::now(), spawn());
    while fs::read_to_string(folder.path().join("acknowledged")).unwrap_or_default().lines().count() < 4 {
        assert!(
            started.elapsed() < Duration::from_secs(120) && child.try_wait().unwrap().is_none(),
            "the client does not push"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
    let span = u64::try_from(started.elapsed().as_micros()).unwrap().min(600_000);
    child.kill().unwrap();
    child.wait().unwrap();
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut seen = BTreeSet::new();
    // Kills that fell between a commit and the end of its push.
    let mut cut_off = 0;
    for kill in 0..KILLS {
        let mut child = spawn();
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        std::thread::sleep(Duration::from_micros(random % span));
        child.kill().unwrap();
        let output = child.wait_with_output().unwrap();
        // It must die of the signal alone: a client that cannot go on where the last was killed fails the test.
        assert_eq!(output.status.code(), None, "kill {kill}: {}", String::from_utf8_lossy(&output.stderr));
        let staged = fs::read_dir(folder.path().join("client/.edge/staged/packs"));
        cut_off += u32::from(staged.is_ok_and(|mut packs| packs.next().is_some()));
        // Whoever pulls sees whole snapshots only.
        let mut copy = WorkingCopy::open(&observer).unwrap();
        match copy.pull(false, 4).await {
            Ok(Pulled::UpToDate | Pulled::Forward(_)) => {}
            Ok(other) => panic!("kill {kill}: {other:?}"),
            Err(failure) => panic!("kill {kill}: {failure}"),
        }
        let mut history = BTreeSet::new();
        if let Ok(head) = copy.resolve("main").await {
            for (digest, _) in copy.log(head, usize::MAX).await.unwrap() {
                assert!(history.insert(digest), "{digest} is in the history twice");
            }
        }
        let acknowledged = fs::read_to_string(folder.path().join("acknowledged")).unwrap_or_default();
        // The note itself may be torn.
        for digest in acknowledged.lines().filter_map(|line| line.parse().ok()) {
            assert!(history.contains(&digest), "kill {kill}: {digest} was acknowledged and is lost");
        }
        assert!(history.is_superset(&seen), "kill {kill}: history was rewritten");
        seen = history;
        if kill % 40 == 39 {
            let report = verify(&store, 4, &Progress::default()).await.unwrap();
            assert!(report.damage.is_empty(), "kill {kill}: {:?}", report.damage);
        }
    }
    // The last client is let finish what was left over; then both folders hold the same.
    let mut copy = WorkingCopy::open(&folder.path().join("client")).unwrap();
    copy.commit(&options("the end".into())).await.unwrap();
    copy.push(4).await.unwrap();
    drop(copy);
    WorkingCopy::open(&observer).unwrap().pull(false, 4).await.unwrap();
    assert_eq!(read_all(&observer).unwrap(), read_all(&folder.path().join("client")).unwrap());
    let report = verify(&store, 4, &Progress::default()).await.unwrap();
    assert!(report.damage.is_empty(), "{:?}", report.damage);
    println!("killed {KILLS} times: {} snapshots, {report:?}", seen.len() + 1);
    assert!(cut_off > 0, "no kill fell between a commit and the end of its push");
    assert!(seen.len() >= 4, "what was acknowledged before the first kill is lost");
}
