"""Where things are in the project's folder."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".tools"
SCRATCH = ROOT / ".local"
