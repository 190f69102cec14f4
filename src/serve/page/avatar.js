// A drawn face for each emotion: the same features as the avatars of `fercli live` (src/draw/emotion_look.cpp), so that
// no font is needed. Lengths are in hundredths of the face's radius. A class may be called "constructor": no prototype.
const features = {
  __proto__: null,
  Angry: [-14, 12, 10, -18, 0, false], Disgust: [-8, 4, 7, -12, 6, true], Fear: [16, 2, 19, -14, 12, true],
  Happy: [4, 4, 12, 34, 18, true], Sad: [14, -8, 10, -26, 0, false], Surprise: [18, 18, 21, 0, 26, false],
  Neutral: [0, 0, 13, 0, 0, false], Contempt: [0, 12, 8, 8, 0, false],
};

function shape(name, attributes) {
  const element = document.createElementNS(document.querySelector("svg").namespaceURI, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function mouthPath(y, half, curve, open) {
  const edge = [];
  const bow = (s, side) => [(s * half).toFixed(1), (y + curve * (0.5 - s * s) + side * open * (1 - s * s)).toFixed(1)].join(" ");
  for (let i = -10; i <= 10; ++i) edge.push(bow(i / 10, -1));
  for (let i = 10; i >= -10; --i) edge.push(bow(i / 10, 1));
  return "M" + edge.join("L") + "Z";
}

// The picture says nothing that the text beside it does not: it is hidden from screen readers.
export function avatar(label) {
  const [inner, outer, eye, curve, open, teeth] = features[label] || features.Neutral;
  const svg = shape("svg", {viewBox: "-104 -104 208 208", class: "avatar", "aria-hidden": "true", focusable: "false"});
  svg.append(shape("circle", {r: 97, class: "skin skin-" + (features[label] ? label : "Neutral")}));
  for (const side of [-1, 1]) {
    svg.append(shape("ellipse", {cx: side * 34, cy: -18, rx: 12, ry: eye, class: "ink"}));
    svg.append(shape("line", {x1: side * 20, y1: -46 - inner, x2: side * 52, y2: -46 - outer, class: "brow"}));
  }
  svg.append(shape("path", {d: mouthPath(42, open > 22 ? 24 : 42, curve, open), class: "mouth"}));
  if (teeth) svg.append(shape("path", {d: mouthPath(40, 36, curve, open * 0.35), class: "teeth"}));
  return svg;
}

export const knownEmotion = (label) => (features[label] ? label : "other");
