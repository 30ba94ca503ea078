"""Files of the user's own: found, fetched or made, and verified."""

import hashlib
import http.server
import os
import threading
import time
from pathlib import Path

import pytest

from litegate.core.errors import BuildError, ConfigError, DataError, DataUnavailable
from litegate.data.sources import locate
from litegate.spec import DataLocations, File

BYTES = b"a model's bytes"
DIGEST = hashlib.sha256(BYTES).hexdigest()
OTHER = "0" * 64


@pytest.fixture
def places(tmp_path):
    """A project with a file, and a place for what is fetched."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "m.tflite").write_bytes(BYTES)
    return DataLocations(project=project, cache=tmp_path / "cache")


@pytest.fixture
def served(tmp_path):
    """A server of the file on this machine; gives its address and the paths that were asked for."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200 if self.path == "/m.tflite" else 404)
            self.end_headers()
            self.wfile.write(BYTES)

        def log_message(self, *args):
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


def test_a_path_starts_at_the_project(places, monkeypatch):
    monkeypatch.setenv("PLACE", str(places.project))
    for path in ("m.tflite", "./m.tflite", "$PLACE/m.tflite", "${PLACE}/m.tflite"):
        assert locate(File(path=path), places).read_bytes() == BYTES


def test_a_digest_is_held_to(places):
    assert locate(File(path="m.tflite", sha256=DIGEST), places).is_file()
    with pytest.raises(DataError, match=f"expected: SHA-256 {OTHER}\n  got: {DIGEST}"):
        locate(File(path="m.tflite", sha256=OTHER), places)


@pytest.mark.parametrize("how", ["absolute", "above", "link"])
def test_what_leads_out_of_the_project_needs_a_digest(places, how):
    """By an absolute path, by dots or by a link: no commit says what is there."""
    outside = places.project.parent / "elsewhere.tflite"
    outside.write_bytes(BYTES)
    (places.project / "link.tflite").symlink_to(outside)
    named = {"absolute": str(outside), "above": "../elsewhere.tflite", "link": "link.tflite"}
    with pytest.raises(ConfigError, match=f"set its digest: {DIGEST}"):
        locate(File(path=named[how]), places)
    assert locate(File(path=named[how], sha256=DIGEST), places).read_bytes() == BYTES


def test_a_missing_file_is_a_mistake_or_merely_not_here(places):
    """In the project it should be there; pinned by a digest it may lie on another machine."""
    with pytest.raises(ConfigError, match="there is no file"):
        locate(File(path="gone.tflite"), places)
    with pytest.raises(DataUnavailable, match="there is no file"):
        locate(File(path="gone.tflite", sha256=DIGEST), places)
    (places.project / "folder").mkdir()
    with pytest.raises(ConfigError, match="there is no file"):
        locate(File(path="folder"), places)


def test_a_variable_that_is_not_set_is_named(places):
    with pytest.raises(DataUnavailable, match=r"\$NOT_SET_HERE, which is not set"):
        locate(File(path="$NOT_SET_HERE/m.tflite", sha256=DIGEST), places)


def test_a_url_is_fetched_once(places, served):
    """It is kept by its digest; a kept file that was damaged is fetched again."""
    address, asked = served
    file = File(url=f"{address}/m.tflite", sha256=DIGEST)
    kept = locate(file, places)
    assert locate(file, places) == kept
    assert (kept.read_bytes(), asked) == (BYTES, ["/m.tflite"])
    kept.write_bytes(BYTES[:-1])
    assert locate(file, places).read_bytes() == BYTES
    assert len(asked) == 2


def test_a_server_that_sends_other_bytes_leaves_nothing(places, served):
    with pytest.raises(DataError, match="differs from its digest"):
        locate(File(url=f"{served[0]}/m.tflite", sha256=OTHER), places)
    assert not list((places.cache / "files").iterdir())


def test_no_network_is_said(places, served):
    """A refusal, a closed port, a place where downloads are forbidden, a cache that is a file."""
    with pytest.raises(DataUnavailable, match="404"):
        locate(File(url=f"{served[0]}/gone", sha256=DIGEST), places)
    with pytest.raises(DataUnavailable, match="could not be downloaded"):
        locate(File(url="http://127.0.0.1:9/m.tflite", sha256=DIGEST), places)
    file = File(url=f"{served[0]}/m.tflite", sha256=DIGEST)
    with pytest.raises(DataUnavailable, match="is not on this machine"):
        locate(file, DataLocations(project=places.project))
    with pytest.raises(DataUnavailable, match="cannot write"):
        locate(file, DataLocations(cache=places.project / "m.tflite"))


def test_a_command_makes_its_file_each_time(places):
    """Unless a digest says that what lies there is what it makes."""
    script = "from pathlib import Path; p = Path('made'); p.write_text(p.exists() * 'again')"
    (places.project / "make.py").write_text(script)
    for text in ("", "again"):
        assert locate(File(path="made", command="python make.py"), places).read_text() == text
    pinned = hashlib.sha256(b"").hexdigest()
    (places.project / "made").unlink()
    for _ in range(2):
        file = File(path="made", command="python make.py", sha256=pinned)
        assert locate(file, places).read_text() == ""


def test_a_command_that_hangs_is_ended_with_what_it_started(places):
    """Its whole process group is gone."""
    (places.project / "hang.py").write_text(
        "import os, pathlib, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "pathlib.Path('pid').write_text(str(child.pid))\n"
        "time.sleep(60)\n"
    )
    with pytest.raises(BuildError, match="still running after 2 s, no file"):
        locate(File(path="made", command="python hang.py"), places, timeout=2)
    child, patience = int((places.project / "pid").read_text()), time.monotonic() + 5
    while _alive(child) and time.monotonic() < patience:
        time.sleep(0.05)
    assert not _alive(child)


def _alive(pid):
    """Whether a process runs; one that ended and was not waited for does not."""
    try:
        os.kill(pid, 0)
        stat = Path(f"/proc/{pid}/stat").read_text("ascii")
    except (ProcessLookupError, FileNotFoundError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "needs a path or a url"),
        ({"path": "a", "url": "b", "sha256": DIGEST}, "needs a path or a url"),
        ({"url": "b", "command": "c", "sha256": DIGEST}, "takes a command only with a path"),
        ({"url": "https://example.com/m.tflite"}, "has no sha256"),
        ({"path": "a", "sha256": DIGEST[:-1]}, "is not a SHA-256"),
        ({"path": "a", "sha256": DIGEST.upper()}, "is not a SHA-256"),
    ],
)
def test_a_file_says_how_it_is_had(fields, text):
    with pytest.raises(ConfigError, match=text):
        File(**fields)
