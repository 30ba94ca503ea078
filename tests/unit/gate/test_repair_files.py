"""What a repair found, kept for the page of later runs."""

import json

import made_reports
import pytest

from litegate.core.errors import ConfigError
from litegate.gate.repair.repair_files import load_repair, save_repair
from litegate.report.history_store import reports_in_folder

KEYS = ("a" * 64, "b" * 64)


def test_it_is_found_by_each_key(tmp_path):
    repair = made_reports.repair()
    save_repair(tmp_path, KEYS, repair)
    assert [load_repair(tmp_path, key) for key in KEYS] == [repair, repair]
    assert load_repair(tmp_path, "c" * 64) is None


def test_a_later_one_takes_its_place(tmp_path):
    save_repair(tmp_path, KEYS, made_reports.repair())
    later = made_reports.repair(samples="other samples")
    save_repair(tmp_path, KEYS[:1], later)
    assert load_repair(tmp_path, KEYS[0]) == later


@pytest.mark.parametrize("damage", ["", "[]", "{", '{"model": 1}', "[" * 100_000, "\xff"])
def test_a_damaged_file_is_none(tmp_path, damage):
    save_repair(tmp_path, KEYS[:1], made_reports.repair())
    [file] = tmp_path.iterdir()
    file.write_text(damage, encoding="latin-1")
    assert load_repair(tmp_path, KEYS[0]) is None


def test_a_set_of_another_shape_is_none(tmp_path):
    repair = made_reports.repair()
    repair["sets"][0]["bytes"] = "many"
    save_repair(tmp_path, KEYS[:1], repair)
    assert load_repair(tmp_path, KEYS[0]) is None


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "history").write_text("")
    with pytest.raises(ConfigError, match="cannot be kept for the page") as raised:
        save_repair(tmp_path / "history", KEYS, made_reports.repair())
    assert "LITEGATE_HISTORY" in raised.value.remedy


def test_numbers_that_are_not_finite_are_an_error(tmp_path):
    repair = made_reports.repair()
    repair["sets"][0]["value"] = float("nan")
    with pytest.raises(ConfigError):
        save_repair(tmp_path, KEYS, repair)
    assert not list(tmp_path.iterdir())


def test_it_is_no_report_of_the_history(tmp_path):
    save_repair(tmp_path, KEYS, made_reports.repair())
    assert reports_in_folder(tmp_path) == ([], [])
    assert json.loads(next(tmp_path.iterdir()).read_text())["model"] == "m"
