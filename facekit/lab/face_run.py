"""FaceRun: one GAN of portraits in the laboratory, from the first step to wherever it is taken."""

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from facekit.errors import LabError
from facekit.gan import Gan, adam
from facekit.lab.eye import Eye
from facekit.lab.face_reading import FaceMeter, FaceReading
from facekit.lab.faces import COLUMNS, Faces, Portraits, sheet
from facekit.lab.run import LabRun, Snapshot, finite
from facekit.lab.settings import LabSettings
from facekit.nets.dcgan import DcganDiscriminator, DcganGenerator

LATENT: Final = 64
"""Length of a latent."""

WIDTH: Final = 16
"""Channels of the generator's last convolution but one and of the discriminator's first."""

TRAINED: Final = Path(__file__).parent / "trained"
"""The folder of `faces-32.safetensors` and `faces-64.safetensors`, the networks that a run may start with."""

_SHOWN_SEED: Final = 3  # of the noise that is shown, the same for every run


class FaceRun(LabRun):
    """A generator and a discriminator of portraits, and all that is random about them.

    Attributes:
        faces: the data.
        gan: the two networks.
    """

    frames: ClassVar[int] = 5
    pause: ClassVar[float] = 2.0
    every: ClassVar[int] = 50

    def __init__(self, settings: LabSettings, faces: Faces | None = None) -> None:
        self.faces = faces or Faces.read(settings.portrait_size)
        self._meter = FaceMeter(Eye(), self.faces.portraits)
        self._data_random = np.random.default_rng([settings.seed, 2])
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            generator = DcganGenerator(settings.portrait_size, LATENT, WIDTH, settings.generator_norm)
            self.gan = Gan(
                generator.to(memory_format=torch.channels_last),
                _discriminator(settings),
                settings,
                latent=LATENT,
                seed=settings.seed,
            )
        count = max(COLUMNS * COLUMNS, self._meter.counted)
        self._noise = torch.randn(count, LATENT, generator=torch.Generator().manual_seed(_SHOWN_SEED))
        if settings.start == "trained":
            self._load_trained()

    @property
    def settings(self) -> LabSettings:
        """The settings of the next step."""
        return self.gan.settings  # type: ignore[return-value]

    @property
    def steps(self) -> int:
        """Steps made so far."""
        return self.gan.steps

    def change(self, given: Mapping[str, Any]) -> None:
        """Go on with other settings. A discriminator of another shape keeps what it has learned."""
        before, after = self.settings, self.settings.changed(given)
        self.gan.settings = after
        if _shape(before) != _shape(after):
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(after.seed)  # so that the same change makes the same run
                new = _discriminator(after)
            inherit(new, self.gan.discriminator, before.pack, after.pack)
            self._replace_discriminator(new)

    def step(self) -> dict[str, float]:
        """See `Gan.step`."""
        return finite(self.gan.step(self._batch))

    def step_one(self, network: str) -> dict[str, float]:
        """One update of one network."""
        real, none = self._batch()
        return finite(
            self.gan.discriminator_step(real, none) if network == "discriminator" else self.gan.generator_step(none)
        )

    def use_threads(self, count: int) -> None:
        """Compute with so many from now on."""
        torch.set_num_threads(count)

    @torch.inference_mode()
    def portraits(self, count: int = COLUMNS * COLUMNS) -> Portraits:
        """(count, S, S, 3) uint8: what the generator makes of the same noise every time."""
        drawing = self.gan.drawing.eval()
        made = (drawing(self._noise[:count]) + 1) * 127.5
        self.gan.generator.train()
        return made.round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()

    def frame(self) -> dict[str, bytes]:
        """`COLUMNS` x `COLUMNS` portraits as one JPEG picture."""
        return {"sheet": sheet(self.portraits())}

    def reading(self) -> FaceReading:
        """What the instruments show now."""
        return self._meter.read(self.portraits(self._meter.counted), self.steps, self.settings.start == "trained")

    def snapshot(self) -> Snapshot:
        """A copy of everything, as NumPy arrays, which pass between processes by value."""
        parts = {name: _as_arrays(part.state_dict()) for name, part in self._parts().items()}
        state = {"parts": parts, "random": self.gan.random.get_state().numpy(), "data": deepcopy(self._data_random)}
        return Snapshot(self.steps, self.settings, state)

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from `snapshot`, with the settings it had."""
        self.gan.settings, self.gan.steps = snapshot.settings, snapshot.step
        self._replace_discriminator(_discriminator(snapshot.settings))
        for name, part in self._parts().items():
            part.load_state_dict(_as_tensors(snapshot.state["parts"][name]))
        for optimizer in (self.gan.generator_optimizer, self.gan.discriminator_optimizer):
            _lay_out(optimizer)
        self.gan.random.set_state(torch.from_numpy(snapshot.state["random"].copy()))
        self._data_random = deepcopy(snapshot.state["data"])

    def save_trained(self, path: Path) -> None:
        """Write both networks, to start from, as float16 safetensors; the discriminator in its plain form."""
        plain = _discriminator(LabSettings(data=self.settings.data))
        inherit(plain, self.gan.discriminator, self.settings.pack, 1)
        nets = {"generator": self.gan.drawing, "discriminator": plain}
        save_file(
            {
                f"{name}.{key}": (value.half() if value.is_floating_point() else value).contiguous()
                for name, net in nets.items()
                for key, value in net.state_dict().items()
            },
            path,
        )

    def _load_trained(self) -> None:
        path = TRAINED / f"{self.settings.data}.safetensors"
        try:
            weights = load_file(path)
            kept = _discriminator(LabSettings(data=self.settings.data))
            for name, net in (("generator", self.gan.generator), ("discriminator", kept)):
                found = {key.removeprefix(name + "."): value for key, value in weights.items() if key.startswith(name)}
                net.load_state_dict(found)
        except (OSError, RuntimeError, SafetensorError) as error:
            raise LabError(f"The trained networks are damaged ({type(error).__name__}): start from noise.") from None
        inherit(self.gan.discriminator, kept, 1, self.settings.pack)
        self.gan.average.module.load_state_dict(self.gan.generator.state_dict())

    def _parts(self) -> dict[str, Any]:
        names = ("generator", "average", "discriminator", "generator_optimizer", "discriminator_optimizer")
        return {name: getattr(self.gan, name) for name in names}

    def _replace_discriminator(self, new: DcganDiscriminator) -> None:
        self.gan.discriminator = new
        self.gan.discriminator_optimizer = adam(new, self.settings.discriminator_rate, self.settings)

    def _batch(self) -> tuple[Tensor, Tensor]:
        found = self.faces.draw(self.settings.batch, self._data_random, self.settings.skew)
        pictures = torch.from_numpy(found).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
        return pictures, torch.empty(len(found), 0)


def _as_arrays(state: Any) -> Any:
    """A nested state with copies of its tensors as NumPy arrays."""
    if isinstance(state, Tensor):
        return state.numpy().copy()
    if isinstance(state, dict):
        return {key: _as_arrays(value) for key, value in state.items()}
    return state


def _as_tensors(state: Any) -> Any:
    """A nested state with copies of its NumPy arrays as tensors."""
    if isinstance(state, np.ndarray):
        return torch.from_numpy(state.copy())
    if isinstance(state, dict):
        return {key: _as_tensors(value) for key, value in state.items()}
    return state


def _lay_out(optimizer: torch.optim.Optimizer) -> None:
    """Give what an optimizer remembers of each weight the weight's own memory layout, as its fused step needs it."""
    for weight, kept in optimizer.state.items():
        for name, value in kept.items():
            if value.shape == weight.shape:
                kept[name] = torch.empty_like(weight, requires_grad=False).copy_(value)


def inherit(new: nn.Module, old: nn.Module, before: int, after: int) -> None:
    """Give `new` the kernels of `old`, whatever norm either has.

    What was learned of one portrait counts for each that is judged together; what was not seen counts nothing at first.

    Args:
        before, after: portraits that each judges together.
    """
    pairs = zip(_kernels(new), _kernels(old), strict=True)
    for i, ((weight, bias), (known, known_bias)) in enumerate(pairs):
        if i == 0:
            one = known.unflatten(1, (before, 3)).sum(1) / after
            known = one.repeat(1, after, 1, 1)
        weight.data.zero_()
        shared = min(weight.shape[1], known.shape[1])
        weight.data[:, :shared] = known[:, :shared]
        if bias is not None and known_bias is not None:
            bias.data.copy_(known_bias)


def _kernels(net: nn.Module) -> list[tuple[Tensor, Tensor | None]]:
    """Weights as they are stored, and biases, of every convolution from the picture on."""
    found = []
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            stored: Any = module
            weight = stored.parametrizations.weight.original if hasattr(module, "parametrizations") else module.weight
            found.append((weight, module.bias))
    return found


def _shape(settings: LabSettings) -> tuple[object, ...]:
    return settings.norm, settings.minibatch_std, settings.pack


def _discriminator(settings: LabSettings) -> DcganDiscriminator:
    norm, std, pack = settings.norm, settings.minibatch_std, settings.pack
    net = DcganDiscriminator(settings.portrait_size, WIDTH, norm, std, pack)
    return net.to(memory_format=torch.channels_last)
