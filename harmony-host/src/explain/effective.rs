//! The values that count, for keys with a default or with another spelling.

use crate::explain::Asked;

impl Asked<'_> {
    /// Returns the value of a key that counts, if the configuration has it in another form than its text. Never a secret.
    pub(super) fn effective(&self, key: &str) -> Option<String> {
        let config = &self.snapshot.config;
        let parts: Vec<&str> = key.split('.').collect();
        match parts[..] {
            ["proxy", name] => self.of_proxy(name),
            ["proxy", "content_limits", "max_body_size"] => {
                Some(config.proxy.max_body_size.map_or("unlimited".to_owned(), |most| most.to_string()))
            }
            ["management", name] => self.of_management(name),
            ["provider", provider, name] if provider == config.primary.name.as_str() => match name {
                "type" => Some(config.primary.provider_type().to_owned()),
                "api" => config.primary.address.clone(),
                "poll_interval_secs" => Some(config.primary.interval_secs().to_string()),
                "enabled" => Some("true".to_owned()),
                _ => None,
            },
            ["network", network, "http" | "tcp_config", name] => {
                let network = config.networks.iter().find(|one| one.name == network)?;
                let address = network.listen.as_ref()?.address.value;
                match name {
                    "bind_address" => Some(address.ip().to_string()),
                    "bind_port" => Some(address.port().to_string()),
                    _ => None,
                }
            }
            ["mesh", mesh, "enabled"] => {
                let is_enabled = config.meshes.iter().any(|linked| linked.mesh.name == mesh);
                let is_known = is_enabled || config.disabled_meshes.iter().any(|one| one.name == mesh);
                is_known.then(|| is_enabled.to_string())
            }
            ["backends", backend, name] => {
                let used = config.pipelines.iter().filter_map(|linked| linked.backend.as_ref());
                let mut all = used.chain(&config.unused_backends);
                let linked = all.find(|linked| linked.backend.name == backend)?;
                match name {
                    "timeout_secs" => Some(linked.timing.timeout().as_secs().to_string()),
                    "max_retries" => Some(linked.timing.max_retries().to_string()),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn of_proxy(&self, name: &str) -> Option<String> {
        let config = &self.snapshot.config;
        let proxy = &config.proxy;
        Some(match name {
            "id" => proxy.id.clone(),
            "primary_provider" => config.primary.name.to_string(),
            "pipelines_path" => proxy.pipelines_path.path.clone(),
            "mesh_path" => proxy.mesh_path.path.clone(),
            "transforms_path" => proxy.transforms_path.path.clone(),
            "jwks_cache_duration_hours" => proxy.jwks_cache_duration_hours.to_string(),
            "client_idle_timeout_secs" => proxy.client_idle_timeout.as_secs().to_string(),
            _ => return None,
        })
    }

    fn of_management(&self, name: &str) -> Option<String> {
        let management = self.snapshot.config.management.as_ref();
        match (name, management) {
            ("enabled", management) => Some(management.is_some().to_string()),
            ("base_path", Some(management)) => Some(management.base_path.clone()),
            ("network", Some(management)) => Some(management.network.value.clone()),
            _ => None,
        }
    }
}
