//! TLS: what is said over it, and certificates that cannot be used. Certificates and keys are made here, of seeds that anybody can
//! read: they prove nothing to anybody but this test.

use crate::server::{PATIENCE, Server, command, root, sample};
use rustls::crypto::ring::sign::any_eddsa_type;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, SignatureScheme, StreamOwned};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A value in DER: its tag, its length, and what it holds.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = content.len();
    let length = match length {
        0..128 => vec![length as u8],
        128..256 => vec![0x81, length as u8],
        _ => vec![0x82, (length >> 8) as u8, length as u8],
    };
    [vec![tag], length, content].concat()
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    der(0x30, parts)
}

fn pem(label: &str, der: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for (i, chunk) in der.chunks(3).enumerate() {
        if i > 0 && i % 16 == 0 {
            text.push('\n');
        }
        let bits = chunk.iter().chain(&[0; 2]).take(3).fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
        for place in 0..4 {
            let digit = char::from(DIGITS[bits >> (18 - 6 * place) & 63]);
            text.push(if place <= chunk.len() { digit } else { '=' });
        }
    }
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}

/// A certificate for `localhost` that its own Ed25519 key signs (RFC 5280, RFC 8410), and that key.
struct Identity {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Identity {
    fn new(seed: u8) -> Self {
        let ed25519 = sequence(&[&der(0x06, &[&[0x2b, 0x65, 0x70]])]);
        let key = sequence(&[&der(0x02, &[&[0]]), &ed25519, &der(0x04, &[&der(0x04, &[&[seed; 32]])])]);
        let signer = any_eddsa_type(&PrivatePkcs8KeyDer::from(key.clone())).expect("a key");
        let public = signer.public_key().expect("a public key").to_vec();
        let common_name = sequence(&[&der(0x06, &[&[0x55, 4, 3]]), &der(0x0c, &[b"localhost"])]);
        let name = sequence(&[&der(0x31, &[&common_name])]);
        let times = sequence(&[&der(0x17, &[b"200101000000Z"]), &der(0x17, &[b"491231235959Z"])]);
        let alternative_name = der(0x04, &[&sequence(&[&der(0x82, &[b"localhost"])])]);
        let extensions = sequence(&[&sequence(&[&der(0x06, &[&[0x55, 0x1d, 0x11]]), &alternative_name])]);
        let told = sequence(&[
            &der(0xa0, &[&der(0x02, &[&[2]])]),
            &der(0x02, &[&[seed]]),
            &ed25519,
            &name,
            &times,
            &name,
            &public,
            &der(0xa3, &[&extensions]),
        ]);
        let signature = signer.choose_scheme(&[SignatureScheme::ED25519]).expect("its scheme").sign(&told);
        let signature = der(0x03, &[&[0], &signature.expect("signed")]);
        Self { certificate: sequence(&[&told, &ed25519, &signature]), key }
    }

    /// Writes both as PEM files.
    fn write(&self, folder: &Path, name: &str) -> (PathBuf, PathBuf) {
        let (certificate, key) = (folder.join(format!("{name}.crt")), folder.join(format!("{name}.key")));
        std::fs::write(&certificate, pem("CERTIFICATE", &self.certificate)).expect("written");
        std::fs::write(&key, pem("PRIVATE KEY", &self.key)).expect("written");
        (certificate, key)
    }

    /// A connection from one who trusts this certificate and offers HTTP/2 too.
    fn connect(&self, server: &Server) -> StreamOwned<ClientConnection, TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(self.certificate.clone())).expect("a certificate");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let mut config = config.expect("versions").with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let name = ServerName::try_from("localhost").expect("a name");
        let connection = ClientConnection::new(Arc::new(config), name).expect("a client");
        let stream = server.connect();
        stream.set_write_timeout(Some(PATIENCE)).expect("a socket");
        StreamOwned::new(connection, stream)
    }
}

#[test]
fn predictions_go_over_tls_to_those_who_trust_the_certificate() {
    let folder = tempfile::tempdir().expect("folder");
    let (own, other) = (Identity::new(1), Identity::new(2));
    let (certificate, key) = own.write(folder.path(), "own");
    let (certificate, key) = (certificate.to_string_lossy(), key.to_string_lossy());
    let server = Server::start(&["--tls-cert", &certificate, "--tls-key", &key, "--header-timeout", "2"]);

    let engine = sample("lenet");
    let head = format!(
        "POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        engine.len()
    );
    let ask = |identity: &Identity| {
        let mut stream = identity.connect(&server);
        stream.write_all(&[head.as_bytes(), &engine].concat())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok::<_, std::io::Error>((answer, stream.conn.alpn_protocol().map(<[u8]>::to_vec)))
    };
    let (answer, protocol) = ask(&own).expect("answered");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"totals\""), "{answer}");
    assert_eq!(protocol.as_deref(), Some(&b"http/1.1"[..]), "what is not spoken is not offered");
    let stranger = ask(&other).expect_err("another certificate");
    assert!(stranger.to_string().contains("certificate"), "{stranger}");

    // Plain HTTP, and one who says nothing, get no answer and hold nobody up.
    let plain = server.raw(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(!plain.contains("200 OK"), "{plain}");
    let mut silent = server.connect();
    assert!(matches!(silent.read(&mut [0]), Ok(0) | Err(_)), "the handshake has a limit");
    assert!(ask(&own).expect("answered").0.starts_with("HTTP/1.1 200"));
}

#[test]
fn certificates_and_keys_that_cannot_be_used_are_refused_at_start() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path();
    let ((certificate, key), (_, other_key)) =
        (Identity::new(1).write(path, "own"), Identity::new(2).write(path, "other"));
    let (absent, port) = (path.join("absent.pem"), path.join("port"));
    let garbled = path.join("garbled.pem");
    std::fs::write(&garbled, "-----BEGIN PRIVATE KEY-----\nc2VjcmV0*\n-----END PRIVATE KEY-----\n").expect("written");
    for (certificate, key, code, named, says) in [
        (&certificate, &other_key, 2, &other_key, "is not the key of the certificate"),
        (&certificate, &certificate, 2, &certificate, "holds no private key"),
        (&key, &key, 2, &key, "holds no certificate"),
        (&certificate, &garbled, 2, &garbled, "is no PEM"),
        (&absent, &key, 5, &absent, "no such file"),
        (&certificate, &absent, 5, &absent, "no such file"),
    ] {
        let models = root().join("trained_models");
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let output = command(&[
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--models",
            &text(&models),
            "--state",
            &text(path),
            "--port-file",
            &text(&port),
            "--tls-cert",
            &text(certificate),
            "--tls-key",
            &text(key),
        ]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(says) && said.contains(&text(named)), "{says}: {said}");
        assert!(output.stdout.is_empty() && !port.exists(), "it never said that it serves");
        assert!(!said.contains("c2VjcmV0"), "{said}");
    }
}
