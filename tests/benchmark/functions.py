"""The functions' handlers, as Lambda loads and calls them."""

import importlib.util
from types import ModuleType

from tests.benchmark.processes import ROOT


class Invocation:
    """What a handler asks Lambda of its invocation."""

    function_name = "function"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:eu-west-2:123456789012:function:function"
    aws_request_id = "c6af9ac6-7b61-11e6-9a41-93e812345678"

    def get_remaining_time_in_millis(self) -> int:
        return 300_000


def load_function(name: str) -> ModuleType:
    """The function's module anew."""
    path = ROOT / f"functions/{name}/app.py"
    spec = importlib.util.spec_from_file_location(f"{name}_function", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
