"""The page in a browser: what it draws equals the answers of the HTTP interface."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

pytest.importorskip("selenium", reason="opening the page requires selenium")

from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import Chrome
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from spinn.serve.app import create_app
from spinn.serve.server import bind
from spinn.transitions import from_brackets, to_spans

DRIVER = shutil.which("chromedriver")
BROWSER = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
if DRIVER is None or BROWSER is None:
    pytest.skip("there is no chromium with chromedriver", allow_module_level=True)

FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PAIR = {"premise": "word1 word2 zebra word3 word4", "hypothesis": "never word1 word2"}
STEPS = 9  # of the longer sentence


@pytest.fixture(scope="module")
def server(models: dict[str, Any]) -> Iterator[str]:
    """Serve the models in a thread; give the address."""
    import uvicorn

    listener = bind("127.0.0.1", 0)
    config = uvicorn.Config(create_app(models), log_level="warning", lifespan="off")
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    running.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[Chrome]:
    options = Options()
    options.binary_location = str(BROWSER)
    for flag in [*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"]:
        options.add_argument(flag)
    options.add_experimental_option("prefs", {"download.default_directory": str(folder)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = Chrome(options=options, service=Service(str(DRIVER)))
    yield driver
    driver.quit()


class Page:
    """The page in the browser."""

    def __init__(self, browser: Chrome, server: str) -> None:
        self.browser, self.server = browser, server

    def open(self, **state: Any) -> None:
        """Load the page with a state in its address, and wait until it is drawn."""
        self.browser.get("about:blank")
        self.browser.get(f"{self.server}#{urlencode(state, doseq=True)}")
        self.wait(lambda: self.run("return document.querySelector('#tables tr, .bare') !== null"))

    def run(self, script: str, *arguments: Any) -> Any:
        return self.browser.execute_script(script, *arguments)

    def wait(self, condition: Callable[[], Any]) -> None:
        """Wait; the page may replace an element while a condition reads it."""
        stale = [StaleElementReferenceException]
        waiting = WebDriverWait(self.browser, 30, poll_frequency=0.05, ignored_exceptions=stale)
        waiting.until(lambda driver: condition())

    def find(self, selector: str) -> Any:
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[Any]:
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        return self.find(selector).get_attribute("textContent")

    def texts(self, selector: str) -> list[str]:
        return [one.get_attribute("textContent") for one in self.all(selector)]

    def type(self, selector: str, text: str) -> None:
        field = self.find(selector)
        field.clear()
        field.send_keys(text)

    @property
    def step(self) -> int:
        return int(self.text("#count").split("/")[0])

    def spans(self, sentence: int = 0) -> list[tuple[int, int]]:
        """Return the spans of the nodes that are drawn now."""
        stage = self.all(".stage")[sentence]
        made = stage.find_elements(By.CSS_SELECTOR, ".node.made")
        found = [node.get_attribute("data-span").split("-") for node in made]
        return [(int(start), int(end)) for start, end in found]


@pytest.fixture
def page(browser: Chrome, server: str) -> Iterator[Page]:
    """Give the page; after the test, nothing may have been reported to the console."""
    yield Page(browser, server)
    assert browser.get_log("browser") == []


def tree_of(models: dict[str, Any], name: str = "spinn", **change: Any) -> list[tuple[int, int]]:
    from spinn.serve.schemas import Trees

    sentences = list((PAIR | change).values())
    trace = models[name].trace(sentences, Trees.OWN)
    return to_spans(from_brackets(trace.sentences[0].brackets)[1])


def test_it_plays_to_the_end_and_draws_the_tree(page, models):
    page.open(**PAIR, step=0)
    assert page.text("#count") == f"0 / {STEPS}"
    assert (page.spans(), page.spans(1)) == ([], [])
    assert len(page.all(".verdict.pending")) == 1
    page.run("speed.value = '4'; speed.dispatchEvent(new Event('change'))")
    page.find("body").send_keys(Keys.SPACE)
    page.wait(lambda: page.step == STEPS)
    page.wait(lambda: page.find("#play").get_attribute("aria-label") == "Play")
    assert page.spans() == tree_of(models)
    assert len(page.spans(1)) == 2
    assert len(page.all(".verdict.pending")) == 0
    assert page.texts(".stage")[0].startswith("stackbuffer")


def test_probabilities_are_those_of_the_tracker(page, models):
    from spinn.serve.schemas import Trees

    page.open(**PAIR, step=0)
    trace = models["spinn"].trace(list(PAIR.values()), Trees.OWN)
    for time in range(STEPS):
        step = trace.sentences[0].steps[time]
        numbers = page.texts(".sentence:first-child .moves .number")
        legal = [len(step.buffer) > 0, len(step.stack) > 1]
        expected = [f"{100 * step.probabilities[name]:.1f}%" for name in ("shift", "reduce")]
        assert numbers == [
            value if is_legal else "illegal"
            for value, is_legal in zip(expected, legal, strict=True)
        ]
        taken = page.text(".sentence:first-child .moves .taken .name")
        assert taken == step.transition
        page.find("body").send_keys(Keys.ARROW_RIGHT)
    labels = dict(zip(page.texts(".verdict .name"), page.texts(".verdict .number"), strict=True))
    assert labels == {name: f"{100 * p:.1f}%" for name, p in trace.probabilities.items()}


def test_keys_buttons_and_the_slider_step(page):
    page.open(**PAIR, step=4)
    body = page.find("body")
    for key, expected in (
        (Keys.ARROW_LEFT, 3),
        (Keys.ARROW_RIGHT, 4),
        (Keys.HOME, 0),
        (Keys.END, STEPS),
    ):
        body.send_keys(key)
        assert page.step == expected
    page.find("#back").click()
    assert page.step == STEPS - 1
    page.run("slider.value = 2; slider.dispatchEvent(new Event('input'))")
    assert page.step == 2
    assert page.spans() == []
    assert "Premise: shift word2" in page.text("#status").replace("premise", "Premise")
    page.find("#premise").send_keys(Keys.ARROW_LEFT, Keys.SPACE)
    assert page.step == 2


def test_the_address_restores_the_state(page):
    page.open(**PAIR, run=["spinn", "other"], trees="left", step=5)
    page.find("body").send_keys(Keys.ARROW_RIGHT)
    page.wait(lambda: "step=6" in page.browser.current_url)
    address = page.browser.current_url
    shown = page.spans(), page.spans(2), page.texts(".about")
    page.browser.get("about:blank")
    page.browser.get(address)
    page.wait(lambda: page.all("#tables tr"))
    assert page.step == 6
    assert (page.spans(), page.spans(2), page.texts(".about")) == shown
    assert page.texts(".about") == ["SPINN, left-branching trees"] * 2
    assert page.find("#premise").get_attribute("value") == PAIR["premise"]


def test_two_models_are_shown_side_by_side(page, models):
    page.open(**PAIR)
    assert len(page.all(".panel")) == 1
    page.find("input[value='other']").click()
    page.wait(lambda: len(page.all(".panel .stage")) == 4)
    assert page.spans() == tree_of(models)
    assert page.spans(2) == tree_of(models, "other")


def test_text_is_never_markup(page):
    text = "<script>document.title='x'</script> <img src=x onerror=alert(1)>"
    page.open()
    page.type("#premise", text)
    page.find("#input button[type=submit]").click()
    page.wait(lambda: "img" in page.text(".stage"))
    assert page.all("main script, main img") == []
    assert page.browser.title == "SPINN at work"
    pasted = "( <b>x</b> ( <script>alert(1)</script> word1 ) )"
    page.open(**PAIR | {"premise": text}, **{"premise-tree": pasted, "hypothesis-tree": "word1"})
    assert page.all("main script, main img, main b") == []


def test_unknown_words_are_marked(page):
    page.open(**PAIR)
    assert page.texts(".word.unknown text") == ["zebra"]
    assert "unknown to the model: zebra" in page.find(".stage").get_attribute("aria-label")


def test_trees_are_compared_and_pasted(page):
    page.open(**PAIR)
    rows = {row.get_attribute("data-trees"): row for row in page.all("#tables tbody tr")}
    assert list(rows) == ["own", "left", "right", "balanced"]
    page.find("tr[data-trees=right] button").click()
    page.wait(lambda: page.all("tr[data-trees=right][aria-current]"))
    page.find("body").send_keys(Keys.END)
    assert page.spans() == [(3, 5), (2, 5), (1, 5), (0, 5)]

    page.find("#comparison summary").click()
    page.type("#premise-tree", "( ( word1 word2 ) ( zebra ( word3 word4 ) ) )")
    page.find("#pasted button[type=submit]").click()
    page.wait(lambda: page.all("tr[data-trees=given][aria-current]"))
    assert page.spans() == [(0, 2), (3, 5), (2, 5), (0, 5)]
    titles = page.texts("tr[data-trees=given] .thumbnail title")
    assert titles[0] == "( ( word1 word2 ) ( zebra ( word3 word4 ) ) )"


def test_models_without_trees_or_scores_are_explained(page):
    page.open(**PAIR, run="lstm")
    assert "This encoder has no trees" in page.text("#panels")
    assert page.find("#play").get_attribute("disabled")
    page.open(premise="( word1 word2 )", hypothesis="word1", run="given")
    assert "Nothing in this model scores moves" in page.text("#panels")


def test_a_model_of_single_sentences_gets_one_field(page):
    page.open(run="expressions", sentence="[MAX 2 9 ]")
    assert len(page.all("#texts input")) == len(page.all(".stage")) == 1


def test_tree_and_trace_are_saved(page, folder, models):
    page.open(**PAIR)
    for button in page.all(".panel header button, .sentence:first-child button"):
        button.click()
    page.wait(lambda: len([*folder.glob("*.json"), *folder.glob("*.svg")]) == 2)
    trace = json.loads((folder / "spinn-trace.json").read_text())
    assert [one["role"] for one in trace["sentences"]] == ["premise", "hypothesis"]
    assert (folder / "spinn-premise.svg").read_text() == trace["sentences"][0]["svg"]


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_wider_than_the_screen(page, width):
    screen = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    page.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    try:
        long = " ".join(["word1", "w" * 300, *["word2"] * 40])
        page.open(premise=long, hypothesis=PAIR["hypothesis"], run=["spinn", "other"])
        assert page.run("return document.documentElement.scrollWidth") <= width
    finally:
        page.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_motion_can_be_reduced(page):
    reduced = {"features": [{"name": "prefers-reduced-motion", "value": "reduce"}]}
    page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", reduced)
    try:
        page.open(**PAIR)
        page.find("#input button[type=submit]").click()
        page.wait(lambda: page.step == 0)
        style = "return getComputedStyle(document.querySelector('.word')).transitionDuration"
        assert page.run(style) == "0s"
        assert page.find("#play").get_attribute("aria-label") == "Play"
    finally:
        page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_errors_are_shown_where_they_occur(page, browser):
    page.open(**PAIR | {"premise": "( a b"}, run="spinn")
    assert "opening bracket(s) are never closed" in page.text(".panel .error")
    page.find("#examples button").click()
    page.wait(lambda: page.all(".panel .stage"))
    assert all("422" in entry["message"] for entry in browser.get_log("browser"))
