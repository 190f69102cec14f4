// Runs every NAME.onnx of a folder in ONNX Runtime on the images that lie beside it, and compares the logits.
//   node compare.cjs FOLDER
'use strict';
const fs = require('fs');
const path = require('path');

function load() {
  for (const name of ['onnxruntime-node', 'onnxruntime-web']) {
    try {
      return [name, require(name)];
    } catch (error) {
      if (error.code !== 'MODULE_NOT_FOUND') throw error;
    }
  }
  console.error('neither onnxruntime-node nor onnxruntime-web is found on NODE_PATH');
  process.exit(2);
}

const kTolerance = 1e-5;  // relative to the largest logit, if that is above 1

function floats(file) {
  const bytes = fs.readFileSync(file);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

async function compare(ort, base) {
  const {shape, batches} = JSON.parse(fs.readFileSync(base + '.json', 'utf8'));
  const session = await ort.InferenceSession.create(fs.readFileSync(base + '.onnx'), {logSeverityLevel: 3});
  let worst = 0;
  for (const n of batches) {
    const images = new ort.Tensor('float32', floats(`${base}.${n}.in`), [n, ...shape]);
    const expected = floats(`${base}.${n}.out`);
    const {logits} = await session.run({input: images});
    if (logits.dims.length !== 2 || logits.dims[0] !== n || logits.data.length !== expected.length) {
      throw new Error(`batch ${n}: logits of shape (${logits.dims})`);
    }
    let scale = 1;
    for (const value of expected) scale = Math.max(scale, Math.abs(value));
    for (let i = 0; i < expected.length; ++i) {
      const difference = Math.abs(logits.data[i] - expected[i]) / scale;
      if (!(difference <= kTolerance)) throw new Error(`batch ${n}: logit ${i} is ${logits.data[i]}, not ${expected[i]}`);
      worst = Math.max(worst, difference);
    }
  }
  return worst;
}

async function main() {
  const folder = process.argv[2];
  const [name, ort] = load();
  const bases = fs.readdirSync(folder).filter((file) => file.endsWith('.onnx')).map((file) => file.slice(0, -5)).sort();
  let worst = 0, failed = 0;
  for (const base of bases) {
    try {
      worst = Math.max(worst, await compare(ort, path.join(folder, base)));
    } catch (error) {
      ++failed;
      console.log(`FAILED ${base}: ${error.message}`);
    }
  }
  console.log(`${name}: ${bases.length - failed} of ${bases.length} exported files agree at batches 1, 2 and 7; ` +
              `largest difference ${worst.toExponential(1)}`);
  process.exit(failed > 0 || bases.length === 0 ? 1 : 0);
}

main();
