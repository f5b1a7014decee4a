//! `GET plan` and `POST plan/files`: the result that an apply would have. Nothing is applied.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use provider_api::ChangeId;
use serde::Deserialize;
use serde_json::Value;

use crate::apply::Foreseen;
use crate::host::Control;
use crate::http::query::parameter;
use crate::http::respond::{json, problem};
use crate::management::provider_error::{provider_failed, remote_provider, stopping};
use crate::management::read_json::{RequestBody, read_json_of};
use crate::snapshot::Snapshot;

/// The maximum size of the files in a request. The configuration of 9 000 pipelines has 5 MiB.
pub(super) const MAX_FILES_BYTES: usize = 32 * 1024 * 1024;

/// The body of `POST plan/files`.
#[derive(Deserialize)]
struct Files {
    /// The name of config.toml among the files, if it has another one.
    config: Option<String>,
    /// The text of every file, by its name relative to config.toml. It holds secrets, so there is no `Debug`.
    files: BTreeMap<String, String>,
}

/// Foresees the result of applying the files on the disk, or the change that the query names.
pub(super) async fn plan(
    snapshot: &Snapshot,
    control: &Control,
    query: Option<&str>,
) -> Response<Full<Bytes>> {
    let Some(id) = query.and_then(|query| parameter(query, "change")) else {
        return control.foresee(None).await.map_or_else(stopping, |foreseen| answer(&foreseen));
    };
    if let Err(response) = remote_provider(snapshot) {
        return *response;
    }
    let Some(id) = ChangeId::new(id.as_ref()) else {
        return problem(StatusCode::BAD_REQUEST, "invalid", "this is not the id of a change");
    };
    match control.foresee_change(id).await {
        Ok(foreseen) => answer(&foreseen),
        Err(error) => provider_failed(&error),
    }
}

/// Foresees the result of applying the files of the request in the place of those on the disk.
pub(super) async fn plan_files<B: RequestBody>(
    snapshot: &Snapshot,
    control: &Control,
    request: Request<B>,
) -> Response<Full<Bytes>> {
    match read_json_of::<Files, B>(request, MAX_FILES_BYTES).await {
        Ok(Files { config, mut files }) => {
            let path = snapshot.documents.config_path();
            let own = path.file_name().map(|name| name.to_string_lossy().into_owned());
            if let Some((given, own)) = config.zip(own)
                && let Some(text) = files.remove(&given)
            {
                files.insert(own, text);
            }
            control.foresee(Some(files)).await.map_or_else(stopping, |foreseen| answer(&foreseen))
        }
        Err(response) => *response,
    }
}

fn answer(foreseen: &Foreseen) -> Response<Full<Bytes>> {
    json(StatusCode::OK, &serde_json::to_value(foreseen).unwrap_or(Value::Null))
}
