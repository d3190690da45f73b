"""What decides how a GAN trains. Imports no torch, so that a page can offer the choices before it is there."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Rate = Annotated[float, Field(gt=0, le=1)]


class GanSettings(BaseModel):
    """What decides how the two train.

    Attributes:
        loss: "bce" (Goodfellow et al., 2014, non-saturating), "least-squares" (Mao et al., 2017), "hinge" (Lim and Ye,
            2017), or "wasserstein" with a gradient penalty (Gulrajani et al., 2017).
        generator_rate, discriminator_rate: learning rates of Adam.
        beta1, beta2: its decays.
        generator_steps, discriminator_steps: updates of each in one step.
        label_smoothing: real pictures count as real by 1 less this (one-sided, Salimans et al., 2016); of "bce" alone.
        gradient_penalty: weight of (|gradient| - 1)^2 between real and fake; of "wasserstein" alone.
        r1: half this times the squared gradient at real pictures is added (Mescheder et al., 2018); 0 for none.
        r1_every: steps from one R1 penalty to the next, which weighs so many times more (Karras et al., 2020).
        attributes: weight of the cross-entropy by which the discriminator learns to tell the attributes of real
            pictures, and the generator to show those it was given (Odena et al., 2017).
        unrolled: updates that the discriminator is ahead when the generator learns from it, taken back afterwards
            (Metz et al., 2017; without the gradient through these updates); 0 for none.
        ema: decay of the moving average of the generator's weights that pictures are drawn with; 0 for none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    loss: Literal["bce", "least-squares", "hinge", "wasserstein"] = "bce"
    generator_rate: Rate = 2e-4
    discriminator_rate: Rate = 2e-4
    beta1: float = Field(0.5, ge=0, lt=1)
    beta2: float = Field(0.999, ge=0, lt=1)
    generator_steps: int = Field(1, ge=1, le=20)
    discriminator_steps: int = Field(1, ge=1, le=20)
    label_smoothing: float = Field(0.0, ge=0, lt=0.5)
    gradient_penalty: float = Field(10.0, ge=0)
    r1: float = Field(0.0, ge=0)
    r1_every: int = Field(1, ge=1, le=64)
    attributes: float = Field(1.0, ge=0)
    unrolled: int = Field(0, ge=0, le=10)
    ema: float = Field(0.0, ge=0, lt=1)
