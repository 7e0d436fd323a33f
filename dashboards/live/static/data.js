// The numbers of a figure as a table, for those who do not see it or want to have them; made when it is opened.

import {html} from "./svg.js";

// Return a part that unfolds: rows are asked for once it is open, and stays open when its figure is drawn again.
export function asTable(place, label, columns, rows) {
  const fold = html("details", {class: "data"}, html("summary", {}, `${label} as a table`));
  const fill = () => {
    if (!fold.open || fold.children.length > 1) return;
    const head = columns.map(title => html("th", {scope: "col"}, title));
    const body = rows().map(cells => html("tr", {}, ...cells.map(cell => html("td", {}, String(cell)))));
    const table = html("table", {}, html("thead", {}, html("tr", {}, ...head)), html("tbody", {}, ...body));
    fold.append(
      html("div", {class: "wide tall", tabindex: 0, role: "region", "aria-label": `${label} as a table`}, table),
    );
  };
  fold.open = Boolean(place.querySelector("details.data")?.open);
  fold.addEventListener("toggle", fill);
  fill();
  return fold;
}
