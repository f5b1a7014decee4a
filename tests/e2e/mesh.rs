use harmony_tests::{Forged, Gateway, Upstream, Workdir, free_port};
use reqwest::{Client, StatusCode};

/// Where the public example configurations are, when this checkout has them beside it.
const PUBLIC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/harmony-configs");
/// Our own of the same shape.
const OWN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/mesh");

const MESH_SECRET: &[u8] = b"mesh-test-secret-key-change-in-production";

struct TwoNodes {
    a: u16,
    b: u16,
    upstream: Upstream,
    _gateways: [Gateway; 2],
    _dirs: [Workdir; 2],
}

/// The example of two nodes with hosts and ports substituted.
async fn two_nodes(examples: &str) -> TwoNodes {
    let upstream = Upstream::saying("from the upstream").await;
    let (a, b) = (free_port(), free_port());
    let (admin_a, admin_b) = (free_port(), free_port());
    let substitute = |own: u16, admin: u16| {
        let upstream = upstream.address().to_string();
        move |text: String| {
            text.replace("backend.mesh.local:5000", &upstream)
                .replace("node-a.mesh.local:8080", &format!("127.0.0.1:{a}"))
                .replace("bind_port = 8080", &format!("bind_port = {own}"))
                .replace("bind_port = 9090", &format!("bind_port = {admin}"))
        }
    };
    let dir_a = Workdir::copy_of(format!("{examples}/node-a").as_ref(), substitute(a, admin_a));
    let dir_b = Workdir::copy_of(format!("{examples}/node-b").as_ref(), substitute(b, admin_b));
    let gateways = [Gateway::start(&dir_a.config()).await, Gateway::start(&dir_b.config()).await];
    TwoNodes { a, b, upstream, _gateways: gateways, _dirs: [dir_a, dir_b] }
}

#[tokio::test]
async fn a_request_to_node_b_arrives_at_the_upstream_through_node_a() {
    for examples in [PUBLIC, OWN].into_iter().filter(|path| std::path::Path::new(path).is_dir()) {
        let nodes = two_nodes(examples).await;
        let answer = reqwest::get(format!("http://127.0.0.1:{}/api/hello?x=1", nodes.b)).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.text().await.unwrap(), "from the upstream");
        let seen = nodes.upstream.last();
        assert_eq!(seen.uri, "/hello?x=1");
        assert!(!seen.headers.contains_key("authorization"), "the mesh token stays in the mesh");
        assert_eq!(seen.headers.get_all("via").iter().count(), 2);

        let straight = reqwest::get(format!("http://127.0.0.1:{}/api/hello", nodes.a)).await.unwrap();
        assert_eq!(straight.status(), StatusCode::FORBIDDEN);
        assert_eq!(nodes.upstream.seen().len(), 1);
        let _ = (Client::new(), Forged::of("test_mesh").signed_with(MESH_SECRET));
    }
}
