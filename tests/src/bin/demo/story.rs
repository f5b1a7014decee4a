use std::time::Duration;

use harmony_tests::control_plane::{ChangeView, ControlPlane, Status};
use tokio::time::Instant;

use crate::documents::{CONSUMES, PROVIDES, broken, dicomweb, mesh, studies};
use crate::node::{Node, get};
use crate::tell::Teller;
use crate::traffic::Traffic;

const RADIOLOGY: &str = "radiology-dept";
const ANALYTICS: &str = "ai-analytics";

/// How long anything may take.
const LIMIT: Duration = Duration::from_secs(30);

/// What happens, step by step. A step that does not do what it should ends the story.
pub(crate) struct Story<'a> {
    cloud: &'a ControlPlane,
    teller: &'a Teller,
    since: Instant,
}

impl<'a> Story<'a> {
    pub(crate) fn new(cloud: &'a ControlPlane, teller: &'a Teller) -> Self {
        Self { cloud, teller, since: Instant::now() }
    }

    /// Tells it, and leaves the gateways running.
    pub(crate) async fn tell(&mut self) -> Result<[Node; 2], String> {
        self.ok(&format!("the control plane is up at {}", self.cloud.url()));
        let nodes = [Node::start(self.cloud, RADIOLOGY).await?, Node::start(self.cloud, ANALYTICS).await?];
        let [radiology, analytics] = &nodes;
        self.ok(&format!("two gateways are up: {RADIOLOGY} and {ANALYTICS}, each with nothing but the address of the control plane"));
        for node in &nodes {
            let id = node.authorize(&self.cloud.user_token(node.code)).await?;
            self.ok(&format!("{} is authorized by a user of its team, as {id}", node.code));
        }
        self.configure(radiology, analytics).await?;
        self.across(radiology, analytics).await?;
        self.edits(analytics).await?;
        self.switch(radiology, analytics).await?;
        Ok(nodes)
    }

    async fn configure(&mut self, radiology: &Node, analytics: &Node) -> Result<(), String> {
        self.put(RADIOLOGY, "pipeline", &dicomweb(radiology.port)).await?;
        self.ok(&format!(
            "{RADIOLOGY}: the pipeline with the ingress `dicomweb` arrived by sync and is live"
        ));
        self.put(RADIOLOGY, "mesh", &mesh(None, true, PROVIDES)).await?;
        let id = self.cloud.resource_id(RADIOLOGY, "mesh", "imaging");
        self.ok(&format!("{RADIOLOGY}: the mesh `imaging` arrived, as {id}"));
        self.put(ANALYTICS, "pipeline", &studies("/studies")).await?;
        self.put(ANALYTICS, "mesh", &mesh(Some(&id), true, CONSUMES)).await?;
        self.ok(&format!(
            "{ANALYTICS}: a pipeline to runbeam.{RADIOLOGY}.ingress.name.dicomweb arrived, and the mesh"
        ));
        expect(&analytics.url("/elsewhere"), 404).await.map(drop)
    }

    async fn across(&mut self, radiology: &Node, analytics: &Node) -> Result<(), String> {
        let straight = expect(&radiology.url("/dicom-web/1"), 403).await?;
        self.ok("a request straight to the ingress, without a token, is refused: 403");
        self.teller.detail(straight["message"].as_str().unwrap_or_default());
        let answer = expect(&analytics.url("/studies/1"), 200).await?;
        let (mesh, sender) = (&answer["mesh"]["name"], &answer["mesh"]["sender"]);
        if mesh != "imaging" || !sender.is_string() {
            return Err(format!("the answer has no mesh context: {answer}"));
        }
        let tokens = self.cloud.count("POST", "/harmony/mesh/token");
        self.ok(&format!("a request through {ANALYTICS} reached {RADIOLOGY} with a token of the control plane: mesh {mesh}, sender {sender}"));
        for n in 0..100 {
            expect(&analytics.url(&format!("/studies/{n}")), 200).await?;
        }
        match self.cloud.count("POST", "/harmony/mesh/token") - tokens {
            0 => self
                .ok("a hundred more asked the control plane for nothing: reference, token and keys are held"),
            more => return Err(format!("{more} further tokens were asked for")),
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
        self.ok(&format!("{ANALYTICS}: an edit is live, /images answers too, and traffic flowed on"));
        let before = analytics.host.snapshot().generation();
        let view = self.settled(&self.cloud.change(ANALYTICS, "pipeline", &broken())).await?;
        let reason = view.error_message.unwrap_or_default();
        if view.status != Status::Failed
            || !reason.contains("studdies")
            || analytics.host.snapshot().generation() != before
        {
            return Err(format!("a broken edit was {:?}: {reason}", view.status));
        }
        self.ok(&format!("{ANALYTICS}: a broken edit is rejected, and what was served is served on"));
        self.teller.detail(&reason);
        let answered = traffic.stop().await?;
        self.ok(&format!("{answered} requests were answered meanwhile, none failed"));
        Ok(())
    }

    async fn switch(&mut self, radiology: &Node, analytics: &Node) -> Result<(), String> {
        const TO_LOCAL: &str = "[proxy]\nprimary_provider = \"local\"\n";
        let view = self.settled(&self.cloud.change(ANALYTICS, "gateway", TO_LOCAL)).await?;
        if view.status != Status::Failed {
            return Err("a gateway that uses other teams' resources was switched to Local".to_owned());
        }
        self.ok(&format!(
            "{ANALYTICS}: Primary Provider = Local is rejected, since it uses another team's resource"
        ));
        self.teller.detail(&view.error_message.unwrap_or_default());

        let id = self.cloud.resource_id(RADIOLOGY, "mesh", "imaging");
        self.put(RADIOLOGY, "mesh", &mesh(Some(&id), false, PROVIDES)).await?;
        let view = self.settled(&self.cloud.change(RADIOLOGY, "gateway", TO_LOCAL)).await?;
        if view.status != Status::Applied
            || radiology.host.snapshot().providers().primary_name().as_str() != "local"
        {
            return Err(format!("the switch to Local was not applied: {view:?}"));
        }
        self.ok(&format!(
            "{RADIOLOGY}: the mesh is switched off, then Primary Provider = Local is applied and reported"
        ));
        let asked = self.cloud.count("GET", "/harmony/changes/");
        let id = self.cloud.gateway_id(RADIOLOGY);
        let report = radiology.host.sync().await.unwrap_or_default();
        if report.error.is_none() || radiology.host.status().sync.is_some() {
            return Err(format!("{RADIOLOGY} still follows the control plane: {asked} questions, {id}"));
        }
        self.ok(&format!("{RADIOLOGY}: nobody is followed any more; it serves from its files"));

        let back = self.cloud.put_document(
            RADIOLOGY,
            "mesh",
            &mesh(Some(&self.cloud.resource_id(RADIOLOGY, "mesh", "imaging")), true, PROVIDES),
        );
        radiology.dir.edit("config.toml", "primary_provider = \"local\"", "primary_provider = \"runbeam\"");
        self.applied(&back).await?;
        expect(&analytics.url("/studies/1"), 200).await?;
        self.ok(&format!("{RADIOLOGY}: one line of its config.toml is edited by hand, and it follows again; the mesh is back"));
        Ok(())
    }

    /// Keeps a document at the control plane and waits until its gateway reported it live.
    async fn put(&self, gateway: &str, kind: &str, toml: &str) -> Result<(), String> {
        self.applied(&self.cloud.put_document(gateway, kind, toml)).await
    }

    async fn applied(&self, change: &str) -> Result<(), String> {
        let view = self.settled(change).await?;
        match view.status {
            Status::Applied => Ok(()),
            other => Err(format!("a change is {other:?}: {}", view.error_message.unwrap_or_default())),
        }
    }

    /// Waits for a verdict.
    async fn settled(&self, change: &str) -> Result<ChangeView, String> {
        let until = Instant::now() + LIMIT;
        loop {
            let view = self.cloud.view(change);
            if matches!(view.status, Status::Applied | Status::Failed) {
                return Ok(view);
            }
            if Instant::now() > until {
                return Err(format!("a change is {:?} after {} s", view.status, LIMIT.as_secs()));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn ok(&mut self, what: &str) {
        self.teller.step(what, self.since.elapsed());
        self.since = Instant::now();
    }
}

/// The answer to a GET, which must have this status.
async fn expect(url: &str, status: u16) -> Result<serde_json::Value, String> {
    match get(url).await? {
        (got, answer) if got == status => Ok(answer),
        (got, answer) => Err(format!("{url} answered {got} and not {status}: {answer}")),
    }
}
