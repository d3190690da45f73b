"""The tab *Attributes* in a real browser: every way in, every state, every size."""

import base64
import csv
import io
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

EXAMPLES = Path(__file__).resolve().parents[2] / "facekit" / "ui" / "examples"

ROOT = ".fk-attributes"
SLOW = 30_000  # milliseconds; a busy machine warms up slowly


def visit(browser: Any, server: Any, path: str = "/", **options: Any) -> Any:
    """A fresh visitor on the page, after the networks have warmed up."""
    options = {"viewport": {"width": 1440, "height": 900}, "locale": "en-GB", **options}
    page = browser.new_context(**options).new_page()
    page.set_default_timeout(SLOW)
    page.goto(server.url + path)
    page.wait_for_selector(f"{ROOT}[data-engine=ready]")
    return page


def drop(page: Any, photo: Path | dict[str, Any], state: str = "answer") -> None:
    """Choose a photo and wait for what becomes of it."""
    page.set_input_files("[data-part=file]", photo)
    page.wait_for_selector(f"{ROOT}[data-state={state}]")


@pytest.fixture
def page(browser: Any, server: Any) -> Iterator[Any]:
    """A visitor with a wide screen."""
    one = visit(browser, server)
    yield one
    one.context.close()


def test_page_opens_while_the_networks_load(
    browser: Any, serve: Any, tmp_path: Path, record_property: Any, artefacts: Path
) -> None:
    process, server = serve(tmp_path / "uploads", tmp_path / "log.txt")
    try:
        page = browser.new_context().new_page()
        page.set_default_timeout(SLOW)
        page.goto(server.url)
        page.wait_for_selector(f"{ROOT}[data-ready]")
        record_property("seconds_to_interactive", round(time.monotonic() - server.started, 2))
        print(f"interactive {time.monotonic() - server.started:.2f} s after the start of the process")
        early = page.get_attribute(ROOT, "data-engine") is None
        if early:
            page.wait_for_selector("[data-part=warm]", state="visible")
        page.screenshot(path=artefacts / "warming-up.png")
        drop(page, EXAMPLES / "astronaut.jpg")  # waits until it can be answered
        assert page.locator(".fk-card").count() == 1
        page.wait_for_selector("[data-part=warm]", state="hidden")
        assert time.monotonic() - server.started < 60
        assert early, "the networks were ready before the page: nothing was tested"
        page.context.close()
    finally:
        process.terminate()
        process.wait(20)


def test_photo_to_card(page: Any) -> None:
    drop(page, EXAMPLES / "astronaut.jpg")
    card = page.locator(".fk-card")
    assert re.search(r"about \d+", card.inner_text())
    assert "expression (appearance)" in card.inner_text()
    assert re.search(
        r"\d faces?\s· \d+ ms\s· checkpoint default\s· detector mtcnn", page.inner_text("[data-part=line]")
    )
    assert re.search(r"\d faces? found", page.inner_text("[data-part=said]"))
    box, picture = (
        page.locator(".fk-box[aria-pressed=true]").bounding_box(),
        page.locator("[data-part=picture]").bounding_box(),
    )
    centre = (box["x"] + box["width"] / 2 - picture["x"]) / picture["width"]
    assert 0.38 < centre < 0.5, "the box is drawn where the face is"


def test_all_forty_attributes_unfold(page: Any) -> None:
    drop(page, EXAMPLES / "astronaut.jpg")
    page.click("[data-fold=all] > summary")
    bars = page.locator("[data-fold=all] .fk-bars button")
    assert bars.count() == 40
    assert page.locator("[data-fold=all] [title=Eyeglasses]").inner_text().startswith("wears glasses")


def test_why_shows_where_the_network_looked(page: Any) -> None:
    drop(page, EXAMPLES / "astronaut.jpg")
    page.click("[data-fold=why] > summary")
    page.wait_for_selector("[data-part=heat]")
    first = page.get_attribute("[data-part=heat]", "src")
    page.click("[data-fold=all] > summary")
    page.click("[data-fold=all] [title=Eyeglasses]")
    page.wait_for_function("old => document.querySelector('[data-part=heat]')?.src !== old", arg=first)
    assert page.input_value("[data-part=target]") == "Eyeglasses"
    page.click("[data-view=layers]")
    page.wait_for_selector(".fk-layers img")
    assert page.locator(".fk-layers img").count() >= 3


def test_several_faces_by_keyboard(page: Any) -> None:
    drop(page, EXAMPLES / "three_sizes.jpg")
    count = page.locator(".fk-box").count()
    assert count >= 2
    page.click(".fk-box[data-face='0']")
    page.keyboard.press("ArrowRight")
    assert page.get_attribute(".fk-box[data-face='1']", "aria-pressed") == "true"
    assert page.evaluate("document.activeElement.dataset.face") == "1"
    assert f"Face 2 of {count}" in page.inner_text(".fk-card")
    page.keyboard.press("End")
    assert f"Face {count} of {count}" in page.inner_text(".fk-card")
    page.keyboard.press("ArrowRight")
    assert f"Face 1 of {count}" in page.inner_text(".fk-card")
    page.click(f".fk-faces [data-face='{count - 1}']")
    assert page.get_attribute(f".fk-box[data-face='{count - 1}']", "aria-pressed") == "true"


def test_everything_is_reached_by_tab(page: Any) -> None:
    drop(page, EXAMPLES / "astronaut.jpg")
    reached = set()
    name = "({ dataset, className, tagName }) => dataset.do || dataset.save || className || tagName"
    focused = f"({name})(document.activeElement)"
    page.focus(".fk-languages button")
    for _ in range(40):
        reached.add(page.evaluate(focused))
        page.keyboard.press("Tab")
    assert {"choose", "camera", "json", "csv", "SUMMARY"} <= reached
    assert any("fk-box" in one for one in reached)


def test_no_face(page: Any) -> None:
    drop(page, EXAMPLES / "cat.jpg", "none")
    assert "No face found" in page.inner_text("[data-part=answer]")
    page.click("[data-do=other-detector]")
    page.wait_for_function("document.querySelector('[data-part=line]').textContent.includes('haar')")


@pytest.mark.parametrize(
    ("name", "kind", "content"),
    [
        ("empty.jpg", "image/jpeg", b""),
        ("cut.jpg", "image/jpeg", (EXAMPLES / "astronaut.jpg").read_bytes()[:9000]),
        ("words.jpg", "image/jpeg", b"these are words"),
        ("words.txt", "text/plain", b"these are words"),
    ],
)
def test_bad_file_gets_one_sentence_and_the_page_goes_on(page: Any, name: str, kind: str, content: bytes) -> None:
    drop(page, {"name": name, "mimeType": kind, "buffer": content}, "error")
    sentence = page.inner_text("[data-part=error]")
    assert sentence.endswith(".")
    assert "Traceback" not in sentence
    drop(page, EXAMPLES / "astronaut.jpg")


def test_picture_that_browsers_cannot_show(page: Any) -> None:
    file = io.BytesIO()
    Image.open(EXAMPLES / "astronaut.jpg").save(file, "TIFF")
    drop(page, {"name": "photo.tif", "mimeType": "image/tiff", "buffer": file.getvalue()})
    assert page.get_attribute("[data-part=picture]", "src").startswith("data:image/jpeg")


def turned(format: str) -> bytes:
    """A photo of several faces that lies on its side, and says so."""
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6
    photo = Image.open(EXAMPLES / "three_sizes.jpg").transpose(Image.Transpose.ROTATE_90)
    photo.save(file, format, quality=90, exif=exif)
    return file.getvalue()


@pytest.mark.parametrize("format", ["WEBP", "JPEG"])
def test_turned_photo_is_shown_as_it_was_read(page: Any, format: str) -> None:
    upright = Image.open(EXAMPLES / "three_sizes.jpg")
    kind = format.lower()
    drop(page, {"name": f"photo.{kind}", "mimeType": f"image/{kind}", "buffer": turned(format)})
    assert page.get_attribute("[data-part=picture]", "src").startswith("data:" if format == "WEBP" else "blob:")
    assert page.locator(".fk-box").count() >= 2
    with page.expect_download() as download:
        page.click("[data-save=picture]")
    saved = Image.open(download.value.path()).convert("RGB")
    assert saved.size == upright.size
    difference = np.abs(np.asarray(saved, int) - np.asarray(upright.convert("RGB"), int)).mean()
    assert difference < 12, "the boxes are drawn on another picture than the one they were found in"


def test_unexpected_server_error_is_told(page: Any, fail_at: Callable[..., None]) -> None:
    fail_at(page, "example")
    page.click("[data-example=portrait]")
    page.wait_for_selector(f"{ROOT}[data-state=error]")
    fail_at(page, "analyze", "status")
    drop(page, EXAMPLES / "cat.jpg", "error")
    assert "The server did not answer" in page.inner_text("[data-part=error]")
    fail_at(page, "why")
    drop(page, EXAMPLES / "astronaut.jpg")
    page.click("[data-fold=why] > summary")
    page.wait_for_selector("[data-fold=why] >> text=The server did not answer")


def test_page_opens_although_the_server_failed_at_first(
    browser: Any, server: Any, fail_at: Callable[..., None]
) -> None:
    page = browser.new_context(locale="en-GB").new_page()
    page.set_default_timeout(SLOW)
    fail_at(page, "status", "choices")
    page.goto(server.url)
    page.wait_for_selector(f"{ROOT}[data-ready]")
    page.wait_for_timeout(1000)
    fail_at(page, "choices")
    page.wait_for_selector(f"{ROOT}[data-engine=ready]")
    drop(page, EXAMPLES / "astronaut.jpg")
    page.context.close()


def test_tiny_picture(page: Any) -> None:
    file = io.BytesIO()
    Image.new("RGB", (1, 1)).save(file, "PNG")
    drop(page, {"name": "dot.png", "mimeType": "image/png", "buffer": file.getvalue()}, "none")


def test_fifty_faces_stay_usable(page: Any, artefacts: Path) -> None:
    face = Image.open(EXAMPLES / "astronaut.jpg").crop((150, 0, 300, 170)).resize((120, 136))
    crowd = Image.new("RGB", (1200, 680))
    for i in range(50):
        crowd.paste(face, (i % 10 * 120, i // 10 * 136))
    file = io.BytesIO()
    crowd.save(file, "JPEG", quality=92)
    drop(page, {"name": "crowd.jpg", "mimeType": "image/jpeg", "buffer": file.getvalue()})
    assert page.locator(".fk-box").count() >= 40
    assert page.locator(".fk-faces").bounding_box()["height"] <= 220
    page.screenshot(path=artefacts / "crowd-1440.png", full_page=True)


def test_photo_by_paste_and_by_drop(page: Any) -> None:
    put = """([kind, base64]) => {
        const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)), data = new DataTransfer();
        data.items.add(new File([bytes], 'photo.jpg', { type: 'image/jpeg' }));
        const event = kind === 'paste' ? new ClipboardEvent('paste', { clipboardData: data, bubbles: true })
                                       : new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true });
        document.body.dispatchEvent(event);
    }"""
    for kind, example in (("paste", "astronaut.jpg"), ("drop", "three_sizes.jpg")):
        page.evaluate(put, [kind, base64.b64encode((EXAMPLES / example).read_bytes()).decode()])
        page.wait_for_function("n => document.querySelectorAll('.fk-box').length >= n", arg=1 if kind == "paste" else 2)


def test_a_folder_that_is_dropped_is_told(page: Any, tmp_path: Path) -> None:
    devtools = page.context.new_cdp_session(page)
    place = {"x": 300, "y": 300, "data": {"items": [], "files": [str(tmp_path)], "dragOperationsMask": 1}}
    for kind in ("dragEnter", "dragOver", "drop"):
        devtools.send("Input.dispatchDragEvent", {"type": kind, **place})
    page.wait_for_selector(f"{ROOT}[data-state=error]")
    assert "is empty" in page.inner_text(ROOT)


def test_examples_invite(page: Any) -> None:
    page.click("[data-example=portrait]")
    page.wait_for_selector(f"{ROOT}[data-state=answer]")


def test_saved_files_are_made_in_the_browser(page: Any) -> None:
    drop(page, EXAMPLES / "astronaut.jpg")
    saved = {}
    for kind in ("json", "csv", "picture"):
        with page.expect_download() as download:
            page.click(f"[data-save={kind}]")
        saved[kind] = Path(download.value.path()).read_bytes()
        assert download.value.url.startswith("blob:")
    report = json.loads(saved["json"])
    rows = list(csv.DictReader(io.StringIO(saved["csv"].decode())))
    assert report["error"] is None
    assert len(report["faces"]) == len(rows) >= 1
    assert float(rows[0]["Smiling"]) == report["faces"][0]["attributes"]["Smiling"]
    assert Image.open(io.BytesIO(saved["picture"])).size == (512, 512)


def test_language_follows_the_browser_and_the_switch(browser: Any, server: Any) -> None:
    page = visit(browser, server, locale="it-IT")
    assert "Trascina qui una foto" in page.inner_text(ROOT)
    assert page.locator("button[role=tab]").first.inner_text() == "Attributi"
    drop(page, EXAMPLES / "astronaut.jpg")
    page.click("[data-language=es]")
    assert re.search(r"unos \d+", page.inner_text(".fk-card")), "the answer is translated in place"
    assert page.locator("button[role=tab]").first.inner_text() == "Atributos"
    assert page.evaluate("document.documentElement.lang") == "es"
    page.context.close()
    page = visit(browser, server, "/?lang=es")
    assert page.locator("button[role=tab]").first.inner_text() == "Atributos"
    page.context.close()


def test_camera(launch: Any, server: Any, tmp_path: Path) -> None:
    photo = Image.open(EXAMPLES / "astronaut.jpg").resize((480, 480))
    frame = io.BytesIO()
    photo.save(frame, "JPEG", quality=92, subsampling=2)
    (tmp_path / "camera.mjpeg").write_bytes(frame.getvalue() * 20)
    browser = launch(
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={tmp_path / 'camera.mjpeg'}",
    )
    page = visit(browser, server)
    page.click(".fk-drop [data-do=camera]")
    page.click("[data-do=take]:not([disabled])")
    page.wait_for_selector(f"{ROOT}[data-state=answer]")
    assert page.evaluate("document.querySelector('[data-part=video]').srcObject") is None, "the camera is off again"
    browser.close()


def test_nothing_is_asked_of_other_hosts(browser: Any, server: Any) -> None:
    page = browser.new_context().new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(server.url)
    page.wait_for_selector(f"{ROOT}[data-engine=ready]", timeout=SLOW)
    drop(page, EXAMPLES / "astronaut.jpg")
    assert [url for url in asked if not url.startswith((server.url, "data:", "blob:"))] == []
    page.context.close()


def test_snippets_name_this_server(page: Any, server: Any, artefacts: Path) -> None:
    page.click("button[role=tab]:has-text('About')")
    page.wait_for_selector("#facekit-about pre", state="visible")
    assert f'Client("{server.url}")' in page.inner_text("#facekit-about")
    page.screenshot(path=artefacts / "about-1440.png", full_page=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 820, 390])
def test_screens(browser: Any, server: Any, artefacts: Path, width: int, scheme: str) -> None:
    height = 844 if width == 390 else 900
    page = visit(
        browser, server, viewport={"width": width, "height": height}, color_scheme=scheme, device_scale_factor=1
    )

    def keep(name: str) -> None:
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{name} scrolls sideways: {wide} px at {width}"
        page.evaluate("scrollTo(0, 0)")
        page.wait_for_timeout(250)
        page.screenshot(path=artefacts / f"{name}-{width}-{scheme}.png", full_page=True)

    keep("empty")
    drop(page, EXAMPLES / "three_sizes.jpg")
    keep("answer")
    page.click("[data-fold=why] > summary")
    page.wait_for_selector("[data-part=heat]")
    page.click("[data-fold=all] > summary")
    page.click("[data-part=quality] > summary")
    keep("unfolded")
    drop(page, EXAMPLES / "cat.jpg", "none")
    keep("no-face")
    drop(page, {"name": "words.jpg", "mimeType": "image/jpeg", "buffer": b"these are words"}, "error")
    keep("error")
    page.context.close()
