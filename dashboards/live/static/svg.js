// A plane to draw in: scales, axes with a handful of round ticks, marks as one path whatever their number.

export function element(name, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

export function html(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const DIGITS = [[1], [1, 3], [1, 2, 5], [1, 1.5, 2, 3, 5, 7]];

function logTicks(low, high) {
  for (const digits of DIGITS) {
    const found = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
      for (const digit of digits) {
        const tick = Number(`${digit}e${power}`);
        if (tick >= low && tick <= high) found.push(tick);
      }
    }
    if (found.length >= 3) return found;
  }
  return linearTicks(low, high, 4);
}

export function linearTicks(low, high, most = 6) {
  const rough = (high - low) / most || 1,
    power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(each => each * power).find(each => each >= rough) || 10 * power;
  const found = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high + step * 1e-9; tick += step)
    found.push(Number(tick.toPrecision(12)));
  return found;
}

// A scale from values to pixels; `log` by their logarithm.
export function scale(values, [from, to], {log = false, room = 0.04, whole = false, least = null} = {}) {
  const found = values.filter(value => value !== null && isFinite(value) && (!log || value > 0));
  let low = found.reduce((a, b) => Math.min(a, b), Infinity),
    high = found.reduce((a, b) => Math.max(a, b), -Infinity);
  if (!found.length) [low, high] = log ? [0.1, 1] : [0, 1];
  if (least !== null) low = Math.min(low, least);
  if (low === high) [low, high] = log ? [low / 1.5, high * 1.5] : [low - 0.5, high + 0.5];
  const go = log ? Math.log10 : Number,
    back = log ? value => 10 ** value : Number;
  const [a, b] = [go(low), go(high)],
    pad = (b - a) * room;
  const [first, last] = [least === null ? a - pad : a, b + pad];
  const place = value => from + ((to - from) * (go(value) - first)) / (last - first);
  const ends = [back(first), back(last)];
  const ticks = log ? logTicks(...ends) : linearTicks(...ends).filter(tick => !whole || Number.isInteger(tick));
  return {place, ends, ticks, from, to, invert: pixel => back(first + ((last - first) * (pixel - from)) / (to - from))};
}

// Marks at places, as one path: its stroke's round ends are the marks.
export function dots(places) {
  return places.map(([x, y]) => `M${x.toFixed(1)} ${y.toFixed(1)}h0`).join("");
}

export function line(places) {
  return places.map(([x, y], place) => `${place ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
}

// Where a plane's frame lies, from its edges.
export const TOP = 16;
export const LOW = 46;
export const LEFT = 72;
export const RIGHT = 16;

export const smallest = (numbers, otherwise) => numbers.reduce((a, b) => Math.min(a, b), otherwise);
export const largest = (numbers, otherwise) => numbers.reduce((a, b) => Math.max(a, b), otherwise);

const percents = share => `${Number((100 * share).toFixed(3))} %`;

// The axis of how good networks are, and `at`, the height of a value on it. Shares lie by the logarithm of their error:
// 98 % and 99 % are as far apart as 80 % and 90 %, and what has no error lies where half of the least would.
export function quality(axis, values, height) {
  const share = axis.rate && !axis.least,
    known = values.filter(value => value !== null);
  const floor =
    smallest(
      known.map(value => 1 - value).filter(error => error > 0),
      1,
    ) / 2;
  const lie = share ? value => Math.max(1 - value, floor) : Number;
  const log = share || known.every(value => value > 0);
  const made = scale(known.map(lie), share ? [TOP, height - LOW] : [height - LOW, TOP], {log});
  const plain = tick => (axis.rate ? percents(tick) : String(Number(tick.toPrecision(3))));
  return {
    title: axis.title,
    write: share ? tick => percents(1 - tick) : plain,
    at: value => made.place(lie(value)),
    scale: {...made, from: height - LOW, to: TOP},
  };
}

// An empty plane with its axes; `across` and `up` are scales with titles and a way to write ticks.
export function plane({width, height, across, up, bare = false}) {
  const root = element("svg", {viewBox: `0 0 ${width} ${height}`, width, height, role: "group"});
  const axes = element("g", {class: "axes", "aria-hidden": "true"});
  for (const tick of across.scale.ticks) {
    const x = across.scale.place(tick);
    axes.append(element("line", {x1: x, x2: x, y1: up.scale.to, y2: up.scale.from, class: "grid"}));
  }
  for (const tick of up.scale.ticks) {
    const y = up.scale.place(tick);
    axes.append(element("line", {x1: across.scale.from, x2: across.scale.to, y1: y, y2: y, class: "grid"}));
    axes.append(element("text", {x: across.scale.from - 8, y: y + 4, class: "tick end"}, up.write(tick)));
  }
  let free = -Infinity;
  for (const tick of across.scale.ticks) {
    const x = across.scale.place(tick),
      text = across.write(tick),
      half =
        largest(
          text.split("\n").map(row => row.length),
          0,
        ) * 3.5;
    if (x - half < free) continue;
    free = x + half + 8;
    text.split("\n").forEach((row, place) => {
      axes.append(element("text", {x, y: up.scale.from + 18 + 14 * place, class: "tick middle"}, row));
    });
  }
  if (bare) return root;
  axes.append(
    element("path", {d: `M${across.scale.from} ${up.scale.to}V${up.scale.from}H${across.scale.to}`, class: "frame"}),
  );
  axes.append(
    element("text", {x: (across.scale.from + across.scale.to) / 2, y: height - 6, class: "title middle"}, across.title),
  );
  const middle = (up.scale.from + up.scale.to) / 2;
  axes.append(
    element("text", {x: 12, y: middle, class: "title middle", transform: `rotate(-90 12 ${middle})`}, up.title),
  );
  root.append(axes);
  return root;
}

export function widthOf(place) {
  return Math.max(280, Math.round(place.clientWidth || 900));
}

// Put a drawing in its place; the focus stays where it was, by the trial that had it.
export function put(place, ...drawn) {
  const held = place.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  place.replaceChildren(...drawn);
  if (held)
    [...place.querySelectorAll("[data-key]")].find(each => each.dataset.key === held)?.focus({preventScroll: true});
}

const tip = () => document.getElementById("tip");

export function showTip(lines, x, y) {
  const box = tip();
  box.replaceChildren(...lines.map((line, place) => html(place ? "div" : "strong", {}, line)));
  box.hidden = false;
  box.style.left = `${Math.min(x + 14, innerWidth - box.offsetWidth - 8)}px`;
  box.style.top = `${Math.max(8, Math.min(y + 14, innerHeight - box.offsetHeight - 8))}px`;
}

// The point within a few pixels of an event that lies nearest to it; points have places `at` in pixels. One with a `foot`
// reaches down to there, and one that is `wide` and `high` so far to each side.
export function nearest(points, place, event, near = 14) {
  const box = place.getBoundingClientRect(),
    x = event.clientX - box.left,
    y = event.clientY - box.top;
  let found = null,
    least = near ** 2;
  for (const point of points || []) {
    const [left, top] = point.at,
      foot = point.foot === undefined ? top : Math.max(point.foot, top);
    const off = [Math.abs(left - x) - (point.wide || 0), Math.max(top - y, y - foot, 0) - (point.high || 0)];
    const far = Math.max(off[0], 0) ** 2 + Math.max(off[1], 0) ** 2;
    if (far < least) [found, least] = [point, far];
  }
  return found;
}

export function hideTip() {
  tip().hidden = true;
}
