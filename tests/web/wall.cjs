// wall.cjs FILE.png: a grey picture of 200x200 pixels without a face.
"use strict";
const fs = require("fs");
const zlib = require("zlib");

function chunk(kind, data) {
  const body = Buffer.concat([Buffer.from(kind), data]), length = Buffer.alloc(4), sum = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  let crc = 0xffffffff;
  for (const byte of body) {
    crc ^= byte;
    for (let bit = 0; bit < 8; ++bit) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  sum.writeUInt32BE(~crc >>> 0);
  return Buffer.concat([length, body, sum]);
}

const head = Buffer.alloc(13);
head.writeUInt32BE(200, 0);
head.writeUInt32BE(200, 4);
head[8] = 8;  // bits, grey
const line = Buffer.concat([Buffer.from([0]), Buffer.alloc(200, 90)]);
const rows = zlib.deflateSync(Buffer.concat(Array(200).fill(line)));
fs.writeFileSync(process.argv[2], Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), chunk("IHDR", head), chunk("IDAT", rows), chunk("IEND", Buffer.alloc(0))]));
