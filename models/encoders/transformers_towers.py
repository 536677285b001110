"""Towers made of the modules of transformers: what those of several families share."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from models.encoders.spec import EncoderSpec
from models.encoders.torch_towers import lacks, mend_torchvision, read_state
from models.foundation.errors import BackendNotInstalled, WeightsUnsuitable
from models.foundation.messages import message

_WIDTH_OF = (
    "embeddings.cls_token",
    "text_model.embeddings.token_embedding.weight",
    "language_model.embed_tokens.weight",
)


def load_model(
    kind: Any,
    config: Any,
    spec: EncoderSpec,
    path: Path,
    *more: Path,
    width: int = 0,
    prefix: str = "",
    aside: tuple[str, ...] = (),
) -> Any:
    """Return a model of transformers with the weights at `path`, which may have the names of an older version of it.

    `more`: the further files of a checkpoint that comes in several. `width`: of the tower that tells one size from
    another, where it is not that of the vectors. Names in the files may begin with `prefix`; tensors whose names then
    begin with one of `aside` are left out.
    """
    state: dict[str, torch.Tensor] = {}
    for file in (path, *more):
        state |= {name.removeprefix(prefix): tensor for name, tensor in read_state(file, spec.name).items()}
    state = {name: tensor for name, tensor in state.items() if not name.startswith(aside)}
    wanted = width or spec.dim
    narrow = next((tensor for name, tensor in state.items() if name.endswith(_WIDTH_OF)), None)
    if narrow is None or narrow.shape[-1] != wanted:  # found before gigabytes are filled
        why = message("it holds something else")
        if narrow is not None:
            why = message("it is {width} wide, not {wanted}", width=narrow.shape[-1], wanted=wanted)
        raise WeightsUnsuitable(path, spec.name, why)
    try:
        model, found = kind.from_pretrained(
            None, config=config, state_dict=state, dtype=torch.float32, output_loading_info=True
        )
    except RuntimeError as error:
        raise WeightsUnsuitable(path, spec.name, message("its tensors have other shapes")) from error
    missing = sorted(found["missing_keys"])
    unexpected = sorted(name for name in found["unexpected_keys"] if not name.endswith("position_ids"))
    if unexpected:  # such as the registers of a model that has them
        why = message("it holds {name}, which belongs to another model", name=unexpected[0])
        raise WeightsUnsuitable(path, spec.name, why)
    if missing:
        raise WeightsUnsuitable(path, spec.name, lacks(missing))
    return model.requires_grad_(requires_grad=False).eval()


class Pooled(nn.Module):
    """A model of transformers that returns its pooled output; `argument` is what it calls its input."""

    def __init__(self, model: nn.Module, argument: str) -> None:
        super().__init__()
        self.model = model
        self.argument = argument

    def forward(self, values: Tensor) -> Tensor:
        """Return the pooled output for one batch of inputs."""
        pooled: Tensor = self.model(**{self.argument: values}).pooler_output
        return pooled


def import_transformers(needed: str = "", version: str = "") -> Any:
    """Return transformers, silenced. Raises BackendNotInstalled, also where it lacks `needed`, new in `version`."""
    mend_torchvision()
    try:
        import transformers
    except ImportError as error:
        raise BackendNotInstalled("transformers", "torch") from error
    tools: Any = transformers
    if needed and not hasattr(tools, needed):
        raise BackendNotInstalled(f"transformers>={version}", "torch")
    tools.logging.set_verbosity_error()  # what it has to say of a checkpoint, WeightsUnsuitable says
    tools.logging.disable_progress_bar()
    return tools
