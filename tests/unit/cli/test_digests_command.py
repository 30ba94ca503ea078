"""`litegate digests`: what it prints, what it writes into a model file, and what it refuses."""

import hashlib
import sys

import numpy as np
import pytest
from full_disk import full_disk
from typer.testing import CliRunner

from litegate.cli import app
from litegate.core.errors import ConfigError, DataError, DataUnavailable
from litegate.core.options import parse
from litegate.data.digests import array_digest
from litegate.gate.session import GateSession
from litegate.regression.weakening import Change
from litegate.regression.weakening.models import weakened_models
from litegate.spec.loader import discover

X = np.arange(8, dtype=np.float32).reshape(4, 2) / 8
Y = np.array([0, 1, 1, 0], np.uint8)
CURRENT = {"x_test": array_digest(X), "y_test": array_digest(Y)}
OLD = "0" * 64
HEAD = "import litegate as lg\n"
PREBUILT = 'kws = lg.prebuilt(reference="a.tflite", candidate="b.tflite", data={data})\n'
NPZ = 'lg.datasets.npz("s.npz", x="x", y="y", {digests}domain=(0, 1), classes=("a", "b"))'
DATA = """\
import litegate as lg


def load(locations):
    import numpy as np

    with np.load("s.npz") as arrays:
        return lg.Splits(x_test=arrays["x"], y_test=arrays["y"])


def as_it_is(samples):
    return samples


{head}
@lg.model(
    data={data},
    recipes=[lg.recipes.int8_ptq()],
)
def kws(keras):
    \"\"\"A network.\"\"\"
"""
CALL = """lg.Data(
        name="s",
        load=load,
{digests}        preprocess=as_it_is,
        domain=(0, 1),
        classes=("a", "b"),
    )"""


class Project:
    """Writes model files, runs the command, and loads what it left."""

    def __init__(self, path):
        self.path = path
        self.file = path / "models" / "kws.py"
        self.file.parent.mkdir()
        np.savez(path / "s.npz", x=X, y=Y)

    def source(self, text, name="kws.py"):
        (self.file.parent / name).write_bytes(text.encode())

    def digests(self, *args):
        return CliRunner().invoke(app, ["digests", *args])

    def write(self, model="kws"):
        done = self.digests(model, "--write")
        assert done.exit_code == 0, f"{done.output}{done.exception}"
        assert self.declared(model) == CURRENT
        return done.stdout

    def refused(self, *args):
        """The error; the file is as it was, and nothing lies beside it."""
        before = {path: path.read_bytes() for path in self.file.parent.glob("*.py")}
        done = self.digests(*(args or ("kws", "--write")))
        assert isinstance(done.exception, ConfigError), f"{done.output}{done.exception}"
        files = (path for path in self.file.parent.rglob("*") if path.is_file())
        assert {p: p.read_bytes() for p in files if p.suffix != ".pyc"} == before
        return str(done.exception)

    def declared(self, model="kws"):
        return dict(discover(self.file.parent, self.path)[model].data.digests)

    @property
    def text(self):
        return self.file.read_bytes().decode()


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("CI", "LITEGATE_DATA", "LITEGATE_STORE"):
        monkeypatch.delenv(name, raising=False)
    yield Project(tmp_path)
    for name in [name for name in sys.modules if name.startswith(("litegate_models", "_shared"))]:
        del sys.modules[name]


def _dict(text):
    return PREBUILT.format(data=NPZ.format(digests=f"digests={text}, "))


SHAPES = {
    "empty": HEAD + _dict("{}"),
    "old": HEAD + _dict(f"{{'x_test': '{OLD}'}}"),
    "missing in npz": HEAD + PREBUILT.format(data=NPZ.format(digests="")),
    "missing in Data": DATA.format(head="", data=CALL.format(digests="")),
    "in Data": DATA.format(head="", data=CALL.format(digests="        digests={},\n")),
    "constant": HEAD + "DIGESTS: dict[str, str] = {}\n" + _dict("DIGESTS"),
    "data constant": HEAD
    + f"D = {{}}\nDATA = {NPZ.format(digests='digests=D, ')}\n"
    + PREBUILT.format(data="DATA"),
    "function": HEAD
    + f"def data():\n    return {NPZ.format(digests='digests={}, ')}\n\n"
    + PREBUILT.format(data="data()"),
    "replaced": HEAD
    + "import dataclasses\n"
    + f"DATA = {NPZ.format(digests='')}\n"
    + PREBUILT.format(data="dataclasses.replace(DATA, digests={})"),
    "imported names": "from litegate.data import npz\nimport litegate as lg\n"
    + PREBUILT.format(data=NPZ.format(digests="").removeprefix("lg.datasets.")),
    "tabs": HEAD + _dict("{\n\t\t'y_test': '',\n\t}"),
    "two decorators": DATA.format(
        head="def same(model):\n    return model\n\n\n@same",
        data=CALL.format(digests="        digests={},\n"),
    ),
}


@pytest.mark.parametrize("source", SHAPES.values(), ids=SHAPES)
def test_each_shape_of_a_declaration_is_written(project, source):
    project.source(source)
    lines = project.write().splitlines()
    assert lines[0].split()[:2] in (["added", "x_test"], ["changed", "x_test"])
    assert lines[-1].startswith("wrote models/kws.py:")
    assert list(project.file.parent.glob(".*")) == []


COMMENTED = """\
import litegate as lg

if True:
\tDIGESTS = None
kws = lg.prebuilt(
\treference="a.tflite",
\tcandidate="b.tflite",
\tdata=lg.datasets.npz(  # samples of June
\t\t"s.npz",
\t\tx="x",
\t\tdigests={
\t\t\t# of the microphone
\t\t\t'x_test': 'OLD',  # wide
\t\t\t# of nobody
\t\t\t'slices.night': 'OLD',  # gone
\t\t\t# labels
\t\t},
\t\ty='y',   domain = (0,1),
\t\tclasses=("a", "b"),
\t),
)
""".replace("OLD", OLD)


def test_all_else_stays_as_it_is(project):
    """Comments, tabs, quotes, line ends of Windows, odd spaces, a byte order mark."""
    source = "\ufeff" + COMMENTED.replace("\n", "\r\n")
    project.source(source)
    project.file.chmod(0o640)
    said = project.write().splitlines()
    assert [line.split()[:2] for line in said[:3]] == [
        ["changed", "x_test"],
        ["added", "y_test"],
        ["removed", "slices.night"],
    ]
    assert said[0].split(maxsplit=2)[2] == (
        f"{OLD[:12]} -> {CURRENT['x_test'][:12]}  float32 of shape (4, 2)"
    )
    expected = source.replace(f"'x_test': '{OLD}'", f"'x_test': '{CURRENT['x_test']}'")
    expected = expected.replace(f"\t\t\t'slices.night': '{OLD}',  # gone\r\n", "")
    labels = "\t\t\t# labels\r\n"
    expected = expected.replace(labels, f'{labels}\t\t\t"y_test": "{CURRENT["y_test"]}",\r\n')
    assert project.text == expected
    assert project.file.stat().st_mode & 0o777 == 0o640
    before = project.file.stat()
    assert project.write() == "kws: all 2 digests of s match\n"
    assert project.file.stat().st_ino == before.st_ino


def test_a_call_on_one_line_gets_a_line_for_each_argument(project):
    project.source(f"{HEAD}DATA = {NPZ.format(digests='')}\n{PREBUILT.format(data='DATA')}")
    project.write()
    x, y = CURRENT.values()
    expected = f"""\
DATA = lg.datasets.npz(
    "s.npz",
    x="x",
    y="y",
    domain=(0, 1),
    digests={{
        "x_test": "{x}",
        "y_test": "{y}",
    }},
    classes=("a", "b"),
)
"""
    assert expected in project.text


def test_without_write_the_lines_are_printed_and_nothing_is_written(project, monkeypatch):
    """In CI, too, which may be the only place with the data."""
    monkeypatch.setenv("CI", "true")
    project.source(SHAPES["old"])
    done = project.digests("kws")
    assert done.exit_code == 1
    assert f"changed  x_test  {OLD[:12]} ->" in done.stdout
    assert f'        "y_test": "{CURRENT["y_test"]}",\n    }},' in done.stdout
    assert "litegate digests kws --write" in done.stdout
    assert project.text == SHAPES["old"]


def test_writing_is_refused_in_ci(project, monkeypatch):
    monkeypatch.setenv("CI", "true")
    project.source(SHAPES["empty"])
    assert "does not run if CI is set" in project.refused()


def test_without_libcst_the_error_names_the_extra_and_the_lines(project, monkeypatch):
    monkeypatch.setitem(sys.modules, "libcst", None)
    for name in ("model_source", "digest_edits"):
        monkeypatch.delitem(sys.modules, f"litegate.cli.{name}", raising=False)
    project.source(SHAPES["empty"])
    said = project.refused()
    assert 'pip install "litegate[edit]"' in said
    assert f'"x_test": "{CURRENT["x_test"]}",' in said


def test_a_second_model_of_the_file_keeps_its_own(project):
    other = _dict("{'x_test': 'b'}").replace("kws =", "other =")
    project.source(SHAPES["old"] + other)
    assert "the same digests also apply to" not in project.write()
    assert project.text.endswith(other)
    project.write("other")
    assert project.declared() == CURRENT


def test_a_model_that_shares_the_digests_is_named(project):
    source = SHAPES["constant"]
    project.source(source + source.splitlines()[-1].replace("kws =", "other =") + "\n")
    assert "the same digests also apply to other" in project.write()


HARD = {
    "computed": (_dict("dict(x_test='a')"), "kws.py:2 passes no digests=..."),
    "spread": (f"D = {{}}\n{_dict('{**D}')}", "kws.py:3 computes their names"),
    "merged": (f"D = {{}}\n{_dict('D | D')}", "kws.py:3 computes them"),
    "unpacked": (f"D, E = {{}}, 1\n{_dict('D')}", "kws.py:3 uses D, set in line 2"),
    "a circle": (f"D = {{}}\nD = D\n{_dict('D')}", "uses D, set in line 2 and line 3"),
    "in a condition": (
        f"if 1:\n    D = {{}}\n{_dict('D')}",
        "uses D, which no plain assignment sets",
    ),
    "changed later": (
        f"D = {{}}\n{_dict('D')}D.update(x_test='a')\n",
        "the declaration at models/kws.py:2 does not set them",
    ),
    "not every argument": (
        f"D = {{'domain': (0, 1)}}\n{PREBUILT.format(data='lg.datasets.npz(chr(115), **D)')}",
        "passes no digests=...",
    ),
    "several on a line": (
        PREBUILT.format(data=NPZ.format(digests="")).strip() + "; x = dict(data=1)\n",
        "kws.py:2 has no single call with data=...",
    ),
    "limits that need slices": (
        DATA.format(head="", data=CALL.format(digests=""))
        .removeprefix(HEAD)
        .replace("    recipes=", "    budget=lg.Budget(slice_drop=lg.points(1)),\n    recipes="),
        "after the edit, ",
    ),
}


@pytest.mark.parametrize(("source", "said"), HARD.values(), ids=HARD)
def test_what_cannot_be_written_is_printed_with_its_line(project, source, said):
    project.source(HEAD + source.replace("chr(115)", '"s.npz", x="x", y="y"'))
    error = project.refused()
    assert said in error
    assert f'        "x_test": "{CURRENT["x_test"]}",' in error


@pytest.mark.parametrize(
    ("kws", "helper", "line"),
    [
        ("from _shared import DATA as D\n" + PREBUILT.format(data="D"), "DATA = {}\n", 3),
        ("import _shared\n" + PREBUILT.format(data="_shared.DATA"), "DATA = {}\n", 3),
        ("from _shared import DIGESTS\n" + _dict("DIGESTS"), "", 2),
        ("from _shared import kws\n", PREBUILT, 2),
    ],
)
def test_digests_of_a_helper_are_named_with_its_file_and_line(project, kws, helper, line):
    data = NPZ.format(digests="digests=DIGESTS, ")
    written = f"{HEAD}DIGESTS = {{}}\n" + helper.replace("{data}", "{}").format(data)
    project.source(written, "_shared.py")
    project.source(HEAD + kws)
    error = project.refused()
    assert "models/_shared.py:2 declares them" in error
    assert CURRENT["x_test"] in error


def test_digests_of_an_installed_package_are_named_with_their_import(project):
    (project.path / "packages").mkdir()
    (project.path / "packages" / "_shared_far.py").write_text("DIGESTS = {}\n")
    source = "import sys\nsys.path.append('packages')\nfrom _shared_far import DIGESTS\n"
    project.source(HEAD + source + _dict("DIGESTS"))
    sys.path.append("packages")
    error = project.refused()
    sys.path.remove("packages")
    assert "models/kws.py:5 uses DIGESTS, imported from _shared_far" in error


def test_a_read_only_file_is_left_alone(project):
    project.source(SHAPES["empty"])
    project.file.chmod(0o444)
    assert "models/kws.py: the file is read-only" in project.refused()


def test_a_full_disk_leaves_the_file_as_it_was(project):
    project.source(SHAPES["empty"] + "#" * 2000 + "\n")
    with full_disk():
        error = project.refused()
    assert "File too large" in error
    assert CURRENT["x_test"] in error


def test_a_syntax_error_is_named_with_its_line(project):
    project.source(SHAPES["empty"] + "def\n")
    assert "models/kws.py:3" in project.refused()


def test_data_that_are_missing_or_do_not_fit_are_errors(project):
    """Digests of data that no run would accept are never written."""
    project.source(SHAPES["empty"])
    np.savez(project.path / "s.npz", x=X + 1, y=Y)
    done = project.digests("kws", "--write")
    assert isinstance(done.exception, DataError)
    (project.path / "s.npz").unlink()
    done = project.digests("kws", "--write")
    assert isinstance(done.exception, DataUnavailable)
    assert project.text == SHAPES["empty"]
    project.source(SHAPES["in Data"])
    done = project.digests("kws", "--write")
    assert isinstance(done.exception, DataError)
    assert "FileNotFoundError" in str(done.exception)


def test_an_unknown_model_is_told_with_the_known_ones(project):
    project.source(SHAPES["empty"])
    assert "expected: kws" in project.refused("kwz", "--write")


def test_a_digest_of_the_bytes_alone_is_named_as_such(project):
    project.source(HEAD + _dict(f"{{'x_test': '{hashlib.sha256(X.tobytes()).hexdigest()}'}}"))
    assert project.write().splitlines()[0].endswith("the old digest covered only the bytes")


def test_a_stream_is_read_a_part_at_a_time(project):
    source = SHAPES["in Data"].replace(
        'lg.Splits(x_test=arrays["x"], y_test=arrays["y"])',
        'lg.Splits(test=lg.Stream(source=[(arrays["x"], arrays["y"])], batched=True))',
    )
    project.source(source)
    project.write()


def test_the_error_of_a_run_names_the_command_and_the_model(project):
    project.source(SHAPES["old"].replace("kws =", "odd ="))
    options = parse(project.path, {}, {})
    session = GateSession(options, lambda _model, _event: None, print)
    built = session.pipeline.ensure(session.all_models["odd"], ["float32"])
    assert "`litegate digests odd --write`" in built["float32"].remedy
    assert "\n  declared at: models/kws.py:2\n  what to do: " in str(built["float32"])


def test_an_error_that_names_the_file_names_it_once(project):
    """Data that are missing have the line that reads them, which says more than the declaration."""
    model = PREBUILT.format(data=CALL.format(digests=""))
    project.source(f"{DATA.partition('{head}')[0]}{model}")
    (project.path / "s.npz").unlink()
    options = parse(project.path, {}, {})
    session = GateSession(options, lambda _model, _event: None, print)
    built = session.pipeline.ensure(session.all_models["kws"], ["int8_ptq"])
    assert str(built["int8_ptq"]).startswith("data not found: s.npz (models/kws.py:7)")
    assert str(built["int8_ptq"]).count("models/kws.py") == 1


def test_a_written_digest_is_a_weakened_limit(project):
    """However the digest came into the file: a changed evaluation split needs a review."""

    def declared():
        options = parse(project.path, {}, {})
        return GateSession(options, lambda _model, _event: None, print).declared["models"]["kws"]

    project.source(SHAPES["old"])
    before = declared()
    project.write()
    sides = ({"models": {"kws": side}} for side in (before, declared()))
    [weakening] = weakened_models(*sides)
    assert (weakening.kind, weakening.field) == (Change.EVALUATION, "x_test")


def test_what_libcst_cannot_parse_is_printed(project, monkeypatch):
    """Syntax that is newer than the installed libcst."""

    def refuse(_source):
        raise UnicodeError("no such syntax")

    monkeypatch.setattr("libcst.parse_module", refuse)
    project.source(SHAPES["empty"])
    error = project.refused()
    assert "libcst cannot parse models/kws.py: no such syntax" in error
    assert CURRENT["x_test"] in error


def test_the_command_to_type_quotes_odd_names(project):
    project.source(SHAPES["old"].replace("data=", 'name="a; b", data='))
    assert "to write them, run litegate digests 'a; b' --write" in project.digests("a; b").stdout
