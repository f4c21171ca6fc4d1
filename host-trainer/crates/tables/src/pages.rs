//! The page headers of Parquet files, checked before polars reads them.
//!
//! polars takes memory by the numbers in a page's header before it looks at the page. A damaged header could thus ask for more
//! memory than there is, which ends the process.

use polars_parquet_format::thrift::protocol::TCompactInputProtocol;
use polars_parquet_format::{PageHeader, PageType};
use std::io::Cursor;

/// Bytes that the pages of a column chunk take in memory, as their headers declare. `values` is the number of values that the
/// file's footer declares for the chunk.
///
/// # Errors
/// In words: a header that cannot be read, a page that ends beyond the chunk, a dictionary with more values than bytes, or pages
/// with another number of values than the footer has.
pub(crate) fn declared_bytes(chunk: &[u8], values: i64) -> Result<u64, String> {
    let (mut bytes, mut found, mut position) = (0_u64, 0_u64, 0);
    while position < chunk.len() && u64::try_from(values).is_ok_and(|values| found < values) {
        let mut rest = Cursor::new(&chunk[position..]);
        let mut protocol = TCompactInputProtocol::new(&mut rest, chunk.len());
        let header = PageHeader::read_from_in_protocol(&mut protocol).map_err(|e| e.to_string())?;
        let begin = position + usize::try_from(rest.position()).map_err(|e| e.to_string())?;
        let size = usize::try_from(header.compressed_page_size).map_err(|_| "a page has a negative size")?;
        let end = begin.checked_add(size).filter(|end| *end <= chunk.len()).ok_or("a page ends beyond its column")?;
        let unpacked = u64::try_from(header.uncompressed_page_size).map_err(|_| "a page has a negative size")?;
        match header.type_ {
            PageType::DICTIONARY_PAGE => {
                let dictionary = header.dictionary_page_header.ok_or("a dictionary page has another header")?;
                // Each value takes a byte at least.
                if u64::try_from(dictionary.num_values).map_or(true, |values| values > unpacked) {
                    return Err("a dictionary has more values than bytes".to_owned());
                }
            }
            PageType::DATA_PAGE => {
                let data = header.data_page_header.ok_or("a data page has another header")?;
                found += u64::try_from(data.num_values).map_err(|_| "a page has fewer values than none")?;
            }
            PageType::DATA_PAGE_V2 => {
                let data = header.data_page_header_v2.ok_or("a data page has another header")?;
                found += u64::try_from(data.num_values).map_err(|_| "a page has fewer values than none")?;
            }
            _ => {}
        }
        bytes = bytes.saturating_add(unpacked);
        position = end;
    }
    if u64::try_from(values) == Ok(found) {
        Ok(bytes)
    } else {
        Err(format!("its pages have {found} values where the footer has {values}"))
    }
}

#[cfg(test)]
mod tests {
    use super::declared_bytes;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_are_refused_or_counted(chunk in proptest::collection::vec(any::<u8>(), 0..200), values in any::<i64>()) {
            let _ = declared_bytes(&chunk, values);
        }
    }

    #[test]
    fn a_chunk_without_pages_has_no_values() {
        assert_eq!(declared_bytes(&[], 0), Ok(0));
        let failure = declared_bytes(&[], 3).expect_err("no page");
        assert!(failure.contains("0 values where the footer has 3"), "{failure}");
    }
}
