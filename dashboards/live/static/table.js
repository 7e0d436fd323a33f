// All trials as a table: filtered, sorted, fifty at a time, so that ten thousand take no longer than sixty.

import {html, put} from "./svg.js";
import {WHERES, filter} from "./model.js";
import {duration, number} from "./words.js";

const ROWS = 50;

export class Table {
  constructor(page) {
    this.page = page;
    this.sorted = "number";
    this.up = false;
    this.at = 0;
    this.field = document.getElementById("filter");
    this.field.addEventListener("input", () => {
      this.at = 0;
      page.choose();
    });
    document.getElementById("clear").addEventListener("click", () => {
      this.field.value = "";
      this.at = 0;
      page.clear();
    });
    document.getElementById("before").addEventListener("click", () => this.turn(-1));
    document.getElementById("after").addEventListener("click", () => this.turn(1));
  }

  // Numbers of the trials that the filter means, or null where it is empty.
  within() {
    const text = this.field.value.trim();
    if (!text) return null;
    const test = filter(this.page.model, text, number);
    return new Set([...this.page.model.trials.values()].filter(test).map(trial => trial.number));
  }

  columns() {
    const {model} = this.page;
    const axes = model.study.axes.map(axis => ({
      name: axis.name,
      title: axis.name,
      note: axis.title,
      number: true,
      more: !model.study.objectives.includes(axis.name),
      key: trial => model.value(trial, axis.name),
      text: trial => model.text(trial, axis),
    }));
    return [
      {name: "number", title: "trial", number: true, key: trial => trial.number, text: trial => String(trial.number)},
      {
        name: "name",
        title: "network",
        wrap: true,
        key: trial => trial.name,
        text: trial => ((model.head.stars || []).includes(trial.number) ? "\u2605 " : "") + trial.name,
      },
      ...axes,
      {
        name: "where",
        title: "state",
        most: true,
        key: trial => trial.where,
        text: trial =>
          (model.best.has(trial.number) ? "on the front" : WHERES[trial.where]) + (trial.kind ? `: ${trial.kind}` : ""),
      },
      {
        name: "epochs",
        title: "epochs",
        number: true,
        more: true,
        key: trial => trial.epochs,
        text: trial => `${trial.epochs}/${model.study.epochs}`,
      },
      {
        name: "seconds",
        title: "trained",
        number: true,
        more: true,
        key: trial => trial.seconds,
        text: trial => duration(trial.seconds),
      },
      {
        name: "chosen",
        title: "chosen",
        wrap: true,
        more: true,
        key: model.chosen.bind(model),
        text: model.chosen.bind(model),
      },
    ];
  }

  turn(by) {
    this.at += by;
    this.draw();
    document.querySelector("#table tbody button")?.focus();
  }

  sort(name) {
    this.up = this.sorted === name ? !this.up : name === "name" || name === "where";
    this.sorted = name;
    this.at = 0;
    this.draw();
  }

  draw() {
    const {model} = this.page,
      columns = this.columns(),
      meant = this.page.meant();
    const by = columns.find(column => column.name === this.sorted) || columns[0],
      sign = this.up ? 1 : -1;
    const trials = [...model.trials.values()].filter(trial => !meant || meant.has(trial.number));
    trials.sort((a, b) => compare(by.key(a), by.key(b), sign) || a.number - b.number);
    const pages = Math.max(1, Math.ceil(trials.length / ROWS));
    this.at = Math.min(Math.max(this.at, 0), pages - 1);
    const shown = trials.slice(this.at * ROWS, (this.at + 1) * ROWS);
    put(document.querySelector("#table thead tr"), ...columns.map(column => this.head(column)));
    put(document.querySelector("#table tbody"), ...shown.map(trial => this.row(columns, trial)));
    document.getElementById("shown").textContent = meant
      ? `${trials.length.toLocaleString("en")} of ${model.trials.size.toLocaleString("en")} trials`
      : "";
    document.getElementById("clear").hidden = !meant;
    document.getElementById("page").textContent = `page ${this.at + 1} of ${pages}`;
    document.getElementById("before").disabled = this.at === 0;
    document.getElementById("after").disabled = this.at === pages - 1;
    document.querySelector(".pager").hidden = pages === 1;
  }

  head(column) {
    const made = html("th", {
      scope: "col",
      class: look(column),
      ...(column.note ? {title: column.note} : {}),
    });
    if (column.name === this.sorted) made.setAttribute("aria-sort", this.up ? "ascending" : "descending");
    const button = html("button", {type: "button", "data-key": `h${column.name}`}, column.title);
    button.addEventListener("click", () => this.sort(column.name));
    made.append(button);
    return made;
  }

  row(columns, trial) {
    const {model} = this.page;
    const made = html("tr", {"data-row": trial.number, class: model.best.has(trial.number) ? "best" : ""});
    for (const column of columns) {
      const cell = html("td", {class: look(column)});
      if (column.name === "number") {
        const open = html(
          "button",
          {type: "button", class: "link", "data-key": `t${trial.number}`, "aria-label": `open trial ${trial.number}`},
          column.text(trial),
        );
        open.addEventListener("click", () => this.page.open(trial.number));
        cell.append(open);
      } else cell.append(column.text(trial));
      made.append(cell);
    }
    return made;
  }
}

// How a column looks: what does not decide is left out where there is little room.
const look = column => ["number", "wrap", "more", "most"].filter(each => column[each]).join(" ");

// What is not known comes last, whichever way.
function compare(a, b, sign) {
  const [noA, noB] = [a === null || a === undefined, b === null || b === undefined];
  if (noA || noB) return noA - noB;
  return sign * (typeof a === "number" ? a - b : String(a).localeCompare(String(b), "en", {numeric: true}));
}
