"""The model card of a generator: what it draws, what it learned from, whom it draws too rarely, how it was made."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import torch
from huggingface_hub import ModelCard, ModelCardData

from facekit.growth import attribute_shares, photos, told_shares
from facekit.nets.dcgan import GENERATORS
from training.report import data_name, run_facts, terms
from training.results import percent, table

_SHOWN: Final = {
    "discriminator": ("loss of the discriminator", "{:.3f}"),
    "generator": ("loss of the generator", "{:.3f}"),
    "real": ("real pictures held for real", "{:.1%}"),
    "fake": ("drawn pictures held for real", "{:.1%}"),
    "vendi": ("effectively different faces (Vendi score)", "{:.1f}"),
    "frechet": ("Fréchet distance", "{:.2f}"),
    "frechet_floor": ("the same between two halves of the real pictures", "{:.2f}"),
    "precision": ("precision", "{:.3f}"),
    "recall": ("recall", "{:.3f}"),
    "density": ("density", "{:.3f}"),
    "coverage": ("coverage", "{:.3f}"),
    "duplicate_rate": ("near duplicates", "{:.2%}"),
    "attribute_tv": ("total variation of the attributes", "{:.3f}"),
}
"""Figures of a log that the card tells, by their names there."""

_TOLD: Final = ("Male", "Young", "Smiling", "Eyeglasses", "Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair")
"""Attributes whose shares the card of a generator tells that has none to choose."""

_BODY: Final = """# {name}

A small generator of {size}x{size} portraits of people who do not exist{conditional}.

{parameters} parameters, trained here for {epochs} epoch{several}.{choices}

```python
from facekit import FaceGenerator

faces = FaceGenerator.from_pretrained("{name}").sample(16, seed=7{example})
```

Load it with `FaceGenerator`: the `DiffusionPipeline` of diffusers alone does not know its class.

## Data, and what follows from it

Trained on {photos} photos of {data}{who}. {bias}What is rare in
these photos is drawn rarely, and worse. The words are those of the data set's labellers: what a face looked like to
them, not who someone is.

## Intended use, and limits

- For demonstrations, teaching and research on generative networks, mode collapse above all.
- **Not for deception**: no profile pictures, no evidence, no "person" who is presented as one. Not for training
  networks that decide about people.
- {size} pixels, frontal faces in the framing of facekit's crops; many pictures are visibly broken.
- Nobody is meant, but a face may resemble a person of the training photos, or anyone else.
- Chosen attributes are asked for, not guaranteed. Some may be pressed beyond what training showed (`emphasis` in the
  generator's config.json), which makes faces look harder.

## Licence

{terms}
## Figures

{figures}
## How it was made

{making}
Weights of convolutions are stored as float16 and read back as float32: its pictures differ from those of the run by
at most {difference} grey level{plural}. `growth/` holds the same {shown} latents drawn after every epoch, and
`growth/log.jsonl` the losses. The weights of earlier epochs are not in here.
"""

_CELEBRITIES: Final = (
    ": **celebrities**, collected from the web by others. The people on them did not agree to this use"
)


def generator_card(
    name: str,
    settings: Mapping[str, Any],
    training: Mapping[str, Any],
    log: Sequence[Mapping[str, Any]],
    difference: int,
) -> str:
    """README.md of a generator's checkpoint, front matter included.

    Args:
        settings: the generator's config.json.
        training: its training.json.
        log: a record an epoch.
        difference: grey levels by which the stored weights change its pictures.
    """
    recipe = training["recipe"]
    attributes = settings.get("attributes", [])
    sets = {data_name(part) for part in recipe["data"]}
    license_name, license_text = terms(sets)
    body = _BODY.format(
        name=name,
        size=recipe["size"],
        shown=recipe["shown"],
        epochs=training["epoch"],
        parameters=f"{parameters(settings):,}",
        conditional=f", with {len(attributes)} attributes to choose" if attributes else "",
        several="" if training["epoch"] == 1 else "s",
        choices=f" Can be chosen: {', '.join(attributes)}." if attributes else "",
        example=f", attributes={{{attributes[0]!r}: True}}".replace("'", '"') if attributes else "",
        data=" and ".join(sorted(sets)),
        who=_CELEBRITIES if sets == {"CelebA"} else "",
        terms=license_text,
        photos=f"about {photos(training, log):,}" if log else "the",
        bias=_bias(settings, training),
        figures=_figures(log),
        making=run_facts(training),
        difference=difference,
        plural="" if difference == 1 else "s",
    )
    about = ModelCardData(
        library_name="facekit",
        license="other",
        license_name=license_name,
        pipeline_tag="unconditional-image-generation",
        tags=["face-generation", "dcgan", "gan", "diffusers", "pytorch"],
    )
    return str(ModelCard(f"---\n{about.to_yaml()}\n---\n\n{body}"))


def parameters(settings: Mapping[str, Any]) -> int:
    """How many numbers the network of a generator's config.json has learned."""
    with torch.device("meta"):
        kind = GENERATORS[settings["_class_name"]]
        network = kind(**{key: value for key, value in settings.items() if not key.startswith("_")})
    return sum(parameter.numel() for parameter in network.parameters())


def _bias(settings: Mapping[str, Any], training: Mapping[str, Any]) -> str:
    """The share of the training photos that have each attribute to choose, or each of `_TOLD`, as a sentence."""
    told_of = told_shares(training)
    shares = attribute_shares(settings.get("combinations", []), settings.get("attributes", []))
    shares = shares or {name: told_of[name] for name in _TOLD if name in told_of}
    told = ", ".join(f"{name} {percent(share)}" for name, share in shares.items())
    return f"Of the training photos are labelled: {told}. " if told else ""


def _figures(log: Sequence[Mapping[str, Any]]) -> str:
    """The last value of every figure that the log has, and the epoch it is of."""
    rows = []
    for key, (words, form) in _SHOWN.items():
        told = [record for record in log if isinstance(record.get(key), int | float)]
        if told:
            rows.append([words, form.format(told[-1][key]), str(told[-1]["epoch"])])
    return table(("figure", "value", "epoch"), rows) if rows else "None were taken.\n"
