"""The same seed gives the same faces, chosen attributes are there, and what cannot be drawn is said."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import facekit
from facekit.errors import CheckpointNotFound, DamagedCheckpoint, GenerationError, UnknownName
from facekit.generate import FaceGenerator
from facekit.nets.dcgan import DcganGenerator, PublishedGenerator

NAMES = ("Male", "Blond_Hair", "Black_Hair")
TABLE = [[0, 1, 0, 0.5], [0, 0, 1, 0.2], [1, 0, 1, 0.3]]  # no man is blond
CONFIG, WEIGHTS = "generator/config.json", "generator/diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def plain() -> FaceGenerator:
    torch.manual_seed(0)
    return FaceGenerator(DcganGenerator(size=16, width=4).eval())


@pytest.fixture(scope="module")
def conditional() -> FaceGenerator:
    torch.manual_seed(0)
    return FaceGenerator(DcganGenerator(size=16, width=4, attributes=NAMES, combinations=TABLE).eval())


def pixels(faces: list) -> np.ndarray:
    return np.stack([np.asarray(face) for face in faces])


def test_a_seed_means_something(plain: FaceGenerator) -> None:
    faces = plain.sample(5, seed=7)
    assert [(face.mode, face.size) for face in faces] == [("RGB", (16, 16))] * 5
    np.testing.assert_array_equal(pixels(plain.sample(5, seed=7)), pixels(faces))
    np.testing.assert_array_equal(pixels(plain.sample(3, seed=7)), pixels(faces)[:3])
    assert (pixels(plain.sample(5, seed=8)) != pixels(faces)).any()
    assert (pixels(plain.sample(5)) != pixels(plain.sample(5))).any()


def test_few_faces_are_the_first_of_many(plain: FaceGenerator, conditional: FaceGenerator) -> None:
    few, many = (plain.draw_latents(n, seed=4, truncation=0.8) for n in (3, 70))
    assert torch.equal(few, many[:3])
    assert torch.equal(conditional.choose(3, 4, {}), conditional.choose(70, 4, {})[:3])


def test_drawing_leaves_the_randomness_of_others_alone(plain: FaceGenerator) -> None:
    torch.manual_seed(5)
    wanted = torch.rand(1)
    torch.manual_seed(5)
    plain.sample(1)
    assert torch.equal(torch.rand(1), wanted)


def test_more_faces_than_a_batch_are_the_same_faces(plain: FaceGenerator) -> None:
    np.testing.assert_array_equal(pixels(plain.sample(130, seed=1))[100:], pixels(plain.sample(130, seed=1))[100:])
    latents = plain.draw_latents(130, seed=1)
    alone = pixels(plain.sample(1, latents=latents[129:]))
    assert np.abs(pixels(plain.sample(130, seed=1))[129:].astype(int) - alone).max() <= 1  # rounding


def test_truncated_latents_stay_near_the_middle(plain: FaceGenerator) -> None:
    latents = plain.draw_latents(200, seed=0, truncation=0.7)
    assert 0.6 < latents.abs().max() <= 0.7 and latents.std() > 0.3
    free = plain.draw_latents(200, seed=0)
    assert torch.equal(latents.flatten().argsort()[::50], free.flatten().argsort()[::50])  # nearer, in the same order
    torch.testing.assert_close(plain.draw_latents(200, seed=0, truncation=8.0), free, atol=1e-3, rtol=1e-3)
    assert plain.draw_latents(200, seed=0).abs().max() > 2


def test_a_morph_begins_and_ends_at_its_faces(plain: FaceGenerator) -> None:
    start, end = plain.draw_latents(2, seed=3)
    faces = pixels(plain.interpolate(start, end, 5))
    ends = pixels(plain.sample(2, latents=torch.stack([start, end])))
    assert len(faces) == 5 and np.abs(faces[[0, 4]].astype(int) - ends).max() <= 1
    still = pixels(plain.interpolate(start, start, 3))
    assert np.abs(still.astype(int) - still[0]).max() <= 1


def test_every_step_of_a_morph_is_a_likely_latent(plain: FaceGenerator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A straight line would pass near the middle, where no latent is ever drawn."""
    seen: list[torch.Tensor] = []
    draw = plain.draw
    monkeypatch.setattr(plain, "draw", lambda z, y: seen.append(z) or draw(z, y))
    start, end = plain.draw_latents(2, seed=3)
    plain.interpolate(start, end, 9)
    lengths = seen[0].norm(dim=1)
    assert lengths.min() > 0.95 * min(start.norm(), end.norm())


def test_chosen_attributes_are_asked_of_the_network(conditional: FaceGenerator) -> None:
    rows = conditional.choose(200, 0, {"Male": True})
    assert (rows[:, 0] == 1).all() and (rows[:, 2] == 1).all()  # men have black hair in the table
    rows = conditional.choose(200, 0, {"Blond_Hair": False})
    assert not rows[:, 1].any()
    found = pixels(conditional.sample(4, seed=0, attributes={"Male": True}))
    assert (found != pixels(conditional.sample(4, seed=0, attributes={"Male": False}))).any()


def test_what_is_left_open_is_drawn_as_it_occurs(conditional: FaceGenerator) -> None:
    rows = conditional.choose(4000, 5, {})
    for *combination, share in TABLE:
        assert abs(float((rows == torch.tensor(combination)).all(1).float().mean()) - share) < 0.03


def test_what_is_left_open_is_drawn_as_it_occurs_beside_what_is_chosen(conditional: FaceGenerator) -> None:
    rows = conditional.choose(4000, 5, {"Male": False})
    women = [(*combination[1:], share) for *combination, share in TABLE if not combination[0]]
    for *rest, share in women:
        found = (rows[:, 1:] == torch.tensor(rest)).all(1).float().mean()
        assert abs(float(found) - share / sum(share for *_, share in women)) < 0.03


def test_who_has_what_is_chosen_stays_as_they_are(conditional: FaceGenerator) -> None:
    free, chosen = conditional.choose(300, 5, {}), conditional.choose(300, 5, {"Male": False})
    women = free[:, 0] == 0
    torch.testing.assert_close(chosen[women, 1:], free[women, 1:])


def test_what_nobody_has_can_still_be_asked_for(conditional: FaceGenerator) -> None:
    rows = conditional.choose(50, 1, {"Male": True, "Blond_Hair": True})
    assert rows[:, :2].all() and set(rows[:, 2].tolist()) == {0.0, 1.0}


def test_what_is_chosen_is_told_with_its_emphasis() -> None:
    emphasis = [[1, 1], [1, 3], [2, 1]]
    network = DcganGenerator(size=16, width=4, attributes=NAMES, combinations=TABLE, emphasis=emphasis)
    rows = FaceGenerator(network.eval()).choose(50, 1, {"Male": True, "Blond_Hair": True, NAMES[2]: False})
    assert rows.unique(dim=0).tolist() == [[1, 2, -0.5]]
    for wrong in ([[1, 1]], [[1, 1], [1, 0.5], [1, 1]], [[1, 1], [1, float("nan")], [1, 1]], [[1], [1], [1]]):
        with pytest.raises(ValueError, match="emphasis needs two numbers from 1 to 10"):
            DcganGenerator(size=16, width=4, attributes=NAMES, emphasis=wrong)


@pytest.mark.parametrize("n", [0, -1, 1025, 2.5, "3", None, True])
def test_too_few_or_too_many(plain: FaceGenerator, n: int) -> None:
    with pytest.raises(GenerationError, match="1 to 1024"):
        plain.sample(n)


def test_latents_and_truncations_that_do_not_fit(plain: FaceGenerator) -> None:
    for latents in (torch.zeros(2, 63), torch.zeros(3, 64), torch.full((2, 64), torch.nan)):
        with pytest.raises(GenerationError, match=r"give \(2, 64\) finite numbers"):
            plain.sample(2, latents=latents)
    for truncation in (0.0, -1.0, float("nan")):
        with pytest.raises(GenerationError, match=r"0\.1 or more"):
            plain.sample(2, truncation=truncation)
    for steps in (0, -1, 2.5, 2000):
        with pytest.raises(GenerationError, match=f"^{steps} steps .* 1 to 1024"):
            plain.interpolate(torch.zeros(64), torch.zeros(64), steps)
    for end in (torch.zeros(5), torch.zeros(1, 64), torch.full((64,), torch.nan), "end", [[1], [2, 3]]):
        with pytest.raises(GenerationError, match=r"give \(64,\) finite numbers"):
            plain.interpolate(torch.zeros(64), end)


def test_arguments_of_the_wrong_kind(plain: FaceGenerator, conditional: FaceGenerator) -> None:
    for seed in (1.5, "x", True):
        with pytest.raises(GenerationError, match="is no seed: give a whole number"):
            plain.sample(1, seed=seed)
    with pytest.raises(GenerationError, match=r"'1' leaves no faces: choose 0\.1 or more"):
        plain.sample(1, truncation="1")
    with pytest.raises(GenerationError, match=r'give them as \{"Smiling": True\}'):
        conditional.sample(1, attributes=["Male"])
    for value in ("no", None, 5, 0.5):
        with pytest.raises(GenerationError, match=r"^Male cannot be .*: say True or False\.$"):
            conditional.sample(1, attributes={"Male": value})


def test_numbers_of_numpy_are_numbers(plain: FaceGenerator, conditional: FaceGenerator) -> None:
    wanted = pixels(conditional.sample(2, seed=2**62, attributes={"Male": True}))
    for yes in (np.True_, 1, np.int64(1)):
        found = conditional.sample(np.int64(2), seed=np.int64(2**62), attributes={"Male": yes})
        np.testing.assert_array_equal(pixels(found), wanted)
    latents = plain.draw_latents(2, seed=3)
    wanted = pixels(plain.sample(2, latents=latents))
    for same in (latents.double(), latents.numpy(), latents.double().numpy(), latents.tolist()):
        np.testing.assert_array_equal(pixels(plain.sample(2, latents=same)), wanted)
        np.testing.assert_array_equal(pixels(plain.interpolate(*same, 2))[0], wanted[0])


@pytest.mark.parametrize("precision", [torch.float16, torch.bfloat16])
def test_half_the_precision_draws_about_the_same(precision: torch.dtype) -> None:
    generator = DcganGenerator(size=16, width=4, attributes=NAMES, combinations=TABLE).eval()
    exact = pixels(FaceGenerator(generator).sample(4, seed=1)).astype(int)
    assert np.abs(pixels(FaceGenerator(generator).to(precision).sample(4, seed=1)) - exact).max() <= 4


def test_unknown_attributes(plain: FaceGenerator, conditional: FaceGenerator) -> None:
    with pytest.raises(UnknownName, match="Unknown attribute 'Beard': choose one of Black_Hair, Blond_Hair, Male"):
        conditional.sample(1, attributes={"Beard": True})
    with pytest.raises(UnknownName, match="take one that is conditional"):
        plain.sample(1, attributes={"Male": True})


def test_it_comes_back_from_disk(conditional: FaceGenerator, tmp_path: Path) -> None:
    conditional.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "model_index.json").read_text())["_class_name"] == "FaceGenerator"
    again = facekit.FaceGenerator.from_pretrained(str(tmp_path), device="cpu")
    assert again.attributes == NAMES
    wanted = pixels(conditional.sample(3, seed=2, attributes={"Male": True}))
    np.testing.assert_array_equal(pixels(again.sample(3, seed=2, attributes={"Male": True})), wanted)
    np.testing.assert_array_equal(pixels(again(3, seed=2, attributes={"Male": True}).images), wanted)


def test_the_published_network_is_known_too(tmp_path: Path) -> None:
    FaceGenerator(PublishedGenerator()).save_pretrained(tmp_path)
    assert FaceGenerator.from_pretrained(str(tmp_path)).sample(1, seed=0)[0].size == (64, 64)


def damage_weights(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:-100])


def wrong_shape(folder: Path) -> None:
    weights = load_file(folder / WEIGHTS)
    weights["layers.1.weight"] = weights["layers.1.weight"][:1].contiguous()
    save_file(weights, folder / WEIGHTS)


def not_finite(folder: Path) -> None:
    weights = load_file(folder / WEIGHTS)
    weights["layers.1.weight"][0] = torch.nan
    save_file(weights, folder / WEIGHTS)


def change(**fields: object) -> object:
    def apply(folder: Path) -> None:
        config = json.loads((folder / CONFIG).read_text())
        (folder / CONFIG).write_text(json.dumps(config | fields))

    return apply


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_weights, "is damaged"),
        (wrong_shape, "does not fit its config.json"),
        (not_finite, "not numbers"),
        (change(combinations=[[1, 0.5]]), "a share"),
        (change(combinations=[[-1.0]]), "a billionth"),
        (change(combinations=[["1"]]), "a billionth"),
        (change(combinations=[[1e-46]]), "a billionth"),
        (change(attributes=["Male"], combinations=[["1", 1.0]]), "0 or 1"),
        (change(attributes=["Male"], combinations=[[None, 1.0]]), "0 or 1"),
        (change(size=2**20), "size must be a power of two"),
        (change(size=48), "size must be a power of two"),
        (change(size="large"), "is damaged"),
        (change(width=10**9), "is damaged|does not fit"),
        (change(latent=0), "do not fit"),
        (change(width=2**15), "million parameters"),
        (change(_class_name="UNet2DModel"), "is damaged"),
        (change(surprise=1), "surprise"),
        (lambda folder: (folder / CONFIG).write_text("{"), "is damaged"),
    ],
)
def test_a_damaged_checkpoint_is_named(plain: FaceGenerator, damage, message: str, tmp_path: Path) -> None:
    plain.save_pretrained(tmp_path)
    damage(tmp_path)
    with pytest.raises(DamagedCheckpoint, match=message):
        FaceGenerator.from_pretrained(str(tmp_path))


def test_a_folder_without_a_generator(tmp_path: Path) -> None:
    with pytest.raises((CheckpointNotFound, DamagedCheckpoint)):
        FaceGenerator.from_pretrained(str(tmp_path))
    with pytest.raises(CheckpointNotFound, match="No checkpoint 'nobody'"):
        FaceGenerator.from_pretrained("nobody")
