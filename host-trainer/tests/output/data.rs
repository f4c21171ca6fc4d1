//! `data`: two folders and a store.

use crate::session::Session;

#[test]
fn from_init_to_gc() {
    let session = Session::new();
    session.write("one/a.csv", "a\n1\n");
    session.write("one/below/b.csv", "b\n2\n");
    let one = "data --local-dir-path one";
    session.check("data-nothing", &format!("{one} status"));
    session.check("data-init", &format!("{one} init store"));
    session.check("data-status-new", &format!("{one} status"));
    session.check("data-commit", &format!("{one} commit -m first"));
    session.check("data-commit-nothing", &format!("{one} commit -m again"));
    session.check("data-push", &format!("{one} push"));
    session.check("data-push-nothing", &format!("{one} push"));
    session.write("one/a.csv", "a\n1\n2\n");
    session.write("one/c.csv", "c\n");
    for format in ["human", "csv", "json"] {
        session.check(&format!("data-status-{format}"), &format!("{one} status --format {format}"));
    }
    session.prepare(&format!("{one} commit -m second"));
    for format in ["human", "csv", "json"] {
        session.check(&format!("data-log-{format}"), &format!("{one} log --format {format}"));
        session.check(&format!("data-diff-{format}"), &format!("{one} diff --format {format}"));
        session.check(&format!("data-branch-{format}"), &format!("{one} branch --format {format}"));
    }
    session.prepare(&format!("{one} push"));
    session.check("data-tag", &format!("{one} tag v1"));
    for format in ["human", "csv", "json"] {
        session.check(&format!("data-tags-{format}"), &format!("{one} tag --format {format}"));
    }
    let two = "data --local-dir-path two";
    session.check("data-init-known", &format!("{two} init store"));
    session.check("data-pull", &format!("{two} pull"));
    session.check("data-pull-nothing", &format!("{two} pull"));
    session.check("data-checkout", &format!("{two} checkout HEAD~1"));
    session.check("data-checkout-unknown", &format!("{two} checkout nowhere"));
    session.check("data-verify", &format!("{one} verify"));
    session.check("data-verify-json", &format!("{one} verify --format json"));
    session.check("data-gc", &format!("{one} gc"));
}
