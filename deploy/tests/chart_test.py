"""The Helm chart: it says the same as the Component. There is no Helm in Debian: chart_render.go does what Helm does with
it, by the same template engine and functions. Not tried: `helm lint`, `package` and an installation."""

import copy
import functools
import json
import os

import workshop
from manifests_test import of_kind, pod_of
from workshop import DEPLOY, TESTS, WORK, Case

CHART = DEPLOY / "chart"
ALL = {each: {"enabled": True} for each in ("api", "monitoring", "networkPolicy")}


@functools.cache
def renderer():
    workshop.yaml()
    go = workshop.tool("go", "golang-go")
    workshop.install("golang-github-masterminds-sprig-dev", "golang-gopkg-yaml.v3-dev")
    program = WORK / "chart_render"
    source = TESTS / "chart_render.go"
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        WORK.mkdir(parents=True, exist_ok=True)
        settings = os.environ | {"GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOCACHE": str(WORK / "go"), "GOFLAGS": ""}
        ran = workshop.run(go, "build", "-o", program, source, env=settings)
        if ran.returncode != 0:
            raise AssertionError(ran.stderr)
    return program


class Chart(Case):
    def documents(self, values, chart=CHART):
        given = WORK / "values.json"
        program = renderer()
        given.write_text(json.dumps(values))
        return [d for d in workshop.yaml().safe_load_all(self.succeeds(program, chart, given)) if d]

    def test_a_pod_of_the_chart_is_a_pod_of_the_component(self):
        for kind in ("native", "plain"):
            with self.subTest(kind):
                chart = self.documents({"kind": kind, "api": {"enabled": True}})
                overlay = workshop.rendered(f"overlays/{kind}")[0]
                self.assertEqual(comparable(pod_of(chart)), comparable(pod_of(overlay)))
                labels, annotations = (
                    [of_kind(d, "Deployment", "dds")["spec"]["template"]["metadata"][m] for d in (chart, overlay)]
                    for m in ("labels", "annotations")
                )
                self.assertEqual(*labels)
                self.assertEqual(*annotations)

    def test_what_stands_beside_the_pod_is_the_same_too(self):
        chart = self.documents(ALL)
        overlay = workshop.rendered("overlays/native")[0]
        for kind in ("NetworkPolicy", "PodMonitor", "PrometheusRule", "PodDisruptionBudget", "Service"):
            with self.subTest(kind):
                self.assertEqual(of_kind(chart, kind)["spec"], of_kind(overlay, kind)["spec"])

    def test_the_configuration_is_the_same(self):
        load = workshop.yaml().safe_load
        values = load((CHART / "values.yaml").read_text())
        self.assertEqual(values["config"], load((DEPLOY / "component/native/sidecar.yaml").read_text()))
        config_map = of_kind(self.documents({}), "ConfigMap")
        self.assertEqual(load(config_map["data"]["sidecar.yaml"]), values["config"])

    def test_hooks_follow_a_longer_drain(self):
        pod = pod_of(self.documents({"api": {"enabled": True}, "config": {"drain": {"timeout": "85s"}}}))
        self.assertEqual(pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"], ["sleep", "90"])
        self.assertEqual(pod["terminationGracePeriodSeconds"], 105)

    def test_a_chart_of_ones_own_has_it_by_named_templates(self):
        documents = self.documents({"dds-sidecar": {"image": {"tag": "1.2.3"}}}, TESTS / "theirs/chart")
        pod = pod_of(documents, "my-dds")
        self.assertEqual(pod["initContainers"][0]["image"], "sidecar:1.2.3")
        self.assertEqual([c["name"] for c in pod["containers"]], ["api"])
        self.assertIn({"name": "sidecar-secret", "secret": {"secretName": "my-secret"}}, pod["volumes"])
        self.assertEqual(of_kind(documents, "ConfigMap")["metadata"]["name"], "test-sidecar")
        self.assertEqual({d["kind"] for d in documents}, {"Deployment", "ConfigMap"}, "and what closes ports is asked for")

    def test_the_kubernetes_api_takes_what_it_renders(self):
        home = workshop.node_modules()
        documents = self.documents(ALL)
        file = WORK / "rendered/chart.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(workshop.yaml().safe_dump_all(documents))
        said = self.succeeds("node", TESTS / "validate.mjs", home, file)
        self.figure(said.strip().splitlines()[-1])


def comparable(pod):
    """Without what only the name of a Helm release makes different, and the order of volumes, which means nothing."""
    pod = copy.deepcopy(pod)
    for container in pod.get("initContainers", []) + pod["containers"]:
        container.pop("imagePullPolicy", None)
    for volume in pod["volumes"]:
        volume.get("configMap", {}).pop("name", None)
    pod["volumes"].sort(key=lambda v: v["name"])
    if not pod.get("initContainers"):
        pod.pop("initContainers", None)
    return pod


class Values(Case):
    def setUp(self):
        try:
            import jsonschema  # pylint: disable=import-outside-toplevel
        except ImportError:
            self.skipTest("python3-jsonschema is not here: values.schema.json is not applied")
        self.load = workshop.yaml().safe_load
        schema = json.loads((CHART / "values.schema.json").read_text())
        jsonschema.Draft7Validator.check_schema(schema)
        self.validator = jsonschema.Draft7Validator(schema)
        self.values = self.load((CHART / "values.yaml").read_text())

    def test_the_shipped_values_are_right_by_their_schema(self):
        self.assertEqual([e.message for e in self.validator.iter_errors(self.values)], [])

    def test_wrong_ones_are_not(self):
        for wrong in ("knid: plain", "kind: naitve", "image: sidecar", "resources: {limits: {memory: lots}}", "secretName: ''", "config: {drain: {accept_for: 5s, timeout: 1m}}"):
            with self.subTest(wrong):
                self.assertTrue(list(self.validator.iter_errors(self.values | self.load(wrong))))

    def test_every_value_is_used_in_a_template(self):
        templates = "".join(f.read_text() for f in (CHART / "templates").iterdir())
        unused = [name for name in paths(self.values) if f".Values.{name}" not in templates]
        self.assertEqual(unused, [])


def paths(values, below=""):
    for name, value in values.items():
        path = below + name
        if isinstance(value, dict) and path not in ("config", "resources", "api.resources", "monitoring.labels"):
            yield from paths(value, path + ".")
        else:
            yield path
