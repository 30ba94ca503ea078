"""Generated parts of the reference equal the code: `python docs/generate.py` writes them."""

import importlib.util
import re
from dataclasses import fields

import pytest
from documents import PROJECT, name

from litegate.core.options import OPTIONS
from litegate.mutation.faults.catalogue import shipped_faults
from litegate.report.schema import SCHEMA
from litegate.spec import Budget, Data, Regression, Training

SCRIPT = PROJECT / "docs" / "generate.py"


def _loaded():
    spec = importlib.util.spec_from_file_location("generate", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


generate = _loaded()
PAGES = generate.pages()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_page_says_what_the_code_says(page):
    text = page.read_text("utf-8")
    assert text == generate.generated(text), "run python docs/generate.py"


def test_each_part_is_on_one_page():
    names = [part for page in PAGES for part in generate.part_names(page.read_text("utf-8"))]
    assert sorted(names) == sorted(generate.PARTS)


def test_a_changed_part_is_restored():
    page = "# A\n\n<!-- generated: File -->\nold\n<!-- end of generated part -->\n\nby hand\n"
    written = generate.generated(page)
    assert "| `sha256` | `str` | `''` |" in written
    assert "old" not in written
    assert written.endswith("\n\n<!-- end of generated part -->\n\nby hand\n")
    assert generate.generated(written) == written


def test_an_unknown_part_is_an_error():
    page = "<!-- generated: Fil -->\n<!-- end of generated part -->\n"
    with pytest.raises(KeyError, match="Fil"):
        generate.generated(page)


@pytest.mark.parametrize("owner", [Budget, Regression, Training, Data])
def test_every_field_has_a_row(owner):
    rows = _rows(generate.PARTS[owner.__name__]())
    assert [row[0] for row in rows] == [f"`{field.name}`" for field in fields(owner)]


def test_a_limit_says_its_unit_default_and_check():
    generate.PARTS["checks"]()  # which must leave the parsed checks as they are
    rows = {row[0]: row for row in _rows(generate.PARTS["Regression"]())}
    assert rows["`accuracy`"][1:3] == ["`points(...)`", "0.50 points"]
    assert "`test_accuracy_is_not_lost`" in rows["`accuracy`"][3]
    assert rows["`interface`"][3].endswith("<br>`test_interface_stays`")
    rows = {row[0]: row for row in _rows(generate.PARTS["Budget"]())}
    assert rows["`size`"][1:3] == ["`kib(...)` or `byte(...)`", "unset"]
    assert rows["`size`"][3].endswith(" file.<br>`test_size_stays_within_budget`")
    assert rows["`target`"][3].endswith("<br>`test_target_takes_every_operator`")


def test_options_have_their_flag_setting_and_environment_variable():
    rows = _rows(generate.PARTS["options"]())
    assert len(rows) == len(OPTIONS)
    names = "`--litegate-store DIR`<br>`litegate_store`<br>`LITEGATE_STORE`"
    (store,) = (row for row in rows if row[0] == names)
    assert store[1] == "`.litegate/store`"


def test_checks_have_their_requirement_and_comparison():
    rows = dict(_rows(generate.PARTS["checks"]()))
    functions = re.findall(
        r"^def (test_\w+)",
        "".join(file.read_text("utf-8") for file in (PROJECT / "checks").glob("test_*.py")),
        re.MULTILINE,
    )
    assert sorted(rows) == sorted(f"`{function}`" for function in functions)
    compared = {name: row.split("<br>")[1] for name, row in rows.items()}
    assert compared["`test_size_stays_within_budget`"] == "`size <= budget.size`"
    assert compared["`test_latency_does_not_grow`"] == "`latency_growth <= regression.latency`"
    assert all(row.split("<br>")[0].endswith(".") for row in rows.values())


def test_every_fault_has_a_row():
    rows = _rows(generate.PARTS["faults"]())
    assert [row[0] for row in rows] == [f"`{fault.name}`" for fault in shipped_faults()]


def test_fields_of_the_report_are_there_with_their_description():
    written = generate.PARTS["report.json"]()
    for field in SCHEMA["properties"]:
        assert f"| `{field}` |" in written
    assert "| `verdicts` | array of [verdict](#verdict) |" in written
    assert SCHEMA["properties"]["verdict"]["description"] in written


def test_every_public_name_has_a_summary():
    rows = dict(_rows(generate.PARTS["API"]()))
    public = [name for names in generate.public_names().values() for name in names]
    assert list(rows) == [f"`{name}`" for name in public]
    assert {"`litegate.Budget`", "`litegate.datasets.npz`", "`litegate.testing.tiny`"} <= {*rows}
    assert all(rows.values())


def test_the_api_reference_describes_every_public_name():
    """Two modules are described as a whole; `-m site` tests what Sphinx makes of them."""
    page = (PROJECT / "docs" / "reference" / "api.md").read_text("utf-8")
    described = {*re.findall(r"^\.\. (?:auto|py:)\w+:: (litegate\.[\w.]+)$", page, re.MULTILINE)}
    names = {name for names in generate.public_names().values() for name in names}
    whole = {"litegate.testing", "litegate.mutation.faults"}
    assert whole <= described
    assert {name for name in names if name.rpartition(".")[0] not in whole} <= described


def test_commands_have_their_usage_and_options():
    written = generate.PARTS["commands"]()
    assert "## litegate store prune\n" in written
    assert "| `FILE...` |" in written
    assert "| `--target TARGET` |" in written
    assert "With `--json`" in written
    assert "## litegate merge\n" not in written
    assert "## litegate merge\n" in generate.PARTS["commands of CI"]()


def _rows(table):
    """The cells of each row of tables, without their heads."""
    lines = re.findall(r"^\| (`.*) \|$", table, re.MULTILINE)
    return [re.split(r" (?<!\\)\| ", line) for line in lines]
