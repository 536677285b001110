"""The two questions of `xuntu setup`, in the language of the terminal."""

import sys
from typing import TYPE_CHECKING

from api.setup.output import LANGUAGE_NAMES, describe_hardware
from models.foundation.errors import InvalidSetting
from models.foundation.messages import Message, message
from models.foundation.terminal import in_words, tell

if TYPE_CHECKING:
    from models.foundation.hardware import Hardware

DEFAULT_LANGUAGE = "both"


def ask_language() -> str:
    """Return "zh", "en" or "both". Raises KeyboardInterrupt at the end of the input."""
    tell(message("In which language will people search?"))
    for number, said in enumerate(LANGUAGE_NAMES.values(), 1):
        tell(f"  {number}  {in_words(Message(said))}")
    names = list(LANGUAGE_NAMES)
    while True:
        answer = _answer(str(names.index(DEFAULT_LANGUAGE) + 1)).lower()
        if answer in LANGUAGE_NAMES:
            return answer
        if answer in {str(number) for number in range(1, len(names) + 1)}:
            return names[int(answer) - 1]
        tell(message("One of the numbers, please: {numbers}", numbers=[str(n) for n in range(1, len(names) + 1)]))


def ask_hardware(found: "Hardware") -> "Hardware":
    """Return what was found, or what a person says instead. Raises KeyboardInterrupt at the end of the input."""
    from models.foundation.hardware import parse_hardware

    tell(message("What will it run on? Found here: {found}.", found=describe_hardware(found)))
    tell(message("Enter for that; or: cpu, cpu-N with N processors, gpu-N with N GB of GPU memory."))
    while True:
        answer = _answer(found.name)
        if answer == found.name:
            return found
        try:
            return parse_hardware(answer)
        except InvalidSetting as error:
            tell(error)


def _answer(default: str) -> str:
    """Return what a person types, `default` for nothing. Raises KeyboardInterrupt at the end of the input."""
    sys.stderr.write(f"[{default}] ")
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        tell("")
        raise KeyboardInterrupt
    return line.strip() or default
