"""What the manifests say, before anything runs."""

import concurrent.futures
import os
import re
import shutil

import workshop
from workshop import DEPLOY, Case

OVERLAYS = ["overlays/native", "overlays/plain", "overlays/unix_socket", "overlays/status_process"]
OTHERS = ["base", "journey/stock", "journey/added", "tests/pods/native", "tests/pods/plain"]
OTHERS += ["tests/theirs/native", "tests/theirs/plain", "tests/theirs/own_config"]


def of_kind(documents, kind, name=None):
    found = [d for d in documents if d["kind"] == kind and (not name or d["metadata"]["name"] == name)]
    return found[0] if len(found) == 1 else found


def pod_of(documents, name="dds"):
    return of_kind(documents, "Deployment", name)["spec"]["template"]["spec"]


class Rendering(Case):
    def test_every_overlay_and_example_can_be_rendered(self):
        for each in OVERLAYS + OTHERS:
            with self.subTest(each):
                self.assertTrue(workshop.rendered(each)[0])
        self.figure(f"{len(OVERLAYS + OTHERS)} of them")

    def test_kubectl_kustomize_renders_them_alike(self):
        if not shutil.which("kubectl"):
            self.skipTest("kubectl is not here: rendered by deploy/tests/render.py alone")
        if 'unknown field "components"' in workshop.run("kubectl", "kustomize", DEPLOY / "overlays/plain").stderr:
            self.skipTest("this kubectl knows no components: 1.21 is the first that does")
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            texts = list(pool.map(lambda each: self.succeeds("kubectl", "kustomize", DEPLOY / each), OVERLAYS + OTHERS))
        for each, text in zip(OVERLAYS + OTHERS, texts):
            with self.subTest(each):
                self.assertEqual(in_order(workshop.yaml().safe_load_all(text)), in_order(workshop.rendered(each)[0]))


def in_order(documents):
    return sorted((d for d in documents if d), key=lambda d: (d["kind"], d["metadata"]["name"]))


class Policy(Case):
    def test_each_overlay_is_as_safe_as_it_means_to_be_and_its_parts_agree(self):
        import policy  # pylint: disable=import-outside-toplevel

        for each in OVERLAYS:
            with self.subTest(each):
                self.assertEqual(list(policy.complaints(workshop.rendered(each)[0])), [])

    def test_no_test_patches_a_probe_or_a_hook_away(self):
        for shipped in ("native", "plain"):
            ours, theirs = (pod_of(workshop.rendered(f"{d}/{shipped}")[0]) for d in ("overlays", "tests/pods"))
            for ours_each, theirs_each in zip(containers(ours), containers(theirs)):
                for name in ("startupProbe", "livenessProbe", "readinessProbe", "lifecycle", "securityContext"):
                    self.assertEqual(ours_each.get(name), theirs_each.get(name), f"{shipped}: {name} of {ours_each['name']}")

    def test_the_start_up_probe_asks_what_the_api_has(self):
        asked = pod_of(workshop.rendered("overlays/native")[0])["containers"][0]["startupProbe"]["httpGet"]
        self.assertEqual((asked["path"], asked["port"]), ("/apidocs", 8080))


def containers(pod):
    return pod.get("initContainers", []) + pod["containers"]


class Injection(Case):
    """The Component in an application that is nothing like the example."""

    def setUp(self):
        self.native, self.plain = (workshop.rendered(f"tests/theirs/{kind}")[0] for kind in ("native", "plain"))

    def test_a_native_sidecar_starts_before_the_init_containers_there_were(self):
        pod = pod_of(self.native, "my-dds")
        self.assertEqual([c["name"] for c in pod["initContainers"]], ["sidecar", "migrate"])
        self.assertEqual([c["name"] for c in pod["containers"]], ["api", "log-shipper"])
        self.assertEqual(pod["initContainers"][0]["restartPolicy"], "Always")

    def test_a_plain_one_comes_after_the_api_which_stays_the_first(self):
        pod = pod_of(self.plain, "my-dds")
        self.assertEqual([c["name"] for c in pod["containers"]], ["api", "sidecar", "log-shipper"])
        self.assertEqual([c["name"] for c in pod["initContainers"]], ["migrate"])
        self.assertNotIn("lifecycle", pod["containers"][1])

    def test_what_was_there_stays(self):
        for documents in (self.native, self.plain):
            pod = pod_of(documents, "my-dds")
            api = pod["containers"][0]
            self.assertEqual(api["ports"], [{"name": "web", "containerPort": 3000}])
            self.assertEqual(api["volumeMounts"], [{"name": "scratch", "mountPath": "/tmp"}])
            self.assertIn({"name": "scratch", "emptyDir": {}}, pod["volumes"])
            deployment = of_kind(documents, "Deployment", "my-dds")
            self.assertEqual(deployment["spec"]["selector"], {"matchLabels": {"app": "my-dds"}})
            self.assertEqual(deployment["spec"]["template"]["metadata"]["labels"]["app"], "my-dds")

    def test_the_service_leads_to_the_sidecar(self):
        for documents in (self.native, self.plain):
            self.assertEqual(of_kind(documents, "Service")["spec"]["ports"], [{"name": "http", "port": 80, "targetPort": 8080}])

    def test_the_api_waits_for_the_drain(self):
        for documents in (self.native, self.plain):
            hook = pod_of(documents, "my-dds")["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]
            self.assertEqual(hook, ["sleep", "30"])
            self.assertEqual(pod_of(documents, "my-dds")["terminationGracePeriodSeconds"], 45)

    def test_a_preStop_and_a_grace_period_of_its_own_are_never_overwritten(self):
        import render  # pylint: disable=import-outside-toplevel

        hook = {"preStop": {"exec": {"command": ["own"]}}}
        for own in ("hook", "grace period"):
            for annotations in ({}, {"dds-sidecar/termination": "own"}):
                document = of_kind(render.render(DEPLOY / "tests/theirs/app"), "Deployment", "my-dds")
                document["metadata"]["annotations"] |= annotations
                pod = document["spec"]["template"]["spec"]
                if own == "hook":
                    pod["containers"][0]["lifecycle"] = hook
                else:
                    pod["terminationGracePeriodSeconds"] = 120
                if annotations:
                    render.accumulate(DEPLOY / "component/native", [document])
                else:
                    with self.assertRaises(render.Unknown):
                        render.accumulate(DEPLOY / "component/native", [document])
                self.assertEqual(pod["containers"][0].get("lifecycle"), hook if own == "hook" else None)
                self.assertEqual(pod.get("terminationGracePeriodSeconds"), None if own == "hook" else 120)

    def test_probes_that_would_not_reach_the_api_any_more_are_an_error_and_never_overwritten(self):
        import render  # pylint: disable=import-outside-toplevel

        probe = {"httpGet": {"path": "/own", "port": 8080}}
        for name in ("livenessProbe", "readinessProbe"):
            for annotations in ({}, {"dds-sidecar/probes": "own"}):
                documents = render.render(DEPLOY / "tests/theirs/app")
                deployment = of_kind(documents, "Deployment", "my-dds")
                deployment["metadata"]["annotations"] |= annotations
                api = deployment["spec"]["template"]["spec"]["containers"][0]
                api[name] = probe
                if annotations:
                    render.accumulate(DEPLOY / "component/only_through_sidecar", documents)
                else:
                    with self.assertRaisesRegex(render.Unknown, name):
                        render.accumulate(DEPLOY / "component/only_through_sidecar", documents)
                self.assertEqual((api[name], api.get("startupProbe")), (probe, None))

    def test_a_service_without_the_annotation_stays_as_it_is_until_the_pods_are_rolled_out(self):
        import render  # pylint: disable=import-outside-toplevel

        documents = render.render(DEPLOY / "tests/theirs/app")
        service = of_kind(documents, "Service")
        del service["metadata"]["annotations"]
        render.accumulate(DEPLOY / "component/native", documents)
        self.assertEqual(service["spec"]["ports"][0]["targetPort"], "web")
        self.assertEqual(pod_of(documents, "my-dds")["initContainers"][0]["name"], "sidecar")

    def test_a_configuration_of_ones_own_takes_the_place_of_the_component_s(self):
        documents = workshop.rendered("tests/theirs/own_config")[0]
        config = of_kind(documents, "ConfigMap")["data"]["sidecar.yaml"]
        self.assertEqual(workshop.yaml().safe_load(config)["drain"], {"accept_for": "5s", "timeout": "25s"})
        self.assertEqual(pod_of(documents, "my-dds")["initContainers"][0]["image"], "registry.example/sidecar:1.1.0")

    def test_what_has_no_annotation_is_left_alone(self):
        before = pod_of(workshop.rendered("tests/theirs/app")[0], "my-workers")
        self.assertEqual(pod_of(self.native, "my-workers"), before)
        self.assertEqual(pod_of(self.plain, "my-workers"), before)


class Schemas(Case):
    def test_the_kubernetes_api_takes_every_one_of_them(self):
        home = workshop.node_modules()
        files = [workshop.rendered(each)[1] for each in OVERLAYS + OTHERS]
        said = self.succeeds("node", DEPLOY / "tests/validate.mjs", home, *files)
        self.figure(said.strip().splitlines()[-1])

    def test_a_misspelt_member_would_be_found(self):
        home = workshop.node_modules()
        text = workshop.rendered("overlays/native")[1].read_text()
        misspelt = workshop.WORK / "rendered/misspelt.yaml"
        misspelt.write_text(re.sub("readinessProbe:", "readynessProbe:", text, count=1))
        ran = workshop.run("node", DEPLOY / "tests/validate.mjs", home, misspelt)
        self.assertIn("readynessProbe is no member", ran.stdout)


class Configuration(Case):
    def test_the_configmaps_are_right_in_the_eyes_of_the_sidecar(self):
        sidecar = workshop.program("sidecar")
        for each in ("native", "unix_socket", "status_process"):
            with self.subTest(each):
                self.succeeds(sidecar, "--config", DEPLOY / f"component/{each}/sidecar.yaml", "--check")
        environment = os.environ | {"SIDECAR_SECRET": "not-a-secret"}
        self.succeeds(sidecar, "--config", DEPLOY / "compose/sidecar/sidecar.yaml", "--check", env=environment)
