"""What is behind the tab *Generate*: wishes are checked, faces are named and found again, photos are forgotten."""

import asyncio
import base64
import gc
import inspect
import io
import weakref
from typing import Any

import gradio as gr
import numpy as np
import pytest
import torch
from PIL import Image

from facekit.errors import GenerationError, UnknownName
from facekit.generate import FaceGenerator
from facekit.growth import attribute_shares
from facekit.nets.dcgan import DcganGenerator
from facekit.shipped import GENERATOR
from facekit.ui import generate
from facekit.ui.cards import card_html
from facekit.ui.drawing import (
    FRAMES,
    Wish,
    draw_faces,
    draw_morph,
    draw_walk,
    gif,
    latents_of,
    sheet,
)
from facekit.ui.engine import Engine

NAMES = ("Male", "Smiling")
TABLE = [[0, 1, 0.5], [1, 0, 0.3], [1, 1, 0.2]]


@pytest.fixture(scope="module")
def tiny() -> FaceGenerator:
    torch.manual_seed(0)
    return FaceGenerator(DcganGenerator(size=16, width=4, attributes=NAMES, combinations=TABLE).eval())


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


def wish(**fields: object) -> Wish:
    return Wish.read(fields)


def picture(url: str) -> Image.Image:
    image = Image.open(io.BytesIO(base64.b64decode(url.split(",", 1)[1])))
    image.load()
    return image


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"seed": -1}, "seed"),
        ({"seed": 2**31}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"seed": "many"}, "seed"),
        ({"count": 0}, "count"),
        ({"count": 65}, "count"),
        ({"path": [64]}, "path"),
        ({"path": [-1]}, "path"),
        ({"path": [0] * 33}, "path"),
        ({"path": "abc"}, "path"),
        ({"attributes": {"Male": "perhaps"}}, "attributes"),
        ({"attributes": ["Male"]}, "attributes"),
        ({"truncation": 0}, "truncation"),
        ({"truncation": float("nan")}, "truncation"),
        ({"latents": [[0.0] * 64]}, "latents"),
    ],
)
def test_wishes_that_do_not_fit(fields: dict[str, object], message: str) -> None:
    with pytest.raises(GenerationError, match=rf"^{message}.* does not fit"):
        Wish.read(fields)


@pytest.mark.parametrize("fields", [None, 3, [], "seed"])
def test_what_is_no_wish(fields: object) -> None:
    with pytest.raises(GenerationError, match="the request of these faces does not fit"):
        Wish.read(fields)


def test_a_wish_is_what_sample_draws(tiny: FaceGenerator) -> None:
    pictures, rows = draw_faces(tiny, wish(count=5, seed=3, attributes={"Male": True}, truncation=0.8))
    faces = tiny.sample(5, seed=3, attributes={"Male": True}, truncation=0.8)
    np.testing.assert_array_equal(pictures, np.stack([np.asarray(face) for face in faces]))
    assert rows[:, 0].all()
    with pytest.raises(UnknownName, match="Beard"):
        draw_faces(tiny, wish(attributes={"Beard": True}))


def test_more_like_a_face_begins_with_it(tiny: FaceGenerator) -> None:
    """However many steps: the first picture is the face that was chosen, and the others have its attributes."""
    pictures, rows = draw_faces(tiny, wish(count=9, seed=3))
    near, near_rows = draw_faces(tiny, wish(count=6, seed=3, path=[7]))
    assert np.abs(near[0].astype(int) - pictures[7]).max() <= 1
    assert (near_rows == rows[7]).all() and (near[1] != near[0]).any()
    nearer, _ = draw_faces(tiny, wish(count=6, seed=3, path=[7, 4]))
    assert np.abs(nearer[0].astype(int) - near[4]).max() <= 1
    few, _ = draw_faces(tiny, wish(count=3, seed=3, path=[7, 4]))
    assert np.abs(few.astype(int) - nearer[:3]).max() <= 1


def test_a_walk_begins_with_the_grid_and_comes_back(tiny: FaceGenerator) -> None:
    asked = wish(count=4, seed=3, truncation=1.0)
    first, half, last = draw_walk(tiny, asked, [0, FRAMES // 2, FRAMES - 1])
    grid, _ = draw_faces(tiny, asked)

    def far(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.abs(a.astype(int) - b).mean())

    assert far(first, grid) < 0.5 and far(last, grid) < far(half, grid)
    assert draw_walk(tiny, asked, range(FRAMES, FRAMES + 8)) == []


def test_a_morph_goes_from_face_to_face(tiny: FaceGenerator) -> None:
    """Also where the two were drawn with different choices, and from different seeds."""
    start, end = wish(seed=3, path=[2], attributes={"Male": True}), wish(seed=4, path=[5, 1], truncation=0.5)
    pictures = draw_morph(tiny, start, end)
    assert pictures.shape == (FRAMES, 16, 16, 3)
    first = draw_faces(tiny, start.model_copy(update={"path": (), "count": 3}))[0][2]
    last = draw_faces(tiny, end.model_copy(update={"path": (5,), "count": 2}))[0][1]
    assert np.abs(pictures[0].astype(int) - first).max() <= 1 and np.abs(pictures[-1].astype(int) - last).max() <= 1
    with pytest.raises(GenerationError, match="needs two faces"):
        draw_morph(tiny, start, wish(seed=4))
    with pytest.raises(GenerationError, match="choose two faces of the same one"):
        draw_morph(tiny, start, end.model_copy(update={"checkpoint": "dcgan-published"}))
    named = draw_morph(tiny, start, end.model_copy(update={"checkpoint": GENERATOR.default}))
    np.testing.assert_array_equal(named, pictures)


def test_sheets_and_animations() -> None:
    faces = np.arange(7, dtype=np.uint8)[:, None, None, None] * 30 + np.zeros((7, 8, 8, 3), np.uint8)
    whole = np.asarray(sheet(faces))
    assert whole.shape == (24, 24, 3) and whole[0, 17, 0] == 60 and whole[17, 0, 0] == 180
    moving = picture(gif("growth", [sheet(face[None]) for face in faces]))
    assert moving.n_frames == 7 and min(moving.size) >= 200  # type: ignore[attr-defined]
    assert b"does not exist" in moving.info["comment"]
    moving.seek(6)
    assert moving.info["duration"] == 2500 and abs(moving.convert("RGB").getpixel((3, 3))[0] - 180) <= 4  # type: ignore[index]


def test_shares_of_the_training_pictures() -> None:
    assert attribute_shares(TABLE, NAMES) == pytest.approx({"Male": 0.5, "Smiling": 0.7})
    assert attribute_shares([], ()) == {}


def test_no_latent_depends_on_how_many_were_asked_for(tiny: FaceGenerator) -> None:
    few, many = latents_of(tiny, wish(count=2, seed=8)), latents_of(tiny, wish(count=64, seed=8))
    assert torch.equal(few[0], many[0][:2]) and torch.equal(few[1], many[1][:2])


def test_what_the_page_asks(engine: Engine) -> None:
    about = generate._about(engine, {"wish": {}})
    assert about["checkpoint"] in about["checkpoints"]
    assert set(about["shares"]) == set(about["attributes"])
    assert "These" not in about["card"] and "<h1>" in about["card"] and "license" not in about["card"].split("<h1>")[0]
    sheets = generate._growth_sheets(engine, {"wish": {}})["sheets"]
    grown = about["growth"]
    assert len(sheets) == len(grown["epochs"]) and picture(sheets[-1]).width % grown["size"] == 0
    assert {"epoch", "discriminator", "generator"} <= grown["log"][-1].keys()
    drawn = generate._faces(engine, {"wish": {"seed": 5, "count": 9}})
    assert picture(drawn["sheet"]).size == (3 * drawn["size"],) * 2
    assert drawn == generate._faces(engine, {"wish": {"seed": 5, "count": 9}})
    assert len(drawn["rows"]) == 9 and len(drawn["rows"][0]) == len(about["attributes"])
    read = generate._read(engine, {"wish": {"seed": 5, "count": 9}})["read"]
    assert np.shape(read) == (9, len(about["attributes"])) and 0 <= np.min(read) <= np.max(read) <= 1


def test_an_early_epoch_draws_other_faces_and_tells_of_the_same_training(engine: Engine) -> None:
    last = generate._about(engine, {"wish": {"checkpoint": "dcgan-faces"}})
    names = [last["checkpoint"], *(name for _, name in last["growth"]["kept"])]
    assert names[1:] == ["dcgan-faces@epoch-1", "dcgan-faces@epoch-3", "dcgan-faces@epoch-8"]
    wishes = [{"wish": {"seed": 5, "count": 9, "checkpoint": name}} for name in names]
    assert len({generate._faces(engine, wish)["sheet"] for wish in wishes}) == len(names)
    early = generate._about(engine, wishes[1])
    assert all(early[key] == last[key] for key in ("growth", "card", "shares"))
    assert generate._growth_sheets(engine, wishes[1]) == generate._growth_sheets(engine, wishes[0])


@pytest.mark.parametrize("name", ["dcgan-faces", "dcgan-published"])
def test_the_shares_of_a_checkpoint_that_is_not_conditional(engine: Engine, name: str) -> None:
    """The photos are those of the conditional one, whose table tells them too."""
    told, known = (generate._about(engine, {"wish": {"checkpoint": one}})["shares"] for one in (name, ""))
    assert {label: told[label] for label in known} == pytest.approx(known, abs=1e-3)


def test_walks_and_animations_of_the_page(engine: Engine) -> None:
    ask = {"wish": {"seed": 5, "count": 4}}
    walked = [generate._walk(engine, ask | {"first": first})["sheets"] for first in (0, 8, 16)]
    assert [len(part) for part in walked] == [8, 8, 8] and FRAMES == 24
    for first in (-1, FRAMES, "0", None, 1.5):
        with pytest.raises(GenerationError, match="start it again"):
            generate._walk(engine, ask | {"first": first})
    ends = {"from": {"seed": 5, "path": [0]}, "to": {"seed": 6, "path": [3]}}
    moving = picture(generate._gif(engine, {"kind": "morph", **ends})["gif"])
    assert moving.n_frames > FRAMES  # type: ignore[attr-defined]  # there and back
    with pytest.raises(GenerationError, match="choose walk, morph or growth"):
        generate._gif(engine, {"kind": "explode"})
    for name in ("nobody", "../../etc", "default"):
        for call in (generate._faces, generate._growth_sheets):
            with pytest.raises(UnknownName, match="No checkpoint"):
                call(engine, {"wish": {"checkpoint": name}})


def test_the_endpoint(engine: Engine) -> None:
    answer = generate._api_faces(engine, 3, 7, '{"Smiling": true}', 0.9, "")
    assert answer["error"] is None and [face["index"] for face in answer["faces"]] == [0, 1, 2]
    assert all(face["attributes"]["Smiling"] for face in answer["faces"])
    wanted = engine.with_generator(lambda one: one.sample(3, seed=7, attributes={"Smiling": True}, truncation=0.9))
    for face, one in zip(answer["faces"], wanted, strict=True):
        np.testing.assert_array_equal(np.asarray(picture(face["picture"])), np.asarray(one))
        assert "does not exist" in picture(face["picture"]).info["Description"]
    for attributes in ("{", "[]", '{"Smiling": 7}'):
        with pytest.raises(GenerationError):
            generate._api_faces(engine, 3, 7, attributes, 0, "")


def test_the_endpoint_takes_what_was_sent_as_it_is(engine: Engine) -> None:
    """Gradio rounds a number that is to have no decimals, and raises its own errors of what is no number."""
    with gr.Blocks() as page:
        generate.build(engine)
    (endpoint,) = [one for one in page.fns.values() if one.api_name == "generate"]
    for sent in (2.5, "a", [1], {"a": 1}):
        count = endpoint.inputs[0].preprocess(sent)
        with pytest.raises(GenerationError, match=r"^count of these faces does not fit"):
            generate._api_faces(engine, count, 7, "{}", 0, "")


def test_a_request_that_is_no_object_is_told(engine: Engine) -> None:
    for function in generate._server_functions(engine):
        for request in ([1], "wish", 5, None):
            answer = asyncio.run(function(request)) if inspect.iscoroutinefunction(function) else function(request)
            assert "A request is a JSON object" in answer["error"]


def test_portraits_for_the_quiz_are_forgotten(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut out as generators draw them, the largest face first; no photo or crop stays in memory."""
    from facekit import align, images

    kept: list[weakref.ref[Any]] = []

    def watched(make: Any) -> Any:
        def call(*args: Any, **settings: Any) -> Any:
            made = make(*args, **settings)
            kept.append(weakref.ref(made))
            return made

        return call

    monkeypatch.setattr(images, "read_image", watched(images.read_image))
    monkeypatch.setattr(align, "crop_face", watched(align.crop_face))
    several = generate.data_url(generate.EXAMPLES / "three_sizes.jpg")
    portraits = generate._portraits(engine, {"photo": several, "size": 64})["portraits"]
    assert len(portraits) == 3 and {picture(url).size for url in portraits} == {(64, 64)}
    assert len(generate._portraits(engine, {"example": True})["portraits"]) == 1
    assert generate._portraits(engine, {"photo": generate.data_url(generate.EXAMPLES / "cat.jpg")}) == {"portraits": []}
    gc.collect()
    assert len(kept) == 3 + 4 and not [one for one in kept if one() is not None]
    for size in (63, 4096, "64", None):
        with pytest.raises(GenerationError, match="choose 32, 64 or 128"):
            generate._portraits(engine, {"example": True, "size": size})


def test_cards_show_html_as_text() -> None:
    html = card_html(
        "---\nlicense: other\n---\n# Name\n\n<script>alert(1)</script>\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n"
    )
    assert "license" not in html and "<h1>Name</h1>" in html and "<table>" in html and "<script>" not in html
