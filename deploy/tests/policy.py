"""What the schemas can't know of a rendered overlay: do its parts agree, and is it as safe as it means to be?"""

import yaml


def complaints(documents):
    yield from lifecycle(documents)
    yield from confinement(documents)
    yield from network(documents)


def of_kind(documents, kind):
    return [d for d in documents if d["kind"] == kind]


def pod_of(documents):
    return of_kind(documents, "Deployment")[0]["spec"]["template"]


def containers_of(documents):
    spec = pod_of(documents)["spec"]
    return {c["name"]: c for c in spec.get("initContainers", []) + spec["containers"]}


def api_of(documents):
    return pod_of(documents)["spec"]["containers"][0]


def config_of(documents):
    config_map = next(d for d in of_kind(documents, "ConfigMap") if d["metadata"]["name"] == "sidecar")
    return yaml.safe_load(config_map["data"]["sidecar.yaml"])


def seconds(text):
    return int(text.removesuffix("s"))


def lifecycle(documents):
    drain = config_of(documents)["drain"]
    drained = seconds(drain["accept_for"]) + seconds(drain["timeout"])
    spec, containers = pod_of(documents)["spec"], containers_of(documents)
    for each in spec["containers"]:
        if each["name"] == "sidecar":
            continue
        program, stay = each["lifecycle"]["preStop"]["exec"]["command"]
        if program != "sleep" or int(stay) < drained:
            yield f"{each['name']} stays for {stay} s, the sidecar drains for up to {drained} s"
        if spec["terminationGracePeriodSeconds"] < int(stay) + 10:
            yield f"the grace period leaves {each['name']} less than 10 s to end after its preStop"
    for name in ("startupProbe", "livenessProbe", "readinessProbe"):
        if containers["sidecar"][name]["httpGet"]["port"] != 9090:
            yield f"the sidecar's {name} does not ask the admin port"
    native = [c["name"] for c in spec.get("initContainers", []) if c.get("restartPolicy") == "Always"]
    if native and "preStop" not in containers["sidecar"].get("lifecycle", {}):
        yield "a native sidecar hears of the end only when the API has ended: it needs a preStop that starts the drain"
    if config_of(documents)["upstream"]["max_idle_connections"] >= 10:
        yield "as many kept connections as Puma has threads: each can keep one waiting"


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
    # It stands by itself in pods that set less.
    context = containers_of(documents)["sidecar"]["securityContext"]
    if not context.get("readOnlyRootFilesystem") or not context.get("runAsNonRoot") or "seccompProfile" not in context:
        yield "the sidecar's own security context leaves something to the pod's"


def network(documents):
    labels = pod_of(documents)["metadata"]["labels"]
    if api_of(documents).get("ports"):
        yield "the API's port is declared"
    rules = {p["port"]: rule.get("from") for rule in policy_rules(documents) for p in rule["ports"]}
    if set(rules) != {8080, 9090} or rules[8080] or not rules[9090]:
        yield f"the network policy lets through {rules}"
    for kind in ("NetworkPolicy", "PodDisruptionBudget", "Deployment", "PodMonitor"):
        for each in of_kind(documents, kind):
            if selector_of(each["spec"]).items() - labels.items():
                yield f"{kind} {each['metadata']['name']} does not select the pod"
    for service in of_kind(documents, "Service"):
        if service["spec"]["selector"].items() - labels.items():
            yield f"Service {service['metadata']['name']} does not select the pod"
        for port in service["spec"]["ports"]:
            if port["targetPort"] != 8080:
                yield f"Service {service['metadata']['name']} leads to {port['targetPort']}"
    named = {p["name"]: p["containerPort"] for p in containers_of(documents)["sidecar"]["ports"]}
    for monitor in of_kind(documents, "PodMonitor"):
        if [named.get(e["port"]) for e in monitor["spec"]["podMetricsEndpoints"]] != [9090]:
            yield "the PodMonitor's port is not the sidecar's admin port"
    spread = pod_of(documents)["spec"]["topologySpreadConstraints"]
    if any(each["labelSelector"]["matchLabels"].items() - labels.items() for each in spread):
        yield "the pods are spread by labels that they do not have"


def policy_rules(documents):
    return [rule for each in of_kind(documents, "NetworkPolicy") for rule in each["spec"]["ingress"]]


def selector_of(spec):
    return (spec.get("selector") or spec["podSelector"])["matchLabels"]
