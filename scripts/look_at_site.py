"""Looks at pages of the site in a headless Chromium, and fails where one errs, fetches from elsewhere, or is wider than the window.

    scripts/look_at_site.py SITE FOLDER PAGE.html...

Each PAGE is looked at on a phone and on a desktop, light and dark; pictures are left in FOLDER. The search of the first page is tried too.
"""

import shutil
import sys
from pathlib import Path

from look_at_page import tell
from playwright.sync_api import sync_playwright

SIZES = {"narrow": (375, 812), "wide": (1280, 900)}
# What sticks out of the window although nothing around it within the page scrolls.
TOO_WIDE = """() => {
    const width = document.documentElement.clientWidth;
    const hides = (e) => ['auto', 'scroll', 'hidden'].includes(getComputedStyle(e).overflowX);
    const scrolls = (e) => { for (; e.tagName !== 'MAIN'; e = e.parentElement) if (hides(e)) return true; };
    const faults = [...document.querySelectorAll('main *')]
        .filter((e) => e.getBoundingClientRect().right > width + 1 && !scrolls(e))
        .map((e) => `${e.tagName} sticks out: ${e.textContent.trim().slice(0, 60)}`);
    const wider = document.documentElement.scrollWidth - width;
    return wider > 0 ? [`${wider} pixels wider than the window`, ...faults] : faults;
}"""


def look(browser, site, folder, name):
    faults = []
    for size, (width, height) in SIZES.items():
        for scheme in ("light", "dark"):
            where = f"{name}, {size}, {scheme}"
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
            page.on("console", lambda message: faults.append(f"{where}: console: {message.text}") if message.type == "error" else None)
            page.on("pageerror", lambda error: faults.append(f"{where}: {error}"))
            page.on("request", lambda request: None if inside(request.url, site) else faults.append(f"{where}: fetches {request.url}"))
            page.on("requestfailed", lambda request: faults.append(f"{where}: lacks {request.url}"))
            page.goto((site / name).as_uri())
            faults += [f"{where}: {fault}" for fault in page.evaluate(TOO_WIDE)]
            if not page.locator("main h1").count():
                faults.append(f"{where}: no heading")
            page.screenshot(path=folder / f"{name.replace('/', '-')}-{size}-{scheme}.png")
            page.close()
    return faults


def inside(url, site):
    return url.startswith((site.as_uri(), "data:"))


def search(browser, site, folder):
    page = browser.new_page(viewport={"width": SIZES["wide"][0], "height": SIZES["wide"][1]})
    page.goto((site / "index.html").as_uri())
    page.keyboard.press("s")
    page.locator("#mdbook-searchbar").press_sequentially("identifiable")
    page.locator("#mdbook-searchresults a").first.wait_for(timeout=20000)
    page.screenshot(path=folder / "search.png")
    found = page.locator("#mdbook-searchresults a").evaluate_all("links => links.map((link) => link.href)")
    page.close()
    return [] if any("METHOD.html" in link for link in found) else [f"search: METHOD is not among {found}"]


def main():
    if len(sys.argv) < 4:
        raise SystemExit(__doc__)
    site, folder, *pages = Path(sys.argv[1]).resolve(), Path(sys.argv[2]), *sys.argv[3:]
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        faults = [fault for name in pages for fault in look(browser, site, folder, name)] + search(browser, site, folder)
    tell(faults, pages, folder)


if __name__ == "__main__":
    main()
