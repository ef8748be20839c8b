"""moto, without some work that took a tenth of the time of these tests."""

from functools import cache
from typing import Any

from moto.core import responses, utils
from moto.core.serialize import AttributePicker, AttributePickerContext

_pick = AttributePicker.__call__


def _pick_at_once(picker: AttributePicker, context: AttributePickerContext) -> Any:
    """Moto looks for each of the ten types of a DynamoDB value under up to five names."""
    value, parent = context.obj, getattr(context.shape, "parent", None)
    if type(value) is dict and parent is not None and parent.name == "AttributeValue":
        return value.get(context.key)
    return _pick(picker, context)


def hasten() -> None:
    """Patch moto for the whole process."""
    AttributePicker.__call__ = _pick_at_once  # type: ignore[method-assign, assignment]
    # It asks a class for its methods in each call.
    responses.method_names_from_class = cache(  # type: ignore[attr-defined]
        utils.method_names_from_class
    )
