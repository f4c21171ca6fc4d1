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
    Studies::open(&Location::File(folder.join("a b%20c?.sqlite"))).await.expect("a database")
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
