// Buttons that ask the study's launch for something. They are there only where the page was opened by the address that the
// launch has said: behind its # stands a token, which no browser sends by itself and which goes into a header here.

import {html, put} from "./svg.js";

const byId = id => document.getElementById(id);
const KEPT = `token ${location.pathname}`;
const SURE_MS = 5000; // in which a second click on what ends something counts
const RUNS_MS = 1000, RESTS_MS = 10000; // between two looks at what was started, maybe by another tab
const PLACES = {trials: "trials", epochs: "epochs", hours: "hours"};

// Take the token out of the address at once, so that nobody copies it along; the tab keeps it.
function take() {
  const [, given] = /^#token=([\w-]+)$/.exec(location.hash) || [];
  if (given) {
    history.replaceState(null, "", location.pathname + location.search);
    sessionStorage.setItem(KEPT, given);
  }
  return given || sessionStorage.getItem(KEPT) || "";
}

export class Acts {
  constructor(page) {
    this.page = page;
    this.token = take();
    this.may = false;
    this.said = "";
    this.drawn = "";
    if (this.token) this.ask();
  }

  async ask() {
    try {
      const answer = await fetch("may", {headers: {"X-Widefront-Token": this.token}});
      this.may = answer.ok && (await answer.json()).may;
      this.page.plan("head");
      if (this.may) this.follow();
    } catch {
      setTimeout(() => this.ask(), 1000);
    }
  }

  // How the command is that was started last: export and confirmation run beside the page's server.
  async follow() {
    clearTimeout(this.following);
    let found = {};
    try {
      const answer = await fetch("started", {headers: {"X-Widefront-Token": this.token}});
      found = answer.ok ? await answer.json() : {};
      const place = byId("started"), text = found.what ? ran(found) : "";
      if (place.textContent !== text) place.textContent = text;
      place.hidden = !text;
    } catch {
      // that the server is away is said elsewhere
    }
    clearTimeout(this.following);
    this.following = setTimeout(() => this.follow(), found.what && found.code === null ? RUNS_MS : RESTS_MS);
  }

  async send(kind, more = {}) {
    const body = JSON.stringify({kind, study: this.page.model.study.name, ...more});
    const headers = {"Content-Type": "application/json", "X-Widefront-Token": this.token};
    try {
      const answer = await fetch("act", {method: "POST", headers, body});
      const json = (answer.headers.get("Content-Type") || "").startsWith("application/json");
      const said = json ? (await answer.json()).said : await answer.text();
      this.say(answer.ok ? said : `not asked: ${said}`);
      return answer.ok;
    } catch {
      this.say("not asked: this page's server cannot be reached");
      return false;
    }
  }

  say(text) {
    this.said = text;
    this.draw();
  }

  button(label, act, sure = "") {
    const made = html("button", {type: "button"}, label);
    let armed = !sure;
    made.addEventListener("click", () => {
      if (armed) {
        act();
        return;
      }
      armed = true;
      made.textContent = sure;
      setTimeout(() => {
        armed = false;
        made.textContent = label;
      }, SURE_MS);
    });
    return made;
  }

  // The bar below how far the study is: drawn anew only where it changes, so that a click is never lost.
  draw() {
    const {head} = this.page.model;
    byId("held").hidden = !head.held;
    const lines = [this.said, ...head.asked.map(each => `waits for the launch: ${each}`)].filter(Boolean);
    if (byId("asked").textContent !== lines.join("; ")) byId("asked").textContent = lines.join("; ");
    byId("asked").hidden = !lines.length;
    const bar = byId("acts"),
      drawn = `${this.may} ${head.alive} ${head.held}`;
    bar.hidden = !this.may;
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    if (this.may) put(bar, ...this.bar(head));
    else bar.replaceChildren();
  }

  bar(head) {
    const ofLaunch = head.alive
      ? [
          head.held
            ? this.button("go on", () => this.send("resume"))
            : this.button("pause", () => this.send("pause")),
          this.button("end the launch", () => this.send("end"), "end it: sure?"),
        ]
      : [];
    const number = html("input", {type: "number", min: 0, step: "any", size: 6, "aria-label": "how many more", class: "few"});
    const what = html("select", {"aria-label": "of what"});
    what.append(...Object.entries(PLACES).map(([value, word]) => html("option", {value}, word)));
    const add = this.button("add to the budget", async () => {
      const sent = await this.send("add", {values: {[what.value]: Number(number.value)}});
      if (sent) number.value = "";
    });
    return [...ofLaunch, html("span", {}, number, " ", what, " ", add)];
  }

  // What can be asked of one trial, in its opened row.
  ofTrial(told) {
    const {model} = this.page,
      {number} = told,
      trial = model.trials.get(number);
    const note = told.note ? [html("p", {class: "message", id: "trial-note"}, told.note)] : [];
    if (!this.may) return note;
    const ask = kind => this.send(kind, {values: {trial: number}});
    const written = async (kind, more) => (await this.send(kind, {trial: number, ...more})) && this.page.open(number);
    const runs = ["training", "paused", "waiting"].includes(trial.where);
    const start = async kind => (await this.send(kind, {trial: number})) && this.follow();
    const text = html("textarea", {rows: 2, maxlength: 2000, "aria-label": `note on trial ${number}`});
    text.value = told.note;
    return [
      ...note,
      html(
        "div",
        {class: "controls", id: "trial-acts"},
        ...(runs ? [this.button("stop it", () => ask("stop"), "stop it: sure?")] : []),
        ...(trial.where === "paused" ? [this.button("let it go on", () => ask("promote"))] : []),
        this.button(told.star ? "take the star away" : "star it", () => written(told.star ? "unstar" : "star")),
        ...(["complete", "outside"].includes(trial.where)
          ? [
              this.button("export it", () => start("export")),
              this.button("confirm it", () => start("confirm"), "train it again by other seeds: sure?"),
            ]
          : []),
        html("span", {}, text, " ", this.button("keep the note", () => written("note", {text: text.value}))),
      ),
      this.like(told),
    ];
  }

  // Values to be changed, which the server checks before the launch is asked.
  like(told) {
    const text = html("textarea", {rows: told.values.split("\n").length, maxlength: 9000, spellcheck: false,
      "aria-label": "values of the network, as YAML"});
    text.value = told.values;
    const train = this.button("train this network", async () => {
      this.say("the values are being checked");
      await this.send("train", {text: text.value});
    });
    return html("details", {id: "train-like"}, html("summary", {}, "train one like it"), text, " ", train);
  }
}

function ran({what, code, line, folder}) {
  const said = line ? `: ${line}` : "";
  if (code === null) return `the ${what} runs${said}`;
  return `the ${what} has ended with exit code ${code}${folder ? `, in ${folder}` : ""}${said}`;
}
