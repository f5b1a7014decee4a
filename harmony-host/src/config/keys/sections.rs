//! The sections and their keys.

use crate::config::keys::key::{
    Authority, Key, flag, integer, map, sides, table, tables, text, texts, words,
};

/// A section of the configuration that this host owns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SectionKeys {
    /// The path, with `*` for a name: `network.*`.
    pub(crate) path: &'static str,
    pub(crate) keys: &'static [Key],
    /// Set for a section with further keys that this table does not have: a provider defines the keys of its `[provider.*]`.
    pub(crate) open: bool,
    /// The authority over its keys, also those that are not in the table.
    pub(crate) authority: Authority,
    pub(crate) doc: &'static str,
}

const fn section(path: &'static str, keys: &'static [Key], doc: &'static str) -> SectionKeys {
    SectionKeys { path, keys, open: false, authority: Authority::Shared, doc }
}

/// Every section that this host owns.
pub(crate) const SECTIONS: &[SectionKeys] = &[
    SectionKeys {
        authority: Authority::Local("a change may set only `primary_provider` of [proxy]"),
        ..section("proxy", PROXY, "The gateway itself.")
    },
    SectionKeys {
        open: true,
        authority: Authority::Local("a change may not set the connection to the control plane"),
        ..section("provider.*", PROVIDER, "A source of configuration and resources.")
    },
    SectionKeys {
        authority: Authority::Local("a change may not set [management]"),
        ..section("management", MANAGEMENT, "The management API.")
    },
    section("network.*", NETWORK, "An address to listen on."),
    section("mesh.*", MESH, "A group of gateways that accept each other's tokens."),
    section("remote_ingress.*", REMOTE_INGRESS, "An ingress of another gateway, by its URLs."),
    section("pipelines.*", PIPELINE, "A chain of endpoints, middleware and backends."),
    section("pipelines.*.mesh", PIPELINE_MESH, "The ingresses and egresses of a pipeline."),
    section("pipelines.*.mesh.ingress.*", INGRESS, "The URLs at which members of a mesh reach a pipeline."),
    section(
        "pipelines.*.mesh.egress.*",
        EGRESS,
        "The exit through which a pipeline sends requests to a mesh.",
    ),
    section("endpoints.*", ENDPOINT, "The entry of a pipeline, which receives requests."),
    section("backends.*", BACKEND, "The exit of a pipeline, which sends requests."),
    section("middleware.*", MIDDLEWARE, "A step that requests pass before the backend."),
    section("targets.*", TARGET, "A server that backends send to."),
    section("peers.*", PEER, "A system that endpoints receive from."),
];

/// Sections of Harmony. The host does not check their keys, but rejects a likely misspelling of their names.
pub(crate) const FOREIGN: &[&str] = &[
    "logging",
    // The legacy section of the provider `runbeam`, which its factory reads.
    "runbeam",
    "storage",
    "services",
    "middleware_types",
    "authentications",
    "policies",
    "rules",
    "transform",
    "transforms",
];

// A new path would replace the live configuration by other files, which the change does not contain.
const DIRECTORIES: &str = "a change may not move the files of the gateway";
const LIMITS: &str = "a change may not set the limits of requests";
const SECRECY: &str = "a change may not set what guards secrets of the gateway";

const PROXY: &[Key] = &[
    text("id", "The id of this gateway. It, or `name`, is required.")
        .local("a change may not set the id of the gateway"),
    text("name", "The name of this gateway; also its id if `id` is absent."),
    text(
        "primary_provider",
        "The provider that supplies the configuration: `runbeam`, `local` or the name of another section.",
    )
    .shared(),
    text("pipelines_path", "The directory of the pipeline files, relative to config.toml.")
        .local(DIRECTORIES),
    text("transforms_path", "The directory of the transform files, relative to config.toml.")
        .local(DIRECTORIES),
    text("mesh_path", "The directory of the mesh files, relative to config.toml.").local(DIRECTORIES),
    integer("jwks_cache_duration_hours", 1, 168, "The maximum age of published keys, in hours."),
    texts("required_env_vars", "Environment variables that must be set, and not blank.")
        .guards()
        .local(SECRECY),
    texts(
        "remote_env_vars",
        "Environment variables that documents of a control plane may use; default: none.",
    )
    .guards()
    .local(SECRECY),
    texts(
        "trusted_proxies",
        "Addresses and networks of proxies whose headers about clients (X-Forwarded-*, Forwarded) are believed; default: none.",
    )
    .guards()
    .local("a change may not set which proxies the gateway believes"),
    integer(
        "client_idle_timeout_secs",
        1,
        3600,
        "The time after which an idle connection of a client is closed, in seconds, and the time for the head of a request; default: 75.",
    )
    .local(LIMITS),
    texts("sensitive_field_patterns", "Further patterns of keys whose values are masked and never pushed.")
        .guards()
        .local(SECRECY),
    text("log_level", "The log level of Harmony; this gateway uses `--log`.").no_effect(),
    table("content_limits", "Limits of request bodies.").guards().local(LIMITS),
    integer(
        "content_limits.max_body_size",
        1024,
        u64::MAX,
        "The maximum size of a request body, in bytes; default: unlimited.",
    )
    .guards()
    .local(LIMITS),
    integer("content_limits.max_csv_rows", 1, u64::MAX, "A limit of Harmony's parsers.")
        .no_effect()
        .local(LIMITS),
    integer("content_limits.max_xml_depth", 1, 1000, "A limit of Harmony's parsers.")
        .no_effect()
        .local(LIMITS),
    integer("content_limits.max_multipart_files", 1, u64::MAX, "A limit of Harmony's parsers.")
        .no_effect()
        .local(LIMITS),
    integer("content_limits.max_form_fields", 1, u64::MAX, "A limit of Harmony's parsers.")
        .no_effect()
        .local(LIMITS),
];

const PROVIDER: &[Key] = &[
    text("type", "The provider type; default: the name of the section."),
    text("api", "The URL of the control plane.").guards(),
    integer("poll_interval_secs", 0, 3600, "The poll interval in seconds; 0 polls on demand only.").shared(),
    flag("enabled", "Set to false for a provider that is not the primary one.").guards(),
];

const MANAGEMENT: &[Key] = &[
    flag("enabled", "Set to true to serve the management API."),
    text("base_path", "The first segments of its paths; default: `admin`."),
    text("network", "The only network it is served on; default: 127.0.0.1:9090.").guards(),
    text("token", "The bearer token that clients must send, except on the loopback interface.")
        .secret()
        .guards(),
];

const NETWORK: &[Key] = &[
    text("id", "An identifier.").no_effect(),
    flag("enable_wireguard", "Set to true for a network that is reached through WireGuard only.")
        .not_served()
        .guards(),
    text("interface", "The WireGuard interface.").no_effect(),
    table("http", "The TCP listener."),
    text("http.bind_address", "The IP address; default: every IPv4 address."),
    integer("http.bind_port", 1, 65535, "The port."),
    text("http.cert_path", "The file of the certificate chain; the listener then speaks TLS.").guards(),
    text("http.key_path", "The file of the key of the certificate.").guards(),
    flag("http.force_https", "Set to true to redirect cleartext requests to https.").guards(),
    table("tcp_config", "The TCP listener, by its other name."),
    text("tcp_config.bind_address", "The IP address; default: every IPv4 address."),
    integer("tcp_config.bind_port", 1, 65535, "The port."),
    text("tcp_config.cert_path", "The file of the certificate chain; the listener then speaks TLS.").guards(),
    text("tcp_config.key_path", "The file of the key of the certificate.").guards(),
    flag("tcp_config.force_https", "Set to true to redirect cleartext requests to https.").guards(),
    table("http3", "The HTTP/3 listener.").not_served(),
    text("http3.bind_address", "The IP address of the HTTP/3 listener.").not_served(),
    integer("http3.bind_port", 1, 65535, "The port of the HTTP/3 listener.").not_served(),
    text("http3.cert_path", "The certificate of the HTTP/3 listener.").not_served(),
    text("http3.key_path", "The key of the HTTP/3 listener.").not_served(),
];

const HTTP: &[&str] = &["http", "http3"];
const MODES: &[&str] = &["default", "mesh"];

const MESH: &[Key] = &[
    text("id", "The id of the mesh at its provider; required for a remote one."),
    words("type", HTTP, "The protocol. A mesh of type http3 is served over HTTP/1.1 and HTTP/2."),
    text("provider", "The provider that issues and verifies its tokens.").guards(),
    words("auth_type", &["jwt"], "The kind of its tokens.").guards(),
    text("jwt_secret", "The shared secret of a local mesh: HS256.").secret().guards(),
    text("jwt_private_key_path", "The file of the key that signs: RS256.").guards(),
    text("jwt_public_key_path", "The file of the key that verifies: RS256.").guards(),
    flag(
        "token_audience",
        "Set to true for tokens with `aud`, which other members cannot reuse; not with Harmony.",
    )
    .guards()
    .local("a change may not set which tokens a mesh requires"),
    text("jwks_url", "The URL of the published keys of a remote mesh, at its control plane.").guards(),
    texts("ingress", "Its ingresses: names, or references.").guards(),
    texts("egress", "Its egresses: names, or references."),
    text("name", "A display name.").no_effect(),
    text("description", "A description."),
    flag("enabled", "Set to false to disable it; its mesh-only routes then refuse every request.").guards(),
];

const REMOTE_INGRESS: &[Key] = &[
    texts("urls", "Its URLs."),
    text("id", "An identifier.").no_effect(),
    text("name", "A display name.").no_effect(),
    text("description", "A description.").no_effect(),
];

const PIPELINE: &[Key] = &[
    text("id", "The id of the pipeline at its provider."),
    text("name", "A display name.").no_effect(),
    text("description", "A description."),
    texts("networks", "The networks on which it receives requests.").guards(),
    texts("endpoints", "The endpoints that receive requests."),
    sides("middleware", "The middleware, in order.").guards(),
    texts("middleware.incoming", "The middleware that requests pass.").guards(),
    texts("middleware.outgoing", "The middleware that responses pass.").guards(),
    texts("middleware.left", "The same as `incoming`.").guards(),
    texts("middleware.right", "The same as `outgoing`.").guards(),
    texts("backends", "The backends that send requests; only the first one is used."),
];

const PIPELINE_MESH: &[Key] = &[];

const INGRESS: &[Key] = &[
    text("id", "The id of the ingress at its provider."),
    words("type", HTTP, "The protocol. An ingress of type http3 is served over HTTP/1.1 and HTTP/2."),
    words("mode", MODES, "`mesh` admits only requests with a token of the mesh.").guards(),
    text("endpoint", "Its endpoint; default: the first one of the pipeline.").guards(),
    texts("urls", "Its URLs: scheme, host, port and path prefix.").guards(),
    text("name", "A display name.").no_effect(),
    text("description", "A description."),
    flag("enabled", "Set to false to disable it.").guards(),
];

const EGRESS: &[Key] = &[
    text("id", "The id of the egress at its provider."),
    words("type", HTTP, "The protocol. An egress of type http3 uses HTTP/1.1 or HTTP/2."),
    words("mode", MODES, "`mesh` sends only requests with mesh context.").guards(),
    text("backend", "Its backend; default: the first one of the pipeline.").guards(),
    text("name", "A display name.").no_effect(),
    text("description", "A description."),
    flag("enabled", "Set to false to disable it.").guards(),
    table("options", "Options of Harmony.").no_effect(),
    text("options.bucket", "An option of Harmony.").no_effect(),
    text("options.access_key_id", "An option of Harmony.").no_effect().secret(),
    text("options.secret_access_key", "An option of Harmony.").no_effect().secret(),
    text("options.endpoint", "An option of Harmony.").no_effect(),
];

// `connection.protocol` accepts any string: a protocol that is not served is answered 501, and an application may serve
// more protocols.

const ENDPOINT: &[Key] = &[
    text("id", "The id of the endpoint at its provider."),
    text("name", "A display name.").no_effect(),
    text("description", "A description.").no_effect(),
    text("service", "The service that receives requests."),
    text("peer_ref", "The peer that requests come from; its authentication and `enabled` are inherited.")
        .guards(),
    text("authentication", "The authentication that requests must satisfy.").guards(),
    table("connection", "Overrides the connection of the peer.").unsupported(),
    text("connection.host", "A host name or address."),
    integer("connection.port", 1, 65535, "A port."),
    text("connection.protocol", "A protocol."),
    text("connection.base_path", "The path that everything is below."),
    text("connection.ca_cert_path", "The file of a certificate authority to trust.").guards().unsupported(),
    table("options", "Options of the service."),
    text("options.path_prefix", "The path below which the endpoint is reached."),
    flag("options.skip_hashing", "An option of Harmony's services.").no_effect(),
    flag("options.skip_listing", "An option of Harmony's services.").no_effect(),
    text("options.aet", "A DICOM option.").no_effect(),
    text("options.local_aet", "A DICOM option.").no_effect(),
    integer("options.port", 1, 65535, "A DICOM option.").no_effect(),
    text("options.bind_addr", "A DICOM option.").no_effect(),
    flag("options.enable_echo", "A DICOM option.").no_effect(),
    flag("options.enable_store", "A DICOM option.").no_effect(),
    flag("options.enable_find", "A DICOM option.").no_effect(),
    flag("options.enable_move", "A DICOM option.").no_effect(),
    flag("options.enable_get", "A DICOM option.").no_effect(),
    text("options.storage_dir", "A DICOM option.").no_effect(),
    integer("options.max_pdu", 16384, 131_072, "A DICOM option.").no_effect(),
];

const BACKEND: &[Key] = &[
    text("id", "The id of the backend at its provider."),
    text("name", "A display name.").no_effect(),
    text("description", "A description.").no_effect(),
    text("service", "The service that sends the requests."),
    text("target_ref", "A `[targets.*]`, or a reference to a resource."),
    text("authentication", "The authentication that requests must be sent with.").guards(),
    integer("timeout_secs", 1, 300, "The idle timeout of the server, in seconds; default: 30."),
    integer(
        "max_retries",
        0,
        10,
        "The maximum number of retries of a request that is safe to repeat; default: 3.",
    ),
    texts(
        "upgrades",
        "Protocols that clients may switch to over HTTP/1.1; default: `websocket`. An empty list permits none.",
    )
    .guards(),
    table("connection", "The server; its keys override those of the target."),
    text("connection.host", "A host name or address, or a whole URL."),
    integer("connection.port", 1, 65535, "The port; default: that of the protocol."),
    text("connection.protocol", "The protocol."),
    text("connection.base_path", "The path that everything is below."),
    text("connection.ca_cert_path", "The file of a certificate authority to trust for this backend.")
        .guards(),
    table("options", "Options of the service."),
    text("options.base_url", "The URL that paths are appended to."),
    text("options.url", "The URL that paths are appended to."),
    text("options.path_prefix", "The path that precedes the path of each request."),
    text("options.ca_cert_path", "The file of a certificate authority to trust for this backend.").guards(),
    integer("options.timeout_secs", 1, 300, "The idle timeout of the server, in seconds."),
    integer(
        "options.max_retries",
        0,
        10,
        "The maximum number of retries of a request that is safe to repeat.",
    ),
    text("options.method", "The method of the sent request.").not_served(),
    map("options.headers", "Headers to add.").not_served(),
    text("options.aet", "A DICOM option.").no_effect(),
    text("options.host", "A DICOM option.").no_effect(),
    integer("options.port", 1, 65535, "A DICOM option.").no_effect(),
    text("options.local_aet", "A DICOM option.").no_effect(),
    integer("options.max_pdu", 16384, 131_072, "A DICOM option.").no_effect(),
    text("options.root", "An option of Harmony's storage services.").no_effect(),
    text("options.write_pattern", "An option of Harmony's storage services.").no_effect(),
    text("options.read_pattern", "An option of Harmony's storage services.").no_effect(),
    text("options.region", "An option of Harmony's storage services.").no_effect(),
    text("options.bucket", "An option of Harmony's storage services.").no_effect(),
    text("options.access_key_id", "An option of Harmony's storage services.").no_effect().secret(),
    text("options.secret_access_key", "An option of Harmony's storage services.").no_effect().secret(),
    text("options.endpoint", "An option of Harmony's storage services.").no_effect(),
];

const MIDDLEWARE: &[Key] = &[
    text("id", "An identifier.").no_effect(),
    text("name", "A display name.").no_effect(),
    text("description", "A description.").no_effect(),
    text("type", "The type. A type that the gateway does not serve is answered 501.").guards(),
    text("authentication", "The authentication of a middleware.").guards(),
    table("options", "Options of the type."),
    flag(
        "options.required",
        "`mesh_auth`: set to false to let requests pass without a token; default: true.",
    )
    .guards(),
    words("options.direction", &["ingress", "egress"], "`mesh_auth`: the side; default: `ingress`.").guards(),
    text("options.mesh_name", "`mesh_auth`: the mesh of the tokens; default: those of the pipeline.")
        .guards(),
    text("options.mesh_id", "`mesh_auth`: the mesh of the tokens, by its id.").guards(),
    text("options.provider", "`mesh_auth`: must be the provider of that mesh.").guards(),
    text("options.jwt_secret", "`mesh_auth`: must be the secret of that mesh.").secret().guards(),
    text("options.jwt_key_path", "`mesh_auth`: must be the key file of that mesh for this side.").guards(),
    text("options.jwks_url", "`mesh_auth`: the published keys of that mesh, at its control plane.").guards(),
    text("options.destination_url", "`mesh_auth`, egress: the URL that requests are sent below.").guards(),
    text("options.spec_path", "A transform.").not_served(),
    words("options.apply", &["left", "right", "both"], "The side that a transform applies to.").not_served(),
    flag("options.fail_on_error", "An option of transforms.").not_served(),
    flag("options.debug", "An option of Harmony's middleware.").not_served(),
    text("options.transform_target", "An option of transforms.").not_served(),
    tables("options.rules", "Rules of access.").not_served().guards(),
    text("options.rules.allow", "A rule of access.").not_served().guards(),
    text("options.rules.deny", "A rule of access.").not_served().guards(),
    texts("options.policies", "Policies of access.").not_served().guards(),
    text("options.store_dir", "An option of Harmony's middleware.").not_served(),
    flag("options.pretty", "An option of Harmony's middleware.").not_served(),
    integer("options.max_bytes", 0, u64::MAX, "An option of Harmony's middleware.").not_served(),
    texts("options.redact_headers", "An option of Harmony's middleware.").not_served(),
    texts("options.redact_metadata", "An option of Harmony's middleware.").not_served(),
    texts("options.redact_data_fields", "An option of Harmony's middleware.").not_served(),
    text("options.label", "An option of Harmony's middleware.").not_served(),
    text("options.endpoint", "An option of webhooks.").not_served(),
    integer("options.timeout_secs", 1, 300, "An option of webhooks.").not_served(),
];

const TARGET: &[Key] = &[
    text("id", "An identifier.").no_effect(),
    text("name", "A name for people.").no_effect(),
    text("description", "A description for people.").no_effect(),
    table("connection", "The server."),
    text("connection.host", "A host name or address, or a whole URL."),
    integer("connection.port", 1, 65535, "The port; that of the protocol unless written."),
    text("connection.protocol", "The protocol."),
    text("connection.base_path", "The path that everything is below."),
    text("connection.ca_cert_path", "The file of a certificate authority to trust for it.").guards(),
    text("protocol", "The protocol, where `connection` names none."),
    text("type", "The protocol, by its other name."),
    text("url", "A whole URL, where `connection` names no host."),
    flag("enabled", "Set to false to disable it: what uses it is closed.").guards(),
    text("authentication", "The authentication that goes with it.").guards(),
    texts("tags", "Tags for people.").no_effect(),
    integer("timeout_secs", 1, 300, "The longest silence of the server, in seconds; 30 unless written."),
    integer("max_retries", 0, 10, "The most retries where they are safe; 3 unless written."),
];

const PEER: &[Key] = &[
    text("id", "An identifier.").no_effect(),
    text("name", "A display name.").no_effect(),
    text("description", "A description.").no_effect(),
    table("connection", "The server."),
    text("connection.host", "A host name or address, or a whole URL."),
    integer("connection.port", 1, 65535, "The port; default: that of the protocol."),
    text("connection.protocol", "The protocol."),
    text("connection.base_path", "The path that everything is below."),
    text("connection.ca_cert_path", "The file of a certificate authority to trust.").guards().unsupported(),
    text("protocol", "The protocol, where `connection` names none."),
    text("type", "The protocol, by its other name."),
    text("url", "A whole URL, where `connection` names no host."),
    flag("enabled", "Set to false to disable it: routes that use it reject every request.").guards(),
    text("authentication", "Its authentication.").guards(),
    texts("tags", "Tags.").no_effect(),
    integer("timeout_secs", 1, 300, "The idle timeout of the server, in seconds; default: 30."),
    integer(
        "max_retries",
        0,
        10,
        "The maximum number of retries of a request that is safe to repeat; default: 3.",
    ),
];
