"""How encoders run on this machine."""

from dataclasses import dataclass
from pathlib import Path

PRECISIONS = ("fp32", "fp16", "int8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """Where the weights of encoders lie, and what runs them.

    `precision` is one of PRECISIONS, or "auto": the fastest that has been exported. `device` is "auto", "cpu",
    "tensorrt", "cuda" (every GPU, where work can be shared out) or "cuda:N". 0 `threads` means every processor.
    """

    weights: Path = Path("data/weights")
    precision: str = "auto"
    device: str = "auto"
    threads: int = 0
