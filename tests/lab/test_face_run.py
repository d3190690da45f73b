"""A run on portraits can be taken anywhere, keeps what its discriminator has learned, and says what it sees."""

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from facekit.errors import LabError
from facekit.lab import face_run
from facekit.lab.face_run import FaceRun, inherit
from facekit.lab.faces import COLUMNS, Faces
from facekit.lab.run import start_run
from facekit.lab.settings import FACE_PRESETS, LabSettings
from facekit.nets.dcgan import DcganDiscriminator

BASE = {"data": "faces-32", "batch": 16, "generator_rate": 1e-3, "discriminator_rate": 1e-3}


def coloured(count: int = 300) -> Faces:
    """Portraits of one colour each."""
    colours = np.random.default_rng(0).integers(0, 256, (count, 1, 1, 3), np.uint8)
    return Faces(np.broadcast_to(colours, (count, 32, 32, 3)).copy(), np.arange(count) < 30)


def make(**settings: Any) -> FaceRun:
    return FaceRun(LabSettings(**{**BASE, **settings}), coloured())


def test_a_run_goes_on_from_a_snapshot_as_it_did_before() -> None:
    run = make(ema=0.9)
    for _ in range(3):
        run.step()
    kept = run.snapshot()
    then = [run.step() for _ in range(3)]
    run.change({"pack": 2, "norm": "spectral"})
    run.step()
    run.restore(kept)
    assert (run.steps, run.settings) == (3, kept.settings)
    assert [run.step() for _ in range(3)] == then
    other = make(ema=0.9, seed=5)
    other.restore(pickle.loads(pickle.dumps(kept)))  # as it goes from one process to another
    assert [other.step() for _ in range(3)] == then
    assert np.array_equal(other.portraits(), run.portraits())


def test_the_same_seed_gives_the_same_run() -> None:
    first, second, third = make(seed=1), make(seed=1), make(seed=2)
    assert first.step() == second.step() != third.step()


def test_what_is_shown_is_a_picture_of_the_same_noise() -> None:
    run = make()
    picture = Image.open(io.BytesIO(run.frame()["sheet"]))
    assert picture.size == (COLUMNS * 32, COLUMNS * 32)
    assert run.frame() == run.frame()
    run.step()
    assert run.portraits().shape == (COLUMNS**2, 32, 32, 3)


@pytest.mark.parametrize("network", ["discriminator", "generator"])
def test_one_network_can_learn_alone(network: str) -> None:
    run = make()
    nets = {name: getattr(run.gan, name) for name in ("generator", "discriminator")}
    before = {name: [p.detach().clone() for p in net.parameters()] for name, net in nets.items()}
    run.step_one(network)
    moved = [
        name
        for name, net in nets.items()
        if any(not torch.equal(p, q) for p, q in zip(net.parameters(), before[name], strict=True))
    ]
    assert moved == [network] and run.steps == 0


def judged(net: DcganDiscriminator, pictures: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return net.eval()(pictures).real


@pytest.mark.parametrize("after", [{"minibatch_std": True}, {"pack": 4}, {"pack": 2, "minibatch_std": True}])
def test_a_discriminator_of_another_shape_judges_as_before(after: dict[str, Any]) -> None:
    old = DcganDiscriminator(32, 8, "none")
    new = DcganDiscriminator(32, 8, "none", after.get("minibatch_std", False), after.get("pack", 1))
    inherit(new, old, 1, new.pack)
    pictures = torch.rand(4, 3, 32, 32) * 2 - 1
    alike = pictures.repeat_interleave(new.pack, 0)  # as many of the same as are judged together
    torch.testing.assert_close(judged(new, alike), judged(old, pictures), atol=1e-5, rtol=1e-4)
    back = DcganDiscriminator(32, 8, "none")
    inherit(back, new, new.pack, 1)
    torch.testing.assert_close(judged(back, pictures), judged(old, pictures), atol=1e-5, rtol=1e-4)


def test_a_norm_can_come_and_go() -> None:
    old = DcganDiscriminator(32, 8, "none")
    spectral, back = DcganDiscriminator(32, 8, "spectral"), DcganDiscriminator(32, 8, "none")
    inherit(spectral, old, 1, 1)
    inherit(back, spectral, 1, 1)
    pictures = torch.rand(4, 3, 32, 32) * 2 - 1
    torch.testing.assert_close(judged(back, pictures), judged(old, pictures))
    assert not torch.allclose(judged(spectral, pictures), judged(old, pictures))


@pytest.mark.parametrize(
    "change",
    [
        {"minibatch_std": True},
        {"pack": 4},
        {"norm": "spectral"},
        {"norm": "batch"},
        {"loss": "hinge"},
        {"loss": "least-squares"},
        {"loss": "wasserstein", "gradient_penalty": 1.0},
        {"r1": 0.1},
        {"label_smoothing": 0.1},
        {"unrolled": 2},
        {"skew": 0.9},
        {"batch": 32},
        {"ema": 0.9},
        {"discriminator_steps": 2, "generator_steps": 3},
    ],
)
def test_every_remedy_can_be_switched_on_in_mid_run(change: dict[str, Any]) -> None:
    run = make()
    run.step()
    run.change(change)
    assert np.isfinite(list(run.step().values())).all() and run.steps == 2
    run.change({name: getattr(LabSettings(**BASE), name) for name in change})
    run.step()


def test_an_average_that_was_off_begins_with_the_present_weights() -> None:
    run = make()
    for _ in range(4):
        run.step()
    before = run.portraits()
    run.change({"ema": 0.99})
    assert np.array_equal(run.portraits(), before)
    run.step()
    assert run.gan.drawing is not run.gan.generator


@pytest.mark.parametrize("change", [{"norm": "spectral"}, {"norm": "batch"}, {"minibatch_std": True}])
def test_the_same_change_after_a_rewind_is_the_same_run(change: dict[str, Any]) -> None:
    run = make()
    kept = run.snapshot()
    run.change(change)
    then = [run.step() for _ in range(2)]
    run.restore(kept)
    run.change(change)
    assert [run.step() for _ in range(2)] == then


def test_what_stays_for_a_whole_run_is_named() -> None:
    for name, value in {"data": "ring", "start": "trained", "generator_norm": "none", "seed": 3}.items():
        with pytest.raises(LabError, match=name):
            make().change({name: value})
    with pytest.raises(LabError, match="batch norm"):
        LabSettings.read({"norm": "batch"})


def test_losses_that_are_no_numbers_are_told() -> None:
    run = make()
    with torch.no_grad():
        next(run.gan.generator.parameters()).fill_(torch.nan)
    with pytest.raises(LabError, match="lower the learning rates"):
        run.step()


def test_a_run_may_start_with_trained_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(face_run, "TRAINED", tmp_path)
    before = make(minibatch_std=True)
    for _ in range(3):
        before.step()
    before.save_trained(tmp_path / "faces-32.safetensors")
    for settings in ({}, {"pack": 2, "norm": "spectral"}):
        after = make(start="trained", seed=9, **settings)
        assert np.abs(after.portraits().astype(int) - before.portraits()).max() <= 2  # float16
        after.step()
    (tmp_path / "faces-32.safetensors").write_bytes(b"no weights")
    with pytest.raises(LabError, match="start from noise"):
        make(start="trained")


def test_the_reading_tells_copies_from_different_faces() -> None:
    run = make()
    meter, faces = run._meter, coloured().portraits
    same = meter.read(np.repeat(faces[:1], meter.counted, 0), 1000)
    assert same.effective == pytest.approx(1, abs=0.01) and same.state == "collapsed"
    whole = meter.read(faces[:128], 1000)
    assert whole.effective == pytest.approx(whole.natural, rel=0.2)
    assert sum(row[2] for row in whole.groups) == pytest.approx(1) and len(whole.groups) == 10
    assert meter.read(faces[:128], 10).state == "starting" != meter.read(faces[:128], 10, trained=True).state


@pytest.mark.parametrize("name", FACE_PRESETS)
def test_every_preset_runs(name: str) -> None:
    given = {**FACE_PRESETS[name].settings, "data": "faces-32", "start": "noise", "batch": 16}
    run = FaceRun(LabSettings.read(given), coloured())
    run.step()
    run.change(FACE_PRESETS[name].remedy)
    run.step()


def test_the_settings_decide_what_kind_of_run_it_is() -> None:
    assert type(start_run(LabSettings())).__name__ == "PlaneRun"


@pytest.mark.parametrize("size", [32, 64])
def test_the_shipped_networks_draw_different_faces_at_once(size: int) -> None:
    run = FaceRun(LabSettings(data=f"faces-{size}", start="trained", batch=16))
    reading = run.reading()
    assert (reading.step, reading.state) == (0, "healthy")
    assert np.isfinite(list(run.step().values())).all()
