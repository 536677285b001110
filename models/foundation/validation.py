"""What pydantic says of a value that cannot be used, as a part of a sentence in both languages."""

import re
from collections.abc import Mapping
from typing import Any

from models.foundation.messages import Message, Quoted, mark

# What pydantic calls an error -> what it then says, by which the catalogue knows it; the braces hold the context.
_REASONS: dict[str, str] = {
    "missing": mark("Field required"),
    "extra_forbidden": mark("Extra inputs are not permitted"),
    "value_error": mark("Value error, {error}"),
    "literal_error": mark("Input should be {expected}"),
    "greater_than": mark("Input should be greater than {gt}"),
    "greater_than_equal": mark("Input should be greater than or equal to {ge}"),
    "less_than": mark("Input should be less than {lt}"),
    "less_than_equal": mark("Input should be less than or equal to {le}"),
    "int_type": mark("Input should be a valid integer"),
    "int_parsing": mark("Input should be a valid integer, unable to parse string as an integer"),
    "int_parsing_size": mark("Unable to parse input string as an integer, exceeded maximum size"),
    "int_from_float": mark("Input should be a valid integer, got a number with a fractional part"),
    "float_type": mark("Input should be a valid number"),
    "float_parsing": mark("Input should be a valid number, unable to parse string as a number"),
    "finite_number": mark("Input should be a finite number"),
    "bool_type": mark("Input should be a valid boolean"),
    "bool_parsing": mark("Input should be a valid boolean, unable to interpret input"),
    "string_type": mark("Input should be a valid string"),
    "string_too_short": mark("String should have at least {min_length} characters"),
    "string_too_long": mark("String should have at most {max_length} characters"),
    "string_pattern_mismatch": mark("String should match pattern '{pattern}'"),
    "path_type": mark("Input is not a valid path"),
    "list_type": mark("Input should be a valid list"),
    "tuple_type": mark("Input should be a valid tuple"),
    "dict_type": mark("Input should be a valid dictionary"),
    "too_short": mark("Input should have at least {min_length} items, not {actual_length}"),
    "too_long": mark("Input should have at most {max_length} items, not {actual_length}"),
    "model_type": mark("Input should be a valid dictionary"),
    "model_attributes_type": mark("Input should be a valid dictionary or object to extract fields from"),
}
_OTHER = mark("The value is not valid ({said})")


def validation_reason(error: Mapping[str, Any]) -> Quoted:
    """Return what one of the `errors()` of a ValidationError says, as a part of a sentence.

    Where the kind of error is none that is known here, the Chinese quotes what is said.
    """
    facts = {name: _fact(name, value) for name, value in error.get("ctx", {}).items()}
    return Quoted(error["msg"], Message(_REASONS.get(error["type"], _OTHER), {**facts, "said": error["msg"]}))


def _fact(name: str, value: Any) -> Any:
    """Return a fact of an error as a sentence names it: bounds without decimals they do not have, choices apart."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return tuple(re.split(", | or ", value)) if name == "expected" else value  # such as: 'auto', 'flat' or 'ivf'
