"""Train the first look for text: `python tools/text_gate.py PHOTOGRAPHS TEXTS [--steps N]`, with torch installed.

PHOTOGRAPHS is a folder of pictures without text, TEXTS a file of lines in Chinese and English; fonts are those that
fontconfig lists. Text is drawn over pieces of photographs, plain grounds and patterns; the network learns where it is.
What comes out is indexer/annotators/ocr/gate.onnx; see gate.py beside it.
"""

import argparse
import io
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from torch import nn
from torch.utils.data import DataLoader, IterableDataset

NETWORK = Path(__file__).resolve().parents[1] / "indexer" / "annotators" / "ocr" / "gate.onnx"
HEIGHT, WIDTH = 224, 256  # of what is trained on; pictures to look at are of any size
CELL = 8  # pixels across of what is decided on
_BATCH = 24
_KEPT_OPEN = 300
_CHINESE = ("NotoSansCJK", "NotoSerifCJK", "WenQuanYi", "DroidSansFallback")

Colour = tuple[int, int, int]


class TextGate(nn.Module):
    """Grey pictures (n, 1, h, w) in 0..1 -> logits that a cell is of text (n, 1, h / 8, w / 8)."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_block(1, 12, 2),
            *_block(12, 24, 2),
            *_block(24, 40, 2),
            *_block(40, 40),
            *_block(40, 40),
            *_block(40, 40),
            nn.Conv2d(40, 1, 1),
        )

    def forward(self, grey: torch.Tensor) -> torch.Tensor:
        """Return the logits."""
        return self.layers(grey)  # type: ignore[no-any-return]


def _block(inner: int, outer: int, stride: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(inner, outer, 3, stride, 1, bias=False), nn.BatchNorm2d(outer), nn.ReLU(inplace=True)]


class Drawn(IterableDataset[tuple[torch.Tensor, torch.Tensor]]):
    """Pictures with text drawn into most of them, and which cells it is in: 1 text, 0 none, -1 does not matter."""

    def __init__(self, photographs: list[Path], texts: list[str], fonts: list[Path]) -> None:
        self.photographs, self.texts = photographs, texts
        self.fonts = {True: [one for one in fonts if one.name.startswith(_CHINESE)], False: fonts}
        self.opened: dict[Path, Image.Image] = {}

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        worker = torch.utils.data.get_worker_info()
        rng = random.Random(worker.id if worker else 0)  # noqa: S311 - what is drawn is no secret
        while True:
            image = self._ground(rng)
            mask = Image.new("L", image.size, 0)
            if rng.random() < 0.6:
                self._write(rng, image, mask)
            yield _tensors(_worn(rng, image), mask)

    def _ground(self, rng: random.Random) -> Image.Image:
        kind = rng.random()
        if kind < 0.7:
            return self._piece(rng)
        if kind < 0.85:
            return _ramp(rng)
        return _pattern(rng)

    def _piece(self, rng: random.Random) -> Image.Image:
        """Return a piece of a photograph, from all of it reduced to one as fine as it is."""
        photograph = self._open(rng.choice(self.photographs))
        fit = max(WIDTH / photograph.width, HEIGHT / photograph.height)
        scale = min(1.0, fit * rng.choice((1, 1, 1.4, 2, 4))) if fit <= 1 else rng.uniform(1, fit)
        size = (max(1, round(photograph.width * scale)), max(1, round(photograph.height * scale)))
        shown = photograph.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
        left, top = rng.randint(0, max(0, shown.width - WIDTH)), rng.randint(0, max(0, shown.height - HEIGHT))
        ground = Image.new("RGB", (WIDTH, HEIGHT), _any_colour(rng))
        ground.paste(shown.crop((left, top, min(left + WIDTH, shown.width), min(top + HEIGHT, shown.height))))
        return ground.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.5 else ground

    def _open(self, path: Path) -> Image.Image:
        if path not in self.opened:
            if len(self.opened) > _KEPT_OPEN:
                self.opened.pop(next(iter(self.opened)))
            photograph = Image.open(path).convert("RGB")
            photograph.thumbnail((2400, 2400))
            self.opened[path] = photograph
        return self.opened[path]

    def _write(self, rng: random.Random, image: Image.Image, mask: Image.Image) -> None:
        """Draw text into a picture, and where it is into its mask."""
        if rng.random() < 0.45:
            self._write_page(rng, image, mask)
        else:
            for _ in range(rng.randint(1, 4)):
                size = round(6 * 2 ** rng.uniform(0, 3.2))
                place = rng.randint(2, WIDTH // 2), rng.randint(2, max(3, HEIGHT - size - 2))
                self._write_line(rng, image, mask, size, place)
        if rng.random() < 0.35:
            angle = rng.choice((90, 180, 270, rng.uniform(-15, 15), rng.uniform(-4, 4)))
            red, green, blue = np.asarray(image).reshape(-1, 3).mean(axis=0).astype(int).tolist()
            image.paste(image.rotate(angle, Image.Resampling.BILINEAR, fillcolor=(red, green, blue)))
            mask.paste(mask.rotate(angle))

    def _write_page(self, rng: random.Random, image: Image.Image, mask: Image.Image) -> None:
        """Draw lines one below the other, down to print that can only be told from its look."""
        size = round(4 * 2 ** rng.uniform(0, 2.2))
        spacing, left, top = rng.uniform(1.15, 1.9), rng.randint(2, 80), rng.randint(2, 80)
        is_chinese = rng.random() < 0.6
        texts = [one for one in rng.choices(self.texts, k=80) if _is_chinese(one) == is_chinese] or self.texts[:1]
        font = self._font(rng, size, is_chinese=is_chinese)
        colour = _contrast(rng, image, (left, top, left + 20 * size, top + 10 * size))
        for text in texts[: rng.randint(4, 40)]:
            if top > HEIGHT - size:
                break
            said = (text * 4)[: max(2, int((WIDTH - left) / size * (1 if is_chinese else 2) * rng.uniform(0.3, 1)))]
            _draw(image, mask, (left, top), said, font, colour)
            top += round(size * spacing)

    def _write_line(
        self, rng: random.Random, image: Image.Image, mask: Image.Image, size: int, place: tuple[int, int]
    ) -> None:
        text = rng.choice(self.texts)
        is_chinese = _is_chinese(text)
        longest = max(2, int((WIDTH - place[0]) / size * (1 if is_chinese else 2)))
        text = text[: rng.randint(2, max(2, min(longest, 40)))].strip() or "文字"
        if rng.random() < 0.12:
            text = "\n".join(text[:8])  # from top to bottom
        colour = _contrast(rng, image, (place[0], place[1], place[0] + 6 * size, place[1] + size))
        _draw(image, mask, place, text, self._font(rng, size, is_chinese=is_chinese), colour)

    def _font(self, rng: random.Random, size: int, *, is_chinese: bool) -> ImageFont.FreeTypeFont:
        path = rng.choice(self.fonts[is_chinese])
        return ImageFont.truetype(str(path), size, index=rng.randint(0, 3) if path.suffix == ".ttc" else 0)


def _draw(
    image: Image.Image,
    mask: Image.Image,
    place: tuple[int, int],
    text: str,
    font: ImageFont.FreeTypeFont,
    colour: Colour,
) -> None:
    draw = ImageDraw.Draw(image)
    box = draw.textbbox(place, text, font=font)
    draw.text(place, text, font=font, fill=colour)
    single = box[2] - box[0] < 1.2 * font.size and "\n" not in text
    ImageDraw.Draw(mask).rectangle(box, fill=128 if single else 255)  # one letter is no text


def _is_chinese(text: str) -> bool:
    return any(one >= "\u2e80" for one in text)


def _any_colour(rng: random.Random) -> Colour:
    return rng.randrange(256), rng.randrange(256), rng.randrange(256)


def _ramp(rng: random.Random) -> Image.Image:
    """Return a plain ground, or one colour that goes over into another."""
    ends = np.array([_any_colour(rng), _any_colour(rng)], float)
    if rng.random() < 0.6:
        ends[:] = rng.choice((255, 250, 240, 20, 0, 128))
    across = rng.random() < 0.5
    ramp = np.linspace(0, 1, WIDTH if across else HEIGHT)
    shares = np.tile(ramp, (HEIGHT, 1)) if across else np.tile(ramp[:, None], (1, WIDTH))
    return Image.fromarray((ends[0] + (ends[1] - ends[0]) * shares[..., None]).clip(0, 255).astype(np.uint8))


def _pattern(rng: random.Random) -> Image.Image:
    """Return what has edges and no text: grids, bricks, dots, frames."""
    ground, colour = Image.new("RGB", (WIDTH, HEIGHT), _any_colour(rng)), _any_colour(rng)
    draw, step = ImageDraw.Draw(ground), rng.randint(4, 60)
    rng.choice((_grid, _bricks, _dots, _frames))(rng, draw, step, colour)
    return ground.rotate(rng.choice((0, 0, rng.uniform(-45, 45))), fillcolor=colour)


def _grid(rng: random.Random, draw: ImageDraw.ImageDraw, step: int, colour: Colour) -> None:
    line, ways = rng.randint(1, max(1, step // 3)), rng.choice((1, 2, 3))
    if ways & 1:
        for x in range(0, WIDTH, step):
            draw.line((x, 0, x, HEIGHT), fill=colour, width=line)
    if ways & 2:
        for y in range(0, HEIGHT, step):
            draw.line((0, y, WIDTH, y), fill=colour, width=line)


def _bricks(rng: random.Random, draw: ImageDraw.ImageDraw, step: int, colour: Colour) -> None:
    line = rng.randint(1, max(1, step // 3))
    for row, y in enumerate(range(0, HEIGHT, step)):
        draw.line((0, y, WIDTH, y), fill=colour, width=line)
        for x in range(row % 2 * step, WIDTH, 2 * step):
            draw.line((x, y, x, y + step), fill=colour, width=line)


def _dots(rng: random.Random, draw: ImageDraw.ImageDraw, step: int, _colour: Colour) -> None:
    for _ in range(rng.randint(5, 300)):
        x, y, radius = rng.randint(0, WIDTH), rng.randint(0, HEIGHT), rng.randint(1, max(2, step // 2))
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=_any_colour(rng))


def _frames(rng: random.Random, draw: ImageDraw.ImageDraw, step: int, _colour: Colour) -> None:
    for _ in range(rng.randint(2, 30)):
        left, right = sorted(rng.choices(range(WIDTH), k=2))
        top, bottom = sorted(rng.choices(range(HEIGHT), k=2))
        draw.rectangle((left, top, right, bottom), outline=_any_colour(rng), width=rng.randint(1, max(1, step // 6)))


def _contrast(rng: random.Random, image: Image.Image, box: tuple[int, int, int, int]) -> Colour:
    """Return a colour that is seen on the ground in a box."""
    ground = float(np.asarray(image.crop(box).convert("L"), float).mean())
    colour = _any_colour(rng)
    light = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]
    if rng.random() < 0.6 or abs(light - ground) < 45:
        return (0, 0, 0) if ground > 127 else (255, 255, 255)
    return colour


def _worn(rng: random.Random, image: Image.Image) -> Image.Image:
    """Return a picture blurred, noisy, compressed, or as it is."""
    if rng.random() < 0.25:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.1)))
    if rng.random() < 0.25:
        noise = np.random.default_rng(rng.randrange(2**31)).normal(0, rng.uniform(2, 14), (HEIGHT, WIDTH, 3))
        image = Image.fromarray((np.asarray(image) + noise).clip(0, 255).astype(np.uint8))
    if rng.random() < 0.4:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=rng.randint(25, 95))
        image = Image.open(file).convert("RGB")
    return image


def _tensors(image: Image.Image, mask: Image.Image) -> tuple[torch.Tensor, torch.Tensor]:
    grey = np.asarray(image.convert("L"), np.float32) / 255
    cells = np.asarray(mask, np.float32).reshape(HEIGHT // CELL, CELL, WIDTH // CELL, CELL).mean(axis=(1, 3)) / 255
    wanted = np.where(cells > 0.4, 1.0, np.where(cells < 0.05, 0.0, -1.0)).astype(np.float32)
    return torch.from_numpy(grey[None]), torch.from_numpy(wanted[None])


def train(drawn: Drawn, steps: int, on_step: Callable[[int, float], None]) -> TextGate:
    """Return a network that was trained for so many steps, saying the loss of each."""
    torch.manual_seed(0)
    model = TextGate().to(memory_format=torch.channels_last)  # several times as fast on a processor
    optimizer = torch.optim.AdamW(model.parameters(), 6e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 6e-3, steps)
    batches = iter(DataLoader(drawn, batch_size=_BATCH, num_workers=2))
    for step in range(steps):
        grey, wanted = next(batches)
        each = nn.functional.binary_cross_entropy_with_logits(model(grey), wanted.clamp(min=0), reduction="none")
        matters = (wanted >= 0).float()
        mean = (each * matters * (1 + 4 * wanted.clamp(min=0))).sum() / matters.sum()
        # What is most like text in a picture without any is what lets it pass.
        worst = (each * (wanted == 0)).flatten(1).topk(8).values.mean()
        loss = mean + 0.4 * worst
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        on_step(step, loss.item())
    return model.eval()


def main() -> None:
    """Train with what the command names."""
    parser = argparse.ArgumentParser(description="Train the first look for text.")
    parser.add_argument("photographs", type=Path)
    parser.add_argument("texts", type=Path)
    parser.add_argument("--steps", type=int, default=7000)
    parser.add_argument("--out", type=Path, default=NETWORK)
    arguments = parser.parse_args()
    photographs = [one for one in sorted(arguments.photographs.rglob("*")) if one.suffix.lower() in {".jpg", ".png"}]
    texts = [line.strip() for line in arguments.texts.read_text("utf-8").splitlines() if len(line.strip()) > 1]
    listed = subprocess.run(["fc-list", "--format", "%{file}\n"], capture_output=True, text=True, check=True).stdout
    fonts = [Path(one) for one in sorted(set(listed.split("\n"))) if one.endswith((".ttf", ".otf", ".ttc"))]
    started, losses = time.monotonic(), []

    def say(step: int, loss: float) -> None:
        losses.append(loss)
        if step % 100 == 99:
            left = (time.monotonic() - started) / (step + 1) * (arguments.steps - step - 1)
            sys.stdout.write(f"step {step + 1} of {arguments.steps}, loss {np.mean(losses[-100:]):.4f}, {left:.0f} s\n")
            sys.stdout.flush()

    model = train(Drawn(photographs, texts, fonts), arguments.steps, say)
    axes = {"grey": {0: "n", 2: "h", 3: "w"}, "logits": {0: "n", 2: "y", 3: "x"}}
    example, names = torch.zeros(1, 1, HEIGHT, WIDTH), {"input_names": ["grey"], "output_names": ["logits"]}
    torch.onnx.export(model, (example,), arguments.out, dynamic_axes=axes, dynamo=False, opset_version=17, **names)


if __name__ == "__main__":
    main()
