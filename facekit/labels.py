"""The label spaces that facekit's networks answer in."""

from typing import Final

ATTRIBUTES: Final[tuple[str, ...]] = (
    "5_o_Clock_Shadow",
    "Arched_Eyebrows",
    "Attractive",
    "Bags_Under_Eyes",
    "Bald",
    "Bangs",
    "Big_Lips",
    "Big_Nose",
    "Black_Hair",
    "Blond_Hair",
    "Blurry",
    "Brown_Hair",
    "Bushy_Eyebrows",
    "Chubby",
    "Double_Chin",
    "Eyeglasses",
    "Goatee",
    "Gray_Hair",
    "Heavy_Makeup",
    "High_Cheekbones",
    "Male",
    "Mouth_Slightly_Open",
    "Mustache",
    "Narrow_Eyes",
    "No_Beard",
    "Oval_Face",
    "Pale_Skin",
    "Pointy_Nose",
    "Receding_Hairline",
    "Rosy_Cheeks",
    "Sideburns",
    "Smiling",
    "Straight_Hair",
    "Wavy_Hair",
    "Wearing_Earrings",
    "Wearing_Hat",
    "Wearing_Lipstick",
    "Wearing_Necklace",
    "Wearing_Necktie",
    "Young",
)
"""CelebA's 40 binary attributes (Liu et al., 2015) in the official order."""

GENDER_ATTRIBUTE: Final = "Male"
"""The attribute that perceived gender is read from."""

GENDERS: Final[tuple[str, str]] = ("woman", "man")
"""Perceived gender, in the order of the probability of `Male`: index 0 below one half, 1 above."""

EXPRESSIONS: Final[tuple[str, ...]] = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""FER2013's seven expressions (Goodfellow et al., 2013) in the official order."""

MAX_AGE: Final = 100
"""Ages are a distribution over the whole years 0 to MAX_AGE; older faces count as MAX_AGE."""

SETS: Final = {"celeba": "CelebA", "utkface": "UTKFace", "fer2013": "FER2013"}
"""Folder name of a data set to its own name."""
