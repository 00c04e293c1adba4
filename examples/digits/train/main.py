"""Learns handwritten digits: a softmax regression, by gradient descent, one image at a time.

Reads labels.csv and the images from the data set volume; writes model.json and metrics.json to the model volume.
"""
import csv
import json
import math
import os
import pathlib
import random
import time

DATASET = pathlib.Path(os.environ.get("DATASET", "/data-volumes/input_dataset"))
MODEL = pathlib.Path(os.environ.get("MODEL", "/data-volumes/output_model"))
EPOCHS = int(os.environ.get("EPOCHS", "8"))
LEARNING_RATE = float(os.environ.get("LEARNING_RATE", "0.01"))
DIGITS = 10


def read_images(part):
    """(pixels, digit) pairs; pixels are (index, value from 0 to 1) for those that are not empty."""
    images = []
    with open(DATASET / "labels.csv", newline="", encoding="ascii") as labels:
        for row in csv.DictReader(labels):
            if not row["file"].startswith(part + "/"):
                continue
            with open(DATASET / row["file"], encoding="ascii") as lines:
                for line in lines:
                    pixels = [(i, int(text) / 16) for i, text in enumerate(line.split(",")) if text.strip() != "0"]
                    images.append((pixels, int(row["label"])))
    return images


def probabilities(weights, biases, pixels):
    scores = [bias + sum(row[i] * value for i, value in pixels) for row, bias in zip(weights, biases)]
    highest = max(scores)
    powers = [math.exp(score - highest) for score in scores]
    total = sum(powers)
    return [power / total for power in powers]


def learn(weights, biases, images, rate):
    """One pass over all images; the mean loss."""
    loss = 0.0
    for pixels, digit in images:
        guess = probabilities(weights, biases, pixels)
        loss -= math.log(max(guess[digit], 1e-12))
        for k in range(DIGITS):
            step = rate * (guess[k] - (1.0 if k == digit else 0.0))
            row = weights[k]
            biases[k] -= step
            for i, value in pixels:
                row[i] -= step * value
    return loss / len(images)


def accuracy(weights, biases, images):
    right = 0
    for pixels, digit in images:
        guess = probabilities(weights, biases, pixels)
        right += guess.index(max(guess)) == digit
    return right / len(images)


def main():
    start = time.monotonic()
    train, test = read_images("train"), read_images("test")
    print(f"{len(train)} images to learn from, {len(test)} to test with", flush=True)
    weights = [[0.0] * 64 for _ in range(DIGITS)]
    biases = [0.0] * DIGITS
    order = random.Random(1)
    losses = []
    for epoch in range(1, EPOCHS + 1):
        order.shuffle(train)
        losses.append(learn(weights, biases, train, LEARNING_RATE))
        print(f"epoch {epoch}: loss {losses[-1]:.4f}", flush=True)
    result = accuracy(weights, biases, test)
    print(f"test accuracy {result:.4f}", flush=True)
    metrics = {"testAccuracy": round(result, 4), "losses": [round(loss, 4) for loss in losses], "epochs": EPOCHS,
               "learningRate": LEARNING_RATE, "trainImages": len(train), "testImages": len(test),
               "seconds": round(time.monotonic() - start, 1)}
    (MODEL / "model.json").write_text(json.dumps({"weights": weights, "biases": biases}), encoding="ascii")
    (MODEL / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n", encoding="ascii")
    print(f"wrote {MODEL / 'model.json'} and {MODEL / 'metrics.json'}", flush=True)


if __name__ == "__main__":
    main()
