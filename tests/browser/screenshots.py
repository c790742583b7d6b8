"""The screenshots of the README, made anew: every tab, light and dark, in assets/screenshots/.

    python -m tests.browser.screenshots [--workspace W]

Without a workspace, the sample is tried in a temporary one first, as `launch.py demo` does it: some minutes.
"""

from __future__ import annotations

import argparse
import io
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from studio import runs
from studio.datasets.store import Dataset
from studio.workspace import Workspace
from tests.browser.conftest import ARGUMENTS, NAMES, ROOT, Studio
from tests.studio.doctor.planted import grow, imported

TARGET = ROOT / "assets" / "screenshots"
WIDTH, HEIGHT = 1280, 860
LARGEST = 150_000
ANSWER_MS = 120_000
ILL = "letters"  # a dataset in which the doctor finds something
Action = Callable[[Page], None]


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.browser.screenshots", description=__doc__)
    parser.add_argument("--workspace", metavar="W", help="one with a finished run; default: the sample is tried first")
    given = parser.parse_args(argv).workspace
    found = next(filter(None, map(shutil.which, NAMES)), None)
    with workspace_at(given) as root, sync_playwright() as playwright:
        studio = Studio(root).start()
        browser = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        try:
            for path in take(studio, browser):
                print(f"{path.relative_to(ROOT)}  {path.stat().st_size / 1000:.0f} kB")
        finally:
            browser.close()
            studio.close()
    return 0


@contextmanager
def workspace_at(given: str | None) -> Iterator[Path]:
    """A workspace to be shown, a copy of the one given, under a path that says nothing of this machine."""
    with tempfile.TemporaryDirectory(prefix="flextune-") as folder:
        root = Path(folder) / "workspace"
        if given:
            shutil.copytree(given, root)
        else:
            subprocess.run([sys.executable, "launch.py", "demo", "--workspace", str(root)], cwd=ROOT, check=True)
        yield root


def take(studio: Studio, browser: Browser) -> Iterator[Path]:
    """Every picture, in both themes."""
    TARGET.mkdir(exist_ok=True)
    for theme in ("light", "dark"):
        context = browser.new_context(
            viewport={"width": WIDTH, "height": HEIGHT}, color_scheme=theme, locale="en-GB", reduced_motion="reduce"
        )  # type: ignore[arg-type]
        context.set_default_timeout(ANSWER_MS)
        page = context.new_page()
        for name, query, action in pictures(studio.workspace):
            studio.open(page, **query)
            page.wait_for_function(
                "(tab) => document.querySelector(`ft-${tab}`)?.innerText.trim().length > 40", arg=query["tab"]
            )
            action(page)
            page.evaluate("document.activeElement?.blur(); scrollTo(0, 0)")
            page.wait_for_timeout(800)  # charts and bars come to rest
            yield save(page.screenshot(), TARGET / f"{name}-{theme}.png")
        context.close()


def pictures(workspace: Workspace) -> list[tuple[str, dict[str, str], Action]]:
    """Names, addresses, and what is done there first."""
    run = next(one for one in runs.list_runs(workspace) if one.status == "finished" and one.dataset)
    row = next(Dataset.open(workspace, run.dataset).rows(None, "train")).row_id
    if ILL not in workspace.names("datasets"):
        imported(workspace, grow(400, 6), ILL)
        command = [sys.executable, "launch.py", "doctor", ILL, "--workspace", str(workspace.root)]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return [
        ("home", {"tab": "home"}, nothing),
        ("data", {"tab": "data", "dataset": run.dataset}, nothing),
        ("tokens", {"tab": "data", "dataset": run.dataset, "row": row, "view": "tokens", "model": run.model}, nothing),
        ("doctor", {"tab": "data", "dataset": ILL, "part": "doctor"}, findings),
        ("review", {"tab": "data", "dataset": run.dataset, "part": "review"}, review),
        ("map", {"tab": "data", "dataset": run.dataset, "part": "map"}, mapped),
        ("train", {"tab": "train", "dataset": run.dataset}, nothing),
        ("runs", {"tab": "runs", "run": run.id}, chart),
        ("compare", {"tab": "compare", "run": run.id}, compare),
        ("evaluate", {"tab": "evaluate"} | newest(workspace, "evaluations", "evaluation"), nothing),
        ("export", {"tab": "export"} | newest(workspace, "exports", "export"), nothing),
        ("settings", {"tab": "settings"}, nothing),
    ]


def newest(workspace: Workspace, kind: str, word: str) -> dict[str, str]:
    """The newest item of a kind as a part of an address, if there is one."""
    names = workspace.names(kind)
    return {word: names[-1]} if names else {}


def nothing(page: Page) -> None:
    """The page as it opens."""


def chart(page: Page) -> None:
    page.locator("[data-chart=loss] .main-svg").first.wait_for()


def findings(page: Page) -> None:
    """What the doctor found; there is something to find."""
    page.locator("ft-doctor .dr-finding").nth(1).wait_for()


def review(page: Page) -> None:
    """Gives a name where none was given in this browser, and shows the first row."""
    name = page.get_by_label("Your name")
    name.or_(page.locator(".rv-head h2")).first.wait_for()
    if name.is_visible():
        name.fill("Ada")
        page.keyboard.press("Enter")
    page.locator(".rv-head h2").wait_for()


def mapped(page: Page) -> None:
    """Makes a map, if there is none yet."""
    page.locator("ft-map .map-legend li, ft-map [data-do=make].primary").first.wait_for()
    make = page.locator("ft-map [data-do=make].primary")
    if make.is_visible():
        make.click()
    page.locator("ft-map .map-legend li").first.wait_for()
    page.locator("ft-map .figures .card").first.wait_for()


def compare(page: Page) -> None:
    """Asks both models a held-out row."""
    page.locator("ft-compare [data-ask]").nth(1).click()
    page.locator("ft-compare form [data-again]:enabled").wait_for()


def save(picture: bytes, path: Path) -> Path:
    """Few colours are enough for a page, and make a small file."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    for colours in (256, 128, 64):
        image.quantize(colours, dither=Image.Dither.NONE).save(path, optimize=True)
        if path.stat().st_size < LARGEST:
            break
    return path


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
