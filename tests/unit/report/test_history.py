"""History: what a run keeps of its verdicts by commit, and the lines drawn of it."""

import json
import re
from html import unescape

import made_reports
import pytest

from litegate.core.errors import ConfigError
from litegate.core.escaping import plain
from litegate.report.history_store import (
    reports_before_head,
    reports_in_folder,
    reports_of_commits,
    save_verdicts,
)
from litegate.report.html import page
from litegate.report.html.charts.over_commits import over_commits
from litegate.report.html.history import MOST_COMMITS, history
from litegate.report.schema import SCHEMA_VERSION, check


def report(number, *verdicts, changed=False, subject="", **more):
    """A report of the commit of a number, one pass by default."""
    head = {
        "commit": f"{number:040x}",
        "subject": subject or f"commit {number}",
        "time": 1_700_000_000 + number,
        "changed": changed,
    }
    return made_reports.report(*(verdicts or [made_reports.verdict()]), **more) | {"head": head}


def values(line):
    """The values of a line, by the number of their commit."""
    return {point.commit: point.value for point in line.points}


def test_a_kept_report_is_read_again_as_it_was(tmp_path):
    told = report(1, made_reports.verdict("fail"))
    path = save_verdicts(told, tmp_path)
    [kept] = reports_of_commits(tmp_path, [told["head"]["commit"]])
    assert path.name == f"{1:040x}.json"
    assert kept["head"] == told["head"]
    [row] = kept["verdicts"]
    assert row == {key: told["verdicts"][0][key] for key in row if key != "waived"} | {
        "waived": False
    }


@pytest.mark.parametrize(
    "told",
    [
        report(1, changed=True),
        made_reports.report(made_reports.verdict()),
        report(1) | {"verdicts": []},
    ],
    ids=["changed", "no commit", "no verdict"],
)
def test_what_is_no_commits_verdict_is_not_kept(tmp_path, told):
    assert save_verdicts(told, tmp_path / "history") is None
    assert not (tmp_path / "history").exists()


def test_a_part_of_the_checks_renews_its_own_verdicts(tmp_path):
    size, drop = (made_reports.verdict(check=name) for name in ("test_size", "test_drop"))
    save_verdicts(report(1, size, drop), tmp_path)
    save_verdicts(report(1, made_reports.verdict(check="test_size", value=0.002)), tmp_path)
    [kept] = reports_in_folder(tmp_path)[0]
    found = {row["check"]: row["value"] for row in kept["verdicts"]}
    assert found == {"test_size": 0.002, "test_drop": 0.001}


def test_a_damaged_file_is_written_anew(tmp_path):
    (tmp_path / f"{1:040x}.json").write_text("{")
    assert reports_of_commits(tmp_path, [f"{1:040x}"]) == []
    save_verdicts(report(1), tmp_path)
    assert len(reports_of_commits(tmp_path, [f"{1:040x}"])) == 1


def test_whole_reports_of_ci_are_a_history_too(tmp_path):
    for number in (3, 1, 2):
        folder = tmp_path / f"run-{number}" / "gate-report"
        folder.mkdir(parents=True)
        (folder / "report.json").write_text(json.dumps(report(number)))
        (folder / "other.json").write_text("[]")
    broken = tmp_path / "run-4"
    broken.mkdir()
    (broken / "report.json").write_text(json.dumps(made_reports.report()))
    kept, gaps = reports_in_folder(tmp_path)
    assert [one["head"]["subject"] for one in kept] == ["commit 1", "commit 2", "commit 3"]
    assert len(gaps) == 1
    assert "run-4" in gaps[0]


def _outdated(number):
    return report(number) | {"schema_version": SCHEMA_VERSION - 1}


@pytest.mark.parametrize(
    ("outdated", "note"),
    [
        (1, "not in the history: 1 report of an earlier version of litegate"),
        (3, "not in the history: 3 reports of an earlier version of litegate"),
    ],
)
def test_reports_of_an_earlier_version_are_left_out_with_one_note(tmp_path, outdated, note):
    save_verdicts(report(9), tmp_path)
    for number in range(outdated):
        (tmp_path / f"{number:040x}.json").write_text(json.dumps(_outdated(number)))
    kept, gaps = reports_in_folder(tmp_path)
    assert [one["head"]["subject"] for one in kept] == ["commit 9"]
    assert gaps == [note]
    commits = [f"{number:040x}" for number in (*range(outdated), 9)]
    assert reports_of_commits(tmp_path, commits) == kept


def test_a_commit_judged_by_an_earlier_version_is_judged_anew(tmp_path):
    """Its verdicts have other names, so none of them is kept beside the new ones."""
    (tmp_path / f"{1:040x}.json").write_text(json.dumps(_outdated(1)))
    save_verdicts(report(1, made_reports.verdict(check="test_other")), tmp_path)
    [kept] = reports_in_folder(tmp_path)[0]
    assert [row["check"] for row in kept["verdicts"]] == ["test_other"]


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="no folder"):
        reports_in_folder(tmp_path / "nowhere")
    assert reports_before_head(tmp_path, tmp_path / "nowhere") == []


def test_a_folder_that_cannot_be_written_says_what_to_do(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="--litegate-history"):
        save_verdicts(report(1), tmp_path / "file" / "history")


def test_lines_go_from_the_oldest_commit_to_the_run_itself():
    kept = [report(n, made_reports.verdict(value=n / 1000)) for n in (1, 2)]
    found = history(kept, report(3, made_reports.verdict("fail"), changed=True))
    assert [one.name for one in found.commits] == ["0000000", "0000000", "0000000+"]
    assert [one.subject for one in found.commits] == ["commit 1", "commit 2", "commit 3"]
    [line] = found.lines["m"]
    assert values(line) == {0: 0.001, 1: 0.002, 2: 0.007}
    assert line.has_changed
    assert line.failing_since == 2


def test_a_measurement_that_some_commits_lack_has_a_gap():
    other = made_reports.verdict(check="test_other")
    found = history([report(1), report(2, other), report(3)])
    lines = found.lines["m"]
    assert [values(line) for line in lines] == [{0: 0.001, 2: 0.001}, {1: 0.001}]
    assert not any(line.has_changed for line in lines)


def test_a_run_at_a_kept_commit_takes_its_place():
    found = history([report(1), report(2)], report(1, made_reports.verdict(value=0.002)))
    assert [one.subject for one in found.commits] == ["commit 2", "commit 1"]
    assert values(found.lines["m"][0]) == {0: 0.001, 1: 0.002}


def test_one_commit_alone_is_no_history():
    assert history([]) is None
    assert history([report(1)]) is None
    assert history([], report(1)) is None
    assert history([report(1)], made_reports.report(made_reports.verdict())) is None


def test_the_last_commits_are_drawn_of_many():
    found = history([report(n) for n in range(MOST_COMMITS + 5)])
    assert len(found.commits) == MOST_COMMITS
    assert found.commits[-1].subject == f"commit {MOST_COMMITS + 4}"


def drawn(*rows):
    """The line of rows, one a commit, drawn."""
    found = history([report(number, row) for number, row in enumerate(rows)])
    return over_commits(found.lines["m"][0], found)


def at(html, kind):
    """Where the first shape of a class stands, in percent of the height."""
    return float(re.search(rf'class="{kind}"[^>]*? (?:y1|cy|y)="([\d.]+)%"', html)[1])


def test_a_value_stands_on_its_side_of_the_limit():
    low, high = made_reports.verdict(value=0.004), made_reports.verdict("fail", value=0.006)
    html = drawn(low, high)
    assert at(html, "dot fail") < at(html, "limit")
    assert at(html, "broken") == 0
    assert "accuracy drop of m/int8_qat over 2 commits: 0.40 points at 0000000" in html


def test_the_forbidden_side_follows_the_relation():
    rows = [made_reports.verdict() | {"relation": ">=", "value": v} for v in (0.006, 0.0065)]
    html = drawn(*rows)
    assert at(html, "broken") == at(html, "limit") > at(html, "dot pass")


def test_a_limit_that_is_far_off_is_named_and_not_drawn():
    rows = [made_reports.verdict() | {"value": value} for value in (0.00001, 0.000011)]
    assert 'class="limit"' not in drawn(*rows)
    html = page(report(1, rows[1]), earlier=[report(0, rows[0])])
    assert "0.001 points, limit ≤ 0.50 points</figcaption>" in html


def test_another_limit_starts_another_stretch():
    row = made_reports.verdict(value=0.004)
    html = drawn(row, row | {"limit": 0.006}, row | {"limit": 0.006})
    assert html.count('class="limit"') == 2


@pytest.mark.parametrize("value", [0.0, 5e-324, 1e18, -0.25])
def test_any_value_is_drawn(value):
    row = made_reports.verdict() | {"value": value, "limit": value}
    html = drawn(row, row | {"verdict": "fail"})
    assert "nan" not in html
    assert "inf" not in html


@pytest.mark.parametrize("hostile", made_reports.HOSTILE)
def test_a_hostile_subject_stays_text(hostile):
    kept = [report(1, subject=hostile), report(2, made_reports.verdict("fail"), subject=hostile)]
    html = page(kept[1] | {"exit_status": 1}, earlier=kept)
    section = html[html.index('id="history"') :]
    assert plain(hostile)[:40] in unescape(section)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u200b\u202e\u2028]", html)
    assert "<script" not in html
    assert "<a" not in section.replace("<article", "")


def test_a_page_names_what_did_not_move_and_since_when_one_fails():
    still = made_reports.verdict(check="test_still", name="size")
    kept = [report(1, still, made_reports.verdict()), report(2, still, made_reports.verdict())]
    told = report(3, still, made_reports.verdict("fail"), subject="prune harder")
    html = page(told, earlier=kept)
    section = html[html.index('id="history"') :]
    assert section.count('class="plot over-commits"') == 1
    assert re.search(r"outside its limit since <code>0000000</code> prune harder", section)
    assert "1 did not change" in section


def test_a_report_with_another_head_is_refused():
    check(report(1), "r")
    check(made_reports.report(), "r")
    for broken in ({"commit": "../x"}, {"time": "now"}, {"changed": 1}, {"subject": None}):
        with pytest.raises(ConfigError, match="head"):
            check(report(1) | {"head": report(1)["head"] | broken}, "r")
