//! The fourth section: networks, pipelines with their routes and where they lead, meshes with their members.

use std::collections::HashMap;

use maud::{Markup, html};

use crate::config::{Destination, LinkedPipeline};
use crate::diagnostics::logged::counted;
use crate::difference::words::without_secrets;
use crate::management::page::clean::clean;
use crate::management::page::explanation::explanation;
use crate::management::page::parts::{Tone, state};
use crate::management::page::view::View;

/// The most pipelines on the page. The search field finds the others.
const MAX_PIPELINES: usize = 100;

/// Returns the section.
pub(super) fn section(view: &View<'_>) -> Markup {
    html! {
        section #served.card.served aria-labelledby="served-title" {
            header { h2 #served-title { "What is served" } (summary(view)) }
            form.search method="get" role="search" {
                div.fields {
                    div.field.wide {
                        label for="q" { "A URL or path shows the route that it takes; any other text finds pipelines" }
                        input #q name="q" type="search" value=(without_secrets(&view.search)) autocomplete="off" spellcheck="false";
                    }
                    button { "Find" }
                }
            }
            div #explanation data-live { (explanation(view)) }
            div #served-list data-live { (pipelines(view)) (networks(view)) (meshes(view)) }
        }
    }
}

/// Returns the number of pipelines, and of those whose requests are refused.
fn summary(view: &View<'_>) -> Markup {
    let all = &view.snapshot.config.pipelines;
    let refused = all.iter().filter(|linked| linked.unserved.is_some() || !linked.closed.is_empty()).count();
    html! {
        div #served-summary data-live {
            span.muted { (counted(all.len(), "pipeline")) ", " (counted(view.snapshot.config.meshes.len(), "mesh")) }
            @if refused > 0 { " " (state(Tone::Bad, &format!("{refused} answered 501 or 503"))) }
        }
    }
}

fn pipelines(view: &View<'_>) -> Markup {
    let all = &view.snapshot.config.pipelines;
    let found: Vec<_> = all.iter().filter(|linked| matches(linked, &view.search)).collect();
    html! {
        h3 #pipelines-title { "Pipelines" }
        @match (all.is_empty(), found.is_empty()) {
            (true, _) => p.empty { "There is no pipeline: every request is answered 404. Add one to the directory of pipelines, or at the control plane." },
            (_, true) => p.empty { "No pipeline has " code { (clean(&without_secrets(&view.search))) } " in its name, routes or destination." },
            _ => {
                table role="table" aria-labelledby="pipelines-title" {
                    thead { tr { th scope="col" { "Pipeline" } th scope="col" { "Routes" } th scope="col" { "Leads to" } th scope="col" { "State" } } }
                    tbody { @for linked in found.iter().take(MAX_PIPELINES) { (pipeline(linked)) } }
                }
                @if found.len() > MAX_PIPELINES {
                    p.row.muted { (MAX_PIPELINES) " of " (found.len()) " are shown; the field above finds the others." }
                }
            }
        }
    }
}

/// Returns the routes of a pipeline: paths, and the URLs of its ingresses with their names.
fn routes(linked: &LinkedPipeline) -> impl Iterator<Item = (&str, Option<&str>)> {
    let paths = linked
        .endpoints
        .iter()
        .filter_map(|endpoint| Some((endpoint.path_prefix.as_ref()?.value.as_str(), None)));
    let urls = linked
        .ingress
        .iter()
        .flat_map(|ingress| ingress.urls.iter().map(|url| (url.value.as_str(), Some(ingress.name.as_str()))));
    paths.chain(urls)
}

/// Returns where the requests of a pipeline go. A URL is shown without user, query and fragment.
fn leads_to(linked: &LinkedPipeline) -> String {
    match linked.backend.as_ref().map(|backend| &backend.destination) {
        None => "nowhere".to_owned(),
        Some(Destination::Echo) => "echo: the answer describes the request".to_owned(),
        Some(Destination::Url(url)) => format!("{}{}", url.origin().ascii_serialization(), url.path()),
        Some(Destination::Resource(reference)) => reference.to_string(),
        Some(Destination::Application) => "a service of the application".to_owned(),
        Some(Destination::Unserved) => "a service that this gateway does not have".to_owned(),
    }
}

fn matches(linked: &LinkedPipeline, search: &str) -> bool {
    // A URL or a path is below the path of the pipeline that it takes.
    let path =
        search.split_once("://").map_or(search, |(_, rest)| rest.find('/').map_or("", |at| &rest[at..]));
    let is_route = |(route, _): (&str, Option<&str>)| {
        route.contains(search)
            || (path.starts_with('/') && path.starts_with(route))
            || search.starts_with(route)
    };
    search.is_empty()
        || linked.pipeline.name.contains(search)
        || routes(linked).any(is_route)
        || leads_to(linked).contains(search)
}

fn pipeline(linked: &LinkedPipeline) -> Markup {
    let pipeline = &linked.pipeline;
    let networks: Vec<_> = pipeline.networks.iter().map(|network| clean(&network.value)).collect();
    html! {
        tr role="row" {
            th scope="row" {
                (clean(&pipeline.name))
                p.muted.small { "on " (networks.join(", ")) }
                @if let Some(description) = &pipeline.description { p.muted.small { (clean(description)) } }
            }
            td role="cell" data-label="Routes" {
                ul.routes {
                    @for (route, ingress) in routes(linked) {
                        li { code { (clean(route)) } @if let Some(name) = ingress { span.muted.small { " ingress " (clean(name)) } } }
                    }
                }
            }
            td role="cell" data-label="Leads to" {
                code { (clean(&leads_to(linked))) }
                @for egress in &linked.egress { p.muted.small { "egress " (clean(&egress.name)) } }
            }
            td role="cell" data-label="State" { (pipeline_state(linked)) }
        }
    }
}

fn pipeline_state(linked: &LinkedPipeline) -> Markup {
    if let Some(lacks) = &linked.unserved {
        return html! { (state(Tone::Bad, "answers 501")) p.small { "this gateway does not have " (clean(lacks)) } };
    }
    if linked.closed.is_empty() {
        return state(Tone::Ok, "served");
    }
    html! {
        (state(Tone::Warn, "answers 503"))
        @for reason in linked.closed.values() { p.small { (clean(reason)) } }
    }
}

fn networks(view: &View<'_>) -> Markup {
    let config = &view.snapshot.config;
    let mut served: HashMap<&str, usize> = HashMap::new();
    for network in config.pipelines.iter().flat_map(|linked| &linked.pipeline.networks) {
        *served.entry(&network.value).or_default() += 1;
    }
    let management = config.management.as_ref().map(|management| management.network.value.as_str());
    html! {
        h3 #networks-title { "Networks" }
        table role="table" aria-labelledby="networks-title" {
            thead { tr { th scope="col" { "Network" } th scope="col" { "Address" } th scope="col" { "Serves" } } }
            tbody {
                @for network in &config.networks {
                    tr role="row" {
                        th scope="row" { (clean(&network.name)) }
                        td role="cell" data-label="Address" {
                            @match &network.listen {
                                Some(listen) => { code { (listen.address.value) } @if listen.tls.is_some() { " TLS" } }
                                None => (state(Tone::Neutral, "not opened")),
                            }
                        }
                        td role="cell" data-label="Serves" {
                            @let count = served.get(network.name.as_str()).copied().unwrap_or_default();
                            (count) @if count == 1 { " pipeline" } @else { " pipelines" }
                            @if management == Some(network.name.as_str()) { ", the management API" }
                        }
                    }
                }
            }
        }
    }
}

fn meshes(view: &View<'_>) -> Markup {
    let config = &view.snapshot.config;
    if config.meshes.is_empty() && config.disabled_meshes.is_empty() {
        return html! {};
    }
    let members = |members: &[(String, String)]| {
        members.iter().map(|(pipeline, name)| clean(&format!("{name} ({pipeline})"))).collect::<Vec<_>>()
    };
    html! {
        h3 #meshes-title { "Meshes" }
        table role="table" aria-labelledby="meshes-title" {
            thead { tr { th scope="col" { "Mesh" } th scope="col" { "Ways in" } th scope="col" { "Ways out" } th scope="col" { "Members elsewhere" } } }
            tbody {
                @for mesh in config.meshes.iter() {
                    tr role="row" {
                        th scope="row" { (clean(&mesh.mesh.name)) p.muted.small { "tokens of " (mesh.provider) } }
                        td role="cell" data-label="Ways in" { (list(&members(&mesh.ingress))) }
                        td role="cell" data-label="Ways out" { (list(&members(&mesh.egress))) }
                        td role="cell" data-label="Elsewhere" {
                            (list(&mesh.remote.iter().map(|reference| clean(&reference.to_string())).collect::<Vec<_>>()))
                        }
                    }
                }
                @for mesh in &config.disabled_meshes {
                    tr role="row" {
                        th scope="row" { (clean(&mesh.name)) }
                        td role="cell" data-label="State" colspan="3" { (state(Tone::Neutral, "disabled")) }
                    }
                }
            }
        }
    }
}

fn list(entries: &[String]) -> Markup {
    html! {
        @if entries.is_empty() { span.muted { "none" } }
        @else { ul { @for entry in entries { li { code { (entry) } } } } }
    }
}
