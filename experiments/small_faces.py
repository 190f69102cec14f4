#!/usr/bin/env python3
"""Group pictures with small faces, and how many of them fercli finds.

    python3 experiments/small_faces.py FACES.csv OUT [OPTION of fercli predict]...

FACES.csv: FER2013's layout, 48x48 pixels (`fercli data convert FER2013 FACES.csv --split PublicTest`). Writes twenty
pictures of 1600x1200 pixels with six faces of 90 to 116 pixels each, twenty of the same kind without faces, and each
face alone on grey; runs `fercli predict` on them, and prints how many faces were found, and how many boxes hold none.
FERCLI names the program. Needs numpy.
"""

import json
import os
import subprocess
import sys

import numpy as np

PICTURES, FACES, HEIGHT, WIDTH, ALONE = 20, 6, 1200, 1600, 112
FADE = 6  # pixels over which a pasted face fades in


def read_faces(path, rng):
    lines = open(path, encoding="utf-8").read().strip().split("\n")[1:]
    chosen = rng.permutation(len(lines))[: PICTURES * FACES]
    return [np.array(lines[i].split(",")[1].split(), dtype=float).reshape(48, 48) for i in chosen]


def enlarged(face, side):
    place = (np.arange(side) + 0.5) * 48 / side - 0.5
    low = np.clip(np.floor(place).astype(int), 0, 46)
    share = np.clip(place - low, 0, 1)
    rows = face[low] * (1 - share)[:, None] + face[low + 1] * share[:, None]
    return rows[:, low] * (1 - share)[None] + rows[:, low + 1] * share[None]


def background(rng):
    """Noise with the spectrum of photographs, and 25 translucent rectangles."""
    frequency = np.hypot(np.fft.fftfreq(HEIGHT)[:, None], np.fft.fftfreq(WIDTH)[None])
    size = 1 / np.maximum(frequency, 1 / WIDTH) ** 1.1
    picture = np.real(np.fft.ifft2(size * np.exp(2j * np.pi * rng.random((HEIGHT, WIDTH)))))
    picture = (picture - picture.min()) / (picture.max() - picture.min()) * 200 + 20
    for _ in range(25):
        y, x = rng.integers(0, HEIGHT - 40), rng.integers(0, WIDTH - 40)
        h, w = rng.integers(20, 300, 2)
        picture[y : y + h, x : x + w] = 0.5 * picture[y : y + h, x : x + w] + 0.5 * rng.integers(0, 255)
    return picture


def write(path, picture):
    with open(path, "wb") as file:
        file.write(b"P5\n%d %d\n255\n" % picture.shape[::-1] + np.clip(picture, 0, 255).astype(np.uint8).tobytes())


def compose(faces, out, rng):
    """The boxes (x, y, side) of each group picture."""
    boxes = {}
    for k in range(PICTURES):
        group = background(rng)
        name = f"group-{k:02}.pgm"
        boxes[name] = []
        for j in range(FACES):
            side = int(rng.integers(90, 117))
            x, y = 60 + 250 * j + int(rng.integers(0, 80)), int(rng.integers(350, 800))
            edge = np.minimum(1, np.minimum(np.arange(side), np.arange(side)[::-1]) / FADE)
            share = edge[:, None] * edge[None]
            face = enlarged(faces[k * FACES + j], side)
            group[y : y + side, x : x + side] = group[y : y + side, x : x + side] * (1 - share) + face * share
            boxes[name].append((x, y, side))
        write(f"{out}/{name}", group)
        write(f"{out}/empty-{k:02}.pgm", background(rng))
    for i, face in enumerate(faces):
        alone = np.full((ALONE + 60, ALONE + 60), 128.0)
        alone[30:-30, 30:-30] = enlarged(face, ALONE)
        write(f"{out}/alone-{i:03}.pgm", alone)
    return boxes


def predict(out, prefix, options):
    files = sorted(f"{out}/{name}" for name in os.listdir(out) if name.startswith(prefix))
    program = os.environ.get("FERCLI", "build/release/fercli")
    command = [program, "predict", *files, "--detect", "always", "--json", "-q", *options]
    answer = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return {os.path.basename(each["file"]): [face["box"] for face in each["faces"]] for each in answer}


def hits(boxes, found):
    """How many of `boxes` have the middle of a found box of about their size; each found box counts once."""
    left = list(found)
    count = 0
    for x, y, side in boxes:
        for box in left:
            middle = box["x"] + box["w"] / 2, box["y"] + box["h"] / 2
            if x <= middle[0] <= x + side and y <= middle[1] <= y + side and 0.5 < box["w"] / side < 1.6:
                left.remove(box)
                count += 1
                break
    return count


def main(faces_file, out, options):
    rng = np.random.default_rng(7)
    os.makedirs(out, exist_ok=True)
    boxes = compose(read_faces(faces_file, rng), out, rng)
    groups = predict(out, "group", options)
    found = {name: hits(boxes[name], groups[name]) for name in boxes}
    print(f"faces found in group pictures: {sum(found.values())} of {PICTURES * FACES}")
    print(f"group pictures with all six: {sum(count == FACES for count in found.values())} of {PICTURES}")
    print(f"boxes without a face in them: {sum(len(groups[name]) - found[name] for name in boxes)}")
    print(f"boxes in {PICTURES} pictures without faces: {sum(map(len, predict(out, 'empty', options).values()))}")
    alone = predict(out, "alone", options)
    print(f"the same faces alone, {ALONE} pixels: {sum(len(each) > 0 for each in alone.values())} of {len(alone)}")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
