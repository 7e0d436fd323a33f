"""The look and the few moves of the page: its style sheet and its script."""

STYLE = """
* { box-sizing: border-box; }
body { margin: 0; background: #fff; color: var(--ink); font: 16px/1.55 var(--font); }
main { max-width: 72rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.35rem; margin: 3rem 0 .5rem; padding-top: .75rem; border-top: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 0; }
p { margin: .5rem 0; max-width: 46rem; }
.lede, .subtitle, .remark, figcaption, caption { color: var(--quiet); }
.lede { font-size: 1.05rem; max-width: none; }
.message { padding: .75rem 1rem; border-left: 3px solid var(--accent); background: #f5f8fb; }
nav { margin: 1rem 0 0; }
nav a { margin-right: 1.25rem; color: var(--accent); }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(17rem, 1fr)); gap: 1.25rem 2rem; }
.facts { margin: 2rem 0; }
.facts dt { color: var(--quiet); font-size: .85rem; }
.facts dd { margin: 0; font-size: 1.5rem; line-height: 1.3; font-variant-numeric: tabular-nums; }
.facts dd.remark { font-size: .85rem; line-height: 1.4; }
.wide { overflow-x: auto; margin: 1rem 0; }
table.narrow { width: auto; min-width: min(36rem, 100%); }
table { border-collapse: collapse; width: 100%; font-size: .92rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-size: .85rem; padding-bottom: .4rem; }
caption span { position: sticky; left: 0; display: inline-block; max-width: calc(100vw - 2.5rem); }
th, td { padding: .4rem .7rem; border-bottom: 1px solid var(--line); text-align: left; white-space: nowrap; }
td.wrap { white-space: normal; min-width: 10rem; overflow-wrap: anywhere; }
th.number, td.number { text-align: right; }
tbody tr:hover { background: #f5f8fb; }
th button { all: unset; cursor: pointer; font-weight: 600; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
th[aria-sort=ascending] button::after { content: " \\2191"; }
th[aria-sort=descending] button::after { content: " \\2193"; }
figcaption { padding-top: .4rem; }
figure { margin: 1.75rem 0 0; min-width: 0; break-inside: avoid; }
.subtitle, figcaption { font-size: .88rem; margin: .1rem 0; max-width: 46rem; }
.plot { width: 100%; }
.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(24rem, 100%), 1fr)); gap: 1rem 2.5rem; }
pre { overflow-x: auto; padding: 1rem; background: #f7f8fa; border-radius: 6px; font-size: .85rem; line-height: 1.5; }
@media (max-width: 36rem) {
  main { padding-top: 1.5rem; } h1 { font-size: 1.6rem; } .facts { grid-template-columns: 1fr 1fr; gap: 1.25rem 1rem; }
}
@media print {
  main { max-width: none; padding: 0; } nav, .modebar { display: none !important; }
  .plot .main-svg { max-width: 100%; height: auto; } table.narrow { break-inside: avoid; }
  h2 { break-after: avoid; } tr { break-inside: avoid; } pre { white-space: pre-wrap; } .wide { overflow: visible; }
}
"""

SCRIPT = """
for (const held of document.querySelectorAll("script[data-plot]")) {
  const figure = JSON.parse(held.textContent);
  const buttons = [["toImage", "zoom2d", "pan2d", "resetScale2d"]];
  const settings = {responsive: true, displaylogo: false, modeBarButtons: buttons};
  Plotly.newPlot(held.dataset.plot, figure.data, figure.layout, settings);
}
addEventListener("beforeprint", () => {  // paper is narrower than the window: let the drawings shrink with it
  for (const svg of document.querySelectorAll(".plot .main-svg")) {
    svg.setAttribute("viewBox", `0 0 ${svg.getAttribute("width")} ${svg.getAttribute("height")}`);
  }
});
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, place) => head.firstChild.addEventListener("click", () => {
    const up = head.getAttribute("aria-sort") !== "ascending";
    heads.forEach(each => each.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const numeric = head.classList.contains("number");
    const key = row => row.cells[place].dataset.key;
    const compare = (a, b) => numeric ? key(a) - key(b) : key(a).localeCompare(key(b), undefined, {numeric: true});
    const rows = [...table.tBodies[0].rows].sort((a, b) => up ? compare(a, b) : compare(b, a));
    table.tBodies[0].append(...rows);
  }));
}
"""
