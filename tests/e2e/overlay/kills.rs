//! Kills while a change is written to the overlay.

use super::*;

/// Kills a gateway at `point` within a change over a file of the base and with a new transform, and restarts it.
async fn killed_at(point: &str) {
    let (cloud, mut process) = read_only(&[("pipelines/mine.toml", echo("mine", "/mine"))]).await;
    applied(&cloud, "pipeline", &echo("mine", "/moved")).await;
    let base = bytes(process.dir.path());
    let shape = cloud.transform("edge", "shape", "[]");
    let shaped = echo("mine", "/shaped")
        + &format!("[middleware.shape]\ntype = \"transform\"\noptions.spec_path = \"{shape}.json\"\n");
    process.kill().await;
    process.restart_with_failpoints(&format!("{point}=return")).await;
    let change = cloud.put_document("edge", "pipeline", &shaped);
    process.gateway.wait_for_exit().await;
    process.restart().await;
    assert_eq!(cloud.wait_until_settled(&change).await.status, Status::Applied, "{point}");
    assert_eq!(process.status_code("/shaped").await, 200, "{point}");
    let overlay = directory(&process).await;
    let names: Vec<PathBuf> = files_below(&overlay);
    assert_eq!(names.len(), 2, "{point}: {names:?}");
    assert_eq!(fs::read_to_string(overlay.join("pipelines/mine.toml")).unwrap(), shaped, "{point}");
    assert_eq!(
        fs::read_to_string(overlay.join(format!("transforms/{shape}.json"))).unwrap(),
        "[]",
        "{point}"
    );
    let status = process.provider_status().await;
    assert_eq!(file(&status["overlay"], "pipelines/mine.toml")["change"], change, "{point}: {status:#}");
    assert_eq!(bytes(process.dir.path()), base, "{point}");
    assert!(cloud.violations().is_empty(), "{point}: {:?}", cloud.violations());
}

/// A kill at any step of a change leaves one verdict, and the files of the change whole or not at all.
#[tokio::test]
async fn configuration_mounted_read_only_killed_at_any_step() {
    for points in [["staged", "recorded", "part-written"], ["written", "committed", "published"]] {
        let [a, b, c] = points.map(killed_at);
        tokio::join!(a, b, c);
    }
    tokio::join!(killed_at("probed"), killed_at("settled"));
}

/// A base that is edited after the kill is newer than the change, which is rejected as superseded.
#[tokio::test]
async fn configuration_mounted_read_only_killed_and_base_edited() {
    for point in ["staged", "committed"] {
        let (cloud, mut process) = read_only(&[("pipelines/mine.toml", echo("mine", "/mine"))]).await;
        process.kill().await;
        process.restart_with_failpoints(&format!("{point}=return")).await;
        let change = cloud.put_document("edge", "pipeline", &echo("mine", "/moved"));
        process.gateway.wait_for_exit().await;
        process.dir.replace("pipelines/mine.toml", &echo("mine", "/edited"));
        process.restart().await;
        let view = cloud.wait_until_settled(&change).await;
        assert_eq!(view.status, Status::Failed, "{point}");
        assert!(view.error_message.unwrap_or_default().starts_with("superseded"), "{point}");
        assert_eq!((process.status_code("/edited").await, process.status_code("/moved").await), (200, 404));
        assert!(files_below(&directory(&process).await).is_empty(), "{point}");
    }
}
