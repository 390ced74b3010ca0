#!/usr/bin/env python3
"""Makes the four pages of limpid, opens each in Chromium at 1280 and 390 pixels, looks for what a reader would stumble over, and saves
screenshots. Run it with a Python that has pyarrow and numpy.

pages.py FOLDER --limpid BINARY [--chromium chromium] [--widths 1280,390]

Each page is shown in a frame of the given width. These are errors: the page is wider than the screen; a text of a picture leaves
the picture or overlaps another one; letters of a picture are smaller than 8 pixels; a text is cut by its box, which does not scroll; a box that scrolls
cannot be reached by keyboard or has no name; a header of a table without `scope`; a picture without a name. Exits 1 where there
is one. The screenshots are in FOLDER.
"""

import argparse
import html
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

JOB = """name: pages
sources:
  docs: {{ paths: ["{folder}/docs.parquet"] }}
id: id
text: text
steps:
  - name: quality_of_the_text_by_rules
    rules: {{ too_short: length(text) >= 40, long_words: "regexp_count(text, '[a-z]{{20,}}') = 0", shouting: "text <> upper(text)",
      numbers: "regexp_count(text, '[0-9]') < 30", odd: "NOT starts_with(text, 'odd')", blank: "text NOT LIKE '%  %'" }}
  - name: exact
    recipe: exact_dedup
  - name: fuzzy
    recipe: minhash_dedup
    args: {{ threshold: 0.7 }}
checks:
  - name: something_is_left
    sql: SELECT 'nothing is left' WHERE (SELECT count(*) FROM output) = 0
sink: {{ path: "{folder}/out", format: parquet }}
report: {folder}/job.html
work: {folder}/work
"""

# What a reader would stumble over, as a list of sentences. `d` is the document of the frame.
LOOK = r"""
const d = frame.contentDocument, w = d.documentElement.clientWidth, found = [];
const name = e => e.tagName.toLowerCase() + ' "' + (e.textContent || '').trim().slice(0, 40) + '"';
const seen = e => e.getClientRects().length > 0;
const scrolls = e => ['auto', 'scroll'].includes(frame.contentWindow.getComputedStyle(e).overflowX)
  || ['auto', 'scroll'].includes(frame.contentWindow.getComputedStyle(e).overflowY);
const inBox = e => { for (let p = e.parentElement; p; p = p.parentElement) if (scrolls(p)) return true; return false; };
d.querySelectorAll('details').forEach(e => e.open = true);
if (d.documentElement.scrollWidth > w + 1) found.push('the page is ' + d.documentElement.scrollWidth + ' pixels wide');
for (const e of d.querySelectorAll('body *')) {
  if (!seen(e) || e.closest('svg')) continue;
  const r = e.getBoundingClientRect();
  if ((r.right > w + 1 || r.left < -1) && !inBox(e)) found.push('leaves the screen: ' + name(e));
  if (scrolls(e) && (e.scrollWidth > e.clientWidth + 1 || e.scrollHeight > e.clientHeight + 1)) {
    if (e.tabIndex < 0) found.push('scrolls, but not by keyboard: ' + name(e));
    if (!e.getAttribute('aria-label') && !e.getAttribute('aria-labelledby')) found.push('scrolls and has no name: ' + name(e));
  }
  const style = frame.contentWindow.getComputedStyle(e);
  if ((style.overflow === 'hidden' || style.overflow === 'clip') && e.scrollWidth > e.clientWidth + 1) found.push('is cut: ' + name(e));
}
for (const e of d.querySelectorAll('th')) if (!e.scope) found.push('no scope: ' + name(e));
let pictures = 0;
for (const svg of d.querySelectorAll('svg')) {
  if (!seen(svg) || svg.getAttribute('aria-hidden') === 'true') continue;
  pictures++;
  const title = svg.getAttribute('aria-label');
  if (!title) found.push('a picture without a name');
  const box = svg.getBoundingClientRect(), texts = [...svg.querySelectorAll('text')].filter(t => t.textContent.trim());
  const places = texts.map(t => [t.textContent.trim(), t.getBoundingClientRect()]);
  for (const [text, r] of places) {
    if (r.left < box.left - 2 || r.right > box.right + 2 || r.top < box.top - 3 || r.bottom > box.bottom + 3)
      found.push(title + ': leaves the picture: ' + text);
  }
  for (const t of texts) {
    const size = parseFloat(t.getAttribute('font-size') || '12') * box.width / svg.viewBox.baseVal.width;
    if (size < 8) { found.push(title + ': letters of ' + size.toFixed(1) + ' pixels'); break; }
  }
  for (let i = 0; i < places.length; i++) for (let j = 0; j < i; j++) {
    const [a, p] = places[i], [b, q] = places[j];
    // Lines of text are a little higher than their letters.
    const across = Math.min(p.right, q.right) - Math.max(p.left, q.left), down = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top);
    if (across > 1.5 && down > 4.5) found.push(title + ': "' + a + '" overlaps "' + b + '"');
  }
}
result.textContent = JSON.stringify({found: [...new Set(found)], pictures, height: d.documentElement.scrollHeight});
"""


def run(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def make_pages(folder, limpid):
    """The four pages, by name."""
    random = np.random.default_rng(5)
    words = np.array([bytes(random.integers(97, 123, random.integers(2, 10), dtype=np.uint8)).decode() for _ in range(3000)])
    texts = [" ".join(random.choice(words, random.integers(2, 120))) for _ in range(3000)]
    texts += [texts[n] for n in range(0, 600)] + [texts[n] + " and more" for n in range(600, 900)]
    texts += [text.upper() for text in texts[:40]] + ["odd " + text for text in texts[:9]] + [text + "  x" for text in texts[50:90]]
    table = pa.table({"id": [f"document/{n:06}" for n in range(len(texts))], "text": texts})
    pq.write_table(table, folder / "docs.parquet")
    (folder / "job.yaml").write_text(JOB.format(folder=folder))
    run([limpid, "-q", "run", folder / "job.yaml"])
    labels = random.integers(0, 4, 1200)
    centres = random.normal(size=(4, 16))
    vectors = (centres[labels] + random.normal(size=(1200, 16)) * 1.2).astype(np.float32)
    rows = pa.table({"id": np.arange(1200), "embedding": list(vectors), "label": labels, "quality": random.normal(size=1200)})
    pq.write_table(rows, folder / "rows.parquet")
    rows = folder / "rows.parquet"
    run([limpid, "-q", "select", rows, "--score", "quality", "--label", "label", "--fraction", "0.3", "-o", folder / "kept.parquet",
         "--report", folder / "selection.html"])
    run([limpid, "-q", "evaluate", rows, "--fractions", "0.05,0.2,0.5", "--seeds", "3", "--report", folder / "evaluation.html"])
    run([limpid, "-q", "lake", "demo", folder / "lake"])
    run([limpid, "-q", "lake", "plan", folder / "lake", "--report", folder / "lake.html"])
    return ["job", "selection", "evaluation", "lake"]


def look(folder, chromium, page, width):
    """What is wrong with the page at that width, and its screenshot."""
    text = re.sub(r"<meta http-equiv=.Content-Security-Policy[^>]*>", "", (folder / f"{page}.html").read_text())
    frame = f'<iframe id="frame" style="border:0;width:{width}px;height:HEIGHTpx" srcdoc="{html.escape(text)}"></iframe>'
    script = f"<pre id=result></pre><script>frame.onload = () => setTimeout(() => {{ {LOOK} }}, 300)</script>"
    shown = folder / f"{page}-{width}.test.html"
    start = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={folder}/profile"]
    shown.write_text('<!doctype html><meta charset="utf-8"><body style="margin:0">' + frame.replace("HEIGHT", "900") + script)
    dom = run([*start, "--virtual-time-budget=5000", "--window-size=1400,1000", "--dump-dom", shown.as_uri()])
    found = re.search(r'<pre id="result">(.*?)</pre>', dom, re.S)
    if not found or not found[1]:
        sys.exit(f"{page} at {width} pixels: the browser gave no answer")
    result = json.loads(html.unescape(found[1]))
    height = min(result["height"], 6000)
    shown.write_text('<!doctype html><meta charset="utf-8"><body style="margin:0">' + frame.replace("HEIGHT", str(height)))
    picture = folder / f"{page}-{width}.png"
    run([*start, f"--screenshot={picture}", f"--window-size={max(width, 500)},{height}", shown.as_uri()])
    shown.unlink()
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--limpid", required=True)
    parser.add_argument("--chromium", default="chromium")
    parser.add_argument("--widths", default="1280,390")
    args = parser.parse_args()
    folder = args.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    wrong = 0
    for page in make_pages(folder, args.limpid):
        for width in map(int, args.widths.split(",")):
            result = look(folder, args.chromium, page, width)
            print(f"{page:12} {width:5} px  {result['pictures']:2} pictures  {result['height']:6} px high  {len(result['found'])} problems")
            for problem in result["found"][:12]:
                print("    " + problem)
            wrong += len(result["found"])
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
