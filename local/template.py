"""The template as data: intrinsic functions by their long names, such as ``{"Ref": …}``."""

import re
from collections.abc import Mapping
from typing import Any

import yaml

from local.places import ROOT
from local.problem import UserError


class _Loader(yaml.SafeLoader):
    """Understands CloudFormation's tags."""


def _intrinsic(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    match node:
        case yaml.ScalarNode():
            value = loader.construct_scalar(node)
        case yaml.SequenceNode():
            value = loader.construct_sequence(node, deep=True)
        case yaml.MappingNode():
            value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _intrinsic)


def template() -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.load((ROOT / "template.yaml").read_text(), _Loader)  # noqa: S506 - a safe loader's child
    return parsed


def check(values: Mapping[str, str]) -> None:
    """Hold values against the template's own constraints: AWS would, the emulator does not."""
    parameters = template()["Parameters"]
    for name, value in values.items():
        rule = parameters[name]
        allowed = map(str, rule.get("AllowedValues", [value]))
        # Of a list, each item has to fit.
        items = value.split(",") if rule["Type"] == "CommaDelimitedList" else [value]
        low, high = rule.get("MinValue"), rule.get("MaxValue")
        if not (
            value in allowed
            and all(re.fullmatch(rule.get("AllowedPattern", ".*"), item) for item in items)
            and (low is None or low <= float(value) <= high)
        ):
            raise UserError(f"{name} is {value!r}, but must be {rule['ConstraintDescription']}")
