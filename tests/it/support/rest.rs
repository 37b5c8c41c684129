//! REST as one caller: a base address, a bearer token, JSON in and out.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::Value;

/// One caller of `/api/v1`.
pub struct Rest {
    http: reqwest::Client,
    base: String,
    bearer: String,
}

/// A status and a body; the body is `null` where none was sent.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub body: Value,
}

impl Answer {
    /// The body of a success; anything else fails the test.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert!(self.status.is_success(), "{} {}", self.status, self.body);
        self.body
    }

    /// The error code of a refusal; a success fails the test.
    #[track_caller]
    pub fn code(&self) -> &str {
        assert!(!self.status.is_success(), "refusal wanted: {} {}", self.status, self.body);
        self.body["error"]["code"].as_str().unwrap_or_else(|| panic!("an error has a code: {}", self.body))
    }
}

impl Rest {
    /// `base` is the address of a node or of a proxy, without `/api/v1`.
    pub fn new(base: &str, bearer: &str) -> Self {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(20)).build().expect("a plain client");
        Self { http, base: base.to_owned(), bearer: bearer.to_owned() }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::POST, path, Some(body)).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::PATCH, path, Some(body)).await
    }

    pub async fn put(&self, path: &str) -> Answer {
        self.call(Method::PUT, path, None).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path, None).await
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        self.try_call(method.clone(), path, body).await.unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// The answer, or why there was none: for calls to a node that may be dead.
    pub async fn try_call(&self, method: Method, path: &str, body: Option<&Value>) -> reqwest::Result<Answer> {
        let mut request = self.http.request(method, format!("{}/api/v1{path}", self.base)).bearer_auth(&self.bearer);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await?;
        let status = response.status();
        let text = response.text().await?;
        Ok(Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::Null) })
    }
}
