"""Python's own server: http.server, HTTP/1.1, a thread a connection."""
import gzip
import hashlib
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

of_the_connection = {"connection", "keep-alive", "te", "upgrade", "http2-settings"}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def read_body(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline() not in (b"\r\n", b""):
                pass
            return body
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def reply(self, status, fields, body=b""):
        self.send_response(status)
        for name, value in fields:
            self.send_header(name, value)
        if not any(name in ("Content-Length", "Transfer-Encoding") for name, _ in fields) and status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def serve(self):
        body = self.read_body()
        path = self.path.split("?")[0]
        if path == "/echo":
            seen = {"method": self.command, "target": self.path,
                    "fields": [field for field in self.headers.items() if field[0].lower() not in of_the_connection],
                    "body": [len(body), hashlib.sha256(body).hexdigest()]}
            self.reply(200, [("Content-Type", "application/json")], json.dumps(seen).encode())
        elif path == "/chunked":
            chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (b"one", b"two" * 1000, b"three"))
            self.reply(200, [("Transfer-Encoding", "chunked")], chunks + b"0\r\n\r\n")
        elif path == "/trailers":
            self.reply(200, [("Transfer-Encoding", "chunked"), ("Trailer", "X-Sum")],
                       b"5\r\nhello\r\n0\r\nX-Sum: 5\r\n\r\n")
        elif path == "/large":
            self.reply(200, [("Content-Type", "application/octet-stream")], bytes(range(256)) * 4096)
        elif path == "/empty":
            self.reply(204, [])
        elif path == "/etag":
            fresh = self.headers.get("If-None-Match") == '"v1"'
            self.reply(304 if fresh else 200, [("ETag", '"v1"')], b"" if fresh else b"tagged")
        elif path == "/redirect":
            self.reply(302, [("Location", "/echo?redirected")])
        elif path == "/gzip":
            self.reply(200, [("Content-Encoding", "gzip")], gzip.compress(b"packed" * 100, mtime=0))
        elif path == "/close":
            self.close_connection = True
            self.send_response(200)
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(b"until the end")
        else:
            self.reply(404, [("Content-Type", "text/plain")], b"no such thing")

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = do_PATCH = serve

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
