"""Checkpoints of published encoders at random weights, in the files their authors publish; made once a session.

Every tensor is drawn, those too that start as ones or zeros, so that no tensor can be mixed up or left out unseen.
"""

import ctypes
import gc
import importlib.util
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from models.encoders.runtime import Runtime

PHOTOGRAPHS = ("cat.png", "people/astronaut.png", "china.jpg")
ODD_SIZES = ((1, 1), (3, 500), (223, 225))


@pytest.fixture(scope="session")
def at(torch) -> Callable[[Path], Runtime]:
    """Return where encoders run: on one thread, as the reference code does."""
    return lambda weights: Runtime(weights=weights, device="cpu", threads=1)


@pytest.fixture(scope="session")
def free_memory() -> Callable[[], None]:
    """Return what gives the memory of models that are gone back to the machine."""

    def free() -> None:
        gc.collect()
        if sys.platform == "linux":
            ctypes.CDLL(None).malloc_trim(0)

    return free


@pytest.fixture(scope="session")
def pictures(photographs) -> list[Image.Image]:
    """Photographs and noise, all RGB."""
    rng = np.random.default_rng(1)
    noise = [Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8)) for width, height in ODD_SIZES]
    return [Image.open(photographs / name).convert("RGB") for name in PHOTOGRAPHS] + noise


@pytest.fixture(scope="session")
def cn_clip(torch) -> ModuleType:
    """The reference code of Chinese-CLIP."""
    pytest.importorskip("cn_clip")
    from models.encoders.torch_towers import mend_torchvision

    mend_torchvision()
    import cn_clip.clip

    return cn_clip.clip


@pytest.fixture(scope="session")
def draw(torch) -> Callable[..., dict[str, Any]]:
    """Draw random tensors in the names, shapes and types of a module's."""

    def draw_one(name: str, like: Any, generator: Any) -> Any:
        if not like.is_floating_point():
            return torch.zeros(like.shape, dtype=like.dtype)
        normal = torch.randn(like.shape, generator=generator)
        part = name.rpartition(".")[2]
        if part == "weight" and like.dim() == 1:  # of a normalisation
            # The branches of a deep tower stay small, or they drown its input.
            value = (0.4 if "bn3" in name else 1) + 0.1 * normal
        elif part == "running_var":
            value = 0.5 + torch.rand(like.shape, generator=generator)
        elif part in ("bias", "running_mean") or ("embedding" in name.lower() and "patch" not in name):
            value = 0.1 * normal
        else:
            value = 1.4 * normal * (like[0].numel() if like.dim() > 1 else 50) ** -0.5
        return value.to(like.dtype)

    def draw_all(like: Mapping[str, Any], seed: int) -> dict[str, Any]:
        generator = torch.Generator().manual_seed(seed)
        return {name: draw_one(name, tensor, generator) for name, tensor in like.items()}

    return draw_all


@pytest.fixture(scope="session")
def make_cn_clip(cn_clip, draw, made_once) -> Callable[..., Path]:
    """Save a checkpoint as cn_clip's authors publish theirs; return the folder of all weights."""
    import torch
    from cn_clip.clip.model import CLIP, convert_weights

    configurations = Path(importlib.util.find_spec("cn_clip").origin).parent / "clip/model_configs"

    def make(weights: Path, size: str, vision: str, text: str) -> None:
        values: dict[str, Any] = {}
        for name in (vision, text):
            values |= json.loads((configurations / f"{name}.json").read_text(encoding="utf-8"))
        if isinstance(values["vision_layers"], str):
            values["vision_layers"] = json.loads(values["vision_layers"])
        with torch.device("meta"):
            model = CLIP(**values)
            convert_weights(model)
        state = draw(model.state_dict(), seed=len(size))
        state["bert.pooler.dense.weight"] = torch.zeros(8, 8)  # the published ones have it, and nothing uses it
        (folder := weights / f"chinese-clip-{size}").mkdir()
        torch.save(
            {"epoch": 15, "step": 1, "name": size, "state_dict": {f"module.{n}": t for n, t in state.items()}},
            folder / f"clip_cn_{size}.pt",
        )

    return lambda size, vision, text: made_once(f"weights-{size}", lambda weights: make(weights, size, vision, text))


@pytest.fixture(scope="session")
def rn50(make_cn_clip) -> Path:
    """The folder of weights with chinese-clip-rn50. Not to be changed."""
    return make_cn_clip("rn50", "RN50", "RBT3-chinese")


@pytest.fixture(scope="session")
def vit_b_16(make_cn_clip, depth) -> Path:
    """The folder of weights with chinese-clip-vit-b-16. Not to be changed."""
    return make_cn_clip("vit-b-16", "ViT-B-16", "RoBERTa-wwm-ext-base-chinese")


@pytest.fixture(scope="session")
def transformers(torch) -> ModuleType:
    """The reference code of DINOv2 and SigLIP 2."""
    from models.encoders.torch_towers import mend_torchvision

    mend_torchvision()
    return pytest.importorskip("transformers")


@pytest.fixture(scope="session")
def make_dinov2(transformers, draw, made_once) -> Callable[[str], Path]:
    """Save a small DINOv2 as transformers does, with its config.json; return the folder of all weights."""

    def make(weights: Path, name: str) -> None:
        kind = "Dinov2WithRegisters" if "registers" in name else "Dinov2"
        config = getattr(transformers, f"{kind}Config")(  # the published config.json, value by value
            hidden_size=384,
            num_hidden_layers=12,
            num_attention_heads=6,
            mlp_ratio=4,
            hidden_act="gelu",
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            layer_norm_eps=1e-6,
            image_size=518,
            patch_size=14,
            num_channels=3,
            qkv_bias=True,
            layerscale_value=1.0,
            drop_path_rate=0.0,
            use_swiglu_ffn=False,
            **({"num_register_tokens": 4} if "registers" in name else {}),
        )
        model = getattr(transformers, f"{kind}Model")(config)
        model.load_state_dict(draw(model.state_dict(), seed=len(name)))
        model.save_pretrained(weights / name)

    return lambda name: made_once(f"weights-{name}", lambda weights: make(weights, name))


@pytest.fixture(scope="session")
def dinov2_small(make_dinov2) -> Path:
    """The folder of weights with dinov2-small. Not to be changed."""
    return make_dinov2("dinov2-small")


@pytest.fixture(scope="session")
def dinov2_with_registers_small(make_dinov2) -> Path:
    """The folder of weights with dinov2-with-registers-small. Not to be changed."""
    return make_dinov2("dinov2-with-registers-small")


@pytest.fixture(scope="session")
def write_sentence_weights():
    return _write_sentence_weights


def _write_sentence_weights(path, rows, blocks=17):
    """Write random weights in the form of the published file, `rows` pieces in each block."""
    random = np.random.default_rng(0)

    def draw(*shape):
        return (random.standard_normal(shape) / np.sqrt(shape[0])).astype(np.float32)

    arrays = {f"q{block + 1}": random.integers(0, 256, (rows, 512), dtype=np.uint8) for block in range(blocks)}
    arrays |= {"lo": -random.uniform(1, 2, blocks).astype(np.float32), "eps": np.array(1e-12)}
    arrays["scale"] = random.uniform(0.005, 0.02, blocks).astype(np.float32)
    for size in (2, 3, 5):
        arrays |= {f"proj{size}": draw(512, 256), f"proj_b{size}": draw(256)}
        arrays |= {f"ln_g{size}": draw(256) + 1, f"ln_b{size}": draw(256)}
        for layer in (1, 2):
            arrays |= {f"w{layer}_{size}": draw(256 * size, 256), f"b{layer}_{size}": draw(256)}
    arrays |= {"ln_g": draw(1280) + 1, "ln_b": draw(1280), "cnn_W": draw(1280, 512), "cnn_b": draw(512)}
    arrays |= {"d0": draw(512, 320), "d1": draw(320, 320), "d2": draw(320, 512), "d3": draw(512, 512)}
    arrays |= {"p1": draw(512, 320), "p3": draw(320, 512)}
    np.savez(path, **arrays)
    return arrays
