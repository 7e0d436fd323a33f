// A study as it was at one moment: the live page's figures and tables, all from what this file holds.

import {Board, byId} from "./board.js";
import {Chart} from "./charts.js";
import {Found} from "./found.js";
import {Model, WHERES} from "./model.js";
import {sortable} from "./sorting.js";

class Report extends Board {
  constructor(told) {
    super();
    this.told = told;
    this.model = new Model(told);
    this.front.begin();
    document.querySelectorAll("section[hidden]").forEach(section => (section.hidden = section.id === "trial"));
    document.addEventListener("click", event => {
      const asked = event.target.closest("button[data-open]");
      if (asked) this.open(Number(asked.dataset.open));
    });
  }

  draw() {
    this.choose(false);
    this.front.draw();
    this.drawChosen();
    this.drawTime();
    document.body.dataset.seq = this.model.seq;
  }

  open(number) {
    this.show(this.told.details[number] || this.brief(this.model.trials.get(number)));
  }

  // What is told in a row; of networks on the front there is more.
  brief(trial) {
    const {model} = this,
      {steps} = model.study.curve;
    const values = model.study.axes.map(axis => [axis.title, model.text(trial, axis)]);
    return {
      number: trial.number,
      title: `trial ${trial.number}: ${trial.name}`,
      line: model.chosen(trial),
      lines: [],
      stages: [],
      costs: [["state", WHERES[trial.where]], ...values],
      epochs: trial.curve.map((step, place) => ({
        epoch: place + 1,
        metrics: step === null ? {} : {[model.study.curve.name]: step / steps},
      })),
      why: this.told.reasons[trial.number] || "",
      help: "",
      log: "",
      attempts: 0,
      events: [],
      commands: [],
    };
  }
}

const read = id => JSON.parse(byId(id).textContent);

const drawings = [...document.querySelectorAll("[data-chart]")]
  .filter(place => !place.closest("[data-found]"))
  .map(place => new Chart(place, read(place.dataset.chart)));
drawings.push(new Found(document.body));
if (byId("study")) drawings.push(new Report(read("study")));
const draw = () => drawings.forEach(each => each.draw());
document.querySelectorAll("table.sortable").forEach(sortable);
let width = 0;
addEventListener("resize", () => innerWidth !== width && requestAnimationFrame(draw, (width = innerWidth)));
for (const kind of ["beforeprint", "afterprint"]) addEventListener(kind, draw); // paper is narrower than the window
draw();
