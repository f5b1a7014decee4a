//! The mapping from the conformance kit's troubles to faults of the control plane.

use harmony_tests::control_plane::{Fault, When};
use provider_api::testkit::{Cannot, Exchange, Trouble};
use serde_json::{Value, json};

/// Matches the requests of an exchange.
pub(crate) fn when(exchange: Exchange) -> When {
    match exchange {
        Exchange::Pending => When::call("GET", "/harmony/changes/*"),
        Exchange::Fetch => When::call("GET", "/harmony/change/*"),
        Exchange::Report => When::call("POST", "/harmony/change*"),
        Exchange::Resolve => When::call("GET", "/harmony/resources/resolve"),
        Exchange::Issue => When::call("POST", "/harmony/mesh/token"),
        Exchange::Keys => When::call("GET", "/.well-known/jwks.json"),
        Exchange::Enroll => When::call("POST", "/harmony/authorize"),
        Exchange::Publish => When::call("POST", "/harmony/update"),
    }
}

/// Returns the fault for a trouble; `None` for a control plane that is down.
pub(crate) fn fault(exchange: Exchange, trouble: &Trouble, secrets: &str) -> Result<Option<Fault>, Cannot> {
    let json = |body: &Value| response("application/json", body.to_string());
    Ok(Some(match trouble {
        Trouble::Status(status) => Fault::status(*status),
        Trouble::Wait(status, wait) => Fault::RetryAfter(*status, wait.as_secs()),
        Trouble::Quotes(status) => {
            let message = format!("nobody knows {secrets}");
            Fault::Status(*status, json!({ "error": message, "message": message }))
        }
        Trouble::Page(status) => Fault::html(*status),
        Trouble::ContentType => response("text/plain", "{}".to_owned()),
        Trouble::Garbage => response("application/json", "{\"data\": [oh".to_owned()),
        Trouble::Shape => json(&json!({ "unexpected": [true] })),
        Trouble::Blank => json(&blank(exchange)),
        Trouble::HugeNumbers => Fault::HugeNumbers,
        Trouble::MoreFields => Fault::MoreFields,
        Trouble::Silence => Fault::Silence,
        Trouble::Cut => Fault::Cut,
        Trouble::HalfBody => Fault::HalfBody,
        Trouble::EndlessBody => Fault::EndlessBody,
        Trouble::Drip => Fault::Drip,
        Trouble::Delay(time) => Fault::Delay(*time),
        Trouble::Redirect(url) => Fault::Redirect(url.clone()),
        Trouble::LostAnswer => Fault::LoseResponse,
        Trouble::Unreachable => return Ok(None),
        other => return Err(Cannot::because(format!("the control plane cannot do {other:?}"))),
    }))
}

fn response(content_type: &'static str, body: String) -> Fault {
    Fault::Response { status: 200, content_type, body }
}

/// A well-formed response in which every text is blank.
fn blank(exchange: Exchange) -> Value {
    let change = json!({ "id": "", "type": "", "toml_config": "", "created_at": "" });
    match exchange {
        Exchange::Pending => json!({ "data": [change] }),
        Exchange::Fetch => json!({ "data": change }),
        Exchange::Report => json!({ "acknowledged": [""], "failed": [""], "message": "" }),
        Exchange::Resolve => json!({ "data": { "type": "", "id": "", "name": "", "urls": [""] } }),
        Exchange::Issue => json!({ "token": "", "expires_at": "", "mesh_id": "" }),
        Exchange::Keys => {
            json!({ "keys": [{ "kty": "", "use": "", "kid": "", "alg": "", "n": "", "e": "" }] })
        }
        Exchange::Enroll => json!({ "machine_token": "", "expires_at": "", "gateway": { "id": "" } }),
        Exchange::Publish => json!({ "success": true, "data": { "id": "", "type": "", "action": "" } }),
    }
}
