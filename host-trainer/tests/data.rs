//! `host-trainer data`, as a user runs it: two folders and a store in a third.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    /// A store, and a folder with a run and some files that was pushed to it.
    fn pushed() -> Self {
        let bench = Self { folder: tempfile::tempdir().expect("temporary folder") };
        let one = bench.path("one");
        bench.ok("one", &["init", &bench.store()]);
        for number in 0..50 {
            write(
                &one.join(format!("raw_data/net{}/sample{number}.csv", number % 5)),
                format!("row {number}\n").as_bytes(),
            );
        }
        write(
            &one.join("big.bin"),
            &(0..20_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect::<Vec<_>>(),
        );
        let manifest = shared::run_folder::Manifest::new("net1", "a test");
        write(&one.join("raw_data/net1/manifest.json"), &serde_json::to_vec(&manifest).expect("JSON"));
        bench.ok("one", &["commit", "-m", "first"]);
        bench.ok("one", &["push"]);
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn store(&self) -> String {
        self.path("store").display().to_string()
    }

    fn run(&self, folder: &str, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_host-trainer"))
            .args(["data", "--local-dir-path"])
            .arg(self.path(folder))
            .args(arguments)
            .output()
            .expect("runs")
    }

    fn ok(&self, folder: &str, arguments: &[&str]) -> String {
        let output = self.run(folder, arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }

    /// What it says when it fails with this exit code.
    fn fails(&self, folder: &str, arguments: &[&str], code: i32) -> String {
        let output = self.run(folder, arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        said
    }

    fn pulled(&self, folder: &str) {
        self.ok(folder, &["init", &self.store()]);
        self.ok(folder, &["pull"]);
    }

    /// The objects of a kind in the store.
    fn objects(&self, kind: &str) -> Vec<PathBuf> {
        let mut all: Vec<PathBuf> = walkdir::WalkDir::new(self.path("store").join(kind))
            .into_iter()
            .flatten()
            .filter(|entry| entry.file_type().is_file())
            .map(walkdir::DirEntry::into_path)
            .collect();
        all.sort_unstable();
        all
    }
}

fn write(path: &Path, content: &[u8]) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("created");
    fs::write(path, content).expect("written");
}

#[test]
fn what_is_pushed_is_pulled_byte_by_byte_and_history_tells_it() {
    let bench = Bench::pushed();
    bench.pulled("two");
    assert_eq!(fs::read(bench.path("one/big.bin")).expect("read"), fs::read(bench.path("two/big.bin")).expect("read"));
    assert_eq!(bench.ok("two", &["status"]).lines().count(), 1);
    write(&bench.path("one/raw_data/net0/sample0.csv"), b"changed\n");
    fs::remove_file(bench.path("one/raw_data/net0/sample5.csv")).expect("removed");
    let status = bench.ok("one", &["status"]);
    assert!(
        status.contains("modified raw_data/net0/sample0.csv") && status.contains("removed  raw_data/net0/sample5.csv"),
        "{status}"
    );
    bench.ok("one", &["commit", "-m", "second", "--author", "ann"]);
    bench.ok("one", &["push"]);
    bench.ok("one", &["tag", "v1"]);
    bench.ok("two", &["pull"]);
    assert!(!bench.path("two/raw_data/net0/sample5.csv").exists());
    let log = bench.ok("two", &["log"]);
    assert!(log.contains("ann") && log.find("second") < log.find("first"), "{log}");
    let json: serde_json::Value = serde_json::from_str(&bench.ok("two", &["log", "--format", "json"])).expect("JSON");
    assert_eq!(json[0]["says"]["runs"][0]["model"], "net1");
    let diff = bench.ok("two", &["diff", "HEAD~1", "v1", "--format", "csv"]);
    assert_eq!(diff.lines().count(), 3, "{diff}");
    bench.ok("two", &["checkout", "HEAD~1"]);
    assert_eq!(fs::read_to_string(bench.path("two/raw_data/net0/sample0.csv")).expect("read"), "row 0\n");
    assert!(bench.fails("two", &["commit", "-m", "x"], 2).contains("older snapshot"));
    bench.ok("two", &["checkout", "main"]);
    assert_eq!(fs::read_to_string(bench.path("two/raw_data/net0/sample0.csv")).expect("read"), "changed\n");
    assert!(bench.fails("two", &["tag", "v1", "HEAD~1"], 1).contains("never move"));
    assert!(bench.fails("two", &["checkout", "nowhere"], 2).contains("no branch, no tag and no snapshot"));
}

#[test]
fn the_second_of_two_pushers_is_told_to_pull_and_own_changes_are_never_replaced_unasked() {
    let bench = Bench::pushed();
    bench.pulled("two");
    write(&bench.path("one/from_one"), b"1");
    write(&bench.path("two/from_two"), b"2");
    bench.ok("one", &["commit", "-m", "one"]);
    bench.ok("two", &["commit", "-m", "two"]);
    bench.ok("one", &["push"]);
    let said = bench.fails("two", &["push"], 1);
    assert!(said.contains("nothing was overwritten") && said.contains("data pull"), "{said}");
    bench.ok("two", &["pull"]);
    bench.ok("two", &["push"]);
    write(&bench.path("one/from_two"), b"mine");
    let said = bench.fails("one", &["pull"], 1);
    assert!(said.contains("from_two") && said.contains("--force"), "{said}");
    assert_eq!(fs::read(bench.path("one/from_two")).expect("read"), b"mine");
    let output = bench.run("one", &["pull", "--force"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("replaced your version of from_two"));
    assert_eq!(fs::read(bench.path("one/from_two")).expect("read"), b"2");
}

#[test]
fn a_flipped_bit_is_found_and_named() {
    let bench = Bench::pushed();
    assert!(bench.ok("one", &["verify"]).contains("1 snapshots on 1 branches"));
    let mut named = 0;
    for kind in ["packs", "indexes", "snapshots", "branches"] {
        for (number, object) in bench.objects(kind).into_iter().enumerate() {
            let whole = fs::read(&object).expect("read");
            let mut damaged = whole.clone();
            let at = (damaged.len() - 1) * (number + 1) / 7 % damaged.len();
            damaged[at] ^= 0x10;
            fs::write(&object, &damaged).expect("written");
            let output = bench.run("one", &["verify"]);
            assert_eq!(output.status.code(), Some(1), "{} at {at}", object.display());
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            let name = object.file_name().expect("a name").to_string_lossy().into_owned();
            assert!(said.contains(&name) || kind == "branches", "{name}: {said}");
            named += usize::from(said.contains("big.bin (") || said.contains(".csv ("));
            let folder = format!("clean-{kind}-{number}");
            bench.run(&folder, &["init", &bench.store()]);
            let pulled = bench.run(&folder, &["pull"]);
            let said = String::from_utf8_lossy(&pulled.stderr).into_owned();
            // A bit of the tail that says where the table lies is in no file: verify sees it, a pull need not.
            if pulled.status.success() {
                assert_eq!(kind, "packs", "{said}");
                assert_eq!(
                    fs::read(bench.path(&folder).join("big.bin")).expect("read"),
                    fs::read(bench.path("one/big.bin")).expect("read")
                );
            }
            fs::write(&object, &whole).expect("written");
            // What had arrived is kept, and the rest comes once the store is in order again.
            bench.run(&folder, &["init", &bench.store()]);
            bench.ok(&folder, &["pull"]);
            assert_eq!(bench.ok(&folder, &["status"]).lines().count(), 1);
        }
    }
    assert!(named >= 2, "files behind damaged packs were named {named} times");
    bench.ok("one", &["verify"]);
}

#[test]
fn names_and_links_that_no_folder_should_hold_are_refused_clearly() {
    let bench = Bench::pushed();
    let one = bench.path("one");
    let refused = |path: &str, why: &str| {
        write(&one.join(path), b"x");
        let said = bench.fails("one", &["commit", "-m", "x"], 3);
        assert!(said.contains(why), "{said}");
        fs::remove_file(one.join(path)).expect("removed");
    };
    refused("bell\u{7}", "control character");
    refused("back\\slash", "backslash");
    refused("BIG.bin", "only by case");
    std::os::unix::fs::symlink("/etc/passwd", one.join("link")).expect("linked");
    assert!(bench.fails("one", &["commit", "-m", "x"], 3).contains("leads out of the folder"));
    fs::remove_file(one.join("link")).expect("removed");
    assert!(bench.fails("one", &["init", &bench.store()], 2).contains("already"));
    assert!(bench.fails("three", &["init", "https://ann:hunter2@host/x"], 2).contains("password"));
    assert!(bench.fails("three", &["status"], 2).contains("not under version"));
}

#[test]
fn a_folder_of_the_snapshots_can_be_worked_on_alone() {
    let bench = Bench::pushed();
    bench.ok("raw", &["init", &bench.store(), "--remote-dir-path", "raw_data"]);
    bench.ok("raw", &["pull", "--branch", "main"]);
    assert!(bench.path("raw/net1/sample1.csv").exists() && !bench.path("raw/big.bin").exists());
    write(&bench.path("raw/net9/new.csv"), b"new");
    bench.ok("raw", &["commit", "-m", "from the board"]);
    bench.ok("raw", &["push"]);
    bench.ok("one", &["pull"]);
    assert!(bench.path("one/raw_data/net9/new.csv").exists() && bench.path("one/big.bin").exists());
}

#[test]
fn only_what_nothing_leads_to_and_is_old_is_removed() {
    let bench = Bench::pushed();
    let orphan = |name: &str| {
        let digest = store::Digest::of(name.as_bytes()).to_string();
        let path = bench.path("store").join("packs").join(&digest[..2]).join(&digest);
        write(&path, name.as_bytes());
        path
    };
    let (old, young) = (orphan("old"), orphan("young"));
    let litter = bench.path("store/packs/x#1");
    write(&litter, b"half");
    // Everything but one orphan is a month old: age alone removes nothing.
    let month_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(31 * 24 * 3600);
    for kind in ["packs", "indexes", "snapshots", "branches"] {
        for object in bench.objects(kind).iter().filter(|object| **object != young) {
            fs::File::options().write(true).open(object).and_then(|file| file.set_modified(month_ago)).expect("aged");
        }
    }
    let listed = bench.ok("one", &["gc", "--dry-run"]);
    assert_eq!(listed.lines().count(), 2, "{listed}");
    assert!(old.exists() && litter.exists());
    assert_eq!(bench.ok("one", &["gc"]), listed);
    assert!(!old.exists() && !litter.exists() && young.exists());
    bench.ok("one", &["verify"]);
    bench.pulled("two");
}

/// Every file below a folder.
fn all_files(folder: &Path) -> Vec<PathBuf> {
    let files = walkdir::WalkDir::new(folder).into_iter().flatten().filter(|entry| entry.file_type().is_file());
    files.map(walkdir::DirEntry::into_path).collect()
}

const ASKING: [&[&str]; 8] =
    [&["push"], &["pull"], &["verify"], &["gc"], &["status"], &["branch"], &["tag"], &["checkout", "some-tag"]];

#[test]
fn a_store_that_is_gone_is_missed_and_not_made_again() {
    let bench = Bench::pushed();
    let (store, unmounted) = (bench.path("store"), bench.path("unmounted"));
    fs::rename(&store, &unmounted).expect("unmounted");
    for command in ASKING {
        let said = bench.fails("one", command, 5);
        assert!(said.contains(&bench.store()) && said.contains("no such folder"), "{command:?}: {said}");
        assert!(!store.exists(), "{command:?} made a store");
    }
    // What needs no store goes on.
    write(&bench.path("one/new.csv"), b"new\n");
    bench.ok("one", &["status", "--offline"]);
    bench.ok("one", &["commit", "-m", "without the store"]);
    bench.ok("one", &["log"]);
    // An empty folder, as a disk that is not mounted leaves it, and one of another program.
    fs::create_dir(&store).expect("a folder");
    for (command, file) in ASKING.iter().flat_map(|command| [(command, false), (command, true)]) {
        if file {
            write(&store.join("photo.jpg"), b"none of ours");
        }
        let said = bench.fails("one", command, 5);
        assert!(said.contains("there is no store"), "{command:?}: {said}");
        assert_eq!(all_files(&store).len(), usize::from(file), "{command:?}");
        let _ = fs::remove_file(store.join("photo.jpg"));
    }
    let said = bench.fails("one", &["push"], 5);
    assert!(said.contains("empty") && said.contains("pushed to it"), "{said}");
    // Another store in its place, which has as many entries, and an older one.
    write(&bench.path("other/a.txt"), b"other\n");
    bench.ok("other", &["init", &bench.store()]);
    bench.fails("one", &["push"], 3);
    bench.ok("other", &["commit", "-m", "first of another"]);
    bench.ok("other", &["push"]);
    for command in &ASKING[..5] {
        let said = bench.fails("one", command, 3);
        assert!(said.contains("has gone back"), "{command:?}: {said}");
    }
    // It is there again.
    fs::remove_dir_all(&store).expect("removed");
    fs::rename(&unmounted, &store).expect("mounted");
    bench.ok("one", &["push"]);
    bench.ok("one", &["verify"]);
}

#[test]
fn stores_of_earlier_versions_go_on_working() {
    let bench = Bench::pushed();
    // They have no marker, and their folders do not know whether the store was there.
    fs::remove_file(bench.path("store").join(store::MARKER)).expect("a marker");
    let forget = |folder: &str| {
        let config = bench.path(folder).join(".edge/config.json");
        let text = fs::read_to_string(&config).expect("a file");
        let mut value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert!(value.as_object_mut().expect("an object").remove("store_seen").is_some());
        fs::write(&config, value.to_string()).expect("written");
    };
    forget("one");
    write(&bench.path("one/new.csv"), b"new\n");
    bench.ok("one", &["commit", "-m", "second"]);
    bench.ok("one", &["push"]);
    bench.ok("one", &["verify"]);
    bench.ok("one", &["gc"]);
    bench.pulled("two");
    // One that was begun and never pushed to: its folder is there, and has nothing in it.
    write(&bench.path("three/a.txt"), b"a\n");
    let begun = bench.path("begun").display().to_string();
    bench.ok("three", &["init", &begun]);
    forget("three");
    fs::remove_file(bench.path("begun").join(store::MARKER)).expect("a marker");
    bench.ok("three", &["commit", "-m", "first"]);
    bench.ok("three", &["push"]);
    bench.ok("three", &["verify"]);
}

#[test]
fn empty_steps_in_a_link_or_a_folder_do_not_matter() {
    let bench = Bench { folder: tempfile::tempdir().expect("temporary folder") };
    write(&bench.path("one/f.txt"), b"f");
    write(&bench.path("one/sub/g.txt"), b"g");
    for (name, target) in
        [("dot", "./f.txt"), ("slash", "sub/"), ("empty", "sub//g.txt"), ("back", "sub/../f.txt"), ("own", "./")]
    {
        std::os::unix::fs::symlink(target, bench.path("one").join(name)).expect("a link");
    }
    bench.ok("one", &["init", &bench.store(), "--remote-dir-path", "./runs//lab/"]);
    bench.ok("one", &["commit", "-m", "links"]);
    assert!(bench.ok("one", &["status", "--offline"]).lines().count() == 1, "nothing has changed since");
    bench.ok("one", &["push"]);
    bench.pulled("two");
    let link = |name: &str| fs::read_link(bench.path("two/runs/lab").join(name)).expect("a link");
    for (name, target) in [("dot", "f.txt"), ("slash", "sub"), ("empty", "sub/g.txt"), ("back", "f.txt"), ("own", ".")]
    {
        assert_eq!(link(name), Path::new(target), "{name}");
    }
    // A `..` behind a link may lead anywhere.
    std::os::unix::fs::symlink("slash/../f.txt", bench.path("one/through")).expect("a link");
    let said = bench.fails("one", &["commit", "-m", "more"], 3);
    assert!(said.contains("slash/../f.txt") && said.contains("gone down"), "{said}");
}
