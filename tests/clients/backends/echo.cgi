#!/usr/bin/env python3
"""What Apache makes of a request, told back."""
import hashlib
import json
import os
import sys

body = sys.stdin.buffer.read(int(os.environ.get("CONTENT_LENGTH") or 0)) if os.environ.get("CONTENT_LENGTH") \
    else sys.stdin.buffer.read()
of_the_connection = {"HTTP_CONNECTION", "HTTP_KEEP_ALIVE", "HTTP_TE", "HTTP_UPGRADE", "HTTP_HTTP2_SETTINGS"}
fields = sorted((name, value) for name, value in os.environ.items()
                if name.startswith(("HTTP_", "CONTENT_")) and name not in of_the_connection)
told = json.dumps({"method": os.environ["REQUEST_METHOD"], "target": os.environ["REQUEST_URI"], "fields": fields,
                   "body": [len(body), hashlib.sha256(body).hexdigest()]}) + "\n"
# Without a length Apache takes chunks, or adds one, as quickly as the program happens to end.
print(f"Content-Type: application/json\nContent-Length: {len(told)}\n\n{told}", end="")
