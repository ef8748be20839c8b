"""The commands of `python -m local`: one file and one options object each."""
