//! The documents of the two teams.

/// The pipeline of the providing team, with an ingress for members of the mesh only.
pub(crate) fn dicomweb(port: u16) -> String {
    format!(
        r#"[pipelines.dicomweb]
description = "Images"
networks = ["public"]
endpoints = ["dicomweb"]
backends = ["archive"]

[pipelines.dicomweb.mesh.ingress.dicomweb]
type = "http"
urls = ["http://127.0.0.1:{port}/dicom-web"]
mode = "mesh"

[endpoints.dicomweb]
service = "http"
options.path_prefix = "/dicom-web"

[backends.archive]
service = "echo"
"#
    )
}

/// The pipeline of the consuming team. It names the other team's ingress, not its address.
pub(crate) fn studies(prefix: &str) -> String {
    format!(
        r#"[pipelines.studies]
description = "Images of the radiology department"
networks = ["public"]
endpoints = ["studies"]
backends = ["radiology"]

[pipelines.studies.mesh.egress.to-radiology]
type = "http"
backend = "radiology"

[endpoints.studies]
service = "http"
options.path_prefix = "{prefix}"

[backends.radiology]
service = "http"
target_ref = "runbeam.radiology-dept.ingress.name.dicomweb"
"#
    )
}

/// The mesh document of one gateway.
pub(crate) fn mesh(id: Option<&str>, enabled: bool, members: &str) -> String {
    let id = id.map_or_else(String::new, |id| format!("id = \"{id}\"\n"));
    format!(
        "[mesh.imaging]\n{id}type = \"http\"\nprovider = \"runbeam\"\nauth_type = \"jwt\"\nenabled = {enabled}\n{members}\n"
    )
}

/// The members in the providing team's mesh document.
pub(crate) const PROVIDES: &str = "ingress = [\"dicomweb\"]";
/// The members in the consuming team's mesh document.
pub(crate) const CONSUMES: &str =
    "ingress = [\"runbeam.radiology-dept.ingress.name.dicomweb\"]\negress = [\"to-radiology\"]";

/// The consumer's pipeline with a typo: the endpoint does not exist.
pub(crate) fn broken() -> String {
    studies("/studies").replace("endpoints = [\"studies\"]", "endpoints = [\"studdies\"]")
}
