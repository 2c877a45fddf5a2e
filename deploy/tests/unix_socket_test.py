"""A Unix socket between sidecar and API: file modes decide who may connect."""

import os
import pathlib
import socket
import subprocess
import tempfile
import threading

import workshop
from workshop import DEPLOY, Case, run

GROUP, SIDECAR, STRANGER = 10001, 10101, 10102
CONNECT = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])"


class ApiOnSocket:
    """Answers everything with its own words; the umask is what the manifest gives Puma."""

    def __init__(self, path):
        self.listener = socket.socket(socket.AF_UNIX)
        before = os.umask(0o117)
        self.listener.bind(str(path))
        os.umask(before)
        self.listener.listen()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with client:
                if b"\r\n\r\n" in client.recv(65536):
                    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\nConnection: close\r\n\r\nby a socket\n")

    def close(self):
        self.listener.close()


class UnixSocket(Case):
    def test_processes_of_its_group_may_connect_and_others_may_not(self):
        workshop.root()
        with tempfile.TemporaryDirectory() as directory:
            os.chmod(directory, 0o755)
            shared = pathlib.Path(directory, "dds")
            shared.mkdir()
            os.chown(shared, 0, GROUP)
            shared.chmod(0o2777)  # as the kubelet makes an emptyDir with fsGroup
            api = ApiOnSocket(shared / "puma.sock")
            try:
                status = (shared / "puma.sock").stat()
                self.assertEqual((oct(status.st_mode & 0o777), status.st_gid), ("0o660", GROUP))
                self.assertNotEqual(self.connecting(shared / "puma.sock", STRANGER, STRANGER).returncode, 0)
                self.assertEqual(self.connecting(shared / "puma.sock", STRANGER, GROUP).returncode, 0)
                self.assertEqual(self.through_the_sidecar(directory, shared / "puma.sock", GROUP), b"by a socket\n")
            finally:
                api.close()

    @staticmethod
    def connecting(path, user, group):
        return run("setpriv", f"--reuid={user}", f"--regid={user}", f"--groups={group}", "/usr/bin/python3", "-c", CONNECT, path)

    def through_the_sidecar(self, directory, path, group):
        """The component's own configuration, but for what is elsewhere here."""
        text = (DEPLOY / "component/unix_socket/sidecar.yaml").read_text().replace("/run/dds/puma.sock", str(path))
        text = text.replace("/etc/sidecar-secret/status", f"{directory}/status")
        config = pathlib.Path(directory, "sidecar.yaml")
        config.write_text(text + "\nlisten: {address: '127.0.0.1:0'}\nadmin: {address: '127.0.0.1:0'}\n")
        pathlib.Path(directory, "status").write_text("not-a-secret")
        user = ("setpriv", f"--reuid={SIDECAR}", f"--regid={SIDECAR}", f"--groups={group}")
        process = subprocess.Popen([*user, workshop.program("sidecar"), "--config", config], stdout=subprocess.PIPE, text=True)
        try:
            while (line := workshop.as_json(process.stdout.readline()))["msg"] != "serving":
                pass
            with socket.create_connection(("127.0.0.1", line["port"]), timeout=10) as client:
                client.sendall(b"GET / HTTP/1.1\r\nHost: dds\r\nConnection: close\r\n\r\n")
                answer = b""
                while piece := client.recv(65536):
                    answer += piece
            self.assertIn(b" 200 ", answer.split(b"\r\n")[0], answer)
            return answer.split(b"\r\n\r\n", 1)[1]
        finally:
            process.kill()
            process.wait()
