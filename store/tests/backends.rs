//! The conformance suite on memory, on a folder, and on S3-speaking servers where one is installed.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use std::sync::Arc;
use store::conformance::{Faults, half_pushes_are_invisible, run, writers};
use store::{Key, Store};

/// Of a thousand requests, so many go wrong.
const FAULTS: u64 = 60;

fn faulty(backend: &Arc<dyn ObjectStore>, seed: u64) -> Store {
    Store::over(Arc::new(Faults::new(Arc::clone(backend), seed, FAULTS)), None, "faulty")
}

fn plain(backend: &Arc<dyn ObjectStore>) -> Store {
    Store::over(Arc::clone(backend), None, "plain")
}

fn memory() -> Arc<dyn ObjectStore> {
    Arc::new(InMemory::new())
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_conforms() {
    let backend = memory();
    run(&plain(&backend), &plain(&backend)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_conforms_with_faults() {
    for seed in 0..3 {
        let backend = memory();
        run(&faulty(&backend, seed), &plain(&backend)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_conforms() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::folder(folder.path()).unwrap();
    run(&store, &store.clone()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_conforms_with_faults() {
    let folder = tempfile::tempdir().unwrap();
    let backend: Arc<dyn ObjectStore> = Arc::new(LocalFileSystem::new_with_prefix(folder.path()).unwrap());
    run(&faulty(&backend, 7), &plain(&backend)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_is_cut_off_anywhere_is_invisible() {
    half_pushes_are_invisible(memory(), Some(Key::new("a/prefix").unwrap())).await;
    let folder = tempfile::tempdir().unwrap();
    half_pushes_are_invisible(Arc::new(LocalFileSystem::new_with_prefix(folder.path()).unwrap()), None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sixteen_writers_lose_none_of_a_thousand_snapshots() {
    writers(&Store::memory(), 16, 1000).await;
}
