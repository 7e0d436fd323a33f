// Draw figures that are told as data: lines, steps, bands, boxes and points on two axes, with their numbers as a table.

import {asTable} from "./data.js";
import {
  LEFT,
  LOW,
  RIGHT,
  TOP,
  element,
  hideTip,
  html,
  line,
  linearTicks,
  nearest,
  plane,
  put,
  scale,
  showTip,
  widthOf,
} from "./svg.js";
import {count} from "./words.js";

const WRITERS = {
  percent: number => `${Number((100 * number).toPrecision(3))} %`,
  count: count,
  plain: number => String(Number(number.toPrecision(4))),
};

export class Chart {
  constructor(place, told) {
    this.place = place;
    this.told = told;
    this.points = [];
    place.addEventListener("pointermove", event => this.hover(event));
    place.addEventListener("pointerleave", hideTip);
  }

  draw() {
    const {told} = this,
      width = widthOf(this.place),
      lines = told.across.ticks?.some(([, text]) => text.includes("\n")) ? 1 : 0,
      low = LOW + 14 * lines;
    const across = axis(told.across, values(told, "x"), [LEFT, width - RIGHT]);
    const up = axis(told.up, values(told, "y"), [told.height - low, TOP]);
    if (told.across.named) shorten(across, (width - LEFT - RIGHT) / told.across.ticks.length);
    const root = plane({width, height: told.height, across, up});
    root.setAttribute("role", "img");
    root.setAttribute("aria-label", this.place.getAttribute("aria-label"));
    const at = (x, y) => [across.scale.place(x), up.scale.place(y)];
    this.points = [];
    for (const series of told.series) {
      root.append(...KINDS[series.kind](series, at, across));
      (series.said || []).forEach((said, place) => {
        if (said && known(series.x[place], series.y[place]))
          this.points.push({at: at(series.x[place], series.y[place]), said});
      });
    }
    put(this.place, root, legend(told.series), this.table());
  }

  hover(event) {
    const found = nearest(this.points, this.place, event);
    if (found) showTip(found.said, event.clientX, event.clientY);
    else hideTip();
  }

  table() {
    const {told} = this,
      named = told.series.filter(series => ["line", "steps", "points"].includes(series.kind));
    const said = named.some(series => series.said),
      several = named.length > 1;
    const columns = [...(several ? ["what"] : []), told.across.title, told.up.title, ...(said ? ["in words"] : [])];
    const labels = new Map((told.across.ticks || []).map(([tick, text]) => [tick, text.split("\n")[0]]));
    const across = x => (told.across.named ? labels.get(Math.round(x)) : WRITERS[told.across.format](x));
    const rows = () =>
      named.flatMap(series =>
        series.x.map((x, place) => [
          ...(several ? [series.name] : []),
          across(x),
          series.y[place] === null ? "–" : WRITERS[told.up.format](series.y[place]),
          ...(said ? [(series.said?.[place] || []).join(", ")] : []),
        ]),
      );
    return asTable(this.place, this.place.getAttribute("aria-label"), columns, rows);
  }
}

const known = (...numbers) => numbers.every(number => number !== null && number !== undefined);

function values(told, name) {
  return told.series.flatMap(series => series[name]).filter(number => known(number));
}

function axis(told, found, pixels) {
  const ends = told.range || found;
  const made = scale(ends, pixels, {log: told.log, room: told.range ? 0 : 0.04, least: told.zero ? 0 : null});
  const labels = new Map(told.ticks || []);
  const [low, high] = made.ends,
    asked = (told.ticks || []).map(([tick]) => tick).filter(tick => tick >= low && tick <= high);
  if (asked.length > 2 || told.named) made.ticks = asked;
  else if (!told.log) made.ticks = linearTicks(...made.ends, Math.abs(pixels[1] - pixels[0]) < 300 ? 4 : 6);
  const write = tick => labels.get(tick) || WRITERS[told.format](tick);
  return {title: told.title, write, labels, scale: {...made, from: pixels[0], to: pixels[1]}};
}

// Names that are longer than there is room are cut; the table has them whole.
function shorten(across, room) {
  const most = Math.max(3, Math.floor(room / 6.6) - 1),
    {write} = across;
  across.write = tick =>
    write(tick)
      .split("\n")
      .map(row => (row.length > most ? `${row.slice(0, most - 1)}…` : row))
      .join("\n");
}

const colour = series => `colour-${series.colour}`;

function lines(series, at) {
  const places = series.x.map((x, place) => (known(series.y[place]) ? at(x, series.y[place]) : null)).filter(Boolean);
  return [element("path", {class: `curve ${colour(series)} thick`, d: line(places)})];
}

// What holds until something better comes: where nothing more is known, it ends with a step down.
function steps(series, at) {
  let path = "";
  series.x.forEach((x, place) => {
    const [left, y] = at(x, series.y[place] ?? 0).map(number => number.toFixed(1));
    if (!known(series.y[place])) path += path.endsWith(`H${left}`) ? "" : `H${left}`;
    else path += path ? `H${left}V${y}` : `M${left} ${y}`;
  });
  return [element("path", {class: `curve ${colour(series)} thick`, d: path})];
}

function band(series, at) {
  return [
    element("path", {class: `band fill-${series.colour}`, d: `${line(series.x.map((x, i) => at(x, series.y[i])))}Z`}),
  ];
}

function points(series, at) {
  return series.x.map((x, place) => {
    const [cx, cy] = at(x, series.y[place]);
    return element("circle", {class: `point dot-${series.colour}`, cx, cy, r: series.size?.[place] ?? 3.5});
  });
}

// A box holds the middle half, its line is the median; whiskers are the ends. `y` has the five from low to high.
function box(series, at, across) {
  const half = 0.3 * Math.abs(across.scale.place(1) - across.scale.place(0)),
    [low, first, middle, third, high] = series.y.map(y => at(series.x[0], y)[1]),
    [x] = at(series.x[0], series.y[0]);
  const d = `M${x} ${low}V${first}M${x} ${third}V${high}M${x - half} ${first}h${2 * half}V${third}h${-2 * half}Z`;
  return [
    element("path", {class: "box", d}),
    element("path", {class: "box middle", d: `M${x - half} ${middle}h${2 * half}`}),
  ];
}

const KINDS = {line: lines, steps, band, points, box};

function legend(series) {
  const named = series.filter(each => each.name && each.kind !== "band");
  if (named.length < 2) return "";
  return html(
    "ul",
    {class: "legend"},
    ...named.map(each => {
      const key = element("path", {class: `curve ${colour(each)} thick`, d: "M1 5H33"});
      return html("li", {}, element("svg", {width: 34, height: 10, "aria-hidden": "true"}, key), ` ${each.name}`);
    }),
  );
}
