//! The Kubernetes manifests: they fit together, and fit the gateway.

use std::collections::{BTreeMap, BTreeSet};

use harmony_tests::{Gateway, Workdir, binary, client, free_port};
use serde_json::{Value, json};

use super::{TOKEN, deployed, file, option, repository};

const DIRECTORY: &str = "deploy/kubernetes";

/// Returns the documents of a file.
fn documents(name: &str) -> Vec<Value> {
    let text = file(&format!("{DIRECTORY}/{name}"));
    serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Returns the document of a kind.
fn document(kind: &str) -> Value {
    let files = resources();
    let mut found = files.iter().flat_map(|name| documents(name)).filter(|document| document["kind"] == kind);
    let first = found.next().unwrap_or_else(|| panic!("no {kind}"));
    assert!(found.next().is_none(), "more than one {kind}");
    first
}

fn texts(list: &Value) -> Vec<String> {
    let list = list.as_array().unwrap_or_else(|| panic!("{list} is not a list"));
    list.iter()
        .map(|text| text.as_str().unwrap_or_else(|| panic!("{text} is not a text")).to_owned())
        .collect()
}

fn resources() -> Vec<String> {
    texts(&documents("kustomization.yaml")[0]["resources"])
}

fn pod() -> Value {
    document("StatefulSet")["spec"]["template"].clone()
}

fn container() -> Value {
    pod()["spec"]["containers"][0].clone()
}

#[test]
fn every_file_is_listed_and_read() {
    let directory = std::fs::read_dir(repository(DIRECTORY)).unwrap();
    let files: BTreeSet<String> =
        directory.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let map = &documents("kustomization.yaml")[0]["configMapGenerator"][0];
    let listed: BTreeSet<String> = resources()
        .into_iter()
        .chain(texts(&map["files"]))
        .chain(["kustomization.yaml", "secret.example.yaml"].map(str::to_owned))
        .collect();
    assert_eq!(files, listed);
    for name in files.iter().filter(|name| name.ends_with(".yaml") && *name != "kustomization.yaml") {
        for document in documents(name) {
            assert!(document["apiVersion"].is_string() && document["metadata"]["name"].is_string(), "{name}");
            let is_of_cluster = document["kind"] == "Namespace";
            assert_eq!(document["metadata"]["namespace"] == "harmony", !is_of_cluster, "{name}");
        }
    }
    // The configuration is that of the other deployments, but for the id.
    let (id, of_pod) = ("id = \"gateway\"\n", "id = \"${HARMONY_GATEWAY_ID}\"\n");
    let comment = "# Each replica has an id of its own: the name of its pod.\n";
    for (name, own) in [("config.toml", "config.toml"), ("pipelines/hello.toml", "hello.toml")] {
        let other = file(&format!("deploy/config/{name}")).replace(id, &format!("{comment}{of_pod}"));
        assert_eq!(other, file(&format!("{DIRECTORY}/{own}")), "{own}");
    }
}

#[test]
fn names_and_labels_fit_together() {
    let (set, pod, container) = (document("StatefulSet"), pod(), container());
    let labels = &pod["metadata"]["labels"];
    assert_eq!(set["spec"]["selector"]["matchLabels"], *labels);
    assert_eq!(document("PodDisruptionBudget")["spec"]["selector"]["matchLabels"], *labels);
    assert_eq!(document("NetworkPolicy")["spec"]["podSelector"]["matchLabels"], *labels);
    let services = documents("service.yaml");
    assert!(services.iter().all(|service| service["spec"]["selector"] == *labels));
    let heads = services.iter().filter(|service| service["metadata"]["name"] == set["spec"]["serviceName"]);
    assert_eq!(heads.count(), 1);
    let ports: BTreeMap<String, u64> = container["ports"]
        .as_array()
        .unwrap()
        .iter()
        .map(|port| (port["name"].as_str().unwrap().to_owned(), port["containerPort"].as_u64().unwrap()))
        .collect();
    let named = |port: &Value| port.as_str().is_none_or(|name| ports.contains_key(name));
    for service in &services {
        assert!(service["spec"]["ports"].as_array().unwrap().iter().all(|port| named(&port["targetPort"])));
    }
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
        assert_eq!(container[probe]["httpGet"]["port"], "management", "{probe}");
    }
    let config = file("deploy/config/config.toml");
    assert!(ports.values().all(|port| config.contains(&format!("bind_port = {port}\n"))), "{ports:?}");
    // The volumes, and the keys of the secret and of the configuration.
    let volumes = pod["spec"]["volumes"].as_array().unwrap();
    let claims = set["spec"]["volumeClaimTemplates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|claim| &claim["metadata"]["name"]);
    let known: Vec<&Value> = volumes.iter().map(|volume| &volume["name"]).chain(claims).collect();
    let mounts = container["volumeMounts"].as_array().unwrap();
    assert!(mounts.iter().all(|mount| known.contains(&&mount["name"])), "{mounts:?}");
    let map = &documents("kustomization.yaml")[0]["configMapGenerator"][0];
    assert_eq!(map["name"], volumes[0]["configMap"]["name"]);
    let items = volumes[0]["configMap"]["items"].as_array().unwrap().iter();
    let keys: Vec<String> = items.map(|item| item["key"].as_str().unwrap().to_owned()).collect();
    assert_eq!(keys, texts(&map["files"]));
    let secret = &documents("secret.example.yaml")[0];
    let required = container["env"].as_array().unwrap().iter().filter_map(|variable| {
        let key = &variable["valueFrom"]["secretKeyRef"];
        (key.is_object() && key["optional"] != true).then_some(key)
    });
    for key in required {
        assert_eq!(key["name"], secret["metadata"]["name"]);
        assert!(secret["stringData"][key["key"].as_str().unwrap()].is_string(), "{key}");
    }
}

/// The rules of the pod security standard `restricted`, which the namespace enforces, and a read-only root.
#[test]
fn pods_have_no_rights() {
    let namespace = document("Namespace");
    assert_eq!(namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"], "restricted");
    let (pod, container) = (pod(), container());
    let of_pod = &pod["spec"]["securityContext"];
    assert_eq!(
        (&of_pod["runAsNonRoot"], &of_pod["seccompProfile"]["type"]),
        (&json!(true), &json!("RuntimeDefault"))
    );
    assert!(of_pod["runAsUser"].as_u64().unwrap() > 0);
    let own = &container["securityContext"];
    assert_eq!(
        (&own["allowPrivilegeEscalation"], &own["readOnlyRootFilesystem"]),
        (&json!(false), &json!(true))
    );
    assert_eq!((&own["capabilities"]["drop"], &own["capabilities"]["add"]), (&json!(["ALL"]), &Value::Null));
    assert_eq!(pod["spec"]["automountServiceAccountToken"], false);
    for host in ["hostNetwork", "hostPID", "hostIPC"] {
        assert!(pod["spec"][host].is_null(), "{host}");
    }
    let mounts = container["volumeMounts"].as_array().unwrap();
    assert_eq!(mounts.iter().find(|mount| mount["name"] == "config").unwrap()["readOnly"], true);
    assert!(container["resources"]["limits"]["memory"].is_string());
    let policy = document("NetworkPolicy");
    assert_eq!(policy["spec"]["policyTypes"], json!(["Ingress", "Egress"]));
    let open = policy["spec"]["ingress"].as_array().unwrap().iter().filter(|rule| rule["from"].is_null());
    let ports: Vec<&Value> = open.flat_map(|rule| rule["ports"].as_array().unwrap()).collect();
    assert!(ports.iter().all(|port| port["port"] == "http"), "the management port is not for all: {ports:?}");
}

#[test]
fn times_of_the_pod_fit_together() {
    let (pod, container) = (pod(), container());
    let arguments = texts(&container["args"]);
    let (lame_duck, drain) = (option(&arguments, "--lame-duck"), option(&arguments, "--drain-secs"));
    let grace = pod["spec"]["terminationGracePeriodSeconds"].as_u64().unwrap();
    assert!(grace > lame_duck + drain, "the kubelet kills the gateway before it has drained");
    let ready = &container["readinessProbe"];
    let unready = ready["periodSeconds"].as_u64().unwrap() * ready["failureThreshold"].as_u64().unwrap();
    assert!(lame_duck > unready, "clients are still sent to the gateway when it closes");
}

/// The pod's command line, environment and probes, with a real gateway.
#[tokio::test]
async fn pod_answers_its_probes() {
    let (port, admin) = (free_port(), free_port());
    let (dir, state, container) = (deployed(port, admin), Workdir::new(), container());
    dir.edit("config.toml", "id = \"gateway\"", "id = \"${HARMONY_GATEWAY_ID}\"");
    let mut environment = BTreeMap::new();
    for variable in container["env"].as_array().unwrap() {
        let name = variable["name"].as_str().unwrap();
        let source = &variable["valueFrom"];
        let value = match (variable["value"].as_str(), source["fieldRef"]["fieldPath"].as_str()) {
            (Some(value), _) => value
                .replace("/etc/harmony", &dir.path().display().to_string())
                .replace("/var/lib/harmony", &state.path().display().to_string()),
            (None, Some("metadata.name")) => "harmony-0".to_owned(),
            (None, _) if source["secretKeyRef"]["key"] == "management-token" => TOKEN.to_owned(),
            (None, _) => {
                assert_eq!(source["secretKeyRef"]["optional"], true, "{variable}");
                continue;
            }
        };
        environment.insert(name.to_owned(), value);
    }
    let mut process = tokio::process::Command::new(binary());
    process.args(texts(&container["args"]));
    let pairs: Vec<(&str, &str)> = environment.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let mut gateway = Gateway::spawn_command(process, &dir.config(), &pairs);
    gateway.wait_until_ready().await;
    let info = Gateway::management(admin, "info").await;
    assert_eq!(info["id"], "harmony-0", "each replica has an id of its own");
    let probe = async |name: &str| {
        let path = container[name]["httpGet"]["path"].as_str().unwrap();
        // The kubelet sends the address of the pod, and no token.
        let request = client().get(format!("http://127.0.0.1:{admin}{path}")).header("host", "10.1.2.3:9090");
        request.header("user-agent", "kube-probe/1.33").send().await.unwrap().status().as_u16()
    };
    for name in ["startupProbe", "readinessProbe", "livenessProbe"] {
        assert_eq!(probe(name).await, 200, "{name}");
    }
    gateway.signal("TERM").await;
    gateway.wait_for_log("health/ready answers 503").await;
    assert_eq!((probe("readinessProbe").await, probe("livenessProbe").await), (503, 200));
    gateway.signal("TERM").await;
    assert_eq!(gateway.exit_code().await, 0);
}
