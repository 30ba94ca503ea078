"""What GitLab's merge requests read: metrics in OpenMetrics' format, and Code Quality findings."""

import json
import re
import shlex

import pytest
from made_reports import ENVIRONMENT, HOSTILE, error, verdict

from litegate.core.errors import ConfigError
from litegate.report.gitlab import code_quality, metrics, write
from litegate.report.json_report import METRICS_NAME, QUALITY_NAME, document, prepare_folder
from litegate.report.run_record import Run

LINE = re.compile(r'[a-z_0-9]+\{(\w+="[\w.+/-]+",?)*\} -?[\d.e+-]+')
WORST = ("blocker", "critical", "critical", "minor")


def report(*verdicts, errors=(), strict=False):
    run = Run(environment=ENVIRONMENT, strict=strict, verdicts=list(verdicts), errors=list(errors))
    return document(run)


def parsed(text):
    """The series by name, as GitLab's own parser takes a line apart."""
    pairs = (shlex.split(re.sub("#.*", "", line)) for line in text.splitlines())
    return {name: float(value) for name, value in filter(None, pairs)}


def test_each_measurement_is_a_series_in_units_that_people_read():
    size = verdict(name="size") | {"unit": "B", "value": 25144.0}
    rows = [verdict(), size, verdict("fail", model="other", name="worst class's accuracy drop")]
    assert parsed(metrics(report(*rows))) == pytest.approx(
        {
            "litegate_accuracy_drop_points{model=m,recipe=int8_qat}": 0.1,
            "litegate_size_bytes{model=m,recipe=int8_qat}": 25144,
            "litegate_worst_class_s_accuracy_drop_points{model=other,recipe=int8_qat}": 0.7,
        }
    )


def test_two_verdicts_on_one_measurement_are_one_series_with_the_worse_value():
    rows = [verdict(), verdict("fail"), verdict()]
    assert list(parsed(metrics(report(*rows))).values()) == pytest.approx([0.7])


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_breaks_out_of_its_label_or_line(name):
    *lines, end = metrics(report(verdict(model=name, recipe=name, name=name))).splitlines()
    assert end == "# EOF"
    assert len(lines) == 1
    assert LINE.fullmatch(lines[0]), lines
    [finding] = code_quality(report(verdict("fail", model=name, recipe=name)))
    assert finding["description"].isprintable()


def test_findings_are_what_failed_the_worst_first():
    rows = [verdict(), verdict("inconclusive"), verdict("fail"), verdict("fail", model="n")]
    found = code_quality(
        report(*rows, errors=[error("the store is full\n  got: x")]) | {"folder": "ml/"}
    )
    assert tuple(one["severity"] for one in found) == WORST
    assert found[0]["description"] == "no verdict: m/int8_qat  the store is full"
    assert found[1]["description"].startswith("m/int8_qat  accuracy drop 0.70 points  (limit: ")
    assert found[1]["location"] == {"path": "ml/models/m.py", "lines": {"begin": 6}}
    assert found[1]["check_name"] == "test_drop"
    assert len({one["fingerprint"] for one in found}) == 3  # the inconclusive one is of the same


def test_one_cause_is_one_finding():
    errors = [error(check=f"test_{number}") for number in range(30)]
    assert len(code_quality(report(errors=errors))) == 1


def test_a_strict_run_and_a_waiver_change_the_findings():
    [finding] = code_quality(report(verdict("inconclusive"), strict=True))
    assert finding["severity"] == "critical"
    assert code_quality(report(verdict("fail") | {"waived": {"reason": "agreed"}})) == []


def test_an_error_of_no_model_has_a_place_too():
    row = error("no data", model="", recipe="", file="", line=0)
    [finding] = code_quality(report(errors=[row]))
    assert finding["location"] == {"path": "checks/test_a.py", "lines": {"begin": 1}}


def test_a_fingerprint_outlives_a_change_of_the_value():
    first, second = (code_quality(report(verdict("fail", value=v)))[0] for v in (0.007, 0.009))
    assert first["description"] != second["description"]
    assert first["fingerprint"] == second["fingerprint"]


def test_both_files_are_written_and_taken_away_before_the_next_run(tmp_path):
    write(report(verdict("fail")), tmp_path)
    assert (tmp_path / METRICS_NAME).read_text().endswith("\n# EOF\n")
    assert len(json.loads((tmp_path / QUALITY_NAME).read_text())) == 1
    prepare_folder(tmp_path)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        write(report(), tmp_path / "file")
