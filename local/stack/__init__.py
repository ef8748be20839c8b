"""The project's own template, built and deployed into an emulated account on this machine."""
