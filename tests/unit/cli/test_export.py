"""What the last report must say of an artifact before its bytes are handed out."""

import json

import pytest

from litegate.cli.export import write
from litegate.core.errors import ConfigError
from litegate.gate.acceptance import NotAccepted, demand_accepted, read_report
from litegate.measures.names import Name
from litegate.testing import tiny_artifact

ARTIFACT = tiny_artifact()
CHECKS = ("test_a[tiny-int8_qat]", "test_b[tiny-int8_qat]")
PLACE = {"model": "tiny", "recipe": "int8_qat"}


def _row(check, verdict="pass", **fields):
    row = {"id": check, "verdict": verdict, "sentence": f"{check} says {verdict}"}
    row |= PLACE | {"measurement": "size", "artifacts": [ARTIFACT.sha256]}
    return row | fields


def _report(*rows, **fields):
    report = {"schema_version": 2, "strict": False, "errors": [], "not_measured": []}
    return report | {"verdicts": list(rows)} | fields


def _demand(*rows, checks=CHECKS, strict_now=False, sources="now", **fields):
    report = _report(*rows, **fields) | {"sources": "now"}
    demand_accepted(report, ARTIFACT, checks, sources=sources, strict=strict_now)


JUDGED = [_row(check) for check in CHECKS]


@pytest.mark.parametrize("second", ["pass", "inconclusive"])
def test_a_verdict_of_each_check_accepts(second):
    """Inconclusive does not fail a run, so it does not stop an export."""
    _demand(JUDGED[0], _row(CHECKS[1], second))


@pytest.mark.parametrize(
    ("verdict", "how"),
    [("fail", {}), ("inconclusive", {"strict": True}), ("inconclusive", {"strict_now": True})],
    ids=["fail", "strict run", "strict now"],
)
def test_a_refused_verdict_is_quoted(verdict, how):
    """Its sentence says all there is to say."""
    with pytest.raises(NotAccepted, match=r"did not accept tiny/int8_qat[^$]*test_b\S* says"):
        _demand(JUDGED[0], _row(CHECKS[1], verdict), **how)


def test_a_report_made_by_other_promises_refuses():
    """A limit was tightened, a check changed or a waiver removed since: that was not judged."""
    with pytest.raises(NotAccepted, match="models, checks, waivers or settings changed since"):
        _demand(*JUDGED, sources="then")


def test_a_failing_check_of_the_whole_model_refuses():
    """It speaks of every recipe."""
    failed = _row("test_m[tiny]", "fail", recipe="", artifacts=[])
    with pytest.raises(NotAccepted, match=r"test_m\[tiny\] says fail"):
        _demand(*JUDGED, failed)


def test_a_failing_check_that_was_removed_since_refuses():
    """The verdict stands until a run without it."""
    with pytest.raises(NotAccepted, match="test_gone"):
        _demand(*JUDGED, _row("test_gone[tiny-int8_qat]", "fail"))


@pytest.mark.parametrize("other", [{"model": "another"}, {"recipe": "another"}])
def test_another_artifacts_fail_is_its_own(other):
    """One model that fails does not hold back the rest."""
    _demand(*JUDGED, _row("test_other", "fail", **other))


def test_a_waived_fail_accepts():
    """Somebody took it on them, by name and until a date."""
    _demand(JUDGED[0], _row(CHECKS[1], "fail", waived={"reason": "known"}))


def test_a_wrong_shipped_file_does_not_refuse():
    """Exporting is what mends it."""
    _demand(
        *JUDGED, _row("test_shipped[tiny-int8_qat]", "fail", measurement=Name.SHIPPED_DIFFERENCES)
    )


@pytest.mark.parametrize(
    "place", [PLACE, {"model": "tiny", "recipe": ""}, dict.fromkeys(PLACE, "")]
)
def test_an_error_refuses(place):
    """A check that came to no verdict accepted nothing."""
    with pytest.raises(NotAccepted, match="test_c came to no verdict: the store is full"):
        _demand(*JUDGED, errors=[{"id": "test_c", "message": "the store is full"} | place])


def test_a_proof_that_does_not_hold_refuses():
    """In its own words: it is no check."""
    error = {"id": "--prove", "message": "the gate is NOT proven: 1 survivor"} | PLACE
    with pytest.raises(NotAccepted, match=r"got: \s*- the gate is NOT proven: 1 survivor"):
        _demand(*JUDGED, errors=[error])


def test_an_error_of_another_model_is_its_own():
    """As for fails."""
    error = {"id": "test_c", "message": "no", "model": "another", "recipe": "int8_qat"}
    _demand(*JUDGED, errors=[error])


def test_a_check_without_a_verdict_is_missing():
    """A run of a selection, or one that was interrupted, judged a part."""
    with pytest.raises(NotAccepted, match=r"only partly[^$]*test_b\S*: it did not run"):
        _demand(JUDGED[0])


def test_a_check_that_was_left_out_on_request_is_missing():
    """With the reason that the run gave."""
    left_out = [{"id": CHECKS[1], "reason": "--benchmark-disable was given"}]
    with pytest.raises(NotAccepted, match=r"test_b\S*: --benchmark-disable was given"):
        _demand(JUDGED[0], not_measured=left_out)


@pytest.mark.parametrize(
    "rows", [[], [_row(CHECKS[0], artifacts=["0" * 64]), _row(CHECKS[1], artifacts=[])]]
)
def test_other_bytes_were_judged(rows):
    """The model changed since, or the report is of another one."""
    with pytest.raises(NotAccepted, match=f"not judged yet[^$]*{ARTIFACT.sha256}[^$]*-model tiny"):
        _demand(*rows)


def test_no_check_at_all_accepts_nothing():
    """Verdicts of checks that are gone are no promise."""
    with pytest.raises(NotAccepted, match="no check is collected"):
        _demand(*JUDGED, checks=())


def test_a_report_is_read_back(tmp_path):
    """As it was written."""
    (tmp_path / "report.json").write_text(json.dumps(_report()))
    assert read_report(tmp_path, "tiny/int8_qat") == _report()


@pytest.mark.parametrize("text", [None, "", "{", "[]", "{}", '{"schema_version": 1}'], ids=repr)
def test_a_report_that_cannot_be_read_accepts_nothing(tmp_path, text):
    """Missing, cut, of another kind or of another version: run the checks again."""
    if text is not None:
        (tmp_path / "report.json").write_text(text)
    with pytest.raises(
        NotAccepted, match=r"not judged yet[^$]*`pytest checks/ --litegate-model t`"
    ):
        read_report(tmp_path, "t/int8_qat")


def test_a_file_is_replaced_whole(tmp_path):
    """Folders are made, nothing temporary is left, and others may read it."""
    place = tmp_path / "app" / "model.tflite"
    write(b"old", place)
    write(b"new", place)
    assert place.read_bytes() == b"new"
    assert list(place.parent.iterdir()) == [place]
    assert place.stat().st_mode & 0o444 == 0o444


@pytest.mark.parametrize("inside", [False, True])
def test_a_file_that_cannot_be_written_is_an_error(tmp_path, inside):
    """A folder in its place, a file in place of its folder: nothing is changed."""
    place = tmp_path / "model.tflite"
    place.write_text("a file") if inside else place.mkdir()
    with pytest.raises(ConfigError, match="cannot be written"):
        write(b"new", place / "model.tflite" if inside else place)
    assert list(tmp_path.iterdir()) == [place]
