// What analyses have found: a figure and its table for each, of which one of each kind is shown, as it is chosen.

import {Chart} from "./charts.js";

export class Found {
  constructor(section) {
    this.kinds = [...section.querySelectorAll("[data-kind]")].map(place => this.begin(place));
  }

  begin(place) {
    const parts = [...place.querySelectorAll("[data-found]")].map(part => ({part, charts: chartsIn(part)}));
    const controls = place.querySelector(".controls"),
      choice = controls?.querySelector("select");
    const kind = {name: place.dataset.kind, parts, choice};
    if (choice) {
      controls.hidden = false;
      choice.addEventListener("change", () => this.show(kind));
    }
    return kind;
  }

  // Of a kind that has several, show what is chosen.
  show({parts, choice}) {
    const chosen = Number(choice?.value || 0);
    parts.forEach(({part, charts}, place) => {
      part.hidden = place !== chosen;
      if (!part.hidden) charts.forEach(chart => chart.draw());
    });
  }

  draw() {
    this.kinds.forEach(kind => this.show(kind));
  }
}

function chartsIn(part) {
  const read = id => JSON.parse([...part.querySelectorAll("script")].find(each => each.id === id).textContent);
  return [...part.querySelectorAll("[data-chart]")].map(place => new Chart(place, read(place.dataset.chart)));
}

// Put what a server tells as part of a page in its place; nothing of it can run, as the page's policy has it.
export function placed(section, told) {
  const read = new DOMParser().parseFromString(told, "text/html");
  section.replaceChildren(...[...read.body.childNodes].map(each => document.importNode(each, true)));
  return new Found(section);
}
