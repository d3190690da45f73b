"""The tab *Models* in a real browser, beside a Hub on this machine."""

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from facekit.shipped import ZOO
from tests.browser.conftest import EXAMPLES
from tests.loopback_hub import LoopbackHub
from tests.test_gallery import HOSTILE_CARD
from tests.test_hub_fetch import files_of

ROOT = ".fk-models"
SLOW = 60_000
TOKEN = "hf_ofAnnAndNobodyElse"


@pytest.fixture(scope="module")
def hub() -> Iterator[LoopbackHub]:
    portraits = files_of(ZOO / "portrait-attributes")
    with LoopbackHub() as running:
        running.add_user("ann", TOKEN)
        running.put("ann/net", portraits)
        running.put("ann/secret", portraits, private=True)
        running.put("ann/faces", files_of(ZOO / "dcgan-faces"))
        running.put("eve/net", portraits | {"README.md": HOSTILE_CARD.encode()})
        running.put("eve/broken", portraits | {"model.safetensors": b"nonsense"})
        running.put("eve/pickle", {"pytorch_model.bin": b"nonsense"})
        yield running


def told(hub: LoopbackHub, home: Path) -> dict[str, str]:
    environment = hub.environment(home=home)
    return {key: value for key, value in environment.items() if key.startswith(("HF_", "NO_", "no_"))}


@pytest.fixture(scope="module")
def server(serve: Any, hub: LoopbackHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("models")
    process, running = serve(folder / "uploads", folder / "log.txt", FACEKIT_HUB="ann", **told(hub, folder / "home"))
    yield running
    process.terminate()
    process.wait(20)
    assert TOKEN not in (folder / "log.txt").read_text()


def visit(browser: Any, server: Any, path: str = "/?models", **options: Any) -> Any:
    options = {"viewport": {"width": 1440, "height": 900}, "locale": "en-GB", **options}
    page = browser.new_context(**options).new_page()
    page.set_default_timeout(SLOW)
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.goto(server.url + path)
    page.wait_for_selector(f"{ROOT}[data-state=ready]")
    return page


@pytest.fixture
def page(browser: Any, server: Any) -> Iterator[Any]:
    one = visit(browser, server)
    yield one
    assert one.errors == []
    one.context.close()


def open_(page: Any, name: str, state: str = "ready") -> None:
    page.fill("[data-part=address]", name)
    page.keyboard.press("Enter")
    page.wait_for_selector(f"{ROOT}[data-state={state}]:not([data-state=opening])")
    page.wait_for_function("!document.querySelector('.fk-models [data-part=go]').disabled")


def card_of(page: Any, name: str) -> Any:
    return page.locator(f'[data-name="{name}"]')


def test_the_gallery_shows_what_ships(page: Any, artefacts: Path) -> None:
    page.wait_for_selector(f"{ROOT}[data-timed]")
    names = page.eval_on_selector_all("[data-name]", "cards => cards.map((card) => card.dataset.name)")
    assert names == ["default", "portrait-attributes", "dcgan-conditional", "dcgan-faces", "dcgan-published"]
    default = card_of(page, "default").inner_text()
    assert "ms a face here" in default
    assert "attributes, age, expression" in default
    assert "90." in default
    card_of(page, "default").locator("[data-fold=groups] summary").click()
    assert card_of(page, "default").locator("svg").count() >= 4
    card_of(page, "default").locator("[data-fold=card] summary").click()
    page.wait_for_selector('[data-name="default"] .fk-models-card h1')
    assert page.inner_text(".fk-models-rows").count("Open") == 2  # the private one is not listed
    page.screenshot(path=artefacts / "models-wide.png", full_page=True)


def test_one_from_the_hub_is_opened_and_used(page: Any) -> None:
    open_(page, "https://huggingface.co/ann/net/tree/main")
    page.wait_for_selector('[data-name="ann/net@main"]')
    page.click('[data-use="ann/net@main"]')
    page.wait_for_selector("[data-part=using] >> text=ann/net@main")
    page.set_input_files("[data-part=file]", EXAMPLES / "astronaut.jpg")
    page.wait_for_selector(".fk-attributes[data-state=answer]")
    assert "checkpoint ann/net@main" in page.inner_text("[data-part=line]")
    page.reload()
    page.wait_for_selector(f"{ROOT}[data-state=ready]")
    page.click("[data-part=recent] >> text=ann/net@main")  # what was opened lately is remembered
    page.wait_for_selector('[data-name="ann/net@main"]')


def test_a_generator_is_opened_and_used(page: Any) -> None:
    open_(page, "ann/faces")
    page.click('[data-use="ann/faces"]')
    page.wait_for_selector(".fk-gen[data-state=ready]")
    assert page.input_value("[data-row=checkpoint]") == "ann/faces"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("nobody/net", "No repository nobody/net"),
        ("ann/net@v9", "no revision 'v9'"),
        ("ann/secret", "sign in if it is private"),
        ("eve/broken", "is damaged"),
        ("eve/pickle", "never read here"),
        ("/etc/passwd", "No checkpoint"),
        ("<b>bold</b>", "No checkpoint"),
    ],
)
def test_what_cannot_be_opened_is_told_in_a_sentence(page: Any, name: str, sentence: str) -> None:
    open_(page, name, "error")
    assert sentence in page.inner_text("[data-part=told]")
    assert page.locator("[data-part=told] b").count() == 0
    assert card_of(page, "default").is_visible()


def test_a_hostile_card_is_shown_as_text(page: Any) -> None:
    page.on("dialog", lambda dialog: pytest.fail(f"the card ran: {dialog.message}"))
    page.on("request", lambda request: pytest.fail(request.url) if "example.org" in request.url else None)
    open_(page, "eve/net")
    card_of(page, "eve/net").locator("[data-fold=card] summary").click()
    page.wait_for_selector('[data-name="eve/net"] .fk-models-card h1')
    shown = card_of(page, "eve/net").locator(".fk-models-card")
    assert "<script>alert(2)</script>" in shown.inner_text()
    assert shown.locator("script, img, iframe, details").count() == 0
    assert shown.locator("a[href^='javascript'], a[href^='data']").count() == 0


def test_two_are_compared_on_a_photo_of_ones_own(page: Any, artefacts: Path) -> None:
    page.click('[data-compare="portrait-attributes"]')
    page.wait_for_selector(".fk-models-compare[data-state=answer]")
    assert "attributes" in page.inner_text(".fk-compare-said")
    figures = page.inner_text(".fk-compare-figures")
    assert "worse" in figures  # the small one, by its records
    assert "The gate: portrait-attributes is worse." in page.inner_text(".fk-compare-gate")
    assert page.locator(".fk-diff").count() >= 8
    with page.expect_file_chooser() as chooser:
        page.click("[data-do=own]")
    chooser.value.set_files(EXAMPLES / "three_sizes.jpg")
    page.wait_for_function("document.querySelectorAll('.fk-compare-photo .fk-box').length === 3")
    page.locator(".fk-compare-photo .fk-box").nth(2).click()
    assert page.locator(".fk-compare-photo .fk-box").nth(2).get_attribute("aria-pressed") == "true"
    page.screenshot(path=artefacts / "models-compare.png", full_page=True)
    with page.expect_file_chooser() as chooser:
        page.click("[data-do=own]")
    chooser.value.set_files(EXAMPLES / "cat.jpg")
    page.wait_for_selector(".fk-compare-body >> text=No face")
    with page.expect_file_chooser() as chooser:
        page.click("[data-do=own]")
    chooser.value.set_files({"name": "x.png", "mimeType": "image/png", "buffer": b"nonsense"})
    page.wait_for_selector(".fk-models-compare[data-state=error]")


@pytest.mark.parametrize(("width", "dark"), [(390, False), (390, True), (820, False)])
def test_it_fits_narrow_screens_in_other_languages(
    browser: Any, server: Any, width: int, dark: bool, artefacts: Path
) -> None:
    theme = "&__theme=dark" if dark else ""
    page = visit(browser, server, f"/?models&lang=it{theme}", viewport={"width": width, "height": 844})
    page.click('[data-compare="portrait-attributes"]')
    page.wait_for_selector(".fk-models-compare[data-state=answer]")
    wide = """() => [...document.querySelectorAll('.fk-models *')]
        .filter((one) => one.getBoundingClientRect().right > innerWidth + 1 && !one.closest('.fk-scroll, .fk-prose'))
        .map((one) => one.outerHTML.slice(0, 80))"""
    assert page.evaluate(wide) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert "Leggono volti" in page.inner_text(ROOT)
    page.screenshot(path=artefacts / f"models-{width}{'-dark' if dark else ''}.png", full_page=True)
    page.context.close()


def test_a_signed_in_visitor_opens_what_is_theirs_and_nobody_else_does(
    browser: Any, serve: Any, hub: LoopbackHub, tmp_path: Path, artefacts: Path
) -> None:
    signing = {
        "OAUTH_CLIENT_ID": "the-space",
        "OAUTH_CLIENT_SECRET": "a secret of the Space",
        "OAUTH_SCOPES": "openid profile read-repos",
        "OPENID_PROVIDER_URL": hub.url,
    }
    space = {"SYSTEM": "spaces", "SPACE_ID": "ann/space", "HF_TOKEN": TOKEN, **signing}
    process, server = serve(tmp_path / "uploads", tmp_path / "log.txt", **space, **told(hub, tmp_path / "home"))
    try:
        stranger = visit(browser, server)
        open_(stranger, "ann/secret", "error")  # although the Space's own token may read it
        page = visit(browser, server)
        page.screenshot(path=artefacts / "models-sign-in.png")
        page.click("text=Sign in at the Hub")
        page.click("text=Authorize as ann")  # over there; it sends the browser back
        page.wait_for_selector("text=Sign ann out")
        given = token_of(page)
        page.goto(f"{server.url}/?models=ann/secret")
        page.wait_for_selector('[data-name="ann/secret"]')
        page.screenshot(path=artefacts / "models-signed-in.png")
        page.click('[data-use="ann/secret"]')
        page.set_input_files("[data-part=file]", EXAMPLES / "astronaut.jpg")
        page.wait_for_selector(".fk-attributes[data-state=answer]")
        assert "ann/secret" in page.inner_text("[data-part=line]")
        open_(stranger, "ann/secret", "error")  # not from the cache either
        for one in (page, stranger):
            assert given not in one.content() + one.url
            assert TOKEN not in one.content() + one.url
        page.goto(f"{server.url}/?models")
        page.click("text=Sign ann out")
        page.wait_for_selector("text=Sign in at the Hub")
        open_(page, "ann/secret", "error")  # no longer
    finally:
        process.terminate()
        process.wait(20)
    for secret in (TOKEN.encode(), given.encode()):
        assert secret not in (tmp_path / "log.txt").read_bytes()
        assert not [path for path in tmp_path.rglob("*") if path.is_file() and secret in path.read_bytes()]
        assert not [request for request in hub.requests() if secret.decode() in request.target]


def token_of(page: Any) -> str:
    """What the Hub gave a visitor: Gradio keeps it in the visitor's own cookie, signed."""
    cookie = next(one for one in page.context.cookies() if one["name"] == "session")
    assert cookie["secure"]
    assert cookie["httpOnly"]
    session = json.loads(base64.b64decode(cookie["value"].split(".")[0]))
    return str(session["oauth_info"]["access_token"])


def test_a_dead_hub_keeps_nothing_waiting(browser: Any, serve: Any, hub: LoopbackHub, tmp_path: Path) -> None:
    def interactive(server: Any, page: Any) -> float:
        page.goto(server.url)
        page.wait_for_selector(".fk-attributes[data-ready]")
        return time.monotonic() - float(server.started)

    live, there = serve(tmp_path / "u", tmp_path / "live.txt", FACEKIT_HUB="ann", **told(hub, tmp_path / "live"))
    usual = interactive(there, browser.new_context().new_page())
    live.terminate()
    live.wait(20)
    gone = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path / "home")}
    process, server = serve(tmp_path / "uploads", tmp_path / "log.txt", FACEKIT_HUB="ann", **gone)
    try:
        page = browser.new_context(locale="en-GB").new_page()
        seconds = interactive(server, page)
        print(
            f"interactive {seconds:.2f} s after the start of the process with a dead Hub, {usual:.2f} s with a live one"
        )
        assert seconds < 1.5 * usual + 0.5
        page.set_default_timeout(SLOW)
        page.click("#facekit-tabs button[data-tab-id=models]")
        page.wait_for_selector(f"{ROOT}[data-state=ready]")
        start = time.monotonic()
        open_(page, "ann/net", "error")
        assert time.monotonic() - start < 5
        assert "did not answer" in page.inner_text("[data-part=told]")
        page.click('[data-use="portrait-attributes"]')
        page.wait_for_selector("[data-part=using] >> text=portrait-attributes")
    finally:
        process.terminate()
        process.wait(20)
