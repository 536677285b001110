"""How encoders run on this machine."""

from dataclasses import dataclass
from pathlib import Path

from models.encoders.spec import EncoderSpec

PRECISIONS = ("fp32", "fp16", "int8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """Where the weights of encoders lie, and what runs them.

    `precision` is one of PRECISIONS, or "auto": the fastest that has been exported. `device` is "auto", "cpu",
    "tensorrt", "cuda" (every GPU, where work can be shared out) or "cuda:N". 0 `threads` means every processor.
    `templates` is "on", "off", or "auto": what the encoder's spec says.
    """

    weights: Path = Path("data/weights")
    precision: str = "auto"
    device: str = "auto"
    threads: int = 0
    templates: str = "auto"

    def uses_templates(self, spec: EncoderSpec) -> bool:
        """Say whether names of things are encoded in several sentences (see models/encoders/wordings.py)."""
        return spec.templates if self.templates == "auto" else self.templates == "on"
