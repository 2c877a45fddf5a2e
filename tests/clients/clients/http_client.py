"""Python: http.client (what requests and urllib3 stand on), urllib, and requests where it is installed."""
import http.client
import json
import sys
import urllib.error
import urllib.request

base = sys.argv[1]
host = base.removeprefix("http://")


def note(operation, status, fields, body):
    print(json.dumps([operation, status, list(fields), body.decode("latin-1")]))


def simple(operation, method, target, body=None, fields=(), **options):
    connection = http.client.HTTPConnection(host, timeout=20)
    connection.request(method, target, body, dict(fields), **options)
    response = connection.getresponse()
    note(operation, response.status, response.getheaders(), response.read())
    connection.close()


simple("get", "GET", "/echo?x=1&y=a%20b")
simple("head", "HEAD", "/echo")
simple("post", "POST", "/echo", b"hello", [("X-Case", "A")])
simple("post nothing", "POST", "/echo", b"")
simple("post chunks", "POST", "/echo", iter([b"hello", b" ", b"world"]), encode_chunked=True)
simple("put a MiB", "PUT", "/echo", b"x" * (1 << 20))
simple("patch", "PATCH", "/echo", b"[]")
simple("delete", "DELETE", "/echo")
simple("options", "OPTIONS", "/echo")
for path in ("chunked", "trailers", "large", "empty", "redirect", "gzip", "close", "missing"):
    simple(path, "GET", "/" + path)
simple("fresh", "GET", "/etag")
simple("stale", "GET", "/etag", fields=[("If-None-Match", '"v1"')])

kept = http.client.HTTPConnection(host, timeout=20)
for turn in range(5):
    kept.request("POST" if turn % 2 else "GET", f"/echo?{turn}", b"again" if turn % 2 else None)
    response = kept.getresponse()
    note(f"kept {turn}", response.status, response.getheaders(), response.read())
kept.close()

for operation, path in (("urllib", "/redirect"), ("urllib missing", "/missing")):
    try:
        with urllib.request.urlopen(base + path, timeout=20) as response:
            note(operation, response.status, response.getheaders(), response.read())
    except urllib.error.HTTPError as error:
        note(operation, error.code, error.headers.items(), error.read())

try:
    import requests
except ImportError:
    sys.exit()
with requests.Session() as session:
    for turn in range(3):
        response = session.get(base + "/echo", params={"turn": turn})
        note(f"requests {turn}", response.status_code, response.headers.items(), response.content)
    response = session.post(base + "/echo", json={"name": "M\u00fcller"})
    note("requests post", response.status_code, response.headers.items(), response.content)
    response = session.post(base + "/echo", files={"file": ("a", b"x" * 100000)}, headers={"Content-Type": "multipart/form-data; boundary=b"})
    note("requests files", response.status_code, response.headers.items(), str(response.json()["method"] if response.headers.get("Content-Type") == "application/json" else "").encode())
    response = session.get(base + "/gzip")
    note("requests gzip", response.status_code, response.headers.items(), response.content)
    response = session.get(base + "/redirect")
    note("requests redirect", response.status_code, response.headers.items(), response.content)
