//! A connection that stays open, for programs that load a server: as little work on this side as can be.

use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A connection with the last answer.
pub(crate) struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
    head: usize,
}

/// A request that posts JSON.
pub(crate) fn post(path: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body.as_bytes()].concat()
}

impl Connection {
    /// Connects.
    pub(crate) async fn open(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, answer: Vec::with_capacity(64 << 10), head: 0 })
    }

    /// Sends a request, reads its answer, and says whether it is a 200.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> io::Result<bool> {
        self.stream.write_all(request).await?;
        self.answer.clear();
        let mut whole = None;
        loop {
            if self.stream.read_buf(&mut self.answer).await? == 0 {
                return Err(io::Error::other("the server closed the connection"));
            }
            if whole.is_none()
                && let Some(end) = self.answer.windows(4).position(|window| window == b"\r\n\r\n")
            {
                let head = String::from_utf8_lossy(&self.answer[..end]).to_lowercase();
                let length = head.split("content-length:").nth(1).and_then(|rest| rest.trim().split('\r').next());
                let length: Option<usize> = length.and_then(|length| length.trim().parse().ok());
                self.head = end + 4;
                whole = Some(self.head + length.ok_or_else(|| io::Error::other("an answer without its length"))?);
            }
            if whole.is_some_and(|whole| self.answer.len() >= whole) {
                return Ok(self.answer.starts_with(b"HTTP/1.1 200"));
            }
        }
    }

    /// The body of the last answer.
    #[allow(dead_code, reason = "one of the programs that share this module has no use for it")]
    pub(crate) fn body(&self) -> &[u8] {
        &self.answer[self.head..]
    }
}
