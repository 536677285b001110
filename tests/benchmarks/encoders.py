"""Published encoders at random weights: their checkpoints, their exports, and how long an export takes.

Run as a program it writes one checkpoint: encoders.py NAME FOLDER.
"""

import json
import re
import sys
from collections.abc import Mapping
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from processes import XUNTU, Bench, Finished, say
from tables import NO_REACH, Table

VIT = "chinese-clip-vit-b-16"
PRECISIONS = ("fp32", "fp16", "int8")
RANDOM_NOTE = (
    "All weights are random: speed, memory and numerical parity are real; how well anything is found is not shown."
)
BUSY_NOTE = (
    "On a machine that is busy with other things torch's threads wait for each other, many times as long: "
    "ratios of wall times taken there, see the load average below, flatter xuntu."
)
_EXPORT_NOTE = (
    "`xuntu models export NAME --precision fp32 --precision fp16 --precision int8`: loading, tracing, conversion, and "
    "the comparison of each export with torch in float32 over 256 synthetic pictures and 256 phrases, which takes most "
    "of the time. 10 nearest kept: of each input's ten nearest, the share that are still among its ten nearest."
)
_EXPORTED = ("chinese-clip-rn50", VIT, "dinov2-base", "siglip2-base-patch16-224")
_NEEDED = ("torch", "torchvision", "cn_clip", "transformers", "onnx")
_INT8_FLAGS = ("avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm")


def measure(bench: Bench) -> list[Table]:
    """Export each architecture once, in every precision."""
    title, head = "Export", ("encoder", "tower", "precision", "MB", "lowest cosine", "mean cosine", "10 nearest kept")
    if missing := skip(title, head):
        return missing
    rows, facts = [], {}
    for name in _EXPORTED:
        weights = ensure_checkpoint(bench, name)
        exports, finished = _export(bench, name, PRECISIONS)
        rows += [_row(weights / name, name, export) for export in exports]
        rows.append([name, f"whole command: {finished.wall_s:.0f} s", *[NO_REACH] * 5])
        facts[name] = {"seconds": finished.wall_s, "cpu_s": finished.cpu_s, "exports": exports}
        say(f"export, {name}: {finished.wall_s:.0f} s")
    notes = (_EXPORT_NOTE, RANDOM_NOTE)
    return [Table(title=title, head=head, rows=rows, notes=notes, facts=facts)]


def _row(folder: Path, name: str, export: Mapping[str, Any]) -> list[str]:
    size = sum((folder / file["name"]).stat().st_size for file in export["files"])
    cosines = (f"{export['min_cosine']:.6f}", f"{export['mean_cosine']:.6f}")
    kept = f"{export['neighbours_kept']:.1%}"
    return [name, export["tower"], export["precision"], f"{size / 1e6:.0f}", *cosines, kept]


def skip(title: str, head: tuple[str, ...]) -> list[Table]:
    """Return a table without rows that says what is not installed; nothing where all is."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if not missing:
        return []
    say(f"{title}: skipped, without {', '.join(missing)}")
    note = f"Not measured: {', '.join(missing)} not installed. `pip install 'xuntu[torch]'`"
    return [Table(title=title, head=head, rows=(), notes=(note,), facts={"missing": missing})]


def ensure_checkpoint(bench: Bench, name: str) -> Path:
    """Return the folder of all weights, that of `name` among them."""
    weights = bench.folder / "weights"
    if not (weights / name / "made").exists():
        say(f"random weights of {name}")
        (weights / name).mkdir(parents=True, exist_ok=True)
        bench.run([sys.executable, __file__, name, str(weights / name)])
        (weights / name / "made").touch()
    return weights


def ensure_exports(bench: Bench) -> Path:
    """Return the folder of all weights, the ViT-B/16 exported in float32 and int8."""
    weights = ensure_checkpoint(bench, VIT)
    record = weights / VIT / "encoder.json"
    exports = json.loads(record.read_bytes())["exports"] if record.exists() else []
    missing = [one for one in ("fp32", "int8") if one not in {export["precision"] for export in exports}]
    if missing:
        say(f"exporting {VIT}")
        _export(bench, VIT, missing)
    return weights


def _export(bench: Bench, name: str, precisions: tuple[str, ...] | list[str]) -> tuple[list[dict[str, Any]], Finished]:
    command = [XUNTU, "models", "export", name, "--json", "--data", str(bench.folder / "no-library")]
    command += [word for precision in precisions for word in ("--precision", precision)]
    finished = bench.run(command, {"XUNTU_WEIGHTS": str(bench.folder / "weights")})
    return json.loads(finished.stdout), finished


def describe_int8() -> str:
    """Say whether the processor multiplies int8 in one instruction."""
    try:
        flags = set(re.findall(r"\w+", Path("/proc/cpuinfo").read_text(encoding="utf-8")))
    except OSError:
        return "Whether this processor has instructions for int8 products is not known."
    found = [flag for flag in _INT8_FLAGS if flag in flags]
    if found:
        return f"This processor has instructions for int8 products: {', '.join(found)}."
    return (
        "This processor has no instructions for int8 products (neither avx512_vnni nor avx_vnni): int8 gains less here "
        "than it does where there are some."
    )


def _make_checkpoint(name: str, folder: Path) -> None:
    """Write the file that the encoder's authors publish, with random numbers in it."""
    from models.encoders.torch_towers import mend_torchvision

    mend_torchvision()
    if name.startswith("chinese-clip"):
        _make_chinese_clip(name, folder)
        return
    import transformers

    base = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12}
    if name == "dinov2-base":
        model = transformers.Dinov2Model(transformers.Dinov2Config(**base, image_size=518, patch_size=14))
    else:
        text = {**base, "intermediate_size": 3072, "vocab_size": 256_000, "max_position_embeddings": 64}
        vision = {**base, "intermediate_size": 3072, "image_size": 224, "patch_size": 16}
        model = transformers.SiglipModel(
            transformers.SiglipConfig(vision_config=vision, text_config={**text, "projection_size": 768})
        )
        _make_tokenizer(folder / "tokenizer.json")
    model.load_state_dict(_draw(model.state_dict()))
    model.save_pretrained(folder)


def _make_chinese_clip(name: str, folder: Path) -> None:
    import torch
    from cn_clip.clip.model import CLIP, convert_weights

    from models.encoders.chinese_clip.spec import configurations
    from models.encoders.registry import get_spec

    values: dict[str, Any] = {}
    for configuration in configurations(get_spec(name)):
        values |= json.loads((files("cn_clip.clip") / "model_configs" / f"{configuration}.json").read_text("utf-8"))
    if isinstance(values["vision_layers"], str):  # "[3,4,6,3]"
        values["vision_layers"] = json.loads(values["vision_layers"])
    with torch.device("meta"):
        model = CLIP(**values)
        convert_weights(model)
    state = {f"module.{key}": tensor for key, tensor in _draw(model.state_dict()).items()}
    torch.save({"state_dict": state}, folder / f"clip_cn_{name.removeprefix('chinese-clip-')}.pt")


def _draw(like: Mapping[str, Any]) -> dict[str, Any]:
    """Return tensors of the names, shapes and types of `like`, none of them ones or zeros throughout."""
    import torch

    generator = torch.Generator().manual_seed(0)

    def draw(name: str, tensor: Any) -> Any:
        if not tensor.is_floating_point():
            return torch.zeros(tensor.shape, dtype=tensor.dtype)
        normal = torch.randn(tensor.shape, generator=generator)
        part = name.rpartition(".")[2]
        if part == "weight" and tensor.dim() == 1:  # of a normalisation
            value = (0.4 if "bn3" in name else 1) + 0.1 * normal  # branches of a deep tower must not drown its input
        elif part == "running_var":
            value = 0.5 + torch.rand(tensor.shape, generator=generator)
        elif part in ("bias", "running_mean") or ("embedding" in name.lower() and "patch" not in name):
            value = 0.1 * normal
        else:
            value = 1.4 * normal * (tensor[0].numel() if tensor.dim() > 1 else 50) ** -0.5
        return value.to(tensor.dtype)

    return {name: draw(name, tensor) for name, tensor in like.items()}


def _make_tokenizer(path: Path) -> None:
    """Write a tokenizer of Gemma's form; the real one belongs to a checkpoint that is not fetched here."""
    import tokenizers

    from models.weights.golden import make_texts

    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(unk_token="<unk>"))
    special = ["<pad>", "<eos>", "<bos>", "<unk>"]
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=4000, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(make_texts(2000), trainer)
    tokenizer.save(str(path))


if __name__ == "__main__":
    _make_checkpoint(sys.argv[1], Path(sys.argv[2]))
