//! A gateway in the test's process on local files, and snippets of configuration.

use harmony_host::{HostOptions, RunningGateway, Verdict, registry};

use crate::{Workdir, free_port};

/// A config.toml with the network `public` and one for the management API; `PORT` and `ADMIN` are placeholders.
pub const BASE: &str = r#"
[proxy]
id = "site"
primary_provider = "local"

[network.public.http]
bind_address = "127.0.0.1"
bind_port = PORT

[network.management.http]
bind_address = "127.0.0.1"
bind_port = ADMIN

[management]
enabled = true
network = "management"
"#;

/// A gateway in this process with its own ports and files, on the provider `local`. Stops on drop.
#[derive(Debug)]
pub struct Site {
    /// The port of the network `public`.
    pub port: u16,
    /// The port of the management API.
    pub admin: u16,
    /// The configuration directory.
    pub dir: Workdir,
    /// The gateway.
    pub host: RunningGateway,
}

impl Site {
    /// Starts a gateway with [`BASE`] and these sections.
    pub async fn serving(sections: &str) -> Self {
        Self::with(&format!("{BASE}{sections}"), Workdir::new()).await
    }

    /// Starts a gateway with this config.toml and the other files of `dir`.
    ///
    /// # Panics
    /// Panics with every problem if the configuration is rejected.
    pub async fn with(config: &str, dir: Workdir) -> Self {
        let (port, admin) = (free_port(), free_port());
        dir.write("config.toml", &on_ports(config, port, admin));
        let mut options = HostOptions::new(dir.config(), registry());
        options.state_dir = dir.path().join("state");
        let host = RunningGateway::start(options).await;
        let host = host.unwrap_or_else(|refusal| {
            let problems: Vec<String> = refusal.problems.errors().map(ToString::to_string).collect();
            panic!("refused ({}):\n{}", refusal.class, problems.join("\n"))
        });
        Self { port, admin, dir, host }
    }

    /// A URL of the network `public`.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// A URL of the management network.
    pub fn admin_url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.admin)
    }
}

/// Replaces the placeholders `PORT` and `ADMIN` in `config`.
pub fn on_ports(config: &str, port: u16, admin: u16) -> String {
    config.replace("PORT", &port.to_string()).replace("ADMIN", &admin.to_string())
}

/// A pipeline on the network `public` that echoes requests below `prefix`.
pub fn echo(name: &str, prefix: &str) -> String {
    pipeline(name, prefix, "service = \"echo\"")
}

/// A pipeline on the network `public` that forwards requests below `prefix` to `base_url`.
pub fn forward(name: &str, prefix: &str, base_url: &str) -> String {
    pipeline(name, prefix, &format!("service = \"http\"\noptions.base_url = \"{base_url}\""))
}

/// A pipeline on the network `public` with the keys `backend` in its backend.
pub fn pipeline(name: &str, prefix: &str, backend: &str) -> String {
    format!(
        "[pipelines.{name}]\nnetworks = [\"public\"]\nendpoints = [\"{name}\"]\nbackends = [\"{name}\"]\n\
         [endpoints.{name}]\nservice = \"http\"\noptions.path_prefix = \"{prefix}\"\n\
         [backends.{name}]\n{backend}\n"
    )
}

/// An ingress `name` of the pipeline `pipeline`.
pub fn ingress(pipeline: &str, name: &str, url: &str, mode: &str) -> String {
    format!(
        "[pipelines.{pipeline}.mesh.ingress.{name}]\ntype = \"http\"\nurls = [\"{url}\"]\nmode = \"{mode}\"\n"
    )
}

/// A local mesh with [`SECRET`](crate::SECRET) and one ingress.
pub fn mesh(name: &str, ingress: &str) -> String {
    format!(
        "[mesh.{name}]\ntype = \"http\"\nprovider = \"local\"\nauth_type = \"jwt\"\njwt_secret = \"{}\"\n\
         ingress = [\"{ingress}\"]\n",
        crate::SECRET
    )
}

/// Returns whether a reload has left the files live. The watch of the files may have been faster: then nothing was left to
/// apply.
pub fn is_live(verdict: Option<&Verdict>) -> bool {
    matches!(verdict, Some(Verdict::Applied { .. } | Verdict::Unchanged { .. }))
}
