"""The catalogue as one HTML page that searches itself: no script, style or font from elsewhere."""

from __future__ import annotations

from html import escape

from .catalog import Entry, allows, entries
from .engine.sonodqs import tier

COLUMNS = (
    "id",
    "data set",
    "organ",
    "annotation",
    "images",
    "license",
    "access",
    "SonoDQS here",
    "review",
    "source",
)

HEAD = """<!doctype html>
<html lang="en">
<!-- Generated from the cards by `python -m converters.docs`. -->
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Ultrasound data sets</title>
<style>
body { font: 15px/1.4 system-ui, sans-serif; margin: 1.5rem; color: #1b2430; background: #fff; }
form { display: flex; flex-wrap: wrap; gap: .8rem 1.4rem; margin: 1rem 0; }
input[type=search] { width: 22rem; max-width: 100%; padding: .35rem; font: inherit; }
select { padding: .3rem; font: inherit; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .3rem .5rem; border-bottom: 1px solid #d5dbe3; }
th button { font: inherit; font-weight: 600; background: none; border: 0; padding: 0; cursor: pointer; }
td.number { text-align: right; }
td:last-child { overflow-wrap: anywhere; max-width: 16rem; }
</style>
<h1>Ultrasound data sets</h1>
<p>What is known of public ultrasound data sets; those with a command are converted by UltraSam. The tiers are
SonoDQS, how completely a set is described: by its card here, and as the review of 2025 prints it.</p>
<form onsubmit="return false">
<label>Search <input type="search" id="words" autofocus placeholder="thyroid masks CC BY"></label>
<label>Organ <select id="organ"><option value="">all</option>ORGANS</select></label>
<label>License <select id="license"><option value="">any</option><option value="open">public</option>
<option value="commercial">commercial use</option></select></label>
<label><input type="checkbox" id="masks"> masks</label>
<label><input type="checkbox" id="converter"> converted</label>
</form>
<p><output id="count"></output></p>
<table id="sets">
"""

SCRIPT = """</table>
<script>
const table = document.getElementById("sets"), body = table.tBodies[0], rows = [...body.rows];
const field = id => document.getElementById(id);
function show() {
  const words = field("words").value.toLowerCase().split(/\\s+/).filter(Boolean);
  let count = 0;
  for (const row of rows) {
    const text = row.textContent.toLowerCase(), data = row.dataset;
    const fits = words.every(word => text.includes(word))
      && (!field("organ").value || data.organ === field("organ").value)
      && (!field("license").value || data.license.split(" ").includes(field("license").value))
      && (!field("masks").checked || data.masks === "yes")
      && (!field("converter").checked || data.converter === "yes");
    row.hidden = !fits;
    count += fits;
  }
  field("count").textContent = `${count} of ${rows.length}`;
}
function order(column, button) {
  const down = button.dataset.down === "yes";
  button.dataset.down = down ? "no" : "yes";
  const value = row => row.cells[column].dataset.value ?? row.cells[column].textContent;
  const sign = down ? -1 : 1;
  rows.sort((a, b) => sign * value(a).localeCompare(value(b), "en", {numeric: true}));
  body.append(...rows);
}
document.querySelector("form").addEventListener("input", show);
table.querySelectorAll("th button").forEach((b, i) => b.addEventListener("click", () => order(i, b)));
show();
</script>
</html>
"""


def page() -> str:
    """The whole page."""
    found = entries()
    organs = "".join(f"<option>{escape(o)}</option>" for o in sorted({e.card.organ for e in found}))
    head = "".join(f'<th><button type="button">{name}</button></th>' for name in COLUMNS)
    rows = "\n".join(map(row, found))
    table = f"<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n"
    return HEAD.replace("ORGANS", organs) + table + SCRIPT


def row(e: Entry) -> str:
    """A line of the table; what the fields choose by stands in its attributes."""
    kinds = " ".join(kind for kind in ("open", "commercial") if allows(e.card, kind))
    flags = {"masks": e.masks, "converter": e.converter}
    data = "".join(f' data-{name}="{"yes" if value else "no"}"' for name, value in flags.items())
    title = escape(e.card.title)
    if e.card.link:
        title = f'<a href="{escape(e.card.link, quote=True)}">{title}</a>'
    command = f"<br>ultrasam convert {e.name}" if e.converter else ""
    value = e.sonodqs
    cells = (
        f"<td><code>{e.name}</code>{command}</td>",
        f"<td>{title}</td>",
        f"<td>{escape(e.card.organ)}<br>{escape(e.card.anatomy)}</td>",
        f"<td>{escape(e.card.annotation)}</td>",
        f'<td class="number">{e.card.images or ""}</td>',
        f"<td>{escape(e.license)}</td>",
        f"<td>{escape(e.card.access)}</td>",
        f'<td data-value="{value:.3f}">{tier(value)} {value:.2f}</td>',
        f"<td>{e.row.tier if e.row else ''}</td>",
        f"<td>{escape(e.source)}</td>",
    )
    organ = escape(e.card.organ, quote=True)
    return f'<tr data-organ="{organ}" data-license="{kinds}"{data}>{"".join(cells)}</tr>'
