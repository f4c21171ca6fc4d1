//! Whatever bytes stand where a pack, a table of contents or an index should be: they are read or refused, and what is read is written
//! the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use store::snapshot::{Toc, decode_index, encode_index, parse_pack};

fuzz_target!(|data: &[u8]| {
    if let Ok(toc) = parse_pack(data) {
        assert_eq!(toc.pack_bytes(), data.len() as u64);
        assert!(toc.places().all(|(_, range)| range.end <= toc.data_bytes()));
    }
    if let Ok(toc) = Toc::decode(data) {
        assert_eq!(toc.encode(), data);
    }
    if let Ok(tocs) = decode_index(data) {
        assert_eq!(encode_index(&tocs.iter().collect::<Vec<_>>()), data);
    }
    // Past the marks that random bytes seldom have.
    let _ = Toc::decode(&[b"EPTOC1\n\n", data].concat());
    let _ = decode_index(&[b"EPINDX1\n", data].concat());
    let _ = parse_pack(&[data, b"EPPACK1\n"].concat());
});
