"""A proxy before a server with buckets, which fails as a test demands."""

import threading
from collections.abc import Callable
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

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
        # Every header stays, because many are signed; the connection is another one.
        headers = {k: v for k, v in self.headers.items() if k.lower() != "connection"}
        with closing(HTTPConnection(self.upstream, timeout=10)) as connection:
            connection.request(self.command, self.path, body or None, headers)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()

    def log_message(self, *_):
        """Print nothing."""


@contextmanager
def proxy(address, fault):
    """Serve a proxy of the server at an address; yield the proxy's address."""
    upstream = urlsplit(address)
    members = {"upstream": upstream.netloc, "fault": staticmethod(fault)}
    handler = type("Handler", (Proxy,), members)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{upstream.path}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
