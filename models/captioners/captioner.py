"""A captioner on torch: loaded from the files that its authors publish, and asked about pictures one by one."""

import json
from pathlib import Path
from typing import Any

from PIL import Image

from models.captioners.errors import CaptionerUnavailable
from models.captioners.spec import CaptionerSpec
from models.encoders.runtime import Runtime
from models.encoders.weights_folder import find_damage
from models.foundation.devices import CPU, list_devices
from models.foundation.errors import BackendNotInstalled
from models.foundation.messages import message

_MOST_TOKENS = 640  # of an answer


class TransformersCaptioner:
    """Answers what it is asked about a picture."""

    def __init__(self, spec: CaptionerSpec, processor: Any, model: Any, device: str) -> None:
        self.spec = spec
        self._processor, self._model, self._device = processor, model, device

    def answer(self, image: Image.Image, prompt: str) -> str:
        """Return what the model says of an RGB picture. `prompt` is a task of the spec, where it has tasks."""
        import torch

        if self.spec.tasks:
            inputs = self._processor(text=prompt, images=image, return_tensors="pt")
        else:
            content = [{"type": "image", "image": image}, {"type": "text", "text": prompt}]
            inputs = self._processor.apply_chat_template(
                [{"role": "user", "content": content}],
                add_generation_prompt=True,
                tokenize=True,
                return_dict=True,
                return_tensors="pt",
            )
        inputs = inputs.to(self._device, self._model.dtype)
        with torch.inference_mode():
            tokens = self._model.generate(
                **inputs, max_new_tokens=_MOST_TOKENS, do_sample=False, num_beams=self.spec.beams
            )
        if not self._model.config.is_encoder_decoder:
            tokens = tokens[:, inputs["input_ids"].shape[1] :]
        (said,) = self._processor.batch_decode(tokens, skip_special_tokens=True)
        return str(said).strip()


def load_captioner(spec: CaptionerSpec, runtime: Runtime) -> TransformersCaptioner:
    """Load a captioner: in bfloat16 on a GPU, in float32 on a processor. Nothing is fetched, and no code of it runs.

    Raises CaptionerUnavailable or BackendNotInstalled.
    """
    folder = runtime.weights.absolute() / spec.name
    _check(spec, folder)
    try:
        import torch
        from safetensors import SafetensorError

        from models.encoders.torch import prepare
        from models.encoders.transformers_towers import import_transformers
    except ImportError as error:
        raise BackendNotInstalled("transformers", "torch") from error
    tools = import_transformers(spec.model, "5.0")
    first = list_devices(runtime.device)[0]
    device = first if first.startswith("cuda") else CPU
    prepare(device, threads=runtime.threads)
    options = {"local_files_only": True, "trust_remote_code": False}
    try:
        processor = getattr(tools, spec.processor).from_pretrained(folder, **options)
        model, found = getattr(tools, spec.model).from_pretrained(
            folder,
            dtype=torch.float32 if device == CPU else torch.bfloat16,
            use_safetensors=True,
            output_loading_info=True,
            **options,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, SafetensorError) as error:
        said = " ".join(str(error).split())[:200]
        why = message("transformers says {said}", said=f"{type(error).__name__}: {said}")
        raise CaptionerUnavailable(folder, spec, why) from error
    missing = sorted(found["missing_keys"])
    if missing:
        raise CaptionerUnavailable(folder, spec, message("it lacks {name}", name=missing[0]))
    return TransformersCaptioner(spec, processor, model.to(device).eval(), device)


def _check(spec: CaptionerSpec, folder: Path) -> None:
    """Raise CaptionerUnavailable where it can be told without loading anything."""
    try:
        kind = json.loads((folder / "config.json").read_bytes())["model_type"]
    except FileNotFoundError:
        raise CaptionerUnavailable(folder, spec, message("{name} is missing", name="config.json")) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        why = message("{name} cannot be read", name="config.json")
        raise CaptionerUnavailable(folder, spec, why) from error
    if kind != spec.kind:
        raise CaptionerUnavailable(folder, spec, message("it is a model of the kind {kind}", kind=kind))
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise CaptionerUnavailable(folder, spec, message("{name} is missing", name="model.safetensors"))
    for file in files:
        if damage := find_damage(file):
            raise CaptionerUnavailable(folder, spec, message("{name}: {why}", name=file.name, why=damage))
