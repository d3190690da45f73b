"""The tab *Live* in a real browser, whose camera plays a clip of the astronaut."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.browser.live import OVERLAY_IS_EMPTY, ROOT, SLOW, is_on, overlay_is_empty, start, visit

FAKE = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")


@pytest.fixture(scope="module")
def clip(astronaut: NDArray[np.uint8], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of the astronaut, moving to and fro, as Chromium's fake camera plays them over and over."""
    face, frames = np.ascontiguousarray(astronaut[0:330, 60:390, ::-1]), []
    for i in range(60):
        turn = 2 * np.pi * i / 60
        side = round(400 * (1 + 0.06 * np.sin(turn)))
        x, y = round(320 + 50 * np.cos(turn) - side / 2), round(240 - side / 2)
        frame = np.full((480, 640, 3), 96, np.uint8)
        frame[y : y + side, x : x + side] = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)
        frames.append(cv2.imencode(".jpg", frame)[1].tobytes())
    path = tmp_path_factory.mktemp("camera") / "camera.mjpeg"
    path.write_bytes(b"".join(frames))
    return path


@pytest.fixture(scope="module")
def camera(launch: Any, clip: Path) -> Iterator[Any]:
    """A browser whose camera plays the clip."""
    browser = launch(*FAKE, f"--use-file-for-fake-video-capture={clip}")
    yield browser
    browser.close()


@pytest.fixture
def page(camera: Any, server: Any) -> Iterator[Any]:
    one = visit(camera, server)
    yield one
    one.context.close()


def test_the_camera_is_read_as_it_runs(page: Any, artefacts: Path) -> None:
    assert "None is stored" in page.inner_text(f"{ROOT} [data-part=intro]"), "said before the browser asks"
    assert not is_on(page)
    start(page)
    page.wait_for_function(f"parseFloat(document.querySelector('{ROOT}').dataset.analyses) >= 2")
    assert re.search(
        r"1 face\s· \d+ pictures a second\s· \d+ analyses a second\s· [\d,]+ ms behind",
        page.inner_text(f"{ROOT} [data-part=line]"),
    )
    first = page.inner_text(f"{ROOT} [data-part=people] li")
    assert first.startswith("1") and "about" in first and "smiling" in first
    assert page.inner_text(f"{ROOT} [data-part=said]") == "1 face"
    assert not overlay_is_empty(page)
    page.screenshot(path=artefacts / "live.png")


def test_what_is_shown_can_be_switched_and_is_remembered(page: Any) -> None:
    start(page)
    switch = page.locator(f"{ROOT} [data-name=Smiling]")
    switch.click()
    assert switch.get_attribute("aria-pressed") == "false"
    page.wait_for_function(f"!document.querySelector('{ROOT} [data-part=people]').innerText.includes('smiling')")
    page.reload()
    page.wait_for_selector(f"{ROOT}[data-ready]")
    assert switch.get_attribute("aria-pressed") == "false"


def test_expression_is_sent_only_when_it_is_asked_for_and_never_in_class(page: Any) -> None:
    asked: list[bool] = []

    def listen(request: Any) -> None:
        if "component_server" in request.url and "live_frame" in (request.post_data or ""):
            asked.append(json.loads(request.post_data)["data"]["expression"])

    page.on("request", listen)
    start(page)
    assert asked and not any(asked)
    page.click(f"{ROOT} [data-name=expression]")
    page.wait_for_function(f"document.querySelector('{ROOT} [data-part=people]').innerText.includes('happy')")
    page.click(f"{ROOT} [data-part=options] summary")
    page.check(f"{ROOT} [data-part=classroom]")
    assert page.get_attribute(f"{ROOT} [data-name=expression]", "aria-pressed") == "false"
    page.wait_for_function(f"!document.querySelector('{ROOT} [data-part=people]').innerText.includes('happy')")


def test_a_link_opens_the_classroom(camera: Any, server: Any) -> None:
    page = visit(camera, server, "/?live&classroom")
    assert page.is_checked(f"{ROOT} [data-part=classroom]")
    page.context.close()


def test_pause_and_stop(page: Any) -> None:
    start(page)
    pause = page.locator(f"{ROOT} [data-do=pause]")
    pause.click()
    assert page.get_attribute(ROOT, "data-state") == "paused" and pause.inner_text() == "Go on"
    assert page.eval_on_selector(f"{ROOT} video", "video => video.paused")
    pause.click()
    assert page.get_attribute(ROOT, "data-state") == "on"
    page.click(f"{ROOT} [data-do=stop]")
    assert page.get_attribute(ROOT, "data-state") == "off"
    assert not is_on(page)
    page.wait_for_selector(f"{ROOT} [data-part=nobody]", state="visible")
    start(page)


def test_a_snapshot_is_read_in_attributes(page: Any) -> None:
    start(page)
    page.click(f"{ROOT} [data-do=snapshot]")
    page.wait_for_selector(".fk-attributes[data-state=answer]")
    assert page.locator(".fk-attributes .fk-box").count() == 1
    size = page.eval_on_selector(".fk-attributes [data-part=picture]", "image => image.naturalWidth")
    assert size == page.eval_on_selector(f"{ROOT} video", "video => video.videoWidth || 640")


def test_the_camera_is_closed_while_another_tab_is_shown(page: Any) -> None:
    start(page)
    page.click("#facekit-tabs button[data-tab-id=about]")
    page.wait_for_function(f"!document.querySelector('{ROOT} video').srcObject")
    page.click("#facekit-tabs button[data-tab-id=live]")
    page.wait_for_selector(f"{ROOT} [data-part=people] li")
    assert is_on(page)


def test_the_mirror(page: Any) -> None:
    start(page)
    video = page.locator(f"{ROOT} video")
    assert video.evaluate("video => getComputedStyle(video).transform") == "matrix(-1, 0, 0, 1, 0, 0)"
    page.click(f"{ROOT} [data-part=options] summary")
    page.uncheck(f"{ROOT} [data-part=mirror]")
    assert video.evaluate("video => getComputedStyle(video).transform") == "none"


def test_only_a_camera_that_looks_at_the_visitor_is_mirrored(camera: Any, server: Any) -> None:
    script = """const plain = MediaStreamTrack.prototype.getSettings;
        const { prototype } = MediaStreamTrack;
        prototype.getSettings = function () { return { ...plain.call(this), facingMode: window.facing }; };
        window.facing = "environment";"""
    page = visit(camera, server, script=script)
    for facing, mirrored in (("environment", False), ("user", True)):
        page.evaluate("(facing) => { window.facing = facing; }", facing)
        start(page)
        assert page.is_checked(f"{ROOT} [data-part=mirror]") == mirrored
        assert page.get_attribute(ROOT, "data-mirror") == str(mirrored).lower()
        page.click(f"{ROOT} [data-do=stop]")
    page.evaluate("document.querySelector('.fk-live [data-part=mirror]').click()")  # the visitor's own choice stays
    start(page)
    assert page.get_attribute(ROOT, "data-mirror") == "false"
    page.context.close()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("NotAllowedError", "refused"),
        ("NotFoundError", "No camera"),
        ("NotReadableError", "Another program"),
        ("Odd", "does not start"),
    ],
)
def test_a_camera_that_does_not_come_is_explained(name: str, words: str, camera: Any, server: Any) -> None:
    fails = f"navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', '{name}'));"
    page = visit(camera, server, script=fails)
    page.click(f"{ROOT} [data-do=start]")
    page.wait_for_selector(f"{ROOT} [data-part=hint]", state="visible")
    assert words in page.inner_text(f"{ROOT} [data-part=hint]")
    assert page.get_attribute(ROOT, "data-state") == "off"
    assert page.evaluate("document.activeElement.dataset.do") == "start"
    page.context.close()


def test_a_browser_without_cameras_is_told(camera: Any, server: Any) -> None:
    page = visit(camera, server, script="Object.defineProperty(navigator, 'mediaDevices', { value: undefined });")
    page.click(f"{ROOT} [data-do=start]")
    assert "https" in page.inner_text(f"{ROOT} [data-part=hint]")
    page.context.close()


def test_an_older_browser_works_all_the_same(camera: Any, server: Any) -> None:
    lacks = (
        "delete HTMLVideoElement.prototype.requestVideoFrameCallback;"
        "delete CanvasRenderingContext2D.prototype.roundRect; delete crypto.randomUUID;"
        "delete window.createImageBitmap; delete window.OffscreenCanvas;"
        "delete window.ImageCapture; delete window.VideoFrame; delete window.MediaRecorder;"
    )
    page = visit(camera, server, script=lacks)
    start(page)
    page.wait_for_function(f"!({OVERLAY_IS_EMPTY})(document.querySelector('{ROOT} [data-part=overlay]'))")
    page.context.close()


def test_a_camera_that_is_pulled_out(page: Any) -> None:
    start(page)
    page.eval_on_selector(
        f"{ROOT} video", "video => video.srcObject.getVideoTracks()[0].dispatchEvent(new Event('ended'))"
    )
    assert "disconnected" in page.inner_text(f"{ROOT} [data-part=hint]")
    assert page.get_attribute(ROOT, "data-state") == "off"


def test_no_frame_becomes_a_file_and_leaving_is_told(camera: Any, serve: Callable[..., Any], tmp_path: Path) -> None:
    folder = tmp_path / "uploads"
    process, server = serve(folder, tmp_path / "log.txt", TMPDIR=str(folder))
    try:
        page = visit(camera, server)
        start(page)
        page.wait_for_timeout(1500)
        found = [path for path in folder.rglob("*") if path.is_file()]
        assert found == []
        with page.expect_request(lambda request: "live_leave" in (request.post_data or "")):
            page.evaluate("dispatchEvent(new Event('pagehide'))")  # as when the browser's tab is closed
        page.context.close()
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.parametrize(("width", "scheme"), [(1440, "dark"), (820, "light"), (390, "light")])
def test_screens(width: int, scheme: str, camera: Any, server: Any, artefacts: Path) -> None:
    page = visit(camera, server, f"/?live&__theme={scheme}")
    page.set_viewport_size({"width": width, "height": 844})
    start(page)
    page.wait_for_timeout(1200)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.screenshot(path=artefacts / f"live-{width}-{scheme}.png")
    page.context.close()


@pytest.mark.parametrize(("language", "words"), [("it", "Avvia la fotocamera"), ("es", "Iniciar la cámara")])
def test_other_languages(language: str, words: str, camera: Any, server: Any) -> None:
    page = visit(camera, server, f"/?live&lang={language}")
    assert words in page.inner_text(ROOT)
    page.context.close()


def test_a_browser_that_blurs_what_is_read_is_told_so(camera: Any, server: Any) -> None:
    guarded = """
        const read = CanvasRenderingContext2D.prototype.getImageData;
        CanvasRenderingContext2D.prototype.getImageData = function (...area) {
            const image = read.apply(this, area);
            crypto.getRandomValues(image.data);
            return image;
        };
    """
    page = visit(camera, server, script=guarded)
    page.click(f"{ROOT} [data-do=start]")
    page.wait_for_selector(f"{ROOT} [data-part=hint] >> text=allow this page to read canvas images")
    assert not is_on(page)
    page.context.close()


def test_unexpected_server_error_is_told_and_passes(page: Any, fail_at: Callable[..., None]) -> None:
    start(page)
    fail_at(page, "live_frame")
    page.wait_for_selector(f"{ROOT} [data-part=hint] >> text=The server did not answer")
    page.unroute_all()
    page.wait_for_selector(f"{ROOT} [data-part=hint]", state="hidden")


def test_what_was_seen_last_is_not_shown_for_ever(page: Any, fail_at: Callable[..., None]) -> None:
    start(page)
    page.route("**/component_server/", lambda _: None)  # no answer, and no error
    page.wait_for_selector(f"{ROOT} [data-part=nobody]", state="visible")
    page.wait_for_function(f"({OVERLAY_IS_EMPTY})(document.querySelector('{ROOT} [data-part=overlay]'))")
    page.wait_for_selector(f"{ROOT} [data-part=line] >> text=0 faces")
    page.click(f"{ROOT} [data-do=stop]")
    page.unroute_all()
    start(page)
    fail_at(page, "live_frame")
    page.wait_for_selector(f"{ROOT} [data-part=hint] >> text=The server did not answer")
    assert page.is_visible(f"{ROOT} [data-part=nobody]")


def test_a_paused_picture_is_read_once_more_and_follows_the_language(page: Any) -> None:
    start(page)
    page.evaluate("""() => {
        window.read = 0;
        const encode = HTMLCanvasElement.prototype.toDataURL;
        HTMLCanvasElement.prototype.toDataURL = function (...how) {
            window.read += document.querySelector(".fk-live").dataset.state === "paused";
            return encode.apply(this, how);
        };
    }""")
    page.click(f"{ROOT} [data-do=pause]")
    page.wait_for_function("read === 1")
    page.wait_for_timeout(1500)
    assert page.evaluate("read") == 1
    page.click("[data-language=it]")
    assert page.inner_text(f"{ROOT} [data-part=line]") == "1 volto"
    assert page.inner_text(f"{ROOT} [data-do=pause]") == "Riprendi"


def test_a_paused_camera_stays_off_when_the_tab_is_shown_again(page: Any) -> None:
    start(page)
    page.click(f"{ROOT} [data-do=pause]")
    page.click("#facekit-tabs button[data-tab-id=about]")
    page.wait_for_function(f"!document.querySelector('{ROOT} video').srcObject")
    page.click("#facekit-tabs button[data-tab-id=live]")
    page.wait_for_timeout(1000)
    assert page.get_attribute(ROOT, "data-state") == "off" and not is_on(page)


def test_the_keyboard_goes_on_where_the_start_button_was(page: Any) -> None:
    page.focus(f"{ROOT} [data-do=start]")
    page.keyboard.press("Enter")
    page.wait_for_selector(f"{ROOT}[data-state=on]")
    page.wait_for_function("document.activeElement.dataset.do === 'pause'")


def test_a_chosen_camera_that_is_gone_gives_way_to_another(page: Any) -> None:
    start(page)
    cameras = page.locator(f"{ROOT} [data-part=cameras]")
    page.click(f"{ROOT} [data-part=options] summary")
    choose = """select => {
        select.append(new Option("USB", "pulled out"));
        select.value = "pulled out";
        select.dispatchEvent(new Event("change"));
    }"""
    cameras.evaluate(choose)
    page.wait_for_function(f"!!document.querySelector('{ROOT} video').srcObject?.active")
    page.wait_for_selector(f"{ROOT}[data-state=on]")
    page.wait_for_function("document.querySelectorAll('.fk-live [data-part=cameras] option').length === 1")
    page.click(f"{ROOT} [data-do=stop]")
    cameras.evaluate(choose)
    page.wait_for_timeout(300)
    assert page.get_attribute(ROOT, "data-state") == "off", "choosing one does not switch it on"
    start(page)


def test_a_camera_that_is_plugged_in_can_be_chosen(page: Any) -> None:
    cameras = page.locator(f"{ROOT} [data-part=cameras]")
    assert cameras.is_disabled(), "nothing to choose from yet"
    start(page)
    page.evaluate("""() => {
        const devices = ["one", "two"].map((deviceId) => ({ kind: "videoinput", deviceId, label: deviceId }));
        navigator.mediaDevices.enumerateDevices = async () => devices;
        navigator.mediaDevices.dispatchEvent(new Event("devicechange"));
    }""")
    page.wait_for_function(f"document.querySelectorAll('{ROOT} [data-part=cameras] option').length === 2")
    assert cameras.is_enabled()


def test_options_open_inside_the_window(page: Any) -> None:
    start(page)
    page.click(f"{ROOT} [data-part=options] summary")
    bottom = f"document.querySelector('{ROOT} .fk-options-panel').getBoundingClientRect().bottom"
    page.wait_for_function(f"{bottom} <= innerHeight + 1")


def test_an_error_follows_the_language(camera: Any, server: Any) -> None:
    fails = "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotAllowedError'));"
    page = visit(camera, server, script=fails)
    page.click(f"{ROOT} [data-do=start]")
    page.wait_for_selector(f"{ROOT} [data-part=hint] >> text=was refused")
    page.click("[data-language=es]")
    assert "Se denegó la cámara" in page.inner_text(f"{ROOT} [data-part=hint]")
    page.context.close()


def test_networks_that_could_not_be_loaded_are_still_told_when_the_camera_runs(camera: Any, server: Any) -> None:
    page = camera.new_context(locale="en-GB").new_page()
    page.set_default_timeout(SLOW)

    def answer(route: Any) -> None:
        failed = route.request.post_data_json["fn_name"] == "live_status"
        route.fulfill(json={"state": "failed", "failure": "Damaged: get it anew."}) if failed else route.continue_()

    page.route("**/component_server/", answer)
    page.goto(server.url + "/?live")
    hint = page.locator(f"{ROOT} [data-part=hint]")
    hint.filter(has_text="Damaged").wait_for()
    page.click(f"{ROOT} [data-do=start]")
    page.wait_for_selector(f"{ROOT}[data-state=on]")
    assert hint.inner_text() == "Damaged: get it anew."
    page.context.close()


@pytest.mark.parametrize("kept", ["{}", "5", "null", "no JSON", '["Smiling", "Nonsense", 7]'])
def test_switches_that_cannot_be_read_are_those_of_the_first_visit(kept: str, camera: Any, server: Any) -> None:
    page = visit(camera, server, script=f"localStorage.setItem('facekit-live', {json.dumps(kept)});")
    assert page.get_attribute(f"{ROOT} [data-name=Smiling]", "aria-pressed") == "true"
    page.context.close()


def test_a_page_that_the_browser_kept_asks_as_before(page: Any) -> None:
    seen = page.evaluate("""() => {
        const before = fetch;
        dispatchEvent(new Event("pagehide"));
        const leaving = fetch;
        dispatchEvent(new Event("pageshow"));
        return [leaving === before, fetch === before];
    }""")
    assert seen == [False, True], "requests that outlive a page are too small for a photo"


def test_a_tick_is_seen(page: Any) -> None:
    page.click(f"{ROOT} [data-part=options] summary")
    mirror = page.locator(f"{ROOT} [data-part=mirror]")
    ticked = mirror.screenshot()
    mirror.uncheck()
    page.mouse.move(0, 0)
    assert mirror.screenshot() != ticked


def test_labels_are_whole_on_a_phone(camera: Any, server: Any) -> None:
    spy = """
        window.cut = 0;
        window.words = new Set();
        const write = CanvasRenderingContext2D.prototype.fillText;
        CanvasRenderingContext2D.prototype.fillText = function (words, x, y) {
            window.words.add(words);
            window.cut += x < 0 || x + this.measureText(words).width > this.canvas.clientWidth;
            write.call(this, words, x, y);
        };
    """
    page = visit(camera, server, "/?live&classroom&lang=it", spy)
    page.set_viewport_size({"width": 390, "height": 844})
    page.evaluate(
        f"document.querySelectorAll('{ROOT} .fk-live-switch[aria-pressed=false]').forEach((one) => one.click())"
    )
    start(page)
    page.wait_for_function("[...words].some((row) => row.includes('bocca socchiusa'))")
    assert page.evaluate("cut") == 0
    page.context.close()
