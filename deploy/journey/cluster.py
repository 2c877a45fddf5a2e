"""A cluster for the journey, of processes on loopback: pods as the rendered manifests describe them, each on an address of
its own, a Service that hears of changes late, and rollouts as a Deployment makes them. No root, no containers.
"""

import asyncio
import pathlib
import signal
import sys
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))

import render  # noqa: E402
from kubelet import write_files  # noqa: E402

PROPAGATION = 1.0  # seconds until the Service has heard of a change


def of_kind(documents, kind, name):
    return next((d for d in documents if (d["kind"], d["metadata"]["name"]) == (kind, name)), None)


class Service:
    """kube-proxy: a pod for each new connection, by turns; then bytes in both directions, as they come. Its port is one
    for all pods, and changes at once, whatever is rolled out at that time."""

    def __init__(self):
        self.pods, self.port, self.turn, self.connections = [], None, 0, 0
        self.under_way = set()  # asyncio itself keeps no hold of them

    async def start(self):
        self.server = await asyncio.start_server(self.accept, "127.0.0.1", 0, backlog=1024)
        self.address = self.server.sockets[0].getsockname()

    def accept(self, reader, writer):
        task = asyncio.ensure_future(self.connect(reader, writer))
        self.under_way.add(task)
        task.add_done_callback(self.under_way.discard)

    async def connect(self, reader, writer):
        self.turn += 1
        self.connections += 1
        try:
            pod = self.pods[self.turn % len(self.pods)]
            there, back = await asyncio.open_connection(*pod.reached_at(self.port))
        except (OSError, ZeroDivisionError):
            writer.transport.abort()  # refused
            return
        await asyncio.gather(self.copy(reader, back), self.copy(there, writer))
        writer.close()
        back.close()

    @staticmethod
    async def copy(source, sink):
        try:
            while piece := await source.read(65536):
                sink.write(piece)
                await sink.drain()
            sink.write_eof()
        except OSError:
            sink.transport.abort()


class Pod:
    numbers = iter(range(10, 250))

    def __init__(self, cluster, documents):
        self.cluster = cluster
        self.number = next(self.numbers)
        self.address = f"127.0.1.{self.number}"
        self.directory = cluster.directory / f"pod-{self.number}"
        self.spec = of_kind(documents, "Deployment", "dds")["spec"]["template"]["spec"]
        self.config_map = of_kind(documents, "ConfigMap", "sidecar")
        self.native = any(c["name"] == "sidecar" for c in self.spec.get("initContainers", []))
        self.api = self.spec["containers"][0]
        containers = self.spec.get("initContainers", []) + self.spec["containers"]
        self.sidecar = next((c for c in containers if c["name"] == "sidecar"), None)
        self.api_process = self.sidecar_process = None
        self.exit_codes = {}

    def reached_at(self, port):
        """From outside: nobody is there whom the manifest has bind to the pod's localhost."""
        if port == 3000 and any("127.0.0.1:3000" in word for word in self.api["command"]):
            raise ConnectionRefusedError
        return self.address, port

    # --- its beginning ------------------------------------------------------------------------------------------------

    async def start(self):
        self.directory.mkdir(parents=True)
        if self.sidecar:
            self.write_config(self.config_map["data"]["sidecar.yaml"])
            with (self.directory / "sidecar.log").open("w") as log:
                self.sidecar_process = await asyncio.create_subprocess_exec(
                    self.cluster.program, "--config", self.directory / "sidecar.yaml", stdout=log, stderr=log
                )
            await self.until(self.sidecar["startupProbe"]["httpGet"], 30)
        await self.start_api()
        await self.until(self.api["startupProbe"]["httpGet"], 30)
        if self.sidecar:
            await self.until(self.sidecar["readinessProbe"]["httpGet"], 30)

    async def start_api(self):
        # What the manifest's command binds to: the pod's address, or localhost, which here is the same.
        command = [sys.executable, "-B", HERE / "dds.py", self.address, "3000", self.cluster.database]
        self.api_process = await asyncio.create_subprocess_exec(*command)

    async def until(self, asked, seconds):
        deadline = time.monotonic() + seconds
        while not await self.answers(asked):
            if time.monotonic() > deadline:
                raise AssertionError(f"pod {self.number}: {asked} does not succeed; see {self.directory}")
            await asyncio.sleep(0.1)

    async def answers(self, asked):
        fields = {f["name"]: f["value"] for f in asked.get("httpHeaders", [])}
        return await asyncio.to_thread(self.get, asked["port"], asked["path"], fields) == 200

    def get(self, port, path, fields=None):
        try:
            request = urllib.request.Request(f"http://{self.address}:{port}{path}", headers=fields or {})
            with urllib.request.urlopen(request, timeout=2) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def write_config(self, text):
        """The ConfigMap, by way of the kubelet: what is the pod's localhost there is the pod's address here."""
        secret = self.directory / "status"
        secret.write_text("not-a-secret")
        text = text.replace("127.0.0.1:", f"{self.address}:").replace("/etc/sidecar-secret/status", str(secret))
        text += f"\nlisten: {{address: '{self.address}:8080'}}\nadmin: {{address: '{self.address}:9090'}}\n"
        write_files(self.directory, {"sidecar.yaml": text})

    # --- its end ------------------------------------------------------------------------------------------------------

    async def delete(self):
        """Hooks at once; SIGTERM to each when its own hook is done, to a native sidecar when the API has ended."""
        deadline = time.monotonic() + self.spec.get("terminationGracePeriodSeconds", 30)
        await asyncio.gather(self.end_api(deadline), self.end_sidecar(deadline))

    async def end_api(self, deadline):
        hook = self.api.get("lifecycle", {}).get("preStop")
        if hook:
            await asyncio.sleep(int(hook["exec"]["command"][1]))
        self.exit_codes["api"] = await self.terminate(self.api_process, deadline)

    async def end_sidecar(self, deadline):
        if not self.sidecar:
            return
        if self.native:
            command = self.sidecar["lifecycle"]["preStop"]["exec"]["command"][1:]
            here = ("--config", self.directory / "sidecar.yaml")  # in a container, the usual place
            hook = await asyncio.create_subprocess_exec(self.cluster.program, *here, *command)
            if await hook.wait() != 0:
                raise AssertionError(f"pod {self.number}: the sidecar's preStop failed")
            await self.api_process.wait()
        self.exit_codes["sidecar"] = await self.terminate(self.sidecar_process, deadline)

    @staticmethod
    async def terminate(process, deadline):
        if process.returncode is None:
            process.terminate()
        try:
            return await asyncio.wait_for(process.wait(), max(0.1, deadline - time.monotonic()))
        except TimeoutError:
            process.kill()
            await process.wait()
            return 137

    def kill(self):
        for process in (self.api_process, self.sidecar_process):
            if process and process.returncode is None:
                process.kill()

    # --- accidents ----------------------------------------------------------------------------------------------------

    async def lose_api(self, seconds):
        """It is killed as by the kernel, and the kubelet starts it again after a while."""
        self.api_process.send_signal(signal.SIGKILL)
        await self.api_process.wait()
        await asyncio.sleep(seconds)
        await self.start_api()

    def metric(self, pattern):
        """The sum of the samples that match."""
        with urllib.request.urlopen(f"http://{self.address}:9090/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if pattern.search(line))


class Cluster:
    def __init__(self, program, directory):
        self.program, self.directory = program, pathlib.Path(directory)
        self.database = self.directory / "dds.sqlite"
        self.service, self.pods, self.gone, self.ending = Service(), [], [], []

    async def start(self):
        await self.service.start()

    async def lead_service_to(self, documents):
        """The Service alone is applied; kube-proxy hears of it late."""
        await asyncio.sleep(PROPAGATION)
        self.service.port = of_kind(documents, "Service", "dds")["spec"]["ports"][0]["targetPort"]

    @staticmethod
    def render(directory):
        return render.render(HERE.parent / directory)

    async def roll_out(self, documents, replicas):
        """maxUnavailable 0, maxSurge 1: a pod is told to end when its successor has its place in the Service."""
        for old in [*self.pods] + [None] * (replicas - len(self.pods)):
            await self.roll_out_one(documents, old)

    async def roll_out_one(self, documents, old=None):
        new = Pod(self, documents)
        await new.start()
        self.pods.append(new)
        await asyncio.sleep(PROPAGATION)
        self.service.pods.append(new)
        if old:
            self.delete(old)

    def delete(self, pod):
        """It ends in the background, and the Service hears of it late."""
        self.pods.remove(pod)
        self.gone.append(pod)

        async def forget():
            await asyncio.sleep(PROPAGATION)
            self.service.pods.remove(pod)

        self.ending += [asyncio.ensure_future(forget()), asyncio.ensure_future(pod.delete())]

    async def all_have_ended(self):
        await asyncio.gather(*self.ending)

    def kill(self):
        for task in self.service.under_way:
            task.cancel()
        for pod in self.pods + self.gone:
            pod.kill()
