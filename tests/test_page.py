"""Reports: what a page holds, and what a real browser makes of it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import studies
from PIL import Image

from minidl import lab
from minidl.cli import main
from minidl.lab import Page, Sheet
from minidl.reproduce import notebook

# The page ----------------------------------------------------------------------------------------------------------


REPORTS = {
    "notebook": "reproduce notebook --epochs 100 --seeds 2 --workers 1",
    "compare": "compare --dataset moons --optimizers sgd,adam --learning-rate sgd=1e30 --epochs 2 --hidden 8 --seeds 2",
}


@pytest.fixture(scope="module")
def reports(tmp_path_factory) -> Callable[[str], Path]:
    """Makes the report of a name, once, and returns its folder."""

    @cache
    def made(name: str) -> Path:
        folder = tmp_path_factory.mktemp(name)
        assert main([*REPORTS[name].split(), "--out", str(folder)]) == 0
        return folder

    return made


@pytest.fixture(params=REPORTS)
def report(request, reports) -> Path:
    """The folder of a report: the notebook's, of few epochs, or a comparison's."""
    return reports(request.param)


def test_the_report_needs_nothing_else(report: Path) -> None:
    page = (report / "report.html").read_text()
    assert not re.findall(r'(?:src|href)="(?!data:|#)[^"]*"', page)
    assert "http" not in re.sub(r'xmlns(:\w+)?="[^"]*"|<metadata>.*?</metadata>', "", page, flags=re.DOTALL)
    assert {"cells", "report.html"} <= {path.name for path in report.iterdir()}
    with Image.open(report / "boundaries.png") as picture:
        assert len(np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)) > 300
    assert "minidl 0." in page or "0.1.0" in page


def test_the_notebooks_report_has_all_seven_and_their_pictures(reports) -> None:
    folder = reports("notebook")
    page = (folder / "report.html").read_text()
    for name in notebook.NAMES.values():
        assert name in page
    pictures = {f"{name}.{kind}" for name in ("costs", "boundaries", "trajectories") for kind in ("png", "svg")}
    assert {path.name for path in folder.iterdir()} == {"cells", "report.html", "seeds.csv", "seeds.json", *pictures}


def test_a_study_of_ones_own_has_a_report(tmp_path: Path) -> None:
    study = lab.Study(studies.cells())
    assert "16 cells haven't been run yet." in lab.report(study).html()
    study.run(progress=False)
    page = lab.report(study, "Sixteen", "What they show.", settings={"why": "a test"}, command="python study.py")
    text = page.html()
    for word in ("Sixteen", "What they show.", "why", "a test", "python study.py", "own", "momentum", "Curves"):
        assert word in text
    assert "Decision boundaries" not in text  # the weights weren't kept
    summary = study.table().summary("test_accuracy")
    assert all(f"{100 * one.mean:.2f}" in text for one in summary if one.values)
    assert "in 1 of 1 runs (epoch 1)" in text


def test_what_is_written_is_shown_as_it_is() -> None:
    page = Page("<b> & c", "`x < y`")
    page.table(Sheet("<i>", ["<a>"], [["<script>alert(1)</script>"]]))
    text = page.html()
    assert "<script>alert" not in text
    assert "<title>&lt;b&gt; &amp; c</title>" in text
    assert "<code>x &lt; y</code>" in text


def test_a_sheet_as_text_and_as_markdown() -> None:
    sheet = Sheet("Rates", ["rule", "rate"], [["sgd", 0.00001], ["adam", None], ["own", ("1 ± 2", 1.0)]])
    assert sheet.text() == "Rates\n\nrule     rate\n─────────────\nsgd   0.00001\nadam\nown     1 ± 2"
    assert sheet.markdown().splitlines()[1] == "| --- | ---: |"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium isn't installed")
    found = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if found is None or driver is None:
        pytest.skip("there is no Chromium with its driver")
    options = webdriver.ChromeOptions()
    options.binary_location = found
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield chrome
    chrome.quit()


def look(browser: Any, page: Path, width: int, dark: bool = False) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    browser.get(page.as_uri())


@pytest.mark.parametrize("width", [360, 390, 800, 1400, 2560])
def test_nothing_overflows_and_the_console_is_silent(browser: Any, report: Path, width: int) -> None:
    look(browser, report / "report.html", width)
    assert browser.get_log("browser") == []
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    beyond = browser.execute_script(
        "return [...document.querySelectorAll('body *')].filter(e => !e.closest('.wide, .scroll, pre, svg') && "
        "e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80))"
    )
    assert beyond == []


def test_tables_are_sorted_by_a_click_and_by_a_key(browser: Any, tmp_path: Path) -> None:
    page = Page("Sorting", "By each column.")
    rows = [["b", 10.0, ("3 ± 1", 3.0)], ["a", None, ("20 ± 1", 20.0)], ["c", 9.0, ("1 ± 9", 1.0)]]
    page.table(Sheet("Three", ["name", "number", "both"], rows))
    look(browser, page.write(str(tmp_path)), 1400)

    def shown(column: int) -> list[str]:
        return browser.execute_script(
            f"return [...document.querySelectorAll('tbody tr')].map(r => r.cells[{column}].textContent)"
        )

    buttons = browser.find_elements("css selector", "thead button")
    buttons[1].click()
    assert shown(1) == ["9", "10", ""]
    buttons[1].click()
    assert shown(1) == ["10", "9", ""]  # what is missing stays last
    buttons[2].click()
    assert shown(2) == ["1 ± 9", "3 ± 1", "20 ± 1"]
    buttons[0].send_keys("\ue007")
    assert shown(0) == ["a", "b", "c"]
    sorts = browser.execute_script("return [...document.querySelectorAll('th')].map(h => h.getAttribute('aria-sort'))")
    assert sorts == ["ascending", None, None]
    assert browser.get_log("browser") == []


@pytest.mark.parametrize("dark", [False, True])
def test_it_is_readable_in_light_and_in_the_dark(browser: Any, report: Path, dark: bool) -> None:
    look(browser, report / "report.html", 1000, dark)
    colours = browser.execute_script(
        "const c = e => getComputedStyle(e).color, b = getComputedStyle(document.body).backgroundColor;"
        "return [b, ...['p', 'td', 'th', 'h1', 'figcaption'].map(n => c(document.querySelector(n))),"
        "getComputedStyle(document.querySelector('figure svg text')).fill]"
    )
    back, *texts = (luminance(colour) for colour in colours)
    assert (back < 0.1) == dark
    for text in texts:
        assert (max(back, text) + 0.05) / (min(back, text) + 0.05) > 7  # WCAG 2, level AAA


def luminance(colour: str) -> float:
    """Return WCAG's relative luminance of "rgb(r, g, b)"."""
    parts = np.array([int(n) for n in re.findall(r"\d+", colour)[:3]]) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_it_prints_in_black_on_white_without_the_contents(browser: Any, report: Path) -> None:
    look(browser, report / "report.html", 1000, dark=True)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    shown = browser.execute_script(
        "return [getComputedStyle(document.querySelector('nav')).display, getComputedStyle(document.body).color]"
    )
    assert shown == ["none", "rgb(0, 0, 0)"]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
