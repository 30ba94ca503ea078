"""What a run prints fits a terminal of 100 columns, and is little where all is well."""

import pytest

TIMED = "require(latency(candidate, benchmark, ms(100)) <= ms(100))"
HEAD = "from litegate import ms\nfrom litegate.measures.latency import latency"


@pytest.fixture
def timed(project):
    """A project with one check of time."""
    project.model()
    project.check(TIMED, head=HEAD, args="candidate, benchmark, require")
    return project


def heads(done):
    """The heads of pytest-benchmark's tables."""
    return [line for line in done.stdout.lines if line.startswith("Name (time in")]


@pytest.mark.slow
def test_the_table_of_times_fits(timed):
    [head] = heads(timed.run("checks/", "--benchmark-max-time=0.1"))
    assert head.split()[4:] == ["Median", "IQR", "Rounds"]
    assert len(head) <= 100


@pytest.mark.slow
def test_other_columns_are_shown_where_they_are_asked_for(timed):
    [head] = heads(timed.run("checks/", "--benchmark-columns=min,max"))
    assert head.split()[4:] == ["Min", "Max"]


def test_benchmarks_of_others_keep_their_columns(project):
    file = project.path / "test_other.py"
    file.write_text("def test_it(benchmark):\n    benchmark(len, '')\n")
    [head] = heads(project.run("test_other.py", "--benchmark-max-time=0.1"))
    assert "StdDev" in head


@pytest.mark.parametrize("columns", [None, "60"])
def test_tables_fit_100_columns_where_there_is_no_terminal(project, monkeypatch, columns):
    """Or as many as COLUMNS says; only headlines, commands and paths are longer."""
    if columns:
        monkeypatch.setenv("COLUMNS", columns)
    else:
        monkeypatch.delenv("COLUMNS")
    name = "a_model_with_a_rather_long_name"
    project.model("accuracy=lg.percent(1), size=lg.kib(9)", name=name).real_checks()
    done = project.run("checks/test_accuracy.py", "checks/test_size.py", "checks/test_tensors.py")
    closing = done.outlines[[line.strip("= ") for line in done.outlines].index("litegate") :]
    assert any(line.startswith("PASS") for line in closing)
    assert any("gated" in line for line in closing)
    wide = [line for line in closing if len(line) > int(columns or 100)]
    assert all(line.startswith(("litegate: ", "report: ", "page: ")) for line in wide)
