"""Take the pictures of the page: ``python docs/screenshots.py``, with Chromium's driver."""

from __future__ import annotations

import shutil
import tempfile
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import uvicorn
from selenium.webdriver import Chrome
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.wait import WebDriverWait

from spinn.predictor import Predictor
from spinn.pretrained import SHIPPED
from spinn.serve.app import create_app
from spinn.serve.served import load_models
from spinn.serve.server import bind

IMAGES = Path(__file__).parent / "images"
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
]
PAIR = {
    "premise": "A dog is running in the snow.",
    "hypothesis": "An animal is outside.",
}
SHOTS: dict[str, dict[str, Any]] = {
    "page-light.png": {"width": 1240, "height": 1180, "scale": 1, "scheme": "light", "step": 10},
    "page-dark-phone.png": {"width": 390, "height": 900, "scale": 1.5, "scheme": "dark", "step": 8},
}


def take(browser: Chrome, address: str, name: str, shot: dict[str, Any]) -> None:
    """Take one picture."""
    phone = shot["width"] < 500
    screen = {"deviceScaleFactor": shot["scale"], "mobile": phone}
    screen |= {side: shot[side] for side in ("width", "height")}
    scheme = [{"name": "prefers-color-scheme", "value": shot["scheme"]}]
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
    browser.get("about:blank")
    browser.get(f"{address}#{urlencode(PAIR | {'step': shot['step']})}")
    drawn = "return document.querySelector('#tables tr') !== null"
    WebDriverWait(browser, 20).until(lambda driver: driver.execute_script(drawn))
    if phone:  # the model, not the input above it
        browser.execute_script("scrollTo(0, document.querySelector('#transport').offsetTop - 8)")
    browser.save_screenshot(str(IMAGES / name))


def main() -> None:
    """Serve the model that comes with the package, and take all pictures."""
    listener = bind("127.0.0.1", 0)
    app = create_app(load_models([Path(SHIPPED)], Predictor.load))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    options = Options()
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or ""
    for flag in FLAGS:
        options.add_argument(flag)
    with tempfile.TemporaryDirectory() as profile:
        options.add_argument(f"--user-data-dir={profile}")
        browser = Chrome(options=options, service=Service(shutil.which("chromedriver")))
        try:
            for name, shot in SHOTS.items():
                take(browser, f"http://127.0.0.1:{listener.getsockname()[1]}/", name, shot)
        finally:
            browser.quit()
            server.should_exit = True
            thread.join()


if __name__ == "__main__":
    main()
