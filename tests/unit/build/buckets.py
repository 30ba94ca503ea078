"""Buckets for tests: moto's S3 server, and a proxy before it that fails as it is told."""

import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STOP = 0
"""The answer of a server that closes the connection."""


class Proxy(BaseHTTPRequestHandler):
    """Answer with the status that `fault` returns, or forward the request to `upstream`."""

    upstream: str
    fault: Callable[["Proxy"], int | None]
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        """Handle a request of any method."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status = type(self).fault(self)
        if status == STOP:
            self.close_connection = True
            return
        headers, content = [], b""
        if status is None:
            status, headers, content = self._forwarded(body)
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                self.send_header(name, value)
        lengths = [value for name, value in headers if name.lower() == "content-length"]
        is_head = self.command == "HEAD" and lengths
        self.send_header("Content-Length", lengths[0] if is_head else str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_PUT = do_HEAD = do_DELETE = do_POST = do_GET  # noqa: N815

    def _forwarded(self, body):
        # The Host header is signed, so it stays; the connection is another one.
        headers = {k: v for k, v in self.headers.items() if k.lower() != "connection"}
        headers.setdefault("Content-Type", "application/octet-stream")  # not urllib's: a form's
        request = urllib.request.Request(  # noqa: S310
            self.upstream + self.path, data=body or None, headers=headers, method=self.command
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
                return answer.status, answer.getheaders(), answer.read()
        except urllib.error.HTTPError as error:
            return error.code, list(error.headers.items()), error.read()

    def log_message(self, *_):
        """Print nothing."""


@contextmanager
def proxy(upstream, fault):
    """Serve a proxy on a free port; yield its address."""
    handler = type("Handler", (Proxy,), {"upstream": upstream, "fault": staticmethod(fault)})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
