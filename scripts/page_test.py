"""Drives the page of `host-trainer serve` as a person does: drop, sort, pick a power mode, compare, promote, roll back, follow a promotion
made elsewhere, start and stop a study, look on at a batch, start and stop one; with and without a script, narrow and wide, light and dark.

    python scripts/page_test.py PATH/TO/host-trainer [--shots DIR] [--picture FILE.png]

Needs Playwright and a Chromium (`.ci/chromium` prints the Python that has both). Fails on any console error, on any
request that leaves the machine, and on what a reader's aids need and do not get.
"""

import argparse
import json
import pathlib
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import urllib.request

from playwright.sync_api import sync_playwright

ROOT = pathlib.Path(__file__).resolve().parent.parent
DEVICE, KIND, TARGET = "jetson-orin-nano", "convolutional", "runtime"
SAMPLE = ROOT / "sample_data/resnet18_trt_engine_info.json"
OTHER = ROOT / "sample_data/mobilenet_v2_trt_engine_info.json"
HOSTILE = "<script>document.title='owned'</script><img src=x onerror=alert(1)>"

# What assistive technology and keyboards need, and contrast, computed in the page itself.
CHECKS = """() => {
  const said = [];
  const seen = (e) => e.getClientRects().length > 0 && getComputedStyle(e).visibility !== 'hidden';
  let last = 0;
  for (const h of document.querySelectorAll('h1,h2,h3,h4')) {
    if (!seen(h)) continue;
    const level = Number(h.tagName[1]);
    if (level > last + 1) said.push(`heading ${h.tagName} follows level ${last}: ${h.textContent}`);
    last = level;
  }
  if (document.querySelectorAll('h1').length !== 1) said.push('not exactly one h1');
  if (!document.documentElement.lang) said.push('no language');
  for (const e of document.querySelectorAll('input:not([type=hidden]),select,textarea')) {
    if (seen(e) && !e.labels?.length && !e.getAttribute('aria-label')) said.push(`no label: ${e.outerHTML.slice(0, 80)}`);
  }
  for (const e of document.querySelectorAll('a[href],button')) {
    if (seen(e) && !(e.textContent.trim() || e.getAttribute('aria-label'))) said.push(`no name: ${e.outerHTML.slice(0, 80)}`);
  }
  const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);
  for (const id of new Set(ids.filter((id, i) => ids.indexOf(id) !== i))) said.push(`twice the id ${id}`);
  for (const e of document.querySelectorAll('[style]')) said.push(`inline style: ${e.outerHTML.slice(0, 80)}`);
  for (const e of document.querySelectorAll('*')) {
    for (const a of e.attributes) if (a.name.startsWith('on')) said.push(`inline handler ${a.name}`);
  }
  for (const e of document.querySelectorAll('svg[role=img]')) {
    if (!e.querySelector('title')) said.push('a chart without a title');
  }
  const parse = (c) => { const m = c.match(/[\\d.]+/g).map(Number); return m.length < 4 ? [...m, 1] : m; };
  const light = ([r, g, b]) => [r, g, b].map((v) => { v /= 255; return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; })
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const ground = (e) => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c[3] > 0) return c; } return [255, 255, 255, 1]; };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const low = new Set();
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !seen(e) || e.closest('svg,script,.sr,.veil,.toast')) continue;
    const style = getComputedStyle(e);
    const [a, b] = [light(parse(style.color)), light(ground(e))];
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) low.add(`contrast ${ratio.toFixed(2)}: ${e.tagName}.${e.className} ${walker.currentNode.textContent.trim().slice(0, 40)}`);
  }
  said.push(...low);
  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  if (wide > 0) said.push(`the page is ${wide} px too wide`);
  return said;
}"""


class Server:
    """The program as a server; ended when left."""

    def __init__(self, program, *arguments):
        self.program, self.arguments = program, arguments

    def __enter__(self):
        command = [self.program, "serve", "--listen", "127.0.0.1:0", "--poll", "0.3", *map(str, self.arguments)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()
        assert self.url.startswith("http://127.0.0.1:"), self.url
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def post(self, path, body):
        """As a script does, from the command line."""
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)


class Visit:
    """A browser's tab that fails on any error it meets."""

    def __init__(self, browser, url, **options):
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.page.set_default_timeout(60_000)
        self.url, self.errors = url, []
        self.page.on("console", lambda m: self.errors.append(m.text) if m.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda e: self.errors.append(str(e)))
        self.page.on("request", lambda r: None if r.url.startswith((url, "data:")) else self.errors.append(f"left: {r.url}"))

    def go(self, path):
        self.page.goto(self.url + path)
        return self.page

    def check(self, what):
        said = self.page.evaluate(CHECKS)
        assert not said, f"{what}: {said}"
        assert not self.errors, f"{what}: {self.errors}"
        assert self.page.title() != "owned", what

    def drop(self, *files):
        """Drops files on the page, as a file manager does."""
        content = [[pathlib.Path(f).name, pathlib.Path(f).read_text()] for f in files]
        with self.page.expect_navigation():
            self.page.evaluate(
                """(files) => {
                  const carried = new DataTransfer();
                  for (const [name, text] of files) carried.items.add(new File([text], name, {type: 'application/json'}));
                  for (const type of ['dragenter', 'dragover', 'drop'])
                    document.body.dispatchEvent(new DragEvent(type, {dataTransfer: carried, bubbles: true, cancelable: true}));
                }""",
                content,
            )
        return self.page


def column(page, number):
    cells = page.locator(f"#layer-table tbody tr td:nth-child({number})")
    return [float(cell.replace("–", "-inf")) for cell in cells.all_inner_texts()]


def engines(visit, folder):
    page = visit.go("/")
    visit.check("start")
    page = visit.drop(SAMPLE)
    assert "/engines/" in page.url, page.url
    assert "resnet18" in page.inner_text("h1")
    visit.check("an engine")
    energy = page.locator("#layer-table th[aria-sort]")
    assert energy.inner_text().startswith("Energy") and energy.get_attribute("aria-sort") == "descending"
    at = 1 + page.evaluate("[...document.querySelectorAll('#layer-table th')].findIndex(h => h.textContent.startsWith('Energy'))")
    assert column(page, at) == sorted(column(page, at), reverse=True)
    page.click("#layer-table th >> text=Energy mJ")
    assert column(page, at) == sorted(column(page, at)), "sorted upwards by the script"
    assert "order=asc" in page.url
    page.reload()
    assert column(page, at) == sorted(column(page, at)), "and by the server"
    page.fill("#filter", "pool")
    assert 0 < page.locator("#layer-table tbody tr:visible").count() < page.locator("#layer-table tbody tr").count()
    for extension, marker in (("csv", "layer_name,layer_type"), ("json", '"layers"')):
        with page.expect_download() as download:
            page.click(f"a[href*='.{extension}?']")
        assert marker in pathlib.Path(download.value.path()).read_text()
    permalink = page.url.split("?")[0]

    page = visit.go("/compare")
    visit.check("a comparison to choose")
    page = visit.drop(SAMPLE, OTHER)
    assert page.url.split("?")[0].endswith("/compare")
    assert "only in the second" in page.inner_text("main")
    visit.check("a comparison")

    hostile = json.loads(SAMPLE.read_text())
    hostile["Layers"][0]["Name"] = hostile["Layers"][3]["LayerType"] = HOSTILE
    (folder / f"{HOSTILE[:8]}.json").write_text(json.dumps(hostile))
    visit.go("/")
    page = visit.drop(folder / f"{HOSTILE[:8]}.json")
    assert HOSTILE in page.inner_text("#layers") and not page.locator("main script, main img").count()
    visit.check("hostile names")

    visit.go("/")
    page = visit.drop(ROOT / "Cargo.toml")
    assert page.get_by_role("alert").is_visible() and "trtexec" in page.inner_text("main")
    visit.errors.clear()  # The browser itself reports the refusal's status.
    visit.check("a refusal")
    return permalink


def modes(visit, permalink):
    """From the layers to the power modes: asked for the mode of the measurement, one mode picked, a limit set."""
    page = visit.go(permalink[permalink.index("/engines/"):])
    page.click("a:has-text('Power modes…')")
    assert "not known" in page.inner_text("#modes") and page.locator("#clocks tbody tr").count() == 4
    visit.check("modes before their clocks are known")
    page.select_option("#own_mode", "15W")
    page.click("button:has-text('Predict')")
    page.wait_for_selector("#modes figure.chart")
    assert page.locator("#candidates tbody tr").count() == 4
    assert page.locator("#candidates tr.current").count() == 1
    visit.check("all modes")
    page.select_option("#mode", "25W")
    page.fill("#batch", "1, 4")
    page.fill("#limit", "0.5 s")
    page.click("button:has-text('Predict')")
    page.wait_for_selector("#modes h2:has-text('25W, batch 1')")
    assert "918.0 MHz" in page.inner_text("#modes") and "1344.0 MHz" in page.inner_text("#modes"), "the mode's clocks"
    assert page.locator("#candidates tbody tr").count() == 8
    assert "Chosen for energy" in page.inner_text("#modes") and "0.5 s" == page.input_value("#limit")
    visit.check("a mode")
    page.fill("#limit", "1 us")
    page.click("button:has-text('Predict')")
    page.wait_for_selector("#modes >> text=No candidate takes at most")
    visit.check("a limit that nothing meets")
    # Another board shows its modes at once: here it is the only one, picked again.
    with page.expect_navigation():
        page.evaluate("document.querySelector('#device').dispatchEvent(new Event('change', {bubbles: true}))")
    assert "No candidate takes at most" in page.inner_text("#modes")
    visit.context.close()


def models(browser, server):
    visit, watcher = (Visit(browser, server.url) for _ in range(2))
    alias = f"{DEVICE}/{KIND}/{TARGET}"
    for tab in (visit, watcher):
        tab.go("/models")
    visit.check("models")
    page = visit.page
    page.click(f"a[href$='/models/{alias}']")
    visit.check("an alias")
    page.locator("tr", has_text="candidate").locator("text=Promote…").first.click()
    visit.check("a promotion to confirm")
    page.fill("#reason", "better <b>on</b> the bench")
    if page.locator("input[name=force]").count():
        page.check("input[name=force]")
    before = watcher.page.inner_text("#deployed")
    page.click("button:has-text('Promote')")
    page.wait_for_selector(".note-box.done")
    assert "better <b>on</b> the bench" in page.inner_text("#history")
    watcher.page.wait_for_function("before => document.querySelector('#deployed').innerText !== before", arg=before)
    visit.check("a promotion")

    page.click("text=Roll back…")
    visit.check("a rollback to confirm")
    page.fill("#reason", "worse in the field")
    page.click("button:has-text('Roll back')")
    page.wait_for_selector("#history >> text=worse in the field")
    assert page.locator("tr", has_text="declined").count() >= 1
    visit.check("a rollback")

    rows = page.locator("#history tbody tr").count()
    server.post("/v1/models/promote", {"model": f"{alias}@2", "force": True, "reason": "from a script"})
    page.wait_for_selector("#history >> text=from a script")
    assert page.locator("#history tbody tr").count() == rows + 1
    watcher.check("a page that follows")
    visit.check("a promotion from elsewhere")


def begin(visit, text, count, **options):
    page = visit.go("/studies")
    visit.check("studies")
    page.fill("#text", text)
    for name, value in options.items():
        page.locator(f"#{name}").select_option(value) if page.locator(f"select#{name}").count() else page.fill(f"#{name}", value)
    page.click("button:has-text('Check')")
    assert f"{count} trials" in page.inner_text("h1"), page.inner_text("main")
    for word in options.values():
        assert word in page.inner_text("main"), f"{word} is not asked back: {page.inner_text('main')}"
    visit.check("a study to confirm")
    page.click("button:has-text('Start')")
    return page


def done(page):
    return int(re.match(r"\d+", page.inner_text(".tiles .value >> nth=0"))[0])


def study(visit):
    """A grid that ends, and a search that does not end while the test looks; returns where both are."""
    page = begin(visit, "lasso.eps = [0.1, 0.01]\nlasso.alphas = [10, 20]\n", 4, device=DEVICE, samples="100", pruner="median")
    page.wait_for_selector("h1 >> text=done")
    short = page.url
    page = begin(visit, "lasso.eps = { low = 1e-5, high = 0.1, log = true }\n", 50000, sampler="random", trials="50000")
    page.wait_for_selector("#trials >> text=complete")
    page.click("button:has-text('Stop')")
    page.wait_for_selector("h1 >> text=stopped")
    visit.check("a study")
    before = done(page)
    page.reload()
    assert done(page) >= before
    page.click("button:has-text('Start')")
    page.wait_for_selector("h1 >> text=running")
    page.wait_for_function("before => parseInt(document.querySelector('.tiles .value').innerText) > before", arg=before)
    return short, page.url, done(page)


def without_script(browser, url):
    visit = Visit(browser, url, java_script_enabled=False)
    page = visit.go("/")
    page.set_input_files("#file", SAMPLE)
    page.click("button:has-text('Predict')")
    assert "/engines/" in page.url
    page.click("#layer-table th >> text=Run time ms")
    assert "sort=runtime" in page.url
    page.click("a:has-text('Power modes…')")
    page.select_option("#own_mode", "15W")
    page.click("button:has-text('Predict')")
    page.wait_for_selector("#modes figure.chart")
    assert "own_mode=15W" in page.url
    visit.context.close()


def keyboard(browser, url):
    visit = Visit(browser, url)
    page = visit.go("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.keyboard.press("Enter")
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.value") == "resnet18":
            break
    else:
        raise AssertionError("the keyboard does not reach the samples")
    page.keyboard.press("Enter")
    page.wait_for_url("**/engines/**")
    visit.context.close()


def looks(browser, url, paths, shots):
    for width, touch in ((1360, False), (390, True)):
        for scheme in ("light", "dark"):
            visit = Visit(browser, url, viewport={"width": width, "height": 860}, color_scheme=scheme, has_touch=touch, is_mobile=touch)
            for name, path in paths.items():
                page = visit.go(path)
                visit.check(f"{name}, {width} px, {scheme}")
                if touch:
                    small = page.evaluate(
                        """[...document.querySelectorAll('button, a.button, select, .top nav a')]
                           .filter(e => e.getClientRects().length && e.getBoundingClientRect().height < 43.5).map(e => e.outerHTML.slice(0, 80))"""
                    )
                    assert not small, f"{name}: too small to touch: {small}"
                if shots:
                    page.screenshot(path=shots / f"{name}-{width}-{scheme}.png", full_page=True)
            visit.context.close()


def store(program, folder):
    """A store with two versions of a model: the shipped one, deployed, and a Lasso."""
    run = lambda *arguments: subprocess.run([program, "--quiet", *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)
    place = folder / "store"
    run("models", "register", ROOT / "trained_models", "--store", place)
    for target in ("power", "runtime"):
        for kind in ("convolutional", "dense", "pointwise"):
            run("models", "promote", f"{DEVICE}/{kind}/{target}@1", "--store", place)
    data = folder / "data" / "small"
    data.mkdir(parents=True)
    (data / "convolutional.csv").write_text(table())
    run("fit", "--data", folder / "data", "--out", folder / "fitted", "--device", DEVICE, "--test-models", "none", "--kind", "physics")
    run("models", "register", folder / "fitted", "--store", place)
    return place, folder / "data"


def batch(program, folder):
    """A batch with short tasks that are done and a long one; the name of its folder, and how to work on it."""
    (folder / "dbs").mkdir()
    with sqlite3.connect(folder / "dbs" / "a.db") as rows:
        rows.execute("CREATE TABLE training_data (image_tag TEXT, a REAL, b REAL, y REAL)")
        rows.executemany("INSERT INTO training_data VALUES ('echo', ?, ?, ?)", [(1 + i % 7, 2 + i % 11, (1 + i % 7) * (2 + i % 11)) for i in range(60)])
    rows.close()
    (folder / "batch.toml").write_text(
        '[datasets.functions]\nkind = "table"\npath = "dbs"\ninputs = ["a", "b"]\noutputs = ["y"]\n'
        "[models.short.one]\nmlp = { hidden = [3], members = 1 }\n[models.long.two]\nmlp = { hidden = [64, 64], members = 1 }\n"
        "[training.few]\nepochs = 20\n[training.many]\nepochs = 100000\nearly_stop = false\n"
        '[[tasks]]\nmodels = ["short.*"]\ntraining = ["few"]\nrepeats = 3\n[[tasks]]\nmodels = ["long.*"]\ntraining = ["many"]\n'
    )
    command = lambda *arguments: [program, "--quiet", "batch", *arguments]
    subprocess.run(command("generate", "--no-trial", "--desc", HOSTILE), cwd=folder, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(command("work", "1", "--only", "short.one"), cwd=folder, check=True)
    name = next((folder / "batches").glob("0001-*")).name
    return name, lambda: subprocess.Popen(command("work", "1", "--checkpoint-after", "0.2"), cwd=folder)


def looks_on(visit, name, work):
    """A batch while a worker takes up its long task: the page follows without being asked."""
    page = visit.go("/batches")
    assert "3 done" in page.inner_text("#batches") and HOSTILE in page.inner_text("#batches")
    visit.check("batches")
    page.click(f"a[href='/batches/{name}']")
    assert page.locator("#batch figure.chart").count() >= 3, "scores, time and losses"
    worker = work()
    try:
        page.wait_for_selector("#running figure.chart")
        assert page.locator("#workers tbody tr").count() == 1
        epoch = "parseInt(document.querySelector('#workers tbody td:last-child').innerText)"
        before = page.evaluate(epoch)
        page.wait_for_function(f"before => {epoch} > before", arg=before)
        visit.check("a batch that is worked on")
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.wait(60)
    page.wait_for_selector("#batch >> text=None is registered")


def starts(visit, name):
    """A grid that becomes a batch on the data of another, with live curves; its worker is stopped and started again."""
    page = visit.go("/batches")
    page.select_option("#data", f"{name}/functions")
    page.fill("#description", "by the page")
    page.fill("#text", "mlp.hidden = [[64, 64], [48, 48]]\nmlp.members = 1\nmlp.epochs = 100000\nmlp.patience = 0\n")
    page.click("button:has-text('Check')")
    assert "2 tasks" in page.inner_text("h1"), page.inner_text("main")
    assert f"{name}/functions" in page.inner_text("main") and "hidden-64-64" in page.inner_text("main")
    visit.check("a batch to confirm")
    page.click("button:has-text('Start')")
    page.wait_for_url("**/batches/0002-*")
    page.wait_for_selector("#running figure.chart")
    assert page.locator("#workers tbody tr").count() == 1
    epoch = "parseInt(document.querySelector('#workers tbody td:last-child').innerText)"
    before = page.evaluate(epoch)
    page.wait_for_function(f"before => {epoch} > before", arg=before)
    visit.check("a batch that was started here")
    page.click("button:has-text('Stop')")
    page.wait_for_selector("#batch >> text=None is registered")
    assert "2 pending" in page.inner_text("#batch")
    page.fill("#workers-to-start", "2")
    page.click("button:has-text('Start')")
    page.wait_for_selector("#workers tbody tr >> nth=1")
    page.click("button:has-text('Stop')")
    page.wait_for_selector("#batch >> text=None is registered")
    page = visit.go("/batches")
    page.fill("#text", "mlp.hiden = [[3]]")
    # What the server refuses is no error of the page.
    page.click("button:has-text('Check')")
    assert "hiden" in page.inner_text("main"), page.inner_text("main")


def table():
    """Rows in the reference's columns whose run time follows the work."""
    lines = ["model,batch_size,input_size_0,input_size_1,input_size_2,output_size_0,output_size_1,output_size_2,"
             "kernel_0,kernel_1,padding_0,padding_1,stride_0,stride_1,power,runtime,layer_name"]
    for n in range(120):
        channels, size, kernel = 16 * (1 + n % 4), 14 * (1 + n // 4 % 3), (1, 3, 5)[n // 12 % 3]
        macs = channels * channels * size * size * kernel * kernel
        runtime = 0.01 + macs * 1.1e-9 * (1 + (n * 37 % 11 - 5) / 100)
        lines.append(f"net{n % 4},1,{channels},{size},{size},{channels},{size},{size},{kernel},{kernel},{kernel // 2},"
                     f"{kernel // 2},1,1,{5e6 + n * 1e3},{runtime},layer{n}")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--shots", type=pathlib.Path, help="folder for pictures of every page")
    parser.add_argument("--picture", type=pathlib.Path, help="file for the README's picture")
    arguments = parser.parse_args()
    program = arguments.program.resolve()
    if arguments.shots:
        arguments.shots.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        folder = pathlib.Path(folder)
        place, data = store(program, folder)
        name, work = batch(program, folder)
        served = ["--store", place, "--state", folder / "state", "--data", data, "--batches", folder / "batches"]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        with Server(program, *served) as server:
            visit = Visit(browser, server.url)
            permalink = engines(visit, folder)
            modes(Visit(browser, server.url), permalink)
            models(browser, server)
            without_script(browser, server.url)
            keyboard(browser, server.url)
            looks_on(Visit(browser, server.url), name, work)
            starts(Visit(browser, server.url), name)
            short, running, before = study(Visit(browser, server.url))
        # What was dropped and what was started outlive the server.
        with Server(program, *served) as server:
            path = permalink[permalink.index("/engines/"):]
            study_path = running[running.index("/studies/"):]
            visit = Visit(browser, server.url)
            page = visit.go(path)
            assert "resnet18" in page.inner_text("h1")
            page = visit.go(study_path)
            page.wait_for_selector("h1 >> text=running")
            page.wait_for_function("before => parseInt(document.querySelector('.tiles .value').innerText) > before", arg=before)
            page.click("button:has-text('Stop')")
            page.wait_for_selector("h1 >> text=stopped")
            page = visit.go(short[short.index("/studies/"):])
            assert "done" in page.inner_text("h1") and done(page) == 4
            visit.context.close()
            first, second = (urllib.request.urlopen(server.url + "/compare").read().decode(), path.split("/")[-1])
            other = [part.split('"')[0] for part in first.split('option value="')[1:] if "mobilenet" in part][0]
            paths = {
                "start": "/",
                "engine": path,
                "modes": f"{path}/modes?device={DEVICE}&own_mode=15W&mode=25W&batch=1,4&limit=50ms",
                "modes-unknown": f"{path}/modes",
                "compare": f"/compare?a={second}&b={other}",
                "models": "/models",
                "alias": f"/models/{DEVICE}/{KIND}/{TARGET}",
                "studies": "/studies",
                "study": study_path,
                "batches": "/batches",
                "batch": f"/batches/{name}",
            }
            looks(browser, server.url, paths, arguments.shots)
        if arguments.picture:
            # What whoever has just built the program sees: the models that come with it.
            with Server(program, "--models", ROOT / "trained_models", "--state", folder / "fresh") as server:
                visit = Visit(browser, server.url, viewport={"width": 1280, "height": 1000})
                page = visit.go("/")
                page.set_input_files("#file", SAMPLE)
                page.wait_for_url("**/engines/**")
                page.screenshot(path=arguments.picture)
        browser.close()
    print("the page holds", file=sys.stderr)


if __name__ == "__main__":
    main()
