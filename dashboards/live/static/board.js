// What the live page and the report have in common: trials that are chosen, and marked in figures and tables alike.

import {drawCurves} from "./curves.js";
import {Front} from "./front.js";
import {Parallel} from "./parallel.js";
import {Table} from "./table.js";
import {drawTime} from "./time.js";
import {drawTrial} from "./trial.js";

export const byId = id => document.getElementById(id);

export class Board {
  constructor() {
    this.model = null;
    this.chosen = null; // trials that are brushed or filtered
    this.opened = null; // what had the focus when a trial was opened
    this.front = new Front(this);
    this.parallel = new Parallel(this);
    this.table = new Table(this);
    for (const kind of ["pointerover", "focusin"])
      document.addEventListener(kind, event => this.model && this.light(numberOf(event.target)));
  }

  meant() {
    return this.chosen;
  }

  // Take up what is filtered and brushed: trials that are meant by both.
  choose(draw = true) {
    const [filtered, brushed] = [this.table.within(), this.parallel.within()];
    this.chosen = filtered && brushed ? new Set([...filtered].filter(each => brushed.has(each))) : filtered || brushed;
    if (!draw) return;
    this.front.draw();
    this.drawChosen();
  }

  clear() {
    this.parallel.clear();
    this.choose();
  }

  drawChosen() {
    this.parallel.draw();
    drawCurves(this, byId("curves-plot"));
    this.table.draw();
  }

  drawTime() {
    drawTime(this, byId("time-plot"));
  }

  budgetMoved() {
    clearTimeout(this.later);
    this.later = setTimeout(() => this.drawTime(), 200);
  }

  // Mark a trial wherever it is shown, or none.
  light(number) {
    if (number === this.lit) return;
    this.lit = number;
    document.querySelectorAll("tr.lit").forEach(row => row.classList.remove("lit"));
    if (number !== null) document.querySelectorAll(`tr[data-row="${number}"]`).forEach(row => row.classList.add("lit"));
    this.front.light(number);
  }

  // Show all that is told of a trial, and go there.
  show(told) {
    const place = byId("trial");
    this.opened = document.activeElement?.dataset.key || null;
    place.hidden = false;
    drawTrial(this, place, told);
    place.focus();
    place.scrollIntoView({block: "start"});
  }

  close() {
    byId("trial").hidden = true;
    [...document.querySelectorAll("[data-key]")].find(each => each.dataset.key === this.opened)?.focus();
  }
}

// The trial that a part of the page is about, or null.
function numberOf(element) {
  const found = element.closest?.("[data-row], [data-trial]");
  return found ? Number(found.dataset.row ?? found.dataset.trial) : null;
}
