#!/usr/bin/env python3
"""Real clients by real backends, with and without the sidecar: what each client gets, and what each backend sees, must be
the same. Of clients and backends it takes those that are installed, and says which are not.

    tests/clients/run.py --sidecar build/release/sidecar [--only NAME] [--verbose]

Left aside in the comparison: Date, what belongs to a connection (RFC 9110 7.6.1), the HTTP/1 version, and the port in Host.
"""
import argparse
import concurrent.futures
import contextlib
import difflib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

here = pathlib.Path(__file__).resolve().parent
aside = {"date", "connection", "keep-alive"} # and the backends leave such fields out of what they tell
apache_modules = "/usr/lib/apache2/modules"


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def await_port(port, process, log):
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if process.poll() is not None:
            break
        time.sleep(0.02)
    sys.exit(f"{process.args[0]} does not listen:\n{pathlib.Path(log).read_text()[-2000:]}")


@contextlib.contextmanager
def running(command, port, directory):
    log = pathlib.Path(directory, f"{pathlib.Path(command[0]).name}-{port}.log")
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        try:
            await_port(port, process, log)
            yield
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


# --- backends -----------------------------------------------------------------------------------------------------


def filled(name, directory, port):
    text = (here / "backends" / name).read_text()
    for key, value in (("DIRECTORY", directory), ("PORT", port), ("HERE", here / "backends"),
                       ("MODULES", apache_modules)):
        text = text.replace(f"@{key}@", str(value))
    path = pathlib.Path(directory, f"{port}-{name}")
    path.write_text(text)
    return str(path)


def static_files(directory):
    files = pathlib.Path(directory, "files")
    files.mkdir(exist_ok=True)
    for name, content in (("large", bytes(range(256)) * 4096), ("packed", b"packed" * 100), ("tagged", b"tagged"),
                          ("close", b"until the end")):
        (files / name).write_bytes(content)
        os.utime(files / name, (1700000000, 1700000000))


backends = {
    "Puma": ("puma", lambda directory, port: ["puma", "-q", "-t", "1:8", "-b", f"tcp://127.0.0.1:{port}",
                                              str(here / "backends/puma.ru")]),
    "Node": ("node", lambda directory, port: ["node", str(here / "backends/node_backend.js"), str(port)]),
    "Python": ("python3", lambda directory, port: [sys.executable, str(here / "backends/python_backend.py"), str(port)]),
    "nginx": ("nginx", lambda directory, port: ["nginx", "-e", "/dev/null", "-p", directory, "-c",
                                                filled("nginx.conf", directory, port)]),
    "Apache": ("apache2", lambda directory, port: ["apache2", "-X", "-f", filled("apache.conf", directory, port)]),
}


# --- clients: each tells what it got as lines of [operation, status, fields, body] ----------------------------------

command_line_operations = {
    "curl": {
        "get": ["/echo?x=1&y=a%20b"],
        "bytes above ASCII": ["/echo?name_contains=M\u00fcller"],
        "head": ["-I", "/echo"],
        "post": ["-d", "hello", "-H", "X-Case: A", "/echo"],
        "post nothing": ["-X", "POST", "/echo"],
        "post chunks": ["-H", "Transfer-Encoding: chunked", "--data-binary", "hello world", "/echo"],
        "put a MiB": ["-T", "@large", "/echo"],
        "put a MiB in chunks": ["-H", "Transfer-Encoding: chunked", "-T", "@large", "/echo"],
        "expect": ["-H", "Expect: 100-continue", "-d", "hello", "/echo"],
        "form": ["-F", "file=@@large", "-F", "a=b", "-H", "Content-Type: multipart/form-data; boundary=b", "/missing"],
        "patch": ["-X", "PATCH", "-d", "[]", "/echo"],
        "delete": ["-X", "DELETE", "/echo"],
        "options": ["-X", "OPTIONS", "/echo"],
        "HTTP/1.0": ["-0", "/echo"],
        "HTTP/1.0 post": ["-0", "-d", "hello", "/echo"],
        "HTTP/1.0 chunks": ["-0", "/chunked"],
        "stale": ["-H", 'If-None-Match: "v1"', "/etag"],
        "a part": ["-r", "0-99", "/large"],
        "compressed": ["--compressed", "/gzip"],
        "h2c": ["--http2", "/echo"],
        "trailers": ["-H", "TE: trailers", "/trailers"],
        **{path: [f"/{path}"] for path in ("chunked", "large", "empty", "redirect", "gzip", "close", "missing")},
        "redirected": ["-L", "/redirect"],
        "kept": ["/echo?1", "/echo?2", "/chunked", "/empty", "/echo?3"],
    },
    "wget": {
        "get": ["/echo?x=1&y=a%20b"],
        "post": ["--post-data=hello", "/echo"],
        "put a MiB": ["--method=PUT", "--body-file=@large", "/echo"],
        "redirected": ["/redirect"],
        "spider": ["--spider", "/echo"],
        **{path: [f"/{path}"] for path in ("chunked", "large", "empty", "gzip", "close", "missing")},
        "kept": ["/echo?1", "/chunked", "/echo?2"],
    },
}


def run_command_line(name, base, directory):
    large = str(pathlib.Path(directory, "files/large"))
    for operation, words in command_line_operations[name].items():
        words = [base + word if word.startswith("/") else word.replace("@large", large) for word in words]
        if name == "curl":
            command = ["curl", "-sS", "-i", "--max-time", "20", *words]
            if len([word for word in words if word.startswith(base)]) > 1:
                command[2:3] = ["-w", "%{http_code}\\n"] # bodies follow one another
        else:
            command = ["wget", "-q", "-S", "-O", "-", "--tries=1", "--timeout=20", "--content-on-error", *words]
        done = subprocess.run(command, capture_output=True, timeout=60, check=False)
        yield [operation, done.returncode, [line.split(": ", 1) for line in done.stderr.decode("latin-1").splitlines()],
               done.stdout.decode("latin-1")]


def run_program(command, base):
    done = subprocess.run([*command, base], capture_output=True, timeout=120, check=False)
    lines = [json.loads(line) for line in done.stdout.decode().split("\n") if line]
    if done.returncode:
        lines.append(["ended", done.returncode, [], done.stderr.decode("latin-1")[-600:]])
    return lines


clients = {
    "curl": ("curl", lambda base, directory: list(run_command_line("curl", base, directory))),
    "wget": ("wget", lambda base, directory: list(run_command_line("wget", base, directory))),
    "Python": ("python3", lambda base, directory: run_program([sys.executable, str(here / "clients/http_client.py")], base)),
    "Node": ("node", lambda base, directory: run_program(["node", str(here / "clients/node_client.js")], base)),
    "Ruby": ("ruby", lambda base, directory: run_program(["ruby", str(here / "clients/net_http.rb")], base)),
    "Java": ("javac", lambda base, directory: run_program(["java", "-cp", directory, "JavaClient"], base)),
}


# --- comparing ----------------------------------------------------------------------------------------------------


def is_aside(name):
    return name.strip().lower() in aside


def plain_text(text):
    """A response as curl prints it: the lines that belong to the connection left out."""
    head, separator, body = text.partition("\r\n\r\n")
    if not head.startswith("HTTP/"):
        return plain_body(text)
    lines = [line.replace("HTTP/1.0 ", "HTTP/1.1 ") for line in head.split("\r\n") if not is_aside(line.split(":")[0])]
    # Some servers send chunks to HTTP/1.0, too, if it is a client that asks; curl has put them together.
    lines = [line for line in lines if line != "Transfer-Encoding: chunked"]
    return "\n".join(lines) + "\n\n" + (plain_text(body) if separator else "")


def plain_body(text):
    return text if len(text) < 4000 else f"{len(text)} bytes, {hash(text)}"


def plain(line, base):
    operation, status, fields, body = line
    port = base.rsplit(":", 1)[1]
    fields = [": ".join(field) for field in fields if not is_aside(field[0])]
    return [text.replace(f":{port}", ":PORT") for text in
            (f"{operation}: {status}", *(f"  {field}" for field in fields), f"  {plain_text(body)}")]


def compare(directly, through):
    """How many operations there are, and the differences. A backend that chooses (Apache: a length or chunks, by how
    quickly its program ends) has been asked several times: what it gave once is right."""
    wrong = []
    direct = directly[0]
    for i in range(max(len(direct), len(through))):
        one = direct[i] if i < len(direct) else ["nothing"]
        other = through[i] if i < len(through) else ["nothing"]
        if not any(i < len(each) and each[i] == other for each in directly):
            wrong.append("\n".join(difflib.unified_diff(one, other, "direct", "through the sidecar", lineterm="", n=1)))
    return len(direct), wrong


def sidecar_configuration(directory, port, backend):
    path = pathlib.Path(directory, f"sidecar-{port}.yaml")
    path.write_text(f"""listen: {{address: 127.0.0.1:{port}}}
upstream: {{address: 127.0.0.1:{backend}, connect_retry: 0s}}
status: {{url: http://127.0.0.1:{backend}/internal/consistency}}
admin: {{address: off}}
log: {{level: error}}
""")
    return str(path)


def is_wanted(options, client, backend):
    return not options.only or client.lower() in options.only or backend.lower() in options.only


def by_backend(options, directory, backend):
    """Of each client: its name, how many operations there are, and the differences."""
    wanted = [name for name, (program, _) in clients.items()
              if shutil.which(program) and is_wanted(options, name, backend)]
    program, command = backends[backend]
    if not wanted or not shutil.which(program):
        return []
    port, front = free_port(), free_port()
    results = []
    with running(command(directory, port), port, directory), \
         running([options.sidecar, "--config", sidecar_configuration(directory, front, port)], front, directory):
        for client in wanted:
            def ask(at):
                base = f"http://127.0.0.1:{at}"
                return [plain(line, base) for line in clients[client][1](base, directory)]
            direct, through = ask(port), ask(front)
            directly = [direct]
            while compare(directly, through)[1] and len(directly) < 4:
                directly.append(ask(port))
            results.append((client, *compare(directly, through)))
            if options.verbose:
                print(client, backend, json.dumps(direct, indent=1), sep="\n")
    return results


def measure(options, directory):
    missing = {name for name, (program, _) in {**backends, **clients}.items() if not shutil.which(program)}
    if missing:
        print("not installed:", ", ".join(sorted(missing)))
    table, wrong, count = {}, [], 0
    with concurrent.futures.ThreadPoolExecutor(len(backends)) as all_at_once:
        found = all_at_once.map(lambda backend: by_backend(options, directory, backend), backends)
        for backend, results in zip(backends, found):
            for client, total, different in results:
                table[client, backend] = f"{total - len(different)} of {total}"
                count += total
                wrong += [f"{client} by {backend}: {text}" for text in different]
    return table, wrong, count


def print_table(table):
    columns = [name for name in backends if any(backend == name for _, backend in table)]
    print("| client | " + " | ".join(columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for client in clients:
        if any((client, name) in table for name in columns):
            print(f"| {client} | " + " | ".join(table.get((client, name), "") for name in columns) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sidecar", required=True)
    parser.add_argument("--only", action="append", type=str.lower, help="this client or backend")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        static_files(directory)
        os.chmod(directory, 0o755)
        if shutil.which("javac"):
            subprocess.run(["javac", "-d", directory, str(here / "clients/JavaClient.java")], check=True)
        table, wrong, count = measure(options, directory)
    print_table(table)
    for text in wrong:
        print("\n" + text)
    print(f"{count - len(wrong)} passed, {len(wrong)} failed")
    return 1 if wrong or not count else 0


if __name__ == "__main__":
    sys.exit(main())
