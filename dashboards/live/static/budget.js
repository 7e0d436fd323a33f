// My budget: a line that can be dragged, moved by the keyboard or typed, and the network that it buys in words.

import {LOW, TOP, element, html} from "./svg.js";
import {exact, many, number} from "./words.js";

// A round number that is not below another.
function above(limit) {
  const unit = 10 ** (Math.floor(Math.log10(Math.max(limit, 1e-9))) - 1);
  return Number((Math.ceil(limit / unit - 1e-9) * unit).toPrecision(3));
}

export class Budget {
  constructor(page, front) {
    this.page = page;
    this.front = front;
    this.limit = null;
    this.touched = this.dragged = false;
    this.said = "";
    this.field = document.getElementById("budget");
    this.answer = document.getElementById("answer");
    this.field.addEventListener("change", () => this.read());
    this.field.addEventListener("keydown", event => event.key === "Enter" && this.read());
  }

  get model() {
    return this.page.model;
  }

  get cost() {
    return this.front.cost;
  }

  get steps() {
    return this.model.front.steps[this.cost] || [];
  }

  // Whether a budget can be set on what lies across.
  get possible() {
    return this.cost in this.model.front.steps;
  }

  // Without a budget that was named, take one in the midst of the steps.
  settle() {
    const {steps} = this;
    if (this.limit === null && steps.length && !this.touched)
      this.limit = above(steps[Math.floor(steps.length / 2)][0]);
    document.getElementById("budget-label").hidden = !steps.length;
    document.getElementById("budget-unit").textContent = this.cost;
    if (document.activeElement !== this.field) this.field.value = this.limit === null ? "" : exact(this.limit);
  }

  // Forget a budget of another cost.
  turn() {
    this.limit = null;
    this.touched = false;
  }

  read() {
    const found = number(this.field.value);
    this.field.setAttribute("aria-invalid", found === null && this.field.value.trim() ? "true" : "false");
    if (found !== null) this.set(found, true);
  }

  set(limit, typed = false) {
    this.limit = limit;
    this.touched = true;
    if (!typed) this.field.value = exact(limit);
    try {
      history.replaceState(null, "", `#${this.cost}=${Number(limit.toPrecision(12))}`);
    } catch {
      // a page that is shown within another may have no address of its own
    }
    this.say();
    this.move();
    this.page.budgetMoved();
  }

  // Say which network the budget buys, in the words of search.pick; what was said already is not said again.
  say() {
    const said = this.sentence();
    const key = JSON.stringify(said);
    if (key === this.said) return;
    this.said = key;
    this.answer.replaceChildren(...said.map(part => (typeof part === "string" ? part : this.network(...part))));
  }

  // The sentence in parts: words, and networks with what they are to the budget.
  sentence() {
    const found = this.limit === null ? null : this.model.pick(this.cost, this.limit);
    if (!found) {
      const none = this.possible && !this.steps.length;
      return none ? [`No network has been trained in full (${many("epoch", this.model.study.epochs)}) yet.`] : [];
    }
    const more = step => `${this.over(step)} more ${this.cost}`;
    if (found.nearest) {
      const nearest = `the nearest, with ${more(found.nearest)}, is `;
      return [`Nothing keeps ${this.cost} <= ${this.typed()}; ${nearest}`, [found.nearest, "nearest"], "."];
    }
    const dearer = found.more
      ? [` ${more(found.more)} buys `, [found.more, "more"], "."]
      : [" Nothing dearer is better."];
    return [`Below ${this.typed()} ${this.cost}: `, [found.chosen, "chosen"], ".", ...dearer];
  }

  // The budget as it was typed, or as it can be typed again.
  typed() {
    return number(this.field.value) === this.limit ? this.field.value.trim() : exact(this.limit);
  }

  over(step) {
    const share = (step[0] - this.limit) / Math.max(Math.abs(this.limit), 1e-12);
    return `${Number((100 * share).toPrecision(3))} %`;
  }

  network([, trial, told], role) {
    const [name, ...rest] = told.split(", ");
    const attributes = {type: "button", class: "link", "data-role": role, "data-trial": trial, title: `trial ${trial}`};
    const made = html("button", attributes, name);
    made.addEventListener("click", () => this.page.open(trial));
    return html("span", {}, made, `, ${rest.join(", ")}`);
  }

  // The line, to be put into a drawing; nothing where there is no budget.
  draw() {
    if (!this.possible || this.limit === null) return [];
    const attributes = {role: "slider", tabindex: 0, "data-key": "budget", "aria-label": `my budget of ${this.cost}`};
    this.line = element("g", {class: "budget", id: "budget-line", ...attributes});
    this.line.append(element("path", {class: "grip"}), element("path", {class: "rule"}));
    this.line.append(element("circle", {class: "knob", r: 8}), element("text", {class: "tick", y: 12}));
    this.line.addEventListener("pointerdown", event => this.grab(event));
    this.line.addEventListener("keydown", event => this.key(event));
    this.move();
    return [this.line];
  }

  move() {
    if (!this.line || this.limit === null) return;
    const {across, height} = this.front.scales;
    const x = Math.min(Math.max(across.place(this.limit), across.from), across.to);
    const late = x > (across.from + across.to) / 2;
    this.line.querySelectorAll("path").forEach(path => path.setAttribute("d", `M${x} ${TOP}V${height - LOW}`));
    this.line.querySelector("circle").setAttribute("cx", x);
    this.line.querySelector("circle").setAttribute("cy", height - LOW);
    const text = this.line.querySelector("text");
    text.setAttribute("x", late ? x - 8 : x + 8);
    text.setAttribute("class", late ? "tick end" : "tick");
    text.textContent = `my budget: ${this.typed()}`;
    this.tell(across.ends);
  }

  // Tell those who hear the page where the line is, and what it buys.
  tell([low, high]) {
    this.say();
    this.line.setAttribute("aria-valuemin", Math.min(low, this.limit));
    this.line.setAttribute("aria-valuemax", Math.max(high, this.limit));
    this.line.setAttribute("aria-valuenow", this.limit);
    this.line.setAttribute("aria-valuetext", this.answer.textContent);
  }

  grab(event) {
    event.preventDefault();
    this.line.focus();
    this.dragged = true;
    const move = each => {
      const {across} = this.front.scales;
      const x = each.clientX - this.front.place.getBoundingClientRect().left;
      this.set(Number(across.invert(Math.min(Math.max(x, across.from), across.to)).toPrecision(3)));
    };
    const end = () => {
      for (const name of ["pointerup", "pointercancel"]) removeEventListener(name, end);
      removeEventListener("pointermove", move);
      this.dragged = false;
      this.front.draw();
    };
    addEventListener("pointermove", move);
    for (const name of ["pointerup", "pointercancel"]) addEventListener(name, end);
  }

  // The arrows move it by a hundredth of the axis, Page Up and Page Down to the next network, Home and End to the last.
  key(event) {
    const [low, high] = this.front.scales.across.ends;
    const bounds = this.steps.map(step => step[0]);
    const by = low > 0 ? factor => this.limit * (high / low) ** factor : share => this.limit + (high - low) * share;
    const moves = {
      ArrowRight: () => within(by(0.01)),
      ArrowUp: () => within(by(0.01)),
      ArrowLeft: () => within(by(-0.01)),
      ArrowDown: () => within(by(-0.01)),
      PageUp: () => bounds.find(each => each > this.limit) ?? this.limit,
      PageDown: () => bounds.findLast(each => each < this.limit) ?? this.limit,
      Home: () => bounds[0],
      End: () => bounds[bounds.length - 1],
    };
    const within = limit => Math.min(Math.max(Number(limit.toPrecision(3)), low), high);
    if (!(event.key in moves)) return;
    event.preventDefault();
    this.set(moves[event.key]());
  }
}
