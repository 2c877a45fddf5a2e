#!/usr/bin/env python3
"""The life of a pod as its manifest describes it: start, probes, traffic, a changed ConfigMap, deletion under load.

  pod_test.py RENDERED_MANIFEST DIRECTORY
"""

import json
import pathlib
import re
import signal
import subprocess
import sys
import time

import yaml
from kubelet import POD_ADDRESS, Failed, Pod

HERE = pathlib.Path(__file__).resolve().parent
SERVED = f"http://{POD_ADDRESS}:8080/api/v1"
ADMIN = f"http://{POD_ADDRESS}:9090"
READY = "2f4d1c53-6f0e-4b6a-9a3f-5c1b7e80d2a1"
NEVER_READY = "ca29f7df-33ca-46dd-a015-92c46fdb6fd1"
TOKEN = ("-H", "Authorization: demo-token")
PROPAGATION = 2  # seconds until no new connections come to a pod that is being deleted

failed = 0


def check(what, holds, detail=""):
    global failed
    failed += not holds
    print(f"{'ok' if holds else 'not ok'} - {what}" + (f"\n     {detail}" if detail and not holds else ""), flush=True)


def eventually(condition, seconds=15):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def metric(pod, name):
    return float(re.search(rf"(?m)^{name} (\S+)$", pod.get(f"{ADMIN}/metrics")[2])[1])


class Load:
    """Clients in the pod's network."""

    def __init__(self, pod, habits):
        command = pod.inside(sys.executable, str(HERE / "clients.py"), f"{POD_ADDRESS}:8080", habits)
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def end(self, what, how):
        """How: SIGINT, or SIGTERM as when the pod is deleted; see clients.py."""
        self.process.send_signal(how)
        output, _ = self.process.communicate(timeout=60)
        count = json.loads(output)
        by_habit = ", ".join(f"{many} {habit}" for habit, many in sorted(count["habits"].items()))
        sums = f"{count['sent']} requests sent, {count['answered']} answered ({by_habit}), {len(count['lost'])} lost"
        check(f"{what}: {sums}", count["answered"] == count["sent"] > 0, "\n     ".join(count["lost"][:10]))


def starts(pod):
    pod.start()
    pod.await_ready(15)
    check(f"the pod is ready {pod.when('ready'):.1f} s after it was made, under the restricted profile's settings", True)
    if pod.spec.get("initContainers"):
        check("the native sidecar had started before the API was run", pod.when("started", "sidecar") < pod.when("run", "dds"))
    check("the API's own port is out of reach", pod.get(f"http://{POD_ADDRESS}:3000/")[0] == 0)


def serves(pod):
    check("readiness is known", eventually(lambda: metric(pod, "sidecar_readiness_fresh") == 1))
    status, _, body = pod.get(f"{SERVED}/projects/{READY}?info", *TOKEN)
    consistency = json.loads(body).get("info", {}).get("resource_consistency") if status == 200 else None
    check("a project's info is added", consistency == {"is_upload_ready": True, "is_download_ready": True}, body)
    status, _, body = pod.get(f"{SERVED}/projects/{NEVER_READY}/uploads", *TOKEN, "-X", "POST", "-d", "{}")
    check("the gate is closed", (status, json.loads(body).get("code")) == (404, "resource_not_consistent"), body)
    check("/readyz and /livez say 200", [pod.get(f"{ADMIN}/{p}")[0] for p in ("readyz", "livez")] == [200, 200])


def reloads(pod):
    config = pod.config_maps["sidecar"]["sidecar.yaml"]
    load = Load(pod, "busy=4,fresh=2,idle=4")

    def retry_after():
        head = pod.get(f"{SERVED}/projects/{NEVER_READY}/uploads", *TOKEN, "-X", "POST", "-d", "{}")[1]
        found = re.search(r"(?im)^retry-after: (\d+)", head)
        return found and int(found[1])

    def last_reload_successful():
        return metric(pod, "sidecar_config_last_reload_successful") == 1

    pod.write_config("config", {"sidecar.yaml": config + "\nown_answers: {retry_after: 7s}\n"})
    check("a changed ConfigMap is taken", eventually(lambda: retry_after() == 7))
    pod.write_config("config", {"sidecar.yaml": config + "\nown_answers: {retry_aftr: 9s}\n"})
    check("a bad one is not, and a metric says so", eventually(lambda: not last_reload_successful()) and retry_after() == 7)
    check("the log says where the mistake is", re.search(r"sidecar.yaml:\d+:\d+:.*retry_aftr", pod.log("sidecar")))
    pod.write_config("config", {"sidecar.yaml": config + "\nown_answers: {retry_after: 11s}\n"})
    check("the third swap is seen, too", eventually(lambda: retry_after() == 11) and last_reload_successful())
    load.end("reloads under load", signal.SIGINT)


def ends(pod):
    load = Load(pod, "busy=6,fresh=3,idle=16,upload=4")
    time.sleep(3)
    deletion = pod.in_thread(pod.delete)
    time.sleep(PROPAGATION)
    load.end("deletion under load", signal.SIGTERM)
    deletion.join()
    took = {c["name"]: pod.when("ended", c["name"]) - pod.when("deleted") for c in pod.all()}
    check("the sidecar ends with exit code 0", pod.exit_codes["sidecar"] == 0, pod.exit_codes)
    check("no container is killed", 137 not in pod.exit_codes.values(), pod.exit_codes)
    grace = pod.spec["terminationGracePeriodSeconds"]
    said = ", ".join(f"{name} after {seconds:.1f} s" for name, seconds in took.items())
    check(f"all have ended within the grace period of {grace} s: {said}", max(took.values()) < grace)
    check("the log tells of the drain", '"msg":"draining"' in pod.log("sidecar").replace(" ", ""), pod.log("sidecar")[-2000:])
    check("the sidecar was alive all the time", pod.when("is not alive", "sidecar") is None, pod.events)


def main(manifest, directory):
    pod = Pod([d for d in yaml.safe_load_all(pathlib.Path(manifest).read_text()) if d], directory)
    pod.remove()
    pod.ending.clear()
    try:
        for stage in (starts, serves, reloads, ends):
            stage(pod)
    except Failed as error:
        check(f"{manifest}: {error}", False)
    finally:
        pod.remove()
    sys.exit(bool(failed))


if __name__ == "__main__":
    main(*sys.argv[1:])
