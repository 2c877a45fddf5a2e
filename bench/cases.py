"""What is measured, with which contenders, and the goals. A goal: (whose figure, of whose, at most this ratio)."""

from dataclasses import dataclass, field

READY = "/api/v1/projects/ca29f7df-33ca-46dd-a015-92c46fdb6fd1"
NOT_READY = "/api/v1/projects/00000000-0000-4000-8000-00000000dead"
TOKEN = ["--field", "Authorization: eyJhbGciOiJIUzI1NiJ9." + "x" * 180]
UPLOAD = ["--method", "POST", "--expect", "201"]
MIB = 1024 * 1024


@dataclass
class Case:
    name: str
    title: str
    load: list
    contenders: list                 # names that Field.contender knows; "label=name" to tell two of a kind apart
    goals: list = field(default_factory=list)
    unit: str = "us/request"         # or ms/GiB, latency, requests/s
    own_load: dict = field(default_factory=dict)  # by label: another load than the case's
    all_cores: bool = False          # nothing pinned
    contains: str = ""               # what each contender's answer must hold, looked at once before measuring
    workers_only: bool = False       # only the CPU of the data plane's threads
    awake: bool = False              # the cores never sleep

    @property
    def limits(self):
        """Whether the proxy has half a core, so that it is what limits."""
        return self.unit in ("us/request", "ms/GiB") and not (self.awake or self.all_cores or self.workers_only)


def kept(connections):
    return ["--connections", str(connections)]


PLAIN = ["floor", "haproxy", "nginx", "before", "sidecar"]
BULK = ["floor", "haproxy", "nginx", "nginx_unbuffered", "before", "sidecar"]
BETTER = ("haproxy", "nginx", "nginx_unbuffered")
GET = ["--target", READY, *TOKEN]
GATED = ["--method", "POST", "--target", NOT_READY + "/uploads", "--field", "Content-Type: application/json",
         "--body", "200", "--expect", "404", *TOKEN]

CASES = [
    Case("forward-1", "forward a small GET, 1 kept connection, the cores kept awake", [*GET, *kept(1)], PLAIN,
         [("sidecar", "haproxy", 0.78)], awake=True),
    *[Case(f"forward-{n}", f"forward a small GET, {n} kept connections", [*GET, *kept(n)], PLAIN,
           [("sidecar", "haproxy", goal), ("sidecar", "before", 1.06)])
      for n, goal in ((32, 0.76), (256, 0.70))],
    Case("forward-chunked", "the same, 32 connections, answered in chunks as Puma does",
         ["--target", "/chunked" + READY, *TOKEN, *kept(32)], PLAIN),
    Case("forward-unix", "the same, 32 connections, the backend on a Unix socket", [*GET, *kept(32)],
         ["floor", "sidecar", "sidecar_unix"],
         [("sidecar_unix", "sidecar", 0.85), ("sidecar_unix", "floor", 1.0)]),
    Case("forward-post", "forward a POST with a small body, 32 connections",
         [*UPLOAD, "--target", READY, "--body", "200", *TOKEN, *kept(32)], PLAIN, [("sidecar", "haproxy", 0.80)]),
    Case("new-connections", "forward, a new client connection for each request", [*GET, *kept(32), "--new"],
         ["floor=floor_keep", "haproxy", "nginx", "before", "sidecar"], [("sidecar", "haproxy", 1.00)]),
    Case("answer-64k", "answers of 64 KiB", ["--target", "/bytes/65536", *kept(16)], BULK,
         [("sidecar", BETTER, 1.0)], unit="ms/GiB"),
    Case("answer-10m", "answers of 10 MiB", ["--target", f"/bytes/{10 * MIB}", *kept(4)], BULK,
         [("sidecar", BETTER, 1.0)], unit="ms/GiB"),
    Case("upload-length", "uploads of 100 MiB with a length", [*UPLOAD, "--body", str(100 * MIB), *kept(2)], BULK,
         [("sidecar", BETTER, 1.0)], unit="ms/GiB"),
    Case("upload-chunked", "uploads of 100 MiB in chunks", [*UPLOAD, "--body", str(100 * MIB), "--chunked", *kept(2)],
         BULK, [("sidecar", BETTER, 1.0)], unit="ms/GiB"),
    Case("augment", "augment (?info), 32 connections", ["--target", READY + "?info", *TOKEN, *kept(32)],
         ["nginx_lua", "nginx_lua_encode", "haproxy_lua", "before", "sidecar", "plain=sidecar"],
         [("sidecar", "nginx_lua", 0.54), ("sidecar", "plain", 1.10)],
         contains='"is_upload_ready":true', own_load={"plain": [*GET, *kept(32)]}),
    Case("gate", "the gate answers 404, 32 connections", [*GATED, *kept(32)],
         ["haproxy_lua", "haproxy_map", "nginx_lua", "nginx", "before", "sidecar"],
         [("sidecar", "nginx_lua", 0.68), ("sidecar", "haproxy_map", 0.70), ("sidecar", "nginx", 0.95)]),
    Case("latency", "latency at 4000 requests a second (open loop), 64 connections",
         [*GET, *kept(64), "--rate", "4000"],
         ["direct", "haproxy", "nginx", "sidecar"], [("sidecar", "haproxy", 1.0)], unit="latency"),
    Case("access-log", "the access log on, 32 connections", [*GET, *kept(32)], ["sidecar", "log=sidecar_log"],
         [("log", "sidecar", 1.05)]),
    Case("snapshot", "a snapshot of a million entries replaced all the time: CPU of the data plane's threads",
         [*GET, *kept(32)], ["sidecar", "replaced=sidecar_million"], [("replaced", "sidecar", 1.03)],
         workers_only=True),
    Case("snapshot-latency", "the same: latency at 2000 requests a second",
         [*GET, *kept(64), "--rate", "2000"], ["direct", "sidecar", "replaced=sidecar_million"], unit="latency",
         all_cores=True),
    Case("two-workers", "two workers against one, forward, nothing pinned", [*GET, *kept(64)],
         ["haproxy:1", "haproxy:2", "nginx:1", "nginx:2", "sidecar:1", "sidecar:2"], unit="requests/s", all_cores=True),
    Case("two-workers-gate", "two workers against one, gate, nothing pinned", [*GATED, *kept(64)],
         ["haproxy_lua:1", "haproxy_lua:2", "nginx_lua:1", "nginx_lua:2", "sidecar:1", "sidecar:2"], unit="requests/s",
         all_cores=True),
]

# Measured once, not in rounds: resident sets, system calls and instructions.
IDLE = {"connections": 10_000, "contenders": ["haproxy", "nginx", "before", "sidecar"]}
COUNTED = {"contenders": ["floor", "haproxy", "nginx", "sidecar"], "load": [*GET, *kept(32)],
           "one_process": ["floor", "haproxy", "sidecar"]}
