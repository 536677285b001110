"""Parameters of an address as one model, read at once.

FastAPI reads such a model field by field, and looks at the type of each anew for every request: of the options of a
search that takes longer than all else the service does around it.
"""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, get_args, get_origin

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.constants import REF_TEMPLATE
from pydantic import BaseModel, ValidationError

M = TypeVar("M", bound=BaseModel)


def reader_of(model: type[M]) -> Callable[[Request], Awaitable[M]]:
    """Return a dependency that reads the query of an address as `model`; its route is given `parameters_of` as well.

    It raises RequestValidationError. What is given several times counts by the last, where the field is no list.
    """
    lists = {name for name, field in model.model_fields.items() if _is_list(field.annotation)}

    async def read(request: Request) -> M:
        given = request.query_params
        try:
            return model.model_validate({name: given.getlist(name) if name in lists else given[name] for name in given})
        except ValidationError as error:
            found = error.errors(include_url=False)
            raise RequestValidationError([{**one, "loc": ("query", *one["loc"])} for one in found]) from error

    return read


def parameters_of(model: type[BaseModel]) -> dict[str, Any]:
    """Return what the OpenAPI document says of the same parameters, as `openapi_extra` of a route takes it."""
    described = model.model_json_schema(ref_template=REF_TEMPLATE)
    required = described.get("required", ())
    return {"parameters": [_parameter(name, told, name in required) for name, told in described["properties"].items()]}


def _parameter(name: str, told: dict[str, Any], required: bool) -> dict[str, Any]:
    copied: dict[str, Any] = {key: told[key] for key in ("description", "deprecated") if key in told}
    schema = {key: value for key, value in told.items() if key != "default" or value is not None}
    return {"name": name, "in": "query", "required": required, "schema": schema, **copied}


def _is_list(annotation: Any) -> bool:
    """Say whether a field is a list, or a list that may be missing."""
    return any(get_origin(one) is list for one in (annotation, *get_args(annotation)))
