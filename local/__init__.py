"""Everything for one machine: the API simulator, the stack, the command line."""
