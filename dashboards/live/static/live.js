// The page: reads a study once, hears what is new, and draws what has changed.

import {Acts} from "./acts.js";
import {Board, byId} from "./board.js";
import {placed} from "./found.js";
import {Model} from "./model.js";
import {drawEvents, drawPaused, drawProgress, drawRungs, drawStudies, drawWorkers} from "./panels.js";
import {clock, exactly} from "./words.js";

const AGAIN_MS = 1000;
const asked = new URLSearchParams(location.search).get("study");

class Page extends Board {
  constructor() {
    super();
    this.studies = [];
    this.lost = null; // when the server was heard last, while it cannot be
    this.trouble = this.waiting = "";
    this.found = null; // what analyses have found, and as of when
    this.over = false; // the server has ended
    this.allEvents = false;
    this.tasks = new Set();
    this.acts = new Acts(this); // it takes the token out of the address
    byId("events-more").addEventListener("click", () => {
      this.allEvents = !this.allEvents;
      drawEvents(this);
    });
    byId("over").addEventListener("change", event => this.lay(event.target.value));
    byId("paused").addEventListener("toggle", () => {
      this.asking = false;
      drawPaused(this);
    });
    addEventListener("resize", () => this.plan("all"));
    setInterval(() => this.sayStatus(), AGAIN_MS);
    document.addEventListener("visibilitychange", () => document.hidden || this.plan("all"));
  }

  query(more = {}) {
    return new URLSearchParams({...(asked || this.model ? {study: asked || this.model.study.name} : {}), ...more});
  }

  // Read all of the study, again and again until it is there.
  async begin() {
    this.stream?.close();
    try {
      const answer = await fetch(`state?${this.query()}`);
      if (!answer.ok) throw new Error(`the server answers ${answer.status}`);
      const told = await answer.json();
      this.lost = null;
      this.hearHead(told);
      if (!told.study) {
        setTimeout(() => this.begin(), AGAIN_MS);
        return;
      }
      const old = this.model;
      this.model = new Model(told);
      if (!old || old.study.label !== told.study.label) this.front.begin();
      this.dress();
      this.plan("all");
      this.listen();
    } catch (error) {
      this.lost ??= Date.now();
      this.sayStatus();
      setTimeout(() => this.begin(), AGAIN_MS);
    }
  }

  dress() {
    const {study} = this.model;
    document.title = `${study.name}: live`;
    byId("name").textContent = study.name;
    const [first, ...others] = study.planes.map(([cost]) => this.model.axis[cost].title);
    byId("about").textContent = [
      study.data,
      `${this.model.axis[study.planes[0][1]].title} against ${[first, ...others].join(" and ")}`,
      this.model.head.began ? `begun ${clock(this.model.head.began)}` : "",
    ]
      .filter(Boolean)
      .join(" · ");
    document
      .querySelectorAll("main section")
      .forEach(section => ["trial", "studies", "analyses"].includes(section.id) || (section.hidden = false));
  }

  listen() {
    const {model} = this,
      stream = (this.stream = new EventSource(`events?${this.query({after: model.seq, label: model.study.label})}`));
    const heard = (kind, act) =>
      stream.addEventListener(kind, event => {
        this.lost = null;
        act(JSON.parse(event.data), Number(event.lastEventId));
      });
    heard("update", (told, seq) => model.hear(seq, told) && this.plan("all"));
    heard("head", told => this.hearHead(told));
    heard("anew", () => this.begin());
    heard("bye", () => {
      this.over = true;
      this.lost = Date.now();
      this.sayStatus();
    });
    stream.onopen = () => {
      this.lost = null;
      this.over = false;
      this.sayStatus();
    };
    stream.onerror = () => {
      this.lost ??= Date.now();
      this.sayStatus();
      if (stream.readyState === EventSource.CLOSED) setTimeout(() => this.begin(), AGAIN_MS);
    };
  }

  hearHead(told) {
    [this.trouble, this.waiting, this.studies] = [told.trouble, told.waiting, told.studies];
    if (told.head && this.model) {
      const starred = String(this.model.head.stars) !== String(told.head.stars);
      this.model.head = told.head;
      this.plan(starred ? "all" : "head");
    }
    if (this.model) drawStudies(this);
    this.sayStatus();
  }

  // Say in a line what keeps the page from being what the study is now.
  sayStatus() {
    const head = this.model?.head,
      since = head?.seen ? ` (last seen ${exactly(head.seen)})` : "";
    const lines = [];
    if (this.lost && this.over)
      lines.push("This page's server has ended, as it does with its launch; this is what was known last.");
    else if (this.lost)
      lines.push(`No connection to this page's server since ${exactly(this.lost / 1000)}; trying again.`);
    if (this.trouble)
      lines.push(`The database cannot be read now: ${this.trouble}. The page catches up when it is back.`);
    if (this.waiting && !this.trouble) lines.push(`Waiting: ${this.waiting}.`);
    if (!lines.length && head && !head.alive)
      lines.push(
        head.over
          ? `The study is at rest: no launch is running${since}.`
          : `No launch is running${since}: run its command again to go on.`,
      );
    const text = lines.join(" "),
      status = byId("status");
    if (status.textContent !== text) status.textContent = text;
    status.hidden = !text;
    status.classList.toggle("bad", Boolean(this.lost || this.trouble));
  }

  // Draw once before the next picture, however often it is asked for.
  plan(what) {
    if (!this.model) return;
    const first = !this.tasks.size;
    this.tasks.add(what);
    if (first) (document.hidden ? setTimeout : requestAnimationFrame)(() => this.draw());
  }

  draw() {
    const all = this.tasks.has("all");
    this.tasks.clear();
    this.find();
    drawProgress(this);
    this.acts.draw();
    drawWorkers(this);
    drawRungs(this);
    drawPaused(this);
    if (!all || this.front.budget.dragged) return;
    this.choose(false);
    drawEvents(this);
    this.front.draw();
    this.drawChosen();
    this.drawTime();
    this.found?.drawn?.draw();
    drawStudies(this);
    document.body.dataset.seq = this.model.seq;
  }

  // Show what analyses have found, where that is new.
  async find() {
    const {study, head} = this.model,
      as = `${study.label} ${head.analysed}`;
    if (this.found?.as === as) return;
    const drawn = this.found?.drawn;
    this.found = {as, drawn};
    try {
      const answer = await fetch(`analyses?${this.query()}`);
      if (!answer.ok) throw new Error(`the server answers ${answer.status}`);
      const told = await answer.text();
      if (this.found.as !== as) return;
      byId("analyses").hidden = !told;
      this.found.drawn = placed(byId("analyses").lastElementChild, told);
      this.found.drawn.draw();
    } catch {
      this.found = {drawn}; // the server is away, which the page says elsewhere; it is asked again with what comes next
    }
  }

  async lay(name) {
    if (!name) this.front.other = null;
    else {
      const told = await (await fetch(`state?${new URLSearchParams({study: name})}`)).json();
      if (!told.study) {
        setTimeout(() => byId("over").value === name && this.lay(name), AGAIN_MS);
        return;
      }
      const model = new Model(told),
        values = (trial, axis) => (axis in model.axis ? model.value(trial, axis) : null);
      const points = (cost, quality) =>
        [...model.trials.values()]
          .filter(trial => trial.where === "complete")
          .map(trial => ({x: values(trial, cost), y: values(trial, quality), best: model.best.has(trial.number)}))
          .filter(point => point.x !== null && point.y !== null);
      this.front.other = {name, points};
    }
    this.front.draw();
  }

  async open(number) {
    const answer = await fetch(`trial?${this.query({number})}`);
    if (answer.ok) this.show(await answer.json());
  }
}

new Page().begin();
