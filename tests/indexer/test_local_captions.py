"""Captions by a model on this machine: small ones of the real architectures, in folders as their authors publish."""

import json
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

from indexer.annotators.caption.captions import make_prompt
from indexer.annotators.errors import AnnotatorNotSetUp
from indexer.config import CaptionSettings
from indexer.pipeline.commands import annotate
from models.captioners.captioner import load_captioner
from models.captioners.errors import CaptionerUnavailable
from models.captioners.spec import SPECS, find_captioner
from models.encoders.runtime import Runtime

pytest.importorskip("torch")
tokenizers = pytest.importorskip("tokenizers")
pytestmark = pytest.mark.usefixtures("torch")

FLORENCE, QWEN = SPECS
SAID = {
    "short_zh": "一只猫。",
    "descriptive_zh": "猫在沙发上。",
    "short_en": "A cat.",
    "descriptive_en": "It lies there.",
}
CHAT = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{% for c in m.content %}{% if c.type == 'image' %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ c.text }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def make_tokenizer(transformers, special: list[str], **named: object):
    letters = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    tokenizer = tokenizers.Tokenizer(
        tokenizers.models.BPE({letter: number for number, letter in enumerate(letters)}, [])
    )
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    tokenizer.add_special_tokens(special)
    return transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **named)


def make_florence(torch, transformers, folder: Path) -> None:
    """Write a Florence-2 that nobody has trained."""
    ends = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    tokenizer = make_tokenizer(
        transformers, [*ends.values(), "<image>"], extra_special_tokens={"image_token": "<image>"}, **ends
    )
    size = {"height": 32, "width": 32}
    images = transformers.CLIPImageProcessor(size=size, do_center_crop=False, crop_size=size)
    images.image_seq_length = 2
    text = {
        "model_type": "bart",
        "vocab_size": len(tokenizer),
        "d_model": 16,
        "max_position_embeddings": 1024,
        "decoder_start_token_id": tokenizer.eos_token_id,
        "forced_eos_token_id": tokenizer.eos_token_id,
        **{f"{part}_layers": 1 for part in ("encoder", "decoder")},
        **{f"{part}_attention_heads": 2 for part in ("encoder", "decoder")},
        **{f"{part}_ffn_dim": 16 for part in ("encoder", "decoder")},
        **{f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("pad", "bos", "eos")},
    }
    vision = {
        "depths": (1, 1, 1, 1),
        "embed_dim": (8, 8, 8, 16),
        "num_heads": (2, 2, 2, 2),
        "num_groups": (2, 2, 2, 2),
        "window_size": 4,
        "projection_dim": 16,
    }
    image_token = tokenizer.convert_tokens_to_ids("<image>")
    config = transformers.Florence2Config(text_config=text, vision_config=vision, image_token_id=image_token)
    torch.manual_seed(0)
    transformers.Florence2ForConditionalGeneration(config).save_pretrained(folder)
    transformers.Florence2Processor(image_processor=images, tokenizer=tokenizer).save_pretrained(folder)


def make_qwen(torch, transformers, folder: Path, *, said: str = "") -> None:
    """Write a Qwen3-VL that has learned one answer, whatever it is asked; without `said` nothing."""
    names = ["<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
    ends = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
    tokenizer = make_tokenizer(transformers, [*ends.values(), "<|im_start|>", *names], **ends)
    start, end, image, video = tokenizer.convert_tokens_to_ids(names)
    config = transformers.Qwen3VLConfig(
        image_token_id=image,
        video_token_id=video,
        vision_start_token_id=start,
        vision_end_token_id=end,
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "head_dim": 16,
            "max_position_embeddings": 4096,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 5_000_000,
                "mrope_section": [4, 2, 2],
                "mrope_interleaved": True,
            },
            "pad_token_id": tokenizer.pad_token_id,
            "eos_token_id": tokenizer.eos_token_id,
        },
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_heads": 2,
            "out_hidden_size": 64,
            "num_position_embeddings": 64,
            "deepstack_visual_indexes": [0, 1],
            "patch_size": 16,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
        },
    )
    torch.manual_seed(0)
    model = transformers.Qwen3VLForConditionalGeneration(config)
    patches = {"patch_size": 16, "merge_size": 2, "temporal_patch_size": 2}
    processor = transformers.Qwen3VLProcessor(
        image_processor=transformers.Qwen2VLImageProcessor(
            **patches, size={"shortest_edge": 1024, "longest_edge": 4096}
        ),
        tokenizer=tokenizer,
        video_processor=transformers.Qwen3VLVideoProcessor(**patches),
        chat_template=CHAT,
    )
    if said:
        teach(torch, model, processor, said)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


def teach(torch, model, processor, said: str) -> None:
    """Have a model say one thing of every picture of 48 x 36 pixels."""
    content = [
        {"type": "image", "image": Image.new("RGB", (48, 36))},
        {"type": "text", "text": make_prompt(("zh", "en"))},
    ]
    messages = [{"role": "user", "content": content}]
    asked = {"tokenize": True, "add_generation_prompt": True, "return_dict": True, "return_tensors": "pt"}
    inputs = processor.apply_chat_template(messages, **asked)
    answer = torch.tensor([[*processor.tokenizer(said)["input_ids"], processor.tokenizer.eos_token_id]])
    extra = torch.zeros_like(answer)
    inputs["labels"] = torch.cat([torch.full_like(inputs["input_ids"], -100), answer], dim=1)
    inputs["input_ids"] = torch.cat([inputs["input_ids"], answer], dim=1)
    inputs["attention_mask"] = torch.cat([inputs["attention_mask"], extra + 1], dim=1)
    inputs["mm_token_type_ids"] = torch.cat([inputs["mm_token_type_ids"], extra], dim=1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    model.train()
    for _ in range(400):
        optimizer.zero_grad()
        inputs["pixel_values"] = torch.rand_like(inputs["pixel_values"]) * 2 - 1
        loss = model(**inputs).loss
        loss.backward()
        optimizer.step()
        if loss.item() < 0.005:
            break
    model.eval()


@pytest.fixture(scope="module")
def transformers(torch):
    from models.encoders.transformers_towers import import_transformers

    return import_transformers()


@pytest.fixture(scope="module")
def weights(torch, transformers, tmp_path_factory) -> Path:
    """The folder of weights of both. Not to be changed."""
    folder = tmp_path_factory.mktemp("captioners")
    make_florence(torch, transformers, folder / FLORENCE.name)
    make_qwen(torch, transformers, folder / QWEN.name, said=json.dumps(SAID, ensure_ascii=False))
    return folder


@pytest.fixture
def caption(full_album, weights):
    """Return what has the pictures of an album of five captioned by a model, and counts them."""

    def run(model: str, folder: Path = weights, **settings: object) -> tuple[int, int, int]:
        chosen = CaptionSettings(model=model, **settings)
        found = annotate(full_album.settings(weights=folder, caption=chosen, device="cpu"), ("caption",))
        (one,) = [one for one in found if one.name == "caption"]
        return one.annotated, one.problems, one.left

    run.album = full_album
    return run


def test_florence_writes_what_its_own_code_says_in_english(caption, weights, transformers, torch):
    assert caption(FLORENCE.name) == (5, 0, 0)
    found = caption.album.annotations("a.png")
    assert (found["caption_zh"], found["caption_by"]) == (None, "florence-2")
    folder = weights / FLORENCE.name
    model = transformers.Florence2ForConditionalGeneration.from_pretrained(folder).eval()
    processor = transformers.Florence2Processor.from_pretrained(folder)
    image = Image.open(caption.album.pictures / "a.png").convert("RGB")
    wanted = []
    for task in ("<CAPTION>", "<MORE_DETAILED_CAPTION>"):
        inputs = processor(text=task, images=image, return_tensors="pt")
        tokens = model.generate(**inputs, max_new_tokens=640, num_beams=3, do_sample=False)
        said = processor.batch_decode(tokens, skip_special_tokens=False)[0]
        wanted.append(" ".join(re.sub("<(s|/s|pad|unk|image)>", "", said).split()))
    assert found["caption_en"].split("\n") == [text for text in wanted if text]


def test_qwen_writes_both_languages(caption):
    assert caption(QWEN.name) == (5, 0, 0)
    found = caption.album.annotations("a.png")
    assert found["caption_zh"] == f"{SAID['short_zh']}\n{SAID['descriptive_zh']}"
    assert found["caption_en"] == f"{SAID['short_en']}\n{SAID['descriptive_en']}"
    assert found["caption_by"] == "qwen3-vl-2b"


def test_an_answer_that_says_nothing_is_a_problem_of_that_picture(caption, torch, transformers, tmp_path):
    make_qwen(torch, transformers, tmp_path / QWEN.name)
    assert caption(QWEN.name, tmp_path, budget=1) == (0, 1, 4)


def test_a_model_of_other_languages_is_no_captioner_for_them(caption):
    with pytest.raises(AnnotatorNotSetUp, match="florence-2 writes no zh"):
        caption(FLORENCE.name, languages="zh")
    with pytest.raises(AnnotatorNotSetUp, match="florence-2, qwen3-vl-2b"):
        caption("qwen9")


def change_kind(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "llama"}))


def cut(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-10])


def lose_a_tensor(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    tensors.pop(sorted(tensors)[0])
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (shutil.rmtree, "config.json is missing"),
        (lambda folder: (folder / "config.json").write_text("{"), "config.json cannot be read"),
        (change_kind, "kind llama"),
        (lambda folder: (folder / "model.safetensors").unlink(), "model.safetensors is missing"),
        (cut, "cut short"),
        (lose_a_tensor, "it lacks"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "transformers says"),
        (lambda folder: (folder / "processor_config.json").unlink(), "transformers says"),
    ],
)
def test_what_is_wrong_with_a_folder_is_said(damage, said, weights, tmp_path):
    shutil.copytree(weights / QWEN.name, tmp_path / QWEN.name)
    damage(tmp_path / QWEN.name)
    with pytest.raises(CaptionerUnavailable, match=said) as raised:
        load_captioner(find_captioner(QWEN.name), Runtime(weights=tmp_path, device="cpu"))
    assert "Qwen/Qwen3-VL-2B-Instruct" in str(raised.value)


def test_no_picture_is_marked_where_a_model_cannot_be_loaded(caption, tmp_path):
    with pytest.raises(CaptionerUnavailable):
        caption(QWEN.name, tmp_path)
    caption.album.build(settings=caption.album.settings(weights=tmp_path, caption=CaptionSettings(model=QWEN.name)))
    assert "caption_by" not in caption.album.annotations("a.png")
