"""The page in a real browser: quiet, whole at every width and in both colour schemes."""

from pathlib import Path

import pytest

import litegate.report.html
from litegate.report.html import comparison_page, write
from litegate.report.html.charts.treemap import treemap
from litegate.report.html.page_data import SizeShare

WIDTHS = (360, 768, 1440)
SCHEMES = ("light", "dark")
PLOTS = {
    "interval",
    "change",
    "curves",
    "treemap",
    "pareto",
    "epochs",
    "over-commits",
    "times",
    "sample",
    "bar",
}
OPEN_ALL = "document.querySelectorAll('details').forEach(one => one.open = true)"
SHOWN = """[...document.querySelectorAll('.plot')].map(plot => {
    const box = plot.getBoundingClientRect(), style = getComputedStyle(plot)
    const marks = [...plot.querySelectorAll('line, rect, circle, polyline, text, li')]
    const size = mark => { const at = mark.getBoundingClientRect(); return at.width + at.height }
    return {
        kind: plot.classList[1],
        left: box.left, right: box.right, width: box.width, height: box.height,
        hidden: style.visibility !== 'visible' || style.display === 'none',
        marks: plot.tagName === 'IMG' ? plot.naturalWidth : marks.filter(size).length,
    }
})"""
OUTSIDE = """[...document.querySelectorAll('svg text')].filter(text => {
    const box = text.getBoundingClientRect()
    return box.width && (box.left < -1 || box.right > innerWidth + 1)
}).map(text => text.textContent)"""
COLOURS = """['body', '.verdict'].map(one => getComputedStyle(document.querySelector(one)))
    .map(style => [style.color, style.backgroundColor])"""
CUT = """[...document.querySelectorAll('table')].filter(table => !table.closest('.scroll')
    && table.getBoundingClientRect().right > table.closest('section').getBoundingClientRect().right
).map(table => table.className)"""

CLIPPED = """[...document.querySelectorAll('.treemap b, .treemap span')].filter(text => {
    const box = text.getBoundingClientRect(), part = text.parentElement.getBoundingClientRect()
    return box.height && (box.bottom > part.bottom || box.width < 32)
}).map(text => text.textContent)"""
BOARDS = """[...document.querySelectorAll('.board')].map(board => {
    const box = board.getBoundingClientRect()
    const head = board.querySelector('thead th').getBoundingClientRect()
    const name = board.querySelector('tbody th').getBoundingClientRect()
    return {
        rows: board.querySelectorAll('tbody tr').length, top: box.top, left: box.left,
        scrolled: [board.scrollLeft, board.scrollTop], head: head.top, name: name.left,
    }
})"""
LAST_BOARD = "[...document.querySelectorAll('.board')].at(-1)"
MOST_BYTES = 1_500_000
"""Of the overview of a hundred models."""
LABELLED = "[...document.querySelectorAll('.treemap b')].filter(name => name.offsetHeight).length"


@pytest.fixture(params=SCHEMES)
def scheme(request):
    """The colour scheme that the reader's system asks for."""
    return request.param


@pytest.fixture(params=WIDTHS)
def width(request):
    """The width of the window in pixels: a phone, a tablet, a desktop."""
    return request.param


def test_every_plot_is_seen_and_nothing_is_asked_for(opened, rich_page, width, scheme):
    tab, complaints = opened(rich_page, width=width, scheme=scheme)
    tab.evaluate(OPEN_ALL)
    plots = tab.evaluate(SHOWN)
    assert {plot["kind"] for plot in plots} == PLOTS
    for plot in plots:
        assert not plot["hidden"], plot
        assert min(plot["width"], plot["height"]) > 8, plot
        assert -1 <= plot["left"] < plot["right"] <= width + 1, plot
        assert plot["marks"], plot
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert not tab.evaluate(OUTSIDE)
    assert not tab.evaluate(CUT)
    assert not complaints


def test_labels_of_bytes_are_whole_or_hidden(opened, tmp_path, width):
    """Half of the file, a quarter and so on: 24 parts, as many as a page shows."""
    parts = [
        SizeShare(name=f"layer_{number}/kernel", kind="weight", operator="", bytes=2**number)
        for number in reversed(range(24))
    ]
    style = Path(litegate.report.html.__file__).with_name("templates") / "style.css"
    page = tmp_path / "map.html"
    page.write_text(f"<style>{style.read_text('utf-8')}</style><main>{treemap(parts)}", "utf-8")
    tab, _ = opened(page, width=width)
    assert not tab.evaluate(CLIPPED)
    assert tab.evaluate(LABELLED) >= 3


@pytest.mark.parametrize(
    ("width", "scheme"), [(360, "dark"), (768, "light"), (1440, "dark"), (1440, "light")]
)
def test_nobody_is_left_out(opened, rich_page, width, scheme):
    """What axe-core finds: contrast, names, landmarks, order of headings, keyboard."""
    from axe_playwright_python.sync_playwright import Axe

    tab, _ = opened(rich_page, width=width, scheme=scheme, scripts=True)
    tab.evaluate(OPEN_ALL)
    found = Axe().run(tab)
    assert not found.response["violations"], found.generate_report()


def test_a_fault_is_named_however_far_its_row_is_scrolled(opened, rich_page):
    tab, _ = opened(rich_page, width=360)
    table = tab.locator("table.kills")
    named = table.locator("tbody th").first
    before = named.bounding_box()["x"]
    table.locator("tbody tr").first.locator("td").last.scroll_into_view_if_needed()
    after = named.bounding_box()
    assert table.evaluate("table => table.parentElement.scrollLeft") > 100
    assert abs(after["x"] - before) <= 1
    assert after["width"] < 180


def test_the_colour_schemes_differ(opened, rich_page):
    backgrounds = set()
    for each in SCHEMES:
        tab, _ = opened(rich_page, scheme=each)
        backgrounds.add(tab.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(backgrounds) == 2


def test_details_open_by_keyboard_without_a_script(chromium, rich_page):
    context = chromium.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(rich_page.as_uri())
    summary = tab.locator("details:has(table.matrix) > summary").first
    hidden = tab.locator("table.matrix").first
    assert not hidden.is_visible()
    summary.focus()
    tab.keyboard.press("Enter")
    assert hidden.is_visible()
    context.close()


def test_print_shows_what_is_folded(opened, rich_page):
    tab, _ = opened(rich_page)
    tab.emulate_media(media="print")
    box = tab.locator("table.matrix").first.bounding_box()
    assert box["height"] > 50
    assert not tab.locator("nav").is_visible()


def test_paper_is_light_whatever_the_screen_is(opened, rich_page):
    printed = []
    for each in SCHEMES:
        tab, _ = opened(rich_page, scheme=each)
        tab.emulate_media(media="print")
        printed.append(tab.evaluate(COLOURS))
    assert printed[0] == printed[1]
    assert printed[0][0][1] == "rgb(255, 255, 255)"


def test_two_reports_compared_are_seen_too(opened, rich_page, scheme, tmp_path):
    import made_reports

    one, other = (made_reports.report(made_reports.verdict(o)) for o in ("pass", "fail"))
    path = write(comparison_page(one, other, ("a.json", "b.json")), tmp_path / "compared.html")
    tab, complaints = opened(path, width=360, scheme=scheme, scripts=True)
    from axe_playwright_python.sync_playwright import Axe

    assert not Axe().run(tab).response["violations"]
    assert [plot["kind"] for plot in tab.evaluate(SHOWN)] == ["interval"]
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360
    assert not complaints


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (768, "light"), (1440, "light")])
def test_a_hundred_models_fit_the_window_and_ask_for_nothing(opened, overview, width, scheme):
    assert overview.stat().st_size < MOST_BYTES
    tab, complaints = opened(overview, width=width, scheme=scheme)
    tab.evaluate(OPEN_ALL)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert not tab.evaluate(OUTSIDE)
    assert [board["rows"] for board in tab.evaluate(BOARDS)] == [10, 90]
    tab.locator(".board tbody a").first.click()
    assert "keyword_spotting_with_a_long_name" in tab.locator("h1").inner_text()
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    tab.locator(".brand a").click()
    assert tab.url == overview.as_uri()
    assert not complaints


def test_names_of_a_hundred_models_and_their_checks_stay_in_sight(opened, overview):
    tab, _ = opened(overview, width=768)
    tab.evaluate(OPEN_ALL)
    tab.evaluate(f"{LAST_BOARD}.scrollTo(500, 900)")
    board = tab.evaluate(f"{BOARDS}.at(-1)")
    assert board["scrolled"] == [500, 900]
    assert board["head"] == pytest.approx(board["top"], abs=2)
    assert board["name"] == pytest.approx(board["left"], abs=2)


def test_axe_finds_nothing_on_the_overview_and_a_model(opened, small_overview, scheme):
    from axe_playwright_python.sync_playwright import Axe

    tab, _ = opened(small_overview, scheme=scheme, scripts=True)
    tab.evaluate(OPEN_ALL)
    found = Axe().run(tab)
    assert not found.response["violations"], found.generate_report()
    tab.locator(".board tbody a").first.click()
    tab.evaluate(OPEN_ALL)
    found = Axe().run(tab)
    assert not found.response["violations"], found.generate_report()
