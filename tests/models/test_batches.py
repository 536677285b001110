"""models/encoders/batches.py and models/foundation/devices.py: what fits, in order; and which devices there are."""

import numpy as np
import pytest

from models.encoders.batches import FittingBatches, is_out_of_memory
from models.foundation.devices import CPU, count_cpus, list_devices
from models.foundation.errors import DeviceUnavailable

ROWS = np.arange(10, dtype=np.float32)[:, None]


class Device:
    """Doubles rows, and fails for more than `capacity` of them at once as a library would."""

    def __init__(self, capacity: int, error: BaseException | None = None) -> None:
        self.capacity = capacity
        self.error = error or MemoryError()
        self.batches: list[int] = []

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        self.batches.append(len(rows))
        if len(rows) > self.capacity:
            raise self.error
        return 2 * rows


def torch_on_gpu() -> BaseException:
    torch = pytest.importorskip("torch")
    return torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of")


def torch_new_name() -> BaseException:
    return pytest.importorskip("torch").OutOfMemoryError("CUDA out of memory.")


def torch_on_cpu() -> BaseException:
    torch = pytest.importorskip("torch")
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**50)
    return caught.value


def numpy_array() -> BaseException:
    with pytest.raises(MemoryError) as caught:
        np.empty(2**50)
    return caught.value


def onnxruntime_on_cpu() -> BaseException:
    onnx = pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    value, floats = onnx.helper.make_tensor_value_info, onnx.TensorProto.FLOAT
    inputs = [value("row", floats, [1]), value("shape", onnx.TensorProto.INT64, [1])]
    expand = onnx.helper.make_node("Expand", ["row", "shape"], ["rows"])
    graph = onnx.helper.make_graph([expand], "rows", inputs, [value("rows", floats, [None])])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    failures = onnxruntime.capi.onnxruntime_pybind11_state
    with pytest.raises((failures.Fail, failures.RuntimeException)) as caught:
        session.run(None, {"row": np.ones(1, np.float32), "shape": np.array([2**50])})
    return caught.value


def onnxruntime_on_gpu() -> BaseException:
    return RuntimeError(
        "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Non-zero status code returned while running Conv node. "
        "Name:'' Status Message: BFCArena::AllocateRawInternal(size_t, bool) "
        "Failed to allocate memory for requested buffer of size 822083584"
    )


def cublas() -> BaseException:
    return RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`")


OUT_OF_MEMORY = (
    MemoryError,
    numpy_array,
    torch_on_gpu,
    torch_new_name,
    torch_on_cpu,
    onnxruntime_on_cpu,
    onnxruntime_on_gpu,
    cublas,
)


@pytest.mark.parametrize("make_error", OUT_OF_MEMORY, ids=lambda make: make.__name__)
def test_a_batch_without_room_is_halved_and_the_order_kept(make_error, torch):
    device = Device(3, make_error())
    batches = FittingBatches(8)
    assert np.array_equal(batches.run(device, ROWS), 2 * ROWS)
    assert device.batches == [8, 4, 2, 2, 2, 2, 2]
    assert batches.size == 2


@pytest.mark.parametrize("make_error", OUT_OF_MEMORY, ids=lambda make: make.__name__)
def test_one_row_without_room_raises_what_the_library_raised(make_error, torch):
    device = Device(0, make_error())
    with pytest.raises(type(device.error)) as caught:
        FittingBatches(8).run(device, ROWS)
    assert caught.value is device.error
    assert device.batches == [8, 4, 2, 1]


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 9, 10, 11, 100])
@pytest.mark.parametrize("capacity", [1, 2, 3, 5, 9, 10, 1000])
def test_every_row_comes_back_once_whatever_fits(size, capacity):
    device = Device(capacity)
    assert np.array_equal(FittingBatches(size).run(device, ROWS), 2 * ROWS)
    assert sum(batch for batch in device.batches if batch <= capacity) == len(ROWS)
    assert max(device.batches) <= size


def test_the_smaller_size_is_kept_for_the_next_rows():
    batches = FittingBatches(8)
    batches.run(Device(3), ROWS)
    device = Device(3)
    batches.run(device, ROWS)
    assert device.batches == [2] * 5


def test_fewer_rows_than_a_batch_halve_what_was_tried():
    device = Device(2)
    batches = FittingBatches(64)
    assert np.array_equal(batches.run(device, ROWS[:5]), 2 * ROWS[:5])
    assert device.batches == [5, 2, 2, 1]


def test_a_batch_that_fits_is_one_call():
    device = Device(10)
    FittingBatches(10).run(device, ROWS)
    assert device.batches == [10]


@pytest.mark.parametrize(
    "error",
    [
        ValueError("shapes do not match"),
        RuntimeError("CUDA error: device-side assert triggered"),
        RuntimeError("Expected all tensors to be on the same device"),
        KeyboardInterrupt(),
        OSError("[Errno 28] No space left on device"),
    ],
)
def test_every_other_error_is_raised_at_once(error):
    device = Device(3, error)
    with pytest.raises(type(error)) as caught:
        FittingBatches(8).run(device, ROWS)
    assert caught.value is error
    assert device.batches == [8]
    assert not is_out_of_memory(error)


def test_a_halving_is_said_once_each_time(caplog):
    FittingBatches(8).run(Device(3), ROWS)
    assert [record.getMessage() for record in caplog.records] == [
        "no memory for 8 rows at once; going on with 4",
        "no memory for 4 rows at once; going on with 2",
    ]


@pytest.mark.parametrize(
    ("asked", "visible", "devices"),
    [
        ("auto", "", [CPU]),
        ("auto", "-1", [CPU]),
        ("auto", " ", [CPU]),
        ("auto", "0", ["cuda:0"]),
        ("auto", "3", ["cuda:0"]),
        ("auto", "0,1", ["cuda:0", "cuda:1"]),
        ("auto", "2, 3", ["cuda:0", "cuda:1"]),
        ("auto", "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", ["cuda:0"]),
        ("auto", "MIG-2c4f1a6e,MIG-7d1e", ["cuda:0", "cuda:1"]),
        ("auto", "0,-1,1", ["cuda:0"]),  # CUDA stops at the first that is none
        ("cuda", "0,1", ["cuda:0", "cuda:1"]),
        ("cuda", "", ["cuda:0"]),
        ("tensorrt", "0,1", ["tensorrt:0", "tensorrt:1"]),
        ("tensorrt", "", ["tensorrt:0"]),
        ("cpu", "0,1", [CPU]),
        ("cpu,cpu", "", [CPU, CPU]),
        ("cuda:1", "0,1", ["cuda:1"]),
        ("cuda:0,cuda:2", "", ["cuda:0", "cuda:2"]),
        ("cuda:0,cpu", "", ["cuda:0", CPU]),
        ("tensorrt:12", "", ["tensorrt:12"]),
    ],
)
def test_a_request_stands_for_these_devices(monkeypatch, asked, visible, devices):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert list_devices(asked) == devices


@pytest.mark.parametrize(
    "asked",
    [
        "",
        "gpu",
        "CPU",
        "cuda:",
        "cuda:-1",
        "cuda:x",
        "cuda:0,",
        ",cpu",
        "cpu;cpu",
        "cpu\n",
        "auto,cpu",
        "cpu:0",
        "cuda:١",
    ],
)
def test_what_is_no_device_is_refused_with_the_ones_there_are(asked):
    with pytest.raises(DeviceUnavailable) as caught:
        list_devices(asked)
    for language in ("en", "zh"):
        assert "cuda:N" in caught.value.text(language)
        assert "XUNTU_DEVICE" in caught.value.text(language)


def test_what_this_machine_has_is_told_without_loading_what_computes(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    devices = list_devices("auto")
    assert devices == [CPU] or devices == [f"cuda:{number}" for number in range(len(devices))]
    assert count_cpus() >= 1
