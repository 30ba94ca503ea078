"""The page: what stands on top, the same words as elsewhere, and hostile text as text."""

import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser

import made_reports
import pytest

from litegate.core.errors import ConfigError
from litegate.core.escaping import markdown as text
from litegate.core.escaping import plain
from litegate.measures.names import Name
from litegate.report.html import comparison_page, page, write, write_page
from litegate.report.html.answer import answer
from litegate.report.html.captions import (
    class_groups,
    flip_summary,
    layer_summary,
    runtime_summary,
    share,
    short_part,
    shown_disagreements,
    shown_flips,
    side_by_side,
)
from litegate.report.html.findings import passed
from litegate.report.html.page_data import (
    Answer,
    ArtifactData,
    CandidateData,
    ClassChange,
    Confusions,
    Disagreement,
    Epoch,
    Flip,
    FlippedClass,
    FlipSheet,
    Image,
    LayerDifference,
    Numbers,
    OperatorTypes,
    RuntimeSheet,
    SizeDifference,
    SizeShare,
    Wave,
)
from litegate.report.html.verdict_changes import ChangeKind, verdict_changes
from litegate.report.json_report import PAGE_NAME, prepare_folder, run_of
from litegate.report.markdown import summary
from litegate.report.outcomes import headline
from litegate.report.row_text import counts, details, figures, short_fact
from litegate.report.runtime_matrix import runtime_figures
from litegate.report.schema import check
from litegate.report.terminal import lines

WHO_IS_RIGHT = "xnnpack alone is right on 2, tflm alone on 1, neither on 3."
TAGS = """
    html head meta title link style body a header p h1 h2 h3 h4 h5 nav ul ol li main section
    article span div dl dt dd details summary table caption thead tbody tr th td figure
    figcaption svg line rect circle text polyline img b code pre strong small footer br
"""
ALLOWED = frozenset(TAGS.split())


class Seen(HTMLParser):
    """Every tag, attribute and text of a page."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.texts = set(), [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.texts.append(data)


def facts(name, model="m"):
    """Facts of every kind in which `name` stands wherever a name can."""
    side = ArtifactData(
        role="base",
        artifact=name,
        bytes=9,
        operators=1,
        floating=0,
        accuracy=0.5,
        epochs=(Epoch(stage=name, number=1, scores={"accuracy": 0.5, "val_loss": 1.0}),),
    )
    answer = Answer(chosen=name, confidence=0.5)
    flip = Flip(
        sample=3,
        broken=True,
        before=answer,
        after=answer,
        picture=Numbers(values=(1.0,), note=name),
    )
    differing = Disagreement(
        sample=4, label=name, default=answer, other=answer, picture=Numbers(values=(1.0,), note="")
    )
    of_class = FlippedClass(name=name, n=9, broken=2, fixed=0, shown=(flip,))
    return CandidateData(
        model=model,
        recipe=name,
        sides=(side, replace(side, role="candidate")),
        sheet=FlipSheet(
            role="base",
            n=9,
            broken=2,
            fixed=0,
            confused_with=name,
            confused_count=1,
            classes=(of_class,),
        ),
        runtime_sheets=(
            RuntimeSheet(runtime=name, n=9, lost=1, won=0, both_wrong=1, shown=(differing,)),
        ),
        confusions=Confusions(
            names=(name,), left_out=1, counts={"base": ((2,),), "candidate": ((1,),)}
        ),
        classes=(ClassChange(name=name, n=9, before=0.5, after=0.25),),
        size_shares=(SizeShare(name=name, kind="weight", operator=name, bytes=9),),
        size_changes=(SizeDifference(name=name, bytes=4),),
        size_changes_left_out=1,
        operators=(
            OperatorTypes(
                number="0", name=name, reads=name, writes=name, activation=name, floating=name
            ),
        ),
        operators_left_out=1,
        layers=(
            LayerDifference(name=name, operator=name, sqnr=name, difference=0.2, diverges=True),
        ),
        gaps=(name,),
    )


@pytest.mark.parametrize("hostile", made_reports.HOSTILE)
def test_hostile_names_stay_text(hostile):
    """Nothing of them is markup, and nothing invisible is left of them."""
    report = made_reports.full(hostile) | {"exit_status": 1}
    html = page(report, [facts(hostile, model=hostile)], [hostile])
    seen = Seen(html)
    assert seen.tags <= ALLOWED
    assert not any(name.startswith("on") for name, _ in seen.attributes)
    sources = [value for name, value in seen.attributes if name in ("src", "href")]
    assert all(source.startswith(("#", "data:")) for source in sources)
    assert plain(hostile)[:40] in " ".join(seen.texts)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u200b\u202e\u2028]", html)
    html.encode("utf-8")


@pytest.mark.parametrize("hostile", made_reports.HOSTILE)
def test_hostile_names_stay_text_where_two_reports_are_compared(hostile):
    one = made_reports.full(hostile)
    seen = Seen(comparison_page(one, made_reports.report(), (hostile, hostile)))
    assert seen.tags <= ALLOWED
    assert not any(name.startswith("on") for name, _ in seen.attributes)


def test_a_page_forbids_itself_scripts_and_requests():
    html = page(made_reports.full("m"))
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in html
    assert "<script" not in html
    assert not re.search(r"https?:", html)


def test_what_failed_stands_before_what_passed():
    rows = [made_reports.verdict(o, name=o) for o in ("pass", "inconclusive", "fail")]
    html = page(made_reports.report(*rows, errors=[made_reports.error("the store is full")]))
    places = [html.index(f'class="name">{name}<') for name in ("fail", "inconclusive", "pass")]
    assert places == sorted(places)
    assert places[0] < html.index("the store is full") < places[1]


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (made_reports.report(*[made_reports.verdict()] * 2), "Ready to merge: all 2 checks passed"),
        (
            made_reports.report(made_reports.verdict(), made_reports.verdict("inconclusive")),
            "Ready to merge: 1 check passed, 1 could not be proven either way",
        ),
        (
            made_reports.report(made_reports.verdict("inconclusive"), strict=True),
            "Do not merge: 1 check inconclusive in a strict run",
        ),
        (
            made_reports.report(made_reports.verdict("fail"), made_reports.verdict()),
            "Do not merge: 1 of 2 checks failed",
        ),
        (
            made_reports.report(made_reports.verdict("fail"), errors=[made_reports.error()]),
            "Do not merge: 1 of 1 checks failed, 1 came to no verdict",
        ),
        (
            made_reports.report(errors=[made_reports.error()] * 2),
            "Do not merge: 2 checks came to no verdict",
        ),
        (
            made_reports.report(made_reports.verdict(), errors=[made_reports.error(id="--prove")]),
            "Do not merge: the gate is not proven",
        ),
        (made_reports.report(), "Do not merge: nothing was judged"),
        (
            made_reports.report(made_reports.verdict(), exit_status=2),
            "Do not merge: the run did not end well",
        ),
    ],
)
def test_the_first_line_answers_whether_to_merge(report, expected):
    assert answer(report) == expected
    assert f'<span class="answer">{expected}</span></h1>' in page(report)


@pytest.mark.parametrize("outcome", ["pass", "fail", "inconclusive"])
def test_a_row_has_figures_and_opens_for_its_evidence(outcome):
    row = made_reports.verdict(outcome, offenders=("tensor 3", "tensor 4"))
    row |= {"evidence": ["7 broken, 1 fixed", "2 ties"], "note": "a note"}
    html = page(made_reports.report(row, strict=True))
    listed = re.search(rf'<details class="finding {outcome}">(.*?)</details>', html, re.DOTALL)[1]
    text = " ".join(Seen(listed).texts)
    value, limit, margin, _ = figures(row)
    facts = [row["measurement"], value, limit.replace("<=", "≤"), margin, row["requirement"]]
    facts += [line.removeprefix("- ") for line in details(row)]
    assert len(facts) > 8
    for fact in facts:
        assert fact in text


def test_of_what_passed_the_closest_to_its_limit_is_first_and_empty_counts_last():
    rows = [
        made_reports.verdict(name="empty") | {"value": 0.0, "limit": 0.0, "margin": 0.0},
        made_reports.verdict(name="far", value=0.0001),
        made_reports.verdict(name="near", value=0.003),
    ]
    assert [finding.name for finding in passed(rows)] == ["near", "far", "empty"]


def test_one_cause_of_many_errors_stands_once():
    errors = [
        made_reports.error("the data are missing\n  at data.npz", id=f"checks/a.py::test_{n}")
        for n in range(31)
    ]
    html = page(made_reports.report(errors=errors))
    assert html.count("the data are missing") == 1
    assert "stopped 31 checks" in html
    assert "checks/a.py::test_7<" in html
    assert "and 23 more" in html
    assert html.count('<details class="finding error">') == 1


def test_a_row_says_what_to_do():
    steps = {"reproduce": "pytest -k m", "change": "models/m.py:6", "intended": None}
    row = made_reports.verdict("fail") | {"steps": steps}
    html = page(made_reports.report(row))
    assert "<dt>Reproduce</dt><dd><code>pytest -k m</code>" in html
    assert "<dt>Change</dt><dd><code>models/m.py:6</code>" in html
    assert "Intended" not in html


def compared(measurement, value, *evidence, unit="%", **over):
    """A verdict against the base."""
    row = made_reports.verdict(name=measurement, **over)
    return row | {"value": value, "unit": unit, "evidence": list(evidence)}


def of_change(html):
    """The lines about the change: names and texts."""
    lines = re.findall(r"<dt>(\w+)</dt><dd>(.*?)</dd>", html)
    return {name: " ".join(Seen(text).texts) for name, text in lines}


BASE = {"commit": "b" * 40, "ref": "main"}
HEAD = {"commit": "a" * 40, "subject": "Widen it", "time": 1, "changed": False}


def test_the_change_is_told_in_one_line_each():
    rows = [
        compared(Name.SIZE_GROWTH, 0.25, "10 B against 8 B of the base", "tensor 'a' +2 B"),
        compared(Name.ACCURACY_REGRESSION, 0.01, "9 samples", "1 flip: 1 broken", unit="points"),
        compared(Name.LOST_TYPES, 0.0, unit="count"),
        compared(Name.LATENCY_GROWTH, -0.1, "against the base's m/r", "5 us against 6 us"),
    ]
    told = of_change(page(made_reports.report(*rows, base=BASE, head=HEAD)))
    assert told["Commit"].split() == ["Widen", "it", "a" * 12]
    assert told["Base"].split() == ["main", "b" * 12]
    assert told["Bytes"].startswith("+25.00 %: 10 B against 8 B of the base")
    assert told["Accuracy"].startswith("-1.00 points: 1 flip: 1 broken")
    assert told["Types"].startswith("no tensor or operator lost its integer type")
    assert told["Latency"].startswith("-10.00 %: 5 us against 6 us")


def test_the_change_to_many_artifacts_is_counted():
    sizes = {"a": 0.5, "b": 0.0, "c": -0.5, "d": 0.75}
    rows = [compared(Name.SIZE_GROWTH, size, recipe=name) for name, size in sizes.items()]
    told = of_change(page(made_reports.report(*rows, base=BASE)))
    assert told["Bytes"].startswith("of 4 artifacts 2 grew, 1 shrank; most: m/d (+75.00 %)")
    assert told["Types"] == "not compared in this run"


def test_a_lost_metric_stands_for_accuracy():
    row = compared("auc regression", -0.25, unit="score")
    told = of_change(page(made_reports.report(row, base=BASE)))
    assert told["Accuracy"].startswith("auc +0.2500")


def test_without_a_base_the_page_says_how_to_compare():
    told = of_change(page(made_reports.report(made_reports.verdict(), head=HEAD)))
    assert "--against" in told["Base"]
    assert "Bytes" not in told
    assert 'id="change"' not in page(made_reports.report(made_reports.verdict()))
    told = of_change(page(made_reports.report(made_reports.verdict(), base=BASE)))
    assert told["Effect"] == "no check of this run compares with the base"
    assert "Bytes" not in told


@pytest.mark.parametrize(
    ("repository", "links"),
    [
        ("https://github.com/o/n", True),
        ("https://git.example.org:8443/a/b/n", True),
        ("", False),
        ("http://github.com/o/n", False),
        ("javascript:alert(1)//", False),
        ("https://a/b?x=", False),
        ('https://a/b"onclick="x', False),
    ],
)
def test_commits_are_linked_to_a_known_page_alone(repository, links):
    report = made_reports.report(base=BASE, head=HEAD | {"repository": repository})
    seen = Seen(page(report))
    found = [value for name, value in seen.attributes if name == "href" and value[0] not in "#d"]
    expected = [f"{repository}/commit/{sha}" for sha in (HEAD["commit"], BASE["commit"])]
    assert found == (expected if links else [])


@pytest.mark.parametrize("status", [0, 1])
def test_markdown_and_page_say_the_same_word(status):
    told = made_reports.full("name") | {"exit_status": status}
    page_text = " ".join(" ".join(Seen(page(told)).texts).split())
    read = summary(told)
    assert counts(told) in page_text
    assert counts(told) in read
    assert f"## litegate: {headline(told)}" in read
    assert f"litegate: {headline(told)}" in page_text


@pytest.mark.parametrize(
    ("said", "status", "shown"),
    [("pass", 0, "pass"), ("pass", 1, "error"), ("fail", 0, "error"), ("inconclusive", 0, "error")],
)
def test_both_deny_a_word_that_the_rows_deny(said, status, shown):
    told = made_reports.report(made_reports.verdict()) | {"verdict": said, "exit_status": status}
    assert summary(told).startswith(f"## litegate: {shown}\n")
    assert f"<title>litegate: {shown}</title>" in page(told)


def test_an_exact_verdict_has_figures_and_no_drawing():
    row = made_reports.verdict("fail") | {"interval": None, "n": None}
    html = page(made_reports.report(row, made_reports.verdict()))
    assert html.count('class="plot interval"') == 1
    assert '<span class="drawn">exact</span>' in html


def test_a_report_whose_word_its_rows_deny_is_an_error():
    told = made_reports.report(made_reports.verdict("fail")) | {"verdict": "pass"}
    assert "<title>litegate: error</title>" in page(told)
    status = made_reports.report(made_reports.verdict()) | {"exit_status": 2}
    assert "<title>litegate: error</title>" in page(status)


def test_nothing_gated_is_no_pass():
    html = page(made_reports.report(not_gated={"m": "its data are missing"}))
    assert "<title>litegate: nothing gated</title>" in html
    assert "its data are missing" in html


def test_the_flip_sheet_says_the_cause_in_words():
    sheet = facts("cat").sheet
    assert flip_summary(sheet) == (
        "Against its base, 2 samples were broken and 0 fixed, of 9. "
        "Class “cat” loses most: 2 broken, 1 of them taken for “cat” now."
    )
    assert shown_flips(sheet) == "1 of 2 are shown."


def test_the_layer_that_diverges_first_is_explained():
    candidate = facts("conv_1")
    [layer] = candidate.layers
    said = layer_summary(replace(candidate, layers=(replace(layer, sqnr="14.0 dB"),)))
    assert said.startswith("conv_1 is the first layer whose output differs clearly")
    assert "its error is 20 % of its signal (SQNR 14.0 dB)" in said
    assert "look here first" in said
    even = replace(candidate, layers=(replace(layer, diverges=False),))
    assert layer_summary(even).startswith("No layer stands out")
    html = page(made_reports.report(made_reports.verdict()), [candidate])
    assert (
        html.index("Flip sheet") < html.index("conv_1 is the first") < html.index('class="layers"')
    )


def test_classes_that_did_not_change_are_folded():
    lost = ClassChange(name="cat", n=9, before=0.5, after=0.25)
    same = replace(lost, name="dog", after=0.5)
    candidate = replace(facts("r"), classes=(lost, same))
    assert class_groups(candidate) == ([lost], [same])
    html = page(made_reports.report(made_reports.verdict()), [candidate])
    cat, dog = (html.index(f'<th scope="row">{name}<') for name in ("cat", "dog"))
    assert cat < html.index("1 unchanged") < dog
    none = page(made_reports.report(made_reports.verdict()), [replace(candidate, classes=(same,))])
    assert "No class answers better or worse than in the base." in none


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("tensor 'a/b/c/MatMul;d/e' (10x144 to 10x216)", "tensor c/MatMul (10x144 to 10x216)"),
        ("names and scales of tensors", "names and scales of tensors"),
    ],
)
def test_parts_that_grew_have_short_names(name, short):
    assert short_part(name) == short


def test_long_paths_of_tensors_are_shortened_and_stand_whole_in_a_title():
    fact = "tensor 'sequential/quant_dense/MatMul;sequential/quant_dense/LastValueQuant' +720 B"
    short = "tensor '…/quant_dense/MatMul' +720 B"
    assert short_fact(fact) == short
    assert short_fact("tensor 'a/b/c/d' +1 B") == "tensor 'a/b/c/d' +1 B"
    seen = Seen(page(made_reports.report(made_reports.verdict("fail") | {"evidence": [fact]})))
    assert ("title", fact) in seen.attributes
    assert short in seen.texts


def test_every_chart_has_a_caption():
    """The last text before each drawing is a sentence about it."""
    row = made_reports.verdict() | {
        "series": {"candidate": [2e-5] * 9, "reference": [1e-5] * 9},
        "unit": "ratio",
    }
    recipes = [made_reports.recipe(), made_reports.recipe(name="b") | {"bytes": 9}]
    earlier = [made_reports.report(row | {"value": 0.004}) | {"head": HEAD}]
    head = HEAD | {"commit": "c" * 40}
    told = made_reports.report(row, recipes=recipes, head=head)
    html = page(told, [facts("int8_qat")], (), earlier)
    kinds = set(re.findall(r'class="plot ([\w-]+)', html))
    sections = re.split(r"<h[24]|<summary>", html)
    for kind in kinds - {"sample", "interval"}:
        own = next(section for section in sections if f'class="plot {kind}' in section)
        before = own.partition(f'class="plot {kind}')[0]
        assert re.search(r'<(?:p class="lead"|figcaption)>[^<]{40,}', before), kind
    assert kinds >= {"bar", "change", "curves", "treemap", "pareto", "epochs", "times"}
    assert "over-commits" in kinds


@pytest.mark.parametrize(
    ("picture", "said"),
    [
        (Numbers(values=(1.0, -2.0), note="1, -2"), "Each bar is one of the sample's numbers"),
        (Wave(values=(0.0, 1.0), note="2 values"), "A line spans the sample's own"),
        (
            Image(png=b"", width=49, height=10, note="49 x 10", is_features=True),
            "time runs to the right",
        ),
        (Image(png=b"", width=8, height=8, note="8 x 8 pixels"), ""),
    ],
)
def test_the_flip_sheet_says_how_to_read_its_pictures_and_opens_them(picture, said):
    sheet = facts("r").sheet
    flip = replace(sheet.classes[0].shown[0], picture=picture)
    shown = replace(sheet, classes=(replace(sheet.classes[0], shown=(flip,)),))
    html = page(made_reports.report(made_reports.verdict()), [replace(facts("r"), sheet=shown)])
    opened = re.search(r'<ul class="flips">.*?<details>(.*?)</details>', html, re.DOTALL)[1]
    assert f"Sample 3: {picture.note}" in opened.partition("</summary>")[2]
    assert 'class="plot sample' in opened.partition("</summary>")[0]
    assert said in unescape(html)
    assert said or "bar is one" not in html


def test_a_change_that_flips_nothing_says_so():
    sheet = replace(facts("cat").sheet, broken=0, fixed=0, classes=(), confused_count=0)
    assert flip_summary(sheet) == "Against its base, no sample of 9 changed sides."
    assert shown_flips(sheet) == ""


@pytest.mark.parametrize(
    ("difference", "shown"),
    [
        (0.0, "0 %"),
        (1e-7, "0.00001 %"),
        (0.0314, "3.1 %"),
        (0.994, "99 %"),
        (0.996, "100 %"),
        (1.5, "150 %"),
        (2.345, "230 %"),
        (9.99, "1000 %"),
        (10.0, "1000 %"),
        (10.01, "over 1000 %"),
        (float("inf"), "over 1000 %"),
    ],
)
def test_a_share_has_two_significant_digits_and_no_exponent(difference, shown):
    assert share(difference) == shown


def test_reports_are_compared_verdict_by_verdict():
    worse = [made_reports.verdict("fail"), made_reports.verdict("pass", check="new")]
    before = made_reports.report(
        made_reports.verdict("pass"),
        made_reports.verdict("pass", check="gone"),
        made_reports.verdict("pass", check="same"),
        made_reports.verdict("pass", value=0.002, check="moved"),
    )
    kept = [made_reports.verdict("pass", check=name) for name in ("same", "moved")]
    found = verdict_changes(before, made_reports.report(*worse, *kept))
    fates = {fate: [pair.row["check"] for pair in those] for fate, those in found.items()}
    assert fates == {
        ChangeKind.WORSE.value: ["test_drop"],
        ChangeKind.GONE.value: ["gone"],
        ChangeKind.NEW.value: ["new"],
        ChangeKind.MOVED.value: ["moved"],
        ChangeKind.SAME.value: ["same"],
    }


def test_a_better_verdict_is_no_worse_one():
    one, other = (made_reports.report(made_reports.verdict(o)) for o in ("fail", "pass"))
    assert list(verdict_changes(one, other)) == [ChangeKind.BETTER.value]


def test_a_page_that_cannot_be_written_says_what_to_do(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="--to"):
        write("<p>", tmp_path / "file" / "page.html")


@pytest.mark.parametrize(
    "broken",
    [
        {"comparisons": [{}]},
        {"comparisons": 5},
        {"comparisons": ["x"]},
        {"splits": {"0" * 64: {"classes": ["a"], "domain": [0]}}},
        {"splits": []},
        {"waivers": ["x"]},
    ],
)
def test_a_report_with_other_comparisons_is_refused(broken):
    with pytest.raises(ConfigError):
        check(made_reports.report(made_reports.verdict()) | broken, "r")


def test_a_comparison_cannot_name_a_path():
    """Its digests become the names of files."""
    row = {"model": "m", "recipe": "r", "kind": "int8_qat", "reference": None, "base": None}
    good = row | {"candidate": "0" * 64, "split": "0" * 64}
    check(made_reports.report() | {"comparisons": [good]}, "r")
    for key in ("candidate", "split"):
        with pytest.raises(ConfigError):
            check(made_reports.report() | {"comparisons": [good | {key: "../../x"}]}, "r")


def test_a_series_of_something_else_is_refused():
    row = made_reports.verdict() | {"series": {"candidate": ["fast"]}}
    with pytest.raises(ConfigError, match="series"):
        check(made_reports.report(row), "r")


def cells(html):
    """The kill matrix's rows, each as its texts."""
    table = re.search(r'<table class="kills">.*?</table>', html, re.DOTALL)[0]
    rows = re.findall(r"<tr.*?</tr>", table, re.DOTALL)
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows]


def test_the_kill_matrix_says_which_check_noticed_what_from_which_grade():
    faults = (
        made_reports.fault("padding", by={"test_size": 1, "test_growth": 20}),
        made_reports.fault("float_model", unit="", by={"test_types": 1}),
        made_reports.fault("metadata"),
        made_reports.fault("zeros_lost", played=[], unplantable="the recipe prunes nothing"),
    )
    html = page(made_reports.report(proofs=[made_reports.proof(*faults)]))
    assert cells(html) == [
        ["fault", "must be noticed", "size", "growth", "types"],
        ["padding", "2 % of the file", "1", "20", ""],
        ["float model", "yes", "", "", "✓"],
        ["metadata", "2 % of the file", "", "", ""],
    ]
    assert '<tr class="missed"><th scope="row">metadata' in html
    assert html.count('scope="col"') == 5
    assert "zeros lost: the recipe prunes nothing" in html
    assert "0 of 32 false alarms (rate below 8.9 % with 95 % confidence)" in html


def test_survivors_stand_above_the_matrix_with_what_would_catch_them():
    survivors = [("size", "no check measures the size", "require(size(candidate)...)")]
    proof = made_reports.proof(made_reports.fault(by={"test_size": 1}), survivors=survivors)
    html = page(made_reports.report(made_reports.verdict(), proofs=[proof], exit_status=1))
    places = [
        html.index(said)
        for said in (
            "the gate is NOT proven: 1 survivor",
            'id="verdicts"',
            "no check measures the size",
            "require(size(candidate)...)",
            'class="kills"',
        )
    ]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("others", "word", "counted"),
    [
        (0, "gate not proven", "1 model: 1 pass, the gate is NOT proven: 2 survivors"),
        (1, "error", "1 model: 1 pass, 1 without a verdict, the gate is NOT proven: 2 survivors"),
    ],
)
def test_a_proof_that_does_not_hold_is_one_story(others, word, counted):
    """The banner, the counts and the model say it in one word; a check's error stays one."""
    survivors = [("size", "no check", "a check"), ("macs", "no check", "a check")]
    made = made_reports.report(
        made_reports.verdict(),
        errors=[made_reports.error("1", id="--prove"), *[made_reports.error()] * others],
        proofs=[made_reports.proof(made_reports.fault(), survivors=survivors)],
    )
    html = page(made)
    mark = f'<span class="mark {word.replace(" ", "-")}">{word}</span>'
    assert f'<h1>{mark} <span class="answer">Do not merge' in html
    assert f'<p class="counts">{counted}</p>' in html
    assert f'<h2 id="model-1-name">m {mark}</h2>' in html
    assert html.count('<details class="finding error">') == others
    assert summary(made).startswith(f"## litegate: {word}\n\n<p>{counted}</p>")


def test_a_report_without_proofs_has_no_proof_on_its_page():
    report = made_reports.report(made_reports.verdict())
    assert 'id="proof"' not in page(report)
    assert page({k: v for k, v in report.items() if k != "proofs"}) == page(report)


@pytest.mark.parametrize(
    "broken",
    [
        {"proofs": [{}]},
        {"proofs": "x"},
        {"proofs": [made_reports.proof() | {"faults": ["x"]}]},
        {"proofs": [made_reports.proof(made_reports.fault(must="2"))]},
        {"proofs": [made_reports.proof(made_reports.fault(noticed_by={"a": "b"}))]},
        {"proofs": [made_reports.proof() | {"survivors": [{"what": "size"}]}]},
    ],
)
def test_a_report_with_another_proof_is_refused(broken):
    check(made_reports.report(proofs=[made_reports.proof(made_reports.fault())]), "r")
    with pytest.raises(ConfigError, match="proofs"):
        check(made_reports.report(**broken), "r")


def test_a_single_recipe_is_a_row_and_no_chart():
    report = made_reports.report(made_reports.verdict(), recipes=[made_reports.recipe()])
    assert "All recipes" in page(report)
    assert 'class="plot pareto"' not in page(report)


def test_recipes_without_accuracy_are_a_table_alone():
    row = made_reports.recipe() | dict.fromkeys(("accuracy", "drop", "drop_from_baseline"))
    html = page(made_reports.report(made_reports.verdict(), recipes=[row]))
    assert "All recipes" in html
    assert 'class="plot pareto"' not in html


def with_accuracy(*scores):
    found = facts("r")
    sides = tuple(replace(found.sides[0], accuracy=score) for score in scores)
    return replace(found, sides=sides)


@pytest.mark.parametrize(
    ("scores", "said", "change"),
    [
        ((0.5, 0.75), ("50.00 %", "75.00 %"), "+25.00 points"),
        ((0.75, None, 0.5), ("75.00 %", "none", "50.00 %"), ""),
        ((0.5,), ("50.00 %",), ""),
    ],
)
def test_sides_are_told_with_what_changed(scores, said, change):
    line = side_by_side(with_accuracy(*scores))[0]
    assert (line.name, line.values, line.change) == ("top-1 accuracy", said, change)


def test_a_quantity_that_no_side_has_is_not_told():
    lines = side_by_side(with_accuracy(None, None))
    assert [line.name for line in lines] == ["bytes", "operators", "operators in floats"]
    assert "top-1 accuracy" not in page(made_reports.report(), [with_accuracy(None, None)])


@pytest.mark.parametrize(("notes", "said"), [(["a"], "1 note<"), (["a", "b"], "2 notes<")])
def test_notes_are_counted(notes, said):
    assert said in page(made_reports.report(notes=notes))


def test_of_many_models_each_has_a_file_beside_the_overview(tmp_path):
    report = made_reports.many(11, checks=2)
    candidates = [facts("r", model=row["model"]) for row in report["recipes"]]
    overview = write_page(report, tmp_path / "a b.html", candidates).read_text("utf-8")
    files = sorted((tmp_path / "a b-models").iterdir())
    assert len(files) == 11
    for number, file in enumerate(files):
        html = file.read_text("utf-8")
        assert f'href="a%20b-models/{file.name}"' in overview
        assert 'href="../a%20b.html"' in html
        assert html.count("Flip sheet") == 1
        assert f"{report['verdicts'][2 * number]['model']}/int8_qat" in html
    assert "Flip sheet" not in overview
    assert 'id="matrix"' in overview


def test_ten_models_are_one_file_and_earlier_files_of_models_are_gone(tmp_path):
    write_page(made_reports.many(11, checks=1), tmp_path / "report.html")
    (tmp_path / "report-models" / "notes.html").write_text("mine")
    write_page(made_reports.many(10, checks=1), tmp_path / "report.html")
    assert [file.name for file in (tmp_path / "report-models").iterdir()] == ["notes.html"]
    assert 'id="model-10"' in (tmp_path / "report.html").read_text("utf-8")


def test_a_run_that_ends_early_leaves_no_file_of_a_model(tmp_path):
    write_page(made_reports.many(11, checks=1), tmp_path / PAGE_NAME)
    prepare_folder(tmp_path)
    assert not list(tmp_path.rglob("*.html"))


@pytest.mark.parametrize("hostile", made_reports.HOSTILE)
def test_hostile_names_of_many_models_stay_text_and_in_the_folder(hostile, tmp_path):
    report = made_reports.many(11, checks=1)
    for row in (*report["verdicts"], *report["recipes"]):
        row["model"] = row["model"] + "/../" + hostile
    write_page(report, tmp_path / "report.html", gaps=[hostile])
    files = list((tmp_path / "report-models").iterdir())
    assert len(files) == 11
    for path in (tmp_path / "report.html", *files):
        seen = Seen(path.read_text("utf-8"))
        assert seen.tags <= ALLOWED
        links = [value for name, value in seen.attributes if name in ("href", "src")]
        assert all(re.fullmatch(r"#.*|data:.*|[\w./-]+\.html", link) for link in links)


def test_an_overview_lists_a_part_of_very_many_failures(tmp_path):
    rows = [made_reports.verdict("fail", model=f"m{n // 20}", check=f"c{n}") for n in range(240)]
    html = write_page(made_reports.report(*rows), tmp_path / "report.html").read_text("utf-8")
    assert html.count('<details class="finding') == 200
    assert "40 more are in the files of their models" in html
    [first, *_] = sorted((tmp_path / "report-models").iterdir())
    assert first.read_text("utf-8").count('<details class="finding') == 20


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((0, 0, 0), "tflm decides as xnnpack on all 1,000 samples."),
        (
            (2, 1, 3),
            "tflm decides otherwise than xnnpack on 6 of 1,000 samples (0.60 %): " + WHO_IS_RIGHT,
        ),
    ],
)
def test_a_runtime_s_sheet_says_who_is_right(counts, expected):
    names = ("lost", "won", "both_wrong")
    sheet = RuntimeSheet(runtime="tflm", n=1000, shown=(), **dict(zip(names, counts, strict=True)))
    assert runtime_summary(sheet) == expected
    assert shown_disagreements(sheet) == ("0 of 6 are shown." if any(counts) else "")


def test_page_summary_and_terminal_show_the_same_matrix_of_runtimes():
    matrix = [made_reports.runtime("xnnpack", agreement=None), made_reports.runtime("tflm")]
    report = made_reports.report(made_reports.verdict(), runtimes=matrix)
    check(report, "report.json")
    seen = " ".join(Seen(page(report)).texts)
    printed = "\n".join(line for _, line in lines(run_of(report), width=120))
    row = ("tflm", "95.00 %", "1.00 points", "12 broken, 7 fixed", "99.20 %")
    for figure in row:
        assert figure in seen
        assert figure in printed
        assert f"<td>{text(figure)}</td>" in summary(report)
    bare = made_reports.report(made_reports.verdict())
    assert "several runtimes" not in " ".join(Seen(page(bare)).texts)
    assert "Runtimes" not in summary(bare)
    assert "equal to xnnpack" not in "\n".join(line for _, line in lines(run_of(bare), width=120))


def test_a_repair_s_sets_are_drawn_and_listed():
    report = made_reports.report(made_reports.verdict(), repairs=[made_reports.repair()])
    check(report, "report.json")
    html = page(report)
    seen = " ".join(Seen(html).texts)
    for part in ("Repair of int8_qat", "conv", "proposed", "1.20 points", "0.20 points to 2.20"):
        assert part in seen
    assert "leave in float" in seen
    assert html.count("of 2 sets of layers; the table says the same in numbers") == 2
    assert "int16" not in seen
    other = [made_reports.repair(field="int16_layers")]
    assert "give int16 activations" in page(
        made_reports.report(report["verdicts"][0], repairs=other)
    )


def test_figures_that_a_runtime_does_not_have_are_left_empty():
    unknown = dict.fromkeys(("accuracy", "drop", "broken", "fixed", "agreement"))
    assert runtime_figures(made_reports.runtime("npu", **unknown)) == ("npu", "", "", "", "")
