#!/usr/bin/env python3
"""What the schemas can't know of a rendered overlay: do its parts agree, and is it as safe as it means to be?

  policy.py RENDERED_MANIFEST
"""

import pathlib
import sys

import yaml


def main(manifest):
    documents = [d for d in yaml.safe_load_all(pathlib.Path(manifest).read_text()) if d]
    complaints = list(lifecycle(documents)) + list(confinement(documents)) + list(network(documents))
    print(*complaints, f"{len(complaints)} complaints", sep="\n")
    sys.exit(bool(complaints))


def of_kind(documents, kind):
    return [d for d in documents if d["kind"] == kind]


def pod_of(documents):
    return of_kind(documents, "Deployment")[0]["spec"]["template"]


def containers_of(documents):
    spec = pod_of(documents)["spec"]
    return {c["name"]: c for c in spec.get("initContainers", []) + spec["containers"]}


def seconds(text):
    return int(text.removesuffix("s"))


def lifecycle(documents):
    config_map = next(d for d in of_kind(documents, "ConfigMap") if d["metadata"]["name"] == "sidecar")
    drain = yaml.safe_load(config_map["data"]["sidecar.yaml"])["drain"]
    drained = seconds(drain["accept_for"]) + seconds(drain["timeout"])
    spec, containers = pod_of(documents)["spec"], containers_of(documents)
    program, stay = containers["dds"]["lifecycle"]["preStop"]["exec"]["command"]
    if program != "sleep" or int(stay) < drained:
        yield f"the API stays for {stay} s, the sidecar drains for up to {drained} s"
    if spec["terminationGracePeriodSeconds"] < int(stay) + 10:
        yield "the grace period leaves the API less than 10 s to end after its preStop"
    for name in ("startupProbe", "livenessProbe", "readinessProbe"):
        if containers["sidecar"][name]["httpGet"]["port"] != 9090:
            yield f"the sidecar's {name} does not ask the admin port"
    native = [c["name"] for c in spec.get("initContainers", []) if c.get("restartPolicy") == "Always"]
    if native and "preStop" not in containers["sidecar"].get("lifecycle", {}):
        yield "a native sidecar hears of the end only when the API has ended: it needs a preStop that starts the drain"


def confinement(documents):
    """The `restricted` profile, and what is better still."""
    pod = pod_of(documents)["spec"]
    if not pod["securityContext"].get("runAsNonRoot"):
        yield "runAsNonRoot is not set"
    if pod["securityContext"].get("seccompProfile") != {"type": "RuntimeDefault"}:
        yield "no seccomp profile"
    if pod.get("automountServiceAccountToken") is not False:
        yield "the pod gets a token for the Kubernetes API"
    for name, container in containers_of(documents).items():
        context, resources = container["securityContext"], container["resources"]
        if context.get("allowPrivilegeEscalation") is not False:
            yield f"{name} may gain privileges"
        if context.get("capabilities") != {"drop": ["ALL"]}:
            yield f"{name} keeps capabilities"
        if "memory" not in resources["limits"] or "cpu" in resources["limits"]:
            yield f"{name}: limits should be of memory, and not of CPU"
        if set(resources["requests"]) != {"cpu", "memory"}:
            yield f"{name} requests no CPU or no memory"
    if not containers_of(documents)["sidecar"]["securityContext"].get("readOnlyRootFilesystem"):
        yield "the sidecar's root is not read-only"


def network(documents):
    labels = pod_of(documents)["metadata"]["labels"]
    if containers_of(documents)["dds"].get("ports"):
        yield "the API's port is declared"
    rules = {p["port"]: rule.get("from") for rule in policy_rules(documents) for p in rule["ports"]}
    if set(rules) != {8080, 9090} or rules[8080] or not rules[9090]:
        yield f"the network policy lets through {rules}"
    for kind in ("NetworkPolicy", "PodDisruptionBudget", "Deployment"):
        for each in of_kind(documents, kind):
            if selector_of(each["spec"]).items() - labels.items():
                yield f"{kind} {each['metadata']['name']} does not select the pod"
    services = of_kind(documents, "Service")
    for service in services:
        if service["spec"]["selector"].items() - labels.items():
            yield f"Service {service['metadata']['name']} does not select the pod"
        for port in service["spec"]["ports"]:
            if port["targetPort"] not in (8080, 9090):
                yield f"Service {service['metadata']['name']} leads to {port['targetPort']}"
    monitor = of_kind(documents, "ServiceMonitor")[0]["spec"]
    watched = [s for s in services if not selector_of(monitor).items() - s["metadata"]["labels"].items()]
    if [p["name"] for s in watched for p in s["spec"]["ports"]] != [e["port"] for e in monitor["endpoints"]]:
        yield "the ServiceMonitor's port is not one of the Services it selects"


def policy_rules(documents):
    return [rule for each in of_kind(documents, "NetworkPolicy") for rule in each["spec"]["ingress"]]


def selector_of(spec):
    return (spec.get("selector") or spec["podSelector"])["matchLabels"]


if __name__ == "__main__":
    main(sys.argv[1])
