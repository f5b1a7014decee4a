//! Explanations of what came from a control plane: the change that wrote a file, and the age of a resolution.

use harmony_tests::control_plane::ControlPlane;
use harmony_tests::site::echo;
use harmony_tests::{InProcessGateway, Upstream};
use serde_json::Value;

use crate::command::run;
use crate::sync::cold::{partners, send};

async fn explain(gateway: &InProcessGateway, what: &str) -> Value {
    let url = gateway.admin_url("/admin");
    let ran = run(&gateway.dir.config(), &["explain", what, "--url", &url, "--json"]).await;
    ran.expect(0, &[]).json()
}

#[tokio::test]
async fn the_change_that_wrote_a_file() {
    let cloud = ControlPlane::start().await;
    let gateway = InProcessGateway::on_demand(&cloud).await;
    cloud.put_document("edge", "pipeline", &echo("fhir", "/old"));
    gateway.host.sync().await.unwrap();
    let newest = cloud.put_document("edge", "pipeline", &echo("fhir", "/fhir"));
    gateway.host.sync().await.unwrap();
    let answer = explain(&gateway, &gateway.url("/fhir/x")).await;
    let origin = &answer["networks"][0]["route"]["defined"][0];
    assert_eq!((&origin["file"], &origin["by"]), (&"pipelines/fhir.toml".into(), &"control plane".into()));
    assert_eq!(
        (&origin["change"], &origin["edited_since"]),
        (&newest.clone().into(), &false.into()),
        "{origin:#}"
    );
    assert_eq!(answer["generation"], gateway.host.snapshot().generation());
    // An edit by hand.
    gateway.dir.replace("pipelines/fhir.toml", &(echo("fhir", "/fhir") + "# by hand\n"));
    gateway.host.reload().await.unwrap();
    let edited = explain(&gateway, "pipelines.fhir").await;
    let origin = &edited["defined"][0];
    assert_eq!((&origin["change"], &origin["edited_since"]), (&newest.into(), &true.into()), "{origin:#}");
    // The operator's own file, and the one key of it that a change has set.
    let own = explain(&gateway, "network.public.http.bind_port").await;
    assert_eq!((&own["defined"][0]["by"], &own["defined"][0]["change"]), (&"operator".into(), &Value::Null));
    let gateway_change = cloud.change("edge", "gateway", "[provider.runbeam]\npoll_interval_secs = 7\n");
    gateway.host.sync().await.unwrap();
    let set = explain(&gateway, "provider.runbeam.poll_interval_secs").await;
    assert_eq!((&set["value"], &set["defined"][0]["by"]), (&"7".into(), &"control plane".into()), "{set:#}");
    assert_eq!(set["defined"][0]["change"], gateway_change);
}

/// A reference of a control plane is explained by what is cached; nobody is asked.
#[tokio::test]
async fn the_age_of_a_resolution() {
    let (cloud, upstream) = (ControlPlane::start().await, Upstream::with_body("theirs").await);
    let gateway = partners(&cloud, &upstream, 0).await;
    let reference = "runbeam.partners.ingress.name.their-api";
    let fresh = explain(&gateway, reference).await;
    assert_eq!((&fresh["state"], &fresh["cached"]), (&"not_resolved".into(), &Value::Null), "{fresh:#}");
    let users: Vec<&str> = fresh["used_by"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(users, ["pipeline mesh", "pipeline open", "mesh imaging"]);
    assert_eq!(cloud.count("GET", "/harmony/resources/resolve"), 0);
    send(&gateway, 1).await;
    let asked = cloud.count("GET", "/harmony/resources/resolve");
    let known = explain(&gateway, reference).await;
    assert_eq!((&known["state"], &known["provider"]), (&"resolved".into(), &"runbeam".into()), "{known:#}");
    assert_eq!(known["urls"][0], format!("{}/r4", upstream.url()));
    assert!(known["cached"]["since"].is_string() && known["cached"]["age_secs"].is_u64(), "{known:#}");
    assert!(known["cached"]["usable_until"].as_str() > known["cached"]["since"].as_str());
    let route = explain(&gateway, &gateway.url("/open/x")).await;
    let leads_to = &route["networks"][0]["route"]["leads_to"];
    assert_eq!(
        (&leads_to["kind"], &leads_to["reference"]["state"]),
        (&"reference".into(), &"resolved".into())
    );
    assert_eq!(leads_to["adds_token_of"], serde_json::json!([]), "{leads_to:#}");
    let other = explain(&gateway, "runbeam.partners.ingress.name.unused").await;
    assert_eq!(other["state"], "not_used");
    assert_eq!(cloud.count("GET", "/harmony/resources/resolve"), asked, "an explanation asks nobody");
}
