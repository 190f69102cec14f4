// split_avi.cjs CLIP.avi ALL.mjpeg FIRST.jpg: the pictures of a Motion-JPEG AVI one after the other, as Chromium's fake
// camera wants them, and the first one alone.
"use strict";
const fs = require("fs");

const [clip, all, first] = process.argv.slice(2);
const bytes = fs.readFileSync(clip);
const pictures = [];
for (let place = bytes.indexOf("movi"); (place = bytes.indexOf("00dc", place)) >= 0; ) {
  const length = bytes.readUInt32LE(place + 4), picture = bytes.subarray(place + 8, place + 8 + length);
  if (picture[0] === 0xff && picture[1] === 0xd8) pictures.push(picture);
  place += 8 + (picture[0] === 0xff ? length : 0);
}
fs.writeFileSync(all, Buffer.concat(pictures));
fs.writeFileSync(first, pictures[0]);
console.log(pictures.length + " pictures");
