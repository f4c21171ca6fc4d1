"""Opens pages that stand alone in a headless Chromium, and fails where one errs, fetches, or does not fit.

    scripts/look_at_page.py FOLDER PAGE.html...

Leaves a picture of each page in FOLDER: narrow and wide, light and dark, and as printed.
"""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

SIZES = {"narrow": (390, 844), "wide": (1280, 900)}


def look(browser, page_file, folder):
    faults = []
    address = page_file.resolve().as_uri()
    for size, (width, height) in SIZES.items():
        for scheme in ("light", "dark"):
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
            where = f"{page_file.name}, {size}, {scheme}"
            page.on("console", lambda message: faults.append(f"{where}: console: {message.text}"))
            page.on("pageerror", lambda error: faults.append(f"{where}: {error}"))
            page.on(
                "request",
                lambda request: None if request.url == address else faults.append(f"{where}: fetches {request.url}"),
            )
            page.goto(address)
            wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            if wider > 0:
                faults.append(f"{where}: {wider} pixels wider than the window")
            # Styles are allowed by hash: had the policy refused them, the page would be bare.
            if page.evaluate("getComputedStyle(document.body).marginTop") != "0px":
                faults.append(f"{where}: the style sheet is not in force")
            paper = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
            brightness = sum(int(part) for part in paper.strip("rgb()").split(",")[:3])
            if (brightness > 384) != (scheme == "light"):
                faults.append(f"{where}: paper is {paper}")
            faults.extend(f"{where}: {fault}" for fault in charts(page))
            page.screenshot(path=folder / f"{page_file.stem}-{size}-{scheme}.png", full_page=True)
            page.close()
    page = browser.new_page(color_scheme="dark")
    page.goto(address)
    page.pdf(path=folder / f"{page_file.stem}.pdf", format="A4")
    page.close()
    return faults


def charts(page):
    """Every chart has a name, shows something, and keeps its text within its frame."""
    return page.evaluate(
        """() => [...document.querySelectorAll('figure.chart')].flatMap((figure) => {
            const svg = figure.querySelector('svg[role=img]');
            const label = (svg?.getAttribute('aria-labelledby') ?? '').split(' ').map((id) => document.getElementById(id));
            const faults = [];
            if (!svg || label.length !== 2 || label.some((e) => !e?.textContent)) faults.push(`${figure.id}: no name`);
            if (!svg?.querySelector('circle, rect, path, line')) faults.push(`${figure.id}: empty`);
            const frame = svg.getBoundingClientRect();
            for (const text of svg.querySelectorAll('text')) {
                const box = text.getBoundingClientRect();
                if (box.left < frame.left - 1 || box.right > frame.right + 1 || box.bottom > frame.bottom + 1 || box.top < frame.top - 1)
                    faults.push(`${figure.id}: “${text.textContent}” sticks out`);
            }
            const ticks = [...svg.querySelectorAll('text.tick')].map((e) => [e, e.getBoundingClientRect()]);
            for (let i = 0; i < ticks.length; i++)
                for (let j = i + 1; j < ticks.length; j++) {
                    const [a, b] = [ticks[i][1], ticks[j][1]];
                    if (a.left < b.right && b.left < a.right && a.top + 2 < b.bottom && b.top + 2 < a.bottom)
                        faults.push(`${figure.id}: “${ticks[i][0].textContent}” over “${ticks[j][0].textContent}”`);
                }
            return faults;
        })"""
    )


def tell(faults, pages, folder):
    """Prints what was found, and ends the program by it."""
    for fault in sorted(set(faults)):
        print(fault, file=sys.stderr)
    print(f"{len(pages)} pages, {len(set(faults))} faults; pictures in {folder}")
    raise SystemExit(1 if faults else 0)


def main():
    folder, *pages = map(Path, sys.argv[1:])
    if not pages:
        raise SystemExit(__doc__)
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        faults = [fault for page in pages for fault in look(browser, page, folder)]
    tell(faults, pages, folder)


if __name__ == "__main__":
    main()
