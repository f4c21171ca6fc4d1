//! Whatever bytes stand where a snapshot or a folder's list should be: they are read or refused, no name comes through that could leave
//! the folder, and a list that is read is written the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use store::snapshot::{Item, Node, Snapshot, check_link, check_name, decode_tree, encode_tree};

fuzz_target!(|data: &[u8]| {
    let list = [b"EPTREE1\n", data].concat();
    if let Ok(entries) = decode_tree(&list, 2) {
        for (name, item) in &entries {
            assert!(check_name(name).is_ok());
            if let Item::Node(Node::Link { target }) = item {
                assert!(check_link(target, 2).is_ok());
            }
        }
        let borrowed: Vec<(&str, Item)> = entries.iter().map(|(name, item)| (name.as_str(), item.clone())).collect();
        assert_eq!(encode_tree(&borrowed), list);
    }
    let _ = decode_tree(data, 0);
    if let Ok(snapshot) = Snapshot::decode(data) {
        let (_, bytes) = snapshot.encode().expect("JSON");
        assert_eq!(Snapshot::decode(&bytes), Ok(snapshot));
    }
});
