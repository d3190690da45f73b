"""Training on hardware that Hugging Face lends: the same command, run in a job, its checkpoint sent back to the Hub."""

import shlex
from collections.abc import Sequence
from typing import Final

from facekit.errors import RecipeError, TrainingError

_IMAGE: Final = "python:3.12"
_DATA: Final = "/data"


def launch(
    recipe: str, fields: Sequence[str], *, small: bool, code: str, data: str, push: str, flavor: str, timeout: str
) -> str:
    """Start `python -m training fit` as a job and return the address to follow it at.

    The job installs facekit, sees the dataset repository as its `data_root`, and proposes the finished checkpoint to
    the model repository as a pull request.

    Args:
        recipe, fields, small: as for `fit`; the recipe is one that the code has.
        code: what pip installs as facekit, e.g. `git+https://huggingface.co/spaces/OWNER/facekit`.
        data: dataset repository with the recipe's folders, `owner/name`.
        push: model repository, `owner/name`.
        flavor: hardware, e.g. "t4-small" or "a10g-large"; `hf jobs hardware` lists them.
        timeout: e.g. "2h".

    Raises:
        RecipeError: the recipe is a file of one's own.
        TrainingError: nobody is signed in, or the Hub does not take the job.
    """
    from huggingface_hub import Volume, get_token, run_job
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    if recipe.endswith((".yaml", ".yml")):
        raise RecipeError(f"A job has no file {recipe}: name a recipe that `recipes` lists, and fields to replace.")
    token = get_token()
    if token is None:
        raise TrainingError("Nobody is signed in to the Hub: run `hf auth login` first.")
    fit = ["python", "-m", "training", "fit", recipe, f"data_root={_DATA}", *fields, *(["--small"] if small else [])]
    steps = [
        shlex.join(["pip", "install", "--quiet", f"facekit[train] @ {code}"]),
        f"checkpoint=$({shlex.join(fit)})",
        f'python -m training push "$checkpoint" --repo {shlex.quote(push)} --pr',
    ]
    try:
        job = run_job(
            image=_IMAGE,
            command=["bash", "-euc", "\n".join(steps)],
            secrets={"HF_TOKEN": token},
            flavor=flavor,
            timeout=timeout,
            name=f"facekit-{recipe}",
            volumes=[Volume(type="dataset", source=data, mount_path=_DATA)],
        )
    except (HfHubHTTPError, HFValidationError, OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise TrainingError(f"The Hub did not take the job ({reason}): check its names and your rights.") from None
    return job.url
