//! Messages of protocol buffers, the encoding of ONNX files, as they stand in a file: [`Message`] writes them field by field,
//! [`Wire`] reads them from a file or from memory, and [`fields`] lists those of a message in memory. Which field means what is
//! known to the callers, each of which reads or writes a few fields of files that may be larger than memory.
//!
//! The encoding is described at <https://protobuf.dev/programming-guides/encoding/>.

mod read;
mod write;

pub use read::{Field, MessageField, Source, Value, Wire, WireError, fields};
pub use write::{Message, header};
