"""Builds the site of the pages with mdBook, and checks every link: in the pages, as a viewer of the repository follows it, and in the site.

    scripts/build_site.py MDBOOK FOLDER

Pages keep their places: mdBook gets a copy of what docs/SUMMARY.md lists and of the files that pages link to, with the same paths, so
that a link is right in the site where it is right in the repository. The site lies in FOLDER/book.
"""

import html.parser
import pathlib
import posixpath
import shutil
import subprocess
import sys
import urllib.parse

from markdown_it import MarkdownIt
from mdit_py_plugins.anchors.index import slugify

ROOT = pathlib.Path(__file__).resolve().parent.parent
SUMMARY = "docs/SUMMARY.md"
MARKDOWN = MarkdownIt("commonmark").enable("table")


def tokens(text):
    for token in MARKDOWN.parse(text):
        yield token
        yield from token.children or []


def links(text):
    """Targets of links and pictures that lie in the repository."""
    for token in tokens(text):
        target = token.attrGet("href") or token.attrGet("src")
        if target and not urllib.parse.urlsplit(target).scheme:
            yield urllib.parse.unquote(target)


def anchors(text):
    """Names of headings, as viewers of repositories make them."""
    names, parsed = set(), MARKDOWN.parse(text)
    for heading, content in zip(parsed, parsed[1:]):
        if heading.type == "heading_open":
            plain = "".join(part.content for part in content.children if part.type in ("text", "code_inline"))
            name, number = slugify(plain), 0
            while (unique := f"{name}-{number}" if number else name) in names:
                number += 1
            names.add(unique)
    return names


def follow(page, target):
    """The path in the repository that a link of a page leads to, and the heading there."""
    path, _, anchor = target.partition("#")
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), path)) if path else page, anchor


class Built(html.parser.HTMLParser):
    """What a page of the site links to, and the places in it that can be linked to."""

    def __init__(self, text):
        super().__init__()
        self.links, self.places = [], {"", "top"}
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name == "id":
                self.places.add(value)
            elif name in ("href", "src") and not urllib.parse.urlsplit(value).scheme:
                self.links.append(value)


def check(site):
    """Every link of the site that leads to nothing, and how many were followed."""
    pages = {path: Built(path.read_text()) for path in site.rglob("*.html")}
    faults, followed = [], 0
    for page, built in pages.items():
        for link in built.links:
            path, _, place = map(urllib.parse.unquote, link.partition("#"))
            target = (page.parent / path).resolve() if path else page
            followed += 1
            if not target.is_file() or (place and target in pages and place not in pages[target].places):
                faults.append(f"{page.relative_to(site)}: {link} leads nowhere")
    return faults, followed, len(pages)


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    mdbook, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    # Staged or not, but never what git ignores.
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    files = {name for name in listed if (ROOT / name).is_file()}
    summary = (ROOT / SUMMARY).read_text()
    pages = [follow(SUMMARY, target)[0] for target in links(summary)]
    faults = [f"{SUMMARY} lists {page} twice" for page in sorted(set(pages)) if pages.count(page) > 1]
    unlisted = {name for name in files if name.endswith(".md") and (name.startswith("docs/") or "/" not in name)} - {SUMMARY, *pages}
    faults += [f"{SUMMARY} does not list {page}" for page in sorted(unlisted)]
    texts = {page: (ROOT / page).read_text() for page in pages if page in files}
    headings = {page: anchors(text) for page, text in texts.items()}
    wanted = set(texts)
    for page, text in {SUMMARY: summary, **texts}.items():
        for target in links(text):
            path, anchor = follow(page, target)
            if path not in files:
                faults.append(f"{page}: {target} is not in the repository")
            elif anchor and anchor not in headings.get(path, ()):
                faults.append(f"{page}: {path} has no heading #{anchor}")
            else:
                wanted.add(path)
    if faults:
        raise SystemExit("\n".join(faults))

    shutil.rmtree(folder, ignore_errors=True)
    for path in wanted:
        copy = folder / "src" / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, copy)
    # mdBook takes the summary at the root of the pages only.
    for target in set(links(summary)):
        summary = summary.replace(f"]({target})", f"]({follow(SUMMARY, target)[0]})")
    (folder / "src/SUMMARY.md").write_text(summary)
    for name in ("book.toml", "site.css"):
        shutil.copyfile(ROOT / "docs" / name, folder / name)
    subprocess.run([mdbook, "build", folder], check=True)
    site = (folder / "book").resolve()
    faults, followed, built = check(site)
    if built <= len(pages):
        faults.append(f"{built} pages were built of {len(pages)}")
    if faults:
        raise SystemExit("\n".join(faults))
    print(f"{len(pages)} pages, {len(wanted) - len(texts)} other files, {followed} links; the site is {site / 'index.html'}")


if __name__ == "__main__":
    main()
