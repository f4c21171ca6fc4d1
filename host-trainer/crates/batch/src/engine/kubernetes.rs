//! Kubernetes: Job manifests, applied by the user's own `kubectl`.

use super::choice::Resources;
use super::command::succeed;
use super::yaml;
use crate::folder::{Batch, Keeper};
use serde_json::{Map, Value, json};
use shared::failure::Failure;

const MISSING: &str =
    "apply kubernetes/job-indexed.yaml (Kubernetes 1.21 and later) or kubernetes/job.yaml by your own means";
/// Where a volume claim is mounted.
const MOUNT: &str = "/batches";
/// Pods that may fail before a job does, a worker.
const FAILURES: u64 = 6;

/// Refuses what no pod could work on.
pub(super) fn check(batch: &Batch, resources: &Resources) -> Result<(), Failure> {
    if resources.image.is_none() {
        return Err(Failure::usage("Kubernetes needs an image with this program").help("name one by --image"));
    }
    let shared = matches!(batch.header.queue, Keeper::Postgres(_) | Keeper::Store(_));
    let published = batch.header.artefacts.contains("://");
    if resources.volume_claim.is_none() && !(shared && published) {
        return Err(Failure::usage("pods cannot reach the batch folder").help(
            "name a claim of the volume that holds it by --volume-claim, or keep tasks and artefacts elsewhere: --queue and --artefacts",
        ));
    }
    Ok(())
}

/// A manifest. `indexed` takes Kubernetes 1.21; the other kind is a plain work queue.
pub(super) fn manifest(batch: &Batch, resources: &Resources, workers: u64, indexed: bool, only: &[String]) -> String {
    let labels = json!({ "app.kubernetes.io/name": "layerjoule-batch", "layerjoule/batch": batch.name_for_engines() });
    let mut metadata = json!({ "name": batch.name_for_engines(), "labels": labels });
    if let (Some(namespace), Some(members)) = (&resources.namespace, metadata.as_object_mut()) {
        members.insert("namespace".to_owned(), namespace.as_str().into());
    }
    let mut spec = Map::new();
    let at_once = resources.throttle.unwrap_or(workers).min(workers);
    spec.insert("parallelism".into(), at_once.into());
    if indexed {
        spec.insert("completions".into(), workers.into());
        spec.insert("completionMode".into(), "Indexed".into());
    }
    spec.insert("backoffLimit".into(), (FAILURES * workers).into());
    spec.insert("template".into(), json!({ "metadata": { "labels": labels }, "spec": pod(batch, resources, only) }));
    let job = json!({ "apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec });
    let what =
        if indexed { "An Indexed Job, for Kubernetes 1.21 and later" } else { "A work-queue Job, for any Kubernetes" };
    format!("# {what}: each pod is a worker that takes tasks until none is left.\n{}", yaml::document(&job))
}

fn pod(batch: &Batch, resources: &Resources, only: &[String]) -> Value {
    let place = match &resources.volume_claim {
        Some(_) => format!("{MOUNT}/{}", batch.header.name),
        None => batch.published(),
    };
    let mut arguments = vec!["batch".to_owned(), "work".to_owned(), place];
    arguments.extend(["--grace".to_owned(), resources.grace_s.saturating_sub(10).max(1).to_string()]);
    arguments.extend(only.iter().flat_map(|label| ["--only".to_owned(), label.clone()]));
    let mut env = vec![json!({
        "name": "LAYERJOULE_POD", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } }
    })];
    env.extend(resources.secrets.iter().map(|secret| {
        json!({ "name": secret.key, "valueFrom": { "secretKeyRef": { "name": secret.name, "key": secret.key } } })
    }));
    let mut amounts = Map::new();
    amounts.insert("cpu".into(), resources.cpus.to_string().into());
    if let Some(mib) = resources.memory_mib {
        amounts.insert("memory".into(), format!("{mib}Mi").into());
    }
    let mut limits = amounts.clone();
    if resources.gpus > 0 {
        limits.insert("nvidia.com/gpu".into(), resources.gpus.into());
    }
    let mut container = json!({
        "name": "worker",
        "image": resources.image,
        "command": ["host-trainer"],
        "args": arguments,
        "env": env,
        "resources": { "requests": amounts, "limits": limits },
        "securityContext": { "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } },
    });
    let mut pod = Map::new();
    pod.insert("restartPolicy".into(), "Never".into());
    pod.insert("terminationGracePeriodSeconds".into(), resources.grace_s.into());
    pod.insert("automountServiceAccountToken".into(), false.into());
    if resources.gpus > 0 {
        let toleration = json!({ "key": "gpu", "operator": "Equal", "value": "true", "effect": "NoSchedule" });
        pod.insert("tolerations".into(), json!([toleration]));
    }
    let expressions: Vec<Value> = resources
        .nodes
        .iter()
        .map(|node| {
            let (key, values) = node.split_once('=').unwrap_or((node, ""));
            json!({ "key": key, "operator": "In", "values": values.split('|').collect::<Vec<_>>() })
        })
        .collect();
    if !expressions.is_empty() {
        let terms = json!({ "nodeSelectorTerms": [{ "matchExpressions": expressions }] });
        let required = json!({ "requiredDuringSchedulingIgnoredDuringExecution": terms });
        pod.insert("affinity".into(), json!({ "nodeAffinity": required }));
    }
    if let (Some(claim), Some(members)) = (&resources.volume_claim, container.as_object_mut()) {
        members.insert("volumeMounts".into(), json!([{ "name": "batches", "mountPath": MOUNT }]));
        let volume = json!({ "name": "batches", "persistentVolumeClaim": { "claimName": claim } });
        pod.insert("volumes".into(), json!([volume]));
    }
    pod.insert("containers".into(), json!([container]));
    Value::Object(pod)
}

/// Applies a manifest of a batch.
pub(super) fn apply(batch: &Batch) -> Result<(), Failure> {
    let file = batch.root.join("kubernetes/job-indexed.yaml").display().to_string();
    succeed("kubectl", &["apply".to_owned(), "--filename".to_owned(), file], MISSING).map(drop)
}

/// Removes the job of a batch.
pub(super) fn delete(batch: &Batch) -> Result<(), Failure> {
    let file = batch.root.join("kubernetes/job-indexed.yaml").display().to_string();
    let arguments = ["delete", "--ignore-not-found", "--filename", &file].map(str::to_owned);
    succeed("kubectl", &arguments, MISSING).map(drop)
}
