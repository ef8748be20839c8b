"""Automatic mutants of the core, made by mutmut and judged by the tests."""
