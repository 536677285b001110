"""Python, the packages, and GPUs."""

import platform
import shutil
import subprocess
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version

from api.doctor.findings import Finding, fine, problem, warning
from api.doctor.known import Situation
from models.foundation.devices import CPU, list_devices
from models.foundation.errors import DeviceUnavailable
from models.foundation.hardware import find_hardware
from models.foundation.messages import message, verbatim

_TWINS = (("onnxruntime", "onnxruntime-gpu"), ("faiss-cpu", "faiss-gpu"))
_ASKING_SECONDS = 20


def check_packages(_: Situation) -> Iterator[Finding]:
    """Whether what is installed is what this version supports."""
    found = [*_check_twins(), *_check_versions()]
    yield from found
    if not found:
        facts = {"version": version("xuntu"), "python": platform.python_version()}
        yield fine("packages", message("xuntu {version} on Python {python}; its packages are supported", **facts))


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _check_twins() -> Iterator[Finding]:
    for processor, gpu in _TWINS:
        names = {"one": processor, "other": gpu}
        if _installed(processor) and _installed(gpu):
            yield problem(
                "packages",
                message("{one} and {other} are both installed, and overwrite each other's files", **names),
                message(
                    "Keep one: pip uninstall {one} {other}, then pip install -c constraints.txt '.[cpu]' or '.[gpu]'",
                    **names,
                ),
            )
        elif not (_installed(processor) or _installed(gpu)):
            said = message("Neither {one} nor {other} is installed: nothing can be encoded or searched", **names)
            yield problem("packages", said, message("pip install -c constraints.txt '.[cpu]' or '.[gpu]'"))


def _check_versions() -> Iterator[Finding]:
    """Compare what is installed with what xuntu says that it needs; extras count where their packages are there."""
    try:
        from packaging.requirements import Requirement
    except ImportError:
        return
    needed = {}
    for line in requires("xuntu") or []:
        need = Requirement(line)
        needed[need.name] = need
    for need in needed.values():
        has = _installed(need.name)
        facts = {"name": need.name, "has": has, "wanted": str(need.specifier)}
        to_do = message("pip install -c constraints.txt {name}", name=need.name)
        if has and not need.specifier.contains(has, prereleases=True):
            yield warning("packages", message("{name} {has} is installed, {wanted} is supported", **facts), to_do)
        elif not has and need.marker is None:
            yield problem("packages", message("{name} is missing", name=need.name), to_do)


def check_gpu(known: Situation) -> Iterator[Finding]:
    """Say which GPUs there are, and whether what the settings ask for can be had."""
    device = known.settings.device
    try:
        devices = list_devices(device)
        hardware = find_hardware(device)
    except DeviceUnavailable as error:
        yield problem("gpu", error)
        return
    gpus = [one for one in devices if one != CPU]
    if not gpus:
        yield fine("gpu", message("The processor computes (XUNTU_DEVICE={device})", device=device))
        return
    install = message("pip install -c constraints.txt '.[gpu]'")
    if hardware.has_idle_gpu:
        said = message("There is a GPU, and nothing is installed that computes on it")
        yield warning("gpu", said, install) if device == "auto" else problem("gpu", said, install)
        return
    names = _ask_driver()
    if not names:
        yield warning(
            "gpu",
            message("The settings ask for {devices}, and nvidia-smi finds no GPU", devices=gpus),
            message("Install NVIDIA's driver (in a container: its toolkit), or set XUNTU_DEVICE=cpu"),
        )
        return
    from onnxruntime import get_available_providers

    if "CUDAExecutionProvider" not in get_available_providers():
        yield problem("gpu", message("ONNX Runtime has no CUDA here, and {devices} is used", devices=gpus), install)
    else:
        yield fine("gpu", message("{devices}: {names}", devices=gpus, names=[verbatim(name) for name in names]))


def _ask_driver() -> list[str]:
    """Return name, driver and memory of each GPU, as nvidia-smi says; nothing where it does not."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    asked = [program, "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        done = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=_ASKING_SECONDS)
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]
