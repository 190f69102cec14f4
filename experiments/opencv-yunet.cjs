// What OpenCV's own detector (cv::FaceDetectorYN, which reads YuNet's layout of 2023 from OpenCV 4.8 on) finds:
// tests/golden/yunet-boxes.json, beside which tests/faces/opencv_boxes_test.cpp holds fercli's boxes.
//
//     FERCLI_RENEW=DIR build/release/tests/fercli_tests --gtest_filter='FaceDetectors.GiveTheBoxesOfOpenCvsYunet*'
//     npm install @techstark/opencv-js@4.10.0-release.1
//     node experiments/opencv-yunet.cjs DIR > tests/golden/yunet-boxes.json
//
// DIR holds networks (NAME.onnx) and for each a folder NAME of pictures (PPM). A face is x, y, width, height and score.
const fs = require('fs');
const path = require('path');

const kScore = 0.7, kOverlap = 0.3, kMost = 5000;

function readPpm(cv, file) {
  const bytes = fs.readFileSync(file);
  const head = /^P6\n(\d+) (\d+)\n255\n/.exec(bytes.subarray(0, 40).toString('latin1'));
  const width = Number(head[1]), height = Number(head[2]);
  const rgb = new cv.Mat(height, width, cv.CV_8UC3), bgr = new cv.Mat();
  rgb.data.set(bytes.subarray(head[0].length));
  cv.cvtColor(rgb, bgr, cv.COLOR_RGB2BGR);
  return bgr;
}

function facesIn(cv, network, picture) {
  const detector = new cv.FaceDetectorYN(network, '', picture.size(), kScore, kOverlap, kMost, 0, 0);
  const found = new cv.Mat();
  detector.detect(picture, found);
  const faces = [];
  for (let i = 0; i < found.rows; ++i) {
    const row = found.floatPtr(i);
    faces.push([row[0], row[1], row[2], row[3], row[14]].map(value => Math.round(value * 1000) / 1000));
  }
  return faces.sort((a, b) => a[0] - b[0]);
}

function main(cv, folder) {
  const found = {opencv: /OpenCV (\S+)/.exec(cv.getBuildInformation())[1]};
  for (const file of fs.readdirSync(folder).filter(name => name.endsWith('.onnx')).sort()) {
    const name = path.parse(file).name;
    cv.FS_createDataFile('/', file, fs.readFileSync(path.join(folder, file)), true, false, false);
    found[name] = {};
    for (const picture of fs.readdirSync(path.join(folder, name)).sort())
      found[name][path.parse(picture).name] = facesIn(cv, file, readPpm(cv, path.join(folder, name, picture)));
  }
  const lines = JSON.stringify(found, null, 1).replace(/\[\s+([-\d.,\s]+?)\s+\]/g, (all, row) => `[${row.replace(/\s+/g, ' ')}]`);
  console.log(lines);
}

// Its object has a `then` that never ends, so it is not awaited.
const cv = require(require.resolve('@techstark/opencv-js', {paths: [process.cwd(), __dirname]}));
if (cv.Mat) main(cv, process.argv[2]);
else cv.onRuntimeInitialized = () => main(cv, process.argv[2]);
