"""Batches shared out to several devices. Two processors stand for two GPUs: the processes are the same."""

import os
import signal

import numpy as np
import pytest

from indexer.pipeline.engines.devices import DeviceEncoders
from models.encoders.registry import get_spec, load_image_encoder
from models.encoders.runtime import Runtime
from models.foundation.errors import DeviceUnavailable, WeightsMissing

pytestmark = pytest.mark.usefixtures("processes")

STARTER = get_spec("starter")
PICTURE = (STARTER.image_size, STARTER.image_size, 3)


def test_every_batch_comes_back_in_order_whatever_device_took_it():
    pixels = np.random.default_rng(0).integers(0, 256, (40, *PICTURE), np.uint8)
    expected = load_image_encoder("starter").encode_image(pixels)
    with DeviceEncoders(STARTER, Runtime(device="cpu,cpu", threads=1)) as encoders:
        assert encoders.ahead == 4
        under_way = [encoders.submit(pixels[start : start + 8]) for start in range(0, 40, 8)]
        vectors = np.concatenate([encoding.result(timeout=120) for encoding in under_way])
    assert np.abs(vectors - expected).max() < 1e-3


def test_what_goes_wrong_on_a_device_is_said_in_both_languages(tmp_path):
    pixels = np.zeros((1, 224, 224, 3), np.uint8)
    with DeviceEncoders(get_spec("chinese-clip-rn50"), Runtime(weights=tmp_path, device="cpu,cpu")) as encoders:
        error = encoders.submit(pixels).exception(timeout=120)
    assert isinstance(error, WeightsMissing)
    assert (error.encoder, "没有网络时" in error.text("zh")) == ("chinese-clip-rn50", True)
    with pytest.raises(DeviceUnavailable):
        DeviceEncoders(STARTER, Runtime(device="gpu"))


def test_a_device_whose_process_dies_is_said():
    pixels = np.zeros((1, *PICTURE), np.uint8)
    with DeviceEncoders(STARTER, Runtime(device="cpu,cpu")) as encoders:
        encoders.submit(pixels).result(timeout=120)
        waiting = [encoders.submit(pixels) for _ in range(50)]
        for process in list(encoders._executor._processes):
            os.kill(process, signal.SIGKILL)
        with pytest.raises(DeviceUnavailable, match="ended"):
            [encoders.result(encoding) for encoding in waiting]


def test_a_run_on_two_devices_indexes_what_a_run_on_one_does(album, processes):
    album.draw(*(f"{n:02}.jpg" for n in range(90)))
    done = album.command("build", album.pictures, "--data", album.data, "--encoder", "starter", XUNTU_DEVICE="cpu,cpu")
    assert done.returncode == 0, done.stderr
    assert album.names() == [f"{n:02}.jpg" for n in range(90)]
    assert album.problems() == []
