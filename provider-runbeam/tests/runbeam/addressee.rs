//! Changes for other gateways: they are withheld, and named.

use std::sync::Arc;

use provider_api::{ErrorKind, Pending, Provider, Secret};
use provider_runbeam::Environment;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::gateway::{Gateway, change, source};
use crate::stand_in::{ReceivedRequest, StandIn};

/// Answers the list with changes, each with its id and its gateway; the details say the same.
fn serving(
    changes: &'static [(&str, Option<&str>)],
) -> impl Fn(&ReceivedRequest) -> Option<Answer> + Send + Sync {
    let wire = |(id, gateway): &(&str, Option<&str>)| {
        let mut change = json!({ "id": id, "type": "mesh", "toml_config": "x = 1" });
        if let Some(gateway) = gateway {
            change["gateway_id"] = json!(gateway);
        }
        change
    };
    move |request| {
        if request.is_for("changes") || request.is_for("changes/01GATEWAY") {
            return Some(Answer::json(&json!({ "data": changes.iter().map(wire).collect::<Vec<Value>>() })));
        }
        let found = changes.iter().find(|(id, _)| request.is_for(&format!("change/{id}")))?;
        Some(Answer::json(&json!({ "data": wire(found) })))
    }
}

/// The ids of the list, and the problem of the source.
async fn listed(provider: &Arc<dyn Provider>) -> (Vec<String>, Option<String>) {
    let Pending::Changes(heads) = source(provider).pending().await.unwrap() else { panic!("unchanged") };
    (heads.into_iter().map(|head| head.id.to_string()).collect(), source(provider).problem())
}

fn bare() -> Environment {
    Environment { machine_token: Some(Secret::new("7|canary")), ..Environment::default() }
}

#[tokio::test]
async fn changes_of_another_gateway_are_not_taken() {
    let cloud =
        StandIn::answering(serving(&[("01C", None), ("01B", Some("01OTHER")), ("01A", Some("01GATEWAY"))]))
            .await;
    let provider = Gateway::authorized().provider(&cloud.url());
    let (ids, problem) = listed(&provider).await;
    assert_eq!(ids, ["01A", "01C"]);
    let problem = problem.expect("a problem");
    assert!(["`01OTHER`", "`01GATEWAY`", "`01B`"].iter().all(|part| problem.contains(part)), "{problem}");
    cloud.respond_with(serving(&[("01A", Some("01GATEWAY")), ("01C", Some(" "))]));
    assert_eq!(listed(&provider).await, (vec!["01C".to_owned(), "01A".to_owned()], None));
}

/// A list without ids, and a detail that names another gateway: the change is withheld from then on, and never rejected.
#[tokio::test]
async fn detail_of_another_gateway_is_not_taken() {
    let cloud = StandIn::answering(|request| {
        if request.is_for("base-url") {
            return None;
        }
        let data = match request.is_for("changes/01GATEWAY") {
            true => json!([{ "id": "01B", "type": "mesh" }, { "id": "01A", "type": "mesh" }]),
            false => json!({ "id": "01B", "type": "mesh", "toml_config": "x = 1", "gateway_id": "01OTHER" }),
        };
        Some(Answer::json(&json!({ "data": data })))
    })
    .await;
    let provider = Gateway::authorized().provider(&cloud.url());
    assert_eq!(listed(&provider).await, (vec!["01A".to_owned(), "01B".to_owned()], None));
    let error = source(&provider).fetch(&change("01B")).await.unwrap_err();
    assert_eq!(
        error.kind(),
        ErrorKind::Unavailable,
        "another error would be reported as the verdict: {error}"
    );
    let (ids, problem) = listed(&provider).await;
    assert_eq!(ids, ["01A"]);
    assert!(problem.is_some_and(|problem| problem.contains("`01OTHER`")));
}

/// A bare token whose list has changes of several gateways takes none of them.
#[tokio::test]
async fn bare_token_with_several_gateways() {
    let cloud = StandIn::answering(serving(&[("01B", Some("gB")), ("01A", Some("gA")), ("01C", None)])).await;
    let gateway = Gateway::started(bare());
    let provider = gateway.provider(&cloud.url());
    let (ids, problem) = listed(&provider).await;
    assert_eq!(ids, [""; 0]);
    let problem = problem.expect("a problem");
    assert!(["`gA`", "`gB`", "gateway_id"].iter().all(|part| problem.contains(part)), "{problem}");
    assert!(!problem.contains("canary"), "{problem}");
}

/// The one gateway of a bare token is remembered, also after a restart: changes for others are no longer taken.
#[tokio::test]
async fn gateway_of_a_bare_token_is_remembered() {
    let cloud = StandIn::answering(serving(&[("01A", Some("gA"))])).await;
    let first = Gateway::started(bare());
    let provider = first.provider(&cloud.url());
    assert_eq!(listed(&provider).await, (vec!["01A".to_owned()], None));
    assert_eq!(source(&provider).fetch(&change("01A")).await.unwrap().document, "x = 1");
    cloud.respond_with(serving(&[("01B", Some("gB"))]));
    let later = Gateway::at(Arc::clone(&first.home), bare());
    for provider in [provider, later.provider(&cloud.url())] {
        let (ids, problem) = listed(&provider).await;
        assert_eq!(ids, [""; 0]);
        assert!(problem.is_some_and(|problem| problem.contains("`gB`") && problem.contains("`gA`")));
    }
    cloud.respond_with(serving(&[("01B", Some("gB")), ("01C", Some("gA"))]));
    assert_eq!(listed(&later.provider(&cloud.url())).await.0, ["01C"]);
}
