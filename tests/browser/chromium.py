"""Drives a headless Chromium by its DevTools protocol; the standard library only."""

import base64
import json
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import time
import urllib.request

PATIENCE = 30  # seconds; nothing waits this long unless the test fails


def find():
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Refused(AssertionError):
    """The browser's answer to a command is an error, or the script threw."""


def wait_until(happened, what):
    end = time.monotonic() + PATIENCE
    refused = None
    while time.monotonic() < end:
        try:
            found = happened()
            if found:
                return found
        except Refused as why:  # a page that is being replaced by another has no answer yet
            refused = why
        time.sleep(0.05)
    raise AssertionError(f"waited in vain: {what}" + (f"; {refused}" if refused else ""))


class WebSocket:
    """RFC 6455, as far as one text message at a time goes."""

    def __init__(self, url):
        host, path = url.removeprefix("ws://").split("/", 1)
        name, port = host.split(":")
        self.socket = socket.create_connection((name, int(port)), timeout=PATIENCE)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall((f"GET /{path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n").encode())
        self.received = b""
        while b"\r\n\r\n" not in self.received:
            self.received += self.socket.recv(4096)
        self.received = self.received.split(b"\r\n\r\n", 1)[1]

    def take(self, size):
        while len(self.received) < size:
            more = self.socket.recv(65536)
            if not more:
                raise ConnectionError("the browser has gone")
            self.received += more
        taken, self.received = self.received[:size], self.received[size:]
        return taken

    def send(self, text):
        payload = text.encode()
        size = len(payload)
        head = bytes([0x81]) + (bytes([0x80 | size]) if size < 126 else
                                bytes([0xFE]) + struct.pack(">H", size) if size < 65536 else
                                bytes([0xFF]) + struct.pack(">Q", size))
        mask = os.urandom(4)
        self.socket.sendall(head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload)))

    def receive(self):
        text = b""
        while True:
            first, second = self.take(2)
            size = second & 0x7F
            if size == 126:
                size, = struct.unpack(">H", self.take(2))
            elif size == 127:
                size, = struct.unpack(">Q", self.take(8))
            payload = self.take(size)
            if first & 0x0F in (0, 1):
                text += payload
                if first & 0x80:
                    return text.decode()


class Page:
    """One tab. `errors` holds what the console and the security policy complained of."""

    def __init__(self, url):
        self.wire = WebSocket(url)
        self.number = 0
        self.errors = []
        for domain in ("Page", "Runtime", "Log"):
            self.command(domain + ".enable")

    def command(self, method, **parameters):
        self.number += 1
        number = self.number
        self.wire.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.wire.receive())
            self.note(message)
            if message.get("id") == number:
                if "error" in message:
                    raise Refused(message)
                return message["result"]

    def note(self, message):
        event = message.get("params", {})
        if message.get("method") == "Runtime.exceptionThrown":
            self.errors.append(event["exceptionDetails"]["text"])
        if message.get("method") == "Log.entryAdded" and event["entry"]["level"] == "error":
            self.errors.append(event["entry"]["text"])

    def run(self, script):
        answer = self.command("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise Refused(answer)
        return answer["result"].get("value")

    def go(self, url):
        self.command("Page.navigate", url=url)
        wait_until(lambda: self.run("document.readyState") == "complete" and
                   self.run("location.href").startswith(url), url)

    def look_like(self, width, height, scheme):
        self.command("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def close(self):
        self.command("Page.close")
        self.wire.socket.close()

    def shoot(self, file):
        with open(file, "wb") as out:
            out.write(base64.b64decode(self.command("Page.captureScreenshot", captureBeyondViewport=True)["data"]))


class Browser:
    def __enter__(self):
        self.profile = tempfile.mkdtemp(prefix="sidecar-browser-")
        self.process = subprocess.Popen(
            [find(), "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-port=0",
             "--remote-allow-origins=*", "--user-data-dir=" + self.profile, "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        port_file = os.path.join(self.profile, "DevToolsActivePort")
        wait_until(lambda: os.path.exists(port_file) and os.path.getsize(port_file) > 0, "the browser's start")
        with open(port_file) as lines:
            self.port = int(lines.readline())
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(PATIENCE)
        shutil.rmtree(self.profile, ignore_errors=True)

    def page(self):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/json/new?about:blank", method="PUT")
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return Page(json.load(answer)["webSocketDebuggerUrl"])
