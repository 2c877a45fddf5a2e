"""The status endpoint that deploy/ offers, in the legacy API of tests/grape on Puma, with a database that is not empty."""

import http.client
import json
import sqlite3
import uuid
from pathlib import Path

from proxies import first_free_port, program

HERE = Path(__file__).resolve().parent
SECRET = "status-secret"
PATH = "/internal/consistency"
PROJECTS, FILES = 2_000, 20_000
IN_PROCESS = 20, 100  # of these; the files' projects are listed, too
NOW = "2022-03-04 15:06:07"


class Sample:
    def __init__(self, field, etag=True):
        port = first_free_port()
        self.file = field.run_folder("puma") / "dds.sqlite"
        self.file.unlink(missing_ok=True)
        environment = {"DATABASE_URL": f"sqlite3:{self.file}?pool=1&checkout_timeout=30", "SIDECAR_SECRET": SECRET,
                       "RACK_ENV": "production", "RAILS_ENV": "production", **({} if etag else {"WITHOUT_ETAG": "1"})}
        self.puma = field.start("puma", ["env", *[f"{name}={value}" for name, value in environment.items()], program("puma"),
                                         "-b", f"tcp://127.0.0.1:{port}", "-t", "5:5", HERE / "sample.ru"],
                                field.all_cores, port)
        self.port = port
        self.database = sqlite3.connect(self.file, timeout=10, isolation_level=None)
        self.database.execute("PRAGMA synchronous = OFF")
        self.fill()

    def fill(self):
        provider, = self.database.execute("SELECT id FROM storage_providers WHERE is_default").fetchone()
        projects = [str(uuid.uuid5(uuid.NAMESPACE_OID, f"project {i}")) for i in range(PROJECTS)]
        files = [str(uuid.uuid5(uuid.NAMESPACE_OID, f"file {i}")) for i in range(FILES)]
        project_of = lambda i: projects[-1 - i % 20] if i < IN_PROCESS[1] else projects[i % PROJECTS]
        insert = lambda table, columns, rows: self.database.executemany(
            f"INSERT INTO {table} ({columns}, created_at, updated_at) VALUES "
            f"({', '.join('?' * (columns.count(',') + 1))}, '{NOW}', '{NOW}')", rows)
        self.database.execute("BEGIN")
        insert("projects", "id, name, description, is_deleted", ((id, "a", "b", False) for id in projects))
        insert("project_storage_providers", "id, project_id, storage_provider_id, is_initialized",
               ((id, id, provider, i >= IN_PROCESS[0]) for i, id in enumerate(projects)))
        insert("uploads", "id, project_id, storage_provider_id, name, size, completed_at, is_consistent",
               ((id, project_of(i), provider, "a", 1, NOW, i >= IN_PROCESS[1]) for i, id in enumerate(files)))
        insert("containers", "id, type, name, project_id, is_deleted",
               ((id, "DataFile", "a", project_of(i), False) for i, id in enumerate(files)))
        insert("file_versions", "id, data_file_id, upload_id, version_number", ((id, id, id, 1) for id in files))
        # As deploy/status_endpoint asks for.
        self.database.execute("CREATE INDEX in_process ON uploads (id) WHERE completed_at IS NOT NULL AND is_consistent IS NOT TRUE")
        self.database.execute("CREATE INDEX of_upload ON file_versions (upload_id)")
        self.database.execute("ANALYZE")
        self.database.execute("COMMIT")
        self.project = projects[0]
        listed = self.document()
        assert (len(listed["projects"]), len(listed["files"])) == (IN_PROCESS[0] + 20, IN_PROCESS[1]), listed

    def document(self):
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        client.request("GET", PATH, headers={"X-Sidecar-Secret": SECRET, "X-Forwarded-Proto": "https"})
        answer = json.load(client.getresponse())
        client.close()
        return answer

    def set_upload_ready(self, ready):
        """Has been committed when this returns."""
        self.database.execute("UPDATE project_storage_providers SET is_initialized = ? WHERE project_id = ?", (ready, self.project))

    def close(self):
        self.database.close()
