#!/usr/bin/env python3
"""The JSON Schema that `sidecar --print-schema` prints, as an editor uses it: it takes the shipped files, and finds in
each bad file what `sidecar --check` finds. Usage: schema_test.py SIDECAR SOURCES"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

try:
    import jsonschema
    import yaml
except ImportError as missing:
    print(f"left out: {missing}")
    sys.exit(77)


class Core(yaml.SafeLoader):
    """YAML 1.2, as editors and the sidecar read it: `off` and 0660 are no boolean and no octal number."""


Core.yaml_implicit_resolvers = {}
for tag, pattern, first in (
    ("bool", r"^(?:true|false)$", "tf"),
    ("null", r"^(?:~|null|)$", ["~", "n", ""]),
    ("int", r"^[-+]?[0-9]+$", "-+0123456789"),
    ("float", r"^[-+]?[0-9]+\.[0-9]+$", "-+0123456789"),
):
    Core.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), first)
Core.add_constructor("tag:yaml.org,2002:int", lambda loader, node: int(loader.construct_scalar(node), 10))

RULE = "rules: [{name: a, method: GET, path: '/a/{id}', "
GOOD = [
    "{}",
    "workers: 4",
    "workers: ${WORKERS:-auto}",
    "listen: {address: '0.0.0.0:${PORT:-8080}', socket_mode: '0600'}",
    "listen: {address: 'unix:/run/sidecar.sock'}",
    "upstream: {max_connections: auto, max_pending: 0, reuse_for_writes: 0s, unreachable: close}",
    "status: {jitter: 0.25, expose: '${EXPOSE:-true}', headers: [{name: A, value: 1}, {name: B, file: /b}]}",
    "own_answers: {cors: {allow_origins: []}}",
    "admin: {address: off, hosts: [sidecar.example]}",
    "log: {access: off}",
    RULE + "augment: {collection: c, members: [m]}}]",
    RULE + "gate: {collection: c, member: m, require: []}}]",
    RULE + "learn: {collection: c, members: [m], id: path}}]",
]
BAD = [
    "lisetn: {}",
    "workers: 0",
    "workers: many",
    "workers: [1]",
    "listen: here",
    "listen: {address: 8080}",
    "listen: {socket_mode: rw}",
    "listen: {backlog: 65536}",
    "upstream: {idle_timeout: 15}",
    "upstream: {idle_timeout: 15 s}",
    "upstream: {max_header: 64KB}",
    "upstream: {no_answer: maybe}",
    "status: {jitter: 0.6}",
    "status: {expose: yes}",
    "status: {url: 'ftp://a/'}",
    "status: {headers: [{value: a}]}",
    "status: {headers: {}}",
    "api: {prefix: 'api'}",
    "builtin_rules: none",
    "own_answers: {cors: {allow_origins: [portal.example]}}",
    "own_answers: {headers: [{name: 'A B', value: c}]}",
    "forward: {x_forwarded_proto: ftp}",
    "admin: {address: 9090}",
    "admin: {hosts: ['a:1']}",
    "log: {level: loud}",
    "log: {access: some}",
    "log: {slower_than: 2}",
    "drain: {accept_for: soon}",
    RULE + "augment: {members: [m]}}]",
    RULE + "augment: {collection: c, members: []}}]",
    RULE + "augment: {collection: c, members: [m]}, gate: {collection: c, member: m}}]",
    "rules: [{name: a, method: GET, path: '/a/{id}'}]",
    "rules: [{name: a, method: get, path: '/a/{id}', gate: {collection: c, member: m}}]",
    "rules: [{name: 'a b', method: GET, path: '/a/{id}', gate: {collection: c, member: m}}]",
    "rules: [{name: a, method: GET, path: 'a', gate: {collection: c, member: m}}]",
]


def main() -> int:
    sidecar, sources = sys.argv[1], pathlib.Path(sys.argv[2])
    schema = json.loads(subprocess.run([sidecar, "--print-schema"], check=True, capture_output=True).stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    failures = []

    def expect(text: str, name: str, is_good: bool) -> None:
        faults = [error.message for error in validator.iter_errors(yaml.load(text, Core))]
        if bool(faults) == is_good:
            failures.append(f"schema: {name}: {faults[0] if faults else 'nothing is found'}")
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(text)
            file.flush()
            variables = {name: "1" for name in re.findall(r"\$\{([A-Z_]+)\}", text)} # that it counts on
            check = subprocess.run(
                [sidecar, "--check", "--config", file.name], capture_output=True, text=True, env={**os.environ, **variables}
            )
        if (check.returncode == 0) != is_good:
            failures.append(f"--check: {name}: {check.stdout}{check.stderr}")

    shipped = [sources / "sidecar.yaml", *sorted((sources / "deploy").rglob("sidecar.yaml"))]
    for file in shipped:
        expect(file.read_text(), str(file.relative_to(sources)), True)
    for text in GOOD:
        expect(text, text, True)
    for text in BAD:
        expect(text, text, False)
    print(*failures, sep="\n")
    print(f"{len(shipped)} files, {len(GOOD)} good texts, {len(BAD)} bad ones, {len(failures)} failures")
    return 1 if failures else 0


sys.exit(main())
