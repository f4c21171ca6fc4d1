//! What every queue must do. The suite panics where one does not, as tests do.

use super::{Asking, Claim, Entry, Next, Outcome, Queue, QueueError, State};
use shared::random::SplitMix64;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// How a suite gets queues and how patient it is.
pub struct Suite<F> {
    /// Another handle of the queue of a batch by name, as another process would have it.
    pub open: F,
    /// A lease that is short, but longer than the steps of the queue's clock.
    pub lease: Duration,
    /// Workers of the test that kills, and its tasks.
    pub workers: usize,
    /// Tasks of the test that kills.
    pub tasks: usize,
}

/// Tasks of a batch.
#[must_use]
pub fn entries(count: usize) -> Vec<Entry> {
    (0..count)
        .map(|i| Entry {
            number: i as u64,
            id: shared::digest::sha256(format!("task {i}").as_bytes()),
            label: if i % 2 == 0 { "auto.even" } else { "class.odd" }.to_owned(),
        })
        .collect()
}

#[track_caller]
fn must<T>(result: Result<T, QueueError>) -> T {
    result.unwrap_or_else(|e| panic!("{e}"))
}

impl<F, R> Suite<F>
where
    F: Fn(String) -> R,
    R: Future<Output = Arc<dyn Queue>>,
{
    /// Runs all of it.
    pub async fn run(&self) {
        self.each_task_is_claimed_once().await;
        self.a_silent_worker_loses_its_task().await;
        self.failures_cancels_and_retries().await;
        self.workers_that_vanish_leave_one_result_each().await;
    }

    async fn opened(&self, name: &str, count: usize) -> Arc<dyn Queue> {
        let queue = (self.open)(name.to_owned()).await;
        must(queue.enter(&entries(count)).await);
        queue
    }

    fn asking<'a>(&self, owner: &'a str, only: &'a [String]) -> Asking<'a> {
        Asking { owner, lease: Duration::from_secs(60), only }
    }

    async fn claim(&self, queue: &dyn Queue, asking: &Asking<'_>) -> Claim {
        match must(queue.next(asking).await) {
            Next::Task(claim) => claim,
            other => panic!("{other:?}"),
        }
    }

    async fn states(&self, queue: &dyn Queue) -> BTreeMap<State, usize> {
        let mut states = BTreeMap::new();
        for row in must(queue.rows().await) {
            *states.entry(row.state).or_default() += 1;
        }
        states
    }

    async fn each_task_is_claimed_once(&self) {
        let (one, two) = (self.opened("once", 6).await, self.opened("once", 6).await);
        must(one.enter(&entries(6)).await);
        assert_eq!(self.states(&*one).await, BTreeMap::from([(State::Pending, 6)]));
        let odd = ["class.odd".to_owned()];
        let mut claimed = BTreeSet::new();
        for _ in 0..3 {
            let claim = self.claim(&*one, &self.asking("one", &odd)).await;
            assert_eq!(claim.number % 2, 1);
            assert!(claimed.insert(claim.id.clone()));
            assert!(must(one.renew(&claim, Duration::from_secs(60)).await));
            let result = format!("result of {}", claim.id);
            assert!(must(one.finish(&claim, &Outcome::Done(result)).await));
            let other = Outcome::Done("another".into());
            assert!(!must(one.finish(&claim, &other).await), "written once");
            assert!(!must(one.release(&claim).await) && !must(one.renew(&claim, Duration::from_secs(60)).await));
        }
        assert_eq!(must(one.next(&self.asking("one", &odd)).await), Next::Done);
        let held = [
            self.claim(&*one, &self.asking("one", &[])).await,
            self.claim(&*two, &self.asking("two", &[])).await,
            self.claim(&*two, &self.asking("two", &[])).await,
        ];
        assert!(held.iter().all(|claim| claimed.insert(claim.id.clone())), "{held:?}");
        assert_eq!(must(two.next(&self.asking("two", &[])).await), Next::Wait);
        assert_eq!(self.states(&*two).await, BTreeMap::from([(State::Running, 3), (State::Done, 3)]));
        let rows = must(one.rows().await);
        let mine = rows.iter().find(|row| row.id == held[0].id).expect("a row");
        assert_eq!((mine.owner.as_deref(), mine.silent), (Some("one"), false));
        // Handed back, it is there for the other at once, with what was kept.
        assert_eq!(must(two.checkpoints().await), [], "nothing is kept yet");
        assert!(must(one.keep(&held[0], "epoch 3").await));
        assert_eq!(must(two.checkpoints().await), [(held[0].id.clone(), "epoch 3".to_owned())]);
        assert!(must(one.release(&held[0]).await));
        let again = self.claim(&*two, &self.asking("two", &[])).await;
        assert_eq!((&again.id, again.checkpoint.as_deref()), (&held[0].id, Some("epoch 3")));
        assert!(!must(one.finish(&held[0], &Outcome::Done("stale".into())).await));
        for claim in [&again, &held[1], &held[2]] {
            assert!(must(two.finish(claim, &Outcome::Done(format!("result of {}", claim.id))).await));
        }
        assert_eq!(must(one.next(&self.asking("one", &[])).await), Next::Done);
        assert_eq!(must(one.checkpoints().await), [], "what is finished is not looked on");
        let results = must(one.results().await);
        assert_eq!(results.len(), 6);
        assert!(results.iter().all(|(id, text)| *text == format!("result of {id}")), "{results:?}");
        must(one.seen("one", None).await);
        must(one.seen("one", Some(&held[0].id)).await);
        must(two.seen("two", None).await);
        let workers = must(one.workers().await);
        assert_eq!(workers.iter().map(|w| w.owner.as_str()).collect::<Vec<_>>(), ["one", "two"]);
        assert!(workers[0].silent_s < 30 && workers[0].task.is_some() && workers[1].task.is_none());
        assert!(workers.iter().all(|w| w.since_ms.is_some_and(|since| since <= w.seen_ms + 1000)), "{workers:?}");
        must(two.gone("two").await);
        assert_eq!(must(one.workers().await).len(), 1);
        // Tasks that are added later are found by all who know of them.
        must(one.enter(&entries(7)).await);
        assert_eq!(self.claim(&*one, &self.asking("one", &[])).await.number, 6);
    }

    async fn a_silent_worker_loses_its_task(&self) {
        let (old, new) = (self.opened("silent", 1).await, self.opened("silent", 1).await);
        let short = Asking { lease: self.lease, ..self.asking("old", &[]) };
        let lost = self.claim(&*old, &short).await;
        assert!(must(old.keep(&lost, "epoch 1").await));
        assert_eq!(must(new.next(&self.asking("new", &[])).await), Next::Wait, "its lease stands");
        // Signs of life keep it, past the lease.
        for _ in 0..4 {
            tokio::time::sleep(self.lease / 2).await;
            assert!(must(old.renew(&lost, self.lease).await));
            assert_eq!(must(new.next(&self.asking("new", &[])).await), Next::Wait, "it lives");
        }
        tokio::time::sleep(self.lease + self.lease / 2).await;
        assert!(must(new.rows().await)[0].silent);
        let taken = self.claim(&*new, &self.asking("new", &[])).await;
        assert_eq!((&taken.id, taken.checkpoint.as_deref()), (&lost.id, Some("epoch 1")));
        assert!(!must(old.renew(&lost, self.lease).await));
        assert!(!must(old.keep(&lost, "epoch 2").await));
        assert!(!must(old.finish(&lost, &Outcome::Done("old".into())).await));
        assert!(!must(old.finish(&lost, &Outcome::Failed("old".into())).await));
        assert!(!must(old.release(&lost).await));
        assert_eq!(must(new.rows().await)[0].lost, 1);
        assert!(must(new.finish(&taken, &Outcome::Done("new".into())).await));
        let row = must(self.opened("silent", 1).await.rows().await).remove(0);
        assert_eq!((row.state, row.lost, row.failures), (State::Done, 1, 0), "what was lost stays told");
        assert_eq!(must(old.results().await), [(lost.id.clone(), "new".to_owned())]);
        assert_eq!(must(old.next(&self.asking("old", &[])).await), Next::Done);
    }

    async fn failures_cancels_and_retries(&self) {
        let queue = self.opened("failures", 3).await;
        let all: Vec<String> = entries(3).into_iter().map(|entry| entry.id).collect();
        for _ in 0..2 {
            let odd = ["class.odd".to_owned()];
            let claim = self.claim(&*queue, &self.asking("me", &odd)).await;
            assert!(must(queue.finish(&claim, &Outcome::Failed("too\0 few rows".into())).await));
        }
        let failed = must(queue.rows().await).remove(1);
        assert_eq!((failed.state, failed.failures, failed.reason.as_deref()), (State::Failed, 2, Some("too few rows")));
        let running = self.claim(&*queue, &self.asking("me", &[])).await;
        let cancelled = must(queue.cancel(&all).await);
        assert_eq!(cancelled.len(), 2, "what failed is finished");
        assert!(!must(queue.finish(&running, &Outcome::Done("too late".into())).await));
        assert_eq!(must(queue.next(&self.asking("me", &[])).await), Next::Done);
        assert_eq!(self.states(&*queue).await, BTreeMap::from([(State::Failed, 1), (State::Cancelled, 2)]));
        assert_eq!(must(queue.reset(&all).await).len(), 3);
        assert_eq!(self.states(&*queue).await, BTreeMap::from([(State::Pending, 3)]));
        let claim = self.claim(&*queue, &self.asking("me", &[])).await;
        assert_eq!(must(queue.free(&all).await), std::slice::from_ref(&claim.id), "only what runs is freed");
        assert!(!must(queue.renew(&claim, self.lease).await));
        for _ in 0..3 {
            let claim = self.claim(&*queue, &self.asking("me", &[])).await;
            assert!(must(queue.finish(&claim, &Outcome::Done("done".into())).await));
        }
        assert_eq!(must(queue.next(&self.asking("me", &[])).await), Next::Done);
        assert!(must(queue.reset(&all).await).is_empty() && must(queue.cancel(&all).await).is_empty());
    }

    /// Workers that claim and vanish at random: each task still gets one result, and nobody's second one is taken.
    async fn workers_that_vanish_leave_one_result_each(&self) {
        let count = self.tasks;
        drop(self.opened("vanish", count).await);
        let mut handles = Vec::new();
        for number in 0..self.workers {
            let queue = self.opened("vanish", count).await;
            let lease = self.lease;
            handles.push(tokio::spawn(async move {
                let mut random = SplitMix64::keyed(&[7, number as u64]);
                let (mut accepted, mut vanished) = (Vec::new(), 0);
                let mut life = 0;
                loop {
                    let owner = format!("worker {number} in its life {life}");
                    match must(queue.next(&Asking { owner: &owner, lease, only: &[] }).await) {
                        Next::Done => return (accepted, vanished),
                        Next::Wait => tokio::time::sleep(lease / 4).await,
                        Next::Task(claim) if random.uniform() < 0.1 => {
                            // It is killed; but half of those come back as from a long pause and report.
                            vanished += 1;
                            life += 1;
                            if random.uniform() < 0.5 {
                                tokio::time::sleep(lease * 2).await;
                                if must(queue.finish(&claim, &Outcome::Done(owner)).await) {
                                    accepted.push(claim.id);
                                }
                            }
                        }
                        Next::Task(claim) => {
                            if must(queue.finish(&claim, &Outcome::Done(owner)).await) {
                                accepted.push(claim.id);
                            }
                        }
                    }
                }
            }));
        }
        let (mut accepted, mut vanished) = (Vec::new(), 0);
        for handle in handles {
            let (mine, lost) = handle.await.unwrap_or_else(|e| panic!("{e}"));
            accepted.extend(mine);
            vanished += lost;
        }
        let queue = self.opened("vanish", count).await;
        let results = must(queue.results().await);
        let names: BTreeSet<&str> = results.iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!((results.len(), names.len()), (count, count));
        let different: BTreeSet<&String> = accepted.iter().collect();
        assert_eq!((accepted.len(), different.len()), (count, count), "each result was accepted once");
        assert!(vanished > 0, "nobody vanished");
        assert_eq!(self.states(&*queue).await, BTreeMap::from([(State::Done, count)]));
    }
}
