// Pictures in the browser: shrinking, reading back, and what is drawn of them.
const sent = ["image/png", "image/jpeg", "image/webp"];  // what the server reads
const mostBytes = 6 << 20;

// Sides are read from an <img>, which does not decode the pixels at once as a bitmap would.
function sidesOf(blob) {
  return new Promise((resolve, reject) => {
    const image = new Image(), address = URL.createObjectURL(blob);
    image.onload = () => { URL.revokeObjectURL(address); resolve([image.naturalWidth, image.naturalHeight]); };
    image.onerror = () => { URL.revokeObjectURL(address); reject(new Error("unreadable")); };
    image.src = address;
  });
}

function canvasBlob(canvas, type, quality) {
  return new Promise((resolve) => canvas.toBlob(resolve, type, quality));
}

export function drawn(source, width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  canvas.getContext("2d").drawImage(source, 0, 0, width, height);
  return canvas;
}

// {blob, bitmap} that show the same; blob is one that the server takes: of a format it reads and at most `mostPixels`.
// What fits goes as it is, so that a face crop keeps its pixels.
export async function fitted(blob, mostPixels) {
  const [width, height] = await sidesOf(blob);
  const scale = Math.min(1, Math.sqrt(mostPixels / (width * height)));
  if (scale === 1 && sent.includes(blob.type) && blob.size <= mostBytes) {
    return {blob, bitmap: await createImageBitmap(blob)};
  }
  const size = {resizeWidth: Math.max(8, Math.round(width * scale)), resizeHeight: Math.max(8, Math.round(height * scale)), resizeQuality: "high"};
  const bitmap = await createImageBitmap(blob, size);
  const small = bitmap.width * bitmap.height <= 512 * 512;
  const canvas = drawn(bitmap, bitmap.width, bitmap.height);
  return {blob: await canvasBlob(canvas, small ? "image/png" : "image/jpeg", 0.92), bitmap};
}

export function blobOfBase64(text) {
  return new Blob([Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))], {type: "image/png"});
}

// The pixels of a PNG as they are stored.
export async function pixelsOf(png) {
  const bitmap = await createImageBitmap(png, {colorSpaceConversion: "none", premultiplyAlpha: "none"});
  const canvas = drawn(bitmap, bitmap.width, bitmap.height);
  return canvas.getContext("2d").getImageData(0, 0, bitmap.width, bitmap.height);
}

function isGrey(data) {
  for (let i = 0; i < data.length; i += 4) {
    if (data[i] !== data[i + 1] || data[i] !== data[i + 2]) return false;
  }
  return true;
}

const lighter = [196, 42, 42], darker = [32, 84, 200];

// after - before, times factor. Grey pictures: lighter is red, darker is blue, unchanged is white; colours around grey.
export function drawDelta(canvas, before, after, factor) {
  const grey = isGrey(before.data) && isGrey(after.data);
  const picture = new ImageData(before.width, before.height);
  for (let i = 0; i < picture.data.length; i += 4) {
    const change = [0, 1, 2].map((c) => (after.data[i + c] - before.data[i + c]) * factor);
    const strength = Math.min(1, Math.abs(change[0]) / 127), ink = change[0] > 0 ? lighter : darker;
    const colour = grey ? ink.map((value) => 255 + (value - 255) * strength) : change.map((value) => value + 128);
    picture.data.set([...colour, 255], i);
  }
  canvas.width = before.width;
  canvas.height = before.height;
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

// The left part of `after` up to `share` of the width, and the rest of `before`; the cut is marked in the large picture.
export function drawWipe(canvas, before, after, share, zoom) {
  const width = before.width, height = before.height, cut = Math.round(share * width * zoom);
  canvas.width = width * zoom;
  canvas.height = height * zoom;
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  const sheet = (pixels) => {
    const small = document.createElement("canvas");
    small.width = width;
    small.height = height;
    small.getContext("2d").putImageData(pixels, 0, 0);
    return small;
  };
  context.drawImage(sheet(before), 0, 0, canvas.width, canvas.height);
  context.save();
  context.beginPath();
  context.rect(0, 0, cut, canvas.height);
  context.clip();
  context.drawImage(sheet(after), 0, 0, canvas.width, canvas.height);
  context.restore();
  if (zoom === 1) return;
  context.fillStyle = "#fff";
  context.fillRect(cut - 1, 0, 2, canvas.height);
  context.strokeStyle = "#0008";
  context.strokeRect(cut - 1.5, -1, 3, canvas.height + 2);
}

// Where a label of this size covers no other one and as little of the faces as can be. Places are [left, top, width, height].
function labelPlace([x, y, w, h], wide, tall, canvas, boxes, labels) {
  const shared = (a, b, i) => Math.max(0, Math.min(a[i] + a[i + 2], b[i] + b[i + 2]) - Math.max(a[i], b[i]));
  const covered = (place, others) => others.reduce((sum, other) => sum + shared(place, other, 0) * shared(place, other, 1), 0);
  const tops = [y - tall, y + h, y];
  for (let away = 1; away <= 8; ++away) tops.push(y - (away + 1) * tall, y + h + away * tall);
  let best = null, least = Infinity;
  tops.forEach((top, row) => [x, x + w - wide].forEach((left) => {
    const place = [Math.max(0, Math.min(left, canvas.width - wide)), Math.max(0, Math.min(top, canvas.height - tall)), wide, tall];
    const cost = 100 * covered(place, labels) + 3 * covered(place, boxes) + Math.max(0, row - 2) * wide * tall / 4;
    if (cost < least) [best, least] = [place, cost];
  }));
  return best;
}

// Marks every face; `chosen` is its index. `zoom`: canvas pixels per picture pixel; `words(face, i)`: its label.
export function drawBoxes(context, faces, chosen, zoom, words) {
  const scale = Math.max(0.5, context.canvas.width / 760), tall = 28 * scale, labels = [];
  const boxes = faces.map(({box}) => [box.x, box.y, box.w, box.h].map((side) => side * zoom));
  context.font = "600 " + Math.round(17 * scale) + "px system-ui, sans-serif";
  faces.forEach((face, i) => {
    const text = words(face, i), wide = Math.min(context.measureText(text).width + 16 * scale, context.canvas.width);
    const place = labelPlace(boxes[i], wide, tall, context.canvas, boxes, labels);
    labels.push(place);
    context.globalAlpha = i === chosen ? 1 : 0.75;
    context.lineWidth = (i === chosen ? 4 : 2) * scale;
    context.strokeStyle = context.fillStyle = i === chosen ? "#2f5bd8" : "#3a4352";
    context.strokeRect(...boxes[i]);
    context.fillRect(...place);
    context.globalAlpha = 1;
    context.fillStyle = "#fff";
    context.fillText(text, place[0] + 8 * scale, place[1] + 20 * scale);
  });
}

// The square that the network sees of a face, on a canvas of its own.
export function thumbnail(source, square, side) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = side;
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(source, square.x, square.y, square.w, square.h, 0, 0, side, side);
  return canvas;
}
