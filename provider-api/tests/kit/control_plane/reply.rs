//! A response of the control plane in memory.

use std::time::Duration;

use serde_json::{Value, json};

use super::{CHUNK, ConnectionLost};

/// A response whose body is read in chunks.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) location: Option<String>,
    pub(crate) body: Body,
}

#[derive(Debug)]
pub(crate) enum Body {
    Whole(Vec<u8>),
    /// A part of the body, after which the connection is lost.
    Half(Vec<u8>),
    Endless,
    Drip,
    Read,
}

impl Reply {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        let body = Body::Whole(body.to_string().into());
        Self { status, content_type: "application/json", retry_after: None, location: None, body }
    }

    pub(crate) fn refusal(status: u16, message: &str) -> Self {
        Self::json(status, &json!({ "error": "refused", "message": message }))
    }

    pub(crate) fn page(status: u16) -> Self {
        let body = Body::Whole(format!("<h1>{status} from a proxy</h1>").into());
        Self { content_type: "text/html", body, ..Self::json(status, &Value::Null) }
    }

    pub(crate) fn garbage() -> Self {
        Self { body: Body::Whole(b"{\"data\": [\xff\xfe".to_vec()), ..Self::json(200, &Value::Null) }
    }

    pub(crate) fn after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }

    pub(crate) fn half(self) -> Self {
        match self.body {
            Body::Whole(bytes) => Self { body: Body::Half(bytes[..bytes.len() / 2].to_vec()), ..self },
            _ => self,
        }
    }

    pub(crate) fn blank(self) -> Self {
        self.edited(|value| {
            if value.is_string() {
                *value = "".into();
            }
        })
    }

    pub(crate) fn with_huge_numbers(self) -> Self {
        self.edited(|value| {
            if value.is_number() {
                *value = u64::MAX.into();
            }
        })
    }

    pub(crate) fn with_more_fields(self) -> Self {
        self.edited(|value| {
            if let Some(object) = value.as_object_mut() {
                object.insert("kit_new_field".to_owned(), json!([1, "two"]));
            }
        })
    }

    fn edited(self, edit: fn(&mut Value)) -> Self {
        fn each(value: &mut Value, edit: fn(&mut Value)) {
            match value {
                Value::Array(all) => all.iter_mut().for_each(|inner| each(inner, edit)),
                Value::Object(all) => all.values_mut().for_each(|inner| each(inner, edit)),
                _ => {}
            }
            edit(value);
        }
        let Body::Whole(bytes) = &self.body else { return self };
        let mut value: Value = serde_json::from_slice(bytes).unwrap();
        each(&mut value, edit);
        Self { body: Body::Whole(value.to_string().into()), ..self }
    }

    /// Returns the next chunk of the body, or `None` at its end.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Vec<u8>>, ConnectionLost> {
        match std::mem::replace(&mut self.body, Body::Read) {
            Body::Whole(bytes) => Ok(Some(bytes)),
            Body::Half(bytes) => {
                self.body = Body::Half(Vec::new());
                if bytes.is_empty() { Err(ConnectionLost) } else { Ok(Some(bytes)) }
            }
            Body::Endless => {
                self.body = Body::Endless;
                tokio::time::sleep(CHUNK).await;
                Ok(Some(vec![b' '; 1024]))
            }
            Body::Drip => {
                self.body = Body::Drip;
                tokio::time::sleep(20 * CHUNK).await;
                Ok(Some(vec![b' ']))
            }
            Body::Read => Ok(None),
        }
    }
}
