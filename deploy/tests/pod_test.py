"""The life of a pod as its manifest describes it: start, probes, traffic, Prometheus, a changed ConfigMap, deletion under
load. podman knows no native sidecars, probes or hooks, so kubelet.py does what a kubelet does."""

import json
import re
import signal
import subprocess
import sys
import time

import images
import workshop
from kubelet import POD_ADDRESS, Failed, Pod
from workshop import TESTS, WORK, Case

SERVED = f"http://{POD_ADDRESS}:8080/api/v1"
ADMIN = f"http://{POD_ADDRESS}:9090"
PROMETHEUS = "http://127.0.0.1:19099"
READY = "2f4d1c53-6f0e-4b6a-9a3f-5c1b7e80d2a1"
NEVER_READY = "ca29f7df-33ca-46dd-a015-92c46fdb6fd1"
TOKEN = ("-H", "Authorization: demo-token")
PROPAGATION = 2  # seconds until no new connections come to a pod that is being deleted


class Load:
    """Clients in the pod's network."""

    def __init__(self, pod, habits):
        command = pod.inside(sys.executable, "-B", str(TESTS / "clients.py"), f"{POD_ADDRESS}:8080", habits)
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def end(self, case, what, how):
        """How: SIGINT, or SIGTERM as when the pod is deleted; see clients.py."""
        self.process.send_signal(how)
        output, _ = self.process.communicate(timeout=60)
        count = json.loads(output)
        by_habit = ", ".join(f"{many} {habit}" for habit, many in sorted(count["habits"].items()))
        case.assertEqual((count["answered"], count["lost"][:10]), (count["sent"], []), what)
        case.assertGreater(count["sent"], 0)
        case.figure(f"{what}: {count['sent']} requests ({by_habit}), 0 lost")


class Life(Case):
    def test_a_pod_with_a_native_sidecar_from_its_start_to_its_end(self):
        self.live("native")

    def test_a_pod_with_a_plain_sidecar_from_its_start_to_its_end(self):
        self.live("plain")

    def live(self, kind):
        images.images()
        pod = Pod(workshop.rendered(f"tests/pods/{kind}")[0], WORK / "volumes")
        pod.remove()
        pod.ending.clear()
        try:
            self.starts(pod)
            self.serves(pod)
            if kind == "plain":
                self.is_scraped(pod)
            self.reloads(pod)
            self.ends(pod)
        except Failed as error:
            self.fail(str(error))
        finally:
            pod.remove()

    def starts(self, pod):
        pod.start()
        pod.await_ready(15)
        self.figure(f"ready {pod.when('ready'):.1f} s after it was made")
        if pod.sidecars():
            self.assertLess(pod.when("started", "sidecar"), pod.when("run", "dds"), "the sidecar had started before the API ran")
        self.assertEqual(pod.get(f"http://{POD_ADDRESS}:3000/")[0], 0, "the API's own port is out of reach")

    def serves(self, pod):
        self.eventually(lambda: metric(pod, "sidecar_readiness_fresh") == 1, what="readiness is known")
        status, _, body = pod.get(f"{SERVED}/projects/{READY}?info", *TOKEN)
        consistency = json.loads(body).get("info", {}).get("resource_consistency") if status == 200 else None
        self.assertEqual(consistency, {"is_upload_ready": True, "is_download_ready": True}, body)
        status, _, body = pod.get(f"{SERVED}/projects/{NEVER_READY}/uploads", *TOKEN, "-X", "POST", "-d", "{}")
        self.assertEqual((status, json.loads(body).get("code")), (404, "resource_not_consistent"), body)
        status, _, body = pod.get(f"http://{POD_ADDRESS}:8080/internal/consistency")
        self.assertEqual(status, 404, "the status endpoint is not for clients")
        self.assertEqual([pod.get(f"{ADMIN}/{p}")[0] for p in ("readyz", "livez")], [200, 200])

    def is_scraped(self, pod):
        """By a Prometheus beside it, which has the alerts; and every query of the dashboard has an answer."""
        prometheus = workshop.tool("prometheus", "prometheus")
        exposed = WORK / "metrics.txt"
        exposed.write_text(pod.get(f"{ADMIN}/metrics")[2])
        self.succeeds(workshop.tool("promtool", "prometheus"), "check", "metrics", stdin=exposed.open())
        self.succeeds(sys.executable, "-B", TESTS / "queries.py", "--metrics", exposed)
        data = WORK / "prometheus"
        workshop.run("rm", "-rf", data)
        command = [prometheus, f"--config.file={TESTS}/prometheus.yaml", f"--storage.tsdb.path={data}"]
        with (WORK / "prometheus.log").open("w") as log:
            command.append(f"--web.listen-address={PROMETHEUS.removeprefix('http://')}")
            process = subprocess.Popen(pod.inside(*command), stdout=log, stderr=log)
        try:
            for query in ('up{job="dds"} == 1', 'sidecar_ready{job="dds"} == 1'):
                self.eventually(lambda: '"value":' in asked(pod, query), 30, query)  # pylint: disable=cell-var-from-loop
            self.assertIn("SidecarReadinessStale", pod.get(f"{PROMETHEUS}/api/v1/rules")[2])
            ask = pod.inside(sys.executable, "-B", str(TESTS / "queries.py"), "--prometheus", PROMETHEUS)
            self.eventually(lambda: workshop.run(*ask).returncode == 0, 30, "every query has an answer")
        finally:
            process.terminate()
            process.wait()

    def reloads(self, pod):
        config = pod.config_maps["sidecar"]["sidecar.yaml"]
        load = Load(pod, "busy=4,fresh=2,idle=4")

        def retry_after():
            head = pod.get(f"{SERVED}/projects/{NEVER_READY}/uploads", *TOKEN, "-X", "POST", "-d", "{}")[1]
            found = re.search(r"(?im)^retry-after: (\d+)", head)
            return found and int(found[1])

        def last_reload_successful():
            return metric(pod, "sidecar_config_last_reload_successful") == 1

        def swap(line):
            pod.write_config("sidecar-config", {"sidecar.yaml": f"{config}\n{line}\n"})

        swap("own_answers: {retry_after: 7s}")
        self.eventually(lambda: retry_after() == 7, what="a changed ConfigMap is taken")
        swap("own_answers: {retry_aftr: 9s}")
        self.eventually(lambda: not last_reload_successful(), what="a bad one is not, and a metric says so")
        self.assertEqual(retry_after(), 7)
        self.assertRegex(pod.log("sidecar"), r"sidecar.yaml:\d+:\d+:.*retry_aftr")
        swap("own_answers: {retry_after: 11s}")
        self.eventually(lambda: retry_after() == 11 and last_reload_successful(), what="the third swap is seen, too")
        load.end(self, "reloads under load", signal.SIGINT)

    def ends(self, pod):
        load = Load(pod, "busy=6,fresh=3,idle=16,upload=4")
        time.sleep(3)  # of load, before anything happens
        deletion = pod.in_thread(pod.delete)
        time.sleep(PROPAGATION)
        load.end(self, "deletion under load", signal.SIGTERM)
        deletion.join()
        took = {c["name"]: pod.when("ended", c["name"]) - pod.when("deleted") for c in pod.all()}
        self.assertEqual(pod.exit_codes["sidecar"], 0, pod.exit_codes)
        self.assertNotIn(137, pod.exit_codes.values(), "no container is killed")
        self.assertLess(max(took.values()), pod.spec["terminationGracePeriodSeconds"])
        self.figure("ended: " + ", ".join(f"{name} after {seconds:.1f} s" for name, seconds in took.items()))
        self.assertIn('"msg":"draining"', pod.log("sidecar").replace(" ", ""))
        self.assertIsNone(pod.when("is not alive", "sidecar"), pod.events)


def metric(pod, name):
    return float(re.search(rf"(?m)^{name} (\S+)$", pod.get(f"{ADMIN}/metrics")[2])[1])


def asked(pod, query):
    return pod.get(f"{PROMETHEUS}/api/v1/query", "-G", "--data-urlencode", f"query={query}")[2]


class Negative(Case):
    """The player of pods finds what a kubelet would."""

    def test_a_pod_whose_start_up_probe_asks_a_path_that_is_not_there_does_not_start(self):
        images.images()
        documents = workshop.rendered("tests/pods/plain")[0]
        pod = Pod(documents, WORK / "volumes")
        probe = pod.spec["containers"][0]["startupProbe"]
        probe["httpGet"]["path"] = "/app/status"
        probe["failureThreshold"] = 3
        pod.remove()
        pod.ending.clear()
        try:
            with self.assertRaisesRegex(Failed, "startup probe failed"):
                pod.start()
        finally:
            pod.remove()
