//! TLS by rustls, from a certificate and a key in PEM files.

use super::settings::Tls;
use axum_server::tls_rustls::RustlsConfig;
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use shared::failure::Failure;
use shared::fs::read_capped;
use shared::limits;
use std::path::Path;
use std::sync::Arc;

/// Reads the certificate chain and its key, and checks that they belong together.
///
/// # Errors
/// A file that cannot be read or holds neither certificate nor key; a key that does not belong to the certificate. The error
/// names the file.
pub(super) fn config(tls: &Tls) -> Result<RustlsConfig, Failure> {
    let text = read_capped(&tls.certificate, limits::SMALL_FILE_BYTES)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let chain = chain.map_err(|e| garbled(&tls.certificate, "certificate", &e))?;
    if chain.is_empty() {
        return Err(garbled(&tls.certificate, "certificate", &PemError::NoItemsFound));
    }
    let text = read_capped(&tls.key, limits::SMALL_FILE_BYTES)?;
    let key = PrivateKeyDer::from_pem_slice(&text).map_err(|e| garbled(&tls.key, "private key", &e))?;
    // Named here, since another part of the process may have installed another default.
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key));
    let mut config = config.map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => {
            let certificate = tls.certificate.display();
            Failure::usage(format!("is not the key of the certificate in {certificate}"))
                .at(&tls.key)
                .help("give the certificate and the key that were made together")
        }
        other => Failure::usage(format!("the certificate and its key cannot be used: {other}")).at(&tls.certificate),
    })?;
    // Only HTTP/1.1 is offered: a client that is offered HTTP/2 would use it.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(RustlsConfig::from_config(Arc::new(config)))
}

fn garbled(path: &Path, what: &str, error: &PemError) -> Failure {
    let failure = match error {
        PemError::NoItemsFound => Failure::usage(format!("holds no {what} in PEM")),
        // The parser's message may quote lines of the file, which must not leak from a key.
        _ => Failure::usage(format!("holds a {what} that is no PEM")),
    };
    failure
        .at(path)
        .help("--tls-cert takes the file with `BEGIN CERTIFICATE`, --tls-key the one with `BEGIN PRIVATE KEY`")
}
