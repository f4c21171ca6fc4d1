//! Kubernetes: Job manifests, applied by the user's own `kubectl`.

use crate::choice::Resources;
use crate::command::succeed;
use crate::job::{Family, Job};
use crate::yaml;
use serde_json::{Map, Value, json};
use shared::failure::Failure;

const MISSING: &str =
    "apply kubernetes/job-indexed.yaml (Kubernetes 1.21 and later) or kubernetes/job.yaml by your own means";
/// Pods that may fail before a job does, a worker.
const FAILURES: u64 = 6;

/// Refuses what no pod could work on.
pub(crate) fn check(job: &Job, resources: &Resources) -> Result<(), Failure> {
    if resources.image.is_none() {
        return Err(Failure::usage("Kubernetes needs an image with this program").help("name one by --image"));
    }
    if resources.volume_claim.is_none() && job.published.is_none() {
        let Family { noun, help_pods, .. } = job.family;
        return Err(Failure::usage(format!("pods cannot reach the {noun} folder"))
            .help(format!("name a claim of the volume that holds it by --volume-claim, or {help_pods}")));
    }
    Ok(())
}

/// A manifest. `indexed` takes Kubernetes 1.21; the other kind is a plain work queue.
pub(crate) fn manifest(job: &Job, resources: &Resources, indexed: bool) -> String {
    let Family { noun, units, .. } = job.family;
    let workers = job.workers;
    let labels =
        json!({ "app.kubernetes.io/name": format!("layerjoule-{noun}"), format!("layerjoule/{noun}"): job.label });
    let mut metadata = json!({ "name": job.label, "labels": labels });
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
    spec.insert("template".into(), json!({ "metadata": { "labels": labels }, "spec": pod(job, resources) }));
    let document = json!({ "apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec });
    let what =
        if indexed { "An Indexed Job, for Kubernetes 1.21 and later" } else { "A work-queue Job, for any Kubernetes" };
    format!("# {what}: each pod is a worker that takes {units} until none is left.\n{}", yaml::document(&document))
}

fn pod(job: &Job, resources: &Resources) -> Value {
    let folder = job.family.folder;
    let place = match &resources.volume_claim {
        Some(_) => format!("/{folder}/{}", job.name),
        None => job.published.clone().unwrap_or_default(),
    };
    let mut arguments: Vec<String> = job.family.work.map(str::to_owned).to_vec();
    arguments.push(place);
    arguments.extend(job.grace(resources));
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
        members.insert("volumeMounts".into(), json!([{ "name": folder, "mountPath": format!("/{folder}") }]));
        let volume = json!({ "name": folder, "persistentVolumeClaim": { "claimName": claim } });
        pod.insert("volumes".into(), json!([volume]));
    }
    pod.insert("containers".into(), json!([container]));
    Value::Object(pod)
}

/// Applies the manifest of a folder.
pub(crate) fn apply(job: &Job) -> Result<(), Failure> {
    let file = job.root.join("kubernetes/job-indexed.yaml").display().to_string();
    succeed("kubectl", &["apply".to_owned(), "--filename".to_owned(), file], MISSING).map(drop)
}

/// Removes the job of a folder.
pub(crate) fn delete(job: &Job) -> Result<(), Failure> {
    let file = job.root.join("kubernetes/job-indexed.yaml").display().to_string();
    let arguments = ["delete", "--ignore-not-found", "--filename", &file].map(str::to_owned);
    succeed("kubectl", &arguments, MISSING).map(drop)
}
