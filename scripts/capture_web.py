"""Makes docs/images/web-*.png, the pages of the web view, from a running `make demo`.

`.venv/bin/python scripts/capture_web.py http://127.0.0.1:6066`, with the address that the demo prints.
Needs a Chromium.
"""

import shutil
import struct
import sys
import zlib
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
from playwright.sync_api import Browser, sync_playwright

IMAGES = Path(__file__).parents[1] / "docs/images"
WIDE, TALL, PHONE = (1200, 800), (1200, 1030), (390, 780)


def ask(base: str, path: str) -> Any:
    """Return what the API says."""
    return httpx.get(base + path, timeout=20).raise_for_status().json()


def pages(base: str) -> dict[str, str]:
    """Names of the pictures and addresses of pages: those with most to see."""
    rows = [row for row in ask(base, "/api/mastery?sort=-assessed&limit=500")["rows"] if row["course_id"]]
    best = max(rows, key=lambda row: row["results_count"])
    account = quote(best["root_account_uuid"])
    return {
        "overview": "/",
        "mastery": "/mastery?sort=-score&limit=12",
        "student": f"/users/{best['user_uuid']}?account={account}#outcome-"
        f"{account}-{quote(best['learning_outcome_id'])}",
        "outcomes": "/outcomes",
        "outcome": f"/outcomes/{best['learning_outcome_id']}?account={account}",
        "course": f"/courses/{best['course_id']}?account={account}&limit=20",
        "dead-letters": "/dead-letters",
        "topic": "/topics/canvas.outcome_mastery",
        "status": "/status",
    }


def capture(browser: Browser, address: str, target: Path, size: tuple[int, int], scheme: str) -> None:
    """Take a picture of what is seen first."""
    width, height = size
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(address, wait_until="load")
    target.write_bytes(smaller(page.screenshot()))
    context.close()


def smaller(png: bytes) -> bytes:
    """The same picture, packed as well as zlib can."""
    found, data, position = [], b"", 8
    while position < len(png):
        (length,) = struct.unpack_from(">I", png, position)
        kind, content = png[position + 4 : position + 8], png[position + 8 : position + 8 + length]
        position += length + 12
        if kind == b"IDAT":
            data += content
        elif kind in {b"IHDR", b"IEND"}:
            found.append((kind, content))
    found.insert(1, (b"IDAT", zlib.compress(zlib.decompress(data), 9)))
    return png[:8] + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in found
    )


def main() -> None:
    """Take all pictures, wide and light; some dark or of a phone too."""
    base = sys.argv[1].rstrip("/")
    found = pages(base)
    with sync_playwright() as playwright:
        path = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for name, address in found.items():
            size = TALL if name == "overview" else WIDE
            capture(browser, base + address, IMAGES / f"web-{name}.png", size, "light")
        for name in ("course",):
            capture(browser, base + found[name], IMAGES / f"web-{name}-dark.png", WIDE, "dark")
        for name in ("overview", "student"):
            capture(browser, base + found[name], IMAGES / f"web-{name}-phone.png", PHONE, "light")
        browser.close()


if __name__ == "__main__":
    main()
