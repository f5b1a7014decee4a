//! The steps of the demo.

use std::time::Duration;

use harmony_tests::control_plane::{ChangeView, ControlPlane, Status};
use tokio::time::Instant;

use crate::documents::{CONSUMES, PROVIDES, broken, dicomweb, mesh, studies};
use crate::node::{Node, get};
use crate::output::Output;
use crate::traffic::Traffic;

const RADIOLOGY: &str = "radiology-dept";
const ANALYTICS: &str = "ai-analytics";

/// The limit of every wait.
const LIMIT: Duration = Duration::from_secs(30);

/// The demo, step by step. The first failure ends it.
pub(crate) struct Demo<'a> {
    cloud: &'a ControlPlane,
    output: &'a Output,
    since: Instant,
}

impl<'a> Demo<'a> {
    pub(crate) fn new(cloud: &'a ControlPlane, output: &'a Output) -> Self {
        Self { cloud, output, since: Instant::now() }
    }

    /// Runs all steps and returns the running gateways.
    pub(crate) async fn run(&mut self) -> Result<[Node; 2], String> {
        self.step(&format!("the control plane is up at {}", self.cloud.url()));
        let nodes = [Node::start(self.cloud, RADIOLOGY).await?, Node::start(self.cloud, ANALYTICS).await?];
        let [radiology, analytics] = &nodes;
        self.step(&format!("two gateways are up, {RADIOLOGY} and {ANALYTICS}; each knows only the address of the control plane"));
        for node in &nodes {
            let id = node.authorize(&self.cloud.user_token(node.code)).await?;
            self.step(&format!("{}: authorized by a user of its team, as {id}", node.code));
        }
        self.configure(radiology, analytics).await?;
        self.call_across(radiology, analytics).await?;
        self.edits(analytics).await?;
        self.switch(radiology, analytics).await?;
        Ok(nodes)
    }

    async fn configure(&mut self, radiology: &Node, analytics: &Node) -> Result<(), String> {
        self.put(RADIOLOGY, "pipeline", &dicomweb(radiology.port)).await?;
        self.step(&format!(
            "{RADIOLOGY}: the pipeline with the ingress `dicomweb` arrived by sync and is live"
        ));
        self.put(RADIOLOGY, "mesh", &mesh(None, true, PROVIDES)).await?;
        let id = self.cloud.resource_id(RADIOLOGY, "mesh", "imaging");
        self.step(&format!("{RADIOLOGY}: the mesh `imaging` arrived, as {id}"));
        self.put(ANALYTICS, "pipeline", &studies("/studies")).await?;
        self.put(ANALYTICS, "mesh", &mesh(Some(&id), true, CONSUMES)).await?;
        self.step(&format!(
            "{ANALYTICS}: a pipeline to runbeam.{RADIOLOGY}.ingress.name.dicomweb arrived, and the mesh"
        ));
        expect(&analytics.url("/elsewhere"), 404).await.map(drop)
    }

    async fn call_across(&mut self, radiology: &Node, analytics: &Node) -> Result<(), String> {
        let straight = expect(&radiology.url("/dicom-web/1"), 403).await?;
        self.step("a direct request to the ingress, without a token, is rejected: 403");
        self.output.detail(straight["message"].as_str().unwrap_or_default());
        let answer = expect(&analytics.url("/studies/1"), 200).await?;
        let (mesh, sender) = (&answer["mesh"]["name"], &answer["mesh"]["sender"]);
        if mesh != "imaging" || !sender.is_string() {
            return Err(format!("the response has no mesh context: {answer}"));
        }
        let tokens = self.cloud.count("POST", "/harmony/mesh/token");
        self.step(&format!("a request through {ANALYTICS} reached {RADIOLOGY} with a token of the control plane: mesh {mesh}, sender {sender}"));
        for n in 0..100 {
            expect(&analytics.url(&format!("/studies/{n}")), 200).await?;
        }
        match self.cloud.count("POST", "/harmony/mesh/token") - tokens {
            0 => self.step(
                "100 more requests needed no call to the control plane: reference, token and keys are cached",
            ),
            more => return Err(format!("the gateway requested {more} further tokens")),
        }
        Ok(())
    }

    async fn edits(&mut self, analytics: &Node) -> Result<(), String> {
        let traffic = Traffic::to(analytics.url("/studies/1"));
        let wider = studies("/studies")
            + "\n[endpoints.images]\nservice = \"http\"\noptions.path_prefix = \"/images\"\n";
        let wider = wider.replace("endpoints = [\"studies\"]", "endpoints = [\"studies\", \"images\"]");
        self.put(ANALYTICS, "pipeline", &wider).await?;
        expect(&analytics.url("/images/1"), 200).await?;
        self.step(&format!("{ANALYTICS}: an edit is live under traffic; /images responds too"));
        let before = analytics.host.snapshot().generation();
        let view = self.wait_until_settled(&self.cloud.change(ANALYTICS, "pipeline", &broken())).await?;
        let reason = view.error_message.unwrap_or_default();
        if view.status != Status::Failed
            || !reason.contains("studdies")
            || analytics.host.snapshot().generation() != before
        {
            return Err(format!("the verdict of a broken edit is {:?}: {reason}", view.status));
        }
        self.step(&format!("{ANALYTICS}: a broken edit is rejected; the last good configuration stays live"));
        self.output.detail(&reason);
        let succeeded = traffic.stop().await?;
        self.step(&format!("{succeeded} requests succeeded meanwhile, none failed"));
        Ok(())
    }

    async fn switch(&mut self, radiology: &Node, analytics: &Node) -> Result<(), String> {
        const TO_LOCAL: &str = "[proxy]\nprimary_provider = \"local\"\n";
        let view = self.wait_until_settled(&self.cloud.change(ANALYTICS, "gateway", TO_LOCAL)).await?;
        if view.status != Status::Failed {
            return Err("a gateway that uses another team's resource was switched to Local".to_owned());
        }
        self.step(&format!(
            "{ANALYTICS}: Primary Provider = Local is rejected, because the gateway uses another team's resource"
        ));
        self.output.detail(&view.error_message.unwrap_or_default());

        let id = self.cloud.resource_id(RADIOLOGY, "mesh", "imaging");
        self.put(RADIOLOGY, "mesh", &mesh(Some(&id), false, PROVIDES)).await?;
        let view = self.wait_until_settled(&self.cloud.change(RADIOLOGY, "gateway", TO_LOCAL)).await?;
        if view.status != Status::Applied
            || radiology.host.snapshot().providers().primary_name().as_str() != "local"
        {
            return Err(format!("the switch to Local was not applied: {view:?}"));
        }
        self.step(&format!(
            "{RADIOLOGY}: after the mesh is disabled, Primary Provider = Local is applied and reported"
        ));
        let polls = self.cloud.count("GET", "/harmony/changes/");
        let id = self.cloud.gateway_id(RADIOLOGY);
        let report = radiology.host.sync().await.unwrap_or_default();
        if report.error.is_none() || radiology.host.status().sync.is_some() {
            return Err(format!("{RADIOLOGY} ({id}) still polls the control plane: {polls} requests"));
        }
        self.step(&format!(
            "{RADIOLOGY}: the gateway no longer polls the control plane; it serves its local files"
        ));

        let back = self.cloud.put_document(
            RADIOLOGY,
            "mesh",
            &mesh(Some(&self.cloud.resource_id(RADIOLOGY, "mesh", "imaging")), true, PROVIDES),
        );
        radiology.dir.edit("config.toml", "primary_provider = \"local\"", "primary_provider = \"runbeam\"");
        self.applied(&back).await?;
        expect(&analytics.url("/studies/1"), 200).await?;
        self.step(&format!("{RADIOLOGY}: after a local edit of one line in config.toml, the gateway polls again; the mesh is back"));
        Ok(())
    }

    /// Stores a document at the control plane and waits until its gateway reports it as applied.
    async fn put(&self, gateway: &str, kind: &str, toml: &str) -> Result<(), String> {
        self.applied(&self.cloud.put_document(gateway, kind, toml)).await
    }

    async fn applied(&self, change: &str) -> Result<(), String> {
        let view = self.wait_until_settled(change).await?;
        match view.status {
            Status::Applied => Ok(()),
            other => Err(format!("a change is {other:?}: {}", view.error_message.unwrap_or_default())),
        }
    }

    /// Waits for the verdict of a change.
    async fn wait_until_settled(&self, change: &str) -> Result<ChangeView, String> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let view = self.cloud.view(change);
            if matches!(view.status, Status::Applied | Status::Failed) {
                return Ok(view);
            }
            if Instant::now() > deadline {
                return Err(format!("a change is {:?} after {} s", view.status, LIMIT.as_secs()));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn step(&mut self, what: &str) {
        self.output.step(what, self.since.elapsed());
        self.since = Instant::now();
    }
}

/// Sends a GET request, which must return this status.
async fn expect(url: &str, status: u16) -> Result<serde_json::Value, String> {
    match get(url).await? {
        (got, answer) if got == status => Ok(answer),
        (got, answer) => Err(format!("{url} returned {got}, expected {status}: {answer}")),
    }
}
