"""The exporter on one machine: its stack in an emulator, and commands that drive and check it."""
