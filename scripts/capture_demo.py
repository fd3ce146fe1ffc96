"""Makes docs/images/demo.svg, the screen of `make demo`: `.venv/bin/python scripts/capture_demo.py`.

Needs tmux, which is the terminal.
"""

import re
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.text import Text

COLUMNS, LINES = 132, 44
SECONDS = 20
TARGET = Path(__file__).parents[1] / "docs/images/demo.svg"


def tmux(*arguments: str) -> str:
    """Run a command of a tmux server of our own."""
    done = subprocess.run(
        ["tmux", "-L", "mastery-capture", *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout


def main() -> None:
    """Run the demo in a terminal for a while, and draw its last screen."""
    tmux("new-session", "-d", "-x", str(COLUMNS), "-y", str(LINES), "make --no-print-directory demo")
    try:
        time.sleep(SECONDS)
        screen = tmux("capture-pane", "-e", "-p")
        tmux("send-keys", "C-c")
        time.sleep(3)
    finally:
        subprocess.run(["tmux", "-L", "mastery-capture", "kill-server"], check=False, capture_output=True)
    if "rubric_assessed" not in screen:
        sys.exit("the demo did not get that far")
    with Path("/dev/null").open("w") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere, force_terminal=True)
        console.print(Text("$ make demo"), Text.from_ansi(screen.rstrip()), sep="\n")
    drawing = console.export_svg(title="make demo", unique_id="demo")
    # Fonts are the reader's own: a picture should not load anything.
    TARGET.write_text(re.sub(r"@font-face \{.*?\}\s*", "", drawing, flags=re.DOTALL), encoding="utf-8")


if __name__ == "__main__":
    main()
