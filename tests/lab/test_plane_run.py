"""A run of the laboratory can be taken anywhere, and says what it sees."""

import pickle
from typing import Any

import numpy as np
import pytest

from facekit.errors import LabError
from facekit.lab.plane_run import FIELD, SHOWN, PlaneRun
from facekit.lab.reading import PlaneMeter
from facekit.lab.settings import POINT_PRESETS, LabSettings
from facekit.plane import Mixture, grid, ring


def test_a_run_goes_on_from_a_snapshot_as_it_did_before() -> None:
    run = PlaneRun(LabSettings(seed=1))
    for _ in range(10):
        run.step()
    kept = run.snapshot()
    then = [run.step() for _ in range(5)]
    run.change({"pack": 4, "norm": "spectral"})
    run.step()
    run.restore(kept)
    assert (run.steps, run.settings) == (10, kept.settings)
    assert [run.step() for _ in range(5)] == then
    other = PlaneRun(LabSettings(seed=1))
    other.restore(pickle.loads(pickle.dumps(kept)))  # as it goes from one process to another
    assert [other.step() for _ in range(5)] == then


@pytest.mark.parametrize("settings", [{"minibatch_std": True}, {"norm": "spectral"}, {"pack": 2}])
def test_what_is_shown_does_not_change_what_is_learned(settings: dict[str, Any]) -> None:
    unseen, seen = PlaneRun(LabSettings(**settings)), PlaneRun(LabSettings(**settings))
    for i in range(12):
        unseen.step()
        seen.step()
        if i % 3 == 0:
            seen.frame()
            seen.reading()
    assert np.array_equal(unseen.points(), seen.points())


def test_what_is_shown_has_the_promised_shape() -> None:
    run = PlaneRun(LabSettings(data="grid", pack=4, minibatch_std=True))
    assert run.points().shape == (SHOWN, 2)
    field = run.field()
    assert field.shape == (FIELD, FIELD) and field.dtype == np.float32
    assert field.min() >= 0 and field.max() <= 1


def test_the_field_is_high_where_the_real_points_are() -> None:
    run = PlaneRun(LabSettings())
    run.gan.judge = lambda places, _: places[:, 1] * 9  # type: ignore[method-assign]  # real is what lies above
    assert run.field()[0].max() < 0.01 and run.field()[-1].min() > 0.99


@pytest.mark.parametrize("network", ["discriminator", "generator"])
def test_one_network_can_learn_alone(network: str) -> None:
    run = PlaneRun(LabSettings())
    before = {name: getattr(run.gan, name).values.copy() for name in ("generator", "discriminator")}
    run.step_one(network)
    moved = [name for name, values in before.items() if not np.array_equal(getattr(run.gan, name).values, values)]
    assert moved == [network] and run.steps == 0


def test_skewed_data_comes_from_one_group() -> None:
    drawn = ring().draw(4000, np.random.default_rng(0), skew=0.95)
    assert ring().coverage(drawn).counts[0] == pytest.approx(4000 * (0.95 + 0.05 / 8) * 0.989, rel=0.02)


def test_losses_that_are_no_numbers_are_told() -> None:
    run = PlaneRun(LabSettings())
    run.gan.generator.values[:] = np.nan
    with np.errstate(invalid="ignore"), pytest.raises(LabError, match="lower the learning rates"):
        run.step()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"batch": 17}, r"^Setting batch: input should be a multiple of 4\.$"),
        ({"loss": "mse"}, "loss"),
        ({"r1": -1}, "r1"),
        ({"colour": 1}, r"^There is no setting colour: leave it out\.$"),
        ({"x" * 9999: 1}, r"^There is no setting x{40}: "),
        ({"norm": "batch"}, r"^Points are judged without batch norm: choose norm spectral or none\.$"),
        ({"start": "trained"}, "^There are no trained networks for points: choose start noise"),
    ],
)
def test_settings_that_cannot_be_are_named(given: dict[str, object], message: str) -> None:
    with pytest.raises(LabError, match=message):
        LabSettings.read(given)


def test_data_and_seed_stay_what_they_are() -> None:
    with pytest.raises(LabError, match="seed"):
        LabSettings().changed({"seed": 3})
    assert LabSettings(seed=3).changed({"seed": 3, "r1": 0.5}).r1 == 0.5


@pytest.mark.parametrize("name", POINT_PRESETS)
def test_presets_and_their_remedies_are_settings(name: str) -> None:
    LabSettings.read(POINT_PRESETS[name].settings).changed(POINT_PRESETS[name].remedy)


@pytest.mark.parametrize(("mixture", "modes"), [(ring(), 8), (grid(), 25)])
def test_the_meter_calls_things_by_their_name(mixture: Mixture, modes: int) -> None:
    meter, random = PlaneMeter(mixture), np.random.default_rng(1)
    assert meter.natural == pytest.approx(modes, rel=0.05)
    whole = mixture.draw(SHOWN, random)
    one = np.tile(mixture.centres[:1], (SHOWN, 1)) + np.float32(0.01)
    half = whole[np.linalg.norm(whole[:, None] - mixture.centres, axis=2).argmin(1) < modes * 0.6]
    cloud = random.uniform(-3, 3, (SHOWN, 2)).astype(np.float32)
    assert meter.read(whole, 1000).state == "healthy"
    assert meter.read(one, 1000).state == "collapsed" and meter.read(one, 1000).effective < 1.1
    assert meter.read(one + np.float32(0.5), 1000).state == "collapsed"  # in the middle of nowhere
    assert meter.read(half, 1000).state == "thinning"
    assert meter.read(cloud, 1000).state == "scattered"
    assert meter.read(one, 10).state == "starting"
