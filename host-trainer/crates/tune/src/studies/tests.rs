use super::*;
use crate::pruner::Pruner;
use crate::sampler::Sampler;
use std::path::Path;
use std::time::Duration;

const LEASE: Duration = Duration::from_secs(60);

fn specification(seed: u64) -> Specification {
    Specification {
        seed,
        generation: 4,
        sampler: Sampler::Tpe,
        pruner: Pruner::None,
        data_sha256: "0".repeat(64),
        objective: toml::Table::new(),
        plan: toml::Table::new(),
        space: toml::from_str("x = { low = 0.0, high = 1.0 }\nk = [\"a\", \"b\"]").expect("TOML"),
    }
}

async fn open(folder: &Path) -> Studies {
    Studies::make(&Location::File(folder.join("a b%20c?.sqlite"))).await.expect("a database")
}

fn value(claim: &Claim) -> f64 {
    claim.parameters["x"].as_float().map_or(f64::NAN, |x| (x - 0.7).powi(2))
}

async fn claim(studies: &Studies, study: &Study) -> Claim {
    match studies.next(study, "me", LEASE).await.expect("next") {
        Next::Trial(claim) => claim,
        other => panic!("{other:?}"),
    }
}

/// Works a study off, `hands` trials at a time, each hand's finished in reverse order.
async fn work_off(studies: &Studies, study: &Study, hands: usize) -> Vec<(u64, String, Option<f64>)> {
    loop {
        let mut claims = Vec::new();
        let mut done = false;
        while claims.len() < hands {
            match studies.next(study, "me", LEASE).await.expect("next") {
                Next::Trial(claim) => claims.push(claim),
                Next::Wait => break,
                Next::Done => {
                    done = true;
                    break;
                }
            }
        }
        for claim in claims.iter().rev() {
            assert!(studies.finish(claim, &Outcome::Complete(value(claim))).await.expect("finish"));
        }
        if done && claims.is_empty() {
            break;
        }
    }
    let trials = studies.trials(&study.name).await.expect("trials");
    trials.iter().map(|t| (t.number, toml::to_string(&t.parameters).expect("TOML"), t.value)).collect()
}

#[tokio::test]
async fn a_study_is_the_same_however_many_work_on_it() {
    let folder = tempfile::tempdir().expect("folder");
    let studies = open(folder.path()).await;
    let mut all = Vec::new();
    for (name, hands) in [("one", 1), ("three", 3), ("nine", 9)] {
        let study = studies.create(name, &specification(1), 30).await.expect("study");
        all.push(work_off(&studies, &study, hands).await);
    }
    assert_eq!(all[0].len(), 30);
    assert_eq!(all[0], all[1]);
    assert_eq!(all[0], all[2]);
    // Begun with fewer trials, none of which end a generation, and gone on with later.
    let short = studies.create("grown", &specification(1), 14).await.expect("study");
    work_off(&studies, &short, 2).await;
    let grown = studies.create("grown", &specification(1), 30).await.expect("study");
    assert_eq!(grown.trials, 30);
    assert_eq!(work_off(&studies, &grown, 2).await, all[0]);
    assert_eq!(studies.list().await.expect("list").len(), 4);
    let best = studies.best("one").await.expect("best").expect("a trial");
    assert_eq!(best.value, all[0].iter().filter_map(|t| t.2).min_by(f64::total_cmp));
    assert!(studies.progress("one").await.expect("progress").is_done());
    studies.delete("grown").await.expect("deleted");
    assert!(matches!(studies.trials("grown").await, Err(StudyError::Unknown(_))));
}

#[tokio::test]
async fn a_lost_trial_is_taken_up_again_and_its_old_worker_refused() {
    let folder = tempfile::tempdir().expect("folder");
    let studies = open(folder.path()).await;
    let study = studies.create("s", &specification(2), 4).await.expect("study");
    let Next::Trial(old) = studies.next(&study, "old", Duration::ZERO).await.expect("next") else { panic!("a trial") };
    assert!(studies.report(&old, 1, 0.5).await.expect("report"));
    tokio::time::sleep(Duration::from_millis(20)).await;
    let new = claim(&studies, &study).await;
    assert_eq!((new.number, &new.parameters), (old.number, &old.parameters));
    assert!(!studies.report(&old, 2, 9.0).await.expect("report"));
    assert!(!studies.renew(&old, LEASE).await.expect("renew"));
    assert!(!studies.finish(&old, &Outcome::Complete(9.0)).await.expect("finish"));
    assert!(!studies.release(&old).await.expect("release"));
    assert!(studies.holds(&new).await.expect("holds") && !studies.holds(&old).await.expect("holds"));
    assert!(studies.renew(&new, LEASE).await.expect("renew"));
    assert!(studies.finish(&new, &Outcome::Complete(1.0)).await.expect("finish"));
    assert!(!studies.finish(&new, &Outcome::Complete(2.0)).await.expect("counted once"));
    let trial = &studies.trials("s").await.expect("trials")[0];
    assert_eq!((trial.value, trial.token, trial.lost, &trial.steps), (Some(1.0), 2, 1, &vec![(1, 0.5)]));
}

#[tokio::test]
async fn failures_are_kept_and_tried_again_a_limited_number_of_times() {
    let folder = tempfile::tempdir().expect("folder");
    let studies = open(folder.path()).await;
    let study = studies.create("s", &specification(2), 2).await.expect("study");
    for attempt in 1..=MOST_FAILURES {
        let claim = claim(&studies, &study).await;
        assert_eq!(claim.number, 0, "attempt {attempt}");
        assert!(studies.finish(&claim, &Outcome::Failed("no rows".into())).await.expect("finish"));
    }
    let next = claim(&studies, &study).await;
    assert_eq!(next.number, 1);
    assert!(studies.release(&next).await.expect("release"), "what is released waits for others");
    assert_eq!(claim(&studies, &study).await.number, 1);
    let trial = &studies.trials("s").await.expect("trials")[0];
    assert_eq!((trial.state, trial.reason.as_deref()), (TrialState::Failed, Some("no rows")));
    assert_eq!(studies.trials("s").await.expect("trials")[1].lost, 0, "a release is no loss");

    let poison = studies.create("poison", &specification(2), 1).await.expect("study");
    for _ in 0..=MOST_LOST {
        assert!(matches!(studies.next(&poison, "me", Duration::ZERO).await.expect("next"), Next::Trial(_)));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(studies.next(&poison, "me", Duration::ZERO).await.expect("next"), Next::Done);
    assert_eq!(studies.progress("poison").await.expect("progress").counts.failed, 1);
}

#[tokio::test]
async fn another_study_of_the_same_name_is_refused() {
    let folder = tempfile::tempdir().expect("folder");
    let studies = open(folder.path()).await;
    studies.create("s", &specification(1), 4).await.expect("study");
    let error = studies.create("s", &specification(2), 4).await.expect_err("another seed");
    assert!(error.to_string().contains("another seed"), "{error}");
    assert!(matches!(studies.create("../s", &specification(1), 4).await, Err(StudyError::Name(_))));
    assert!(matches!(studies.study("t").await, Err(StudyError::Unknown(_))));
}

#[tokio::test]
async fn changes_wake_who_waits_for_them() {
    let folder = tempfile::tempdir().expect("folder");
    let studies = open(folder.path()).await;
    let study = studies.create("s", &specification(1), 4).await.expect("study");
    let before = studies.changed("s", None, Duration::from_millis(5)).await.expect("progress");
    let waiting = studies.changed("s", Some(&before), Duration::from_millis(5));
    let (after, _) = tokio::join!(waiting, claim(&studies, &study));
    assert_ne!(after.expect("progress"), before);
}

#[test]
fn a_password_is_never_shown() {
    let location = Location::parse("postgres://me:secret@host:5433/db?sslmode=disable").expect("a URL");
    assert_eq!((location.to_string(), location.holds_password()), ("postgres://host:5433/db".to_owned(), true));
    assert!(!format!("{location:?}").contains("secret"));
    let malformed = Location::parse("postgres://me:secret@ho st/db").expect_err("malformed");
    assert!(!malformed.contains("secret"), "{malformed}");
    assert!(Location::parse("mysql://host/db").is_err());
    assert_eq!(Location::parse("a/b.sqlite"), Ok(Location::File("a/b.sqlite".into())));
}

/// Every file of a folder with its content.
fn files(folder: &Path) -> std::collections::BTreeMap<std::ffi::OsString, Vec<u8>> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry"));
    entries.map(|entry| (entry.file_name(), std::fs::read(entry.path()).expect("a file"))).collect()
}

/// A database made by these statements.
async fn database(path: &Path, statements: &[&'static str]) {
    sqlx::any::install_default_drivers();
    let url = Location::File(path.to_owned()).url("mode=rwc").expect("a URL");
    let mut connection = <sqlx::AnyConnection as sqlx::Connection>::connect(&url).await.expect("opened");
    for statement in statements {
        sqlx::query(*statement).execute(&mut connection).await.unwrap_or_else(|e| panic!("{statement}: {e}"));
    }
    sqlx::Connection::close(connection).await.expect("closed");
}

#[tokio::test]
async fn what_is_no_database_of_studies_is_refused_and_left_as_it_is() {
    type Open = fn(Location) -> std::pin::Pin<Box<dyn Future<Output = Result<Studies, StudyError>>>>;
    let ways: [(&str, Open); 3] = [
        ("read", |l| Box::pin(async move { Studies::read(&l).await })),
        ("open", |l| Box::pin(async move { Studies::open(&l).await })),
        ("make", |l| Box::pin(async move { Studies::make(&l).await })),
    ];
    let folder = tempfile::tempdir().expect("a folder");
    let place = |name: &str| folder.path().join(name);
    std::fs::write(place("notes"), "hello\n").expect("written");
    std::fs::write(place("empty"), "").expect("written");
    std::fs::write(place("header"), b"SQLite format 3\0").expect("written");
    std::fs::create_dir(place("dir")).expect("made");
    std::fs::write(place("torn"), [b"SQLite format 3\0".as_slice(), &[7; 4000]].concat()).expect("written");
    database(&place("other"), &["CREATE TABLE songs (title TEXT)", "INSERT INTO songs VALUES ('a')"]).await;
    database(&place("wal"), &["PRAGMA journal_mode = WAL", "CREATE TABLE songs (title TEXT)"]).await;
    database(&place("marked"), &["PRAGMA application_id = 1196444487"]).await;
    database(&place("alike"), &["CREATE TABLE tune_studies (name TEXT)"]).await;
    database(&place("blank"), &["CREATE TABLE a (b)", "DROP TABLE a"]).await;
    std::fs::remove_dir(place("dir")).expect("removed");
    let before = files(folder.path());
    for name in ["notes", "header", "torn", "other", "wal", "marked", "alike"] {
        for (how, open) in ways {
            let error = open(Location::File(place(name))).await.expect_err("refused");
            assert!(matches!(error, StudyError::Foreign(_)), "{how} {name}: {error:?}");
        }
    }
    for (how, open) in &ways[..2] {
        for (name, expected) in
            [("missing", "no such database"), ("empty", "none was begun"), ("blank", "none was begun")]
        {
            let error = open(Location::File(place(name))).await.expect_err("refused").to_string();
            assert!(error.contains(expected), "{how} {name}: {error}");
        }
    }
    assert!(files(folder.path()) == before, "nothing was changed or made");
    // Whoever begins a study may take an empty file.
    for name in ["empty", "blank", "missing"] {
        let studies = Studies::make(&Location::File(place(name))).await.expect("made");
        assert!(studies.list().await.expect("read").is_empty(), "{name}");
    }
}

#[tokio::test]
async fn reading_studies_changes_nothing_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let location = Location::File(folder.path().join("a b%20c?.sqlite"));
    let studies = open(folder.path()).await;
    let study = studies.create("one", &specification(1), 3).await.expect("created");
    // What other processes see while this one has the database open.
    let reading = Studies::read(&location).await.expect("opened");
    assert_eq!(reading.list().await.expect("listed"), std::slice::from_ref(&study));
    assert!(reading.delete("one").await.is_err(), "a reader cannot write");
    reading.close().await;
    studies.close().await;
    let before = files(folder.path());
    assert_eq!(before.len(), 1, "{:?}", before.keys());
    let reading = Studies::read(&location).await.expect("opened");
    assert_eq!(reading.study("one").await.expect("read"), study);
    reading.close().await;
    assert!(files(folder.path()) == before);
    // As earlier versions left it: without the mark.
    let path = folder.path().join("a b%20c?.sqlite");
    database(&path, &["PRAGMA application_id = 0"]).await;
    let reading = Studies::read(&location).await.expect("a database of an earlier version");
    assert_eq!(reading.list().await.expect("listed").len(), 1);
    reading.close().await;
    Studies::make(&location).await.expect("opened").close().await;
    let header = std::fs::read(&path).expect("read");
    assert_eq!(&header[68..72], b"LJST");
}
