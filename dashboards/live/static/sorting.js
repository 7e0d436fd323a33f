// A table that came with the page sorts by the column whose head is pressed.

export function sortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, place) =>
    head.firstChild.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      heads.forEach(each => each.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const numeric = head.classList.contains("number"),
        key = row => row.cells[place].dataset.key;
      const compare = (a, b) => (numeric ? key(a) - key(b) : key(a).localeCompare(key(b), undefined, {numeric: true}));
      const rows = [...table.tBodies[0].rows].sort((a, b) => (up ? compare(a, b) : compare(b, a)));
      table.tBodies[0].append(...rows);
    }),
  );
}
