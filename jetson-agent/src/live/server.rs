//! Prometheus' page over HTTP: a few threads, no runtime. A request has a size and a time, a server a number of them.

use super::address::{Listen, Token};
use super::metrics::metrics;
use super::view::View;
use shared::failure::{Failure, Kind};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The latest view, shared with the server.
#[derive(Debug, Clone, Default)]
pub struct Latest(Arc<Mutex<Option<View>>>);

impl Latest {
    /// Puts a view in the place of the one before.
    pub fn put(&self, view: &View) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(view.clone());
    }

    fn page(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(metrics)
    }
}

/// Largest request head, bytes.
const HEAD_BYTES: usize = 8192;
/// Longest time for a request to come, and for the answer to be taken.
const PATIENCE: Duration = Duration::from_secs(5);
/// Requests at once.
const AT_ONCE: usize = 16;

/// Serves the latest view at `/metrics` until the process ends; the address that was taken.
///
/// # Errors
/// When no address can be taken.
pub fn serve(listen: &Listen, latest: Latest) -> Result<SocketAddr, Failure> {
    let listener = TcpListener::bind(listen.addresses.as_slice()).map_err(|e| {
        let addresses = listen.addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        Failure::listen(&addresses, &e)
    })?;
    let address = listener.local_addr().map_err(|e| Failure::from_error(Kind::Io, e))?;
    let (token, busy) = (listen.token.clone(), Arc::new(AtomicUsize::new(0)));
    std::thread::spawn(move || {
        loop {
            let Ok((stream, _)) = listener.accept() else {
                // Out of descriptors or the like: not a busy loop.
                std::thread::sleep(Duration::from_millis(50));
                continue;
            };
            if busy.fetch_add(1, Ordering::SeqCst) >= AT_ONCE {
                busy.fetch_sub(1, Ordering::SeqCst);
                continue;
            }
            let (latest, token, busy) = (latest.clone(), token.clone(), Arc::clone(&busy));
            std::thread::spawn(move || {
                // A client that went away is not our failure.
                let _ = answer(stream, &latest, token.as_ref());
                busy.fetch_sub(1, Ordering::SeqCst);
            });
        }
    });
    Ok(address)
}

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    method: String,
    path: String,
    authorization: Option<String>,
}

impl Request {
    fn parse(head: &str) -> Option<Self> {
        let mut lines = head.split("\r\n");
        let mut words = lines.next()?.split(' ');
        let (method, target, version) = (words.next()?, words.next()?, words.next()?);
        if !version.starts_with("HTTP/1.") || words.next().is_some() || !target.starts_with('/') {
            return None;
        }
        let path = target.split('?').next().unwrap_or_default();
        let header = |line: &str| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("authorization").then(|| value.trim().to_owned())
        };
        Some(Self { method: method.to_owned(), path: path.to_owned(), authorization: lines.find_map(header) })
    }
}

/// Reads a request's head: until an empty line, no longer than allowed in bytes and in time.
fn head(stream: &mut TcpStream, until: Instant) -> io::Result<Option<String>> {
    let (mut head, mut part) = (Vec::new(), [0_u8; 1024]);
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        let read = stream.read(&mut part)?;
        head.extend_from_slice(&part[..read]);
        if let Some(end) = head.windows(4).position(|window| window == b"\r\n\r\n") {
            head.truncate(end);
            return Ok(String::from_utf8(head).ok());
        }
        if read == 0 || head.len() > HEAD_BYTES {
            return Ok(None);
        }
    }
}

fn answer(mut stream: TcpStream, latest: &Latest, token: Option<&Token>) -> io::Result<()> {
    stream.set_write_timeout(Some(PATIENCE))?;
    let request = head(&mut stream, Instant::now() + PATIENCE)?.as_deref().and_then(Request::parse);
    let text = "text/plain; charset=utf-8";
    let (status, kind, body) = match &request {
        None => ("400 Bad Request", text, "not a request\n".to_owned()),
        Some(request) if request.method != "GET" && request.method != "HEAD" => {
            ("405 Method Not Allowed", text, "only GET and HEAD\n".to_owned())
        }
        Some(request) if token.is_some_and(|token| !token.admits(request.authorization.as_deref())) => {
            ("401 Unauthorized", text, "a token is needed: Authorization: Bearer …\n".to_owned())
        }
        Some(request) => match request.path.as_str() {
            "/metrics" => match latest.page() {
                Some(page) => ("200 OK", "text/plain; version=0.0.4; charset=utf-8", page),
                None => ("503 Service Unavailable", text, "no reading yet\n".to_owned()),
            },
            "/" => ("200 OK", text, "jetson-agent: the metrics are at /metrics\n".to_owned()),
            _ => ("404 Not Found", text, "the metrics are at /metrics\n".to_owned()),
        },
    };
    let extra = match status {
        "405 Method Not Allowed" => "Allow: GET, HEAD\r\n",
        "401 Unauthorized" => "WWW-Authenticate: Bearer\r\n",
        _ => "",
    };
    let length = body.len();
    let mut response = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n{extra}X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
    );
    if request.is_none_or(|request| request.method != "HEAD") {
        response += &body;
    }
    stream.write_all(response.as_bytes())?;
    stream.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_and_what_is_none_is_refused() {
        let request =
            Request::parse("GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\nAUTHORIZATION:  Bearer t ").expect("a request");
        assert_eq!((request.method.as_str(), request.path.as_str()), ("GET", "/metrics"));
        assert_eq!(request.authorization.as_deref(), Some("Bearer t"));
        for bad in ["", "GET", "GET /", "GET / HTTP/2", "GET http://a/ HTTP/1.1", "GET / x HTTP/1.1"] {
            assert_eq!(Request::parse(bad), None, "{bad}");
        }
    }

    fn ask(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).expect("connects");
        stream.write_all(request.as_bytes()).expect("writes");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("reads");
        answer
    }

    #[test]
    fn the_page_is_served_to_those_who_may_read_it() {
        let latest = Latest::default();
        let listen = Listen::new("127.0.0.1:0", Token::new("0123456789abcdef").ok()).expect("an address");
        let address = serve(&listen, latest.clone()).expect("listens");
        let get = |path: &str, more: &str| ask(address, &format!("GET {path} HTTP/1.1\r\nHost: x\r\n{more}\r\n"));
        let allowed = "Authorization: Bearer 0123456789abcdef\r\n";
        assert!(get("/metrics", "").starts_with("HTTP/1.1 401 "));
        assert!(get("/metrics", allowed).starts_with("HTTP/1.1 503 "));
        latest.put(&View::default());
        let page = get("/metrics", allowed);
        assert!(page.starts_with("HTTP/1.1 200 OK\r\n") && page.contains("jetson_board_info"), "{page}");
        assert!(get("/other", allowed).starts_with("HTTP/1.1 404 "));
        assert!(ask(address, "POST / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405 "));
        assert!(ask(address, "nonsense\r\n\r\n").starts_with("HTTP/1.1 400 "));
        let long = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "y".repeat(2 * HEAD_BYTES));
        // It may be cut off while it still sends; what matters is that it is not served.
        let mut stream = TcpStream::connect(address).expect("connects");
        let _ = stream.write_all(long.as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(!String::from_utf8_lossy(&answer).contains("200 OK"));
        let head = ask(address, &format!("HEAD /metrics HTTP/1.1\r\n{allowed}\r\n"));
        assert!(head.ends_with("\r\n\r\n"), "{head}");
    }

    #[test]
    fn a_taken_port_is_named() {
        let taken = TcpListener::bind("127.0.0.1:0").expect("listens");
        let address = taken.local_addr().expect("an address").to_string();
        let failure = serve(&Listen::new(&address, None).expect("an address"), Latest::default()).expect_err("taken");
        assert!(
            failure.message.contains(&address) && failure.help.is_some_and(|help| help.contains("another program"))
        );
    }
}
