//! Which revision of the data a folder holds, where `data` has it under version.

use shared::failure::Failure;
use std::path::Path;
use store::work::{FOLDER, WorkingCopy};

/// What follows the revision of a folder that has changed since.
const MODIFIED: &str = "-modified";

/// The snapshot that a folder is, or a folder above it is under version as: its hash, with `-modified` behind it where something in
/// the folder is not as the snapshot has it. None where nothing is under version, or was never recorded. The store is asked only
/// for what was not fetched yet.
///
/// # Errors
/// A folder under version that cannot be read, or is in use.
pub async fn data_revision(folder: &Path) -> Result<Option<String>, Failure> {
    let folder = folder.canonicalize().map_err(|e| Failure::io(folder, "find", &e))?;
    let Some(root) = folder.ancestors().find(|above| above.join(FOLDER).join("config.json").exists()) else {
        return Ok(None);
    };
    let status = WorkingCopy::open(root)?.status().await?;
    let below = folder.strip_prefix(root).unwrap_or(Path::new(""));
    let modified = status.changes.iter().any(|change| Path::new(&change.path).starts_with(below));
    Ok(status.head.map(|head| format!("{head}{}", if modified { MODIFIED } else { "" })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use store::Store;
    use store::work::CommitOptions;

    #[tokio::test]
    async fn a_revision_is_that_of_the_folder_and_says_whether_it_still_is() {
        let place = tempfile::tempdir().expect("temporary folder");
        let root = place.path().join("work");
        fs::create_dir_all(root.join("training_data")).expect("created");
        fs::write(root.join("training_data/dense.csv"), "a").expect("written");
        fs::write(root.join("notes"), "b").expect("written");
        let tables = root.join("training_data");
        assert_eq!(data_revision(&tables).await.expect("looked"), None, "not under version");
        let remote = place.path().join("store").display().to_string();
        let store = Store::open(&remote).expect("a store");
        let mut copy = WorkingCopy::init(&root, &remote, store, "", "main").expect("under version");
        drop(copy);
        assert_eq!(data_revision(&tables).await.expect("looked"), None, "never recorded");
        copy = WorkingCopy::open(&root).expect("opened");
        let options = CommitOptions { message: "first".into(), ..CommitOptions::default() };
        let head = copy.commit(&options).await.expect("recorded").expect("new").to_string();
        assert!(data_revision(&tables).await.is_err(), "in use");
        drop(copy);
        assert_eq!(data_revision(&tables).await.expect("looked").as_ref(), Some(&head));
        // What changes beside the folder is none of its.
        fs::write(root.join("notes"), "changed").expect("written");
        assert_eq!(data_revision(&tables).await.expect("looked").as_ref(), Some(&head));
        let modified = Some(format!("{head}-modified"));
        assert_eq!(data_revision(&root).await.expect("looked"), modified);
        fs::write(tables.join("new.csv"), "c").expect("written");
        assert_eq!(data_revision(&tables).await.expect("looked"), modified);
    }
}
