"""Every relative link of every page leads to a file, and to a heading where it names one."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.DOTALL | re.MULTILINE)
NO_FILE = re.compile(r"[a-z]+:|//")  # https:, mailto:


def pages() -> list[Path]:
    """Return the Markdown files that git knows or would add."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [path for name in listed.stdout.split() if (path := ROOT / name).exists()]


def links(page: Path) -> list[str]:
    """Return the relative links of a page, without those inside code."""
    found = LINK.findall(CODE.sub("", page.read_text()))
    return [link for link in found if not NO_FILE.match(link)]


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", CODE.sub(plain, page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def plain(code: re.Match[str]) -> str:
    """Leave the words of code inside a line, and nothing of a block."""
    return "" if code[0].startswith("```") else code[0].strip("`")


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page):
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


def test_the_index_lists_every_page_of_docs():
    index = ROOT / "docs" / "index.md"
    listed = {link.partition("#")[0] for link in links(index)}

    assert {page.name for page in (ROOT / "docs").glob("*.md")} - {"index.md"} <= listed
