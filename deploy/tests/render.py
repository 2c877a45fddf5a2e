#!/usr/bin/env python3
"""`kubectl kustomize DIRECTORY` for machines without kubectl: as much of it as deploy/ uses, and an error for the rest.

The order of the documents differs from kubectl's; the documents do not, which manifests_test.py checks where kubectl is.
"""

import base64
import pathlib
import sys

import yaml

KNOWN = {
    "apiVersion",
    "kind",
    "resources",
    "components",
    "configMapGenerator",
    "secretGenerator",
    "generatorOptions",
    "patches",
    "images",
    "namespace",
}
# By which member the elements of a list are told apart when a patch is merged in; other lists are replaced.
MERGE_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "volumes": "name",
    "env": "name",
    "ports": "containerPort",
    "volumeMounts": "mountPath",
}


class Unknown(Exception):
    pass


def render(directory):
    documents = []
    accumulate(pathlib.Path(directory), documents)
    return documents


def accumulate(directory, documents):
    """Resources and what is generated, then components, which work on what has come so far, then this directory's patches."""
    file = directory / "kustomization.yaml"
    kustomization = yaml.safe_load(file.read_text())
    if unknown := set(kustomization) - KNOWN:
        raise Unknown(f"{file}: this renderer does not know {', '.join(sorted(unknown))}")
    for resource in kustomization.get("resources", []):
        path = directory / resource
        documents += render(path) if path.is_dir() else [d for d in yaml.safe_load_all(path.read_text()) if d]
    for kind, generators in (("ConfigMap", "configMapGenerator"), ("Secret", "secretGenerator")):
        for generator in kustomization.get(generators, []):
            generate(directory, kind, generator | kustomization.get("generatorOptions", {}), documents)
    for component in kustomization.get("components", []):
        accumulate(directory / component, documents)
    for patch in kustomization.get("patches", []):
        apply_patch(directory, patch, documents)
    for image in kustomization.get("images", []):
        rename_image(image, documents)
    for document in documents:
        if "namespace" in kustomization:
            document["metadata"]["namespace"] = kustomization["namespace"]


# --- generators -------------------------------------------------------------------------------------------------------


def generate(directory, kind, generator, documents):
    options = generator | generator.get("options", {})
    if not options.get("disableNameSuffixHash"):
        raise Unknown(f"{directory}: this renderer makes no name suffixes")
    entries = {name: (directory / name).read_text() for name in generator.get("files", [])}
    entries |= dict(literal.split("=", 1) for literal in generator.get("literals", []))
    if kind == "Secret":
        entries = {k: base64.b64encode(v.encode()).decode() for k, v in entries.items()}
    document = {"apiVersion": "v1", "kind": kind, "metadata": {"name": generator["name"]}, "data": entries}
    if kind == "Secret":
        document["type"] = "Opaque"
    behavior = generator.get("behavior", "create")
    before = [d for d in documents if (d["kind"], d["metadata"]["name"]) == (kind, generator["name"])]
    if len(before) != (0 if behavior == "create" else 1):
        raise Unknown(f"{directory}: {behavior} of {kind} {generator['name']}, of which there are {len(before)}")
    if behavior == "merge":
        before[0]["data"] |= entries
    elif behavior == "replace":
        before[0]["data"] = entries
    else:
        documents.append(document)


def rename_image(image, documents):
    for document in documents:
        pod = document.get("spec", {}).get("template", {}).get("spec", {})
        for container in pod.get("initContainers", []) + pod.get("containers", []):
            name, _, tag = container["image"].partition(":")
            if name == image["name"]:
                tag = image.get("newTag", tag)
                container["image"] = image.get("newName", name) + (f":{tag}" if tag else "")


# --- patches ----------------------------------------------------------------------------------------------------------


def apply_patch(directory, patch, documents):
    text = patch.get("patch") or (directory / patch["path"]).read_text()
    content = yaml.safe_load(text)
    target = patch.get("target") or {"kind": content["kind"], "name": content["metadata"]["name"]}
    for document in [d for d in documents if selected(target, d)]:
        if isinstance(content, list):
            for operation in content:
                apply(operation, document)
        else:
            content = yaml.safe_load(text)
            named = {"name": document["metadata"]["name"]}
            merge(document, content | {"metadata": content["metadata"] | named})


def selected(target, document):
    metadata = document["metadata"]
    return (
        target.get("kind", document["kind"]) == document["kind"]
        and target.get("name", metadata["name"]) == metadata["name"]
        and matches(target.get("annotationSelector", ""), metadata.get("annotations", {}))
        and matches(target.get("labelSelector", ""), metadata.get("labels", {}))
    )


def matches(selector, values):
    for term in filter(None, selector.split(",")):
        name, operator, wanted = term.partition("!=" if "!=" in term else "=")
        if (values.get(name) == wanted) != (operator == "="):
            return False
    return True


def merge(into, patch):
    """A strategic merge: what the patch has and the list has not comes first, as kustomize does it."""
    for name, value in patch.items():
        if value is None:
            into.pop(name, None)
        elif isinstance(value, dict) and isinstance(into.get(name), dict):
            merge(into[name], value)
        elif isinstance(value, list) and name in into and name in MERGE_KEYS and all(isinstance(e, dict) for e in value):
            into[name] = merged_list(into[name], value, MERGE_KEYS[name])
        else:
            into[name] = value


def merged_list(present, patch, key):
    by_key = {each[key]: each for each in present}
    first = []
    for each in patch:
        if each[key] in by_key:
            merge(by_key[each[key]], each)
            first.append(by_key.pop(each[key]))
        else:
            first.append(each)
    return first + list(by_key.values())


def apply(operation, document):
    """One operation of RFC 6902."""
    op, path = operation["op"], operation["path"]
    if op == "move":
        put(document, path, take(document, operation["from"]))
    elif op == "add":
        put(document, path, operation["value"])
    elif op == "remove":
        take(document, path)
    elif op == "replace":
        take(document, path)
        put(document, path, operation["value"])
    else:
        parent, key = locate(document, path)
        present = parent.get(key) if isinstance(parent, dict) else parent[key]
        if op != "test" or present != operation["value"]:
            raise Unknown(f"{document['kind']} {document['metadata']['name']}: {operation} does not hold")


def locate(document, path):
    parts = [p.replace("~1", "/").replace("~0", "~") for p in path.split("/")[1:]]
    for part in parts[:-1]:
        document = document[int(part) if isinstance(document, list) else part]
    last = parts[-1]
    if isinstance(document, list):
        last = len(document) if last == "-" else int(last)
    return document, last


def put(document, path, value):
    parent, key = locate(document, path)
    if isinstance(parent, list):
        parent.insert(key, value)
    else:
        parent[key] = value


def take(document, path):
    parent, key = locate(document, path)
    return parent.pop(key)


if __name__ == "__main__":
    try:
        print(yaml.safe_dump_all(render(sys.argv[1]), sort_keys=False), end="")
    except Unknown as complaint:
        sys.exit(str(complaint))
