//! A table of functions, and a configuration of batches that train on it.
#![allow(dead_code, clippy::unwrap_used)]

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, Executor};
use std::fs;
use std::path::Path;

/// Writes a SQLite file with a table of so many rows, three numbers each: `time_ns = size · calls`.
pub(crate) fn table(file: &Path, rows: u32) {
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        let table = "CREATE TABLE training_data (image_tag TEXT, size REAL, calls REAL, time_ns REAL)";
        connection.execute(table).await.unwrap();
        for i in 0..rows {
            let (size, calls) = (1.0 + f64::from(i % 7), 2.0 + f64::from(i % 11));
            let row = sqlx::query("INSERT INTO training_data VALUES ('echo', $1, $2, $3)");
            row.bind(size).bind(calls).bind(size * calls).execute(&mut connection).await.unwrap();
        }
        connection.close().await.unwrap();
    });
}

/// Writes a table of sixty rows, and a configuration whose trainings take `epochs` epochs.
pub(crate) fn write(folder: &Path, epochs: usize) {
    table(&folder.join("dbs/a.db"), 60);
    fs::write(
        folder.join("batch.toml"),
        format!(
            "[datasets.functions]\nkind = \"table\"\npath = \"dbs\"\ninputs = [\"size\", \"calls\"]\noutputs = [\"time_ns\"]\n\
             [models.classifier.clu_one]\nmlp = {{ hidden = [3], members = 1 }}\n\
             [models.autoencoder.classical]\nmlp = {{ hidden = [64, 64], members = 1 }}\n\
             [training.t]\nepochs = {epochs}\nearly_stop = false\n"
        ),
    )
    .unwrap();
}
