// Draw figures that are told as data: lines, steps, bands, boxes, points, bars, cells and pictures on two axes, with
// their numbers as a table.

import {asTable} from "./data.js";
import {
  LEFT,
  LOW,
  RIGHT,
  TOP,
  element,
  hideTip,
  html,
  largest,
  line,
  linearTicks,
  nearest,
  plane,
  put,
  scale,
  showTip,
  smallest,
  widthOf,
} from "./svg.js";
import {count} from "./words.js";

const WRITERS = {
  percent: number => `${Number((100 * number).toPrecision(3))} %`,
  count: count,
  plain: number => String(Number(number.toPrecision(4))),
};

const UNIT = 64; // pixels of a unit at most, where units are as wide as high

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
      low = told.across.bare ? TOP : LOW + 14 * lines;
    const left = leftOf(told.up, width),
      [right, height] = told.square ? squared(told, left, width, low) : [width - RIGHT, told.height];
    const across = axis(told.across, values(told, "x"), [left, right]);
    const up = axis(told.up, values(told, "y"), [height - low, TOP]);
    if (told.across.named) shorten(across, (right - left) / told.across.ticks.length);
    if (told.up.named) shorten(up, left - 8);
    const root = plane({width, height, across, up, bare: told.across.bare});
    if (told.series.some(each => each.kind === "cells")) root.querySelectorAll(".grid").forEach(each => each.remove());
    root.setAttribute("role", "img");
    root.setAttribute("aria-label", this.place.getAttribute("aria-label"));
    const at = (x, y) => [across.scale.place(x), up.scale.place(y)];
    this.points = [];
    this.near = told.square ? Math.abs(at(1, 0)[0] - at(0, 0)[0]) : 14;
    for (const series of told.series) {
      root.append(...KINDS[series.kind](series, at, across, up));
      this.points.push(...(HOVERED[series.kind] || said)(series, at, across, up));
    }
    put(this.place, root, legend(told.series), told.tabled ? "" : this.table());
  }

  hover(event) {
    const found = nearest(this.points, this.place, event, this.near);
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
  const ends = series => (series.along === name ? [...series.low, ...series.high] : []);
  const base = series => (series.kind === "bars" && name === "y" ? [0] : []);
  return told.series.flatMap(series => [...series[name], ...ends(series), ...base(series)]).filter(each => known(each));
}

// Where names stand to the left of a figure they have up to two fifths of it.
function leftOf(up, width) {
  if (up.bare) return RIGHT;
  if (!up.named) return LEFT;
  const longest = largest(
    up.ticks.map(([, text]) => text.length),
    0,
  );
  return Math.max(up.title ? LEFT : 0, Math.min(6.6 * longest + 16, 0.4 * width));
}

// The right and lower edge of a figure whose units are as wide as they are high.
function squared(told, left, width, low) {
  const span = ({range: [from, to]}) => to - from,
    unit = Math.min((width - left - RIGHT) / span(told.across), UNIT);
  return [left + unit * span(told.across), TOP + low + unit * span(told.up)];
}

// Places with something to say.
function said(series, at) {
  return (series.said || [])
    .map((said, place) => ({said, place}))
    .filter(({said, place}) => said && known(series.x[place], series.y[place]))
    .map(({said, place}) => ({at: at(series.x[place], series.y[place]), said}));
}

function axis(told, found, pixels) {
  const ends = told.range || found;
  const made = scale(ends, pixels, {log: told.log, room: told.range ? 0 : 0.04, least: told.zero ? 0 : null});
  const labels = new Map(told.ticks || []);
  const [low, high] = made.ends,
    asked = (told.ticks || []).map(([tick]) => tick).filter(tick => tick >= low && tick <= high);
  if (told.bare) made.ticks = [];
  else if (asked.length > 2 || told.named) made.ticks = asked;
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

// Where no place is told at all a line begins anew.
function lines(series, at) {
  const parts = [[]];
  series.x.forEach((x, place) => {
    if (!known(x)) parts.push([]);
    else if (known(series.y[place])) parts[parts.length - 1].push(at(x, series.y[place]));
  });
  return [element("path", {class: `curve ${colour(series)} thick`, d: parts.map(line).join("")})];
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

const step = scale => Math.abs(scale.place(1) - scale.place(0));

function bars(series, at, across) {
  const wide = Math.max(1, 0.7 * step(across.scale));
  return series.x.map((x, place) => {
    const [middle, top] = at(x, series.y[place]),
      [, foot] = at(x, 0);
    const form = {x: middle - wide / 2, width: wide, y: Math.min(top, foot), height: Math.abs(foot - top)};
    return element("rect", {class: `dot-${series.colour}`, ...form});
  });
}

// A bar is hovered in all of its height.
function overBars(series, at) {
  return said(series, at).map(each => ({...each, foot: at(0, 0)[1]}));
}

// How far a mark reaches to either side.
function ends(series, at) {
  const upright = series.along === "y";
  const paths = series.x.map((x, place) => {
    const [low, high] = [series.low[place], series.high[place]];
    if (low === high) return "";
    const y = series.y[place],
      [[x1, y1], [x2, y2]] = upright ? [at(x, low), at(x, high)] : [at(low, y), at(high, y)];
    const cap = ([x, y]) => (upright ? `M${x - 3} ${y}h6` : `M${x} ${y - 3}v6`);
    return `M${x1} ${y1}L${x2} ${y2}${cap([x1, y1])}${cap([x2, y2])}`;
  });
  return [element("path", {class: `curve ${colour(series)} whisker`, d: paths.join("")})];
}

const amount = (series, value) => (series.log ? Math.log10(value) : value);

// From what value to what value cells go; where they lie by logarithms, what is not above 0 has no shade.
function spanned(series) {
  const found = series.z.flat().filter(value => known(value) && (!series.log || value > 0));
  return [smallest(found, Infinity), largest(found, -Infinity)];
}

function shade(series, value, [low, high]) {
  if (!known(value) || (series.log && value <= 0)) return null;
  const [from, to] = [low, high].map(each => amount(series, each));
  return to > from ? 0.06 + (0.94 * (amount(series, value) - from)) / (to - from) : 0.5;
}

function cells(series, at, across, up) {
  const [wide, high] = [step(across.scale), step(up.scale)],
    ends = spanned(series);
  return series.z.flatMap((row, down) =>
    row.map((value, place) => {
      const [x, y] = at(series.x[place], series.y[down]),
        opacity = shade(series, value, ends);
      const form = {x: x - wide / 2, y: y - high / 2, width: Math.max(wide - 1, 1), height: Math.max(high - 1, 1)};
      return opacity === null
        ? element("rect", {class: "cell unknown", ...form})
        : element("rect", {class: "cell", "fill-opacity": opacity.toFixed(3), ...form});
    }),
  );
}

function overCells(series, at, across, up) {
  const [wide, high] = [step(across.scale) / 2, step(up.scale) / 2];
  return series.z.flatMap((row, down) =>
    row.map((value, place) => {
      const [x, y] = [series.x[place], series.y[down]];
      const told = known(value) ? WRITERS.plain(value) : "–";
      return {at: at(x, y), wide, high, said: [`${series.title}: ${told}`, placeOf(up, y), placeOf(across, x)]};
    }),
  );
}

const placeOf = (axis, value) => `${axis.title} ${axis.labels.get(value) || axis.write(value)}`;

function pictures(series, at) {
  const [[x1, y1], [x2, y2]] = [0, 1].map(place => at(series.x[place], series.y[place]));
  const form = {x: Math.min(x1, x2), y: Math.min(y1, y2), width: Math.abs(x2 - x1), height: Math.abs(y2 - y1)};
  return [element("image", {class: "pixels", href: series.href, preserveAspectRatio: "none", ...form})];
}

function words(series, at) {
  return series.words.map((text, place) => {
    const [x, y] = at(series.x[place], series.y[place]);
    return element("text", {class: "tick middle", x, y}, text);
  });
}

const KINDS = {line: lines, steps, band, points, box, bars, ends, cells, picture: pictures, words};
const HOVERED = {bars: overBars, cells: overCells};

function legend(series) {
  const shades = series.filter(each => each.kind === "cells"),
    named = series.filter(each => each.name && each.kind !== "band");
  if (shades.length) return html("ul", {class: "legend"}, ...shades.flatMap(shadesOf));
  if (named.length < 2) return "";
  return html("ul", {class: "legend"}, ...named.map(each => html("li", {}, swatch(keyOf(each)), ` ${each.name}`)));
}

const swatch = (...drawn) => element("svg", {width: 34, height: 10, "aria-hidden": "true"}, ...drawn);

function keyOf(series) {
  if (series.kind === "bars") return element("rect", {class: `dot-${series.colour}`, x: 6, width: 22, height: 10});
  if (series.kind === "points") return element("circle", {class: `dot-${series.colour}`, cx: 17, cy: 5, r: 4});
  return element("path", {class: `curve ${colour(series)} thick`, d: "M1 5H33"});
}

// What the faintest, a middle and the strongest shade stand for.
function shadesOf(series) {
  const [low, high] = spanned(series);
  if (!(low < high)) return [];
  const middle = series.log ? Math.sqrt(low * high) : (low + high) / 2;
  return [low, middle, high].map((value, place) => {
    const form = {"fill-opacity": shade(series, value, [low, high]), width: 34, height: 10};
    return html("li", {}, swatch(element("rect", {class: "cell", ...form})), ` ${place ? "" : `${series.title} `}${Number(value.toPrecision(3))}`);
  });
}
