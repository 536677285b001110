"""A published encoder of a few thousand weights: fetched, exported and verified as the large ones are, in seconds."""

from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from models.encoders.family import PublishedFamily
from models.encoders.published import PublishedEncoders
from models.encoders.spec import EncoderSpec, Publication
from models.encoders.starter import FOLDER
from models.language.tokenizer import NgramTokenizer
from models.pictures.preprocess import Squash

if TYPE_CHECKING:
    import torch

PREPROCESS = Squash(sides=(32,), resample=Image.Resampling.BILINEAR)
SPEC = EncoderSpec(
    name="tiny",
    space="tiny",
    dim=16,
    image_size=32,
    context_length=48,
    languages=("zh", "en"),
    preprocess=repr(PREPROCESS),
    license="Apache-2.0",
    parameters=1_600_000,
    publication=Publication(huggingface="org/tiny", modelscope="ms/tiny", checkpoints=(("model.safetensors",),)),
)
VOCABULARY = 100_000


def make_modules() -> "tuple[torch.nn.Module, torch.nn.Module]":
    """Return the towers at random weights."""
    from torch import nn

    class Pictures(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patches = nn.Conv2d(3, 32, 8, stride=8)
            self.out = nn.Linear(32, SPEC.dim)

        def forward(self, pixels):
            return self.out(self.patches(pixels).flatten(2).mean(2).relu())

    class Texts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = nn.Embedding(VOCABULARY, SPEC.dim, padding_idx=0)
            self.out = nn.Linear(SPEC.dim, SPEC.dim)

        def forward(self, ids):
            return self.out(self.words(ids).sum(1))

    return Pictures(), Texts()


def save(folder: Path) -> None:
    """Write a checkpoint at random weights."""
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(3)
    pictures, texts = make_modules()
    state = {f"image.{name}": tensor for name, tensor in pictures.state_dict().items()}
    state |= {f"text.{name}": tensor for name, tensor in texts.state_dict().items()}
    folder.mkdir(parents=True, exist_ok=True)
    save_file(state, folder / "model.safetensors")


def load_towers(spec: EncoderSpec, checkpoint: list[Path]):
    """Return both towers on torch."""
    from models.encoders.torch_towers import ImageTower, TextTower, read_state

    state = read_state(checkpoint[0], spec.name)
    modules = make_modules()
    for module, name in zip(modules, ("image.", "text."), strict=True):
        module.load_state_dict({key.removeprefix(name): t for key, t in state.items() if key.startswith(name)})
        module.requires_grad_(requires_grad=False).eval()
    image, text = modules
    return ImageTower(image, (0.5,) * 3, (0.5,) * 3), TextTower(text)


FAMILY = PublishedEncoders(
    PublishedFamily(
        specs=(SPEC,),
        make_preprocess=lambda _: PREPROCESS,
        load_towers=load_towers,
        tokenizer_file="tokenizer.json",
        find_tokenizer=lambda _: FOLDER / "tokenizer.json",
        load_tokenizer=lambda path, **_: NgramTokenizer(path),
    )
)
