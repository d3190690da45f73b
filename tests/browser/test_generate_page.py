"""The tab *Generate* in a real browser: faces from a seed, choices, morph, growth, quiz, files, links."""

import json
import re
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from facekit.portraits import GENERATED
from facekit.ui.about import FACES
from facekit.ui.strings import texts

ROOT = ".fk-gen"
SLOW = 60_000  # milliseconds; the first faces wait for the networks of the other tabs
WIDE = {"width": 1440, "height": 1000}


def visit(browser: Any, server: Any, state: dict[str, Any] | None = None, **options: Any) -> Any:
    """A fresh visitor in the tab, with its faces drawn."""
    options = {"viewport": WIDE, "locale": "en-GB", "reduced_motion": "reduce", **options}
    page = browser.new_context(**options).new_page()
    page.set_default_timeout(SLOW)
    page.goto(server.url + "/?generate=" + urllib.parse.quote(json.dumps({"seed": 7} if state is None else state)))
    page.wait_for_selector(f"{ROOT}[data-state=ready]")
    return page


def drawn(page: Any, act: Any) -> None:
    """Do something that has new faces drawn, and wait for them."""
    before = int(page.get_attribute(ROOT, "data-drawn"))
    act()
    page.wait_for_function(f"Number(document.querySelector('{ROOT}').dataset.drawn) > {before}")
    page.wait_for_selector(f"{ROOT}[data-state=ready]")


def pictures(page: Any, within: str = "[data-part=grid]") -> list[str]:
    return page.evaluate(f"[...document.querySelectorAll('{within} canvas')].map((one) => one.toDataURL())")


def state_of(page: Any) -> dict[str, Any]:
    query = urllib.parse.parse_qs(urllib.parse.urlparse(page.url).query)
    found: dict[str, Any] = json.loads(query["generate"][0])
    return found


def labels(page: Any) -> list[str]:
    return page.evaluate("[...document.querySelectorAll('.fk-tile-face')].map((one) => one.ariaLabel)")


SMALL = """const small = (picture, side) => {
    const canvas = document.createElement("canvas"), pen = canvas.getContext("2d");
    canvas.width = canvas.height = side;
    pen.drawImage(picture, 0, 0, side, side);
    return [...pen.getImageData(0, 0, side, side).data];
};"""

THUMBNAILS = f"""() => {{
    {SMALL}
    return [...document.querySelectorAll("[data-part=grid] canvas")].map((one) => small(one, 8));
}}"""
"""The faces of the grid at 8 pixels, which do not depend on how wide a tile happens to be."""

LIKENESS = f"""(faces) => {{
    {SMALL}
    const shown = small(document.querySelector("[data-part=morph-picture]"), 8);
    return faces.map((i) => {{
        const tile = small(document.querySelector(`[data-face="${{i}}"] canvas`), 8);
        return tile.reduce((sum, value, k) => sum + Math.abs(value - shown[k]), 0) / tile.length;
    }});
}}"""
"""Faces of the grid to how far each is from the picture of the morph."""

DIFFERENCE = f"""() => {{
    {SMALL}
    const data = [...document.querySelectorAll("[data-part=grid] canvas")].map((one) => small(one, 16));
    let sum = 0;
    for (const a of data) for (const b of data) for (let i = 0; i < a.length; i++) sum += Math.abs(a[i] - b[i]);
    return sum;
}}"""
"""How far all faces of the grid are from each other."""


def same(one: list[int], other: list[int]) -> bool:
    """Whether two thumbnails show the same face."""
    return float(np.abs(np.subtract(one, other)).mean()) < 2


@pytest.fixture
def page(browser: Any, server: Any) -> Iterator[Any]:
    """A visitor with a wide screen."""
    one = visit(browser, server)
    yield one
    one.context.close()


def test_the_tab_is_found_and_says_that_nobody_is_shown(browser: Any, server: Any, artefacts: Path) -> None:
    page = browser.new_context(viewport=WIDE, locale="en-GB").new_page()
    page.set_default_timeout(SLOW)
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(server.url)
    names = page.locator("#facekit-tabs button[role=tab]")
    page.wait_for_selector(".fk-attributes[data-ready]")
    assert [name.strip() for name in names.all_inner_texts()][:4] == ["Attributes", "Live", "Generate", "Collapse lab"]
    page.click("#facekit-tabs button[data-tab-id=generate]")
    page.wait_for_selector(f"{ROOT}[data-state=ready]")
    assert page.inner_text(".fk-gen-banner h2") == "These people do not exist"
    assert re.search(r"about [\d,]+ photos .* \d+\s?% were labelled as women", page.inner_text("[data-part=banner]"))
    page.wait_for_function("!document.querySelector('.fk-gen-bars').textContent.includes('…')")
    assert problems == []
    page.context.close()


def test_what_is_not_known_of_the_training_photos_is_not_told(browser: Any, server: Any) -> None:
    """A contributor's generator may know fewer attributes, and keep nothing of its training."""
    page = browser.new_context(viewport=WIDE, locale="en-GB").new_page()
    page.set_default_timeout(SLOW)

    def answer(route: Any) -> None:
        if route.request.post_data_json["fn_name"] != "generate_about":
            route.continue_()
            return
        told = route.fetch()
        about = told.json() | {"shares": {"Male": 0.4}, "growth": None}
        route.fulfill(response=told, json=about)

    page.route("**/component_server/", answer)
    page.goto(server.url + "/?generate=" + urllib.parse.quote('{"checkpoint": "dcgan-conditional"}'))
    page.wait_for_selector(f"{ROOT}[data-state=ready]")
    words = page.inner_text("[data-part=banner]")
    assert re.search(r"Of the photos it learned from, 60\s?% were labelled as women: what was rare", words)
    page.wait_for_function("!document.querySelector('.fk-gen-bars').textContent.includes('…')")
    assert page.locator(".fk-gen-bars dt").count() == 1 and "NaN" not in page.inner_text(ROOT)
    page.context.close()


def test_same_seed_same_faces(page: Any, artefacts: Path) -> None:
    first = pictures(page)
    assert len(first) == 16 and len(set(first)) > 12
    drawn(page, lambda: page.click("[data-row=dice]"))
    assert not set(first) & set(pictures(page))
    assert state_of(page)["seed"] != 7

    def type_seed() -> None:
        page.fill("[data-row=seed]", "7")
        page.keyboard.press("Enter")

    drawn(page, type_seed)
    assert pictures(page) == first
    drawn(page, lambda: page.select_option("[data-row=count]", "9"))
    assert len(pictures(page)) == 9 and page.get_attribute(ROOT, "data-state") == "ready"
    page.screenshot(path=artefacts / "generate-nine.png")


def test_choices_change_what_is_drawn(page: Any, artefacts: Path) -> None:
    before, words = page.evaluate(THUMBNAILS), labels(page)
    assert any("looks like a woman" in one for one in words) and any("looks like a man" in one for one in words)
    drawn(page, lambda: page.click("[data-choice=look-man]"))
    men = labels(page)
    assert all("looks like a man" in one for one in men)
    assert state_of(page)["attributes"] == {"Male": True}
    kept = [same(a, b) for a, b in zip(before, page.evaluate(THUMBNAILS), strict=True)]
    assert kept == ["looks like a man" in one for one in words], "who looked like a man already stays as he was"
    drawn(page, lambda: page.click("[data-choice=hair-blond]"))
    assert state_of(page)["attributes"]["Blond_Hair"] is True
    assert state_of(page)["attributes"]["Black_Hair"] is False
    assert all("blond hair" in one and "black hair" not in one for one in labels(page))
    assert page.get_attribute("[data-choice=hair-blond]", "title").startswith("no Black_Hair, Blond_Hair")
    page.screenshot(path=artefacts / "generate-chosen.png")
    drawn(page, lambda: page.click("[data-choice=hair-any]"))
    drawn(page, lambda: page.click("[data-choice=look-any]"))
    assert all(map(same, before, page.evaluate(THUMBNAILS))) and "attributes" not in state_of(page)


def test_ordinary_and_unusual(page: Any) -> None:
    free, apart = pictures(page), page.evaluate(DIFFERENCE)
    drawn(page, lambda: page.fill("[data-row=truncation]", "0"))
    assert state_of(page)["truncation"] == 0.3
    assert "0.3 standard deviations" in page.get_attribute("[data-row=truncation]", "aria-valuetext")
    assert not set(free) & set(pictures(page))
    assert page.evaluate(DIFFERENCE) < 0.97 * apart, "ordinary faces are more alike"


def test_more_like_this_and_back(page: Any, artefacts: Path) -> None:
    thumbnails = page.evaluate(THUMBNAILS)
    page.hover("[data-face='5']")
    drawn(page, lambda: page.click("[data-like='5']"))
    assert state_of(page)["path"] == [5]
    near = page.evaluate(THUMBNAILS)
    assert same(near[0], thumbnails[5]) and not same(near[1], near[0])
    assert "Faces like face 6 of seed 7" in page.inner_text("[data-part=trail]")
    page.screenshot(path=artefacts / "generate-like.png")
    page.click("[data-face='3']")
    drawn(page, lambda: page.click("[data-act=like]"))
    assert state_of(page)["path"] == [5, 3] and same(page.evaluate(THUMBNAILS)[0], near[3])
    drawn(page, lambda: page.click("[data-do=back]"))
    drawn(page, lambda: page.click("[data-do=back]"))
    assert all(map(same, thumbnails, page.evaluate(THUMBNAILS)))
    assert page.is_hidden("[data-part=trail]")


def test_morph_between_two_picked_faces(page: Any) -> None:
    page.click("[data-face='2']")
    page.click("[data-act=from]")
    page.wait_for_selector("[data-part=morph][data-state=ready]")
    page.click("[data-face='9']")
    page.click("[data-act=to]")
    page.wait_for_function("document.querySelector('[data-part=morph]').dataset.state === 'ready'")
    assert [end["path"] for end in state_of(page)["morph"]] == [[2], [9]]

    def shown(at: int) -> str:
        page.fill("[data-part=morph-slider]", str(at))
        return str(page.evaluate("document.querySelector('[data-part=morph-picture]').toDataURL()"))

    first, middle, last = shown(0), shown(50), shown(100)
    assert len({first, middle, last}) == 3
    tiles = page.evaluate(LIKENESS, [2, 9])
    assert tiles[1] < 6 and tiles[1] < tiles[0], "at its end the morph is the face it was told to go to"
    drawn(page, lambda: page.click("[data-row=dice]"))
    assert [end["seed"] for end in state_of(page)["morph"]] == [7, 7], "picked faces stay picked"
    assert shown(100) == last


def test_picks_end_with_their_checkpoint(page: Any) -> None:
    """There is no way from a face of one network to a face of another."""
    page.click("[data-face='1']")
    page.click("[data-act=from]")
    page.wait_for_function("location.search.includes('morph')")
    other = page.eval_on_selector("[data-row=checkpoint]", "one => [...one.options].find((o) => !o.selected).value")
    drawn(page, lambda: page.select_option("[data-row=checkpoint]", other))
    assert "morph" not in state_of(page)
    page.click("[data-face='2']")
    page.click("[data-act=to]")
    assert [end["checkpoint"] for end in state_of(page)["morph"]] == [other, other]
    page.wait_for_selector("[data-part=morph][data-state=ready]")
    page.fill("[data-part=morph-slider]", "100")
    assert page.evaluate(LIKENESS, [2])[0] < 6, "at its end the morph is the face it was told to go to"


def test_a_morph_that_fails_leaves_the_faces_alone(page: Any, fail_at: Callable[..., None]) -> None:
    fail_at(page, "generate_morph", "generate_gif")
    page.click("[data-face='2']")
    page.click("[data-act=from]")
    page.wait_for_selector("[data-part=morph][data-state=error]")
    assert texts()["error.server"] in page.inner_text("[data-part=morph]")
    assert page.is_disabled("[data-act=gif-morph]") and page.get_attribute(ROOT, "data-state") == "ready"
    page.click("[data-do=gif-walk]")
    page.wait_for_selector(f"{ROOT} [data-part=hint]", state="visible")
    assert page.get_attribute(ROOT, "data-state") == "ready" and len(pictures(page)) == 16
    page.unroute_all()
    page.click("[data-act=from]")
    page.wait_for_selector("[data-part=morph][data-state=ready]")
    assert page.is_enabled("[data-act=gif-morph]")


def test_a_walk_moves_every_face_and_ends_when_told(page: Any) -> None:
    still = pictures(page)
    page.click("[data-row=walk]")
    page.wait_for_function(f"Number(document.querySelector('{ROOT}').dataset.frames) === 24")
    assert page.get_attribute("[data-row=walk]", "aria-pressed") == "true"
    page.wait_for_function("old => document.querySelector('[data-face] canvas').toDataURL() !== old", arg=still[0])
    page.click("[data-row=walk]")
    page.wait_for_selector("[data-row=walk][aria-pressed=false]")
    assert pictures(page) == still


def test_what_is_kept(page: Any) -> None:
    with page.expect_download() as grid:
        page.click("[data-do=png]")
    assert grid.value.suggested_filename == "faces-seed-7.png"
    with Image.open(grid.value.path()) as picture:
        assert picture.format == "PNG" and picture.size == (4 * 130 + 2,) * 2
        picture.verify()
        assert picture.info["Description"] == GENERATED
    page.click("[data-face='3']")
    with page.expect_download() as face:
        page.click("[data-act=save]")
    assert face.value.suggested_filename == "face-seed-7-3.png"
    with Image.open(face.value.path()) as picture:
        assert picture.size == (256, 256) and np.asarray(picture.convert("RGB")).std() > 5
    for button, frames in (("[data-do=gif-walk]", 24), ("[data-act=gif-morph]", 46), ("[data-act=gif-growth]", 2)):
        with page.expect_download() as moving:
            page.click(button)
        with Image.open(moving.value.path()) as picture:
            assert picture.format == "GIF" and picture.n_frames >= frames and picture.width >= 200
            assert picture.info["comment"].decode() == GENERATED


def test_a_link_holds_everything(page: Any, browser: Any, server: Any) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    drawn(page, lambda: page.click("[data-choice=smile-yes]"))
    drawn(page, lambda: page.select_option("[data-row=count]", "9"))
    page.click("[data-face='4']")
    drawn(page, lambda: page.click("[data-act=like]"))
    page.click("[data-do=link]")
    page.wait_for_function("document.querySelector('[data-do=link]').textContent === 'Copied'")
    address = page.evaluate("navigator.clipboard.readText()")
    assert address == page.url
    again = visit(browser, server, state_of(page))
    assert pictures(again) == pictures(page)
    assert again.get_attribute("[data-choice=smile-yes]", "aria-checked") == "true"
    assert "face 5 of seed 7" in again.inner_text("[data-part=trail]")
    again.context.close()


@pytest.mark.parametrize("state", [{"seed": -4}, {"seed": 7, "path": [99]}, {"seed": 7, "attributes": {"Beard": True}}])
def test_a_link_that_does_not_fit_is_told(browser: Any, server: Any, state: dict[str, Any]) -> None:
    page = browser.new_context(viewport=WIDE, locale="en-GB").new_page()
    page.set_default_timeout(SLOW)
    page.goto(server.url + "/?generate=" + urllib.parse.quote(json.dumps(state)))
    page.wait_for_selector(f"{ROOT}[data-state=error]")
    sentence = page.inner_text(f"{ROOT} [data-part=hint]").removesuffix(texts()["gen.afresh"]).strip()
    assert sentence.endswith(".") and "Traceback" not in sentence
    assert page.get_attribute(ROOT, "data-drawn") is None
    page.click("[data-do=afresh]")
    page.wait_for_selector(f"{ROOT}[data-state=ready]")
    assert len(pictures(page)) == 16 and page.is_hidden(f"{ROOT} [data-part=hint]")
    page.context.close()


def test_asked_and_read(page: Any) -> None:
    page.wait_for_function("!document.querySelector('.fk-gen-bars').textContent.includes('…')")
    page.click("[data-part=face] summary")
    rows = page.locator(".fk-gen-asked tbody tr")
    names = [row.get_attribute("title") for row in rows.all()]
    assert {"Male", "Smiling", "Eyeglasses"} <= set(names)
    asked, read = rows.nth(0).locator("td").all_inner_texts()
    assert asked in ("yes", "no") and re.match(r"\d+\s?%", read)
    page.click("[data-face='6']")
    assert page.locator(".fk-gen-asked").is_visible(), "what a visitor unfolded stays unfolded"
    bars = page.inner_text(".fk-gen-bars")
    assert len(re.findall(r"\d+\s?% · ", bars.replace("\n", " "))) >= len(names)


def test_keyboard_alone(page: Any) -> None:
    page.focus("[data-choice=look-any]")
    drawn(page, lambda: page.keyboard.press("ArrowRight"))
    assert page.evaluate("document.activeElement.dataset.choice") == "look-man"
    assert page.get_attribute("[data-choice=look-man]", "aria-checked") == "true"
    page.focus("[data-face='0']")
    for key, face in (("ArrowDown", 4), ("ArrowRight", 5), ("End", 15), ("Home", 0)):
        page.keyboard.press(key)
        assert page.evaluate("Number(document.activeElement.dataset.face)") == face
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("Number(document.activeElement.dataset.face)") == 0
    assert page.get_attribute("[data-face='0']", "tabindex") == "0"
    assert page.get_attribute("[data-face='1']", "tabindex") == "-1"
    assert "Face 1: looks like a man" in page.inner_text(f"{ROOT} [data-part=said]")
    reached = set()
    for _ in range(30):
        page.keyboard.press("Tab")
        reached |= set(page.evaluate("Object.values(document.activeElement.dataset)"))
    assert {"like", "from", "to", "save", "link", "png", "morph-slider", "epoch", "growth-play", "choose"} <= reached


@pytest.mark.parametrize("language", ["es", "it"])
def test_in_another_language(page: Any, language: str, artefacts: Path) -> None:
    words, english = texts(language), texts()
    page.click(f"[data-language={language}]")
    assert page.inner_text(".fk-gen-banner h2") == words["gen.banner"]
    assert page.inner_text("[data-act=like]") == words["gen.act.like"]
    assert page.inner_text("[data-choice=hair-blond]") == words["gen.group.hair.blond"]
    body = page.inner_text(ROOT)
    left = [
        key
        for key, text in english.items()
        if key.startswith("gen.") and words[key] != text and len(text) > 12 and "{" not in text and text in body
    ]
    assert left == [], "nothing stays in English"
    page.screenshot(path=artefacts / f"generate-{language}.png", full_page=True)


@pytest.mark.parametrize(("name", "width", "height"), [("phone", 390, 844), ("tablet", 820, 1180)])
def test_narrow_screens(browser: Any, server: Any, artefacts: Path, name: str, width: int, height: int) -> None:
    page = visit(browser, server, viewport={"width": width, "height": height}, has_touch=True, is_mobile=True)
    page.screenshot(path=artefacts / f"generate-{name}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    grid = page.locator("[data-part=grid]").bounding_box()
    assert grid["width"] > width - 80
    if name == "phone":
        assert grid["y"] < height - 200, "the faces can be seen without scrolling"
        page.click("summary[data-t='gen.fold.choices']")
        for chip in page.locator("[data-choice]").all():
            assert chip.bounding_box()["height"] >= 44
        page.click("summary[data-t='gen.fold.choices']")
    page.tap("[data-face='6']")
    assert page.get_attribute("[data-face='6']", "aria-pressed") == "true"
    page.locator("[data-part=growth]").scroll_into_view_if_needed()
    page.wait_for_selector("[data-part=growth][data-state=ready]")
    page.evaluate("scrollTo(0, 0)")
    page.context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_light_and_dark(browser: Any, server: Any, artefacts: Path, theme: str) -> None:
    page = visit(browser, server, color_scheme=theme)
    page.wait_for_function("!document.querySelector('.fk-gen-bars').textContent.includes('…')")
    page.locator("[data-part=growth]").scroll_into_view_if_needed()
    page.wait_for_selector("[data-part=growth][data-state=ready]")
    page.evaluate("scrollTo(0, 0)")
    ground = page.evaluate("getComputedStyle(document.querySelector('.fk')).getPropertyValue('--fk-ground')")
    assert ground.strip() == ("#f6f6f3" if theme == "light" else "#131615")
    page.screenshot(path=artefacts / f"generate-{theme}.png", full_page=True)
    page.context.close()


def test_a_server_that_is_gone_is_told(browser: Any, server: Any) -> None:
    page = visit(browser, server)
    before = pictures(page)
    page.context.set_offline(True)
    page.click("[data-row=dice]")
    page.wait_for_selector(f"{ROOT}[data-state=error]")
    assert page.inner_text(f"{ROOT} [data-part=hint]") == texts()["error.server"]
    assert pictures(page) == before, "the faces that were there stay"
    page.context.set_offline(False)
    drawn(page, lambda: page.click("[data-row=dice]"))
    assert page.is_hidden(f"{ROOT} [data-part=hint]")
    page.context.close()


def test_the_program_that_the_about_tab_shows(server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(FACES.replace("http://127.0.0.1:7860", server.url), {})
    files = sorted(tmp_path.glob("face-*.png"))
    assert len(files) == 16
    with Image.open(files[0]) as picture:
        assert picture.size == (64, 64) and picture.info["Description"] == GENERATED


def test_the_endpoint(server: Any) -> None:
    from gradio_client import Client
    from gradio_client.exceptions import AppError

    client = Client(server.url, verbose=False)
    answer = client.predict(3, 7, '{"Smiling": true}', 0.8, api_name="/generate")
    assert answer["error"] is None and len(answer["faces"]) == 3
    assert all(
        face["attributes"]["Smiling"] and face["picture"].startswith("data:image/png") for face in answer["faces"]
    )
    with pytest.raises(AppError, match="count of these faces does not fit"):
        client.predict(1000, 7, api_name="/generate")
    client.close()
