//! MLflow's REST API, as far as it is used here (mlflow.org/docs/latest/api_reference/rest-api.html).

use super::super::Error;
use reqwest::{Response, StatusCode, Url};
use serde_json::Value;
use shared::failure::{Failure, Kind};
use std::time::Duration;

/// An answer that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(120);
/// A longer answer is not read.
const ANSWER_BYTES: usize = 16 << 20;

/// One tracking server.
pub(super) struct Client {
    http: reqwest::Client,
    base: Url,
}

impl Client {
    pub(super) fn new(url: &str) -> Result<Self, Error> {
        let usage = |reason: &str| Failure::usage(format!("no MLflow server's URL: {reason}"));
        let mut base = Url::parse(url).map_err(|e| usage(&e.to_string()))?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(usage("it begins neither with http:// nor with https://").into());
        }
        if !base.username().is_empty() || base.password().is_some() {
            return Err(usage("a password has no place in it")
                .help("put it into MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD")
                .into());
        }
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        // TLS of every client in the process; a second call is told that there is one, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut http = reqwest::Client::builder().timeout(PATIENCE).connect_timeout(Duration::from_secs(10));
        if let Some(authorization) = authorization()? {
            http = http.default_headers([(reqwest::header::AUTHORIZATION, authorization)].into_iter().collect());
        }
        let http = http.build().map_err(|e| unreachable_server(&base, &e))?;
        Ok(Self { http, base })
    }

    fn url(&self, call: &str) -> Result<Url, Error> {
        let failed = |e| Failure::usage(format!("no MLflow server's URL: {e}"));
        Ok(self.base.join(call).map_err(failed)?)
    }

    fn call(&self, call: &str) -> Result<Url, Error> {
        self.url(&format!("api/2.0/mlflow/{call}"))
    }

    pub(super) async fn get(&self, call: &str, query: &[(&str, &String)]) -> Result<Value, Error> {
        let sent = self.http.get(self.call(call)?).query(query).send().await;
        self.answer(call, sent).await?.map_err(|refusal| refused(call, &refusal))
    }

    pub(super) async fn post(&self, call: &str, body: &Value) -> Result<Value, Error> {
        let sent = self.http.post(self.call(call)?).json(body).send().await;
        self.answer(call, sent).await?.map_err(|refusal| refused(call, &refusal))
    }

    /// As `post`; `None` where what is to be created is there already.
    pub(super) async fn create(&self, call: &str, body: &Value) -> Result<Option<Value>, Error> {
        let sent = self.http.post(self.call(call)?).json(body).send().await;
        match self.answer(call, sent).await? {
            Ok(answer) => Ok(Some(answer)),
            Err(refusal) if refusal["error_code"] == "RESOURCE_ALREADY_EXISTS" => Ok(None),
            Err(refusal) => Err(refused(call, &refusal)),
        }
    }

    /// Uploads a file of a run through the server; `false` where the server's runs lie in a store that it does not serve.
    pub(super) async fn upload(&self, run: &Value, name: &str, content: Vec<u8>) -> Result<bool, Error> {
        let Some(path) = run.as_str().and_then(|uri| Url::parse(uri).ok()).filter(|u| u.scheme() == "mlflow-artifacts")
        else {
            return Ok(false);
        };
        let call = format!("api/2.0/mlflow-artifacts/artifacts{}/{name}", path.path());
        let sent = self.http.put(self.url(&call)?).body(content).send().await;
        self.answer(name, sent).await?.map_err(|refusal| refused(name, &refusal))?;
        Ok(true)
    }

    /// The answer, or what the server has against the request.
    async fn answer(&self, call: &str, sent: reqwest::Result<Response>) -> Result<Result<Value, Value>, Error> {
        let mut response = sent.map_err(|e| unreachable_server(&self.base, &e))?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| unreachable_server(&self.base, &e))? {
            body.extend_from_slice(&chunk);
            if body.len() > ANSWER_BYTES {
                return Err(Failure::data(format!("MLflow's answer to {call} is too long")).into());
            }
        }
        let parsed = serde_json::from_slice::<Value>(&body);
        if status.is_success() {
            return Ok(Ok(parsed.unwrap_or(Value::Null)));
        }
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return Err(Failure::new(Kind::Io, format!("MLflow refuses {call}: {status}"))
                .help("set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD")
                .into());
        }
        match parsed {
            Ok(refusal) if refusal["error_code"].is_string() => Ok(Err(refusal)),
            _ => Err(Failure::new(Kind::Io, format!("MLflow answers {status} to {call}"))
                .help("check that the URL is that of an MLflow tracking server")
                .into()),
        }
    }
}

/// What identifies us, from the variables that MLflow's own client reads.
fn authorization() -> Result<Option<reqwest::header::HeaderValue>, Error> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let text = match (variable("MLFLOW_TRACKING_TOKEN"), variable("MLFLOW_TRACKING_USERNAME")) {
        (Some(token), _) => format!("Bearer {token}"),
        (None, Some(user)) => {
            let password = variable("MLFLOW_TRACKING_PASSWORD").unwrap_or_default();
            format!("Basic {}", base64(format!("{user}:{password}").as_bytes()))
        }
        (None, None) => return Ok(None),
    };
    // The message must not show what the variable holds.
    let mut value = reqwest::header::HeaderValue::from_str(&text)
        .map_err(|_| Failure::usage("MLFLOW_TRACKING_TOKEN holds characters that no header can"))?;
    value.set_sensitive(true);
    Ok(Some(value))
}

/// RFC 4648, with padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = group.iter().enumerate().fold(0_u32, |bits, (i, &byte)| bits | u32::from(byte) << (16 - 8 * i));
        for digit in 0..4 {
            let index = (bits >> (18 - 6 * digit)) as usize & 63;
            text.push(if digit <= group.len() { char::from(DIGITS[index]) } else { '=' });
        }
    }
    text
}

fn unreachable_server(base: &Url, error: &reqwest::Error) -> Error {
    let reason = if error.is_timeout() { "it does not answer in time".to_owned() } else { root_cause(error) };
    Failure::new(Kind::Io, format!("cannot reach MLflow at {base}: {reason}"))
        .help("the models are in the store; `host-trainer models mlflow` copies them when the server is there")
        .into()
}

/// What lies behind an error of the client; its own text shows the URL, which the message has already.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

fn refused(call: &str, refusal: &Value) -> Error {
    let message = refusal["message"].as_str().unwrap_or("it does not say why");
    Failure::new(Kind::Io, format!("MLflow refuses {call}: {message}")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_standard() {
        let cases =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE=")];
        for (plain, coded) in cases {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    #[test]
    fn a_password_in_the_url_is_refused_and_not_repeated() {
        let refused = Client::new("https://somebody:hunter2@example.com").err().expect("refused").to_string();
        assert!(!refused.contains("hunter2"), "{refused}");
        assert!(Client::new("ftp://example.com").is_err());
    }
}
