// Bar plots as inline SVG, for page.js. A value of null is unknown and has no bar.

"use strict";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 360;
const HEIGHT = 130;
const LEFT = 40;
const BOTTOM = 18;
const TOP = 10;

function shape(tag, attributes, text) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

// The smallest of 1, 2, 2.5, 5 times a power of ten that is not below `value`.
function roundUp(value, whole) {
  const power = 10 ** Math.floor(Math.log10(value));
  const found = [1, 2, 2.5, 5, 10].map(factor => factor * power).find(each => each >= value * 0.9999);
  return whole ? Math.max(1, Math.ceil(found)) : found;
}

// A figure with one bar for each of `points`, which are {at, value}; `format` writes a value, `label` a time.
function barPlot(title, points, { format, label, kind = "", whole = false, summary }) {
  const known = points.filter(point => point.value !== null);
  const highest = Math.max(0, ...known.map(point => point.value));
  const top = highest > 0 ? roundUp(highest, whole) : 1;
  const svg = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", class: kind });
  svg.setAttribute("aria-label", known.length ? `${title}: ${summary}` : `${title}: unknown`);
  const height = HEIGHT - BOTTOM - TOP;
  const y = value => TOP + height * (1 - value / top);
  for (const share of [0, 0.5, 1]) {
    const at = y(top * share);
    svg.append(shape("line", { x1: LEFT, x2: WIDTH, y1: at, y2: at, class: "grid" }));
    if (share === 0 || (known.length && !(whole && top * share % 1))) {
      svg.append(shape("text", { x: LEFT - 5, y: at + 4, "text-anchor": "end" }, format(top * share)));
    }
  }
  const step = (WIDTH - LEFT) / points.length;
  points.forEach((point, index) => {
    if (!point.value) return;
    const bar = shape("rect", {
      x: LEFT + index * step + step * 0.1,
      y: y(point.value),
      width: step * 0.8,
      height: Math.max(1, HEIGHT - BOTTOM - y(point.value)),
      class: "bar",
    });
    bar.append(shape("title", {}, `${label(point.at)}: ${format(point.value)}`));
    svg.append(bar);
  });
  [0, 0.5, 1].forEach(share => {
    const index = Math.min(points.length - 1, Math.floor(points.length * share));
    const anchor = ["start", "middle", "end"][share * 2];
    const x = LEFT + (WIDTH - LEFT) * share;
    svg.append(shape("text", { x, y: HEIGHT - 4, "text-anchor": anchor }, label(points[index].at)));
  });
  if (!known.length) svg.append(shape("text", { x: (LEFT + WIDTH) / 2, y: HEIGHT / 2, "text-anchor": "middle" }, "unknown"));
  const figure = document.createElement("figure");
  const caption = document.createElement("figcaption");
  caption.textContent = title;
  figure.append(caption, svg);
  return figure;
}

// A horizontal bar for a share between 0 and 1.
function gauge(share) {
  const svg = shape("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", class: "gauge", "aria-hidden": "true" });
  svg.append(shape("rect", { width: 100, height: 10, rx: 2, class: "back" }));
  svg.append(shape("rect", { width: 100 * Math.min(1, Math.max(0, share)), height: 10, rx: 2, class: "front" }));
  return svg;
}
