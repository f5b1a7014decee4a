//! The calls that the status page makes of the management API that it is a part of.

use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};

use crate::management::page::api::{Answer, Api};
use crate::management::service::Management;

impl Api for Management {
    fn get<'a>(&'a self, operation: &str) -> Answer<'a> {
        let uri = self.path_of(operation).and_then(|path| path.parse().ok());
        Box::pin(async move {
            let mut request = Request::new(Full::<Bytes>::default());
            *request.uri_mut() = uri?;
            request.headers_mut().insert(HOST, HeaderValue::from_static("localhost"));
            let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            let response = self.handle(here, request).await;
            if response.status() != StatusCode::OK {
                return None;
            }
            let body = response.into_body().collect().await.ok()?.to_bytes();
            String::from_utf8(body.into()).ok()
        })
    }
}
