"""The branches of a CloudFormation template that given parameters choose."""

from collections.abc import Mapping
from typing import Any

_NOTHING = object()


class Branches:
    """A template whose conditions are decided by given parameters and by the others' defaults."""

    def __init__(self, template: dict[str, Any], given: Mapping[str, str]) -> None:
        self._template = template
        self._given = given
        defaults = {name: str(one["Default"]) for name, one in template["Parameters"].items()}
        self._values: dict[str, str] = {**defaults, **given}

    def chosen(self) -> dict[str, Any]:
        """Return the template with the given values, and with the chosen branch of each choice."""
        return {**self._template, "Resources": self._reduced(self._template["Resources"])}

    def holds(self, condition: str) -> bool:
        """Whether a condition of the template holds, by its name."""
        return self._is_true(self._template["Conditions"][condition])

    def _is_true(self, test: Any) -> bool:
        match test:
            case {"Condition": name}:
                return self.holds(name)
            case {"Fn::Not": [inner]}:
                return not self._is_true(inner)
            case {"Fn::And": inner}:
                return all(map(self._is_true, inner))
            case {"Fn::Or": inner}:
                return any(map(self._is_true, inner))
            case {"Fn::Equals": [one, other]}:
                return self._text(one) == self._text(other)
        raise ValueError(f"unknown condition: {test}")

    def _text(self, value: Any) -> str:
        match value:
            case {"Ref": name}:
                return self._values[name]
            case {"Fn::Join": [separator, parts]}:
                items = parts if isinstance(parts, list) else [parts]
                return str(separator).join(map(self._text, items))
        return str(value)

    def _reduced(self, node: Any) -> Any:
        match node:
            case {"Fn::If": [name, yes, no]}:
                return self._reduced(yes if self.holds(name) else no)
            case {"Ref": "AWS::NoValue"}:
                return _NOTHING
            case {"Ref": name} if name in self._given:
                return self._given[name]
            case dict():
                return self._without_nothing(node)
            case list():
                return [value for value in map(self._reduced, node) if value is not _NOTHING]
        return node

    def _without_nothing(self, node: dict[str, Any]) -> Any:
        condition = node.get("Condition") if "Type" in node else None
        if isinstance(condition, str) and not self.holds(condition):
            return _NOTHING
        pairs = ((key, self._reduced(value)) for key, value in node.items())
        return {key: value for key, value in pairs if value is not _NOTHING}
