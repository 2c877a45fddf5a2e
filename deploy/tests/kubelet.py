"""As much of a kubelet as a pod's life needs, over podman, which lacks it: native sidecars, probes from outside
127.0.0.1, ConfigMap volumes that are swapped, preStop hooks, and the order in which containers end.

The pod has a network of its own with nothing but loopback in it. Needs root.
"""

import base64
import json
import pathlib
import shutil
import subprocess
import threading
import time

POD_ADDRESS = "127.0.0.2"  # of the pod's loopback: who listens on 127.0.0.1 alone is not reached there, as in a cluster


class Failed(Exception):
    pass


def podman(*arguments, check=True):
    ran = subprocess.run(["podman", *arguments], capture_output=True, text=True, check=False)
    if check and ran.returncode != 0:
        raise Failed(f"podman {' '.join(arguments)}: {ran.stderr.strip()}")
    return ran.stdout.strip()


def write_files(directory, files):
    """Files are links through ..data, and a change is a rename of that one link."""
    data, replacement = directory / "..data", directory / "..data_tmp"
    old = directory / data.readlink() if data.is_symlink() else None
    stamped = directory / f"..{time.time_ns()}"
    stamped.mkdir(0o755)
    for name, text in files.items():
        (stamped / name).write_text(text)
        if not (directory / name).is_symlink():
            (directory / name).symlink_to(f"..data/{name}")
    replacement.symlink_to(stamped.name)
    replacement.rename(data)
    if old:
        shutil.rmtree(old)


class Pod:
    def __init__(self, documents, directory):
        deployment = next(d for d in documents if d["kind"] == "Deployment")
        self.spec = deployment["spec"]["template"]["spec"]
        self.name = f"test-{deployment['metadata']['name']}"
        self.config_maps = {d["metadata"]["name"]: d["data"] for d in documents if d["kind"] == "ConfigMap"}
        self.secrets = {
            d["metadata"]["name"]: {k: base64.b64decode(v).decode() for k, v in d["data"].items()}
            for d in documents
            if d["kind"] == "Secret"
        }
        self.directory = pathlib.Path(directory)
        self.events = []  # (seconds, what, container)
        self.ready = {}
        self.exit_codes = {}
        self.began = time.monotonic()
        self.ending = threading.Event()
        self.network = None

    def note(self, what, container="pod"):
        self.events.append((time.monotonic() - self.began, what, container))

    def when(self, what, container="pod"):
        return next((at for at, *event in self.events if event == [what, container]), None)

    # --- its life -------------------------------------------------------------------------------------------------

    def start(self):
        podman("pod", "create", "--name", self.name, "--network", "none")
        podman("pod", "start", self.name)
        infra = podman("pod", "inspect", "-f", "{{.InfraContainerID}}", self.name)
        self.network = podman("inspect", "-f", "{{.State.Pid}}", infra)
        for volume in self.spec.get("volumes", []):
            self.make_volume(volume)
        for container in self.spec.get("initContainers", []):
            self.run(container)
            if container.get("restartPolicy") == "Always":
                self.await_startup(container)
            elif (code := podman("wait", self.full_name(container))) != "0":
                raise Failed(f"{container['name']} ended with {code}; its log:\n{self.log(container['name'])}")
        for container in self.spec["containers"]:
            self.run(container)
        for container in self.spec["containers"]:
            self.await_startup(container)
        for container in self.all():
            self.keep_probing(container, "livenessProbe")
            self.keep_probing(container, "readinessProbe")

    def await_ready(self, seconds):
        """Every container has started, and those with a readiness probe are ready."""
        deadline = time.monotonic() + seconds
        probed = [c["name"] for c in self.all() if "readinessProbe" in c]
        while not all(self.ready.get(name) for name in probed):
            if time.monotonic() > deadline:
                raise Failed(f"not ready after {seconds} s: {self.ready}")
            time.sleep(0.1)
        self.note("ready")

    def delete(self):
        """Returns when all containers have ended: hooks at once; SIGTERM after a container's own hook, and to native
        sidecars only when the others have ended; SIGKILL when the grace period is over."""
        self.note("deleted")
        deadline = time.monotonic() + self.spec.get("terminationGracePeriodSeconds", 30)
        ends = {c["name"]: self.in_thread(self.await_end, c) for c in self.all()}
        hooks = {c["name"]: self.in_thread(self.run_pre_stop, c) for c in self.all()}

        def end(container):
            hooks[container["name"]].join(max(0, deadline - time.monotonic()))
            self.terminate(container, ends[container["name"]], deadline)

        for each in [self.in_thread(end, c) for c in self.spec["containers"]]:
            each.join()
        for container in reversed(self.sidecars()):
            end(container)
        self.ending.set()
        self.note("gone")

    def remove(self):
        self.ending.set()
        podman("pod", "rm", "-f", self.name, check=False)

    # --- containers -----------------------------------------------------------------------------------------------

    def sidecars(self):
        """The native ones."""
        return [c for c in self.spec.get("initContainers", []) if c.get("restartPolicy") == "Always"]

    def all(self):
        """Those that live as long as the pod."""
        return self.sidecars() + self.spec["containers"]

    def full_name(self, container):
        return f"{self.name}-{container['name']}"

    def run(self, container):
        policy = self.spec.get("securityContext", {}) | container.get("securityContext", {})
        options = ["--pod", self.name, "--name", self.full_name(container), "--log-driver", "k8s-file"]
        if group := policy.get("fsGroup"):
            options += ["--group-add", str(group)]
        if "runAsUser" in policy:
            options += ["--user", f"{policy['runAsUser']}:{policy.get('runAsGroup', 0)}"]
        elif policy.get("runAsNonRoot"):
            self.refuse_root(container)
        if policy.get("readOnlyRootFilesystem"):
            options += ["--read-only", "--read-only-tmpfs=false"]
        if policy.get("allowPrivilegeEscalation") is False:
            options += ["--security-opt", "no-new-privileges"]
        for capability in policy.get("capabilities", {}).get("drop", []):
            options += ["--cap-drop", capability]
        if memory := container.get("resources", {}).get("limits", {}).get("memory"):
            options += ["--memory", memory.replace("Mi", "m").replace("Gi", "g")]
        for each in container.get("env", []):
            options += ["--env", f"{each['name']}={self.value_of(each)}"]
        for mount in container.get("volumeMounts", []):
            access = ":ro" if mount.get("readOnly") else ""
            options += ["--volume", f"{self.directory / mount['name']}:{mount['mountPath']}{access}"]
        if command := container.get("command"):
            options += ["--entrypoint", json.dumps(command)]
        podman("run", "-d", *options, container["image"], *container.get("args", []))
        self.note("run", container["name"])

    @staticmethod
    def refuse_root(container):
        user = podman("image", "inspect", "-f", "{{.User}}", container["image"]).split(":")[0]
        if not user.isdigit() or int(user) == 0:
            raise Failed(f"{container['name']}: runAsNonRoot, and the image's user is '{user}'")

    def value_of(self, variable):
        if "value" in variable:
            return variable["value"]
        reference = variable["valueFrom"]["secretKeyRef"]
        return self.secrets[reference["name"]][reference["key"]]

    @staticmethod
    def port_of(container, port):
        """A probe may name one of its container's ports."""
        named = {p.get("name"): p["containerPort"] for p in container.get("ports", [])}
        return named.get(port, port)

    def run_pre_stop(self, container):
        hook = container.get("lifecycle", {}).get("preStop")
        if not hook:
            return
        if "sleep" in hook:
            time.sleep(hook["sleep"]["seconds"])
        else:
            podman("exec", self.full_name(container), *hook["exec"]["command"], check=False)
        self.note("preStop done", container["name"])

    def await_end(self, container):
        self.exit_codes[container["name"]] = int(podman("wait", self.full_name(container)))
        self.note("ended", container["name"])

    def terminate(self, container, end, deadline):
        name = self.full_name(container)
        if end.is_alive():  # it may have ended by itself
            podman("kill", "--signal", "TERM", name, check=False)
            self.note("SIGTERM", container["name"])
        end.join(max(0, deadline - time.monotonic()))
        if end.is_alive():
            podman("kill", "--signal", "KILL", name, check=False)
            end.join()

    def is_running(self, container):
        return podman("inspect", "-f", "{{.State.Running}}", self.full_name(container), check=False) == "true"

    def log(self, container):
        return subprocess.run(
            ["podman", "logs", f"{self.name}-{container}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        ).stdout

    # --- volumes --------------------------------------------------------------------------------------------------

    def make_volume(self, volume):
        directory = self.directory / volume["name"]
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        if "configMap" in volume:
            write_files(directory, self.config_maps[volume["configMap"]["name"]])
        elif "secret" in volume:
            write_files(directory, self.secrets[volume["secret"]["secretName"]])
        else:
            if group := self.spec.get("securityContext", {}).get("fsGroup"):
                shutil.chown(directory, group=group)
            directory.chmod(0o2777 if group else 0o777)

    def write_config(self, volume, files):
        """A changed ConfigMap arrives."""
        write_files(self.directory / volume, files)

    # --- probes ---------------------------------------------------------------------------------------------------

    def inside(self, *command):
        """A command line in the pod's network."""
        return ["nsenter", "-t", self.network, "-n", *command]

    def get(self, url, *options):
        """(status, head, body); status 0 if nobody answers."""
        command = self.inside("curl", "-s", "-i", "-m", "5", "-w", "\n%{http_code}", *options, url)
        ran = subprocess.run(command, capture_output=True, check=False)
        answer, _, status = ran.stdout.decode().rpartition("\n")
        head, _, body = answer.partition("\r\n\r\n")
        return int(status or 0), head, body

    def probe(self, container, probe):
        request = probe["httpGet"]
        options = ["-A", "kube-probe/1.33", "-m", str(probe.get("timeoutSeconds", 1))]
        for each in request.get("httpHeaders", []):
            options += ["-H", f"{each['name']}: {each['value']}"]
        status, _, _ = self.get(f"http://{POD_ADDRESS}:{self.port_of(container, request['port'])}{request['path']}", *options)
        return 200 <= status < 400

    def await_startup(self, container):
        if probe := container.get("startupProbe"):
            for _ in range(probe.get("failureThreshold", 3)):
                if self.probe(container, probe):
                    break
                time.sleep(probe.get("periodSeconds", 10))
            else:
                raise Failed(f"{container['name']}: the startup probe failed; its log:\n{self.log(container['name'])}")
        self.note("started", container["name"])

    def keep_probing(self, container, kind):
        if kind in container:
            self.in_thread(self.watch, container, kind)

    def watch(self, container, kind):
        probe, name, failures = container[kind], container["name"], 0
        while not self.ending.is_set():
            good = self.probe(container, probe)
            failures = 0 if good else failures + 1
            if kind == "readinessProbe":
                if self.ready.get(name) != good:
                    self.note("becomes ready" if good else "becomes unready", name)
                self.ready[name] = good
            elif failures == probe.get("failureThreshold", 3) and self.is_running(container):
                self.note("is not alive", name)
            self.ending.wait(probe.get("periodSeconds", 10))

    @staticmethod
    def in_thread(function, *arguments):
        thread = threading.Thread(target=function, args=arguments, daemon=True)
        thread.start()
        return thread
