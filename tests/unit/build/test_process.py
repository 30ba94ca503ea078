"""The parent's side of the tool chain, against small children that stand in for the real one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import pytest

from litegate.build import process
from litegate.core.errors import BuildError, ConfigError, DataError, DataUnavailable
from litegate.spec import DataLocations

PRELUDE = """
import json, os, signal, sys, time
request = json.loads(sys.stdin.readline())
def say(event, **fields):
    print(json.dumps({"event": event} | fields), flush=True)
def stage(recipe="int8_qat", stage="fine-tune", shared=False):
    say("stage", recipe=recipe, stage=stage, shared=shared)
def fail(kind, **fields):
    say("error", kind=kind, what="it broke", **fields)
"""
FINISH = """
for recipe in request["recipes"]:
    say("artifact", recipe=recipe)
say("done")
"""


class Fake:
    """A project with a fake tool chain, and what it reported."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.events: list[process.Event] = []

    def request(self, *recipes: str) -> process.Request:
        return process.Request(
            file=self.folder / "models" / "m.py",
            project=self.folder,
            model="m",
            recipes=recipes or ("int8_qat",),
            locations=DataLocations(directory=self.folder / "data"),
            staging=self.folder / "staging",
        )

    def command(self, script: str) -> tuple[str, ...]:
        path = self.folder / "fake.py"
        path.write_text(PRELUDE + textwrap.dedent(script))
        return sys.executable, str(path)

    def build(self, script: str, *recipes: str, timeout: float = 20, on_event=None) -> None:
        hear = on_event or self.events.append
        process.build(self.request(*recipes), hear, timeout, command=self.command(script))

    def error(self, script: str, kind: type[Exception] = BuildError, timeout: float = 20):
        with pytest.raises(kind) as caught:
            self.build(script, timeout=timeout)
        assert type(caught.value) is kind
        return caught.value


@pytest.fixture
def fake(tmp_path: Path) -> Fake:
    return Fake(tmp_path)


def is_gone(pid: int) -> bool:
    """Whether a process has ended, waiting up to ten seconds for it; a zombie has."""
    for _ in range(200):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def test_child_is_told_everything(fake: Fake) -> None:
    """File, project, model, recipes, places of the data and the staging folder arrive whole."""
    fake.build("(open(request['staging'] + '/got', 'w')).write(repr(request))" + FINISH, "a", "b+1")
    got = eval((fake.folder / "staging" / "got").read_text())  # noqa: S307 our own repr
    assert got == {
        "file": str(fake.folder / "models" / "m.py"),
        "project": str(fake.folder),
        "model": "m",
        "recipes": ["a", "b+1"],
        "locations": {"directory": str(fake.folder / "data"), "cache": None},
        "staging": str(fake.folder / "staging"),
        "device": "cpu",
        "is_base": False,
    }


def test_events_arrive_in_order(fake: Fake) -> None:
    """Stages, progress and artifacts are handed on; signs of life are not."""
    progress = {"epoch": 1, "epochs": 2, "step": 3, "steps": 4, "loss": 0.5, "accuracy": 0.25}
    fake.build(
        f"""
        stage()
        say("alive")
        say("progress", recipe="int8_qat", stage="fine-tune", eta=1.5, **{progress})
        """
        + textwrap.indent(FINISH, " " * 8)
    )
    assert fake.events == [
        process.Stage(recipe="int8_qat", stage="fine-tune"),
        process.Progress(recipe="int8_qat", stage="fine-tune", eta=1.5, **progress),
        process.Ready(recipe="int8_qat"),
    ]


def test_done_without_an_artifact_is_an_error(fake: Fake) -> None:
    """A child that says it is done and gave nothing has failed."""
    error = fake.error("say('done')")
    assert "without all artifacts" in error.what
    assert error.got == "nothing for int8_qat"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("data-unavailable", DataUnavailable),
        ("data", DataError),
        ("config", ConfigError),
        ("versions", BuildError),
        ("memory", BuildError),
        ("never heard of", BuildError),
    ],
)
def test_kind_of_failure_gives_class_of_error(fake: Fake, kind: str, expected: type) -> None:
    """Each kind of failure becomes its own class of error, an unknown one a build error."""
    fake.error(f"fail({kind!r})", expected)


def test_missing_data_are_named_first(fake: Fake) -> None:
    """Nothing was built yet: the error is of the data, not of a stage."""
    error = fake.error("fail('data-unavailable', remedy='bring it')", DataUnavailable)
    assert (error.what, error.remedy) == ("it broke", "bring it")


def test_failure_is_told_whole(fake: Fake) -> None:
    """Model, recipe, stage, expected, got, the user's file and line, and the remedy."""
    error = fake.error(
        "stage(); fail('builder', expected='good', got='bad', remedy='mend it', "
        "file='/p/m.py', line=12)"
    )
    assert error.what == "cannot build m/int8_qat (fine-tune): it broke"
    assert (error.expected, error.got) == ("good", "bad at /p/m.py:12")
    assert error.remedy == "mend it"


@pytest.mark.parametrize("shared", [True, False])
def test_failure_says_whom_it_concerns(fake: Fake, shared: bool) -> None:  # noqa: FBT001
    """An error names its recipe, and whether the others rest on the same stage."""
    error = fake.error(f"stage(shared={shared}); fail('other')")
    assert (error.recipe, error.shared) == ("int8_qat", shared)


def test_failure_before_any_stage_concerns_all(fake: Fake) -> None:
    """Where nothing was begun yet, no recipe can be had."""
    error = fake.error("fail('versions')")
    assert error.what.startswith("cannot build m")
    assert (error.recipe, error.shared) == ("", True)


def test_death_without_a_word_quotes_the_last_lines(fake: Fake) -> None:
    """Exit code and the end of what the child printed are in the error, the beginning is not."""
    error = fake.error(
        """
        for number in range(40):
            print("line", number, file=sys.stderr)
        sys.exit(7)
        """
    )
    assert "exit code 7" in error.what
    assert "line 39" in error.got
    assert "line 24" not in error.got


def test_exit_code_zero_without_a_result_is_an_error(fake: Fake) -> None:
    """A child that ends well and says nothing gave nothing."""
    assert "exit code 0 and no result" in fake.error("pass").what


def test_killed_child_points_to_memory(fake: Fake) -> None:
    """SIGKILL is named, and what most likely sent it."""
    error = fake.error("stage(); os.kill(os.getpid(), signal.SIGKILL)")
    assert "killed by SIGKILL" in error.what
    assert "out of memory" in error.remedy
    assert "cannot build m/int8_qat (fine-tune)" in error.what


def test_crashed_child_is_not_blamed_on_memory(fake: Fake) -> None:
    """Another signal is named as it is."""
    error = fake.error("os.kill(os.getpid(), signal.SIGTERM)")
    assert "killed by SIGTERM" in error.what
    assert "memory" not in error.remedy


def test_half_a_line_is_no_report(fake: Fake) -> None:
    """A child killed while it writes counts as killed, whatever it had begun to say."""
    script = 'sys.stdout.write(\'{"event": "do\'); sys.stdout.flush(); os.kill(os.getpid(), 9)'
    assert "killed by SIGKILL" in fake.error(script).what


@pytest.mark.parametrize(
    "line", ["hello", "[]", "{}", '{"event": "dance"}', '{"event": "artifact"}']
)
def test_line_that_is_no_report_is_an_error(fake: Fake, line: str) -> None:
    """Nothing that the child writes is passed over."""
    error = fake.error(f"print({line!r}, flush=True); time.sleep(60)")
    assert "an invalid report" in error.what
    assert line in error.got


def test_silent_child_is_ended(fake: Fake) -> None:
    """No sign of life for the timeout: the child is gone, and the error names stage and remedy."""
    error = fake.error("stage(recipe=str(os.getpid()), stage='convert'); time.sleep(60)", timeout=1)
    assert "no progress for 1 s" in error.what
    assert "(convert)" in error.what
    assert "--litegate-build-timeout" in error.remedy
    assert is_gone(int(fake.events[0].recipe))


def test_signs_of_life_keep_a_child_alive(fake: Fake) -> None:
    """The timeout limits silence, not the whole."""
    fake.build(
        """
        for _ in range(8):
            time.sleep(0.3)
            say("alive")
        """
        + textwrap.indent(FINISH, " " * 8),
        timeout=2,
    )
    assert fake.events == [process.Ready(recipe="int8_qat")]


def test_hang_is_located_in_the_users_code(fake: Fake) -> None:
    """The innermost line of the project's own code is named, not the library's below it."""
    module = fake.folder / "looping.py"
    module.write_text("import threading\n\ndef turn():\n    threading.Event().wait(60)\n")
    error = fake.error(
        """
        import faulthandler
        faulthandler.register(signal.SIGUSR1, all_threads=False)
        stage()
        import looping, contextlib
        with contextlib.ExitStack() as stack:
            stack.callback(looping.turn)
        """,
        timeout=2,
    )
    assert error.got == f"it was at {module}:4"


@pytest.mark.parametrize("kind", [KeyboardInterrupt, OSError])
def test_exception_in_the_parent_ends_the_child(fake: Fake, kind: type[BaseException]) -> None:
    """Ctrl-C, or a store that is full: raised again when the child is gone."""
    pids: list[int] = []

    def on_event(event: process.Event) -> None:
        pids.append(int(event.recipe))
        raise kind

    with pytest.raises(kind):
        fake.build("stage(recipe=str(os.getpid())); time.sleep(60)", on_event=on_event)
    assert is_gone(pids[0])


def test_child_that_ignores_the_request_to_end_is_killed(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the grace period nothing is asked any more."""
    monkeypatch.setattr(process, "GRACE", 0.2)
    error = fake.error(
        """
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        stage(recipe=str(os.getpid()))
        fail("other")
        time.sleep(60)
        """
    )
    assert is_gone(int(error.recipe))


def test_child_has_a_process_group_of_its_own(fake: Fake) -> None:
    """Ctrl-C on the terminal goes to the foreground group, which the child is not in."""
    fake.build("stage(recipe=str(os.getpgrp() == os.getpid()))" + FINISH)
    assert fake.events[0].recipe == "True"


def test_child_is_asked_to_end_before_it_is_killed(fake: Fake) -> None:
    """SIGTERM comes first, and the child may act on it."""
    fake.error(
        """
        def end(*_):
            open("staging/asked", "w").close()
            os._exit(0)
        os.chdir(request["project"])
        signal.signal(signal.SIGTERM, end)
        fail("other")
        time.sleep(60)
        """
    )
    assert (fake.folder / "staging" / "asked").exists()


def test_child_that_never_reads_is_heard(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that ended before it was told anything gives its own error, not a broken pipe."""
    start = subprocess.Popen

    def ended(*args, **kwargs):
        ended_process = start(*args, **kwargs)
        ended_process.wait()
        return ended_process

    monkeypatch.setattr(subprocess, "Popen", ended)
    path = fake.folder / "deaf.py"
    path.write_text("import sys; sys.exit('no such module')")
    with pytest.raises(BuildError, match="exit code 1") as caught:
        process.build(fake.request(), fake.events.append, 20, command=(sys.executable, str(path)))
    assert "no such module" in caught.value.got


def test_child_imports_what_the_parent_can(
    fake: Fake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The parent's import path, as it stands, is the child's."""
    (tmp_path / "only_here.py").write_text("name = 'found'")
    monkeypatch.syspath_prepend(tmp_path)
    fake.command("")
    script = tmp_path / "elsewhere" / "fake.py"
    script.parent.mkdir()
    script.write_text(PRELUDE + "import only_here; stage(recipe=only_here.name)" + FINISH)
    process.build(
        fake.request(), fake.events.append, 20, command=(sys.executable, "-P", str(script))
    )
    assert fake.events[0].recipe == "found"


def test_child_imports_another_checkouts_modules_from_that_checkout(
    fake: Fake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Or the base of a project with a `src` folder would be built of the change's own modules."""
    for side in ("head", "base"):
        (tmp_path / side / "src").mkdir(parents=True)
        (tmp_path / side / "src" / "networks.py").write_text(f"name = {side!r}")
    monkeypatch.syspath_prepend(tmp_path / "head" / "src")
    script = tmp_path / "fake.py"
    script.write_text(PRELUDE + "import networks; stage(recipe=networks.name)" + FINISH)
    request = replace(
        fake.request(),
        project=tmp_path / "base",
        locations=DataLocations(project=tmp_path / "head"),
    )
    process.build(request, fake.events.append, 20, command=(sys.executable, "-P", str(script)))
    assert fake.events[0].recipe == "base"


def test_interrupt_of_a_real_parent_leaves_no_child(fake: Fake) -> None:
    """SIGINT to the parent's process group: the parent raises KeyboardInterrupt, both are gone."""
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, *fake.command("stage(str(os.getpid())); time.sleep(60)")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=_environment(fake),
        text=True,
        process_group=0,
    )
    assert parent.stdout
    pid = int(parent.stdout.readline())
    os.killpg(parent.pid, signal.SIGINT)
    _, errors = parent.communicate(timeout=20)
    assert "KeyboardInterrupt" in errors
    assert is_gone(pid)


def test_importing_needs_neither_numpy_nor_tensorflow() -> None:
    """The parent's side costs no import of them."""
    script = "import sys, litegate.build.process; print({'numpy', 'tensorflow'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "set()"


_PARENT = """
import os, sys
from pathlib import Path
from litegate.build import process
from litegate.spec import DataLocations
folder = Path(os.environ["FOLDER"])
request = process.Request(file=folder, project=folder, model="m", recipes=("r",),
                        locations=DataLocations(), staging=folder / "staging")
process.build(request, lambda event: print(event.recipe, flush=True), 60, command=sys.argv[1:])
"""


def _environment(fake: Fake) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "FOLDER": str(fake.folder)}
